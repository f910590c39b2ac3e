"""What a transform or trigger needs beside what it looks at itself: odds, a win or none, numbers of symbols in view."""

from __future__ import annotations

from dataclasses import dataclass

from rgs_core.language.mechanics.fields import When, later
from rgs_core.language.mechanics.symbols import Counted
from rgs_core.language.mechanics.tables import Odds


@dataclass(frozen=True, slots=True)
class InView:
    """At least `least` and at most `most` (None: any number) of what is counted are in view."""

    counted: Counted
    least: int
    most: int | None

    def holds(self, count: int) -> bool:
        """Whether so many are a number that it allows."""
        return self.least <= count and (self.most is None or count <= self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """What works in some spins only. All of `in_view` must hold, `when` there must be a win or none, and the odds, drawn
    where all else holds, must succeed."""

    odds: Odds | None = later(None)
    when: When = later("always")
    in_view: tuple[InView, ...] = later(())

    @property
    def conditional(self) -> bool:
        """Whether anything is needed."""
        return self.odds is not None or self.when != "always" or bool(self.in_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalTransform(Conditional):
    """What a transform needs. `modifiers`: of those that a spin draws one of, the ones with which it works; none: with
    any."""

    modifiers: tuple[str, ...] = later(())

    @property
    def conditional(self) -> bool:
        """Whether anything is needed."""
        return bool(self.modifiers) or self.odds is not None or self.when != "always" or bool(self.in_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalTrigger(Conditional):
    """What a trigger needs. `once`: it fires no more than once in a feature."""

    once: bool = later(False)
