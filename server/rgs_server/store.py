"""PostgreSQL: one method for each statement of sql/queries.sql, and the schema.

A `Store` wraps one connection. Nothing else in the service contains SQL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import asyncpg

from rgs_server.addresses import Network
from rgs_server.locks import Lock

ROLL_UP_TIMEOUT_S = 600.0
KEEPALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
"""How the server's kernel asks, over TCP, whether a silent client is still there: gone after some ten seconds, not two hours."""


def released_after(timeout_s: float) -> dict[str, str]:
    """Settings of a connection whose client gives a statement up after a time. A client that cannot say so any more, since its
    machine or the network between is gone, must not keep what it has locked: others wait for that session. A transaction
    between two statements is ended by the server; in the middle of one it is for the kernel to find out."""
    return {
        # Below the client's own limit, so that the server gives up first.
        "lock_timeout": f"{int(800 * timeout_s)}ms",
        "idle_in_transaction_session_timeout": f"{int(1000 * timeout_s)}ms",
        "client_connection_check_interval": "1s",
        **KEEPALIVE,
    }


BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # To plan a statement takes longer than to commit one spin, and after every ANALYZE the server would do so fifty times.
    "plan_cache_mode": "force_generic_plan",
}
"""Settings of a connection whose statements find single rows by their keys. Plans are made while tables are small and kept, and a
plan that reads whole tables would cost more with every row."""


class SchemaMismatch(Exception):
    """The database holds the schema of another version."""


def read_queries(file: str = "queries.sql") -> dict[str, str]:
    """Statements by name."""
    text = resources.files("rgs_server.sql").joinpath(file).read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: sql.strip().rstrip(";") for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


QUERIES = read_queries()


@cache
def without_brackets(sql: str) -> str:
    """A statement without its parts between the lines `-- [` and `-- ]`."""
    return re.sub(r"^-- \[\n.*?^-- \]\n", "", sql, flags=re.MULTILINE | re.DOTALL)


class SpinRow(NamedTuple):
    """All that one spin writes, in the order of the parameters of `commit_spins`."""

    operator_id: str
    session_id: str
    spin_id: str
    round_id: str
    idempotency_key: str
    fingerprint: bytes
    nonce: int
    spin_type: str
    stake_minor: int
    win_minor: int
    win_units: int
    outcome_digest: bytes
    telemetry_ref: str
    response: bytes
    event: bytes
    created_at: datetime
    session_version: int = 0
    mode: str = "base"
    choice: str | None = None  # what the round waits for
    options: str | None = None
    won_minor: int = 0
    choose_by: datetime | None = None
    nonce_digest: bytes | None = None  # of the signature's nonce, where there is one
    traceparent: str | None = None  # the platform's trace that it belongs to
    following: Sequence[tuple[str, str, bytes]] = ()  # events behind `spin_finished`: (event_id, event_type, payload)


NUMBERS = (6, 8, 9, 10, 16, 20)
"""Columns of integers: as one text, since the driver looks at each element of an array for a sequence."""
OPTIONAL = (18, 19, 21, 22, 23)
"""Columns that mostly are empty."""


def joined(numbers: Iterable[int]) -> str:
    """Integers as one text."""
    return ",".join(map(str, numbers))


