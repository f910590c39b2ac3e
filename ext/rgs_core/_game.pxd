"""Declarations of the headers that the compiled modules share: a compiled build, rounds, logs, totals, laws.

Arrays of arrays have the sizes that the headers give them; a 1 here only says how many dimensions there are.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "log.h" nogil:
    enum:
        RGS_OK
        RGS_ERROR_WORDS
        RGS_ERROR_MEMORY
        RGS_ERROR_WIN
        RGS_EVENT_SPIN
        RGS_EVENT_STRIPS
        RGS_EVENT_HEIGHT
        RGS_EVENT_STOP
        RGS_EVENT_CELL_STOP
        RGS_EVENT_FACTOR
        RGS_EVENT_GRID
        RGS_EVENT_CELL
        RGS_EVENT_WIN
        RGS_EVENT_CLOSING
        RGS_EVENT_FREE_SPINS
        RGS_EVENT_PICK
        RGS_EVENT_PICKED
        RGS_EVENT_BONUS
        RGS_EVENT_DRAWN
        RGS_EVENT_JACKPOT
        RGS_EVENT_GAMBLE
        RGS_EVENT_NUDGED
        RGS_EVENT_ACT
        RGS_EVENT_SPOT
        RGS_EVENT_LINKED
        RGS_EVENT_CHANGED
        RGS_EVENT_MARKED
        RGS_EVENT_INSIDE
        RGS_EVENT_MODIFIER
        RGS_EVENT_SPECIAL
        RGS_WIN_SPECIAL
        RGS_WIN_FINAL

    ctypedef struct rgs_event:
        uint32_t kind
        uint32_t a
        uint32_t b
        uint32_t c
        int64_t multiplier
        int64_t factor
        int64_t amount
        uint64_t cells

    ctypedef struct rgs_log:
        rgs_event *events
        size_t length


cdef extern from "game.h" nogil:
    enum:
        RGS_STATES_MAX
        RGS_SETS_MAX
        RGS_TRIGGERS_MAX
        RGS_MATCHES_MAX
        RGS_ANY_SYMBOL
        RGS_ONCE

    ctypedef struct rgs_strip:
        uint32_t length
        uint32_t total
        const uint8_t *symbols
        const uint64_t *shows
        const uint32_t *cumulative
        uint32_t distinct
        const uint32_t *distinct_stops
        const uint64_t *distinct_weights

    ctypedef struct rgs_table:
        uint32_t length
        uint32_t total
        uint32_t fixed
        const int64_t *values
        const uint32_t *cumulative

    ctypedef struct rgs_evaluator:
        uint32_t kind
        uint32_t symbol
        uint64_t symbols
        const int64_t *pays
        const uint8_t *exempt
        uint32_t counts
        uint32_t direction
        uint32_t cell_values
        uint32_t neighbours
        uint32_t wilds
        uint32_t stopped
        uint32_t at_end
        uint32_t along
        uint32_t count_min
        uint32_t pure_wild_run
        const uint64_t *readings
        const uint64_t *naturals
        const int64_t *full_grid
        uint32_t patterns_count
        const uint8_t *patterns
        const uint16_t *pattern_combinations
        const uint8_t *combination_symbols
        const uint8_t *combination_counts
        const uint8_t *combination_exempt
        const int64_t *combination_pays
        uint64_t collectors
        int64_t cell_values_max

    ctypedef struct rgs_in_view:
        uint64_t symbols

    ctypedef struct rgs_transform:
        uint32_t kind
        uint32_t symbol
        uint32_t into
        uint32_t each
        uint32_t combine
        uint32_t persist
        uint32_t steps_max
        int64_t multiplier
        uint32_t slot
        uint64_t symbols
        uint64_t over
        uint32_t does
        uint32_t once
        int64_t value_max
        uint64_t reels
        uint64_t modifiers
        uint32_t conditional
        uint32_t in_view_count
        const rgs_in_view *in_view
        uint32_t when
        uint32_t chance
        uint32_t out_of
        rgs_table table

    ctypedef struct rgs_leave:
        uint32_t evaluators
        uint64_t entries
        uint32_t count_min
        uint32_t random
        rgs_table table

    ctypedef struct rgs_cascade:
        uint32_t on
        uint32_t fresh
        uint32_t none
        uint32_t empty
        uint32_t persist
        uint32_t steps_max
        uint32_t multipliers_count
        int64_t multiplier_step
        const int64_t *multipliers
        uint32_t remove_evaluators
        uint32_t remove_triggers
        uint64_t keep
        uint32_t changes
        uint64_t become_symbols
        rgs_table *become
        uint32_t leave_count
        rgs_leave *leave
        uint32_t charge_every
        uint32_t charge_count
        uint64_t charge_symbols
        rgs_transform *charge

    ctypedef struct rgs_spots:
        uint32_t on
        uint32_t persist
        uint32_t product
        int32_t first
        int32_t step
        int32_t multiplier_max

    ctypedef struct rgs_trigger:
        uint32_t kind
        uint32_t symbol
        uint64_t symbols
        uint32_t state
        const uint32_t *spins
        uint32_t counts
        uint32_t stopped
        uint32_t fresh
        uint32_t reset
        uint32_t by_reels
        uint32_t per_reel
        uint64_t reels
        uint32_t conditional
        uint32_t in_view_count
        const rgs_in_view *in_view
        uint32_t when
        uint32_t once
        uint32_t at_end
        uint64_t carry
        uint32_t evaluator
        uint32_t match
        uint32_t every
        uint32_t levels
        uint32_t endless
        uint32_t slot
        uint64_t most
        uint64_t period
        uint32_t from_batch
        uint32_t counting
        uint32_t in_a_row
        uint64_t collectors
        uint32_t at_once
        uint32_t become
        uint32_t least
        const uint64_t *level_counts
        const uint32_t *level_spins
        const uint8_t *level_states
        const int64_t *level_multipliers
        int64_t level_step
        uint32_t pattern_length
        uint8_t *pattern
        uint32_t bonus
        int64_t factor
        uint32_t chance
        uint32_t out_of
        rgs_table multiplier

    ctypedef struct rgs_bonus:
        uint32_t kind
        rgs_table picks
        rgs_table prizes_per_pick
        rgs_table prizes
        uint32_t take
        int64_t equal_multiplier
        int64_t finish
        const uint32_t *segment_spins
        const uint32_t *segment_states
        const uint32_t *segment_bonuses
        const uint32_t *segment_multipliers
        const uint8_t *segment_become
        const uint8_t *segment_at_once
        const int64_t *multiplier_values
        const uint32_t *multiplier_cumulative
        const uint8_t *segment_jackpots
        uint32_t squares
        uint32_t rolls_max
        const int64_t *square_pays
        uint64_t *ends
        uint32_t of_win
        uint32_t lives
        uint32_t pays_last

    ctypedef struct rgs_state:
        rgs_strip sets[1][1]
        rgs_table set_choice
        rgs_table *heights
        uint32_t heights_drawn
        uint8_t *fixed_heights
        uint32_t cells
        uint32_t linked_on
        rgs_table linked
        uint32_t changes
        uint32_t remembers
        rgs_table modifiers
        uint32_t draws_once
        uint32_t marks
        int64_t win_min
        uint32_t waits
        uint32_t rows_below
        uint32_t persisting
        uint32_t ends
        uint32_t evaluators_count
        uint32_t transforms_count
        uint32_t triggers_count
        rgs_evaluator *evaluators
        rgs_transform *transforms
        rgs_trigger *triggers
        rgs_cascade cascade
        rgs_spots spots
        int8_t *held_step
        int8_t *held_fall
        uint8_t *held_each
        uint8_t *held_jump
        uint8_t *held_stack
        uint32_t stacks
        int32_t *grow
        uint32_t jumps
        uint32_t moves_in_steps
        uint32_t grows
        uint64_t final_symbols
        uint32_t final_combine
        uint32_t final_persist
        uint32_t special_on
        uint32_t special_own_lines
        uint32_t special_count
        uint32_t special_most
        uint32_t special_more
        rgs_table special
        const int64_t *special_pays
        const uint8_t *special_exempt
        uint32_t lines
        uint32_t paylines_count
        uint32_t pure_wild_run
        uint32_t count_min
        const uint8_t *paylines
        const uint64_t *cell_lines
        uint32_t looks_stopped
        const uint64_t *readings
        const uint64_t *naturals

    ctypedef struct rgs_gamble:
        uint32_t steps
        rgs_table *tables
        uint8_t *halves
        int64_t limit
        uint32_t rungs_count
        const int64_t *rungs

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
        uint32_t top
        uint32_t start
        uint32_t start_spins
        uint32_t free_spins_max
        int64_t win_units_max
        int64_t win_units_cap
        uint8_t *wild
        int64_t *wild_multiplier
        uint8_t *wild_combine
        uint32_t wilds_multiply
        uint32_t doubles
        uint8_t *read
        uint8_t *times
        uint32_t has_values
        uint32_t wins_award
        rgs_state *states
        rgs_bonus *bonuses
        rgs_gamble gamble
        uint32_t has_lanes
        rgs_lanes *lanes


cdef extern from "kernels.h" nogil:
    enum:
        RGS_PARTS
        RGS_PART_TRIGGERS
        RGS_PART_SPECIAL
        RGS_PART_FINAL
        RGS_EDGES_MAX

    ctypedef struct rgs_round:
        int64_t win
        uint32_t capped

    int rgs_play_given(const rgs_game *game, const uint32_t *key, uint32_t stream, uint64_t nonce,
                       const uint32_t *given, uint32_t count, int64_t *win)
    int rgs_play_round(const rgs_game *game, const uint32_t *key, uint32_t stream, uint64_t nonce,
                       rgs_round *round, rgs_log *log)

    ctypedef struct rgs_u128 "rgs_u128":
        pass

    ctypedef struct rgs_totals:
        uint64_t rounds
        uint64_t hits
        uint64_t paid_spin_hits
        uint64_t features
        uint64_t capped
        rgs_u128 win
        rgs_u128 win_squared
        uint64_t win_squared_carry
        rgs_u128 parts[1][1]
        uint64_t *spins
        uint64_t fired[1][1]
        uint64_t awarded[1][1]
        rgs_u128 gambled
        rgs_u128 regained
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


cdef extern from "visit.h" nogil:
    ctypedef struct rgs_memory:
        uint64_t held
        uint8_t held_symbols[64]
        int32_t held_values[64]
        uint32_t state

    ctypedef struct rgs_cell:
        int64_t pay
        uint64_t counts
        uint64_t matches
        rgs_u128 weight

    ctypedef struct rgs_counted:
        uint64_t symbols
        uint32_t stopped
        uint32_t by_reel
        uint32_t reels

    ctypedef struct rgs_held:
        uint64_t cells
        uint32_t symbol
        uint8_t places[64]

    ctypedef struct rgs_joint:
        rgs_cell *cells
        size_t used
        size_t capacity

    ctypedef struct rgs_merged:
        int64_t pay
        uint32_t situation
        uint64_t counts
        uint64_t matches
        rgs_u128 weight

    ctypedef struct rgs_merged_table:
        rgs_merged *cells
        size_t used
        size_t capacity

    ctypedef struct rgs_awarded:
        uint32_t *spins
        uint32_t *plays

    ctypedef struct rgs_kept:
        uint32_t count
        void *items
        uint32_t *slots

    ctypedef struct rgs_visit:
        uint32_t totals_count
        rgs_u128 *totals
        rgs_kept memories
        rgs_kept awarded
        rgs_merged_table cells
        rgs_u128 parts[1][1]
        rgs_u128 reached[1][1]
        uint64_t paths
        uint64_t paths_max

    ctypedef struct rgs_columns:
        uint32_t count
        const uint8_t *symbols
        const uint8_t *heights
        const int32_t *values
        const uint64_t *counts
        const int64_t *sums
        const uint64_t *weights

    ctypedef struct rgs_rows:
        uint32_t width
        int64_t *words
        rgs_u128 *weights
        size_t used
        size_t capacity

    int rgs_cycle_joint(const rgs_game *game, uint32_t state_index, const rgs_counted *counted,
                        uint32_t counted_count, int (*interrupted)() noexcept nogil, rgs_joint *joint)
    int rgs_merge_joint(const rgs_game *game, uint32_t state_index, const rgs_counted *counted,
                        uint32_t counted_count, uint64_t skip, const rgs_held *held, const uint16_t *order,
                        int (*interrupted)() noexcept nogil, rgs_merged_table *result)
    int rgs_prune_spin(const rgs_game *game, uint32_t state_index, const rgs_columns *columns, const uint8_t *order,
                       uint32_t added, uint32_t merging, uint32_t part, uint32_t parts, uint64_t nodes_max,
                       uint32_t probes, int (*interrupted)() noexcept nogil, rgs_rows *law, uint64_t *nodes)
    int rgs_visit_spin(const rgs_game *game, uint32_t state_index, const uint8_t *specials, uint32_t specials_count,
                       const rgs_memory *from_memory, uint32_t further, uint32_t last, uint32_t part, uint32_t parts,
                       int (*interrupted)() noexcept nogil, rgs_visit *visit)
    enum:
        RGS_CYCLE_INTERRUPTED
        RGS_MERGE_TOO_LARGE
        RGS_PRUNE_TOO_LONG
        RGS_VISIT_TOO_LONG
        RGS_VISIT_TOO_MANY
        RGS_VISIT_MEMORIES
        RGS_VISIT_PATHS
        RGS_COUNTED_MAX
