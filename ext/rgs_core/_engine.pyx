"""The engine: plays, simulates and counts the full cycle of one compiled build.

Design: a) all rules are in the C headers; b) `Engine` copies the tables of rgs_core.engine.tables into one
C struct at construction and never changes it, so any number of threads may use one engine; c) every
loop over rounds runs without the GIL and on the C stack; d) Python objects are made once a call.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from concurrent.futures import ThreadPoolExecutor
from operator import index
from os import cpu_count

import numpy as np

from rgs_core.errors import AnalysisError, DrawLimitError, RgsError
from rgs_core.engine.lanes import NotInLanes, compile_lanes
from rgs_core.engine.simd import chosen
from rgs_core.exact.row_merging import merged_rows
from rgs_core.exact.spin_law import merged_law, part_places
from rgs_core.engine.tables import COMBINES, combination_count, compile_tables, counted_bits, decided_by_lines
from rgs_core._game cimport *
from rgs_core._round cimport Round
from rgs_core._rng cimport RGS_SIMD_SCALAR, load_key, number, simd_number


COUNTED_MAX = RGS_COUNTED_MAX
MATCHES_MAX = RGS_MATCHES_MAX


# Turns an RGS_ERROR into its exception. Always raises.
cdef object fail(int error):
    if error == RGS_ERROR_WORDS:
        raise DrawLimitError("the round needs more random words than a sub-spin has; it is refused")
    if error == RGS_ERROR_MEMORY:
        raise MemoryError("no memory for the record of the round")
    raise RgsError("the round won more than the model can pay: the build is faulty, do not use it")


# An exact Python int from a 128-bit sum. Fails only without memory.
cdef object exact(const rgs_u128 *x):
    return int(rgs_high64(x)) << 64 | rgs_low64(x)


# What a signal handler raised while C was at work: only the main thread runs handlers, so one place is enough.
cdef object raised_by_signal = None


# Whether a signal handler raised (Ctrl-C); asked by long loops in C. Cannot fail.
cdef int interrupted() noexcept with gil:
    global raised_by_signal
    try:
        PyErr_CheckSignals()
        return 0
    except BaseException as error:
        raised_by_signal = error
        return 1


# Address of an array's first element, for arrays that the caller keeps alive; NULL for None or nothing.
cdef const void *address(object array) except? NULL:
    cdef size_t pointer
    if array is None or array.size == 0:
        return NULL
    pointer = array.ctypes.data
    return <const void *>pointer


# Points a C table at the arrays of a WeightTable that the caller keeps alive. Fails as `address` does.
cdef int set_table(rgs_table *table, object source) except -1:
    table.length = len(source.values)
    table.total = source.cumulative[len(source.values) - 1]
    table.fixed = source.fixed
    table.values = <const int64_t *>address(source.values)
    table.cumulative = <const uint32_t *>address(source.cumulative)
    return 0


# Points a C strip at its arrays. Fails as `address` does.
cdef int set_strip(rgs_strip *strip, object source) except -1:
    strip.length = source.length
    strip.total = source.total
    strip.symbols = <const uint8_t *>address(source.symbols)
    strip.shows = <const uint64_t *>address(source.shows)
    strip.cumulative = <const uint32_t *>address(source.cumulative)
    strip.distinct = len(source.distinct_stops)
    strip.distinct_stops = <const uint32_t *>address(source.distinct_stops)
    strip.distinct_weights = <const uint64_t *>address(source.distinct_weights)
    return 0


# The members of rgs_evaluator, by name. Fails with KeyError when the tables lack a member.
cdef int set_evaluator(rgs_evaluator *evaluator, object table) except -1:
    fields = table.fields
    get = fields.get
    evaluator.kind = fields["kind"]
    evaluator.symbol = table.symbol
    evaluator.symbols = get("symbols", 0)
    evaluator.pays = <const int64_t *>address(table.pays)
    evaluator.exempt = <const uint8_t *>address(get("exempt"))
    evaluator.counts = fields["counts"]
    evaluator.direction = fields["direction"]
    evaluator.cell_values = fields["cell_values"]
    evaluator.cell_values_max = fields["cell_values_max"]
    evaluator.neighbours = get("neighbours", 4)
    evaluator.wilds = get("wilds", 0)
    evaluator.along = get("along", 0)
    evaluator.stopped = fields["stopped"]
    evaluator.at_end = fields["at_end"]
    evaluator.count_min = get("count_min", 0)
    evaluator.pure_wild_run = fields["pure_wild_run"]
    evaluator.readings = <const uint64_t *>address(get("readings"))
    evaluator.naturals = <const uint64_t *>address(get("naturals"))
    evaluator.full_grid = <const int64_t *>address(get("full_grid"))
    evaluator.patterns_count = get("patterns_count", 0)
    evaluator.patterns = <const uint8_t *>address(get("patterns"))
    evaluator.pattern_combinations = <const uint16_t *>address(get("pattern_combinations"))
    evaluator.combination_symbols = <const uint8_t *>address(get("combination_symbols"))
    evaluator.combination_counts = <const uint8_t *>address(get("combination_counts"))
    evaluator.combination_exempt = <const uint8_t *>address(get("combination_exempt"))
    evaluator.combination_pays = <const int64_t *>address(get("combination_pays"))
    evaluator.collectors = get("collectors", 0)
    return 0


# The members of rgs_transform. Fails as set_evaluator does.
cdef int set_transform(rgs_transform *transform, object fields) except -1:
    get = fields.get
    transform.kind = fields["kind"]
    transform.symbol = fields["symbol"]
    transform.into = get("into", RGS_ANY_SYMBOL)
    transform.each = fields["each"]
    transform.combine = get("combine", 0)
    transform.persist = fields["persist"]
    transform.steps_max = get("steps_max", 0)
    transform.multiplier = get("multiplier", 0)
    transform.slot = get("slot", 0)
    transform.symbols = get("symbols", 0)
    transform.over = get("over", 0)
    transform.does = get("does", 0)
    transform.once = get("once", 0)
    transform.value_max = get("value_max", 0)
    transform.reels = fields["reels"]
    transform.modifiers = get("modifiers", 0)
    transform.conditional = get("conditional", 0)
    transform.when = get("when", 0)
    transform.in_view_count = len(get("in_view", ()))
    transform.in_view = <const rgs_in_view *>address(get("in_view"))
    transform.chance = get("chance", 0)
    transform.out_of = get("out_of", 0)
    if "table" in fields:
        set_table(&transform.table, fields["table"])
    return 0


# The members of rgs_leave. Fails as set_evaluator does.
cdef int set_leave(rgs_leave *leave, object fields) except -1:
    leave.evaluators = fields["evaluators"]
    leave.entries = fields["entries"]
    leave.count_min = fields["count_min"]
    leave.random = fields["random"]
    set_table(&leave.table, fields["table"])
    return 0


# The members of rgs_cascade. Fails as set_evaluator does.
cdef int set_cascade(rgs_cascade *cascade, object fields) except -1:
    cascade.on = fields["on"]
    cascade.fresh = fields["fresh"]
    cascade.none = fields["none"]
    cascade.empty = fields["empty"]
    cascade.persist = fields["persist"]
    cascade.steps_max = fields["steps_max"]
    cascade.multipliers_count = fields["multipliers_count"]
    cascade.multiplier_step = fields["multiplier_step"]
    cascade.multipliers = <const int64_t *>address(fields["multipliers"])
    cascade.remove_evaluators = fields["remove_evaluators"]
    cascade.remove_triggers = fields["remove_triggers"]
    cascade.keep = fields["keep"]
    cascade.changes = fields["changes"]
    cascade.become_symbols = fields["become_symbols"]
    for symbol, table in fields["become"]:
        set_table(&cascade.become[<Py_ssize_t>symbol], table)
    cascade.leave_count = len(fields["leave"])
    for i, rule in enumerate(fields["leave"]):
        set_leave(&cascade.leave[<Py_ssize_t>i], rule)
    cascade.charge_every = fields["charge_every"]
    cascade.charge_symbols = fields["charge_symbols"]
    cascade.charge_count = len(fields["charge"])
    for i, transform in enumerate(fields["charge"]):
        set_transform(&cascade.charge[<Py_ssize_t>i], transform)
    return 0


# The members of rgs_spots. Fails as set_evaluator does.
cdef int set_spots(rgs_spots *spots, object fields) except -1:
    spots.on = fields["on"]
    spots.persist = fields["persist"]
    spots.product = fields["product"]
    spots.first = fields["first"]
    spots.step = fields["step"]
    spots.multiplier_max = fields["multiplier_max"]
    return 0


# The members of rgs_trigger. Fails as set_evaluator does.
cdef int set_trigger(rgs_trigger *trigger, object table) except -1:
    fields = table.fields
    get = fields.get
    trigger.kind = fields["kind"]
    trigger.symbol = table.symbol
    trigger.symbols = fields["symbols"]
    trigger.state = fields["state"]
    trigger.spins = <const uint32_t *>address(table.spins)
    trigger.counts = get("counts", 0)
    trigger.stopped = fields["stopped"]
    trigger.fresh = get("fresh", 0)
    trigger.reset = get("reset", 0)
    trigger.by_reels = get("by_reels", 0)
    trigger.per_reel = get("per_reel", 0)
    trigger.reels = get("reels", 255)
    trigger.conditional = get("conditional", 0)
    trigger.when = get("when", 0)
    trigger.in_view_count = len(get("in_view", ()))
    trigger.in_view = <const rgs_in_view *>address(get("in_view"))
    trigger.once = get("once", 0)
    trigger.at_end = get("at_end", 0)
    trigger.carry = get("carry", 0)
    trigger.evaluator = get("evaluator", 0)
    trigger.match = get("match", 0)
    trigger.every = get("every", 1)
    trigger.levels = get("levels", 0)
    trigger.slot = get("slot", 0)
    trigger.endless = get("endless", 0)
    trigger.most = get("most", 0)
    trigger.period = get("period", 0)
    trigger.counting = get("counting", 0)
    trigger.in_a_row = get("in_a_row", 0)
    trigger.collectors = get("collectors", 0)
    trigger.level_counts = <const uint64_t *>address(get("level_counts"))
    trigger.level_spins = <const uint32_t *>address(get("level_spins"))
    trigger.level_states = <const uint8_t *>address(get("level_states"))
    trigger.level_multipliers = <const int64_t *>address(get("level_multipliers"))
    trigger.level_step = get("level_step", 0)
    trigger.from_batch = get("from_batch", 0)
    trigger.at_once = get("at_once", 0)
    trigger.become = get("become", 0)
    trigger.least = get("least", 0)
    trigger.pattern_length = len(table.pattern)
    for i, symbol in enumerate(table.pattern):
        trigger.pattern[<Py_ssize_t>i] = symbol
    trigger.bonus = get("bonus", RGS_ANY_SYMBOL)
    trigger.factor = get("factor", 1)
    trigger.chance = get("chance", 0)
    trigger.out_of = get("out_of", 0)
    if "multiplier" in fields:
        set_table(&trigger.multiplier, fields["multiplier"])
    return 0


# The members of rgs_bonus. Fails as set_evaluator does.
cdef int set_bonus(rgs_bonus *bonus, object fields) except -1:
    get = fields.get
    bonus.kind = fields["kind"]
    set_table(&bonus.picks, fields["picks"])
    set_table(&bonus.prizes_per_pick, fields["prizes_per_pick"])
    set_table(&bonus.prizes, fields["prizes"])
    bonus.take = get("take", 0)
    bonus.equal_multiplier = get("equal_multiplier", 1)
    bonus.finish = get("finish", 0)
    bonus.segment_spins = <const uint32_t *>address(get("segment_spins"))
    bonus.segment_states = <const uint32_t *>address(get("segment_states"))
    bonus.segment_bonuses = <const uint32_t *>address(get("segment_bonuses"))
    bonus.segment_multipliers = <const uint32_t *>address(get("segment_multipliers"))
    bonus.segment_become = <const uint8_t *>address(get("segment_become"))
    bonus.segment_at_once = <const uint8_t *>address(get("segment_at_once"))
    bonus.multiplier_values = <const int64_t *>address(get("multiplier_values"))
    bonus.multiplier_cumulative = <const uint32_t *>address(get("multiplier_cumulative"))
    bonus.segment_jackpots = <const uint8_t *>address(get("segment_jackpots"))
    bonus.squares = get("squares", 0)
    bonus.rolls_max = get("rolls_max", 0)
    bonus.square_pays = <const int64_t *>address(get("square_pays"))
    for i, word in enumerate(get("ends", ())):
        bonus.ends[<Py_ssize_t>i] = word
    bonus.of_win = fields["of_win"]
    bonus.lives = get("lives", 1)
    bonus.pays_last = get("pays_last", 0)
    return 0


# The members of rgs_gamble. Fails as set_evaluator does.
cdef int set_gamble(rgs_gamble *gamble, object fields) except -1:
    gamble.steps = len(fields["tables"])
    for i, table in enumerate(fields["tables"]):
        set_table(&gamble.tables[<Py_ssize_t>i], table)
    for i, half in enumerate(fields["halves"]):
        gamble.halves[<Py_ssize_t>i] = half
    gamble.limit = fields["limit"]
    gamble.rungs_count = len(fields["rungs"])
    gamble.rungs = <const int64_t *>address(fields["rungs"])
    return 0


# The members of rgs_state. Fails as set_evaluator does.
cdef int set_state(rgs_state *state, object table) except -1:
    fields = table.fields
    for s, strips in enumerate(table.sets):
        for r, strip in enumerate(strips):
            set_strip(&state.sets[<Py_ssize_t>s][<Py_ssize_t>r], strip)
    set_table(&state.set_choice, table.set_choice)
    for r, heights in enumerate(table.heights):
        set_table(&state.heights[<Py_ssize_t>r], heights)
        state.fixed_heights[<Py_ssize_t>r] = heights.values[0]
    state.heights_drawn = fields["heights_drawn"]
    state.cells = fields["cells"]
    state.changes = fields["changes"]
    if table.linked is not None:
        state.linked_on = 1
        set_table(&state.linked, table.linked)
    state.remembers = fields["remembers"]
    state.draws_once = fields["draws_once"]
    if fields["modifiers"] is not None:
        set_table(&state.modifiers, fields["modifiers"])
    state.marks = fields["marks"]
    state.win_min = fields["win_min"]
    state.waits = fields["waits"]
    state.rows_below = fields["rows_below"]
    state.persisting = fields["persisting"]
    state.ends = fields["ends"]
    state.evaluators_count = len(table.evaluators)
    for e, evaluator in enumerate(table.evaluators):
        set_evaluator(&state.evaluators[<Py_ssize_t>e], evaluator)
    state.transforms_count = len(table.transforms)
    for i, transform in enumerate(table.transforms):
        set_transform(&state.transforms[<Py_ssize_t>i], transform)
    state.triggers_count = len(table.triggers)
    for t, trigger in enumerate(table.triggers):
        set_trigger(&state.triggers[<Py_ssize_t>t], trigger)
    if table.cascade is not None:
        set_cascade(&state.cascade, table.cascade)
    if fields["spots"] is not None:
        set_spots(&state.spots, fields["spots"])
    for symbol in range(64):
        state.held_step[symbol] = table.moves["held_step"][symbol]
        state.held_fall[symbol] = table.moves["held_fall"][symbol]
        state.held_each[symbol] = table.moves["held_each"][symbol]
        state.held_jump[symbol] = table.moves["held_jump"][symbol]
        state.held_stack[symbol] = table.moves["held_stack"][symbol]
        state.grow[symbol] = table.moves["grow"][symbol]
    state.jumps = table.moves["held_jump"].any()
    state.moves_in_steps = table.moves["held_each"].any()
    state.stacks = table.moves["held_stack"].any()
    state.grows = table.moves["grow"].any()
    state.final_symbols = fields["final_symbols"]
    state.final_combine = fields["final_combine"]
    state.final_persist = fields["final_persist"]
    if table.special is not None:
        state.special_on = 1
        state.special_own_lines = table.special["special_own_lines"]
        state.special_count = table.special["special_count"]
        state.special_most = table.special["special_most"]
        state.special_more = table.special["special_more"]
        set_table(&state.special, table.special["special"])
        state.special_pays = <const int64_t *>address(table.special["special_pays"])
        state.special_exempt = <const uint8_t *>address(table.special["special_exempt"])
    state.lines = fields["lines"]
    state.paylines_count = len(table.paylines)
    state.pure_wild_run = table.pure_wild_run
    state.count_min = table.count_min
    state.paylines = <const uint8_t *>address(table.paylines)
    state.cell_lines = <const uint64_t *>address(table.cell_lines)
    state.looks_stopped = fields["looks_stopped"]
    state.readings = <const uint64_t *>address(table.readings)
    state.naturals = <const uint64_t *>address(table.naturals)
    return 0


# Points the C lane tables of a state at arrays that the caller keeps alive. Cannot fail.
cdef int set_lanes(rgs_lanes *lanes, object table, object state_table) except -1:
    cdef const uint8_t[:, ::1] rows
    cdef const uint16_t[::1] stops
    cdef const int8_t[:, :, ::1] weights
    cdef const uint8_t[::1] alarm
    for reel, strip in enumerate(state_table.strips):
        rows = table.rows[reel]
        lanes.rows[<Py_ssize_t>reel] = &rows[0, 0]
        lanes.bounds[<Py_ssize_t>reel] = strip.total
        lanes.rejects[<Py_ssize_t>reel] = (1 << 32) % strip.total
        if table.stops[reel] is not None:
            stops = table.stops[reel]
            lanes.stops[<Py_ssize_t>reel] = &stops[0]
    lanes.row_bytes = table.row_bytes
    lanes.chunks = table.chunks
    lanes.limbs = table.limbs
    lanes.count_from = table.count_from
    lanes.pay_unit = table.pay_unit
    if table.chunks:
        weights = table.weights
        alarm = table.alarm
        lanes.weights = &weights[0, 0, 0]
        lanes.alarm = &alarm[0]
    lanes.counts_bias = table.counts_bias
    lanes.counts_flags = table.counts_flags
    lanes.wild_flag = table.wild_flag
    lanes.exact_alarm = table.exact_alarm
    for i, slot in enumerate(table.evaluator_slots):
        lanes.evaluator_slot[<Py_ssize_t>i] = slot
    for i, slot in enumerate(table.trigger_slots):
        lanes.trigger_slot[<Py_ssize_t>i] = slot
    return 0


@cython.final
@cython.auto_pickle(False)
cdef class Engine:
    """Plays one build. Immutable after construction; safe to share between threads.

    `Engine(build)` compiles the build's tables. Every method is a pure function of the build and its
    arguments. A key is 32 bytes (rgs_core.derive_key), a nonce a 64-bit spin number.

    `simd` names the instruction set of the kernel for many rounds, by default the fastest (rgs_core.engine.simd);
    results do not depend on it. `kernel` tells which kernel that is: "lanes" or "general" (whose random words alone
    are computed in lanes), with `general_because` saying why.
    """

    cdef rgs_game game
    cdef rgs_kernel play
    cdef readonly object build
    cdef readonly object tables
    cdef readonly object lane_tables
    cdef readonly str simd
    cdef readonly str general_because

    def __cinit__(self, build, *, simd=None):
        model = build.model
        tables = compile_tables(build)
        mode = build.play
        self.build = build
        self.tables = tables
        memset(&self.game, 0, sizeof(self.game))
        self.game.reels = model.reels
        self.game.rows = model.rows
        self.game.top = sum(1 << reel for reel in model.top)
        self.game.symbols_count = len(model.symbols)
        self.game.states_count = len(tables.states)
        self.game.start = tables.index(mode.start)
        self.game.start_spins = mode.spins
        self.game.free_spins_max = model.free_spins_max
        self.game.win_units_max = tables.win_units_max
        self.game.win_units_cap = model.win_units_cap or 0
        for symbol in range(64):
            self.game.wild_multiplier[symbol] = 1
            self.game.read[symbol] = symbol
            self.game.times[symbol] = 1
        self.game.doubles = len(model.doubles) > 0
        for double in model.doubles.values():
            symbol = model.symbols.index(double.name)
            self.game.read[symbol] = model.symbols.index(double.symbol)
            self.game.times[symbol] = double.count
        for wild in model.wilds.values():
            symbol = model.symbols.index(wild.symbol)
            self.game.wild[symbol] = 1
            self.game.wild_multiplier[symbol] = wild.multiplier
            self.game.wild_combine[symbol] = COMBINES.index(wild.combine)
            self.game.wilds_multiply |= wild.multiplies
        self.game.has_values = any(
            transform.kind == "values" or getattr(transform, "multiplies", "spin") == "cells"
            for state in model.states.values()
            for transform in state.all_transforms
        )
        self.game.wins_award = any(
            trigger.kind == "win_spins" for state in model.states.values() for trigger in state.triggers
        )
        for s, state_table in enumerate(tables.states):
            set_state(&self.game.states[<Py_ssize_t>s], state_table)
        for b, bonus in enumerate(tables.bonuses):
            set_bonus(&self.game.bonuses[<Py_ssize_t>b], bonus)
        if tables.gamble is not None:
            set_gamble(&self.game.gamble, tables.gamble)
        self.simd = chosen() if simd is None else simd
        self.general_because = ""
        self.lane_tables = ()
        if simd_number(self.simd) == RGS_SIMD_SCALAR:
            self.general_because = "the instruction set asked for is scalar"
        else:
            try:
                self.lane_tables = compile_lanes(tables)
            except NotInLanes as reason:
                self.general_because = str(reason)
        for s, lane_table in enumerate(self.lane_tables):
            set_lanes(&self.game.lanes[<Py_ssize_t>s], lane_table, tables.states[s])
        self.game.has_lanes = len(self.lane_tables) > 0
        self.play = rgs_kernel_for(&self.game, simd_number(self.simd))

    @property
    def kernel(self):
        return "lanes" if self.lane_tables else "general"

    def win(self, key, nonce, *, uint32_t stream=0):
        """Units won by round `nonce`: `spin(key, nonce).win_units` without its record."""
        cdef uint32_t words[8]
        cdef rgs_round round
        load_key(key, words)
        error = rgs_play_round(&self.game, words, stream, number(nonce), &round, NULL)
        if error:
            fail(error)
        return round.win

    def spin(self, key, nonce, *, uint32_t stream=0):
        """Round `nonce` in full: a `Round` with every stop, window, win and award.

        Raises SeedError for a bad key, DrawLimitError if the round needs more words than it has.
        """
        cdef uint32_t words[8]
        cdef rgs_round round
        cdef Round played = Round.__new__(Round)
        load_key(key, words)
        error = rgs_play_round(&self.game, words, stream, number(nonce), &round, &played.log)
        if error:
            fail(error)
        played.tables = self.tables
        played.win_units = round.win
        played.capped = round.capped
        return played

    def simulate(self, key, first_nonce, n, *, uint32_t stream=0, edges=(), wins=None):
        """Exact sums over the rounds first_nonce .. first_nonce + n - 1, without the GIL.

        `edges`: ascending win limits in units; class i counts wins in (edges[i-1], edges[i]], the last
        class all above. `wins`: an int64 buffer of n elements that gets the units won by each round.
        Returns a dict of ints, lists by state, and `win_max_nonce`. `parts` by state: a dict of the units won, by
        name of evaluator, trigger, special and final.
        """
        cdef uint32_t words[8]
        cdef rgs_totals totals
        cdef int64_t[::1] view
        cdef int64_t *target = NULL
        cdef int error
        cdef uint64_t first = number(first_nonce), rounds = number(n)
        edges = [index(edge) for edge in edges]
        if wins is not None and rounds:
            view = wins
            if <uint64_t>view.shape[0] != rounds:
                raise ValueError("wins has one element a round")
            target = &view[0]
        if len(edges) > RGS_EDGES_MAX:
            raise ValueError(f"at most {RGS_EDGES_MAX} edges")
        if edges != sorted(edges):
            raise ValueError("edges ascend")
        check_range(first, rounds)
        load_key(key, words)
        memset(&totals, 0, sizeof(totals))
        totals.edges_count = len(edges)
        for i, edge in enumerate(edges):
            totals.edges[<Py_ssize_t>i] = edge
        with nogil:
            error = self.play(&self.game, words, stream, first, rounds, &totals, target)
        if error:
            fail(error)
        states = range(self.game.states_count)
        return {
            "rounds": totals.rounds,
            "hits": totals.hits,
            "paid_spin_hits": totals.paid_spin_hits,
            "features": totals.features,
            "capped": totals.capped,
            "win": exact(&totals.win),
            "win_squared": int(totals.win_squared_carry) << 128 | exact(&totals.win_squared),
            "parts": [part_sums(self.tables.states[s], &totals.parts[s][0]) for s in states],
            "spins": [totals.spins[s] for s in states],
            "fired": [[totals.fired[s][t] for t in range(RGS_TRIGGERS_MAX)] for s in states],
            "awarded": [[totals.awarded[s][t] for t in range(RGS_TRIGGERS_MAX)] for s in states],
            "gambled": exact(&totals.gambled),
            "regained": exact(&totals.regained),
            "win_max": totals.win_max,
            "win_max_nonce": totals.win_max_nonce,
            "classes": [totals.classes[i] for i in range(len(edges) + 1)],
        }

    def wins_given(self, key, first_nonce, given, *, uint32_t stream=0):
        """Units won by rounds whose paid spins begin with given draws, int64[n], without the GIL.

        `given`: uint32[n, d]: what round first_nonce + i draws first: for each reel that draws its height the entry of
        its table, then the stop of each reel. All further draws are those of the stream. They are no rounds of the
        game, but have its law where the given draws have theirs. ValueError for draws that there are not, and for
        states that draw their strips or cells.
        """
        cdef uint32_t words[8]
        start = self.tables.states[self.game.start]
        limits = [len(table.values) for table in start.heights if not table.fixed]
        limits += [strip.length for strip in start.strips]
        given = np.ascontiguousarray(given, dtype=np.uint32)
        if not start.set_choice.fixed or start.fields["cells"]:
            raise ValueError("the strips or the cells of the paid spin are drawn")
        if given.ndim != 2 or given.shape[1] != len(limits) or (given >= np.array(limits)).any():
            raise ValueError(f"given draws are {len(limits)} numbers a round, below {limits}")
        cdef const uint32_t[:, ::1] draws = given
        cdef int64_t[::1] view
        cdef Py_ssize_t i, n = draws.shape[0]
        cdef uint32_t count = draws.shape[1]
        cdef uint64_t first = number(first_nonce)
        cdef int error = RGS_OK
        check_range(first, n)
        load_key(key, words)
        wins = np.empty(n, dtype=np.int64)
        view = wins
        with nogil:
            for i in range(n):
                error = rgs_play_given(&self.game, words, stream, first + <uint64_t>i, &draws[i, 0], count, &view[i])
                if error:
                    break
        if error:
            fail(error)
        return wins

    def wins(self, key, first_nonce, n, *, uint32_t stream=0):
        """Units won by each round of a range: int64[n], in nonce order, without the GIL."""
        cdef uint32_t words[8]
        cdef rgs_totals totals
        cdef int64_t[::1] view
        cdef int64_t *target = NULL
        cdef int error
        cdef uint64_t first = number(first_nonce), rounds = number(n)
        check_range(first, rounds)
        load_key(key, words)
        memset(&totals, 0, sizeof(totals))
        wins = np.empty(rounds, dtype=np.int64)
        view = wins
        if rounds:
            target = &view[0]
        with nogil:
            error = self.play(&self.game, words, stream, first, rounds, &totals, target)
        if error:
            fail(error)
        return wins

    def joint(self, int state_index, counted, *, bint merge=True, specials=(), held=None):
        """Joint law of one spin of a state over its whole cycle, exact.

        By merging equal situations reel by reel, or with merge=False by visiting every combination of
        stops (pruned): two algorithms that must agree. `counted`: up to COUNTED_MAX sets of symbols, each a
        mapping with the members of rgs_counted: bits of `symbols`; `stopped`: as the reels stopped, before reels
        expand. `specials`: the special symbols of the feature, counted after the others by the reels that show them
        (merging only). `held`: (symbol, bits of the cells that show it whatever their reels stop at, cells on which it
        may land beside them), merging only; a cell is reel x rows + row.
        Returns (pays int64[n] of all lines in units, counts uint8[n, len(counted)] in view, matches
        uint16[n, MATCHES_MAX] lines that match a pick pattern, or spins that wins award, by the triggers that
        lines decide, weights object[n] of ints, landed uint32[n]), rows in
        ascending order; the weights add up to the cycle length. Bit i of `landed`: the symbol is on the i-th of the
        cells given.
        Raises AnalysisError when that is 2^127 or more, or the situations are too many to hold.
        """
        cdef rgs_counted counting[RGS_COUNTED_MAX]
        cdef rgs_joint joint
        cdef rgs_merged_table merged
        cdef const uint16_t[::1] order
        cdef rgs_held holding
        cdef const rgs_held *held_cells = NULL
        cdef int error
        cdef size_t i, row = 0, rows
        cdef int64_t[::1] pays_view
        cdef uint64_t[::1] counts_view, matches_view, low_view, high_view
        cdef uint32_t counted_count
        cdef uint64_t skip = 0
        for special in specials:
            name = self.build.model.symbols[special]
            counted = [*counted, {"symbols": counted_bits(self.build.model, name), "by_reel": 1}]
        counted_count = len(counted)
        if counted_count > COUNTED_MAX:
            raise AnalysisError(f"more than {COUNTED_MAX} sets of symbols are counted in one state")
        if held is not None:
            symbol, cells, places = held
            if not merge or len(places) > 32 or 8 * counted_count + len(places) > 64:
                raise AnalysisError(f"{len(places)} cells to land on are too many with {counted_count} counted symbols")
            memset(&holding, 0, sizeof(holding))
            holding.symbol = symbol
            holding.cells = cells
            for place, cell in enumerate(places):
                holding.places[<Py_ssize_t>cell] = 8 * counted_count + place
            held_cells = &holding
        if not 0 <= state_index < <int>self.game.states_count:
            raise IndexError("no such state")
        state_table = self.tables.states[state_index]
        if len(decided_by_lines(state_table.state)) > RGS_MATCHES_MAX:
            raise AnalysisError(f"more than {MATCHES_MAX} triggers of kind pick and win_spins in one state")
        if specials and not merge:
            raise AnalysisError("the law of a special symbol comes by merging")
        if specials and not state_table.special["special_own_lines"]:
            skip = sum(1 << special for special in specials)
        cycle = 1
        for strip in state_table.strips:
            cycle *= strip.total
        if cycle >= 1 << 127:
            raise AnalysisError(f"a cycle of {cycle} is too long to count exactly in 127 bits")
        for place, fields in enumerate(counted):
            counting[<Py_ssize_t>place].symbols = fields["symbols"]
            counting[<Py_ssize_t>place].stopped = fields.get("stopped", 0)
            counting[<Py_ssize_t>place].by_reel = fields.get("by_reel", 0)
            counting[<Py_ssize_t>place].reels = fields.get("reels", 255)
        memset(&joint, 0, sizeof(joint))
        memset(&merged, 0, sizeof(merged))
        # Paylines in lexical order of their rows; one entry more, so that there is always an address.
        order = np.append(np.lexsort(state_table.paylines.T[::-1]), 0).astype(np.uint16)
        try:
            with nogil:
                if merge:
                    error = rgs_merge_joint(&self.game, state_index, counting, counted_count, skip, held_cells,
                                            &order[0], interrupted, &merged)
                else:
                    error = rgs_cycle_joint(&self.game, state_index, counting, counted_count, interrupted, &joint)
            if error == RGS_CYCLE_INTERRUPTED:
                raise raised_by_signal
            if error == RGS_MERGE_TOO_LARGE:
                raise AnalysisError(
                    f"state '{state_table.state.name}' has too many different situations to merge in memory"
                )
            if error:
                raise MemoryError("no memory for the joint law")
            rows = merged.used if merge else joint.used
            pays = np.empty(rows, dtype=np.int64)
            counts = np.empty(rows, dtype=np.uint64)
            matches = np.empty(rows, dtype=np.uint64)
            low = np.empty(rows, dtype=np.uint64)
            high = np.empty(rows, dtype=np.uint64)
            pays_view, counts_view, matches_view, low_view, high_view = pays, counts, matches, low, high
            for i in range(merged.capacity):
                if rgs_low64(&merged.cells[i].weight) | rgs_high64(&merged.cells[i].weight):
                    pays_view[row] = merged.cells[i].pay
                    counts_view[row] = merged.cells[i].counts
                    matches_view[row] = merged.cells[i].matches
                    low_view[row] = rgs_low64(&merged.cells[i].weight)
                    high_view[row] = rgs_high64(&merged.cells[i].weight)
                    row += 1
            for i in range(joint.capacity):
                if rgs_low64(&joint.cells[i].weight) | rgs_high64(&joint.cells[i].weight):
                    pays_view[row] = joint.cells[i].pay
                    counts_view[row] = joint.cells[i].counts
                    matches_view[row] = joint.cells[i].matches
                    low_view[row] = rgs_low64(&joint.cells[i].weight)
                    high_view[row] = rgs_high64(&joint.cells[i].weight)
                    row += 1
        finally:
            free(joint.cells)
            free(merged.cells)
        ascending = np.lexsort((matches, counts, pays))
        weights = low.astype(object)
        if high.any():
            weights += high.astype(object) << 64
        split_counts = counts[:, None] >> (8 * np.arange(counted_count, dtype=np.uint64)) & np.uint64(255)
        split_matches = matches[:, None] >> (16 * np.arange(RGS_MATCHES_MAX, dtype=np.uint64)) & np.uint64(65535)
        return (
            pays[ascending],
            split_counts[ascending].astype(np.uint8),
            split_matches[ascending].astype(np.uint16),
            weights[ascending],
            (counts >> np.uint64(8 * counted_count) if counted_count < RGS_COUNTED_MAX else counts * 0)
            .astype(np.uint32)[ascending],
        )

    def prefixes(self, int state_index, columns, order, added):
        """About how many prefixes of reels `pruned` looks at, by 2,000 walks down random paths, which are always the
        same. The arguments are those of `pruned`."""
        return self._prune(state_index, columns, order, added, False, 0, 1, 0, 2000)[2]

    def pruned(self, int state_index, columns, order, added, *, uint64_t limit, bint merging=False, threads=None):
        """Law of one spin by pruned enumeration of what independent reels show.

        `columns`: for each reel all that it may show, as (symbols uint8[n, rows], heights uint8[n], values
        int32[n, rows] or None, counts uint64[n] of up to eight counted symbols in eight bits each, sums int64[n] of
        collected values, weights uint64[n]); `order`: the reels as they are walked; `added`: places of evaluators that
        pay by counts and sums, and are not looked at; `merging`: of counts and clusters alone, prefixes with the same
        prospects are merged, in the order of the reels. Returns (words int64[m, k], weights object[m]): what each other
        evaluator pays in order, matches (sixteen bits for each trigger), counts and the sum. Raises AnalysisError after
        `limit` prefixes, and for rows that are too many to hold.
        """
        parts = 1 if merging else min(len(columns[order[0]][5]), threads or cpu_count() or 1)
        if parts == 1:
            pieces = [self._prune(state_index, columns, order, added, merging, 0, 1, limit, 0)]
        else:
            with ThreadPoolExecutor(parts) as pool:
                pieces = list(
                    pool.map(
                        lambda i: self._prune(state_index, columns, order, added, False, i, parts, limit, 0),
                        range(parts),
                    )
                )
        return merged_rows(
            np.concatenate([words for words, _, _ in pieces]), np.concatenate([weights for _, weights, _ in pieces])
        )

    # One part of the law, or with `probes` the number of prefixes alone. Returns (words, weights, prefixes).
    def _prune(self, int state_index, columns, order, added, uint32_t merging, uint32_t part, uint32_t parts,
               uint64_t limit, uint32_t probes):
        cdef rgs_columns reels[8]
        cdef uint8_t walked[8]
        cdef rgs_rows law
        cdef uint64_t nodes = 0
        cdef uint32_t without = 0
        cdef int error
        cdef size_t i, row = 0
        cdef int64_t[:, ::1] words_view
        cdef uint64_t[::1] low_view, high_view
        memset(&law, 0, sizeof(law))
        for place in added:
            without |= <uint32_t>1 << <int>place
        for place, reel in enumerate(order):
            walked[<Py_ssize_t>place] = reel
        for reel, (symbols, heights, values, counts, sums, weights) in enumerate(columns):
            reels[<Py_ssize_t>reel].count = len(weights)
            reels[<Py_ssize_t>reel].symbols = <const uint8_t *>address(symbols)
            reels[<Py_ssize_t>reel].heights = <const uint8_t *>address(heights)
            reels[<Py_ssize_t>reel].values = <const int32_t *>address(values)
            reels[<Py_ssize_t>reel].counts = <const uint64_t *>address(counts)
            reels[<Py_ssize_t>reel].sums = <const int64_t *>address(sums)
            reels[<Py_ssize_t>reel].weights = <const uint64_t *>address(weights)
        try:
            with nogil:
                error = rgs_prune_spin(&self.game, state_index, reels, walked, without, merging, part, parts, limit,
                                       probes, interrupted, &law, &nodes)
            name = self.tables.states[state_index].state.name
            if error == RGS_CYCLE_INTERRUPTED:
                raise raised_by_signal
            if error == RGS_PRUNE_TOO_LONG:
                raise AnalysisError(
                    f"the pruned enumeration of state '{name}' has more than {limit:,} prefixes of reels"
                )
            if error == RGS_MERGE_TOO_LARGE:
                raise AnalysisError(f"state '{name}' has too many different spins to list them")
            if error:
                raise MemoryError("no memory for the law of a spin")
            words = np.empty((law.used, max(1, law.width)), dtype=np.int64)
            low, high = np.empty(law.used, dtype=np.uint64), np.empty(law.used, dtype=np.uint64)
            words_view, low_view, high_view = words, low, high
            for i in range(law.capacity):
                if rgs_low64(&law.weights[i]) | rgs_high64(&law.weights[i]):
                    memcpy(&words_view[row, 0], law.words + i * law.width, law.width * sizeof(int64_t))
                    low_view[row], high_view[row] = rgs_low64(&law.weights[i]), rgs_high64(&law.weights[i])
                    row += 1
        finally:
            free(law.words)
            free(law.weights)
        total = low.astype(object)
        if high.any():
            total += high.astype(object) << 64
        return words, total, nodes

    def combinations(self, int state_index):
        """Combinations of strip set, heights and stops that one spin of a state has, equal windows taken together."""
        return combination_count(self.tables.states[state_index])

    @staticmethod
    def held_memory(cells):
        """What a feature remembers that begins with held cells: (cell, number of the symbol, value) of each, as one of
        `SpinLaw.memories`; a cell is reel x rows + row."""
        cdef rgs_memory memory
        memset(&memory, 0, sizeof(memory))
        for cell, symbol, value in cells:
            memory.held |= <uint64_t>1 << <int>cell
            memory.held_symbols[<Py_ssize_t>cell] = symbol
            memory.held_values[<Py_ssize_t>cell] = value
        return (<const char *>&memory)[:sizeof(memory)] if memory.held else b""

    @staticmethod
    def held_cells(const uint8_t[::1] memory):
        """The held cells in one of `SpinLaw.memories`, in ascending order: what `held_memory` takes. Raises ValueError
        for bytes that are no memory."""
        cdef rgs_memory of
        if not memory.shape[0]:
            return ()
        if memory.shape[0] != <Py_ssize_t>sizeof(of):
            raise ValueError("no memory of a feature")
        memcpy(&of, &memory[0], sizeof(of))
        return tuple([(cell, of.held_symbols[<Py_ssize_t>cell], of.held_values[<Py_ssize_t>cell])
                      for cell in range(64) if of.held >> <int>cell & 1])

    def spin_law(self, int state_index, *, specials=(), memory=b"", first=None, last=False, limit=None, threads=None):
        """Law of one spin of a state by visiting every path of its draws, bonuses counted and not drawn: a `SpinLaw`.

        `specials`: numbers of the special symbols of the feature. `memory`: what the feature remembers from its spins
        so far, as one of `SpinLaw.memories`, or what it begins with. `first`: whether the spin is its first, before
        which held cells do not walk; by default where there is no memory. `last`: whether the spin ends the feature
        unless it awards spins of its state; then it also wins what pays at the end. Raises AnalysisError when there
        are more than `limit` combinations (combinations()), or paths of too many draws; ValueError for bytes that are
        no memory.
        """
        table = self.tables.states[state_index]
        count = combination_count(table)
        if limit is not None and count > limit:
            raise AnalysisError(f"state '{table.state.name}' has {count:,} combinations; the limit is {limit:,}")
        targets = [*table.awarded_states, *(RGS_STATES_MAX + t for t in table.multiplying)]
        parts = threads or (cpu_count() or 1) if count > 100_000 else 1
        further = bool(memory) if first is None else not first
        if parts == 1:
            pieces = [self._visit(state_index, specials, memory, further, last, targets, 0, 1)]
        else:
            with ThreadPoolExecutor(parts) as pool:
                pieces = list(
                    pool.map(
                        lambda i: self._visit(state_index, specials, memory, further, last, targets, i, parts),
                        range(parts),
                    )
                )
        return merged_law(pieces, targets, len(self.tables.states), table)

    def paths(self, int state_index, uint64_t most):
        """How many paths the draws of a spin of a state take from no memory, by visiting them; None where they are more
        than `most`, or cannot be visited. Raises MemoryError."""
        cdef rgs_visit *visit = <rgs_visit *>calloc(1, sizeof(rgs_visit))
        cdef int error
        if visit == NULL:
            raise MemoryError("no memory for the paths of a spin")
        try:
            visit.paths_max = most
            with nogil:
                error = rgs_visit_spin(&self.game, state_index, NULL, 0, NULL, 0, 0, 0, 1, interrupted, visit)
            if error == RGS_CYCLE_INTERRUPTED:
                raise raised_by_signal
            return None if error else visit.paths
        finally:
            free_visit(visit)

    # Visits one part of the paths. Returns (rows, sums of parts, reached, paths), each by the total of its paths.
    def _visit(self, int state_index, specials, const uint8_t[::1] memory, uint32_t further, uint32_t last, targets,
               uint32_t part, uint32_t parts):
        cdef rgs_visit *visit
        cdef rgs_memory remembered
        cdef const rgs_memory *begin = NULL
        cdef rgs_awarded *awarded
        cdef uint8_t drawn[8]
        cdef uint32_t drawn_count = len(specials)
        cdef int error
        cdef size_t i
        cdef rgs_merged *cell
        for place, special in enumerate(specials):
            drawn[<Py_ssize_t>place] = special
        if memory.shape[0]:
            if memory.shape[0] != <Py_ssize_t>sizeof(remembered):
                raise ValueError("no memory of a feature")
            memcpy(&remembered, &memory[0], sizeof(remembered))
            begin = &remembered
        visit = <rgs_visit *>calloc(1, sizeof(rgs_visit))
        if visit == NULL:
            raise MemoryError("no memory for the law of a spin")
        try:
            with nogil:
                error = rgs_visit_spin(&self.game, state_index, drawn, drawn_count, begin, further, last, part, parts,
                                       interrupted, visit)
            name, triggers = self.tables.states[state_index].state.name, len(self.tables.states[state_index].triggers)
            if error == RGS_CYCLE_INTERRUPTED:
                raise raised_by_signal
            if error in (RGS_VISIT_TOO_LONG, RGS_ERROR_WORDS):
                raise AnalysisError(f"state '{name}' draws more numbers in a spin than can be visited")
            if error in (RGS_VISIT_TOO_MANY, RGS_MERGE_TOO_LARGE):
                raise AnalysisError(f"state '{name}' has too many different spins to list them")
            if error == RGS_VISIT_MEMORIES:
                raise AnalysisError(f"a spin of state '{name}' can leave too many different memories to list them")
            if error:
                raise MemoryError("no memory for the law of a spin")
            totals = [exact(&visit.totals[t]) for t in range(visit.totals_count)]
            memories = [None]
            for i in range(visit.memories.count):
                left = (<const char *>visit.memories.items + i * sizeof(rgs_memory))[:sizeof(rgs_memory)]
                memories.append(left if any(left) else b"")
            awards = []
            for i in range(visit.awarded.count):
                awarded = <rgs_awarded *>visit.awarded.items + i
                awards.append((tuple([awarded.spins[<Py_ssize_t>target] for target in targets]),
                               tuple([awarded.plays[<Py_ssize_t>t] for t in range(triggers)])))
            rows = []
            for i in range(visit.cells.capacity):
                cell = &visit.cells.cells[i]
                if rgs_low64(&cell.weight) | rgs_high64(&cell.weight):
                    rows.append((cell.pay, *awards[cell.counts], memories[cell.situation >> 12],
                                 totals[cell.situation & 4095], exact(&cell.weight)))
            sums = [[exact(&visit.parts[t][p]) for p in range(RGS_PARTS)] for t in range(visit.totals_count)]
            reached = [[exact(&visit.reached[t][k]) for k in range(64)] for t in range(visit.totals_count)]
            return totals, rows, sums, reached, visit.paths
        finally:
            free_visit(visit)


cdef void free_visit(rgs_visit *visit) noexcept:
    free(visit.cells.cells)
    free(visit.memories.items)
    free(visit.memories.slots)
    free(visit.awarded.items)
    free(visit.awarded.slots)
    free(visit)


# Sums of parts by name. Fails only without memory.
cdef object part_sums(object table, const rgs_u128 *parts):
    return {name: exact(&parts[<Py_ssize_t>p]) for name, p in part_places(table)}


# Refuses a range of nonces that leaves 64 bits. Raises ValueError.
cdef int check_range(uint64_t first, uint64_t n) except -1:
    if n and first + (n - 1) < first:
        raise ValueError("nonces are below 2^64")
    return 0


def memory_state(const uint8_t[::1] memory not None):
    """Number of the state as which a feature with this memory (SpinLaw.memories) has gone on; None: as it began."""
    cdef rgs_memory remembered
    if memory.shape[0] == 0:
        return None
    if memory.shape[0] != <Py_ssize_t>sizeof(remembered):
        raise ValueError("no memory of a feature")
    memcpy(&remembered, &memory[0], sizeof(remembered))
    return remembered.state - 1 if remembered.state else None
