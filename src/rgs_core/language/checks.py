"""Checks that need the whole model: what is never used, never reached, or does not fit together.

`problems` says each with path, message and remedy; the loader adds the lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.bounds import awards_of, bonuses_of, cells_most, draws_most, most_units, value_most
from rgs_core.language.mechanics_file import ROWS

Found = Iterator[tuple[str, str, str]]
"""Path, message, remedy."""


def problems(model: m.Model) -> Found:
    """All that is wrong with a model whose parts are right each on its own."""
    yield from _states(model)
    yield from _evaluators(model)
    yield from _wilds(model)
    yield from _groups(model)
    yield from _bonuses(model)
    yield from _values(model)
    yield from _jackpots(model)
    for state in model.states.values():
        yield from _paylines(model, state)
        yield from _draws(model, state)
    yield from _units(model)


def _states(model: m.Model) -> Found:
    """Every state is reached; a special symbol needs a feature."""
    starts = [m.START_STATE, *(mode.start for mode in model.modes.values())]
    reached: set[str] = set()
    ways = list(starts)
    while ways:
        name = ways.pop()
        if name not in reached:
            reached.add(name)
            ways += awards_of(model, model.states[name])
    for name, state in model.states.items():
        if name not in reached:
            message = f"no trigger, wheel or mode leads here from '{m.START_STATE}'"
            yield f"states.{name}", message, "add a trigger or remove the state"
        if state.special and name in starts:
            mode = next((mode.name for mode in model.modes.values() if mode.start == name), m.BASE_MODE)
            message = f"a special symbol in the state with which mode '{mode}' starts"
            remedy = "write it into a state whose spins are awarded"
            if mode != m.BASE_MODE:
                remedy += ", and start the mode with one that awards them"
            yield f"states.{name}.special", message, remedy


def _evaluators(model: m.Model) -> Found:
    for name in model.evaluators:
        if all(name not in state.evaluators for state in model.states.values()):
            yield f"evaluators.{name}", "no state uses it", "list it in a state or remove it"


def _helped(model: m.Model) -> set[str]:
    """Symbols for which a wild can stand in: those of lines, combinations, ways, clusters and some counts."""
    helped: set[str] = set()
    for evaluator in model.evaluators.values():
        if isinstance(evaluator, words.Combinations):
            helped |= {element for c in evaluator.combinations for element in c.symbols if element}
        elif not isinstance(evaluator, words.Scatter | words.Collect) and getattr(evaluator, "wilds", True):
            helped |= set(evaluator.pays)
    for name, members in model.groups.items():
        if name in helped:
            helped |= members
    return helped


def _wilds(model: m.Model) -> Found:
    helped = _helped(model)
    old = all(isinstance(evaluator, words.Lines | words.Scatter) for evaluator in model.evaluators.values())
    for wild in model.wilds.values():
        path = f"wilds.{wild.symbol}"
        for symbol in sorted(wild.substitutes - helped):
            if old:
                message, remedy = f"no line pays for '{symbol}'", "remove it; wilds stand in on lines only"
            else:
                message = f"no line, way or cluster pays for '{symbol}'"
                remedy = "remove it; wilds do not stand in for scatters, and for counts only with wilds = true"
            yield f"{path}.substitutes", message, remedy
        for evaluator in model.evaluators.values():
            helps = isinstance(evaluator, words.Ways) and wild.substitutes & evaluator.pays.keys()
            if helps and wild.multiplies and wild.combine != "product":
                message = f"'{wild.combine}' has no meaning for the ways of '{evaluator.name}'"
                yield f"{path}.combine", message, 'write combine = "product": each way has the product of its wilds'


def _groups(model: m.Model) -> Found:
    used: set[str] = set()
    for evaluator in model.evaluators.values():
        if isinstance(evaluator, words.Lines):
            used |= set(evaluator.pays)
        elif isinstance(evaluator, words.Combinations):
            used |= {element for c in evaluator.combinations for element in c.symbols if element}
    for name in model.groups:
        if name not in used:
            yield f"groups.{name}", "no evaluator pays for it", "add pays on lines or a combination, or remove it"


def _bonuses(model: m.Model) -> Found:
    used = {name for state in model.states.values() for name in bonuses_of(model, state)}
    for name in model.bonuses:
        if name not in used:
            yield f"bonuses.{name}", "no trigger uses it", "add a pick or bonus trigger, or remove it"


def _values(model: m.Model) -> Found:
    """What reads the values of cells needs a state whose cells have some."""
    for name, evaluator in model.evaluators.items():
        reads = isinstance(evaluator, words.Collect) or getattr(evaluator, "cell_values", "ignore") != "ignore"
        using = [state for state in model.states.values() if name in state.evaluators]
        if reads and using and not any(value_most(model, state) for state in using):
            message = "no cell has a value in the states that use it"
            yield f"evaluators.{name}", message, "add a transform of kind values to one of them"
    for name, state in model.states.items():
        if state.final and not value_most(model, state):
            yield f"states.{name}.final", "no cell of the state has a value", "add a transform of kind values"


def _jackpots(model: m.Model) -> Found:
    """Triggers and pools belong together; no chance is above 1."""
    dearest = max([model.stake_units, *(mode.cost_units for mode in model.modes.values())])
    won: set[str] = set()
    for name, state in model.states.items():
        for i, trigger in enumerate(state.triggers):
            if not isinstance(trigger, words.JackpotTrigger):
                continue
            path = f"states.{name}.triggers[{i}]"
            won.add(trigger.jackpot)
            if trigger.chance_of(dearest) > trigger.out_of:
                message = f"{trigger.chance} for each of {dearest} units, in {trigger.out_of}"
                yield f"{path}.chance", message, f"keep it at most {trigger.out_of // dearest}"
            yield from _pool(model, trigger.jackpot, f"{path}.jackpot")
    for name, bonus in model.bonuses.items():
        kind = "segments" if isinstance(bonus, words.Wheel) else "options"
        for i, part in enumerate(words.given(bonus)):
            if part.jackpot is not None:
                won.add(part.jackpot)
                yield from _pool(model, part.jackpot, f"bonuses.{name}.{kind}[{i}].jackpot")
    for name, jackpot in model.jackpots.items():
        if jackpot.must_hit_by is None and name not in won:
            yield (
                f"jackpots.{name}",
                "nothing wins it",
                "add a trigger of kind jackpot, a segment or option with it, or must_hit_by",
            )


def _pool(model: m.Model, jackpot: str, path: str) -> Found:
    """Whether something that wins a jackpot names one that there is, where the model has pools."""
    pool = model.jackpots.get(jackpot)
    if model.jackpots and pool is None:
        known = ", ".join(model.jackpots)
        yield path, f"no jackpot '{jackpot}'", f"add [jackpots.{jackpot}]; known: {known}"
    if pool is not None and pool.must_hit_by is not None:
        yield path, f"'{jackpot}' drops by its amount (must_hit_by)", "remove what wins it, or must_hit_by"


def _paylines(model: m.Model, state: m.State) -> Found:
    """Paylines need fixed heights, and rows that there are."""
    paylines = model.paylines_of(state)
    path = f"states.{state.name}.evaluators"
    if not paylines or state.heights is None:
        return
    if any(len(reel.values) > 1 for reel in state.heights):
        remedy = "give the reels of the state fixed heights, or pay by ways, count or cluster"
        yield path, "paylines on reels whose height is drawn", remedy
        return
    for number, line in enumerate(paylines, start=1):
        for reel, row in enumerate(line):
            rows = state.heights[reel].values[0]
            if row >= rows:
                message = f"payline {number} runs through row {ROWS[row]} of reel {reel + 1}, which has {rows} rows"
                yield path, message, f"write rows from 0 to {ROWS[rows - 1]} there, or give the reel more rows"
                return


def _draws(model: m.Model, state: m.State) -> Found:
    draws = draws_most(model, state)
    if draws <= m.SPIN_DRAWS_MAX:
        return
    remedies = [f"keep picks x prizes x paylines below {m.SPIN_DRAWS_MAX}"] if state.triggers else []
    if state.cascade:
        remedies.append(
            f"lower cascade.steps_max ({state.cascade.steps_max} steps of {cells_most(model, state)} cells)"
        )
    key = "cascade" if state.cascade else "triggers"
    path = f"states.{state.name}.{key}"
    yield path, f"one spin could draw {draws} numbers", "; ".join(remedies) or "use fewer reels, rows or transforms"


def _units(model: m.Model) -> Found:
    if most_units(model) <= m.WIN_UNITS_MAX:
        return
    if model.win_max is None:
        remedy = "lower pays, multipliers or caps.free_spins, or set caps.win if one spin cannot win so much"
        yield "file", "a round could win more than 2^62 units", remedy
    else:
        remedy = "lower pays, values, multipliers or cascade.steps_max, or let less persist"
        yield "file", "one spin could win more than 2^62 units, before the maximum win is looked at", remedy
