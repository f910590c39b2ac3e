"""Facts become leaves, leaves a tree, its roots signed checkpoints.

Every worker tries each second, one at a time does it. Positions, nodes and checkpoints are written in one transaction, so a
crash leaves nothing half done, and whoever comes next goes on from what is stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta

import asyncpg

from rgs_core.audit.merkle import Frontier
from rgs_core.audit.notes import Checkpoint
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import LogKeyMissing, log_key
from rgs_server.audit.tree import STORED_LEVEL, LogBroken, frontier_at, root_at
from rgs_server.audit.write_once import AlreadyWritten, WriteOnce
from rgs_server.background import Background
from rgs_server.clock import Clock, time_text
from rgs_server.contract.problems import Problem
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.store import Stores

log = logging.getLogger("rgs.audit")

EVERY_S = 1.0
"""From one look for facts to the next, while there are none."""
SOON_S = 0.05
"""After some were found: a little at a time, so that spins never wait for much."""
BATCH = 128
"""Facts in one transaction, and the rest of a row of many: a few milliseconds."""
IDLE_CHECKPOINT_S = 60
"""A log that does not grow is signed so often, which shows that nothing has happened."""

HELD_BACK_S = 30
"""Facts that wait longer are held back by a transaction that somebody has left open."""


class Sequencer:
    """A task of each worker. `place`: where checkpoints are published beside the database; None: nowhere."""

    def __init__(
        self,
        stores: Stores,
        sealer: Sealer,
        clock: Clock,
        checkpoint_s: int,
        place: WriteOnce | None,
    ) -> None:
        self._stores = stores
        self._sealer = sealer
        self._clock = clock
        self._checkpoint_s = checkpoint_s
        self._place = place
        self._frontier: Frontier | None = None
        self._background = Background("audit sequencer")

    def start(self) -> None:
        self._background.begin(self._run())

    async def stop(self) -> None:
        await self._background.end()

    async def _run(self) -> None:
        pause_s = EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S
            begun = time.monotonic()
            try:
                found = await self.step()
                if found:
                    # Of a log that is behind, every other moment.
                    pause_s = time.monotonic() - begun if found >= BATCH else SOON_S
            except Problem as problem:
                log.warning("nothing was sequenced: %s", problem.detail)
            except (LogBroken, LogKeyMissing, SealBroken) as error:
                log.error("the audit log stands still: %s", error)
            except Exception:
                log.exception("sequencing failed")

    async def step(self) -> int:
        """Takes a batch of facts and signs a checkpoint when one is due; how many there were. Raises Problem, LogBroken,
        LogKeyMissing, SealBroken."""
        async with self._stores() as opened:
            store = AuditStore(opened.connection)
            # What a failed transaction has not written must not be remembered.
            frontier, self._frontier = self._frontier, None
            async with opened.connection.transaction():
                if not await store.take_turn():
                    return 0
                last, signed = await store.last_leaf(), await store.last_checkpoint()
                size = 0 if last is None else last["position"] + 1
                if frontier is None or frontier.size != size:
                    frontier = await self._read(store, size, signed)
                # Never before what is there: a range that a checkpoint closes stays closed when clocks go back.
                times = [*([last["sequenced_at"]] if last else []), *([signed["made_at"]] if signed else [])]
                now = max([self._clock(), *times])
                try:
                    leaves = await self._sequence(store, last, size, now)
                except asyncpg.IntegrityConstraintViolationError as error:
                    raise LogBroken(f"a spin or a movement of money that a fact names is gone: {error}") from error
                nodes = frontier.extend(leaves, STORED_LEVEL)
                if nodes:
                    await store.add_nodes(nodes)
                made = await self._checkpoint(store, frontier, signed, now)
            self._frontier = frontier
        if made is not None:
            await self._publish(*made)
        return len(leaves)

    @staticmethod
    async def _read(store: AuditStore, size: int, signed: asyncpg.Record | None) -> Frontier:
        """The frontier as it is stored, which has to be what was signed last."""
        if signed is not None:
            if signed["tree_size"] > size:
                raise LogBroken(f"{signed['tree_size']} leaves were signed, {size} are there")
            if await root_at(store, signed["tree_size"]) != signed["root"]:
                raise LogBroken(f"the first {signed['tree_size']} leaves have another root than was signed")
        return await frontier_at(store, size)

    @staticmethod
    async def _sequence(store: AuditStore, last: asyncpg.Record | None, size: int, now: datetime) -> list[bytes]:
        beginning = ("0", 0)
        if last is None:
            return await store.sequence_facts(size, now, *beginning, BATCH, no_longer_run=False)
        after = (last["written_in"], last["fact_id"])
        if not last["of_another_database"]:
            return await store.sequence_facts(size, now, *after, BATCH, no_longer_run=False)
        # A restored dump: first what the other database had left, then what this one has written, from its beginning.
        return await store.sequence_facts(size, now, *after, BATCH, no_longer_run=True) or await store.sequence_facts(
            size, now, *beginning, BATCH, no_longer_run=False
        )

    async def _checkpoint(
        self, store: AuditStore, frontier: Frontier, before: asyncpg.Record | None, now: datetime
    ) -> tuple[Checkpoint, str] | None:
        """A checkpoint where one is due: the log has grown and the last is old enough, or it is very old."""
        if before is not None:
            wait_s = self._checkpoint_s if frontier.size > before["tree_size"] else IDLE_CHECKPOINT_S
            if now < before["made_at"] + timedelta(seconds=wait_s):
                return None
        key = await log_key(store, self._sealer)  # each time: it may be another by now
        checkpoint = Checkpoint(key.public.name, frontier.size, frontier.root, time_text(now))
        note = key.note(checkpoint)
        since = await store.waiting_since()
        if since is not None and now - since > timedelta(seconds=HELD_BACK_S):
            log.error("facts wait since %s to be sequenced: some transaction stays open", time_text(since))
        await store.add_checkpoint(frontier.size, now, frontier.root, note)
        return checkpoint, note

    async def _publish(self, checkpoint: Checkpoint, note: str) -> None:
        """One that could not be published is missed by nobody: the next one covers all that it did."""
        log.info("checkpoint: %d leaves, root %s, %s", checkpoint.size, checkpoint.root.hex(), checkpoint.time)
        if self._place is None:
            return
        name = f"{checkpoint.time[:10]}/{checkpoint.time.replace(':', '')}-{checkpoint.size}.txt"
        try:
            await self._place.put(name, note.encode())
        except (AlreadyWritten, OSError) as error:
            log.error("a checkpoint could not be published: %s", error)
