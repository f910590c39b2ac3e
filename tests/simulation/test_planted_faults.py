"""The simulator finds what it is there for: each fault is planted in the service, and has to be found within some seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from rgs_server import choices, rounds, seamless, settlement, spins
from rgs_server.rounds import State
from rgs_server.store import QUERIES
from simulation.histories import Author
from simulation.simulator import Simulator

from rgs_core import stages

SEEDS = 1000
Plant = Callable[[pytest.MonkeyPatch], None]


def sql(name: str, *changes: tuple[str, str]) -> Plant:
    """A statement with some of its words changed."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        text = QUERIES[name]
        for before, after in changes:
            assert before in text, f"{name} has no {before!r} any more: plant the fault anew"
            text = text.replace(before, after)
        patch.setitem(QUERIES, name, text)

    return plant


def conflicts_ignored(patch: pytest.MonkeyPatch) -> None:
    decode = spins.SpinDesk._decode

    def same_fingerprint(self: Any, *arguments: Any) -> Any:
        return dataclasses.replace(decode(self, *arguments), fingerprint=bytes(32))

    patch.setattr(spins.SpinDesk, "_decode", same_fingerprint)


def void_after_settlement(patch: pytest.MonkeyPatch) -> None:
    def state_of(facts: Any) -> State:
        state = rounds.state_of(facts)
        return State.OPEN if state is State.COMPLETED else state

    patch.setattr(settlement, "state_of", state_of)


def credits_renamed(patch: pytest.MonkeyPatch) -> None:
    body = seamless.step_body

    def renamed(step: Any, player_id: str, game_id: str) -> bytes:
        if step["kind"] == "credit":
            step = {**step, "txn_id": f"{step['txn_id']}:{step['attempts']}"}
        return body(step, player_id, game_id)

    patch.setattr(seamless, "step_body", renamed)


def drawn_without_the_stake(patch: pytest.MonkeyPatch) -> None:
    async def asked(self: Any, wallet: Any, step: Any, *_: str) -> None:
        async with self._stores() as store:
            await store.accept_step(step["operator_id"], step["txn_id"], self._clock())

    patch.setattr(seamless.Cashier, "_ask", asked)


def debits_kept(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        pass

    patch.setattr(seamless, "abandon", nothing)


def sessions_that_play_on(patch: pytest.MonkeyPatch) -> None:
    waiting = "      AND NOT EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.session_id = i.session_id)\n"
    sql("commit_spins", (waiting, ""))(patch)
    sql("load_sessions", ("w.session_id = s.session_id)", "w.session_id = s.session_id AND false)"))(patch)


def last_options(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages.Question, "default", property(lambda question: question.options[-1]))


def choices_from_the_start(patch: pytest.MonkeyPatch) -> None:
    """What a choice is answered is that of a round in which the first option was taken."""
    take = choices.Waiting._take

    async def taken(self: Any, decision: Any, made_by: str) -> bytes:
        first = self._staged.play(self._key, self._record["nonce"], self._decisions).question
        return await take(
            self, (decision[0], first.default if first and decision[1] in first.options else decision[1]), made_by
        )

    patch.setattr(choices.Waiting, "_take", taken)


FAULTS: dict[str, Plant] = {
    "a repeated spin gets other bytes": sql("find_answers", ("k.response", "k.response || ' '::bytea AS response")),
    "another request under the same key is taken for the same": conflicts_ignored,
    "the stake is not taken from the balance": sql("commit_spins", ("balance_minor = g.balance_after", "balance_minor = g.balance_after + g.stake_minor")),
    "a round is voided after its settlement": void_after_settlement,
    "a voided round is played": sql("commit_spins", ("SELECT FROM round_ends e WHERE", "SELECT FROM round_ends e WHERE false AND")),
    "an outcome is thrown away when a session is read again": sql(
        "load_sessions", ("s.next_nonce, s.version", "s.next_nonce + (s.next_nonce > 0)::integer AS next_nonce, s.version")
    ),
    "what a worker remembers of a session is not checked": sql("commit_spins", (" AND i.session_version = s.version", "")),
    "a win is credited again under another name": credits_renamed,
    "a spin is drawn before its stake is taken": drawn_without_the_stake,
    "a debit of which nothing became is kept": debits_kept,
    "a transfer counts twice": sql("transfer_in", ("balance_minor = balance_minor + $4", "balance_minor = balance_minor + 2 * $4")),
    "a pay-out is not written": sql("close_session", ("WHERE paid_minor > 0", "WHERE false")),
    "only wins have an event": sql("commit_spins", ("    FROM good WHERE choice IS NULL\n    UNION", "    FROM good WHERE choice IS NULL AND win_minor > 0\n    UNION")),
    "an event of a session has a number twice": sql("add_events", ("SET event_count = i.seq", "SET event_count = i.seq - 1")),
    "a captured request is answered": sql("commit_spins", (" WHERE n.claim = excluded.claim", "")),
    "a session plays on while a round waits for a choice": sessions_that_play_on,
    "a session is closed while a round waits for a choice": sql("close_session", (" AND NOT EXISTS (SELECT FROM waiting)", "")),
    "the win of a decided round is not paid": sql("finish_round", ("balance_minor = s.balance_minor + $4", "balance_minor = s.balance_minor")),
    "the win of a decided round is not credited": sql("finish_round", ("FROM round WHERE wallet = 'seamless'", "FROM round WHERE false")),
    "a step is decided anew": sql("find_choice", ("AND step = $3", "AND step = $3 AND made_by = 'time'")),
    "time takes the last option": last_options,
    "nobody decides for a player": sql("overdue_choices", ("due_at <= $1", "due_at <= $1::timestamptz - interval '1 day'")),
    "an answer to a choice tells of another one": choices_from_the_start,
    "a spin that has to wait for another round is tried without end": sql("find_answers", ("AND s.one_round)", "AND false)")),
}  # fmt: skip


def skipped_nonces(patch: pytest.MonkeyPatch) -> None:
    """Nonces that are ahead have to be taken, too, or the outcome could not be thrown away at all."""
    sql("commit_spins", ("i.nonce = s.next_nonce + i.place", "i.nonce >= s.next_nonce"))(patch)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    FAULTS[name](monkeypatch)
    if "thrown away" in name:
        skipped_nonces(monkeypatch)
    found = next((f for seed in range(SEEDS) if (f := simulator.play(Author(seed).history())) is not None), None)
    assert found is not None, f"not found in {SEEDS} histories"
    print(f"\n{name}: seed {found.history.seed}: {found.message.splitlines()[0]}")
