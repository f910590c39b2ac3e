"""Checks that need the whole model: what is never used, never reached, or does not fit together.

`problems` says each with path, message and remedy; the loader adds the lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.bounds import (
    awards_of,
    bonuses_of,
    cells_most,
    collected_in_spin,
    draws_most,
    goes_on_as,
    going_on,
    interrupts,
    most_units,
    slots,
    starts_of,
    value_most,
)
from rgs_core.language.mechanics_file import ROWS

Found = Iterator[tuple[str, str, str]]
"""Path, message, remedy."""
LEVELS_IN_SPIN_MAX = 256


def problems(model: m.Model) -> Found:
    """All that is wrong with a model whose parts are right each on its own."""
    yield from _states(model)
    yield from _evaluators(model)
    yield from _wilds(model)
    yield from _groups(model)
    yield from _bonuses(model)
    yield from _values(model)
    yield from _jackpots(model)
    yield from _once(model)
    for state in model.states.values():
        yield from _paylines(model, state)
        yield from _draws(model, state)
        yield from _levels(model, state)
    yield from _multiplied(model)
    yield from _going_on(model)
    yield from _at_once(model)
    yield from _units(model)


def _going_on(model: m.Model) -> Found:
    """A paid spin is no feature; a feature counts a few symbols over all states as which it goes on."""
    if goes_on_as(model, model.states[m.START_STATE]):
        message = "the paid spin is no feature that could go on as another state"
        yield f"states.{m.START_STATE}.triggers", message, "award spins of that state, and carry cells into it"
    for name, state in model.states.items():
        counts = slots(model, state)
        if len(counts) > m.COLLECTED_MAX:
            message = f"features that go on as other states collect under {len(counts)} names: {', '.join(counts)}"
            yield f"states.{name}.triggers", message, f"use at most {m.COLLECTED_MAX} names for all these states"


def _at_once(model: m.Model) -> Found:
    """A feature that is interrupted waits once: so many features wait at most as states and multipliers tell apart."""
    for name, state in model.states.items() if interrupts(model) else ():
        again = sorted((starts_of(model, state) & going_on(model, name)) - {name})
        if again:
            message = f"features that go on as '{name}' start others of state '{again[0]}', while some are interrupted"
            remedy = 'write become = true or state = "self" there, or remove at_once everywhere'
            yield f"states.{name}.triggers", message, remedy


def _multiplied(model: m.Model) -> Found:
    """Features are told apart by state and multiplier, up to a limit."""
    parts = [trigger for state in model.states.values() for trigger in state.triggers]
    given = [part for bonus in model.bonuses.values() for part in words.given(bonus)]
    found = set()
    for part in [*parts, *given]:
        table = getattr(part, "multiplier", None)
        found |= {(part.state, value) for value in table.values} if isinstance(table, words.Table) else set()  # type: ignore[union-attr]
    if len(found) > m.MULTIPLIED_MAX:
        message = f"awards give {len(found)} multipliers to features, each state's counted for itself"
        yield "states", message, f"use at most {m.MULTIPLIED_MAX} different ones"


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
    for name, evaluator in model.evaluators.items():
        if model.top and isinstance(evaluator, words.Cluster):
            message = "clusters in a game with a top reel, whose cells have no fixed neighbours on other reels"
            yield f"evaluators.{name}", message, "pay by ways, count or lines, or remove grid.top"
        if model.top and isinstance(evaluator, words.Match):
            message = "matches in a game with a top reel, whose cells have no fixed neighbours on other reels"
            yield f"evaluators.{name}", message, "pay by ways, count or lines, or remove grid.top"
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
                message = f"no line, way, cluster or match pays for '{symbol}'"
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
        if isinstance(evaluator, words.Lines | words.Match):
            used |= set(evaluator.pays)
        elif isinstance(evaluator, words.Combinations):
            used |= {element for c in evaluator.combinations for element in c.symbols if element}
        elif isinstance(evaluator, words.Scatter | words.Collect):
            used |= {evaluator.symbol, getattr(evaluator, "collector", None) or ""}
    triggers = [trigger for state in model.states.values() for trigger in state.triggers]
    used |= {getattr(trigger, key, None) or "" for trigger in triggers for key in ("symbol", "collector")}
    parts = [*triggers, *(part for state in model.states.values() for part in state.all_transforms)]
    used |= {condition.counted.symbol for part in parts for condition in getattr(part, "in_view", ())}
    for name in model.groups:
        if name not in used:
            yield (
                f"groups.{name}",
                "nothing pays or counts it",
                "name it where something is paid or counted, or remove it",
            )


def _bonuses(model: m.Model) -> Found:
    used = {name for state in model.states.values() for name in bonuses_of(model, state)}
    for name in model.bonuses:
        if name not in used:
            yield f"bonuses.{name}", "no trigger uses it", "add a pick or bonus trigger, or remove it"
    yield from _win_bonuses(model)


def _win_bonuses(model: m.Model) -> Found:
    """Bonuses that multiply a win are played by triggers, when all that the spin wins is known."""
    for name, bonus in model.bonuses.items():
        kind = "segments" if isinstance(bonus, words.Wheel) else "options"
        for i, part in enumerate(words.given(bonus)):
            if part.bonus is not None and "win" in (bonus.of, model.bonuses[part.bonus].of):
                message = "a bonus of the win before or after another bonus"
                yield (
                    f"bonuses.{name}.{kind}[{i}].bonus",
                    message,
                    "play it by a trigger of its own, or write another `of`",
                )
    for name, state in model.states.items():
        ends = [e for e in state.evaluators if getattr(model.evaluators[e], "at", "spin") == "end"]
        for i, trigger in enumerate(state.triggers):
            if not model.multiplies_win(trigger):
                continue
            path = f"states.{name}.triggers[{i}]"
            if state.cascade and trigger.name in state.cascade.remove:
                message = f"a bonus of the win after a step of the cascade, which removes cells for '{trigger.name}'"
                yield path, message, f"leave '{trigger.name}' out of cascade.remove"
            if ends:
                message = f"a bonus of the win in a state that pays '{ends[0]}' at the end, after its bonuses"
                yield path, message, 'pay it at = "spin", or play the bonus in another state'


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
        for i, transform in enumerate(state.transforms):
            if isinstance(transform, words.Act) and not value_most(model, state):
                path = f"states.{name}.transforms[{i}]"
                yield path, "no cell of the state has a value", "add a transform of kind values"
        for i, trigger in enumerate(state.triggers):
            if getattr(trigger, "counts", "") == "values" and not value_most(model, state):
                path = f"states.{name}.triggers[{i}].counts"
                yield path, "no cell of the state has a value", "add a transform of kind values"


def _jackpots(model: m.Model) -> Found:
    """Triggers and pools belong together; no chance is above 1."""
    dearest = max([model.stake_units, *(mode.cost_units for mode in model.modes.values())])
    for name, state in model.states.items():
        for i, trigger in enumerate(state.triggers):
            if not isinstance(trigger, words.JackpotTrigger):
                continue
            path = f"states.{name}.triggers[{i}]"
            if trigger.chance_of(dearest) > trigger.out_of:
                message = f"{trigger.chance} for each of {dearest} units, in {trigger.out_of}"
                yield f"{path}.chance", message, f"keep it at most {trigger.out_of // dearest}"
            yield from _pool(model, trigger.jackpot, f"{path}.jackpot")
    for name, bonus in model.bonuses.items():
        kind = "segments" if isinstance(bonus, words.Wheel) else "options"
        for i, part in enumerate(words.given(bonus)):
            if part.jackpot is not None:
                yield from _pool(model, part.jackpot, f"bonuses.{name}.{kind}[{i}].jackpot")
    for name in model.jackpots:
        if name not in model.jackpots_won:
            yield (
                f"jackpots.{name}",
                "nothing wins it",
                "add a trigger of kind jackpot, a segment or option with it, or must_hit_by",
            )


def _once(model: m.Model) -> Found:
    """Triggers that fire once a feature belong to features."""
    for i, trigger in enumerate(model.states[m.START_STATE].triggers if m.START_STATE in model.states else ()):
        if getattr(trigger, "once", False):
            path = f"states.{m.START_STATE}.triggers[{i}].once"
            yield path, "every paid spin is a feature of its own", "remove it, or write it into a state that is awarded"


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


def _levels(model: m.Model, state: m.State) -> Found:
    """A spin reaches a number of levels without end that can be told one by one."""
    for i, trigger in enumerate(state.triggers):
        if isinstance(trigger, words.CollectedTrigger) and trigger.endless:
            most = collected_in_spin(model, state, trigger)
            if most // trigger.every > LEVELS_IN_SPIN_MAX:
                path = f"states.{state.name}.triggers[{i}].every"
                message = f"one spin could reach {most // trigger.every} levels"
                yield path, message, f"let each level need {-(-most // LEVELS_IN_SPIN_MAX)} at least"


def _draws(model: m.Model, state: m.State) -> Found:
    draws = draws_most(model, state)
    if draws <= m.SPIN_DRAWS_MAX:
        return
    remedies = []
    if any(isinstance(trigger, words.PickTrigger) for trigger in state.triggers):
        remedies.append(f"keep picks x prizes x paylines below {m.SPIN_DRAWS_MAX}")
    if any(isinstance(trigger, words.BonusTrigger) for trigger in state.triggers):
        remedies.append(f"keep plays x numbers drawn by a bonus below {m.SPIN_DRAWS_MAX}")
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
