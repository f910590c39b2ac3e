"""Laws of features of hold and spin whose cells act on the values of others: their moments.

Values never grow beyond the `max` of an act, which is nothing linear. So features in which one may get there must not
matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.memory.acting import over_symbols
from rgs_core.exact.memory.forms import Form, Rows
from rgs_core.exact.memory.hold import NO_VALUE, Counts, HoldRules, HoldStart, Situation, Start, largest, table_mean
from rgs_core.exact.memory.hold_acts import Beyond, Means, Most
from rgs_core.exact.memory.hold_backwards import values
from rgs_core.exact.spin_terms import Amount, Value
from rgs_core.language.mechanics import Act, Table

SPREAD_NEGLIGIBLE, MEAN_NEGLIGIBLE = Fraction(1, 10**9), Fraction(1, 10**12)
"""Part of E[win^2] and of E[win], at most, of values that grow beyond the largest that acts make."""


@dataclass(frozen=True)
class ActingStart(HoldStart):
    """A feature whose cells act on the values of others: `won` are the moments of its win, `paid` means by evaluator."""

    won: Awarding | None = None
    paid: Mapping[str, Fraction] | None = None

    @property
    def moments(self) -> Awarding:
        """E[X], E[X^2], P(X = 0) and the largest X."""
        assert self.won is not None
        return self.won

    def mean_parts(self) -> dict[str, Fraction]:
        """Mean units by evaluator."""
        return dict(self.paid or {})

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Raises AnalysisError: sums whose terms multiply each other have no such transform."""
        raise self._unknown

    @property
    def step(self) -> int:
        """Raises AnalysisError as `terms`."""
        raise self._unknown

    def law(self) -> dict[int, Fraction]:
        """Raises AnalysisError as `terms`."""
        raise self._unknown

    @property
    def _unknown(self) -> AnalysisError:
        return AnalysisError(
            f"cells of state '{self.state_name}' act on the values of others, so that only the mean and the spread of its "
            "features are exact"
        )


def acting_starts(laws: Mapping[Start, HoldStart]) -> dict[Start, HoldStart]:
    """Laws of features by how they begin, from those without acts. Raises AnalysisError with the reason where there are
    none."""
    starts = list(laws)
    if not starts:
        return {}
    rules = laws[starts[0]].rules
    for start in starts:
        _check_values(rules, start)
    carried = [(s, start.carried[s]) for start in starts for s, n in enumerate(rules.counts(start.held)) if n]
    valued = frozenset(s for s, table in [*enumerate(rules.values), *carried] if table != NO_VALUE)
    means = values(rules, starts, Means(rules, valued))
    most = Most(rules, valued)
    tops = values(rules, starts, most)
    found: dict[Start, HoldStart] = {}
    gone = _beyond(rules, laws, valued)
    for start, law in laws.items():
        _check_nothing(law, valued)
        form = means[start.held, start.spins]
        z, squares, each = _begun(law, lambda table: table_mean(table, 1), lambda table: table_mean(table, 2))
        parts, second = form.linear(z), form.quadratic(squares, each)
        z, _, _ = _begun(law, lambda table: Fraction(largest(table)), lambda table: Fraction(largest(table) ** 2))
        top = max(form.linear(z)[0] for form in tops[start.held, start.spins])
        neglected = 0.0
        if gone is not None:
            beyond = gone[start.held, start.spins].quadratic(squares, each)
            most_value = min(act.value_max for act in rules.acts)
            if beyond > min(second * SPREAD_NEGLIGIBLE, sum(parts) * most_value * MEAN_NEGLIGIBLE):
                raise AnalysisError(
                    f"values that acts of state '{rules.state.name}' make may reach their 'max', and those that may are "
                    f"{float(beyond / second):.1e} of the mean square of what its features win, for which there is no exact law"
                )
            neglected = float(beyond / most_value**2)
        found[start] = ActingStart(
            rules,
            start,
            law.ends,
            law.spins,
            law.granted,
            law.states,
            neglected,
            most.reached and gone is None,
            won=Awarding(Fraction(1), sum(parts, Fraction(0)), second, law.moments.nothing, math.ceil(top)),
            paid=dict(zip(rules.state.evaluators, parts, strict=True)),
        )
    return found


# --- Values that are out of reach ------------------------------------------------------------------------


