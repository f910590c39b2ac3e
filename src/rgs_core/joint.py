"""Joint law of one spin over its whole cycle: what it wins, what it awards, together and exact.

Two algorithms give it, in compiled integers: merging equal situations reel by reel (the default), and
visiting every combination of stops. Pick bonuses are drawn after the stops; they are kept as the number
of matching lines, and their own law is exact too (rgs_core.picks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import COUNTED_MAX, Engine
from rgs_core.errors import AnalysisError
from rgs_core.feature import Awarding, SpinLaw
from rgs_core.model import FreeSpinsTrigger, Model, PickTrigger, Scatter, State
from rgs_core.picks import pick_extremes, pick_moments


@dataclass(frozen=True)
class Joint:
    """Row i: with `weights[i]` of `cycle` combinations a spin wins `units[i]` before picks, awards
    `awarded[i]` free spins and matches pick trigger t on `matches[i, t]` lines.

    `units` int64[n], `awarded` int64[n], `matches` int64[n, pick triggers], `weights` object[n] of ints;
    `parts` sums units x weight by evaluator name, exact ints.
    """

    model: Model
    state: State
    units: NDArray[np.int64]
    awarded: NDArray[np.int64]
    matches: NDArray[np.int64]
    weights: NDArray[np.object_]
    parts: Mapping[str, int]
    cycle: int

    @property
    def picks(self) -> list[PickTrigger]:
        """Pick triggers, in the order of the columns of `matches`."""
        return [t for t in self.state.triggers if isinstance(t, PickTrigger)]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """float64[n], correctly rounded."""
        return np.array([int(weight) / self.cycle for weight in self.weights], dtype=np.float64)

    def mean_parts(self) -> dict[str, Fraction]:
        """Mean units by evaluator and pick trigger name."""
        parts = {name: Fraction(total, self.cycle) for name, total in self.parts.items()}
        for column, trigger in enumerate(self.picks):
            matched = int((self.weights * self.matches[:, column]).sum())
            parts[trigger.name] = Fraction(matched, self.cycle) * pick_moments(self.model, self.state, trigger)[0]
        return parts

    def by_award(self) -> SpinLaw:
        """Exact moments of the win by the number of spins awarded, picks included."""
        picks = [
            (*pick_moments(self.model, self.state, trigger), *pick_extremes(self.model, self.state, trigger))
            for trigger in self.picks
        ]
        groups, member = np.unique(np.column_stack([self.awarded, self.matches]), axis=0, return_inverse=True)
        law: dict[int, list[Fraction]] = {}
        most: dict[int, int] = {}
        for index, (awarded, *matched) in enumerate(groups.tolist()):
            rows = member.reshape(-1) == index
            weights, units = self.weights[rows], self.units[rows].astype(object)
            total, first, second = (int(x.sum()) for x in (weights, weights * units, weights * units * units))
            nothing = Fraction(int(weights[units == 0].sum()))
            mean = variance = Fraction(0)
            top = int(units.max())
            for n, (pick_mean, pick_variance, pick_nothing, pick_most) in zip(matched, picks, strict=True):
                mean += n * pick_mean
                variance += n * pick_variance
                nothing *= pick_nothing**n
                top += n * pick_most
            tally = law.setdefault(awarded, [Fraction(0)] * 4)
            tally[0] += total
            tally[1] += first + total * mean
            tally[2] += second + 2 * first * mean + total * (mean**2 + variance)
            tally[3] += nothing
            most[awarded] = max(top, most.get(awarded, 0))
        scaled = {r: [x / self.cycle for x in tally] for r, tally in law.items()}
        return {r: Awarding(p, first, second, zero, most[r]) for r, (p, first, second, zero) in scaled.items()}


def counted_symbols(model: Model, state: State) -> list[str]:
    """Symbols whose number in view matters in a state: those of its scatters and free-spin triggers."""
    scatters = [e.symbol for name in state.evaluators if isinstance(e := model.evaluators[name], Scatter)]
    return list(dict.fromkeys(scatters + [t.symbol for t in state.triggers if isinstance(t, FreeSpinsTrigger)]))


def joint_law(engine: Engine, state_index: int, *, merge: bool = True) -> Joint:
    """Joint law of a state, by merging or (merge=False) by visiting every combination.

    Raises AnalysisError when more than COUNTED_MAX symbols are counted or the law is too large to hold.
    """
    model = engine.build.model
    state = engine.tables.states[state_index].state
    symbols = counted_symbols(model, state)
    if len(symbols) > COUNTED_MAX:
        raise AnalysisError(f"state '{state.name}' counts {len(symbols)} symbols; the joint law counts {COUNTED_MAX}")
    pays, counts, matches, weights = engine.joint(
        state_index, [model.symbols.index(symbol) for symbol in symbols], merge=merge
    )
    units, awarded = pays.copy(), np.zeros_like(pays)
    parts: dict[str, int] = {}
    table = engine.tables.states[state_index]
    for name, evaluator in zip(state.evaluators, table.evaluators, strict=True):
        amounts = pays
        if isinstance(evaluator.evaluator, Scatter):
            amounts = evaluator.pays[counts[:, symbols.index(evaluator.evaluator.symbol)]]
            units += amounts
        parts[name] = int((weights * amounts).sum())
    for trigger in table.triggers:
        if isinstance(trigger.trigger, FreeSpinsTrigger):
            awarded += trigger.spins[counts[:, symbols.index(trigger.trigger.symbol)]].astype(np.int64)
    pick_columns = [i for i, t in enumerate(state.triggers) if isinstance(t, PickTrigger)]
    return Joint(
        model=model,
        state=state,
        units=units,
        awarded=awarded,
        matches=matches[:, pick_columns].astype(np.int64),
        weights=weights,
        parts=parts,
        cycle=int(weights.sum()),
    )
