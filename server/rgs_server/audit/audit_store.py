"""One method for each statement of sql/audit_queries.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from rgs_core.audit.merkle import Node, Span
from rgs_server.locks import Lock
from rgs_server.store import read_queries

QUERIES = read_queries("audit_queries.sql")
HASH_SIZE = 32


def split(hashes: bytes) -> list[bytes]:
    """Hashes that are kept one behind the other."""
    return [hashes[n : n + HASH_SIZE] for n in range(0, len(hashes), HASH_SIZE)]


class AuditStore:
    """The statements, on one connection."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection

    async def take_turn(self) -> bool:
        """Whether the transaction that runs on the connection is the one that sequences."""
        return bool(await self.connection.fetchval(QUERIES["take_turn"], Lock.SEQUENCE))

    async def last_leaf(self) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["last_leaf"])

    async def sequence_facts(
        self, position: int, sequenced_at: datetime, written_in: str, fact_id: int, most: int, *, no_longer_run: bool
    ) -> list[bytes]:
        """Hashes of the new leaves, in the order of their positions."""
        arguments = (position, sequenced_at, written_in, fact_id, most, no_longer_run)
        rows = await self.connection.fetch(QUERIES["sequence_facts"], *arguments)
        return [one for row in sorted(rows, key=lambda row: int(row["position"])) for one in split(row["leaf_hashes"])]

    async def waiting_since(self) -> datetime | None:
        """When the oldest fact that has no position yet was written."""
        since: datetime | None = await self.connection.fetchval(QUERIES["waiting_since"])
        return since

    async def add_nodes(self, nodes: Sequence[tuple[Node, bytes]]) -> None:
        levels = [node.level for node, _ in nodes]
        numbers = [node.number for node, _ in nodes]
        await self.connection.execute(QUERIES["add_nodes"], levels, numbers, [value for _, value in nodes])

    async def find_nodes(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        """Those that are stored."""
        levels, numbers = [node.level for node in nodes], [node.number for node in nodes]
        rows = await self.connection.fetch(QUERIES["find_nodes"], levels, numbers)
        return {Node(row["level"], row["number"]): row["hash"] for row in rows}

    async def leaf_hashes(self, spans: Sequence[Span]) -> dict[int, bytes]:
        """By position; also of leaves that share a row with them."""
        firsts, ends = [span.first for span in spans], [span.end for span in spans]
        rows = await self.connection.fetch(QUERIES["leaf_hashes"], firsts, ends)
        return {row["position"] + n: value for row in rows for n, value in enumerate(split(row["leaf_hashes"]))}

    async def find_spin_leaf(self, operator_id: str, spin_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_spin_leaf"], operator_id, spin_id)

    async def find_ledger_leaf(self, operator_id: str, txn_id: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["find_ledger_leaf"], operator_id, txn_id)

    async def read_leaves(self, span: Span) -> list[asyncpg.Record]:
        """`leaf` and `kind` are None where the fact was erased; `leaf` alone where the row that it tells is gone."""
        return await self.connection.fetch(QUERIES["read_leaves"], span.first, span.end)

    async def position_at(self, time: datetime) -> int | None:
        position = await self.connection.fetchval(QUERIES["position_at"], time)
        return None if position is None else int(position)

    async def last_checkpoint(self) -> asyncpg.Record | None:
        return await self.connection.fetchrow(QUERIES["last_checkpoint"])

    async def add_checkpoint(self, tree_size: int, made_at: datetime, root: bytes, note: str) -> None:
        await self.connection.execute(QUERIES["add_checkpoint"], tree_size, made_at, root, note)

    async def list_keys(self) -> list[asyncpg.Record]:
        """The newest first, which signs."""
        return await self.connection.fetch(QUERIES["list_keys"])

    async def add_key(self, name: str, public_key: bytes, private_sealed: bytes) -> None:
        await self.connection.execute(QUERIES["add_key"], name, public_key, private_sealed)

    async def add_fact(self, kind: str, subject: str, fact: str, operator_id: str = "") -> None:
        """`fact` is a JSON object. Without operator_id it is of the service itself."""
        await self.connection.execute(QUERIES["add_fact"], kind, operator_id, subject, fact)

    async def wait_for_registry(self) -> None:
        """Until the transaction that runs on the connection is over, no other tells of a registry."""
        await self.connection.execute(QUERIES["wait_for_registry"], Lock.REGISTRY)

    async def tell_registry(self, digest: str, fact: str) -> None:
        await self.connection.execute(QUERIES["tell_registry"], digest, fact)

    async def set_retention(self, keep_days: int) -> None:
        await self.connection.execute(QUERIES["set_retention"], keep_days)

    async def keep_forever(self) -> None:
        await self.connection.execute(QUERIES["keep_forever"])

    async def place_hold(self, hold_id: str, operator_id: str, since: datetime, until: datetime, reason: str) -> bool:
        """False when there is a hold of that id."""
        values = (hold_id, operator_id, since, until, reason)
        return await self.connection.fetchrow(QUERIES["place_hold"], *values) is not None

    async def release_hold(self, hold_id: str) -> bool:
        """False when there is no such hold that holds."""
        return await self.connection.fetchrow(QUERIES["release_hold"], hold_id) is not None

    async def list_holds(self) -> list[asyncpg.Record]:
        return await self.connection.fetch(QUERIES["list_holds"])

    async def erase_expired(self, most: int) -> int:
        return int(await self.connection.fetchval(QUERIES["erase_expired"], most))