def _check_values(rules: HoldRules, start: Start) -> None:
    """Raises AnalysisError where cells of the same symbol may have values or not."""
    counts = rules.counts(start.held)
    for s, symbol in enumerate(rules.symbols if start.carried else ()):
        lands = any(c.weights[s] for c in rules.classes)
        without = rules.values[s] == NO_VALUE
        if counts[s] and without != (start.carried[s] == NO_VALUE) and lands:
            raise AnalysisError(
                f"state '{rules.state.name}' gives '{symbol}' no value, and it is carried into it with one"
            )
        multiplies = any(a.does.startswith("multiply") and not a.once and symbol in a.symbols for a in rules.acts)
        if counts[s] and multiplies and start.carried[s] != rules.values[s]:
            raise AnalysisError(
                f"state '{rules.state.name}' multiplies by values of '{symbol}' that are carried into it"
            )


def _check_nothing(law: HoldStart, valued: frozenset[int]) -> None:
    """Raises AnalysisError where a feature pays by collectors alone that may have collected nothing."""
    rules = law.rules
    for counts in law.ends:
        paying = [s for s, scale in enumerate(law.scales(counts)) if scale and counts[s]]
        if paying and not valued & set(paying) and rules.fixed(counts) == 0:
            raise AnalysisError(
                f"cells of '{rules.symbols[paying[0]]}' in state '{rules.state.name}' have no value before they collect some, "
                "and it may pay by them alone: give them a value"
            )


def _beyond(rules: HoldRules, laws: Mapping[Start, HoldStart], valued: frozenset[int]) -> dict[Situation, Form] | None:
    """E[T^2] of what all values pay together in features in which one of them may reach the largest that acts make; None
    where none can. That bounds what is wrong where they are taken to grow on."""
    most = min(act.value_max for act in rules.acts)
    beyond = {n for law in laws.values() for n, p in law.ends.items() if p and _total(law, n) > most}
    return values(rules, laws, Beyond(rules, valued, frozenset(beyond))) if beyond else None


def _total(law: HoldStart, counts: Counts) -> int:
    """A bound on the sum of all values where so many cells are held in the end: as if those that act once did so before
    all others, and all that is added were added before it is multiplied. Payers that pay each other double; one whose
    value may come from others pays at most the whole sum."""
    rules = law.rules
    held = [s for s, n in enumerate(counts) if n]
    own = {rules.symbols[s]: max(largest(table) for table, _ in law.tables(s, counts[s])) for s in held}
    actors = [(act, rules.symbols[s], counts[s]) for act in rules.acts for s in held if rules.symbols[s] in act.symbols]
    totals = {rules.symbols[s]: counts[s] * own[rules.symbols[s]] for s in held}
    factor = 1
    for act, name, n in actors:
        if act.once and act.does == "add_to_all" and _fed(rules.acts, name, own):
            factor *= (1 + rules.cells) ** n
        elif act.once and act.does == "add_to_all":
            for other in over_symbols(act, own):
                totals[other] += rules.cells * own[name] * (2**n - 1)
        elif act.once:
            factor *= (2 if act.does == "collect_all" else max(1, own[name])) ** n
    totals = {name: total * factor for name, total in totals.items()}
    again = [(act, name, n) for act, name, n in actors if not act.once]
    for _ in range(law.granted if again else 0):
        for act, name, n in again:
            over = over_symbols(act, own) - {name}
            if act.does == "collect_all":
                totals[name] += n * sum(totals[other] for other in over)
            for other in over if act.does != "collect_all" else ():
                paid = counts[rules.symbols.index(other)] * totals[name]
                totals[other] = totals[other] + paid if act.does == "add_to_all" else totals[other] * own[name] ** n
        if sum(totals.values()).bit_length() > 64:
            break
    return sum(totals.values())


def _fed(acts: Sequence[Act], name: str, valued: Collection[str]) -> bool:
    """Whether values of other symbols may be added to that of a cell before it acts."""
    for act in acts:
        if act.does == "collect_all" and name in act.symbols:
            return True
        if act.does == "add_to_all" and act.symbols - {name} and name in over_symbols(act, valued):
            return True
    return False


def _begun(
    law: HoldStart, first: Callable[[Table], Fraction], second: Callable[[Table], Fraction]
) -> tuple[list[Fraction], Rows, list[Fraction]]:
    """Means of z, of z z' and of Q when a feature begins, of cells whose values are independent."""
    z, each = [Fraction(1)], [Fraction(0)]
    spread = [Fraction(0)]
    for s, n in enumerate(law.carried):
        table = law.start.carried[s] if n else NO_VALUE
        one, two = first(table), second(table)
        z.append(n * one)
        each.append(n * two)
        spread.append(n * (two - one**2))
    squares = np.array([[x * y for y in z] for x in z], dtype=object)
    squares[range(len(z)), range(len(z))] += np.array(spread, dtype=object)
    return z, squares, each