def running_totals(rows: Sequence[SpinRow]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Of each row among those of its session: its place from 0, how many they are, and what the balance gains and how many
    events there are up to it, itself included."""
    places, gained, told = [], [], []
    sessions: dict[tuple[str, str], tuple[int, int, int]] = {}
    for row in rows:
        session = row[:2]
        place, minor, events = sessions.get(session, (0, 0, 0))
        minor += row.win_minor - row.stake_minor
        events += 1 + len(row.following) if row.choice is None else 0
        places.append(place)
        gained.append(minor)
        told.append(events)
        sessions[session] = place + 1, minor, events
    return places, [sessions[row[:2]][0] for row in rows], gained, told


class Taken(NamedTuple):
    """What a batch came to: (operator_id, spin_id) of the rows that were written, and nonces that were used before."""

    spins: set[tuple[str, str]]
    replayed: set[bytes]


class EventRow(NamedTuple):
    """All that one event writes. `session_id` None: it is of no session, and has no number."""

    event_id: str
    operator_id: str
    session_id: str | None
    event_type: str
    payload: bytes
    created_at: datetime
    traceparent: str | None = None  # the platform's trace that it belongs to


class Store:
    """The statements, on one connection."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection

    async def commit_spins(
        self,
        rows: Sequence[SpinRow],
        mechanic_version: int,
        digests: Sequence[bytes] = (),
        claims: Sequence[int] = (),
        kept_s: float = 0,
        *,
        finished: bool = False,
    ) -> Taken:
        """Writes a batch with nonces of signatures, which are ordered by digest and kept for `kept_s` seconds.

        Rows of a session follow each other by their nonces. `finished`: no round of them goes on after its spin: none
        waits for a choice, for its settlement, or for the platform's wallet.
        """
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        columns[-1] = joined(len(row.following) for row in rows)
        for index in NUMBERS:
            columns[index] = joined(columns[index])
        for index in OPTIONAL:
            if columns[index].count(None) == len(rows):
                columns[index] = ()  # the statement fills it up
        following = [
            (row.operator_id, row.spin_id, place, *event)
            for row in rows
            for place, event in enumerate(row.following, start=1)
        ]
        events: list[Sequence[Any]] = list(zip(*following, strict=True)) if following else [()] * 6
        found = await self.connection.fetch(
            without_brackets(QUERIES["commit_spins"]) if finished else QUERIES["commit_spins"],
            *columns,
            mechanic_version,
            digests,
            claims,
            kept_s,
            *events,
            *map(joined, running_totals(rows)),
        )
        taken = Taken(set(), set())
        for operator_id, spin_id, replayed in found:
            if replayed is None:
                taken.spins.add((operator_id, spin_id))
            else:
                taken.replayed.add(replayed)
        return taken

    async def find_answers(
        self, operators: list[str], keys: list[str], spins: list[str], rounds: list[str], sessions: list[str]
    ) -> list[asyncpg.Record]:
        """One record for each request, in order."""
        return await self.connection.fetch(QUERIES["find_answers"], operators, keys, spins, rounds, sessions)

    async def load_sessions(self, operators: list[str], sessions: list[str]) -> list[asyncpg.Record]:
        """The sessions that exist, in any order."""
        return await self.connection.fetch(QUERIES["load_sessions"], operators, sessions)

    async def open_session(self, *values: Any) -> bool:
        """Writes a session; False when the id exists."""
        return await self.connection.fetchrow(QUERIES["open_session"], *values) is not None

    async def session_answer(self, operator_id: str, session_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["session_answer"], operator_id, session_id)

    async def find_spin(self, operator_id: str, spin_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_spin"], operator_id, spin_id)

    async def list_spins(self, operator_id: str, session_id: str, from_nonce: int, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["list_spins"], operator_id, session_id, from_nonce, most)

    async def find_spin_of_round(self, operator_id: str, round_id: str) -> str | None:
        row = await self.connection.fetchrow(QUERIES["find_spin_of_round"], operator_id, round_id)
        return None if row is None else row["spin_id"]

    async def unknown_builds(self, hashes: list[str]) -> set[str]:
        return {row["build_hash"] for row in await self.connection.fetch(QUERIES["unknown_builds"], hashes)}

    async def add_builds(
        self, builds: Sequence[tuple[str, str, str, str]], mechanic_version: int, first_seen_at: datetime
    ) -> None:
        """Rows of (build_hash, model, profile, source); those that are there stay as they are."""
        columns = [list(column) for column in zip(*builds, strict=True)]
        await self.connection.execute(QUERIES["add_builds"], *columns, mechanic_version, first_seen_at)

    async def find_build(self, build_hash: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_build"], build_hash)

    async def find_session(self, operator_id: str, session_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_session"], operator_id, session_id)

    async def open_rounds_of(self, operator_id: str, player_id: str, game_id: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["open_rounds_of"], operator_id, player_id, game_id)

    async def find_round(self, operator_id: str, round_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_round"], operator_id, round_id)

    async def lock_waiting_round(self, operator_id: str, round_id: str) -> asyncpg.Record | None:
        """The round, locked until the end of the transaction; None where it waits for no choice."""
        return await self.connection.fetchrow(QUERIES["lock_waiting_round"], operator_id, round_id)

    async def waiting_round(self, operator_id: str, round_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["waiting_round"], operator_id, round_id)

    async def overdue_choices(self, now: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["overdue_choices"], now, most)

    async def find_choice(self, operator_id: str, round_id: str, step: int) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_choice"], operator_id, round_id, step)

    async def find_waiting_spin(self, operator_id: str, spin_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_waiting_spin"], operator_id, spin_id)

    async def add_choice(
        self,
        operator_id: str,
        round_id: str,
        step: int,
        choice: str,
        option: str,
        made_by: str,
        response: bytes,
        created_at: datetime,
    ) -> None:
        values = (operator_id, round_id, step, choice, option, made_by, response, created_at)
        await self.connection.execute(QUERIES["add_choice"], *values)

    async def ask_next(
        self,
        operator_id: str,
        round_id: str,
        decisions: Sequence[str],
        choice: str,
        options: Sequence[str],
        won_minor: int,
        due_at: datetime,
    ) -> None:
        values = (operator_id, round_id, list(decisions), choice, list(options), Decimal(won_minor), due_at)
        await self.connection.execute(QUERIES["ask_next"], *values)

    async def finish_round(
        self,
        operator_id: str,
        round_id: str,
        policy: str,
        win_minor: int,
        win_units: int,
        outcome_digest: bytes,
        created_at: datetime,
        mechanic_version: int,
        traceparent: str | None,
    ) -> None:
        """Writes all but the events of the round."""
        values = (
            policy,
            Decimal(win_minor),
            win_units,
            outcome_digest,
            created_at,
            mechanic_version,
            traceparent,
        )
        await self.connection.execute(QUERIES["finish_round"], operator_id, round_id, *values)

    async def settle_round(
        self, operator_id: str, round_id: str, debit_tx: str, credit_tx: str | None, created_at: datetime
    ) -> bool:
        """False when something had ended the round before."""
        values = (operator_id, round_id, debit_tx, credit_tx, created_at)
        return await self.connection.fetchrow(QUERIES["settle_round"], *values) is not None

    async def change_session(self, operator_id: str, session_id: str) -> asyncpg.Record | None:
        """The session, locked until the end of the transaction."""
        return await self.connection.fetchrow(QUERIES["change_session"], operator_id, session_id)

    async def lock_session(self, operator_id: str, session_id: str) -> None:
        """Until the end of the transaction."""
        await self.connection.execute(QUERIES["lock_session"], operator_id, session_id)

    async def void_round(
        self, operator_id: str, round_id: str, session_id: str, reason: str, created_at: datetime
    ) -> None:
        await self.connection.execute(QUERIES["void_round"], operator_id, round_id, session_id, reason, created_at)

    async def count_endings(self, operator_id: str, since: datetime) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["count_endings"], operator_id, since)

    async def transfer_in(
        self, operator_id: str, session_id: str, transfer_id: str, amount_minor: int, created_at: datetime
    ) -> bool:
        """False when it was written before, or the session takes none. Raises asyncpg.UniqueViolationError when the same
        transfer is being written."""
        values = (operator_id, session_id, transfer_id, Decimal(amount_minor), created_at)
        return await self.connection.fetchrow(QUERIES["transfer_in"], *values) is not None

    async def close_session(
        self, operator_id: str, session_id: str, created_at: datetime, reason: str
    ) -> asyncpg.Record | None:
        """The session as it was closed; None when it was closed before."""
        return await self.connection.fetchrow(QUERIES["close_session"], operator_id, session_id, created_at, reason)

    async def find_transaction(self, operator_id: str, txn_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_transaction"], operator_id, txn_id)

    async def moved_with(self, operator_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["moved_with"], operator_id, since, until)

    async def begin_debit(self, *values: Any) -> bool:
        """False when it was begun before, or cannot be."""
        return await self.connection.fetchrow(QUERIES["begin_debit"], *values) is not None

    async def claim_debit(self, operator_id: str, txn_id: str, now: datetime, asked_until: datetime) -> bool:
        """False while another worker asks for it, or when it has ended."""
        return await self.connection.fetchrow(QUERIES["claim_debit"], operator_id, txn_id, now, asked_until) is not None

    async def keep_debit(self, operator_id: str, txn_id: str, asked_until: datetime) -> None:
        await self.connection.execute(QUERIES["keep_debit"], operator_id, txn_id, asked_until)

    async def accept_step(self, operator_id: str, txn_id: str, now: datetime) -> bool:
        """False when it had ended before."""
        return await self.connection.fetchrow(QUERIES["accept_step"], operator_id, txn_id, now) is not None

    async def refuse_debit(self, operator_id: str, txn_id: str, now: datetime, error: str) -> None:
        await self.connection.execute(QUERIES["refuse_debit"], operator_id, txn_id, now, error)

    async def abandon_debit(self, operator_id: str, txn_id: str, now: datetime, error: str) -> bool:
        """False when it had ended before, or its spin was drawn."""
        return await self.connection.fetchrow(QUERIES["abandon_debit"], operator_id, txn_id, now, error) is not None

    async def overdue_debits(self, now: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["overdue_debits"], now, most)

    async def claim_steps(
        self, now: datetime, most: int, lease_until: datetime, busy: list[str]
    ) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["claim_steps"], now, most, lease_until, busy)

    async def postpone_step(self, operator_id: str, txn_id: str, next_try_at: datetime, error: str) -> None:
        await self.connection.execute(QUERIES["postpone_step"], operator_id, txn_id, next_try_at, error)

    async def fail_step(self, operator_id: str, txn_id: str, now: datetime, error: str) -> None:
        await self.connection.execute(QUERIES["fail_step"], operator_id, txn_id, now, error)

    async def find_step(self, operator_id: str, txn_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_step"], operator_id, txn_id)

    async def lock_step(self, operator_id: str, txn_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["lock_step"], operator_id, txn_id)

    async def find_resolution(self, operator_id: str, txn_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_resolution"], operator_id, txn_id)

    async def propose_resolution(
        self, operator_id: str, txn_id: str, resolution: str, reason: str, by: str, person: str, proposed_at: datetime
    ) -> None:
        values = (operator_id, txn_id, resolution, reason, by, person, proposed_at)
        await self.connection.execute(QUERIES["propose_resolution"], *values)

    async def confirm_resolution(
        self, operator_id: str, txn_id: str, by: str, person: str, confirmed_at: datetime
    ) -> None:
        await self.connection.execute(QUERIES["confirm_resolution"], operator_id, txn_id, by, person, confirmed_at)

    async def try_step_again(self, operator_id: str, txn_id: str, next_try_at: datetime) -> None:
        await self.connection.execute(QUERIES["try_step_again"], operator_id, txn_id, next_try_at)

    async def unfinished_steps(self, operator_id: str, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["unfinished_steps"], operator_id, most)

    async def wallet_of(self, operator_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["wallet_of"], operator_id)

    async def set_wallet(self, operator_id: str, url: str, key_id: str) -> bool:
        """False when the operator has no such key that is live."""
        return await self.connection.fetchrow(QUERIES["set_wallet"], operator_id, url, key_id) is not None

    async def overdue_rounds(self, now: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["overdue_rounds"], now, most)

    async def report_rounds(self, now: datetime, operators: list[str], rounds: list[str]) -> None:
        await self.connection.execute(QUERIES["report_rounds"], now, operators, rounds)

    async def add_events(self, events: Sequence[EventRow]) -> set[str]:
        """Writes events but for those that are there; does nothing without any. Returns the ids of those that it wrote."""
        if not events:
            return set()
        async with self.connection.transaction():
            told = {(event.operator_id, event.session_id) for event in events if event.session_id is not None}
            if told:
                operators, sessions = zip(*told, strict=True)
                await self.lock_sessions(list(operators), list(sessions))
            rows = await self.connection.fetch(QUERIES["add_events"], *map(list, zip(*events, strict=True)))
        return {row["event_id"] for row in rows}

    async def event_payloads(self, event_ids: list[str]) -> dict[str, bytes]:
        """What was written under each id."""
        rows = await self.connection.fetch(QUERIES["event_payloads"], event_ids)
        return {row["event_id"]: row["payload"] for row in rows}

    async def reported_spins(self, operator_id: str, spin_ids: list[str]) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["reported_spins"], operator_id, spin_ids)

    async def lock_sessions(self, operators: list[str], sessions: list[str]) -> None:
        """Until the end of the transaction."""
        await self.connection.execute(QUERIES["lock_sessions"], operators, sessions)

    async def idle_sessions(self, now: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["idle_sessions"], now, most)

    async def session_terms(self, operator_id: str, player_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["session_terms"], operator_id, player_id)

    async def set_player_flags(self, operator_id: str, player_id: str, self_excluded: bool, now: datetime) -> int:
        """Returns to how many open sessions that applies."""
        arguments = (operator_id, player_id, self_excluded, now)
        return int(await self.connection.fetchval(QUERIES["set_player_flags"], *arguments))

    async def acknowledge(self, operator_id: str, session_id: str, reminders: int, now: datetime) -> None:
        await self.connection.execute(QUERIES["acknowledge"], operator_id, session_id, reminders, now)

    async def set_rules(
        self,
        operator_id: str,
        wallets: list[str] | None,
        settle_within_s: int | None,
        one_round: bool | None,
        idle_close_s: int | None,
        enforces_markets: bool | None,
        choose_within_s: int | None,
    ) -> bool:
        """None leaves what is there; 0 s: never. False when there is no such operator."""
        arguments = (operator_id, wallets, settle_within_s, one_round, idle_close_s, enforces_markets, choose_within_s)
        return await self.connection.fetchrow(QUERIES["set_rules"], *arguments) is not None

    async def find_key(self, key_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_key"], key_id)

    async def list_games(self, operator_id: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["list_games"], operator_id)

    async def add_operator(self, operator_id: str, reveal_seeds: bool) -> None:
        await self.connection.execute(QUERIES["add_operator"], operator_id, reveal_seeds)

    async def add_key(self, key_id: str, operator_id: str, secret_sealed: bytes, person: str | None) -> bool:
        """False when the key is another operator's, or retired."""
        values = (key_id, operator_id, secret_sealed, person)
        return await self.connection.fetchrow(QUERIES["add_key"], *values) is not None

    async def retire_key(self, key_id: str, operator_id: str) -> bool:
        """False when the operator has no such key that is live."""
        return await self.connection.fetchrow(QUERIES["retire_key"], key_id, operator_id) is not None

    async def set_networks(self, operator_id: str, networks: Sequence[Network]) -> None:
        await self.connection.execute(QUERIES["set_networks"], operator_id, list(networks))

    async def set_certificates(self, operator_id: str, common_names: Sequence[str]) -> None:
        await self.connection.execute(QUERIES["set_certificates"], operator_id, list(common_names))

    async def add_game(self, operator_id: str, game_id: str, build_ref: str, build_hash: str) -> None:
        await self.connection.execute(QUERIES["add_game"], operator_id, game_id, build_ref, build_hash)

    async def find_client(self, client_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_client"], client_id)

    async def add_client(
        self, client_id: str, operator_id: str, secret_digest: bytes, scopes: Sequence[str], person: str | None
    ) -> bool:
        """False when the client is another operator's, or retired."""
        values = (client_id, operator_id, secret_digest, list(scopes), person)
        return await self.connection.fetchrow(QUERIES["add_client"], *values) is not None

    async def retire_client(self, client_id: str, operator_id: str) -> bool:
        """False when the operator has no such client that is live."""
        return await self.connection.fetchrow(QUERIES["retire_client"], client_id, operator_id) is not None

    async def live_token_keys(self) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["live_token_keys"])

    async def add_token_key(self, kid: str, private_sealed: bytes) -> None:
        await self.connection.execute(QUERIES["add_token_key"], kid, private_sealed)

    async def retire_token_key(self, kid: str) -> bool:
        """False when there is no such key that is live."""
        return await self.connection.fetchrow(QUERIES["retire_token_key"], kid) is not None

    async def retire_old_token_keys(self, staying: int) -> list[str]:
        """Ids of the keys that were retired."""
        return [row["kid"] for row in await self.connection.fetch(QUERIES["retire_old_token_keys"], staying)]

    async def find_player_rule(self, operator_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_player_rule"], operator_id)

    async def set_player_rule(
        self, operator_id: str, audience: str, issuer: str | None, jwks_url: str | None, secret_sealed: bytes | None
    ) -> None:
        values = (operator_id, audience, issuer, jwks_url, secret_sealed)
        await self.connection.execute(QUERIES["set_player_rule"], *values)

    async def drop_player_rule(self, operator_id: str) -> None:
        await self.connection.execute(QUERIES["drop_player_rule"], operator_id)

    async def use_player_token(self, operator_id: str, jti: str, session_id: str, expires_at: datetime) -> bool:
        """False when the token was used for another session."""
        values = (operator_id, jti, session_id, expires_at)
        return await self.connection.fetchrow(QUERIES["use_player_token"], *values) is not None

    async def sweep_player_tokens(self) -> None:
        await self.connection.execute(QUERIES["sweep_player_tokens"], Lock.SWEEP)

    async def set_origins(self, operator_id: str, origins: Sequence[str]) -> None:
        await self.connection.execute(QUERIES["set_origins"], operator_id, list(origins))

    async def knows_origin(self, origin: str) -> bool:
        return bool(await self.connection.fetchval(QUERIES["knows_origin"], origin))

    async def set_plain_signatures(self, operator_id: str, taken: bool) -> bool:
        """False when there is no such operator."""
        return await self.connection.fetchrow(QUERIES["set_plain_signatures"], operator_id, taken) is not None

    async def set_statuses(self, operator_id: str, duplicate: int | None, conflict: int | None) -> bool:
        """False when there is no such operator."""
        return await self.connection.fetchrow(QUERIES["set_statuses"], operator_id, duplicate, conflict) is not None

    async def plain_operators(self) -> list[str]:
        return [row["operator_id"] for row in await self.connection.fetch(QUERIES["plain_operators"])]

    async def set_quota(
        self, operator_id: str, rate_per_s: float | None, burst: int | None, in_flight_max: int | None
    ) -> bool:
        """False when there is no such operator."""
        row = await self.connection.fetchrow(QUERIES["set_quota"], operator_id, rate_per_s, burst, in_flight_max)
        return row is not None

    async def take_tokens(self, operator_id: str, rate_per_s: float, most: int, wanted: int) -> tuple[int, float]:
        """Tokens that were taken, and what is left in the bucket."""
        row = await self.connection.fetchrow(QUERIES["take_tokens"], operator_id, rate_per_s, most, wanted)
        assert row is not None
        return int(row["granted"]), row["tokens"]

    async def remember_nonces(self, digests: list[bytes], claims: list[int], seconds: float) -> set[bytes]:
        """The digests that are new, or were written under the same claim."""
        rows = await self.connection.fetch(QUERIES["remember_nonces"], digests, claims, seconds)
        return {row["digest"] for row in rows}

    async def sweep_nonces(self) -> None:
        await self.connection.execute(QUERIES["sweep_nonces"], Lock.SWEEP)

    async def report_days(self, since: datetime, until: datetime, operator_id: str | None) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["report_days"], since, until, operator_id)

    async def next_hour(self) -> datetime | None:
        """None before the first session."""
        hour: datetime | None = await self.connection.fetchval(QUERIES["next_hour"])
        return hour

    async def roll_up_hour(self, hour: datetime) -> bool:
        """False when another worker does it."""
        statement = QUERIES["roll_up_hour"]
        return await self.connection.fetchrow(statement, hour, Lock.ROLL_UP, timeout=ROLL_UP_TIMEOUT_S) is not None

    async def add_minute(self, *values: Any) -> None:
        """In the order of the parameters of the statement."""
        await self.connection.execute(QUERIES["add_minute"], *values)

    async def traffic(self, since: datetime, length: timedelta) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["traffic"], since, length)

    async def traffic_errors(self, since: datetime) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["traffic_errors"], since)

    async def take_monitoring(self) -> bool:
        """Whether this connection monitors from now on until it ends; False while another one does."""
        return bool(await self.connection.fetchval(QUERIES["take_monitoring"], Lock.MONITOR))

    async def next_slice(self, length: timedelta) -> datetime | None:
        """None before the first session."""
        begin: datetime | None = await self.connection.fetchval(QUERIES["next_slice"], length)
        return begin

    async def last_slice(self) -> datetime | None:
        """The last one that is counted."""
        begin: datetime | None = await self.connection.fetchval(QUERIES["last_slice"])
        return begin

    async def count_slice(self, begin: datetime, length: timedelta) -> tuple[set[date], list[asyncpg.Record]]:
        """Returns the days whose counts have changed, and the rounds that are counted as retried or recovered."""
        rows = await self.connection.fetch(QUERIES["count_slice"], begin, length)
        return {row["day"] for row in rows if row["status"] is None}, [row for row in rows if row["status"] is not None]

    async def math_counts(self, first: date) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["math_counts"], first)

    async def add_verdict(self, *values: Any) -> None:
        """In the order of the columns of the statement."""
        await self.connection.execute(QUERIES["add_verdict"], *values)

    async def last_judged_day(self) -> date | None:
        day: date | None = await self.connection.fetchval(QUERIES["last_judged_day"])
        return day

    async def last_verdicts(self, operator_id: str | None) -> list[asyncpg.Record]:
        """The last verdict of each cell, of one operator or of all."""
        return await self.connection.fetch(QUERIES["last_verdicts"], operator_id)

    async def keep_unjudged(self, reasons: Mapping[tuple[str, str], str], since: datetime) -> None:
        """`reasons` by build and mode; there are no others from then on."""
        rows = [(*key, reason) for key, reason in reasons.items()]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        await self.connection.execute(QUERIES["keep_unjudged"], *columns, since)

    async def unjudged_builds(self) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["unjudged_builds"])

    async def widest_verdicts(self, first: date) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["widest_verdicts"], first)

    async def largest_wins(self, *values: Any) -> list[asyncpg.Record]:
        """In the order of the statement's arguments; the largest first."""
        return await self.connection.fetch(QUERIES["largest_wins"], *values)

    async def observed_math(self) -> list[asyncpg.Record]:
        """The last verdict of each cell, for metrics."""
        return await self.connection.fetch(QUERIES["observed_math"])

    async def add_agreement(
        self, operator_id: str, agreement_id: str, valid_from: date, terms: str, created_at: datetime
    ) -> None:
        """Raises asyncpg.UniqueViolationError when the id is taken, or the month has another one."""
        values = (operator_id, agreement_id, valid_from, terms, created_at)
        await self.connection.execute(QUERIES["add_agreement"], *values)

    async def agreement_of(self, operator_id: str, month: date) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["agreement_of"], operator_id, month)

    async def agreements(self, operator_id: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["agreements"], operator_id)

    async def carried_into(self, operator_id: str, month: date) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["carried_into"], operator_id, month)

    async def closed_months(self, operator_id: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["closed_months"], operator_id)

    async def close_month(self, operator_id: str, month: date, closed_at: datetime) -> None:
        await self.connection.execute(QUERIES["close_month"], operator_id, month, closed_at)

    async def add_closing_totals(
        self, operator_id: str, month: date, totals: Sequence[tuple[str, str | None, int, int]]
    ) -> None:
        """Rows of (currency, agreement_id, fee_minor, carried_minor)."""
        columns = [list(column) for column in zip(*totals, strict=True)] or [[], [], [], []]
        currencies, agreements, *amounts = columns
        exact = [[Decimal(amount) for amount in column] for column in amounts]
        await self.connection.execute(QUERIES["add_closing_totals"], operator_id, month, currencies, agreements, *exact)

    async def add_closing_lines(self, lines: Sequence[tuple[Any, ...]]) -> None:
        """Rows of all columns, in the order of the statement."""
        columns = [list(column) for column in zip(*lines, strict=True)]
        if columns:
            exact = [[Decimal(amount) for amount in column] for column in columns[9:]]
            await self.connection.execute(QUERIES["add_closing_lines"], *columns[:9], *exact)

    async def last_invoice(self, operator_id: str, month: date, currency: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["last_invoice"], operator_id, month, currency)

    async def add_invoice(self, *values: Any) -> None:
        """In the order of the columns of the statement."""
        await self.connection.execute(QUERIES["add_invoice"], *values)

    async def closing_lines(self, operator_id: str, month: date) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["closing_lines"], operator_id, month)

    async def lines_about(self, operator_id: str, about: date) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["lines_about"], operator_id, about)

    async def find_person(self, name: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_person"], name)

    async def add_person(self, name: str, salt: bytes, password_digest: bytes, created_at: datetime) -> bool:
        """False when the person is retired."""
        return (
            await self.connection.fetchrow(QUERIES["add_person"], name, salt, password_digest, created_at) is not None
        )

    async def retire_person(self, name: str) -> bool:
        """False when there is no such person any more."""
        return await self.connection.fetchrow(QUERIES["retire_person"], name) is not None

    async def shown_by_id(self, any_id: str, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["shown_by_id"], any_id, most)

    async def shown_of_session(self, session_id: str, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["shown_of_session"], session_id, most)

    async def shown_of_player(self, player_id: str, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["shown_of_player"], player_id, most)

    async def shown_by_time(self, since: datetime, until: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["shown_by_time"], since, until, most)

    async def timeline(self, operator_id: str, round_id: str, spin_id: str) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["timeline"], operator_id, round_id, spin_id)

    async def unfinished_everywhere(self, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["unfinished_everywhere"], most)

    async def waiting_everywhere(self, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["waiting_everywhere"], most)

    async def events_everywhere(self) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["events_everywhere"])

    async def ready(self) -> None:
        """Raises when the database does not answer."""
        await self.connection.fetchval(QUERIES["ready"])

    # -- events ---------------------------------------------------------------------------------

    async def list_events(self, operator_id: str, session_id: str, after_seq: int, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["list_events"], operator_id, session_id, after_seq, most)

    async def forget_events(self, before: datetime, most: int) -> int:
        """Returns how many."""
        return int(await self.connection.fetchval(QUERIES["forget_events"], before, most))

    async def take_lanes(
        self, sink: str, now: datetime, lease_until: datetime, held: list[str]
    ) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["take_lanes"], sink, now, lease_until, held)

    async def receiver_of(self, operator_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["receiver_of"], operator_id)

    async def due_events(self, sink: str, operator_id: str, now: datetime, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["due_events"], sink, operator_id, now, most)

    async def keep_lane(self, sink: str, operator_id: str, lease_until: datetime) -> None:
        await self.connection.execute(QUERIES["keep_lane"], sink, operator_id, lease_until)

    async def leave_lane(self, sink: str, operator_id: str, resumes_at: datetime, failures: int) -> None:
        await self.connection.execute(QUERIES["leave_lane"], sink, operator_id, resumes_at, failures)

    async def events_delivered(self, sink: str, operator_id: str, events: list[int]) -> None:
        """Does nothing without any."""
        if not events:
            return
        await self.connection.execute(QUERIES["events_delivered"], sink, operator_id, events)

    async def postpone_events(self, sink: str, operator_id: str, events: Sequence[tuple[int, datetime, str]]) -> None:
        """Of each event: event_seq, next_try_at, last_error. Does nothing without any."""
        if not events:
            return
        columns = [list(column) for column in zip(*events, strict=True)]
        await self.connection.execute(QUERIES["postpone_events"], sink, operator_id, *columns)

    async def bury_event(self, sink: str, operator_id: str, event_seq: int, died_at: datetime, last_error: str) -> None:
        await self.connection.execute(QUERIES["bury_event"], sink, operator_id, event_seq, died_at, last_error)

    async def raise_events(self, operator_id: str, now: datetime) -> int:
        return int(await self.connection.fetchval(QUERIES["raise_events"], operator_id, now))

    async def open_bus(self) -> None:
        await self.connection.execute(QUERIES["open_bus"])

    async def close_bus(self) -> int:
        """Returns how many events the bus had not taken."""
        return int(await self.connection.fetchval(QUERIES["close_bus"]))

    async def open_sinks(self) -> list[str]:
        return [row["sink"] for row in await self.connection.fetch(QUERIES["open_sinks"])]

    async def event_lag(self, most: int) -> list[asyncpg.Record]:
        """(operator_id, sink, events, oldest_at, dead) of each lane; counts stop at `most`."""
        return await self.connection.fetch(QUERIES["event_lag"], most)

    async def disable_webhook(self, operator_id: str, disabled_at: datetime) -> None:
        await self.connection.execute(QUERIES["disable_webhook"], operator_id, disabled_at)

    async def set_webhook(self, operator_id: str, url: str, secret_sealed: bytes) -> None:
        await self.connection.execute(QUERIES["set_webhook"], operator_id, url, secret_sealed)

    async def remove_webhook(self, operator_id: str) -> None:
        await self.connection.execute(QUERIES["remove_webhook"], operator_id)

    async def event_counts(self, operator_id: str) -> asyncpg.Record:
        record = await self.connection.fetchrow(QUERIES["event_counts"], operator_id)
        assert record is not None
        return record

    # -- what operations watches ----------------------------------------------------------------

    async def database_time(self) -> datetime:
        """What the database's clock says now."""
        now: datetime = await self.connection.fetchval(QUERIES["database_time"])
        return now

    async def service_state(self, wallets_before: datetime, events_before: datetime, most: int) -> asyncpg.Record:
        """How many operators have wallets and receivers, and of how many they are late."""
        record = await self.connection.fetchrow(QUERIES["service_state"], wallets_before, events_before, most)
        assert record is not None
        return record

    async def observed_state(self, most: int, rolled_after: timedelta) -> list[asyncpg.Record]:
        """(metric, label, value) of what waits in the database; counts stop at `most`. `rolled_after`: from the end of an hour
        until it is to be summed up."""
        return await self.connection.fetch(QUERIES["observed_state"], most, rolled_after)

    # -- seals ----------------------------------------------------------------------------------

    async def seals_of_other_keys(self, prefix: bytes, most: int) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["seals_of_other_keys"], prefix, most)

    async def reseal(self, rows: Sequence[tuple[str, str, str, bytes, bytes]]) -> None:
        """Rows are (place, operator_id, name, sealed before, sealed now)."""
        await self.connection.execute(QUERIES["reseal"], *map(list, zip(*rows, strict=True)))


