"""The engine: plays, simulates and counts the full cycle of one compiled build.

Design: a) all rules are in the C headers; b) `Engine` copies the tables of rgs_core.tables into one
C struct at construction and never changes it, so any number of threads may use one engine; c) every
loop over rounds runs without the GIL and on the C stack; d) Python objects are made once a call.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from operator import index

import numpy as np

from rgs_core import outcome as records
from rgs_core.errors import AnalysisError, DrawLimitError, RgsError
from rgs_core.model import Lines, FreeSpinsTrigger
from rgs_core.lanes import NotInLanes, compile_lanes
from rgs_core.simd import chosen
from rgs_core.tables import compile_tables
from rgs_core._rng cimport RGS_SIMD_SCALAR, load_key, number, simd_number
from rgs_core._rng import SIMD_NAMES


cdef extern from "kernels.h" nogil:
    enum:
        RGS_REELS_MAX
        RGS_STATES_MAX
        RGS_TRIGGERS_MAX
        RGS_PARTS
        RGS_LINES
        RGS_SCATTER
        RGS_FREE_SPINS
        RGS_PICK
        RGS_EDGES_MAX
        RGS_OK
        RGS_ERROR_WORDS
        RGS_ERROR_MEMORY
        RGS_ERROR_WIN
        RGS_EVENT_SPIN
        RGS_EVENT_STOP
        RGS_EVENT_LINE
        RGS_EVENT_SCATTER
        RGS_EVENT_FREE_SPINS
        RGS_EVENT_PICK
        RGS_EVENT_PICKED

    ctypedef struct rgs_strip:
        uint32_t length
        uint32_t total
        const uint8_t *symbols
        const uint32_t *cumulative

    ctypedef struct rgs_table:
        uint32_t length
        uint32_t total
        const int64_t *values
        const uint32_t *cumulative

    ctypedef struct rgs_evaluator:
        uint32_t kind
        uint32_t symbol
        const int64_t *pays

    ctypedef struct rgs_trigger:
        uint32_t kind
        uint32_t symbol
        const uint32_t *spins
        uint32_t pattern_length
        uint8_t *pattern
        rgs_table picks
        rgs_table prizes_per_pick
        rgs_table prizes

    ctypedef struct rgs_state:
        rgs_strip *strips
        uint32_t evaluators_count
        uint32_t triggers_count
        rgs_evaluator *evaluators
        rgs_trigger *triggers
        uint32_t paylines_count
        uint32_t pure_wild_run
        uint32_t count_min
        const uint8_t *paylines
        const uint64_t *readings

    ctypedef struct rgs_lanes:
        uint32_t *bounds
        uint32_t *rejects
        const uint16_t **stops
        const uint8_t **rows
        uint32_t row_bytes
        uint32_t chunks
        uint32_t limbs
        uint32_t count_from
        int64_t pay_unit
        const int8_t *weights
        const uint8_t *alarm
        uint64_t counts_bias
        uint64_t counts_flags
        uint64_t wild_flag
        uint32_t exact_alarm
        uint8_t *evaluator_slot
        uint8_t *trigger_slot

    ctypedef struct rgs_game:
        uint32_t reels
        uint32_t rows
        uint32_t symbols_count
        uint32_t states_count
        uint32_t free_spins_max
        int64_t win_units_max
        uint8_t *wild
        int64_t *wild_multiplier
        uint8_t *wild_product
        uint32_t wilds_multiply
        rgs_state *states
        uint32_t has_lanes
        rgs_lanes *lanes

    ctypedef struct rgs_event:
        uint32_t kind
        uint32_t a
        uint32_t b
        uint32_t c
        int64_t multiplier
        int64_t amount

    ctypedef struct rgs_log:
        rgs_event *events
        size_t length

    ctypedef struct rgs_round:
        int64_t win

    int rgs_play_round(const rgs_game *game, const uint32_t *key, uint32_t stream, uint64_t nonce,
                       rgs_round *round, rgs_log *log)

    ctypedef struct rgs_u128 "rgs_u128":
        pass

    ctypedef struct rgs_totals:
        uint64_t rounds
        uint64_t hits
        uint64_t paid_spin_hits
        uint64_t features
        rgs_u128 win
        rgs_u128 win_squared
        uint64_t win_squared_carry
        rgs_u128 parts[2][3]
        uint64_t spins[2]
        uint64_t fired[2][4]
        uint64_t awarded[2][4]
        int64_t win_max
        uint64_t win_max_nonce
        uint32_t edges_count
        int64_t *edges
        uint64_t *classes

    ctypedef int (*rgs_kernel)(const rgs_game *game, const uint32_t *key, uint32_t stream, uint64_t first,
                               uint64_t n, rgs_totals *totals, int64_t *wins) noexcept nogil
    rgs_kernel rgs_kernel_for(const rgs_game *game, uint32_t simd)


cdef extern from *:
    """
    static inline uint64_t rgs_low64(const unsigned __int128 *x) { return (uint64_t)*x; }
    static inline uint64_t rgs_high64(const unsigned __int128 *x) { return (uint64_t)(*x >> 64); }
    """
    uint64_t rgs_low64(const rgs_u128 *x) noexcept nogil
    uint64_t rgs_high64(const rgs_u128 *x) noexcept nogil


cdef extern from "merge.h" nogil:
    ctypedef struct rgs_cell:
        int64_t pay
        uint32_t counts
        uint64_t matches
        rgs_u128 weight

    ctypedef struct rgs_joint:
        rgs_cell *cells
        size_t used
        size_t capacity

    ctypedef struct rgs_merged:
        int64_t pay
        uint32_t counts
        uint64_t matches
        rgs_u128 weight

    ctypedef struct rgs_merged_table:
        rgs_merged *cells
        size_t used
        size_t capacity

    int rgs_cycle_joint(const rgs_game *game, uint32_t state_index, const uint8_t *counted_symbols,
                        uint32_t counted, int (*interrupted)() noexcept nogil, rgs_joint *joint)
    int rgs_merge_joint(const rgs_game *game, uint32_t state_index, const uint8_t *counted_symbols,
                        uint32_t counted, const uint16_t *order, int (*interrupted)() noexcept nogil,
                        rgs_merged_table *result)
    enum:
        RGS_CYCLE_INTERRUPTED
        RGS_MERGE_TOO_LARGE


PARTS = ("lines", "scatter", "pick")
COUNTED_MAX = 4


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


# Points a C table at the arrays of a WeightTable that the caller keeps alive. Cannot fail.
cdef int set_table(rgs_table *table, object source) except -1:
    cdef const int64_t[::1] values = source.values
    cdef const uint32_t[::1] cumulative = source.cumulative
    table.length = <uint32_t>values.shape[0]
    table.total = cumulative[values.shape[0] - 1]
    table.values = &values[0]
    table.cumulative = &cumulative[0]
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

    `simd` names the instruction set of the kernel for many rounds, by default the fastest (rgs_core.simd);
    results do not depend on it. `kernel` tells which kernel that is: "lanes" or "general", with
    `general_because` saying why, and `simd` the set ("scalar" for the general kernel).
    """

    cdef rgs_game game
    cdef rgs_kernel play
    cdef readonly object build
    cdef readonly object tables
    cdef readonly object lane_tables
    cdef readonly str simd
    cdef readonly str general_because

    def __cinit__(self, build, *, simd=None):
        cdef const uint8_t[::1] bytes_view
        cdef const uint8_t[:, ::1] paylines
        cdef const uint32_t[::1] words_view
        cdef const uint64_t[::1] readings
        cdef const int64_t[::1] pays
        cdef rgs_state *state
        cdef rgs_strip *strip
        cdef rgs_trigger *trigger
        model = build.model
        tables = compile_tables(build)
        self.build = build
        self.tables = tables
        memset(&self.game, 0, sizeof(self.game))
        self.game.reels = model.reels
        self.game.rows = model.rows
        self.game.symbols_count = len(model.symbols)
        self.game.states_count = len(tables.states)
        self.game.free_spins_max = model.free_spins_max
        self.game.win_units_max = tables.win_units_max
        for symbol in range(64):
            self.game.wild_multiplier[symbol] = 1
        for wild in model.wilds.values():
            symbol = model.symbols.index(wild.symbol)
            self.game.wild[symbol] = 1
            self.game.wild_multiplier[symbol] = wild.multiplier
            self.game.wild_product[symbol] = wild.combine == "product"
            self.game.wilds_multiply |= wild.multiplier != 1
        for s, state_table in enumerate(tables.states):
            state = &self.game.states[<Py_ssize_t>s]
            for r, strip_table in enumerate(state_table.strips):
                strip = &state.strips[<Py_ssize_t>r]
                bytes_view = strip_table.symbols
                strip.length = strip_table.length
                strip.total = strip_table.total
                strip.symbols = &bytes_view[0]
                if strip_table.cumulative is not None:
                    words_view = strip_table.cumulative
                    strip.cumulative = &words_view[0]
            state.evaluators_count = len(state_table.evaluators)
            for e, evaluator in enumerate(state_table.evaluators):
                pays = evaluator.pays.reshape(-1)
                state.evaluators[<Py_ssize_t>e].kind = (
                    RGS_LINES if isinstance(evaluator.evaluator, Lines) else RGS_SCATTER
                )
                state.evaluators[<Py_ssize_t>e].symbol = evaluator.symbol
                state.evaluators[<Py_ssize_t>e].pays = &pays[0]
            state.triggers_count = len(state_table.triggers)
            for t, trigger_table in enumerate(state_table.triggers):
                trigger = &state.triggers[<Py_ssize_t>t]
                trigger.symbol = trigger_table.symbol
                if isinstance(trigger_table.trigger, FreeSpinsTrigger):
                    words_view = trigger_table.spins
                    trigger.kind = RGS_FREE_SPINS
                    trigger.spins = &words_view[0]
                else:
                    trigger.kind = RGS_PICK
                    trigger.pattern_length = len(trigger_table.pattern)
                    for i, symbol in enumerate(trigger_table.pattern):
                        trigger.pattern[<Py_ssize_t>i] = symbol
                    set_table(&trigger.picks, trigger_table.picks)
                    set_table(&trigger.prizes_per_pick, trigger_table.prizes_per_pick)
                    set_table(&trigger.prizes, trigger_table.prizes)
            readings = state_table.readings
            state.readings = &readings[0]
            state.count_min = state_table.count_min
            state.pure_wild_run = state_table.pure_wild_run
            state.paylines_count = len(state_table.paylines)
            if state.paylines_count:
                paylines = state_table.paylines
                state.paylines = &paylines[0, 0]
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
                self.simd = SIMD_NAMES[RGS_SIMD_SCALAR]
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
        played.engine = self
        played.win_units = round.win
        return played

    def simulate(self, key, first_nonce, n, *, uint32_t stream=0, edges=(), wins=None):
        """Exact sums over the rounds first_nonce .. first_nonce + n - 1, without the GIL.

        `edges`: ascending win limits in units; class i counts wins in (edges[i-1], edges[i]], the last
        class all above. `wins`: an int64 buffer of n elements that gets the units won by each round.
        Returns a dict of ints, lists by state, and `win_max_nonce`.
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
            "win": exact(&totals.win),
            "win_squared": int(totals.win_squared_carry) << 128 | exact(&totals.win_squared),
            "parts": [[exact(&totals.parts[s][p]) for p in range(RGS_PARTS)] for s in states],
            "spins": [totals.spins[s] for s in states],
            "fired": [[totals.fired[s][t] for t in range(RGS_TRIGGERS_MAX)] for s in states],
            "awarded": [[totals.awarded[s][t] for t in range(RGS_TRIGGERS_MAX)] for s in states],
            "win_max": totals.win_max,
            "win_max_nonce": totals.win_max_nonce,
            "classes": [totals.classes[i] for i in range(len(edges) + 1)],
        }

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

    def joint(self, int state_index, counted, *, bint merge=True):
        """Joint law of one spin of a state over its whole cycle, exact.

        By merging equal situations reel by reel, or with merge=False by visiting every combination of
        stops (pruned): two algorithms that must agree. `counted`: up to COUNTED_MAX symbol indices.
        Returns (pays int64[n] of all lines in units, counts uint8[n, len(counted)] in view, matches
        uint16[n, triggers] lines that match a pick pattern, weights object[n] of ints), rows in
        ascending order; the weights add up to the cycle length.
        Raises AnalysisError when that is 2^127 or more, or the situations are too many to hold.
        """
        cdef uint8_t symbols[4]
        cdef rgs_joint joint
        cdef rgs_merged_table merged
        cdef const uint16_t[::1] order
        cdef int error
        cdef size_t i, row = 0, rows
        cdef int64_t[::1] pays_view
        cdef uint32_t[::1] counts_view
        cdef uint64_t[::1] matches_view, low_view, high_view
        cdef uint32_t counted_count = len(counted)
        if counted_count > COUNTED_MAX:
            raise AnalysisError(f"more than {COUNTED_MAX} counted symbols in one state")
        if not 0 <= state_index < <int>self.game.states_count:
            raise IndexError("no such state")
        state_table = self.tables.states[state_index]
        cycle = 1
        for strip in state_table.strips:
            cycle *= strip.total
        if cycle >= 1 << 127:
            raise AnalysisError(f"a cycle of {cycle} is too long to count exactly in 127 bits")
        for place, symbol in enumerate(counted):
            symbols[<Py_ssize_t>place] = symbol
        memset(&joint, 0, sizeof(joint))
        memset(&merged, 0, sizeof(merged))
        # Paylines in lexical order of their rows; one entry more, so that there is always an address.
        order = np.append(np.lexsort(state_table.paylines.T[::-1]), 0).astype(np.uint16)
        try:
            with nogil:
                if merge:
                    error = rgs_merge_joint(&self.game, state_index, symbols, counted_count, &order[0],
                                            interrupted, &merged)
                else:
                    error = rgs_cycle_joint(&self.game, state_index, symbols, counted_count, interrupted, &joint)
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
            counts = np.empty(rows, dtype=np.uint32)
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
        split_counts = counts[:, None] >> (8 * np.arange(counted_count, dtype=np.uint32)) & 255
        split_matches = matches[:, None] >> (16 * np.arange(RGS_TRIGGERS_MAX, dtype=np.uint64)) & np.uint64(65535)
        return (
            pays[ascending],
            split_counts[ascending].astype(np.uint8),
            split_matches[ascending].astype(np.uint16),
            weights[ascending],
        )


@cython.final
@cython.auto_pickle(False)
@cython.freelist(64)
cdef class Round:
    """One round as the engine played it: the log of all that happened, and records made from it when asked.

    Equal to the `Outcome` of the same round (rgs_core.outcome), from the engine or the reference.
    """

    cdef rgs_log log
    cdef Engine engine
    cdef object decoded
    cdef readonly int64_t win_units

    def __init__(self):
        raise TypeError("rounds come from Engine.spin")

    def __dealloc__(self):
        free(self.log.events)

    @property
    def outcome(self):
        """The whole round as an `Outcome`."""
        if self.engine is None:
            raise ValueError("no engine played this round")
        if self.decoded is None:
            self.decoded = self._decode()
        return self.decoded

    @property
    def spins(self):
        """The paid spin and every free spin."""
        return self.outcome.spins

    def as_dict(self):
        """JSON-ready form."""
        return self.outcome.as_dict()

    def digest(self):
        """SHA-256 in hex of the canonical JSON."""
        return self.outcome.digest()

    def __eq__(self, other):
        if isinstance(other, Round):
            other = other.outcome
        if not isinstance(other, records.Outcome):
            return NotImplemented
        return self.outcome == other

    def __hash__(self):
        return hash(self.outcome)

    def __repr__(self):
        return repr(self.outcome)

    # Decodes the log into records. Fails only without memory.
    cdef object _decode(self):
        cdef size_t i = 0
        cdef const rgs_event *event
        model = self.engine.build.model
        build = self.engine.build
        spins = []
        while i < self.log.length:
            event = &self.log.events[i]
            state_table = self.engine.tables.states[event.a]
            state, sub_spin = state_table.state, event.b
            stops = []
            window = []
            wins = []
            awards = []
            i += 1
            while i < self.log.length and self.log.events[i].kind != RGS_EVENT_SPIN:
                event = &self.log.events[i]
                i += 1
                if event.kind == RGS_EVENT_STOP:
                    stops.append(event.b)
                    window.append(build.strips(state)[event.a].window(event.b, model.rows))
                elif event.kind == RGS_EVENT_LINE:
                    symbol = model.symbols[event.b]
                    name = model.lines_of(state).name
                    multiplier = state.multiplier_for(name, symbol, event.c)
                    wins.append(records.Win(
                        name, event.a + 1, symbol, event.c, event.multiplier, multiplier, event.amount
                    ))
                elif event.kind == RGS_EVENT_SCATTER:
                    symbol = model.symbols[event.b]
                    name = state.evaluators[event.a]
                    multiplier = state.multiplier_for(name, symbol, event.c)
                    wins.append(records.Win(name, None, symbol, event.c, 1, multiplier, event.amount))
                elif event.kind == RGS_EVENT_FREE_SPINS:
                    trigger = state.triggers[event.a]
                    awards.append(records.FreeSpinsAward(
                        trigger.name, trigger.symbol, event.b, event.c, trigger.state
                    ))
                else:
                    trigger, line, amount = state.triggers[event.a], event.b + 1, event.amount
                    picks = []
                    while i < self.log.length and self.log.events[i].kind == RGS_EVENT_PICKED:
                        if self.log.events[i].a == <uint32_t>len(picks):
                            prizes = []
                            picks.append(prizes)
                        prizes.append(self.log.events[i].amount)
                        i += 1
                    awards.append(records.PickBonus(
                        trigger.name, line, tuple([tuple(pick) for pick in picks]), amount
                    ))
            spins.append(records.Spin(
                state.name, sub_spin, tuple(stops), tuple(window), tuple(wins), tuple(awards)
            ))
        return records.Outcome(tuple(spins), self.win_units)


# Refuses a range of nonces that leaves 64 bits. Raises ValueError.
cdef int check_range(uint64_t first, uint64_t n) except -1:
    if n and first + (n - 1) < first:
        raise ValueError("nonces are below 2^64")
    return 0
