"""Numbers that a worker counts up, made to cost little where they are counted: an attribute, or a place in a list.

They know nothing of Prometheus. A worker sends them to the supervisor, which adds those of all workers and writes the page
(docs/adr/0009-metrics-of-all-workers-on-one-page.md).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Kind = Literal["counter", "histogram", "gauge"]
Value = float | list[float]
"""Of a counter or gauge a number; of a histogram how many fell into each bucket, then their sum."""
Snapshot = dict[str, list[tuple[list[str], Value]]]
"""By name, then by the values of the labels."""


@dataclass(frozen=True, slots=True)
class Description:
    """A metric by its name, with units last and without the suffix of its kind. `bounds`: those of buckets, from below."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


class Counter:
    """Goes up. Whole amounts stay whole: money is counted in minor units."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | float = 0

    def add(self, amount: int | float = 1) -> None:
        self.value += amount

    def state(self) -> Value:
        return self.value


class Histogram:
    """How many values fell into each bucket, which are those up to a bound and not up to the one before."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def state(self) -> Value:
        return [*self._counts, self._sum]


class Gauge:
    """Is read when somebody looks."""

    __slots__ = ("read",)

    def __init__(self) -> None:
        self.read: Callable[[], float] = float

    def state(self) -> Value:
        return self.read()


Instrument = TypeVar("Instrument", Counter, Histogram, Gauge)


class Family(Generic[Instrument]):
    """The instruments of one metric, by the values of its labels. The values are ours, never what a caller may choose."""

    __slots__ = ("_children", "_make", "description")

    def __init__(self, description: Description, make: Callable[[], Instrument]) -> None:
        self.description = description
        self._make: Callable[[], Instrument] = make
        self._children: dict[tuple[str, ...], Instrument] = {}

    def of(self, *labels: str) -> Instrument:
        """The instrument of these labels; it is there from then on, and 0 until something happens."""
        child = self._children.get(labels)
        if child is None:
            if len(labels) != len(self.description.labels):
                raise ValueError(f"{self.description.name} has the labels {self.description.labels}, not {labels}")
            child = self._children[labels] = self._make()
        return child

    def state(self) -> list[tuple[list[str], Value]]:
        return [(list(labels), child.state()) for labels, child in self._children.items()]