Stores = Callable[[], AbstractAsyncContextManager[Store]]
"""How a store is got for a moment. Entering it raises Problem where the database does not answer."""


RECORDS = (
    "spins", "ledger", "round_ends", "idempotency", "builds",
    "audit_facts", "audit_leaves", "audit_nodes", "audit_checkpoints",
)  # fmt: skip
"""Tables in which rows stay as they were written."""


async def create_schema(url: str, worker_url: str | None = None) -> None:
    """Creates the schema in an empty database; does nothing when it is there already. With `worker_url` its role is granted
    what workers do, as far as it is another one.

    Raises SchemaMismatch when the database was made by another version.
    """
    files = resources.files("rgs_server.sql")
    schema = "".join(files.joinpath(name).read_text("utf-8") for name in ("schema.sql", "audit.sql"))
    digest = hashlib.sha256(schema.encode()).hexdigest()
    worker = None if worker_url is None else await _role_of(worker_url)
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", Lock.SCHEMA)
            if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
                await connection.execute("CREATE TABLE schema_version (digest text NOT NULL)")
                await connection.execute(schema)
                await connection.execute("INSERT INTO schema_version (digest) VALUES ($1)", digest)
            found = await connection.fetchval("SELECT digest FROM schema_version")
            if found != digest:
                raise SchemaMismatch(
                    f"the database has schema {found[:12]}, this version needs {digest[:12]}; "
                    "use an empty database (for the embedded one: another RGS_DATA_DIR)"
                )
            if worker is not None and worker != await connection.fetchval("SELECT current_user"):
                grants = resources.files("rgs_server.sql").joinpath("grants.sql").read_text("utf-8")
                await connection.execute("SELECT set_config('rgs.worker', $1, true)", worker)
                await connection.execute(grants)
    finally:
        await connection.close()


async def _role_of(url: str) -> str:
    """The role that a connection has."""
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


async def changeable_records(url: str) -> list[str]:
    """Tables of records whose rows the role of a connection could change or delete."""
    connection = await asyncpg.connect(url)
    try:
        asked = "SELECT has_table_privilege($1, 'UPDATE') OR has_table_privilege($1, 'DELETE')"
        return [table for table in RECORDS if await connection.fetchval(asked, table)]
    finally:
        await connection.close()
