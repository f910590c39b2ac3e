"""Forms of sums of values: means of wins and of their squares, as acts and landing cells change them.

With S_s the sum of the values of some cells and Q_s that of their squares, and z = (1, S_1, S_2, ...), a form is

    z' A z + sum_s b_s Q_s,

with linear forms of z beside it. What happens to cells is put in: where each of n cells of s becomes more by y, S_s
becomes S_s + n y and Q_s becomes Q_s + 2 y S_s + n y^2. All in integers over one scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.object_]
Moments = tuple[int, int, int]
"""E[V] and E[V^2] of a value, and what both are divided by."""


@dataclass(frozen=True)
class Form:
    """z' A z + sum b Q, and further linear forms of z, the rows of `lines`; all over `scale`. Without `square`, A and b,
    there are only those."""

    lines: Rows
    scale: int
    square: Rows | None = None
    each: Rows | None = None

    @property
    def size(self) -> int:
        """Length of z."""
        return int(self.lines.shape[1])

    def linear(self, z: Sequence[Fraction]) -> list[Fraction]:
        """The linear forms for these means of z."""
        return [sum((int(a) * x for a, x in zip(row, z, strict=True)), Fraction(0)) / self.scale for row in self.lines]

    def quadratic(self, squares: Rows, each: Sequence[Fraction]) -> Fraction:
        """The quadratic one for these means of z z' and of Q."""
        assert self.square is not None
        assert self.each is not None
        pairs = zip(self.square.tolist(), squares.tolist(), strict=True)
        whole = sum((a * x for row, means in pairs for a, x in zip(row, means, strict=True)), Fraction(0))
        return (whole + sum((int(b) * x for b, x in zip(self.each, each, strict=True)), Fraction(0))) / self.scale


