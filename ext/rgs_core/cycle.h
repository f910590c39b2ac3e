/* Full cycle of one spin: every combination of stops, exactly, by visiting prefixes.
 *
 * Reels are walked from the left. A payline stays open while its run can still grow or a pick pattern
 * can still match; when the last line of a prefix closes, what the remaining reels add is only counted
 * symbols, and their counts are convolved instead of walked. The result is the joint table
 *   (line pay, counted symbols in view, pick matches) -> weight
 * with weights that add up to the cycle length, which must stay below 2^127. */

#ifndef RGS_CYCLE_H
#define RGS_CYCLE_H

#include <stdlib.h>
#include <string.h>
#include "evaluate.h"

enum { RGS_COUNTED_MAX = 8 };

typedef unsigned __int128 rgs_weight;

typedef struct {
    int64_t pay;        /* of all lines, units */
    uint64_t counts;    /* counted symbol i in bits 8i..8i+7 */
    uint64_t matches;   /* lines that match the pattern of the i-th trigger that lines decide, or spins that wins award by
                           it, in bits 16i..16i+15 */
    rgs_weight weight;  /* 0 marks a free slot */
} rgs_cell;

typedef struct {
    rgs_cell *cells;
    size_t used, capacity; /* capacity is a power of two */
} rgs_joint;

typedef struct {
    uint64_t counts;
    rgs_weight weight;
} rgs_tail;

/* Cells that show a symbol whatever their reels stop at; where else it lands is told apart. */
typedef struct {
    uint64_t cells;
    uint32_t symbol;
    uint8_t places[RGS_CELLS_MAX];              /* [cell] -> bit of the counts that says it landed there */
} rgs_held;

/* What is counted in view. */
typedef struct {
    uint64_t symbols;                           /* bits, doubles among them */
    uint32_t stopped;                           /* 1: as the reels stopped */
    uint32_t by_reel;                           /* 1: once on each reel that shows any */
    uint32_t reels;                             /* bits of the reels on which it is counted */
} rgs_counted;

typedef struct {
    const rgs_game *game;
    const rgs_state *state;
    const rgs_held *held;                       /* NULL when no cell is held */
    const rgs_evaluator *lines;                 /* NULL when there is none */
    uint64_t skip;                              /* bits of symbols; lines that begin with one do not pay */
    uint8_t *shown[RGS_REELS_MAX];              /* [stop][row]: what pays */
    uint64_t *counts[RGS_REELS_MAX];            /* [stop] */
    uint32_t counted_count;
    const rgs_counted *counted;
    uint8_t *line_cells;                        /* [line][reel] */
    uint16_t *open[RGS_REELS_MAX + 1];          /* open lines at each depth */
    uint64_t *alive[RGS_REELS_MAX + 1];         /* readings still running, at each depth, by line */
    uint32_t *patterns[RGS_REELS_MAX + 1];      /* pick patterns still matching, as bits, by line */
    rgs_tail *tails[RGS_REELS_MAX + 1];         /* counts that reels depth.. can add */
    size_t tails_count[RGS_REELS_MAX + 1];
    rgs_joint *joint;
    int (*interrupted)(void);                   /* asked now and then; not 0 ends the walk */
    uint32_t visited;                           /* prefixes, to know when to ask */
} rgs_cycle;

/* What a line that ends after `length` cells pays; spins that its win awards are added to *matches, those of
 * the i-th trigger that lines decide in bits 16i..16i+15. */
static inline int64_t rgs_line_amount(const rgs_game *game, const rgs_state *state, const rgs_evaluator *lines,
                                      uint64_t skip, const uint8_t *cells, uint32_t length, uint64_t *matches)
{
    const rgs_factors plain = {1, 1};
    if (skip >> game->read[cells[0]] & 1)
        return 0;
    const rgs_line_win win = rgs_line(game, lines, cells, NULL, length, &plain);
    for (uint32_t t = 0; win.amount && t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        if (trigger->kind == RGS_WIN_SPINS && trigger->evaluator == state->lines)
            *matches += (uint64_t)trigger->spins[win.symbol * trigger->counts + win.count] << 16 * trigger->match;
    }
    return win.amount;
}

