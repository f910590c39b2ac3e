"""Transforms, cascades, and places that multiply."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgs_core.engine.tables.numbers import condition_fields, entries, reel_bits, symbol_bits, symbol_table, weight_table
from rgs_core.engine.tables.records import ACTS, ANY_SYMBOL, COMBINES, EACH, TRANSFORMS, Fields
from rgs_core.language import mechanics as k
from rgs_core.language import model as m


def moves_fields(model: m.Model, state: m.State) -> Fields:
    """How held cells move and values grow, [symbol]; of two transforms for a symbol the first counts."""
    step, fall, each, jump, stack = (np.zeros(64, dtype=np.int8) for _ in range(5))
    grow = np.zeros(64, dtype=np.int32)
    for transform in reversed(state.transforms):
        for symbol in (model.symbols.index(s) for s in getattr(transform, "symbols", ())):
            if isinstance(transform, k.Stick):
                step[symbol], fall[symbol], jump[symbol] = transform.step, transform.fall, transform.jump
                each[symbol], stack[symbol] = EACH[transform.each], transform.stack
            elif isinstance(transform, k.Values) and transform.grow:
                grow[symbol] = transform.grow
    return {
        "held_step": step,
        "held_fall": fall,
        "held_each": each,
        "held_jump": jump,
        "held_stack": stack,
        "grow": grow,
    }


def transform_fields(model: m.Model, state: m.State, transform: k.Transform) -> Fields:
    symbol = getattr(transform, "symbol", None)
    fields: dict[str, Any] = {
        "kind": TRANSFORMS.index(transform.kind),
        "symbol": ANY_SYMBOL if symbol is None else model.symbols.index(symbol),
        "each": EACH[getattr(transform, "each", "spin")],
        "reels": reel_bits(model, getattr(transform, "reels", None)),
        "persist": int(getattr(transform, "persist", False)),
        "modifiers": _modifier_bits(state, getattr(transform, "modifiers", ())),
        **(condition_fields(model, transform) if isinstance(transform, k.Conditional) else {}),
        "conditional": int(not k.works_always(transform)),
    }
    match transform:
        case k.Reveal():
            fields["table"] = symbol_table(model, transform.table)
        case k.Expand() | k.Replace():
            fields["into"] = model.symbols.index(transform.into)
        case k.Add():
            over = set(model.symbols) - {transform.symbol} if transform.over is None else transform.over
            fields |= {"table": weight_table(transform.count), "symbols": symbol_bits(model, over)}
        case k.Values():
            fields |= {"table": weight_table(transform.table), "symbols": symbol_bits(model, transform.symbols)}
        case k.Mark():
            fields |= {"symbols": symbol_bits(model, transform.symbols), "into": model.symbols.index(transform.into)}
        case k.Stick():
            fields["symbols"] = symbol_bits(model, transform.symbols)
        case k.Multiplier():
            persisting = [t for t in state.transforms if isinstance(t, k.Multiplier) and t.persist]
            fields |= {
                "table": weight_table(transform.table),
                "combine": COMBINES.index(transform.combine),
                "slot": next((i for i, other in enumerate(persisting) if other is transform), 0),
            }
        case k.Fill():
            fields |= {"table": weight_table(transform.count), "reels": reel_bits(model, transform.among)}
        case k.Nudge():
            fields |= {"steps_max": transform.steps_max, "multiplier": transform.multiplier}
            fields["each"] = EACH["spin" if transform.multiplies == "spin" else "cell"]
        case k.Act():
            over = set(model.symbols) if transform.over is None else transform.over
            fields |= {
                "symbols": symbol_bits(model, transform.symbols),
                "over": symbol_bits(model, over),
                "does": ACTS.index(transform.does),
                "once": int(transform.once),
                "value_max": transform.value_max,
            }
            if transform.count is not None:
                fields["table"] = weight_table(transform.count)
    return fields


def _modifier_bits(state: m.State, names: tuple[str, ...]) -> int:
    return sum(1 << i for i, name in enumerate(state.modifiers.names if state.modifiers else ()) if name in names)


def cascade_fields(model: m.Model, state: m.State, cascade: k.Cascade) -> Fields:
    triggers = [trigger.name for trigger in state.triggers]
    return {
        "on": 1,
        "fresh": int(cascade.refill == "fresh"),
        "persist": int(cascade.persist),
        "steps_max": cascade.steps_max,
        "multipliers_count": len(cascade.multipliers),
        "multiplier_step": cascade.multiplier_step,
        "multipliers": np.array(cascade.multipliers, dtype=np.int64),
        "remove_evaluators": sum(1 << i for i, name in enumerate(state.evaluators) if name in cascade.remove),
        "remove_triggers": sum(1 << i for i, name in enumerate(triggers) if name in cascade.remove),
        "keep": symbol_bits(model, cascade.staying),
        "none": int(cascade.refill == "none"),
        "empty": model.symbols.index(cascade.empty) if cascade.empty else ANY_SYMBOL,
        "changes": int(cascade.changes),
        "become_symbols": symbol_bits(model, cascade.become),
        "become": tuple(
            (model.symbols.index(symbol), symbol_table(model, table)) for symbol, table in cascade.become.items()
        ),
        "leave": tuple(_leave_fields(model, state, rule) for rule in cascade.leave),
        "charge_every": cascade.charge.every if cascade.charge else 0,
        "charge_symbols": _charging(model, cascade.charge) if cascade.charge else 0,
        "charge": tuple(transform_fields(model, state, t) for t in cascade.charge.then) if cascade.charge else (),
    }


def _leave_fields(model: m.Model, state: m.State, rule: k.Leave) -> Fields:
    named = entries(model)
    return {
        "evaluators": sum(1 << i for i, name in enumerate(state.evaluators) if name in rule.of),
        "entries": sum(1 << i for i, name in enumerate(named) if rule.symbols is None or name in rule.symbols),
        "count_min": rule.count_min,
        "random": int(rule.place == "random"),
        "table": symbol_table(model, rule.table),
    }


def _charging(model: m.Model, charge: k.Charge) -> int:
    return symbol_bits(model, model.symbols if charge.symbols is None else charge.symbols)


def spots_fields(spots: k.Spots) -> Fields:
    return {
        "on": 1,
        "persist": int(spots.persist),
        "product": int(spots.combine == "product"),
        "first": spots.first,
        "step": spots.step or 0,
        "multiplier_max": spots.multiplier_max,
    }
