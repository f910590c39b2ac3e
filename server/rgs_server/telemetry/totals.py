"""The numbers of all workers together, the ended ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

from rgs_server.telemetry.catalogue import COUNTED, READ
from rgs_server.telemetry.instruments import Description, Snapshot, Value

Labels = tuple[str, ...]
Numbers = dict[Labels, Value]


class Totals:
    """Adds what workers report. What a worker reported last stays in the sums when it ends, so nothing ever falls."""

    def __init__(self) -> None:
        self._live: dict[str, Snapshot] = {}
        self._ended: dict[str, Numbers] = {description.name: {} for description in COUNTED}

    def report(self, worker: str, snapshot: Snapshot) -> None:
        """Takes the place of what a worker reported before."""
        self._live[worker] = snapshot

    def end(self, worker: str) -> None:
        """The worker is gone; another one that begins at 0 may come under the same name."""
        snapshot = self._live.pop(worker, {})
        for name, numbers in self._ended.items():
            add(numbers, snapshot, name)

    def metrics(self) -> Iterator[Metric]:
        """All metrics of workers as Prometheus knows them."""
        for description in COUNTED:
            numbers = dict(self._ended[description.name])
            for snapshot in self._live.values():
                add(numbers, snapshot, description.name)
            yield exposed(description, numbers.items())
        for description in READ:
            yield exposed(
                Description(description.name, "gauge", description.meaning, ("worker", *description.labels)),
                (
                    ((worker, *labels), value)
                    for worker, snapshot in self._live.items()
                    for labels, value in snapshot.get(description.name, [])
                ),
            )


def add(numbers: Numbers, snapshot: Snapshot, name: str) -> None:
    """Adds the numbers of a metric in a snapshot; lists are new ones, so that none is changed that others hold."""
    for labels, value in snapshot.get(name, []):
        key = tuple(labels)
        before = numbers.get(key)
        if before is None:
            numbers[key] = value
        elif isinstance(value, list) and isinstance(before, list):
            numbers[key] = [a + b for a, b in zip(before, value, strict=True)]
        elif not isinstance(value, list) and not isinstance(before, list):
            numbers[key] = before + value


def exposed(description: Description, numbers: Iterable[tuple[Labels, Value]]) -> Metric:
    """A metric as Prometheus knows it: counters end in _total, buckets count all that is below their bound."""
    metric = Metric(description.name, description.meaning, description.kind)
    for values, value in numbers:
        labels = dict(zip(description.labels, values, strict=True))
        if isinstance(value, list):
            *counts, total = value
            below = 0.0
            for bound, count in zip((*description.bounds, float("inf")), counts, strict=True):
                below += count
                metric.add_sample(
                    f"{description.name}_bucket",
                    labels | {"le": "+Inf" if bound == float("inf") else repr(bound)},
                    below,
                )
            metric.add_sample(f"{description.name}_count", labels, below)
            metric.add_sample(f"{description.name}_sum", labels, total)
        else:
            suffix = "_total" if description.kind == "counter" else ""
            metric.add_sample(f"{description.name}{suffix}", labels, value)
    return metric
