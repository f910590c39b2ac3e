"""Triggers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgs_core.engine.tables.numbers import (
    condition_fields,
    counted_bits,
    entries,
    reel_bits,
    state_names,
    symbol_bits,
    weight_table,
)
from rgs_core.engine.tables.records import ANY_SYMBOL, COUNTING, TRIGGERS, TriggerTable
from rgs_core.language import mechanics as k
from rgs_core.language import model as m
from rgs_core.language.bounds import collected_range, slots


def _where_counted(model: m.Model, trigger: k.FreeSpinsTrigger | k.BonusTrigger | k.JackpotTrigger) -> dict[str, int]:
    """On which reels a trigger counts, and whether it counts reels."""
    return {
        "by_reels": int(trigger.reels is not None or trigger.per_reel),
        "per_reel": int(trigger.per_reel),
        "reels": reel_bits(model, trigger.reels),
    }


def decided_by_lines(state: m.State) -> list[k.PickTrigger | k.WinTrigger]:
    """The triggers that what lines show decides."""
    return [trigger for trigger in state.triggers if isinstance(trigger, k.PickTrigger | k.WinTrigger)]


def trigger_table(build: m.Build, state: m.State, trigger: k.Trigger) -> TriggerTable:
    model = build.model
    counts = range(model.reels * model.rows * model.count_most + 1)
    symbol = getattr(trigger, "symbol", None)
    target = getattr(trigger, "state", None)
    fields: dict[str, Any] = {
        "kind": TRIGGERS.index(trigger.kind),
        "state": 0 if target is None else state_names(model).index(target),
        "stopped": int(getattr(trigger, "stopped", False)),
        "at_once": int(getattr(trigger, "at_once", False)),
        "symbols": 0 if symbol is None else counted_bits(model, symbol),
    }
    if isinstance(trigger, k.PickTrigger | k.WinTrigger):
        fields["match"] = decided_by_lines(state).index(trigger)
    if isinstance(trigger, k.ConditionalTrigger):
        fields |= {
            **condition_fields(model, trigger),
            "conditional": int(not k.fires_always(trigger)),
            "once": int(trigger.once),
        }
    multiplier = getattr(trigger, "multiplier", None)
    if multiplier is not None:
        fields["multiplier"] = weight_table(multiplier)
    spins, pattern = np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    match trigger:
        case k.FreeSpinsTrigger():
            spins = np.array([trigger.award(n) for n in counts], dtype=np.uint32)
            fields |= {
                "fresh": int(trigger.fresh),
                "reset": int(trigger.reset),
                "carry": symbol_bits(model, trigger.carry),
                **_where_counted(model, trigger),
                "become": int(trigger.become),
                "least": min(trigger.spins),
            }
        case k.FullReelsTrigger():
            spins = np.array([k.by_count(trigger.spins, n) for n in range(model.reels + 1)], dtype=np.uint32)
            fields["reels"] = reel_bits(model, trigger.reels)
        case k.WinTrigger():
            fields["become"] = int(trigger.become)
            spins = np.zeros((len(entries(model)), len(counts)), dtype=np.uint32)
            for name, table in trigger.spins.items():
                spins[entries(model).index(name)] = [k.by_count(table, n) for n in counts]
            fields |= {"evaluator": state.evaluators.index(trigger.evaluator), "counts": len(counts)}
        case k.CollectedTrigger():
            most, period = collected_range(model, state, trigger.name)
            goes_on = [state_names(model).index(name) for name in trigger.states] or [ANY_SYMBOL] * len(trigger.spins)
            fields |= {
                "every": trigger.every,
                "levels": len(trigger.spins),
                "level_counts": np.array(trigger.thresholds, dtype=np.uint64) if trigger.thresholds else None,
                "level_spins": np.array(trigger.spins, dtype=np.uint32),
                "level_multipliers": np.array(trigger.multipliers, dtype=np.int64),
                "level_states": np.array(goes_on, dtype=np.uint8),
                "level_step": trigger.multiplier_step,
                "endless": int(trigger.endless),
                "from_batch": int(trigger.multipliers_from == "batch"),
                "slot": slots(model, state).index(trigger.name),
                "most": most,
                "period": period,
                "counting": COUNTING.index(trigger.counts),
                "collectors": 0 if trigger.collector is None else counted_bits(model, trigger.collector),
                "in_a_row": int(trigger.in_a_row),
                "fresh": int(trigger.fresh),
            }
        case k.PickTrigger():
            pattern = np.array(
                [ANY_SYMBOL if s is None else model.symbols.index(s) for s in trigger.pattern], dtype=np.uint8
            )
            fields |= {
                "bonus": list(model.bonuses).index(trigger.pick),
                "factor": state.multiplier_for(trigger.name),
            }
        case k.BonusTrigger():
            spins = np.array([trigger.times(n) for n in counts], dtype=np.uint32)
            fields |= {
                "bonus": list(model.bonuses).index(trigger.bonus),
                "factor": state.multiplier_for(trigger.name),
                **_where_counted(model, trigger),
            }
        case k.JackpotTrigger():
            fields |= {
                "chance": trigger.chance_of(build.play.cost_units),
                "out_of": trigger.out_of,
                "counts": trigger.count,
                "fresh": int(trigger.fresh),
                "at_end": int(trigger.at == "end"),
                **_where_counted(model, trigger),
            }
    number = ANY_SYMBOL if not symbol else entries(model).index(symbol)
    return TriggerTable(trigger, number, spins, pattern, fields)
