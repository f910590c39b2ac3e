"""A database, a loop with virtual time, and what the service would otherwise take from chance; plays histories one by one."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import math
import shutil
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path

import asyncpg
import pytest
from rgs_server import backoff, nonces, seamless, sessions, spin_lane, spins
from rgs_server.catalogue import load_catalogue
from rgs_server.postgres import EmbeddedPostgres
from rgs_server.store import create_schema
from simulation.histories import SEVENS, STEPS_MAX, TIDES, Author, History
from simulation.runner import Game, Run
from simulation.wire import Differs, Stuck, VirtualLoop, Wire

GAMES = {SEVENS: "ember_sevens/rtp_95", TIDES: "three_tides/rtp_95"}
SETTINGS = {
    **spin_lane.LANE_SETTINGS,
    "synchronous_commit": "off",  # here only logic is tested; tests/crash kills the real thing
    "plan_cache_mode": "force_generic_plan",
}
TABLES = (
    "sessions",
    "spins",
    "open_rounds",
    "round_ends",
    "idempotency",
    "wallet_steps",
    "ledger",
    "waiting_rounds",
    "choices",
)
EMPTIED_EVERY = 250
"""Histories; the tables would grow, and each statement would take longer."""
EMPTY = f"""
SET session_replication_role = replica;  -- without the triggers that keep records for good
TRUNCATE {", ".join(TABLES)}, operators, events, outbox, nonces CASCADE;
SET session_replication_role = DEFAULT
"""
SHRINK_S = 60


@contextmanager
def running_database() -> Iterator[str]:
    """The URL of a PostgreSQL of our own, with the schema, that forgets what it wrote when the machine dies."""
    folder = Path(tempfile.mkdtemp(prefix="rgs-simulation-"))
    folder.chmod(0o755)
    database = EmbeddedPostgres(folder)
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    failures: list[BaseException] = []

    async def prepare() -> None:
        await database.start()
        await create_schema(database.url)
        connection = await asyncpg.connect(database.url)
        for command in ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off"):
            await connection.execute(command)
        await connection.execute("SELECT pg_reload_conf()")
        for table in TABLES:  # so that what is on record of one operator is found at once
            await connection.execute(f"CREATE INDEX simulated_{table} ON {table} (operator_id)")
        await connection.close()

    async def serve() -> None:
        try:
            await prepare()
            started.set()
            await ended.wait()
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()
            await database.stop()

    # In a thread with a loop of real time; the database lives as long as it.
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        if failures:
            raise failures[0]
        yield database.url
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
        cluster = database.cluster_path
        shutil.rmtree(cluster if cluster.parent == folder else cluster.parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Failure:
    """A history on which service and model do not agree. `step`: the place in it."""

    history: History
    step: int
    message: str

    def report(self) -> str:
        """The whole history, with the command that plays it again."""
        history = self.history
        head = len(history.operators)
        marked = [f"{'>>' if n - head == self.step else '  '} {line}" for n, line in enumerate(history.lines())]
        if history.steps_max:
            marked.append(f"again: make simulate SEED={history.seed} STEPS={history.steps_max}")
        return "\n".join([f"seed {history.seed}, step {self.step}: {self.message}", *marked])


class Simulator:
    """Plays histories one after the other on one database. Open and close it."""

    def __init__(self, url: str) -> None:
        catalogue = load_catalogue("")
        labels = {played.build.label: played for played in catalogue.values()}
        self._games = {name: Game.of(labels[label]) for name, label in GAMES.items()}
        self.loop = VirtualLoop()
        self._wire = Wire(self.loop)
        self._run: Run | None = None
        self._played = 0
        self._patches = pytest.MonkeyPatch()
        self.loop.run_until_complete(self._wire.connect(url, SETTINGS))

    def __enter__(self) -> Simulator:
        patch = self._patches.setattr
        for module in (spins, spin_lane, seamless, nonces):
            patch(module, "time", types.SimpleNamespace(monotonic=self.loop.time, perf_counter=self.loop.time))
        patch(sessions, "new_server_seed", lambda: self.last.new_seed())
        patch(seamless, "fraction", lambda: self.last.fraction())
        patch(backoff, "fraction", lambda: self.last.fraction())
        logging.disable(logging.CRITICAL)
        return self

    def __exit__(self, *_: object) -> None:
        self._run = None
        gc.collect()  # what crashed workers leave behind is not worth a warning
        logging.disable(logging.NOTSET)
        self._patches.undo()
        self.loop.run_until_complete(self._wire.close())
        self.loop.close()

    @property
    def last(self) -> Run:
        """The history that is played, or was last."""
        assert self._run is not None
        return self._run

    @property
    def messages(self) -> int:
        """Sent to the database by workers so far."""
        return self._wire.messages

    def play(self, history: History) -> Failure | None:
        """None where service and model agree."""
        self.loop.now_s, self.loop.until_s = 0.0, math.inf
        self._run = Run(self.loop, self._wire, self._games, history)
        try:
            self.loop.run_until_complete(self._run.play())
        except (Differs, Stuck) as error:
            return Failure(history, self._run.step, str(error))
        except Exception as error:
            where = "".join(traceback.format_exception(error)[-3:])
            return Failure(history, self._run.step, f"the service or the model failed\n{where}")
        finally:
            self.loop.run_until_complete(self._clean(self._run))
        return None

    async def _clean(self, run: Run) -> None:
        """Ends whatever still waits, such as crashed workers."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[arg-type]
        self._played += 1
        if self._played % EMPTIED_EVERY:
            await run.clean()
        else:
            await self._wire.ask("execute", EMPTY)

    def shrink(self, failure: Failure) -> Failure:
        """The same failure with fewer steps, as far as a minute allows: any failure counts."""
        until = time.monotonic() + SHRINK_S
        history = failure.history
        failure = replace(failure, history=replace(history, steps=history.steps[: failure.step + 1]))
        failure = self.play(failure.history) or failure
        part = max(1, len(failure.history.steps) // 2)
        while part and time.monotonic() < until:
            first = 0
            while first < len(failure.history.steps) and time.monotonic() < until:
                steps = failure.history.steps
                shorter = replace(failure.history, steps=steps[:first] + steps[first + part :])
                found = self.play(shorter)
                if found is None:
                    first += part
                else:
                    failure = found
            part //= 2
        return failure

    def search(
        self, seeds: Iterable[int], tell: Callable[[str], None] = print, steps_max: int = STEPS_MAX
    ) -> Failure | None:
        """The first failure among histories, shrunk; it is told in full before."""
        for seed in seeds:
            failure = self.play(Author(seed, steps_max).history())
            if failure is not None:
                tell(failure.report())
                shrunk = self.shrink(failure)
                shrunk = replace(shrunk, history=replace(shrunk.history, steps_max=0))
                tell(f"\nas short as it gets (from {len(failure.history.steps)} steps):\n{shrunk.report()}")
                tell(f"for test_found.py: {shrunk.history.operators!r}, {shrunk.history.steps!r}")
                return failure
        return None


def search_together(seeds: range, steps_max: int, found: Event) -> None:
    """One of several processes, with a database of its own, until something is found anywhere."""
    with running_database() as url, Simulator(url) as simulator:
        wanted = itertools.takewhile(lambda _: not found.is_set(), seeds)
        if simulator.search(wanted, steps_max=steps_max) is not None:
            found.set()
