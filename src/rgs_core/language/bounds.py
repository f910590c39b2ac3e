"""Upper bounds that hold whatever is drawn: numbers drawn by a spin, units won by a spin and by a round.

They follow from pay tables, multipliers and limits alone, not from the strips. The loader refuses a model whose
bounds do not fit into 64 bits or into the draws of a spin, so the engine needs no check while it plays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

from rgs_core.language import mechanics as words
from rgs_core.language import model as m

HUGE = 2**256
"""Bounds above this are all the same: far too much."""


def draws_most(model: m.Model, state: m.State) -> int:
    """Most numbers that one spin of a state draws."""
    cells = cells_most(model, state)
    heights = state.heights or ()
    draws = cells if state.cells else model.reels + bool(model.top)
    draws += sum(len(reel.values) > 1 for reel in heights) + (state.strip_choice is not None)
    draws += state.modifiers is not None
    draws += state.linked is not None
    draws += state.special.count_most if state.special is not None and len(state.special.table.symbols) > 1 else 0
    draws += sum(_transform_draws(model, transform, cells) for transform in state.transforms)
    jumps = {t.each for t in state.transforms if isinstance(t, words.Stick) and t.jump}
    draws += cells * ("spin" in jumps)
    if state.cascade:
        again = [t for t in state.transforms if isinstance(t, words.Reveal | words.Values)]
        step = sum(_transform_draws(model, transform, cells) for transform in again)
        step += cells if state.cascade.refill == "fresh" else 0
        step += sum(
            _transform_draws(model, t, cells) for t in (state.cascade.charge.then if state.cascade.charge else ())
        )
        step += cells * ("step" in jumps)
        step += cells * any(len(table.symbols) > 1 for table in state.cascade.become.values())
        step += cells * max((_leave_draws(rule) for rule in state.cascade.leave), default=0)
        draws += step * (state.cascade.steps_max - 1)
    draws += sum(getattr(transform, "odds", None) is not None for transform in state.transforms)
    lines = len(model.paylines_of(state))
    for trigger in state.triggers:
        draws += _drawn(getattr(trigger, "multiplier", None)) * _times(state, trigger.name)
        if isinstance(trigger, words.PickTrigger):
            draws += lines * _bonus_draws(model, trigger.pick)
        elif isinstance(trigger, words.BonusTrigger):
            plays = max(trigger.plays.values()) * _times(state, trigger.name)
            draws += plays * _bonus_draws(model, trigger.bonus)
        draws += isinstance(trigger, words.JackpotTrigger) or getattr(trigger, "odds", None) is not None
    return draws + (m.CALLBACK_DRAWS_MAX if state.callback else 0)


def most_units(model: m.Model) -> int:
    """Upper bound of the win of one round in units, from the model alone (not from the strips).

    With a maximum win a round is cut after the spin that reaches it, so the bound is of the uncut sum.
    """
    modes = [m.Mode(m.BASE_MODE, model.stake_units, m.START_STATE, 1), *model.modes.values()]
    spins_most = model.free_spins_max + max(mode.spins for mode in modes)
    bounds = {
        name: spin_units(model, state, spins_most) * award_multiplier_most(model, name)
        for name, state in model.states.items()
    }
    # a state that is not awarded is in the queue once, with the spins of its mode, so it remembers no more than those
    awarded = awarded_states(model)
    linked = {mode: going_on(model, mode.start) for mode in modes}
    started = {
        mode: max(bounds[name] for name in linked[mode])
        if mode.start in awarded or len(linked[mode]) > 1
        else spin_units(model, model.states[mode.start], mode.spins)
        for mode in modes
    }
    further = model.free_spins_max * max((bounds[name] for name in awarded), default=0)
    total = max(mode.spins * spin for mode, spin in started.items()) + further
    if model.win_units_cap is not None:
        spin = max([*started.values(), *(bounds[name] for name in awarded)])
        total = min(total, model.win_units_cap + spin)
    return total + gamble_units(model)


def goes_on_as(model: m.Model, state: m.State) -> set[str]:
    """States as which a feature of `state` may go on, by its triggers and the bonuses that they play."""
    parts = [part for name in bonuses_of(model, state) for part in words.given(model.bonuses[name]) if part.become]
    return {*state.goes_on_as, *(part.state for part in parts if part.state)}


def going_on(model: m.Model, name: str | None = None) -> set[str]:
    """States that are part of features which go on as others; with a name those that its features are linked with."""
    links = [{state.name, *goes_on_as(model, state)} for state in model.states.values() if goes_on_as(model, state)]
    found = set().union(*links) if name is None else {name}
    for _ in links:
        found |= {other for link in links if link & found for other in link}
    return found


def slots(model: m.Model, state: m.State) -> list[str]:
    """Names of the triggers whose counts a feature of the state may have, in order: also of the states that it may go on
    as, as such a count goes on with it."""
    linked = going_on(model, state.name)
    triggers = [t for name, other in model.states.items() if name in linked for t in other.triggers]
    return list(dict.fromkeys(t.name for t in triggers if isinstance(t, words.CollectedTrigger)))


def collected_range(model: m.Model, state: m.State, name: str) -> tuple[int, int]:
    """The largest count of a trigger that matters in a feature of the state, as it reaches the last level of all states
    as which the feature may go on; and 0. Where the last level comes again without end, and does the same each time, what
    a count is above that matters but for multiples of the second number."""
    linked = [model.states[other] for other in going_on(model, state.name)]
    triggers = [t for other in linked for t in other.triggers if t.name == name]
    counting = [t for t in triggers if isinstance(t, words.CollectedTrigger)]
    most = max(t.level_counts[-1] for t in counting)
    if not any(t.endless for t in counting):
        return most, 0
    rules = {(t.every, t.level_counts, t.endless, t.multiplier_step) for t in counting}
    if len(rules) > 1 or counting[0].multiplier_step:
        return m.COUNTED_MAX, 0
    return most, counting[0].every


def collected_kept(count: int, most: int, period: int) -> int:
    """Of a count what matters."""
    return most + (count - most) % period if period and count > most else min(count, most)


def collected_in_spin(model: m.Model, state: m.State, trigger: words.CollectedTrigger) -> int:
    """Most that one spin adds to the count of a trigger."""
    cells = cells_most(model, state)
    collectors = cells * model.count_most if trigger.collector else 1
    if trigger.counts == "symbols":
        return cells * model.count_most * collectors
    return max(1, value_most(model, state)) * cells * collectors if trigger.counts == "values" else 1


def award_multiplier_most(model: m.Model, state: str) -> int:
    """Most that an award can multiply the wins of a feature of the state by, or of one that goes on as it."""
    linked = going_on(model, state)
    awards = [*(t for other in model.states.values() for t in other.triggers)]
    given = [part for bonus in model.bonuses.values() for part in words.given(bonus)]
    tables = [getattr(part, "multiplier", None) for part in [*awards, *given] if getattr(part, "state", None) in linked]
    return max((max(table.values) for table in tables if table is not None), default=1)


def _drawn(table: words.Table | None) -> int:
    """Numbers that are drawn for a multiplier."""
    return 1 if table is not None and len(table.values) > 1 else 0


def gamble_units(model: m.Model) -> int:
    """Most that a gamble can make of a win beside the win itself."""
    gamble = model.gamble
    if gamble is None:
        return 0
    if gamble.win_max is not None:
        return gamble.win_max * model.stake_units
    return gamble.rungs[-1] * model.basis_units(gamble.of)


def awarded_states(model: m.Model) -> set[str]:
    """States whose spins a trigger, a wheel or a choice awards."""
    states: set[str] = set()
    for state in model.states.values():
        states |= awards_of(model, state)
    return states


def awards_of(model: m.Model, state: m.State) -> set[str]:
    """States whose spins can be awarded by a spin of `state`."""
    found: set[str] = set()
    for trigger in state.triggers:
        if isinstance(trigger, words.FreeSpinsTrigger | words.WinTrigger | words.FullReelsTrigger) or lengthens(
            state, trigger
        ):
            found.add(trigger.state)  # type: ignore[union-attr]
        found |= set(getattr(trigger, "states", ()))
    for name in bonuses_of(model, state):
        found |= {part.state for part in words.given(model.bonuses[name]) if part.state}
    return found | (set(model.states) - {m.START_STATE} if state.callback else set())


def starts_of(model: m.Model, state: m.State) -> set[str]:
    """States whose features a spin of `state` may start, or lengthen where it does not make them go on as others."""
    found = {
        trigger.state  # type: ignore[union-attr]
        for trigger in state.triggers
        if not getattr(trigger, "become", False) and not getattr(trigger, "states", ())
        if isinstance(trigger, words.FreeSpinsTrigger | words.WinTrigger | words.FullReelsTrigger)
        or lengthens(state, trigger)
    }
    parts = [part for name in bonuses_of(model, state) for part in words.given(model.bonuses[name])]
    return found | {part.state for part in parts if part.state and not part.become}


def interrupts(model: m.Model) -> bool:
    """Whether anything awards spins that are played at once."""
    parts: list[object] = [trigger for state in model.states.values() for trigger in state.triggers]
    parts += [part for bonus in model.bonuses.values() for part in words.given(bonus)]
    return any(getattr(part, "at_once", False) for part in parts)


def lengthens(state: m.State, trigger: words.Trigger) -> bool:
    """Whether a trigger that collects awards any spins, or those of another state."""
    return isinstance(trigger, words.CollectedTrigger) and (trigger.state != state.name or any(trigger.spins))


def bonuses_of(model: m.Model, state: m.State) -> set[str]:
    """Bonuses that a spin of `state` can play, those that a wheel or a choice leads to included."""
    ways = [t.pick for t in state.triggers if isinstance(t, words.PickTrigger)]
    ways += [t.bonus for t in state.triggers if isinstance(t, words.BonusTrigger)]
    found: set[str] = set()
    while ways:
        name = ways.pop()
        if name in found:
            continue
        found.add(name)
        ways += [part.bonus for part in words.given(model.bonuses[name]) if part.bonus]
    return found


def silent_triggers(model: m.Model, state: m.State) -> set[str]:
    """Triggers of bonuses that can pay nothing, such as a choice between features: no part of the RTP."""
    names = {t.name: t.pick if isinstance(t, words.PickTrigger) else t.bonus for t in state.triggers
             if isinstance(t, words.PickTrigger | words.BonusTrigger)}  # fmt: skip
    return {trigger for trigger, bonus in names.items() if not _bonus_units(model, bonus)}


def cells_most(model: m.Model, state: m.State) -> int:
    """Most cells in view in a state."""
    return sum(heights_most(model, state))


def heights_most(model: m.Model, state: m.State) -> tuple[int, ...]:
    """Most rows in view, by reel."""
    if state.heights is None:
        return (model.rows,) * model.reels
    return tuple(max(reel.values) for reel in state.heights)


def carries(trigger: words.Trigger) -> bool:
    """Whether a trigger takes cells along into the feature that it starts."""
    return isinstance(trigger, words.FullReelsTrigger) or bool(getattr(trigger, "carry", ()))


def value_most(model: m.Model, state: m.State) -> int:
    """Largest value of a cell in a state, carried cells and growth included; 0 when no cell has one."""
    sources = {state.name}
    while True:
        more = {
            other.name
            for other in model.states.values()
            for trigger in other.triggers
            if carries(trigger) and getattr(trigger, "state", "") in sources
        }
        if more <= sources:
            break
        sources |= more
    transforms = [t for name in sources for t in model.states[name].all_transforms]
    given = [t for t in transforms if isinstance(t, words.Values)]
    nudged = [
        1 + t.multiplier * t.steps_max for t in transforms if isinstance(t, words.Nudge) and t.multiplies == "cells"
    ]
    if not given and not nudged:
        return 0
    made = [t.value_max for t in transforms if isinstance(t, words.Act)]
    spins = model.free_spins_max + max([1, *(mode.spins for mode in model.modes.values())])
    steps = sum(cascade.steps_max if (cascade := model.states[name].cascade) else 1 for name in sources)
    grown = max([0, *(t.grow for t in given)]) * spins * steps
    return min(m.VALUE_MAX, max([*made, *nudged, *(max(t.table.values) for t in given)]) + grown)


def spin_units(model: m.Model, state: m.State, spins: int) -> int:
    """Upper bound of the units that one spin of a state wins, when its feature has had `spins` of them."""
    cells = cells_most(model, state)
    value = value_most(model, state)
    factor = state.multiplier * _spin_factor(model, state, cells, spins)
    step, end = 0, 0
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        units = _evaluator_units(model, state, evaluator, value)
        if getattr(evaluator, "at", "spin") == "end":
            end += units
        else:
            step += units
    steps = 1
    if state.cascade:
        steps = state.cascade.steps_max
        counted = steps * (spins if state.cascade.persist else 1)
        step *= max(*state.cascade.multipliers, state.cascade.multiplier(counted - 1))
    if state.spots:
        step *= _combined(state.spots.combine, state.spots.multiplier_max, cells)
    won = step * steps
    if state.special:
        lines = model.evaluators[state.special.lines]
        if isinstance(lines, words.Lines):
            pays = [max(1, *lines.pays[symbol].values()) for symbol in state.special.table.symbols]
            best = sum(sorted(pays)[-state.special.count_most :])
            won += best * model.line_units * len(lines.paylines)
    if state.final:
        drawn = _combined(state.final.combine, value, cells)
        won *= max(1, _persisted(state.final.combine, drawn, spins) if state.final.persist else drawn)
    units, more = (won + end) * factor, 0
    for trigger in state.triggers:
        if not isinstance(trigger, words.PickTrigger | words.BonusTrigger):
            continue
        if isinstance(trigger, words.PickTrigger):
            name, plays = trigger.pick, len(model.paylines_of(state))
        else:
            name, plays = trigger.bonus, max(trigger.plays.values()) * _times(state, trigger.name)
        if model.multiplies_win(trigger):
            units *= _power(max(1, _bonus_units(model, name)), plays)
        else:
            more += plays * _bonus_units(model, name) * state.multiplier
    more += (state.win_min or 0) * model.stake_units
    return min(units + more + (m.CALLBACK_UNITS_MAX if state.callback else 0), HUGE)


# --- Factors ---------------------------------------------------------------------------------------------


def _spin_factor(model: m.Model, state: m.State, cells: int, spins: int) -> int:
    """Most that drawn multipliers and collected levels make of a win."""
    factor = 1
    for transform in state.transforms:
        if isinstance(transform, words.Multiplier):
            number = {"spin": 1, "feature": 1, "full_reel": model.reels, "cell": cells}[transform.each]
            drawn = _combined(transform.combine, max(transform.table.values), number)
            factor *= _persisted(transform.combine, drawn, spins) if transform.persist else drawn
        elif isinstance(transform, words.Nudge) and transform.multiplies == "spin":
            reels = model.reels if transform.reels is None else len(transform.reels)
            factor *= 1 + transform.multiplier * transform.steps_max * reels
    for trigger in state.triggers:
        if isinstance(trigger, words.CollectedTrigger):
            beyond = collected_in_spin(model, state, trigger) * spins // trigger.every if trigger.endless else 0
            factor *= max(trigger.multipliers) + beyond * trigger.multiplier_step
    return min(factor, HUGE)


def _combined(combine: str, value: int, number: int) -> int:
    """Most that up to `number` values give together, at least 1."""
    if combine == "ignore":
        return 1
    if combine == "highest":
        return max(1, value)
    return max(1, value * number if combine == "sum" else _power(value, number))


def _values_factor(evaluator: words.Lines | words.Count | words.Cluster | words.Match, value: int, number: int) -> int:
    """Most that the values of up to `number` cells make of a win."""
    factor = _combined(evaluator.cell_values, value, number)
    return factor if evaluator.cell_values_max is None else min(factor, evaluator.cell_values_max)


def _persisted(combine: str, drawn: int, spins: int) -> int:
    """Most that `spins` such factors come to when they add up over a feature."""
    return drawn * spins if combine == "sum" else _power(drawn, spins)


def _power(base: int, exponent: int) -> int:
    if base <= 1:
        return base
    if exponent * (base.bit_length() - 1) > 256:
        return HUGE
    return min(int(base**exponent), HUGE)


def _wild_factor(model: m.Model, number: int) -> int:
    """Most that wilds make of a win of `number` cells: the best split of the cells among the kinds."""
    best = [1] * (number + 1)
    for wild in model.wilds.values():
        if wild.multiplier == 1 and wild.combine != "sum":
            continue
        gives = [1]
        for n in range(1, number + 1):
            once = wild.multiplier
            gives.append(once if wild.combine == "once" else _combined(wild.combine, once, n))
        best = [max(best[total - n] * gives[n] for n in range(total + 1)) for total in range(number + 1)]
    return min(best[-1], HUGE)


# --- Evaluators ------------------------------------------------------------------------------------------


def _evaluator_units(model: m.Model, state: m.State, evaluator: words.Evaluator, value: int) -> int:
    """Most units that an evaluator pays on one grid before multipliers of the state, step or spin."""
    cells = cells_most(model, state)
    if isinstance(evaluator, words.Lines):
        line = _best(evaluator.pays) * _wild_factor(model, model.reels)
        line *= _values_factor(evaluator, value, model.reels)
        line *= max(evaluator.full_grid.values(), default=1) * (2 if evaluator.direction == "both" else 1)
        return line * len(evaluator.paylines) * model.line_units
    if isinstance(evaluator, words.Combinations):
        pay = max(combination.pay for combination in evaluator.combinations)
        return pay * _wild_factor(model, model.reels) * len(evaluator.paylines) * model.line_units
    if isinstance(evaluator, words.Ways):
        return _ways_units(model, state, evaluator, value)
    if isinstance(evaluator, words.Count):
        paid = _paid_together(model, evaluator.pays, cells * model.count_most, evaluator.wilds)
        return paid * _values_factor(evaluator, value, cells) * model.basis_units(evaluator.of)
    if isinstance(evaluator, words.Cluster):
        fewest = min(count for pays in evaluator.pays.values() for count in pays)
        clusters = cells if _shared_wilds(model, evaluator.pays) else max(1, cells * model.count_most // fewest)
        factor = _wild_factor(model, cells) * _values_factor(evaluator, value, cells)
        return _best(evaluator.pays) * clusters * factor * model.basis_units(evaluator.of)
    if isinstance(evaluator, words.Match):
        longest = max(model.reels, model.rows)
        factor = _wild_factor(model, longest) * _values_factor(evaluator, value, longest)
        # Every run has a cell that shows its symbol; one of a group may show a symbol that pays as well.
        groups = sum(entry in model.groups for entry in evaluator.pays)
        runs = cells * (1 + groups) * (2 if evaluator.along == "both" else 1)
        return _best(evaluator.pays) * runs * factor * model.basis_units(evaluator.of)
    if isinstance(evaluator, words.Scatter):
        return max(1, *evaluator.pays.values()) * model.basis_units(evaluator.of)
    collectors = cells * model.count_most if evaluator.collector else 1
    return max(1, value) * cells * collectors * model.basis_units(evaluator.of)


def _ways_units(model: m.Model, state: m.State, evaluator: words.Ways, value: int) -> int:
    """Every cell of the longest runs matches, each as heavy as it can be."""
    heights = heights_most(model, state)
    wild = max([1, *(w.multiplier for w in model.wilds.values() if w.substitutes & evaluator.pays.keys())])
    weight = wild * model.count_most * (max(1, value) if evaluator.cell_values == "product" else 1)

    def most(pays: Mapping[int, int]) -> int:
        runs = [
            max(1, pay) * max(prod(heights[:count]), prod(heights[len(heights) - count :])) * _power(weight, count)
            for count, pay in pays.items()
        ]
        return max(runs)

    all_most = [most(pays) for pays in evaluator.pays.values()]
    units = sum(all_most) if _shared_wilds(model, evaluator.pays) else max(all_most)
    return units * (2 if evaluator.direction == "both" else 1) * model.line_units


def _best(pays: Mapping[str, Mapping[int, int]]) -> int:
    """The highest pay, at least 1."""
    return max(1, *(pay for counts in pays.values() for pay in counts.values()))


def _paid_together(model: m.Model, pays: Mapping[str, Mapping[int, int]], cells: int, wilds: bool) -> int:
    """Most that symbols counted anywhere pay at once; without wilds each cell counts for one of them. `cells` may be
    more than there are, where cells count several times."""
    best = sorted((max(1, *counts.values()) for counts in pays.values()), reverse=True)
    if wilds and _shared_wilds(model, pays):
        return sum(best)
    fewest = min(min(counts) for counts in pays.values())
    return sum(best[: max(1, cells // fewest)])


def _shared_wilds(model: m.Model, paid: Iterable[str]) -> bool:
    """Whether a cell may count for more than one paid symbol."""
    return any(wild.substitutes & set(paid) for wild in model.wilds.values())


def _times(state: m.State, trigger: str) -> int:
    """How often a trigger can be looked at in a spin."""
    return state.cascade.steps_max if state.cascade and trigger in state.cascade.remove else 1


# --- Transforms and bonuses ------------------------------------------------------------------------------


def _transform_draws(model: m.Model, transform: words.Transform, cells: int) -> int:
    """Most numbers that a transform draws on one grid; tables of one entry are not drawn."""
    if isinstance(transform, words.Reveal) and len(transform.table.symbols) > 1:
        return {"spin": 1, "feature": 1, "reel": model.reels, "cell": cells}[transform.each]
    if isinstance(transform, words.Multiplier) and len(transform.table.values) > 1:
        return {"spin": 1, "feature": 1, "full_reel": model.reels, "cell": cells}[transform.each]
    if isinstance(transform, words.Values) and len(transform.table.values) > 1:
        return model.reels if transform.each == "reel" else cells
    if isinstance(transform, words.Add):
        return (len(transform.count.values) > 1) + min(max(transform.count.values), cells)
    if isinstance(transform, words.Act) and transform.count is not None:
        return cells * ((len(transform.count.values) > 1) + min(max(transform.count.values), cells))
    if isinstance(transform, words.Fill):
        return (len(transform.count.values) > 1) + max(transform.count.values)
    return 0


def _leave_draws(rule: words.Leave) -> int:
    """Most numbers that are drawn for what one win leaves; each fills a place of its own."""
    return (rule.place == "random") + (len(rule.table.symbols) > 1)


def _bonus_draws(model: m.Model, name: str) -> int:
    """Most numbers that one play of a bonus draws."""
    bonus = model.bonuses[name]
    if isinstance(bonus, words.Pick):
        return 1 + max(bonus.picks.values) * (1 + max(bonus.prizes_per_pick.values))
    if isinstance(bonus, words.Take):
        return bonus.take
    if isinstance(bonus, words.Trail):
        return bonus.rolls_max if len(bonus.die.values) > 1 else 0
    drawn = isinstance(bonus, words.Wheel)
    return drawn + max(
        _drawn(part.multiplier) + (_bonus_draws(model, part.bonus) if part.bonus else 0) for part in words.given(bonus)
    )


def _bonus_units(model: m.Model, name: str) -> int:
    """Most units that one play of a bonus pays, before the multiplier of the state."""
    bonus = model.bonuses[name]
    basis = model.basis_units(bonus.of)
    if isinstance(bonus, words.Pick):
        return max(bonus.picks.values) * max(bonus.prizes_per_pick.values) * max(bonus.prizes.values) * basis
    if isinstance(bonus, words.Take):
        return sum(sorted(bonus.prizes)[-bonus.take :]) * bonus.equal_multiplier * basis
    if isinstance(bonus, words.Trail):
        if bonus.pays == "last":
            return max(*bonus.squares, bonus.finish) * basis
        return (sum(sorted(bonus.squares)[-bonus.rolls_max :]) + bonus.finish) * basis
    return max(part.pay * basis + (_bonus_units(model, part.bonus) if part.bonus else 0) for part in words.given(bonus))
