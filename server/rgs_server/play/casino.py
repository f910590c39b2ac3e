"""A platform with play money: what a real one does with the API, for one player in a browser.

It uses the same use cases as the endpoints do, for the operator of the sandbox. Whoever knows the id of a session plays it;
ids are random.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

import asyncpg

from rgs_core.errors import AuditError
from rgs_core.language.model import Build
from rgs_core.language.policies import with_policy
from rgs_core.seeds import derive_key
from rgs_server import balances
from rgs_server.audit.exporting import ExportRefused, NotLogged
from rgs_server.audit.session_records import session_records
from rgs_server.catalogue import Playable
from rgs_server.choices import choose
from rgs_server.clock import time_text
from rgs_server.contract.money import exponent_of
from rgs_server.contract.problems import Problem
from rgs_server.play.scenes import Scene, scenes
from rgs_server.service import Service
from rgs_server.sessions import open_session, seed_context

OPERATOR = "op-sandbox"
CURRENCY = "EUR"
MONEY_MINOR = 1000_00
STAKES = (1, 2, 5, 10, 20, 50, 100)
"""Stakes that are offered, as multiples of ten cents or of the game's step."""
HISTORY_MAX = 50
FILE_ROUNDS_MAX = 2000
"""Rounds of a session that a page gets as a file: some seconds of the reference."""
PREFIX = "play-"


