"""Moments of what a feature of hold and spin wins where held cells act on the values of each other.

Which cells are held does not depend on their values, so the chain of held cells (rgs_core.exact.memory.hold_chain) is
what it is without acts. With S_s the sum of the values of the cells of symbol s and Q_s that of their squares, what
acts do to them is linear given which cells are held and which of them landed in the spin: a payer of value v makes
S_s + n v and Q_s + 2 v S_s + n v^2 of n cells. So with v = (h, l) a situation before a spin

    E[win | v, S]  = c + sum_s a_s S_s,
    E[win^2 | v, S, Q] = z' A z + sum_s b_s Q_s,        z = (1, S_1, S_2, ...),

and these coefficients are computed backwards as the chain is, in integers over one scale: those after the spin, with what
acts and landing cells make of z and Q put in. Cells that act are exchangeable until they do, so one of r that are left
has E[v x] = E[R x] / r with R their sum, and E[v^2] = Q_R / r.

The largest win is the same with the largest values in place of means: the largest of several such forms.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from rgs_core.errors import AnalysisError
from rgs_core.exact.memory.forms import Editing, Form, Moments, Step, above
from rgs_core.exact.memory.hold import Counts, HoldRules, largest, table_mean
from rgs_core.language.mechanics import Act, Table

CANDIDATES_MAX = 40
"""Most forms of which the largest win is the largest, from each situation."""


class ActedForms(ABC):
    """Acts and landing cells as changes of forms, with the moments of values by their tables."""

    odds: ClassVar[bool] = True
    """Whether it matters that acts work in some spins only."""

    def __init__(self, rules: HoldRules, valued: frozenset[int]) -> None:
        """`valued`: the symbols whose cells have values."""
        self.rules, self.valued = rules, valued
        self.width = len(rules.symbols)
        self.once = [s for s, name in enumerate(rules.symbols) if any(a.once and name in a.symbols for a in rules.acts)]
        self.value = 1 + self.width + 2 * len(self.once)
        self.moments = [self.moments_of(table) for table in rules.values]

    @abstractmethod
    def moments_of(self, table: Table) -> Moments:
        """E[V] and E[V^2] over one divisor."""

    @abstractmethod
    def chosen(self, act: Act, cells: int) -> tuple[Fraction, Fraction]:
        """Odds that one cell is among those that are multiplied, and that two are."""

    def waiting(self, symbol: int) -> int:
        """Place of the cells of a symbol that wait to act."""
        return 1 + self.width + self.once.index(symbol)

    def done(self, symbol: int) -> int:
        """Place of those that have acted."""
        return self.waiting(symbol) + len(self.once)

    def ended(self, counts: Counts) -> tuple[list[int], list[list[int]]]:
        """The win in the end as a linear form, and its parts by evaluator."""
        rules = self.rules
        nothing = [Fraction(0)] * self.width
        fixed = rules.parts(counts, nothing)
        parts = [[int(fixed[name])] for name in rules.state.evaluators]
        for s in range(self.width):
            unit = [Fraction(int(i == s and counts[s] > 0)) for i in range(self.width)]
            for row, (name, paid) in zip(parts, rules.parts(counts, unit).items(), strict=True):
                row.append(int(paid - fixed[name]))
        return [sum(column) for column in zip(*parts, strict=True)], parts

    def land(self, form: Form, symbol: int, cells: int) -> Form:
        """The form before so many cells of a symbol land."""
        editing = Editing(form, form.size)
        editing.land(1 + symbol, self.moments[symbol], cells)
        return Form(editing.lines, editing.scale, editing.square, editing.each)

    def act(self, form: Form, counts: Counts, landed: Counts) -> Form:
        """The form before the acts of a spin, with these cells held, and those of `landed` new."""
        if not any(landed) and all(act.once for act in self.rules.acts):
            return form
        editing = Editing(form, self.value + 1)
        for s in self.once:
            editing.merge(1 + s, self.waiting(s))  # in the end all cells of a symbol are one sum
        multiplying = self._multiplying
        present = {s for s in self.once if s not in multiplying}
        sizes = {1 + s: n - (landed[s] if s in self.once else 0) for s, n in enumerate(counts) if self._has_value(s)}
        sizes |= {self.waiting(s): landed[s] for s in present if self._has_value(s)}
        groups = []
        for act in self.rules.acts:
            idle: list[Step] = []
            for s in sorted(multiplying):
                if self.rules.symbols[s] in act.symbols:
                    idle.append(self._lands(s, landed[s]))
            groups.append((act, list(self._act(act, sizes, counts, landed, multiplying)), idle))
        for act, done, idle in reversed(groups):
            self._undo(editing, act, done, idle)
        for s in present:
            editing.land(self.waiting(s), self.moments[s], landed[s])
        return editing.form(1 + self.width)

    def _lands(self, symbol: int, cells: int) -> Step:
        return lambda form: form.land(self.waiting(symbol), self.moments[symbol], cells)

    @property
    def _multiplying(self) -> set[int]:
        """Symbols that multiply once: their cells come in when they act."""
        names = {s for a in self.rules.acts if a.once and a.does.startswith("multiply") for s in a.symbols}
        return {s for s in self.once if self.rules.symbols[s] in names}

    def _has_value(self, symbol: int) -> bool:
        """Whether cells of a symbol have values that can be acted on."""
        return symbol in self.valued

    def _undo(self, editing: Editing, act: Act, done: Sequence[Step], idle: Sequence[Step]) -> None:
        """Puts the steps of an act in, in reverse; with odds it works in some spins only, and else does what is `idle`."""
        if act.odds is None or not self.odds:
            editing.undo(done)
            return
        other = editing.copy()
        editing.undo(done)
        other.undo(idle)
        editing.mix(act.odds.chance, other, act.odds.out_of)

    def _act(
        self, act: Act, sizes: dict[int, int], counts: Counts, landed: Counts, multiplying: set[int]
    ) -> Iterator[Step]:
        """What an act does, step by step; `sizes`: cells with a value by their place, which change."""
        for s, name in enumerate(self.rules.symbols):
            if name not in act.symbols or (act.does != "collect_all" and not self._has_value(s)):
                continue
            if act.once:
                yield from self._acts_once(act, s, sizes, landed[s], multiplying)
            elif counts[s]:
                yield from self._acts_on(act, s, sizes, counts[s])

    def _places(self, act: Act, sizes: Mapping[int, int]) -> list[int]:
        """Places of the cells that are acted on."""
        found = []
        for place, n in sizes.items():
            if n:
                symbol = place - 1 if place <= self.width else self.once[(place - 1 - self.width) % len(self.once)]
                if act.over is None or self.rules.symbols[symbol] in act.over:
                    found.append(place)
        return found

    def _acts_once(
        self, act: Act, symbol: int, sizes: dict[int, int], new: int, multiplying: set[int]
    ) -> Iterator[Step]:
        """New cells act, one after the other."""
        value, waiting, done = self.value, self.waiting(symbol), self.done(symbol)
        fresh = symbol in multiplying
        for left in range(new, 0, -1):
            if not fresh:
                yield lambda form, left=left: form.take(waiting, left, value)  # type: ignore[misc]
                if waiting in sizes:
                    sizes[waiting] -= 1
            over = self._places(act, sizes)
            if act.does == "add_to_all":
                cells = [sizes[place] for place in over]
                yield lambda form, over=over, cells=cells: form.cells(over, value, cells)  # type: ignore[misc]
            elif act.does == "collect_all":
                yield lambda form, over=over: form.gather(value, over)  # type: ignore[misc]
            else:
                chosen = self.chosen(act, sum(sizes[place] for place in over))
                yield lambda form, over=over, chosen=chosen: form.multiply(  # type: ignore[misc]
                    over, value, self.moments[symbol], chosen
                )
            yield lambda form: form.join(done, value)
            if self._has_value(symbol):
                sizes[done] = sizes.get(done, 0) + 1
        if new:
            multiplying.discard(symbol)
            yield lambda form: form.drop(waiting)
            yield lambda form: form.merge(waiting, done)
            if done in sizes:
                sizes[waiting] = sizes.pop(done)

    def _acts_on(self, act: Act, symbol: int, sizes: Mapping[int, int], n: int) -> Iterator[Step]:
        """All held cells act, at every spin."""
        own, value = 1 + symbol, self.value
        over = self._places(act, sizes)
        if own in over:
            if n > 1:
                raise AnalysisError(
                    f"cells of '{self.rules.symbols[symbol]}' in state '{self.rules.state.name}' act on each other at every "
                    "spin: leave them out of 'over'"
                )
            over.remove(own)
        if act.does == "add_to_all":
            cells = [sizes[place] for place in over]
            yield lambda form: form.cells(over, own, cells)
        elif act.does == "collect_all":
            yield lambda form: form.drop(value)
            yield lambda form: form.gather(value, over)
            yield lambda form: form.cells([own], value, [n])
        else:
            chosen = self.chosen(act, sum(sizes[place] for place in over))
            for _ in range(n):
                yield lambda form: form.multiply(over, value, self.moments[symbol], chosen)


class Means(ActedForms):
    """E[X^2], and E[X] by evaluator."""

    def moments_of(self, table: Table) -> Moments:
        """E[V] and E[V^2] over one divisor."""
        first, second = table_mean(table, 1), table_mean(table, 2)
        over = math.lcm(first.denominator, second.denominator)
        return int(first * over), int(second * over), over

    def chosen(self, act: Act, cells: int) -> tuple[Fraction, Fraction]:
        """Odds that one cell is among those that are multiplied, and that two are."""
        if act.does == "multiply_all" or act.count is None:
            return Fraction(1), Fraction(1)
        one = two = Fraction(0)
        for drawn, weight in zip(act.count.values, act.count.weights, strict=True):
            k = min(drawn, cells)
            if cells:
                one += Fraction(weight * k, act.count.total * cells)
            if cells > 1:
                two += Fraction(weight * k * (k - 1), act.count.total * cells * (cells - 1))
        return one, two

    def end(self, counts: Counts) -> Form:
        """The win, squared and by evaluator."""
        whole, parts = self.ended(counts)
        square = [[x * y for y in whole] for x in whole]
        none = np.zeros(len(whole), dtype=object)
        return Form(np.array(parts, dtype=object), 1, np.array(square, dtype=object), none)

    def landed(self, after: Form, symbol: int, cells: int) -> Form:
        """Before so many cells have landed."""
        return self.land(after, symbol, cells)

    def acted(self, after: Form, counts: Counts, landed: Counts) -> Form:
        """Before acts."""
        return self.act(after, counts, landed)

    def either(self, parts: Sequence[tuple[int, Form]], scale: int) -> Form:
        """The mean of forms."""
        over = math.lcm(*(form.scale for _, form in parts))
        factors = [weight * (over // form.scale) for weight, form in parts]

        def mean(rows: list[Any]) -> Any:
            return sum(row * factor for row, factor in zip(rows, factors, strict=True))

        forms = [form for _, form in parts]
        lines, square, each = (mean([getattr(form, name) for form in forms]) for name in ("lines", "square", "each"))
        return Form(lines, over * scale, square, each)


class Beyond(Means):
    """The sum of all values, with what they pay at most, squared, where so many cells are held in the end; else nothing."""

    def __init__(self, rules: HoldRules, valued: frozenset[int], counts: frozenset[Counts]) -> None:
        super().__init__(rules, valued)
        self.counts = counts

    def end(self, counts: Counts) -> Form:
        """The sum, squared."""
        scales = [self.rules.scale(s, counts) for s in range(self.width)]
        whole = [0, *([max(1, *scales)] * self.width)] if counts in self.counts else [0] * (1 + self.width)
        none = np.zeros(len(whole), dtype=object)
        return Form(none[np.newaxis], 1, np.array([[x * y for y in whole] for x in whole], dtype=object), none)


class Most(ActedForms):
    """The largest win, as the largest of some linear forms. `reached`: it is not only a bound."""

    odds = False

    def __init__(self, rules: HoldRules, valued: frozenset[int]) -> None:
        super().__init__(rules, valued)
        self.reached = True

    def moments_of(self, table: Table) -> Moments:
        """The largest value."""
        return largest(table), largest(table) ** 2, 1

    def chosen(self, act: Act, cells: int) -> tuple[Fraction, Fraction]:
        """As if all were chosen, where not the best ones alone are."""
        if act.count is not None and cells > max(act.count.values):
            self.reached = False
        return Fraction(1), Fraction(1)

    def end(self, counts: Counts) -> list[Form]:
        """The win in the end."""
        whole, _ = self.ended(counts)
        return [Form(np.array([whole], dtype=object), 1)]

    def landed(self, after: list[Form], symbol: int, cells: int) -> list[Form]:
        """Before so many cells have landed."""
        return [self.land(form, symbol, cells) for form in after]

    def acted(self, after: list[Form], counts: Counts, landed: Counts) -> list[Form]:
        """Before acts."""
        return [self.act(form, counts, landed) for form in after]

    def either(self, parts: Sequence[tuple[int, list[Form]]], scale: int) -> list[Form]:
        """All forms but those that others are never below."""
        kept: list[Form] = []
        for form in (form for _, forms in parts for form in forms):
            if any(above(other, form) for other in kept):
                continue
            kept = [other for other in kept if not above(form, other)] + [form]
        if len(kept) > CANDIDATES_MAX:
            self.reached = False
            over = math.lcm(*(form.scale for form in kept))
            rows = [form.lines * (over // form.scale) for form in kept]
            kept = [Form(np.maximum.reduce(rows), over)]
        return kept