static inline uint64_t rgs_cell_hash(int64_t pay, uint64_t counts, uint64_t matches)
{
    uint64_t h = (uint64_t)pay * 0x9e3779b97f4a7c15u ^ (counts << 32 ^ counts >> 32 ^ counts) * 0xc2b2ae3d27d4eb4fu ^
                 matches * 0x165667b19e3779f9u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

/* Adds weight to a cell of the joint table; of weight 0 there is none. Returns 0 or -1 when memory is short. */
static int rgs_joint_add(rgs_joint *joint, int64_t pay, uint64_t counts, uint64_t matches, rgs_weight weight)
{
    if (weight == 0)
        return 0;
    if (2 * joint->used >= joint->capacity) {
        const size_t capacity = joint->capacity ? 2 * joint->capacity : 4096;
        rgs_cell *cells = calloc(capacity, sizeof *cells);
        if (!cells)
            return -1;
        for (size_t i = 0; i < joint->capacity; i++) {
            if (joint->cells[i].weight == 0)
                continue;
            const rgs_cell *cell = &joint->cells[i];
            size_t slot = rgs_cell_hash(cell->pay, cell->counts, cell->matches) & (capacity - 1);
            while (cells[slot].weight)
                slot = (slot + 1) & (capacity - 1);
            cells[slot] = *cell;
        }
        free(joint->cells);
        joint->cells = cells;
        joint->capacity = capacity;
    }
    size_t slot = rgs_cell_hash(pay, counts, matches) & (joint->capacity - 1);
    for (;; slot = (slot + 1) & (joint->capacity - 1)) {
        rgs_cell *cell = &joint->cells[slot];
        if (cell->weight == 0) {
            *cell = (rgs_cell){pay, counts, matches, weight};
            joint->used++;
            return 0;
        }
        if (cell->pay == pay && cell->counts == counts && cell->matches == matches) {
            cell->weight += weight;
            return 0;
        }
    }
}

/* What a reel shows at a stop, after the transforms that look at nothing but the reel itself. */
static void rgs_window_shown(const rgs_game *game, const rgs_state *state, uint32_t reel, uint32_t stop,
                             uint8_t shown[RGS_ROWS_MAX])
{
    memcpy(shown, state->sets[0][reel].symbols + stop, game->rows);
    for (uint32_t i = 0; i < state->transforms_count; i++) {
        const rgs_transform *transform = &state->transforms[i];
        uint32_t seen = 0;
        if (!(transform->reels >> reel & 1))
            continue;
        for (uint32_t row = 0; row < game->rows; row++)
            seen |= shown[row] == transform->symbol;
        for (uint32_t row = 0; row < game->rows && seen; row++)
            if (transform->kind == RGS_EXPAND || shown[row] == transform->symbol)
                shown[row] = (uint8_t)transform->into;
    }
}

/* What is counted in one window, as the reel stopped or as it is shown. */
static uint64_t rgs_window_counts(const rgs_cycle *cycle, uint32_t reel, const uint8_t *stopped, const uint8_t *shown)
{
    uint64_t counts = 0;
    for (uint32_t i = 0; i < cycle->counted_count; i++) {
        const rgs_counted *counted = &cycle->counted[i];
        const uint8_t *window = counted->stopped ? stopped : shown;
        uint64_t count = 0;
        if (!(counted->reels >> reel & 1))
            continue;
        for (uint32_t row = 0; row < cycle->game->rows; row++)
            if (counted->symbols >> window[row] & 1)
                count += cycle->game->times[window[row]];
        if (counted->by_reel)
            count = count > 0;
        counts += count << 8 * i;
    }
    return counts;
}

/* Windows and counts of every stop. Returns 0 or -1 when memory is short; rgs_cycle_free ends it in both cases. */
static int rgs_cycle_windows(rgs_cycle *cycle)
{
    const uint32_t rows = cycle->game->rows;
    for (uint32_t reel = 0; reel < cycle->game->reels; reel++) {
        const rgs_strip *strip = &cycle->state->sets[0][reel];
        cycle->shown[reel] = malloc((size_t)strip->length * rows);
        cycle->counts[reel] = malloc(strip->length * sizeof *cycle->counts[reel]);
        if (!cycle->shown[reel] || !cycle->counts[reel])
            return -1;
        for (uint32_t stop = 0; stop < strip->length; stop++) {
            uint8_t shown[RGS_ROWS_MAX];
            uint64_t landed = 0;
            rgs_window_shown(cycle->game, cycle->state, reel, stop, shown);
            for (uint32_t row = 0; row < rows && cycle->held; row++) {
                const uint32_t cell = reel * rows + row;
                if (cycle->held->cells >> cell & 1)
                    shown[row] = (uint8_t)cycle->held->symbol;
                else if (shown[row] == cycle->held->symbol)
                    landed |= (uint64_t)1 << cycle->held->places[cell];
            }
            memcpy(cycle->shown[reel] + (size_t)stop * rows, shown, rows);
            cycle->counts[reel][stop] = rgs_window_counts(cycle, reel, strip->symbols + stop, shown) | landed;
        }
    }
    return 0;
}

static void rgs_cycle_free(rgs_cycle *cycle)
{
    for (uint32_t reel = 0; reel < cycle->game->reels; reel++) {
        free(cycle->shown[reel]);
        free(cycle->counts[reel]);
    }
}

static inline uint64_t rgs_stop_weight(const rgs_strip *strip, uint32_t stop)
{
    if (!strip->cumulative)
        return 1;
    return strip->cumulative[stop] - (stop ? strip->cumulative[stop - 1] : 0);
}

enum { RGS_CYCLE_INTERRUPTED = -2 };

/* Prefix of `depth` reels. Returns 0, -1 when memory is short, or RGS_CYCLE_INTERRUPTED. */
static int rgs_cycle_walk(rgs_cycle *cycle, uint32_t depth, uint32_t open_count, int64_t pay, uint64_t counts,
                          uint64_t matches, rgs_weight weight)
{
    const rgs_game *game = cycle->game;
    const rgs_state *state = cycle->state;
    if (open_count == 0) {
        for (size_t i = 0; i < cycle->tails_count[depth]; i++) {
            const rgs_tail *tail = &cycle->tails[depth][i];
            if (rgs_joint_add(cycle->joint, pay, counts + tail->counts, matches, weight * tail->weight))
                return -1;
        }
        return 0;
    }
    if ((++cycle->visited & 0xffff) == 0 && cycle->interrupted())
        return RGS_CYCLE_INTERRUPTED;
    const rgs_strip *strip = &state->sets[0][depth];
    for (uint32_t stop = 0; stop < strip->length; stop++) {
        if (rgs_stop_weight(strip, stop) == 0)
            continue;
        const uint8_t *window = cycle->shown[depth] + (size_t)stop * game->rows;
        int64_t closed_pay = 0;
        uint64_t closed_matches = 0;
        uint32_t still_open = 0;
        for (uint32_t i = 0; i < open_count; i++) {
            const uint16_t line = cycle->open[depth][i];
            uint8_t *cells = cycle->line_cells + (size_t)line * game->reels;
            const uint8_t symbol = window[state->paylines[(size_t)line * game->reels + depth]];
            cells[depth] = symbol;
            const uint64_t alive = depth ? cycle->alive[depth][i] : ~(uint64_t)0;
            const uint64_t next = alive & state->readings[symbol];
            uint32_t patterns = 0;
            for (uint32_t t = 0; t < state->triggers_count; t++) {
                const rgs_trigger *trigger = &state->triggers[t];
                if (trigger->kind != RGS_PICK || (depth && !(cycle->patterns[depth][i] >> t & 1)))
                    continue;
                if (trigger->pattern[depth] != RGS_ANY_SYMBOL && trigger->pattern[depth] != game->read[symbol])
                    continue;
                if (depth + 1 == trigger->pattern_length)
                    closed_matches += (uint64_t)1 << 16 * trigger->match;
                else
                    patterns |= (uint32_t)1 << t;
            }
            if ((next || patterns) && depth + 1 < game->reels) {
                cycle->open[depth + 1][still_open] = line;
                cycle->alive[depth + 1][still_open] = next;
                cycle->patterns[depth + 1][still_open] = patterns;
                still_open++;
            } else if (depth + 1 >= state->count_min) {
                closed_pay += rgs_line_amount(game, state, cycle->lines, cycle->skip, cells, depth + 1,
                                              &closed_matches);
            }
        }
        const int error = rgs_cycle_walk(cycle, depth + 1, still_open, pay + closed_pay,
                                         counts + cycle->counts[depth][stop], matches + closed_matches,
                                         weight * rgs_stop_weight(strip, stop));
        if (error)
            return error;
    }
    return 0;
}

/* Counts that reels depth..reels-1 can add, with their weights: tails[reels] is {0: 1}. */
static int rgs_cycle_tails(rgs_cycle *cycle)
{
    const uint32_t reels = cycle->game->reels;
    rgs_joint table = {0};
    for (uint32_t depth = reels;; depth--) {
        if (depth == reels) {
            if (rgs_joint_add(&table, 0, 0, 0, 1))
                goto fail;
        } else {
            const rgs_strip *strip = &cycle->state->sets[0][depth];
            for (size_t i = 0; i < cycle->tails_count[depth + 1]; i++)
                for (uint32_t stop = 0; stop < strip->length; stop++)
                    if (rgs_joint_add(&table, 0,
                                      cycle->tails[depth + 1][i].counts + cycle->counts[depth][stop],
                                      0, cycle->tails[depth + 1][i].weight * rgs_stop_weight(strip, stop)))
                        goto fail;
        }
        cycle->tails[depth] = malloc((table.used ? table.used : 1) * sizeof(rgs_tail));
        if (!cycle->tails[depth])
            goto fail;
        for (size_t i = 0; i < table.capacity; i++)
            if (table.cells[i].weight)
                cycle->tails[depth][cycle->tails_count[depth]++] =
                    (rgs_tail){table.cells[i].counts, table.cells[i].weight};
        free(table.cells);
        table = (rgs_joint){0};
        if (depth == 0)
            return 0;
    }
fail:
    free(table.cells);
    return -1;
}

/* Joint table of one spin of a state. The caller frees joint->cells. Returns as rgs_cycle_walk. */
static int rgs_cycle_joint(const rgs_game *game, uint32_t state_index, const rgs_counted *counted,
                           uint32_t counted_count, int (*interrupted)(void), rgs_joint *joint)
{
    rgs_cycle cycle = {0};
    int result = -1;
    cycle.game = game;
    cycle.state = &game->states[state_index];
    cycle.counted = counted;
    cycle.counted_count = counted_count;
    cycle.joint = joint;
    cycle.interrupted = interrupted;
    if (cycle.state->lines != RGS_ANY_SYMBOL)
        cycle.lines = &cycle.state->evaluators[cycle.state->lines];
    const size_t lines = cycle.state->paylines_count;
    cycle.line_cells = calloc(lines + 1, game->reels);
    if (!cycle.line_cells)
        goto done;
    for (uint32_t depth = 0; depth <= game->reels; depth++) {
        cycle.open[depth] = malloc((lines + 1) * sizeof(uint16_t));
        cycle.alive[depth] = malloc((lines + 1) * sizeof(uint64_t));
        cycle.patterns[depth] = malloc((lines + 1) * sizeof(uint32_t));
        if (!cycle.open[depth] || !cycle.alive[depth] || !cycle.patterns[depth])
            goto done;
    }
    for (size_t line = 0; line < lines; line++)
        cycle.open[0][line] = (uint16_t)line;
    if (rgs_cycle_windows(&cycle) == 0 && rgs_cycle_tails(&cycle) == 0)
        result = rgs_cycle_walk(&cycle, 0, (uint32_t)lines, 0, 0, 0, 1);
done:
    for (uint32_t depth = 0; depth <= game->reels; depth++) {
        free(cycle.open[depth]);
        free(cycle.alive[depth]);
        free(cycle.patterns[depth]);
        free(cycle.tails[depth]);
    }
    free(cycle.line_cells);
    rgs_cycle_free(&cycle);
    return result;
}

#endif
