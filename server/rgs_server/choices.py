"""Rounds in which the player has a choice: what he decides, once for each step, and what time decides for him.

The stake is taken and the outcome sealed when the spin is answered; what is open is the policy by which the round is played
on (rgs_core.stages). So any worker can go on with it, after any crash: it is played from its beginning by what was
decided so far. Only when nothing is asked any more does the round get its row in `spins`, its win and its event.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from rgs_core.errors import PolicyError
from rgs_core.language.mechanics import COLLECT
from rgs_core.language.model import MECHANIC_VERSION
from rgs_core.language.policies import GAMBLE, with_decisions
from rgs_core.seeds import derive_key
from rgs_core.stages import Decision, check
from rgs_server import answers, happenings
from rgs_server.archive import BuildArchive, BuildLost
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import ChoiceRequest, decode_choice
from rgs_server.played_round import PlayedRound
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.sessions import Rulebook, seed_context
from rgs_server.settlement import read_round
from rgs_server.store import EventRow, Store
from rgs_server.telemetry.context import current_traceparent
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.choices")


@dataclass(frozen=True, slots=True)
class Builds:
    """What plays a round on: what is served, what was once, and what opens its seed."""

    archive: BuildArchive
    rules: Rulebook
    sealer: Sealer


async def choose(
    store: Store, builds: Builds, operator_id: str, round_id: str, body: bytes, now: datetime, metrics: Metrics
) -> tuple[bytes, bool]:
    """Decides a step of a round: (answer, whether it was given before). Raises Problem."""
    request = decode_choice(body)
    async with store.connection.transaction():
        waiting = await store.lock_waiting_round(operator_id, round_id)
        before = await store.find_choice(operator_id, round_id, request.step)
        if before is not None:
            if (before["choice"], before["option"]) != (request.choice, request.option):
                taken = f"'{before['option']}' of '{before['choice']}'"
                who = "" if before["made_by"] == "player" else " for the player, who had not decided in time"
                raise Problem(
                    "IDEMPOTENCY_CONFLICT", f"step {request.step} of round '{round_id}' was decided: {taken}{who}"
                )
            return before["response"], True
        if waiting is None:
            await read_round(store, operator_id, round_id)
            raise Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' waits for no choice")
        deciding = Waiting(store, builds, waiting, now)
        answer = await deciding.decide(request)
    deciding.count(metrics)
    return answer, False


async def decide_overdue(store: Store, builds: Builds, now: datetime, most: int, metrics: Metrics) -> int:
    """Ends rounds whose players did not decide in time, and tells their operators; returns how many."""
    ended = 0
    for row in await store.overdue_choices(now, most):
        operator_id, round_id = row["operator_id"], row["round_id"]
        async with store.connection.transaction():
            waiting = await store.lock_waiting_round(operator_id, round_id)
            if waiting is None or waiting["due_at"] > now:
                continue  # decided meanwhile
            deciding = Waiting(store, builds, waiting, now)
            try:
                decided = await deciding.finish()
            except Problem as problem:  # another worker may have its build
                log.error("round %s of %s cannot be ended: %s", round_id, operator_id, problem.detail)
                continue
            build_hash = deciding.build_hash
            await store.add_events([happenings.round_autoclosed(waiting, build_hash, decided, now)])
            log.warning("round %s of %s was ended for its player: %s", round_id, operator_id, ", ".join(decided))
            ended += 1
        deciding.count(metrics)
    return ended


class Waiting:
    """A round that waits for a choice, in a transaction that has its row."""

    def __init__(self, store: Store, builds: Builds, record: asyncpg.Record, now: datetime) -> None:
        self._store, self._builds = store, builds
        self._record, self._now = record, now
        self._operator_id, self._round_id = record["operator_id"], record["round_id"]
        self._decisions: tuple[Decision, ...] = tuple(written(text) for text in record["decisions"])
        self._won_minor: int | None = None

    def count(self, metrics: Metrics) -> None:
        """Counts the win of a round that is over, once the transaction is."""
        if self._won_minor is not None:
            session, mode = self._session, self._record["mode"]
            build = self._staged.build.label.removesuffix(f"@{mode}")
            metrics.played(self._record["game_id"], build, mode, session["currency"]).won(self._won_minor)

    async def decide(self, request: ChoiceRequest) -> bytes:
        """Decides what is asked; the answer. Raises Problem."""
        step = len(self._decisions) + 1
        if request.step != step:
            raise Problem("CHOICE_NOT_OFFERED", f"round '{self._round_id}' waits for step {step}, not {request.step}")
        await self._begin()
        return await self._take((request.choice, request.option), "player")

    async def finish(self) -> list[str]:
        """Decides all that is open; what was decided, as choice=option. Raises Problem."""
        await self._begin()
        made = self._staged.finish(self._key, self._record["nonce"], self._decisions)
        open_ones = made[len(self._decisions) :]
        for decision in open_ones:
            await self._take(decision, "time")
        return ["=".join(decision) for decision in open_ones]

    @property
    def build_hash(self) -> str:
        """Of its session, which `finish` or `decide` has taken."""
        return str(self._session["build_hash"])

    async def _begin(self) -> None:
        """Takes the session, so that no spin is written meanwhile, and finds what plays the round. Raises Problem."""
        session = await self._store.change_session(self._operator_id, self._record["session_id"])
        assert session is not None
        builds = self._builds
        try:
            self._staged = await builds.archive.staged(
                builds.rules.catalogue, session["build_hash"], self._record["mode"]
            )
        except BuildLost as error:
            raise Problem("BUILD_UNAVAILABLE", f"{error}; repeat the same request") from error
        try:
            seed = builds.sealer.open(session["seed_sealed"], seed_context(self._operator_id, session["session_id"]))
        except SealBroken as error:
            log.error("%s", error)
            raise Problem("BUILD_UNAVAILABLE", "this worker cannot open the session's seed") from error
        self._session = session
        self._key = derive_key(seed, session["client_seed"])

    async def _take(self, decision: Decision, made_by: str) -> bytes:
        """Writes a decision, with all that the round becomes by it; the answer. Raises Problem."""
        record, session, step = self._record, self._session, len(self._decisions) + 1
        before = self._staged.play(self._key, record["nonce"], self._decisions)
        try:
            check(before.question, decision)
        except PolicyError as error:
            raise Problem("CHOICE_NOT_OFFERED", str(error)) from None
        self._decisions = (*self._decisions, decision)
        outcome, question = self._staged.play(self._key, record["nonce"], self._decisions)
        asked = None
        if question is not None:
            choose_by = self._now + timedelta(seconds=record["choose_within_s"])
            asked = answers.Asked(step + 1, *question, choose_by)
        build, stake_minor = self._staged.build, int(record["stake_minor"])
        played = PlayedRound(
            build=build,
            outcome=outcome,
            operator_id=self._operator_id,
            session_id=record["session_id"],
            player_id=record["player_id"],
            game_id=record["game_id"],
            spin_id=record["spin_id"],
            round_id=self._round_id,
            spin_type=record["spin_type"],
            mode=record["mode"],
            nonce=record["nonce"],
            stake_minor=stake_minor,
            unit_minor=stake_minor // build.play.cost_units,
            currency=session["currency"],
            exponent=session["exponent"],
            channel=session["channel"],
            telemetry_ref=record["telemetry_ref"],
            created_at=self._now,
        )
        won_minor, balance = played.won_minor, session["balance_minor"]
        paid = won_minor if asked is None else 0
        response = answers.spin_answer(played, None if balance is None else int(balance) + paid, asked)
        names = self._operator_id, self._round_id
        await self._store.add_choice(*names, step, *decision, made_by, response, self._now)
        if asked is not None:
            decisions = ["=".join(made) for made in self._decisions]
            await self._store.ask_next(*names, decisions, asked.choice, asked.options, won_minor, asked.choose_by)
            return response
        following = happenings.feature_events(played)
        event = happenings.spin_finished(played, won_minor, feature=bool(following))
        digest = bytes.fromhex(outcome.digest())
        policy = with_decisions(build, [made for made in self._decisions if made != (GAMBLE, COLLECT)]).policy
        await self._store.finish_round(
            *names,
            policy,
            won_minor,
            outcome.win_units,
            digest,
            self._now,
            MECHANIC_VERSION,
            current_traceparent(),
        )
        told = [(record["telemetry_ref"], "spin_finished", event), *following]
        trace = current_traceparent()
        await self._store.add_events(
            [
                EventRow(event_id, self._operator_id, record["session_id"], event_type, payload, self._now, trace)
                for event_id, event_type, payload in told
            ]
        )
        self._won_minor = won_minor
        return response


def written(text: str) -> Decision:
    """A decision as it is kept: choice=option."""
    choice, _, option = text.partition("=")
    return choice, option