class Editing:
    """A form while acts are put into it, in the order in which they were done last to first. Its z has the sums of held
    cells first, then those that wait to act and have acted, by symbol, and the value of the cell that acts."""

    def __init__(self, form: Form, size: int) -> None:
        old = form.size
        self.lines: Rows = np.zeros((len(form.lines), size), dtype=object)
        self.lines[:, :old] = form.lines
        self.scale = form.scale
        self.square: Rows | None = None
        self.each: Rows = np.zeros(size, dtype=object)
        if form.square is not None:
            self.square = np.zeros((size, size), dtype=object)
            self.square[:old, :old] = form.square
            self.each[:old] = form.each

    def form(self, size: int) -> Form:
        """The form of the first sums only, where all others are nothing."""
        lines = self.lines[:, :size]
        if self.square is None:
            shared = math.gcd(self.scale, *lines.flat)
            return Form(lines // shared, self.scale // shared)
        square, each = self.square[:size, :size], self.each[:size]
        shared = math.gcd(self.scale, *lines.flat, *each, *square.flat)
        return Form(lines // shared, self.scale // shared, square // shared, each // shared)

    def copy(self) -> Editing:
        """Another one to change."""
        return Editing(Form(self.lines, self.scale, self.square, self.each), len(self.each))

    def undo(self, steps: Sequence[Step]) -> None:
        """Puts steps in, the last one first."""
        for step in reversed(steps):
            step(self)

    def mix(self, chance: int, other: Editing, out_of: int) -> None:
        """With these odds as it is, else as the other."""
        scale = math.lcm(self.scale, other.scale)
        own, others = chance * (scale // self.scale), (out_of - chance) * (scale // other.scale)
        self.lines = self.lines * own + other.lines * others
        if self.square is not None and other.square is not None:
            self.square = self.square * own + other.square * others
            self.each = self.each * own + other.each * others
        self.scale = scale * out_of

    def times(self, factor: int) -> None:
        """The same over a larger scale."""
        if factor != 1:
            self.lines *= factor
            if self.square is not None:
                self.square *= factor
                self.each *= factor
            self.scale *= factor

    def shift(self, of: Sequence[int], by: int, cells: Sequence[int]) -> None:
        """Each of these sums becomes more by so many times `by`."""
        n = np.array(cells, dtype=object)
        self.lines[:, by] += self.lines[:, of].dot(n)
        if self.square is not None:
            self.square[:, by] += self.square[:, of].dot(n)
            self.square[by, :] += n.dot(self.square[of, :])

    def gather(self, into: int, of: Sequence[int]) -> None:
        """`into` becomes more by all of these."""
        self.lines[:, of] += self.lines[:, [into]]
        if self.square is not None:
            self.square[:, of] += self.square[:, [into]]
            self.square[of, :] += self.square[[into], :]

    def cells(self, of: Sequence[int], by: int, cells: Sequence[int]) -> None:
        """Each of so many cells of these sums becomes more by `by`."""
        if not of:
            return
        self.shift(of, by, cells)
        if self.square is not None:
            squares = self.each[of]
            self.square[of, by] += squares
            self.square[by, of] += squares
            self.square[by, by] += squares.dot(np.array(cells, dtype=object))

    def join(self, of: int, by: int) -> None:
        """A cell of value `by` joins `of`."""
        self.gather(of, [by])
        if self.square is not None:
            self.square[by, by] += self.each[of]

    def merge(self, into: int, of: int) -> None:
        """All cells of `of` join `into`, and leave it empty."""
        self.drop(of)
        self.gather(into, [of])
        self.each[of] = self.each[into]

    def drop(self, of: int) -> None:
        """`of` is nothing before."""
        self.lines[:, of] = 0
        self.each[of] = 0
        if self.square is not None:
            self.square[:, of] = 0
            self.square[of, :] = 0

    def land(self, into: int, moments: Moments, cells: int) -> None:
        """So many new cells join `into`, each with a value of its own."""
        first, second, over = moments
        one = cells * first * over
        lines = one * self.lines[:, into]
        if self.square is None:
            self.times(over**2)
            self.lines[:, 0] += lines
            return
        square, own = self.square, cells * second * over
        two = own + cells * (cells - 1) * first**2
        corner = over**2 * square[0, 0] + 2 * one * square[0, into] + two * square[into, into] + own * self.each[into]
        more = one * square[into, 1:]
        self.times(over**2)
        self.lines[:, 0] += lines
        square[0, 1:] += more
        square[1:, 0] += more
        square[0, 0] = corner

    def take(self, of: int, left: int, value: int) -> None:
        """The cell that acts is one of `left` equal ones that wait in `of`."""
        self.shift([of], value, [-1])
        if self.square is not None:
            self.square[value, value] -= self.each[of]
        self.times(left)
        self.lines[:, of] += self.lines[:, value] // left
        if self.square is not None:
            column = self.square[:, value] // left
            self.each[of] += column[value]
            column[value] = 0
            self.square[value, :] = 0
            self.square[:, value] = 0
            self.square[of, :] += column
            self.square[:, of] += column
        self.lines[:, value] = 0

    def multiply(self, over: Sequence[int], value: int, moments: Moments, chosen: tuple[Fraction, Fraction]) -> None:
        """Cells of `over` are multiplied by the value of the cell that acts, drawn for itself: one cell with odds of
        `chosen[0]`, two of them with `chosen[1]`."""
        first, second = Fraction(moments[0], moments[2]), Fraction(moments[1], moments[2])
        one, two = chosen
        spread = second - 2 * first + 1
        inside, partly = 1 + 2 * (first - 1) * one + spread * two, 1 + (first - 1) * one
        beside, more, cross = first + (second - first) * one, 1 + (second - 1) * one, spread * (one - two)
        shared = math.lcm(*(x.denominator for x in (first, second, inside, partly, beside, more, cross)))

        def factor(x: Fraction) -> int:
            return int(x * shared)

        acted = list(over)
        lines = np.full(len(self.each), shared, dtype=object)
        lines[acted] = factor(partly)
        lines[value] = factor(first)
        self.lines *= lines
        if self.square is not None:
            factors = np.full(self.square.shape, shared, dtype=object)
            factors[acted, :] = factor(partly)
            factors[:, acted] = factor(partly)
            factors[np.ix_(acted, acted)] = factor(inside)
            factors[value, :] = factors[:, value] = factor(first)
            factors[acted, value] = factors[value, acted] = factor(beside)
            factors[value, value] = factor(second)
            diagonal = factor(cross) * self.square[acted, acted]
            self.square *= factors
            each = np.full(len(self.each), shared, dtype=object)
            each[acted] = factor(more)
            self.each *= each
            self.each[acted] += diagonal
        self.scale *= shared
        self.gather(value, [0])
        self.drop(value)


Step = Callable[[Editing], None]
"""What happens to cells, as a change of the form that comes after it."""


def above(a: Form, b: Form) -> bool:
    """Whether a linear form is nowhere below another one."""
    return bool(np.all(a.lines * b.scale >= b.lines * a.scale))
