"""All tables of a build."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rgs_core.engine.tables.bonuses import bonus_fields, gamble_fields
from rgs_core.engine.tables.changes import cascade_fields, moves_fields, spots_fields, transform_fields
from rgs_core.engine.tables.numbers import read_bits, state_names, weight_table
from rgs_core.engine.tables.pays import evaluator_table, lines_through, special_fields
from rgs_core.engine.tables.records import (
    ANY_SYMBOL,
    COMBINES,
    EvaluatorTable,
    StateTable,
    StripTable,
    Tables,
    TriggerTable,
    WeightTable,
)
from rgs_core.engine.tables.reels import linked_table, strip_set
from rgs_core.engine.tables.triggers import trigger_table
from rgs_core.errors import CallbackError
from rgs_core.language import mechanics as k
from rgs_core.language import model as m
from rgs_core.language.bounds import carries, going_on
from rgs_core.language.model_file import most_units


def compile_tables(build: m.Build) -> Tables:
    """The tables of a build. The model was validated when it was loaded.

    Raises CallbackError for one with a callback: tables hold no code.
    """
    model = build.model
    if model.callbacks:
        raise CallbackError(f"{build.label} is not for the compiled engine. {model.callback_note}")
    states = tuple(_state(build, model.states[name]) for name in state_names(model))
    bonuses = tuple(bonus_fields(model, bonus) for bonus in model.bonuses.values())
    gamble = gamble_fields(model, model.gamble) if model.gamble is not None and model.gamble.plays else None
    tables = Tables(build, states, bonuses, most_units(model), gamble)
    _freeze(tables)
    return tables


def _freeze(table: object) -> None:
    """Makes every array of a table read-only: the engine points into them, and builds do not change."""
    if isinstance(table, np.ndarray):
        table.setflags(write=False)
    elif isinstance(table, tuple):
        for part in table:
            _freeze(part)
    elif isinstance(table, Mapping):
        for part in table.values():
            _freeze(part)
    elif isinstance(table, Tables | StateTable | StripTable | EvaluatorTable | TriggerTable | WeightTable):
        for name in table.__dataclass_fields__:
            _freeze(getattr(table, name))


def _state(build: m.Build, state: m.State) -> StateTable:
    model = build.model
    lines = next((model.evaluators[n] for n in state.evaluators if hasattr(model.evaluators[n], "paylines")), None)
    paylines = np.array(model.paylines_of(state), dtype=np.uint8).reshape(-1, model.reels)
    heights = state.heights or (k.Table((model.rows,), (1,)),) * model.reels
    choice = state.strip_choice
    weights = (1,) if choice is None else choice.weights
    evaluators = tuple(evaluator_table(model, state, model.evaluators[name]) for name in state.evaluators)
    line_table = next((e for e in evaluators if e.evaluator is lines), None)
    carried = any(
        carries(t) and getattr(t, "state", "") == state.name for other in model.states.values() for t in other.triggers
    )
    remembers = state.remembers or carried or state.name in going_on(model)
    changes = bool(
        remembers or state.transforms or state.cascade or state.final or state.special or state.cells
    ) or bool(model.top or state.linked)  # fmt: skip
    changes |= any(carries(t) and model.states[t.state].stacks for t in state.triggers)  # type: ignore[union-attr]
    modifiers = state.modifiers
    final = state.final
    none64 = np.zeros(64, dtype=np.uint64)
    readings, naturals = (
        (line_table.fields["readings"], line_table.fields["naturals"]) if line_table else (none64, none64)
    )
    names = list(state.evaluators)
    return StateTable(
        state=state,
        number=state_names(model).index(state.name),
        sets=tuple(strip_set(build, state, name) for name in state.strip_sets),
        set_choice=weight_table(k.Table(tuple(range(len(weights))), weights)),
        heights=tuple(weight_table(table) for table in heights),
        evaluators=evaluators,
        transforms=tuple(transform_fields(model, state, transform) for transform in state.transforms),
        triggers=tuple(trigger_table(build, state, trigger) for trigger in state.triggers),
        cascade=cascade_fields(model, state, state.cascade) if state.cascade else None,
        special=special_fields(model, state, state.special) if state.special else None,
        linked=linked_table(state.linked) if state.linked else None,
        moves=moves_fields(model, state),
        paylines=paylines,
        cell_lines=lines_through(model, paylines),
        readings=readings,
        naturals=naturals,
        count_min=int(line_table.fields["count_min"]) if line_table else model.reels + 1,
        pure_wild_run=isinstance(lines, k.Lines) and lines.pure_wild_run == "any",
        fields={
            "heights_drawn": int(any(len(table.values) > 1 for table in heights)),
            "cells": int(state.cells),
            "changes": int(changes),
            "remembers": int(remembers),
            "waits": int(any(getattr(t, "multipliers_from", "spin") == "batch" for t in state.triggers)),
            "rows_below": int(state.rows_below),
            "persisting": sum(isinstance(t, k.Multiplier) and t.persist for t in state.transforms),
            "looks_stopped": int(
                any(
                    getattr(part, "stopped", False) for part in (*state.triggers, *(model.evaluators[n] for n in names))
                )
                or any(
                    condition.counted.stopped
                    for part in (*state.transforms, *state.triggers)
                    for condition in getattr(part, "in_view", ())
                )
            ),
            "ends": int(
                any(
                    getattr(part, "at", "") == "end"
                    for part in (*state.triggers, *(model.evaluators[n] for n in names))
                )
            ),
            "final_symbols": read_bits(model, final.symbols) if final else 0,
            "final_combine": COMBINES.index(final.combine) if final else 0,
            "final_persist": int(final.persist) if final else 0,
            "lines": names.index(lines.name) if lines else ANY_SYMBOL,
            "win_min": (state.win_min or 0) * model.stake_units,
            "draws_once": int(state.draws_once),
            "marks": int(state.marks),
            "modifiers": modifiers and weight_table(k.Table(tuple(range(len(modifiers.names))), modifiers.weights)),
            "spots": spots_fields(state.spots) if state.spots else None,
        },
    )