class Casino:
    """The player's side of the sandbox."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def games(self) -> list[dict[str, Any]]:
        """What can be played, each game in its first build."""
        async with self._service.store() as store:
            offered = await store.list_games(OPERATOR)
        found: dict[str, dict[str, Any]] = {}
        for row in offered:
            playable = self._service.rules.catalogue.get(row["build_hash"])
            if playable is not None and row["game_id"] == playable.build.model.id:
                better = found.get(row["game_id"])
                rtp = float(playable.certificate.declared["rtp"])
                if better is None or rtp > better["rtp"]:
                    found[row["game_id"]] = self._game(playable, rtp)
        return sorted(found.values(), key=lambda game: str(game["title"]))

    @staticmethod
    def _game(playable: Playable, rtp: float) -> dict[str, Any]:
        build, model = playable.build, playable.build.model
        return {
            "game_id": model.id,
            "build_hash": build.build_hash,
            "title": model.title,
            "description": model.description,
            "rtp": rtp,
            "symbols": list(model.symbols),
            "reels": model.reels,
            "rows": model.rows,
            "modes": [{"mode": p.build.mode, "stakes": stakes(p)} for p in playable.modes],
            "window": [list(strip.window(0, model.rows)) for strip in build.strips(model.states[build.play.start])],
        }

    async def open(self, game_id: str, build_hash: str, client_seed: str) -> dict[str, Any]:
        """A new session with play money. Raises Problem."""
        session_id = PREFIX + secrets.token_urlsafe(24)
        body = {
            "session_id": session_id, "operator_id": OPERATOR, "player_id": "p-browser-" + session_id[-8:], "game_id": game_id,
            "build_hash": build_hash, "geo": "DE", "currency": CURRENCY, "wallet": "transfer", "client_seed": client_seed,
        }  # fmt: skip
        service = self._service
        money = {"transfer_id": session_id, "amount": {"amount": f"{MONEY_MINOR / 100:.2f}", "currency": CURRENCY}}
        async with service.store() as store:
            await open_session(store, service.sealer, service.rules, OPERATOR, encoded(body), service.clock())
            await balances.transfer_in(store, OPERATOR, session_id, encoded(money), service.clock())
        return await self.state(session_id)

    async def state(self, session_id: str) -> dict[str, Any]:
        """A session as the page shows it, with what its player sees now. Raises Problem."""
        async with self._service.store() as store:
            session = await balances.read_session(store, OPERATOR, ours(session_id))
            rounds = await store.open_rounds_of(OPERATOR, session["player_id"], session["game_id"])
        waiting = next((row for row in rounds if row["choice"] is not None), None)
        return {
            "session_id": session_id,
            "game_id": session["game_id"],
            "build_hash": session["build_hash"],
            "commitment": session["seed_commitment"].hex(),
            "client_seed": session["client_seed"],
            "balance_minor": int(session["balance_minor"]),
            "rounds": session["next_nonce"],
            "closed": session["closed_at"] is not None,
            "round": None if waiting is None else await self._seen(session, waiting),
        }

    async def spin(self, session_id: str, spin_id: str, stake_minor: int, mode: str) -> dict[str, Any]:
        """Plays a round. The same `spin_id` is the same round. Raises Problem."""
        body = {
            "spin_id": named(spin_id), "round_id": spin_id, "session_id": ours(session_id), "idempotency_key": spin_id,
            "mode": mode, "stake": {"amount": f"{stake_minor // 100}.{stake_minor % 100:02d}", "currency": CURRENCY},
        }  # fmt: skip
        answer = await self._service.desk.play(OPERATOR, encoded(body), None)
        return await self._round(session_id, json.loads(answer.body))

    async def choose(self, session_id: str, round_id: str, body: bytes) -> dict[str, Any]:
        """Decides what a round asks. Raises Problem."""
        service = self._service
        async with service.store() as store:
            record = await store.find_round(OPERATOR, named(round_id))
            if record is None or record["session_id"] != ours(session_id):
                raise Problem("ROUND_UNKNOWN", f"no round '{round_id}' in this session")
            answer, _ = await choose(
                store, service.builds, OPERATOR, named(round_id), body, service.clock(), service.metrics
            )
        return await self._round(session_id, json.loads(answer))

    async def history(self, session_id: str) -> list[dict[str, Any]]:
        """The last rounds, the newest first. Raises Problem."""
        async with self._service.store() as store:
            session = await balances.read_session(store, OPERATOR, ours(session_id))
            first = max(0, session["next_nonce"] - HISTORY_MAX)
            rows = await store.list_spins(OPERATOR, session_id, first, HISTORY_MAX)
        return [
            {
                "spin_id": row["spin_id"],
                "nonce": row["nonce"],
                "mode": row["mode"],
                "stake_minor": int(row["stake_minor"]),
                "win_minor": int(row["win_minor"]),
                "played_at": time_text(row["created_at"]),
            }
            for row in reversed(rows)
        ]

    async def watch(self, session_id: str, spin_id: str) -> dict[str, Any]:
        """A finished round again, recomputed from its seed. Raises Problem."""
        async with self._service.store() as store:
            record = await store.find_spin(OPERATOR, named(spin_id))
        if record is None or record["session_id"] != session_id:
            raise Problem("SPIN_UNKNOWN", f"no spin '{spin_id}' in this session")
        playable = self._playable(record)
        key = self._key(record)
        outcome = playable.play(key, record["nonce"], record["policy"])
        return {
            "spin_id": spin_id,
            "match": outcome.digest() == record["outcome_digest"].hex(),
            "digest": outcome.digest(),
            "nonce": record["nonce"],
            "scenes": self._scenes(playable, outcome, int(record["stake_minor"])),
        }

    async def close(self, session_id: str) -> dict[str, Any]:
        """Ends a session; its seed is public from then on. Raises Problem."""
        service = self._service
        async with service.store() as store:
            body, _ = await balances.close_session(store, service.sealer, OPERATOR, ours(session_id), service.clock())
        closed: dict[str, Any] = json.loads(body)
        return closed

    async def session_file(self, session_id: str) -> bytes:
        """A finished session for the page that verifies it, drawn again by the reference. Raises Problem."""
        service = self._service
        try:
            async with service.store() as store:
                session = await balances.read_session(store, OPERATOR, ours(session_id))
                if session["next_nonce"] > FILE_ROUNDS_MAX:
                    raise ExportRefused(
                        f"a session of more than {FILE_ROUNDS_MAX:,} rounds is too large for a page; write its file with "
                        f"'rgs-server audit session {OPERATOR} {session_id}'"
                    )
                records = await session_records(store, service.sealer, OPERATOR, session_id, wait_s=0)
        except NotLogged as error:
            raise Problem("AUDIT_PENDING", str(error), retry_after_ms=1000) from None
        except ExportRefused as error:
            raise Problem("VALIDATION_FAILED", str(error)) from None
        return await asyncio.to_thread(self._document, records)

    def _document(self, records: bytes) -> bytes:
        # Only here, as no other part of the service needs the reference.
        from rgs_core.audit.sessions import session_document

        found = json.loads(records)
        try:
            document = session_document(found["records"], found["rounds_played"], found["log"], self._build)
        except AuditError as error:
            raise Problem("VALIDATION_FAILED", str(error)) from None
        return json.dumps(document, ensure_ascii=False).encode()

    def _build(self, record: Mapping[str, Any]) -> Build:
        build = self._playable(record).build
        return with_policy(build, record["policy"]) if record.get("policy") else build

    async def _round(self, session_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer with what the player sees of its round."""
        async with self._service.store() as store:
            session = await balances.read_session(store, OPERATOR, session_id)
            spin = await store.find_spin(OPERATOR, answer["spin_id"])
            rounds = await store.open_rounds_of(OPERATOR, session["player_id"], session["game_id"])
        balance = {"balance_minor": int(session["balance_minor"]), "rounds": session["next_nonce"]}
        if spin is None:
            waiting = next(row for row in rounds if row["spin_id"] == answer["spin_id"])
            return {**balance, **await self._seen(session, waiting)}
        if spin["session_id"] != session_id:
            raise Problem("SPIN_UNKNOWN", "the round is none of this session")
        playable = self._playable(spin)
        outcome = playable.play(self._key(spin), spin["nonce"], spin["policy"])
        stake_minor = int(spin["stake_minor"])
        return {
            **balance,
            "spin_id": spin["spin_id"],
            "nonce": spin["nonce"],
            "win_minor": int(spin["win_minor"]),
            "awaiting": None,
            "scenes": self._scenes(playable, outcome, stake_minor),
        }

    async def _seen(self, session: asyncpg.Record, waiting: asyncpg.Record) -> dict[str, Any]:
        """A round that waits, as far as it has come."""
        async with self._service.store() as store:
            record = await store.waiting_round(OPERATOR, waiting["round_id"])
        if record is None:
            raise Problem("ROUND_ALREADY_CLOSED", "the round has just ended; read the session again")
        playable = self._playable({**session, "mode": record["mode"]})
        assert playable.staged is not None
        decisions = tuple((name, option) for name, _, option in (text.partition("=") for text in record["decisions"]))
        stage = playable.staged.play(self._key(session), record["nonce"], decisions)
        return {
            "spin_id": record["spin_id"],
            "nonce": record["nonce"],
            "win_minor": 0,
            "awaiting": {
                "round_id": record["round_id"],
                "step": len(decisions) + 1,
                "choice": record["choice"],
                "options": list(record["options"]),
                "won_minor": int(record["won_minor"]),
            },
            "scenes": self._scenes(playable, stage.outcome, int(record["stake_minor"])),
        }

    def _playable(self, record: Any) -> Playable:
        playable = self._service.rules.catalogue.get(record["build_hash"])
        found = None if playable is None else playable.in_mode(record["mode"])
        if found is None:
            raise Problem("BUILD_UNAVAILABLE", "the build of this session is not loaded any more; open a new one")
        return found

    def _key(self, record: asyncpg.Record) -> bytes:
        seed = self._service.sealer.open(record["seed_sealed"], seed_context(OPERATOR, record["session_id"]))
        return derive_key(seed, record["client_seed"])

    @staticmethod
    def _scenes(playable: Playable, outcome: Any, stake_minor: int) -> list[Scene]:
        return scenes(playable.build, outcome, stake_minor // playable.build.play.cost_units)


def stakes(playable: Playable) -> list[int]:
    """Stakes in minor units that a mode takes: round amounts where they are multiples of its cost."""
    cost = playable.build.play.cost_units
    step = cost * max(1, -(-10 // cost))  # from ten cents on
    assert exponent_of(CURRENCY) == 2
    return [step * times for times in STAKES]


def named(text: str) -> str:
    """An id that may be asked for. Raises Problem."""
    if not 1 <= len(text) <= 255 or not text.isprintable():
        raise Problem("VALIDATION_FAILED", "ids have 1 to 255 printable characters")
    return text


def ours(session_id: str) -> str:
    """A session that a page has opened. Raises Problem: those of platforms are not for browsers."""
    if not session_id.startswith(PREFIX):
        raise Problem("SESSION_UNKNOWN", "no such session of a page")
    return named(session_id)


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
