"""Ways in which features begin that are known as a whole, and laws of spins that start them.

A feature begins with some spins, the multiplier that its award gave it, and with what it is handed: cells that a
trigger carries into it. A spin that starts features has a joint law whose last award, behind all others, is the number
of what it hands on (`StartingSpin`). Where several spins may hand something to the same waiting feature, only the first does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rgs_core.exact.award_columns import award_columns, feature_name, multiplied_features
from rgs_core.exact.awarding import Awarding, Awards, SpinLaw
from rgs_core.exact.joint import Joint
from rgs_core.exact.spin_terms import Amount, SpinTerms, Value
from rgs_core.language.mechanics import Table
from rgs_core.language.model import Model

Cell = tuple[int, int, int]
"""A held cell: reel x rows + row, the number of its symbol, its value."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What a feature is handed: `cells` for a chain of memories; for hold and spin how many cells are held, `held`,
    and the tables of their values by symbol, `carried`."""

    cells: tuple[Cell, ...] = ()
    held: tuple[int, ...] = ()
    carried: tuple[Table, ...] = ()

    def text(self, model: Model) -> str:
        """Cells by reel and row from 1, such as "wild 2.1 2.3", with values behind ":"."""
        shown: dict[str, list[str]] = {}
        for cell, symbol, value in self.cells:
            reel, row = divmod(cell, model.rows)
            place = f"{reel + 1}.{row + 1}" + (f":{value}" if value else "")
            shown.setdefault(model.symbols[symbol], []).append(place)
        return ", ".join(f"{symbol} {' '.join(places)}" for symbol, places in shown.items())


EMPTY = Handed()
"""Nothing."""


class Way(NamedTuple):
    """How a feature begins: its state, spins, what it is handed, and the multiplier of all that it wins."""

    state: str
    spins: int
    handed: Handed = EMPTY
    multiplier: int = 1


@dataclass(frozen=True)
class Beginnings:
    """What the awards of a spin, or of a whole feature, begin: `states` are the columns of the awards
    (rgs_core.exact.award_columns), `targets` the states whose features are known as a whole, `multipliers` those that
    awards give the features of some of them, with their state, `carried` the one that is handed something, "" for none;
    the award behind those of `states` is the place of that in `handed`, 0 where none of its spins are awarded."""

    states: tuple[str, ...]
    targets: tuple[str, ...]
    multipliers: tuple[tuple[str, int], ...] = ()
    carried: str = ""
    handed: tuple[Handed, ...] = (EMPTY,)

    @classmethod
    def among(
        cls, model: Model, targets: Sequence[str], carried: str = "", handed: tuple[Handed, ...] = (EMPTY,)
    ) -> Beginnings:
        """Those of features of these states of a game."""
        multipliers = tuple(pair for pair in multiplied_features(model) if pair[0] in targets)
        return cls(award_columns(model), tuple(targets), multipliers, carried, handed)

    def of(self, awards: Awards) -> tuple[Awards, list[Way]]:
        """The spins of other states, and the features."""
        *spins, number = awards
        for target, multiplier in self.multipliers:
            if (
                multiplier == 1
            ):  # spins at 1 by an award that says so belong to the feature of those without a multiplier
                column = self.states.index(feature_name(target, 1))
                spins[self.states.index(target)] += spins[column]
                spins[column] = 0
        ways = []
        for target in self.targets:
            column = self.states.index(target)
            if spins[column]:
                ways.append(Way(target, spins[column], self._handed(target, number)))
                spins[column] = 0
        for target, multiplier in self.multipliers:
            column = self.states.index(feature_name(target, multiplier))
            if spins[column]:
                ways.append(Way(target, spins[column], self._handed(target, number), multiplier))
                spins[column] = 0
        return tuple(spins), ways

    def _handed(self, target: str, number: int) -> Handed:
        return self.handed[number] if target == self.carried else EMPTY

    def all(self, awards: Iterable[Awards]) -> list[Way]:
        """All features that any of these awards begin, each once."""
        return list(dict.fromkeys(way for key in awards for way in self.of(key)[1]))


@dataclass(frozen=True)
class Names:
    """Features as states of their own: `states` of a round, the columns of awards first, and the name of each way among them."""

    states: tuple[str, ...]
    of: Mapping[Way, str]

    def awards(self, beginnings: Beginnings, awards: Awards) -> Awards:
        """Awards by all these states; a feature is one spin."""
        spins, ways = beginnings.of(awards)
        named = [*spins, *[0] * (len(self.states) - len(spins))]
        for way in ways:
            named[self.states.index(self.of[way])] += 1
        return tuple(named)

    def law(self, beginnings: Beginnings, law: Mapping[Awards, Awarding]) -> dict[Awards, Awarding]:
        """A law by all these states."""
        named: dict[Awards, Awarding] = {}
        for awards, event in law.items():
            key = self.awards(beginnings, awards)
            named[key] = named[key] | event if key in named else event
        return named

    def terms(self, beginnings: Beginnings, terms: Mapping[Awards, Value]) -> dict[Awards, Value]:
        """Transforms by all these states."""
        named: dict[Awards, Value] = {}
        for awards, value in terms.items():
            key = self.awards(beginnings, awards)
            named[key] = named[key] + value if key in named else value
        return named


@dataclass(frozen=True)
class StartingSpin:
    """Law of one spin that starts features. `joint` has an award more than the states, `plain` has not: it is the spin
    as such."""

    joint: Joint
    plain: Joint
    beginnings: Beginnings

    def ways(self) -> list[Way]:
        """All features that it may start."""
        return self.beginnings.all(self.joint.by_award())

    def named(self, names: Names) -> NamedSpin:
        """The same by the names of features."""
        return NamedSpin(SpinTerms.of(self.joint), self.beginnings, names)


@dataclass(frozen=True)
class NamedSpin:
    """Law of one spin by the features that it starts, each a state of its own."""

    spin: SpinTerms
    beginnings: Beginnings
    names: Names

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what it awards."""
        return self.names.states

    def by_award(self) -> SpinLaw:
        """Exact moments of the win by what is awarded and started."""
        return self.names.law(self.beginnings, self.spin.by_award())

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Transform of the win by the same."""
        return self.names.terms(self.beginnings, self.spin.terms(amount))

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units; 0 without wins."""
        return self.spin.step

    @property
    def amounts(self) -> float:
        """Most random amounts that the win adds up."""
        return self.spin.amounts


def unique(names: Sequence[str]) -> list[str]:
    """The same names, but those that were there before with their number behind them."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
