"""Tables for the lane kernels (ext/rgs_core/lanes/kernel.h), or the reason why a build has none.

A lane kernel evaluates all paylines and symbols of a spin at once by sets of lines. For every stop of
every reel a row holds counts of scattered symbols and, for each paying symbol, the set of paylines
whose cell on that reel reads as it. What this layout cannot express is played by the general kernel,
with the same results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.tables import ANY_SYMBOL, StateTable, Tables
from rgs_core.exact.award_columns import multiplied_features
from rgs_core.language import mechanics as k
from rgs_core.language import model as m

CHUNK_BYTES = 32
"""Rows are made of chunks of this size; the first one holds the counts."""

COUNTS_MAX = 8
LIMBS_MAX = 3
DRAWN_MAX = 1 << 16
ROWS_BYTES_MAX = 1 << 19
"""Largest tables of a state; above it the rows no longer stay in the caches near the core."""


REELS_MAX = 6
STATES_MAX = 2

ROUND_UNITS_MAX = 1 << 52
"""A batch of 1,024 rounds adds up in 63 bits."""


@dataclass(frozen=True)
class LaneTable:
    """Lane tables of one state; the fields of rgs_lanes in game.h.

    `rows[reel]` uint8[stops, row_bytes], `stops[reel]` uint16[total] or None for equal stops,
    `weights` int8[reels, limbs, chunks * CHUNK_BYTES], `alarm` uint8[chunks * CHUNK_BYTES].
    """

    rows: tuple[NDArray[np.uint8], ...]
    stops: tuple[NDArray[np.uint16] | None, ...]
    chunks: int
    limbs: int
    count_from: int
    pay_unit: int
    weights: NDArray[np.int8]
    alarm: NDArray[np.uint8]
    counts_bias: int
    counts_flags: int
    wild_flag: int
    exact_alarm: bool
    evaluator_slots: tuple[int, ...]
    trigger_slots: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return CHUNK_BYTES * (1 + self.chunks)


class NotInLanes(Exception):
    """The build needs the general kernel; the message says why."""


def compile_lanes(tables: Tables) -> tuple[LaneTable, ...]:
    """Lane tables of every state. Raises NotInLanes when one has none."""
    if tables.win_units_max >= ROUND_UNITS_MAX:
        raise NotInLanes(
            f"a round may win {tables.win_units_max:,} units; the sums of a batch hold {ROUND_UNITS_MAX:,}"
        )
    build, model = tables.build, tables.build.model
    if build.mode != m.BASE_MODE:
        raise NotInLanes(f"mode '{build.mode}' does not begin with one paid spin")
    if tables.gamble is not None:
        raise NotInLanes("the player gambles")
    if multiplied_features(model):
        raise NotInLanes("awards give features a multiplier")
    if model.doubles:
        raise NotInLanes("double symbols make runs of one length count differently")
    if model.reels > REELS_MAX:
        raise NotInLanes(f"more than {REELS_MAX} reels")
    paid = tables.states[0]
    played = [paid, *(tables.states[i] for i in paid.awarded_states if i)]
    if len(played) > STATES_MAX:
        raise NotInLanes("it awards spins of several states")
    for state in played:
        if why := _beyond_lines(state, set(model.groups)):
            raise NotInLanes(f"state '{state.state.name}': {why}")
        if not {tables.states[i].state.name for i in state.awarded_states} <= {s.state.name for s in played[1:]}:
            raise NotInLanes(f"state '{state.state.name}' awards spins of another state")
    return tuple(_state(model, state) for state in played)


def _beyond_lines(table: StateTable, groups: set[str]) -> str:
    """What a state has that is not plain lines or ways, scatters, free spins and picks on fixed windows; "" if nothing."""
    state = table.state
    if table.state.linked:
        return "its reels are linked"
    if len(table.strips) > len(table.heights):
        return "it has a top reel"
    if table.fields["changes"]:
        return "its grid changes after the reels have stopped"
    if state.win_min is not None:
        return "its features pay a least win"
    if state.heights is not None or state.strip_choice is not None:
        return "rows or strips are drawn, or differ by reel"
    for evaluator in (e.evaluator for e in table.evaluators):
        if isinstance(evaluator, k.Lines):
            if evaluator.direction != "left" or evaluator.full_grid or groups & set(evaluator.pays):
                return f"'{evaluator.name}' has groups, another direction or a full grid"
        elif isinstance(evaluator, k.Ways):
            if evaluator.direction != "left" or len(table.paylines):
                return f"'{evaluator.name}' pays from another direction, or beside lines"
        elif not isinstance(evaluator, k.Scatter) or evaluator.at == "end":
            return f"'{evaluator.name}' is of kind {evaluator.kind}"
    for trigger in (t.trigger for t in table.triggers):
        if not isinstance(trigger, k.FreeSpinsTrigger | k.PickTrigger) or getattr(trigger, "reset", False):
            return f"'{trigger.name}' is of kind {trigger.kind}, or resets"
        if not (k.fires_by_count(trigger) if isinstance(trigger, k.FreeSpinsTrigger) else k.fires_always(trigger)):
            return f"'{trigger.name}' has odds, conditions or reels of its own"
    return ""


def _state(model: m.Model, table: StateTable) -> LaneTable:
    where = f"state '{table.state.name}'"
    for reel, strip in enumerate(table.strips):
        if strip.total > DRAWN_MAX:
            raise NotInLanes(
                f"{where}: reel {reel + 1} has stop weights of {strip.total:,} in all, above {DRAWN_MAX:,}"
            )
    slots, minima = _counted(model, table)
    multiplying = [model.symbols.index(w.symbol) for w in model.wilds.values() if w.multiplies]
    wild_slot = len(slots) if multiplying and len(table.paylines) else None
    if len(slots) + (wild_slot is not None) > COUNTS_MAX:
        raise NotInLanes(f"{where}: more than {COUNTS_MAX} symbols are counted")
    fields, alarms = _fields(model, table)
    digits, pay_unit = _pay_digits(where, table, fields, model.reels)
    limbs = len(digits)
    ways = _ways_alarms(model, table)
    field_bytes = 8 if ways else -(-len(table.paylines) // 8)
    chunks = -(-(len(fields) + len(alarms) + len(ways)) * field_bytes // CHUNK_BYTES)
    row_bytes = CHUNK_BYTES * (1 + chunks)
    if sum(strip.length for strip in table.strips) * row_bytes > ROWS_BYTES_MAX:
        raise NotInLanes(f"{where}: stops, lines and symbols need tables above {ROWS_BYTES_MAX >> 10} KiB")

    rows = []
    for reel, strip in enumerate(table.strips):
        row = np.zeros((strip.length, row_bytes), dtype=np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(strip.symbols, model.rows)[: strip.length]
        for slot, symbols in enumerate(slots):
            members = [symbol for symbol in range(len(model.symbols)) if symbols >> symbol & 1]
            row[:, slot] = np.isin(windows, members).sum(axis=1)
        if wild_slot is not None:
            row[:, wild_slot] = np.isin(windows, multiplying).any(axis=1)
        if ways:
            packed = [np.packbits(alarm[reel], axis=1, bitorder="little") for alarm in ways]
            row[:, CHUNK_BYTES : CHUNK_BYTES + field_bytes * len(ways)] = np.concatenate(packed, axis=1)
        elif chunks:
            shown = windows[:, table.paylines[:, reel]]  # [stop, line]
            sets = [(table.readings[shown] >> np.uint64(symbol) & np.uint64(1)).astype(bool) for symbol in fields]
            sets += [alarm[reel][shown] for alarm in alarms]
            packed = [np.packbits(lines, axis=1, bitorder="little") for lines in sets]
            row[:, CHUNK_BYTES : CHUNK_BYTES + field_bytes * len(sets)] = np.concatenate(packed, axis=1)
        rows.append(row)

    for row in rows:
        row.setflags(write=False)  # the engine points into it
    width = chunks * CHUNK_BYTES
    weights = np.zeros((model.reels, limbs, width), dtype=np.int8)
    pay_bytes = len(fields) * field_bytes
    for limb, digit in enumerate(digits):
        weights[:, limb, :pay_bytes] = np.repeat(digit.T, field_bytes, axis=1)
    alarm = np.zeros(width, dtype=np.uint8)
    alarm[pay_bytes : pay_bytes + (len(alarms) + len(ways)) * field_bytes] = 0xFF
    weights.setflags(write=False)
    alarm.setflags(write=False)
    bias = sum((128 - least) << 8 * slot for slot, least in enumerate(minima))
    flags = sum(128 << 8 * slot for slot in range(len(slots)))
    if wild_slot is not None:
        bias += 127 << 8 * wild_slot
    return LaneTable(
        rows=tuple(rows),
        stops=tuple(_drawn_stops(strip.cumulative) for strip in table.strips),
        chunks=chunks,
        limbs=limbs,
        count_from=min(table.count_min, model.reels),
        pay_unit=pay_unit,
        weights=weights,
        alarm=alarm,
        counts_bias=bias,
        counts_flags=flags,
        wild_flag=0 if wild_slot is None else 128 << 8 * wild_slot,
        exact_alarm=any(isinstance(t.trigger, k.PickTrigger) for t in table.triggers),
        evaluator_slots=tuple(
            slots.index(e.fields["symbols"]) if isinstance(e.evaluator, k.Scatter) else 0 for e in table.evaluators
        ),
        trigger_slots=tuple(
            slots.index(t.fields["symbols"]) if isinstance(t.trigger, k.FreeSpinsTrigger) else 0 for t in table.triggers
        ),
    )


def _counted(model: m.Model, table: StateTable) -> tuple[list[int], list[int]]:
    """Sets of symbols counted in view, as bits, and from which count on each pays or awards anything (128: never)."""
    minima: dict[int, int] = {}
    scatters = [
        (e.fields["symbols"], np.flatnonzero(e.pays)) for e in table.evaluators if isinstance(e.evaluator, k.Scatter)
    ]
    free = [
        (t.fields["symbols"], np.flatnonzero(t.spins))
        for t in table.triggers
        if isinstance(t.trigger, k.FreeSpinsTrigger)
    ]
    for symbols, matters in scatters + free:
        minima[symbols] = min(int(matters[0]) if len(matters) else 128, minima.get(symbols, 128))
    return list(minima), list(minima.values())


def _fields(model: m.Model, table: StateTable) -> tuple[list[int], list[list[NDArray[np.bool_]]]]:
    """Paying symbols, and the alarm fields: for each reel, by symbol, whether a cell keeps the alarm on."""
    if not len(table.paylines):
        return [], []
    pays = next(e.pays for e in table.evaluators if isinstance(e.evaluator, k.Lines))
    paying = [int(symbol) for symbol in np.flatnonzero(pays.any(axis=1))]
    symbols = len(model.symbols)
    everything = np.ones(symbols, dtype=bool)
    alarms = []
    if model.wilds and table.count_min <= model.reels:
        # A line that begins with wilds alone may be read as several symbols; which reading is the best
        # is not a sum over symbols. A natural symbol among the first `count_min` cells leaves one reading.
        wild = np.array([symbol in model.wilds for symbol in model.symbols])
        alarms.append([wild if reel < table.count_min else everything for reel in range(model.reels)])
    for trigger in table.triggers:
        if isinstance(trigger.trigger, k.PickTrigger):
            pattern = list(trigger.pattern) + [ANY_SYMBOL] * (model.reels - len(trigger.pattern))
            alarms.append([everything if s == ANY_SYMBOL else np.arange(symbols) == s for s in pattern])
    return paying, alarms


def _ways_alarms(model: m.Model, table: StateTable) -> list[list[NDArray[np.bool_]]]:
    """For each ways evaluator by reel bool[stops, 64]: which entries may still win. What is left after all reels is the
    alarm: a symbol on as many reels from the left as pay, whose ways the general code counts."""
    alarms = []
    for evaluator in table.evaluators:
        if not isinstance(evaluator.evaluator, k.Ways):
            continue
        readings, least = evaluator.fields["readings"], evaluator.fields["count_min"]
        reels = []
        for reel, strip in enumerate(table.strips):
            windows = np.lib.stride_tricks.sliding_window_view(strip.symbols, model.rows)[: strip.length]
            present = np.bitwise_or.reduce(readings[windows], axis=1)
            bits = (present[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(bool)
            reels.append(bits if reel < least else np.ones_like(bits))
        alarms.append(reels)
    return alarms


def _pay_digits(where: str, table: StateTable, fields: list[int], reels: int) -> tuple[list[NDArray[np.int8]], int]:
    """Base-128 digits of what each further symbol of a run adds, int8[fields, reels] each, and their unit."""
    if not fields:
        return [np.zeros((0, reels), np.int8)], 1
    pays = next(e.pays for e in table.evaluators if isinstance(e.evaluator, k.Lines))[fields]
    steps = np.diff(pays, axis=1)
    if (steps < 0).any():
        raise NotInLanes(f"{where}: a longer run of a symbol pays less than a shorter one")
    unit = math.gcd(*(int(step) for step in steps.ravel())) or 1
    steps //= unit
    if int(steps.max()) >= 128**LIMBS_MAX:
        raise NotInLanes(f"{where}: a pay of {int(pays.max()):,} units is above {128**LIMBS_MAX * unit:,}")
    if len(table.paylines) * int(pays.max() // unit) >= 1 << 31:
        raise NotInLanes(f"{where}: the lines can pay more than 31 bits count")
    limbs = max(limb for limb in range(1, LIMBS_MAX + 1) if limb == 1 or int(steps.max()) >> 7 * (limb - 1))
    return [(steps >> 7 * limb & 127).astype(np.int8) for limb in range(limbs)], unit


def _drawn_stops(cumulative: NDArray[np.uint32] | None) -> NDArray[np.uint16] | None:
    """The stop that each drawn number falls on, for weighted stops."""
    if cumulative is None:
        return None
    weights = np.diff(cumulative, prepend=np.uint32(0))
    stops = np.repeat(np.arange(len(cumulative), dtype=np.uint16), weights)
    stops.setflags(write=False)
    return stops
