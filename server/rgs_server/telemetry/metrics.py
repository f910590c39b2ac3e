"""What one worker counts. Built with its service and handed down; nothing here is global."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

from rgs_server.contract.operations import OPERATIONS
from rgs_server.contract.problems import KINDS
from rgs_server.telemetry.catalogue import COUNTED, READ
from rgs_server.telemetry.instruments import Counter, Family, Gauge, Histogram, Snapshot

NO_OPERATION = "none"
"""Label of requests that are no operation: documents, pages, what does not exist."""
CAUSES = ("replayed", "redrawn", "database", "debit_retried", "recovered", "credit_late", "unsettled", "timed_out")
"""Why a spin did not go straight through; docs/operations.md says what each means."""
PAGE_BYTES = resource.getpagesize()


class Metrics:
    """The instruments of a worker by their places in the code. Where it is hot, they are kept and not looked up."""

    def __init__(self) -> None:
        self._families: list[Family[Counter] | Family[Histogram] | Family[Gauge]] = []
        described = {description.name: description for description in (*COUNTED, *READ)}

        def counters(name: str) -> Family[Counter]:
            family = Family(described[name], Counter)
            self._families.append(family)
            return family

        def histograms(name: str) -> Family[Histogram]:
            bounds = described[name].bounds
            family = Family(described[name], lambda: Histogram(bounds))
            self._families.append(family)
            return family

        self._requests = histograms("rgs_request_duration_seconds")
        self._errors = counters("rgs_errors")
        self.spins_answered = counters("rgs_spins_answered").of()
        elastic = counters("rgs_spins_elastic")
        self.elastic = {cause: elastic.of(cause) for cause in CAUSES}
        self._rounds, self._stakes, self._wins = map(counters, ("rgs_rounds", "rgs_stakes_minor", "rgs_wins_minor"))
        self.commit_seconds = histograms("rgs_commit_duration_seconds").of()
        self.batch_spins = histograms("rgs_batch_spins").of()
        self.database_connects = counters("rgs_database_connects").of()
        self.database_retries = counters("rgs_database_retries").of()
        self.database_failures = counters("rgs_database_failures").of()
        self._wallet_calls = counters("rgs_wallet_calls")
        self._wallet_seconds = histograms("rgs_wallet_call_duration_seconds")
        self._events = counters("rgs_events_sent")
        self.log_lines_dropped = counters("rgs_log_lines_dropped").of()
        self._cpu = counters("rgs_cpu_seconds").of()
        self._gauges = {description.name: Family(description, Gauge) for description in READ}
        self._families.extend(self._gauges.values())
        # A rate can be taken only of what was there before: the first fault has to be seen.
        for operation in OPERATIONS:
            for code in operation.codes:
                self._errors.of(operation.operation_id, code)
        self._answers: dict[tuple[str, int], Histogram] = {}
        self._played: dict[tuple[str, str, str, str], Played] = {}
        self.watch("rgs_memory_bytes", resident_bytes)

    def watch(self, name: str, read: Callable[[], float], *labels: str) -> None:
        """Reads a gauge from now on by calling `read`."""
        self._gauges[name].of(*labels).read = read

    def spin_answered(self, replayed: bool, causes: tuple[str, ...]) -> None:
        """A spin was answered with its outcome; `causes`: why it did not go straight through, without having been replayed."""
        self.spins_answered.add()
        if replayed:
            self.elastic["replayed"].add()
        for cause in causes:
            self.elastic[cause].add()

    def answered(self, operation_id: str, status: int, seconds: float) -> None:
        """A request was answered."""
        histogram = self._answers.get((operation_id, status))
        if histogram is None:
            histogram = self._requests.of(operation_id, f"{status // 100}xx")
            self._answers[operation_id, status] = histogram
        histogram.observe(seconds)

    def refused(self, operation_id: str, code: str) -> None:
        """A request was answered with a problem."""
        assert code in KINDS
        self._errors.of(operation_id, code).add()

    def played(self, game_id: str, build: str, mode: str, currency: str) -> Played:
        """Where rounds of a game are counted. `build` is its label and stays the same in all modes."""
        key = (game_id, build, mode, currency)
        found = self._played.get(key)
        if found is None:
            found = self._played[key] = Played(self._rounds.of(*key), self._stakes.of(*key), self._wins.of(*key))
        return found

    def wallet_called(self, operator_id: str, kind: str, result: str, seconds: float) -> None:
        """A wallet answered, or did not."""
        self._wallet_calls.of(operator_id, kind, result).add()
        self._wallet_seconds.of(kind).observe(seconds)

    def event_sent(self, operator_id: str, *, delivered: bool) -> None:
        """A delivery ended."""
        # Both at once, so that the first failure is a rise from 0.
        results = {taken: self._events.of(operator_id, "delivered" if taken else "failed") for taken in (True, False)}
        results[delivered].add()

    def snapshot(self) -> Snapshot:
        """All that was counted until now, by name."""
        self._cpu.value = time.process_time()
        return {family.description.name: family.state() for family in self._families}


class Played:
    """The counters of one game, build, mode and currency."""

    __slots__ = ("_rounds", "_stakes", "_wins")

    def __init__(self, rounds: Counter, stakes: Counter, wins: Counter) -> None:
        self._rounds, self._stakes, self._wins = rounds, stakes, wins

    def begun(self, stake_minor: int) -> None:
        """A round was written: its stake is taken."""
        self._rounds.add()
        self._stakes.add(stake_minor)

    def won(self, win_minor: int) -> None:
        """A round is over."""
        self._wins.add(win_minor)


def resident_bytes() -> float:
    """Memory of this process that is resident; 0 where the system does not say."""
    try:
        return float(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0.0
