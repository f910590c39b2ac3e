/* What one line pays. Pure functions of the compiled build and the cells. */

#ifndef RGS_EVALUATE_H
#define RGS_EVALUATE_H

#include "game.h"

typedef struct {
    int64_t amount;     /* units, all multipliers included; 0 when the line pays nothing */
    int64_t multiplier; /* of the wilds and cell values in the win */
    uint32_t symbol, count, start;
    uint32_t cells;     /* that the win is made of: fewer than `count` where some are doubles */
} rgs_line_win;

/* Multiplier of the wilds among `count` cells that stand for entry `x`. */
static inline int64_t rgs_wild_multiplier(const rgs_game *game, const uint64_t *naturals, const uint8_t *cells,
                                          uint32_t count, uint32_t x)
{
    int64_t product = 1;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t cell = game->read[cells[i]];
        if (!game->wild[cell] || naturals[cell] >> x & 1)
            continue;
        if (game->wild_combine[cell] == RGS_SUM) { /* such a wild has no double */
            if (!(seen >> cell & 1)) { /* all of this kind at once */
                int64_t sum = 0;
                for (uint32_t j = i; j < count; j++)
                    sum += cells[j] == cell ? game->wild_multiplier[cell] : 0;
                product *= sum;
            }
        } else if (game->wild_combine[cell] == RGS_PRODUCT || !(seen >> cell & 1)) {
            product *= game->wild_multiplier[cell];
        }
        seen |= (uint64_t)1 << cell;
    }
    return product;
}

/* Folds one cell value into a running combination that begins at 0; 0 in the end means that there was none. */
static inline int64_t rgs_value_fold(uint32_t how, int64_t so_far, int32_t value)
{
    if (value <= 0)
        return so_far;
    switch (how) {
    case RGS_PRODUCT:
        return so_far ? so_far * value : value;
    case RGS_SUM:
        return so_far + value;
    default:
        return value > so_far ? value : so_far;
    }
}

/* The same, at most `most`: as values are at least 1, it is cut off on the way, before it grows too large. */
static inline int64_t rgs_value_fold_up_to(uint32_t how, int64_t so_far, int32_t value, int64_t most)
{
    const int64_t folded = rgs_value_fold(how, so_far, value);
    return folded < most ? folded : most;
}

static inline int64_t rgs_values_multiplier(const rgs_evaluator *evaluator, const int32_t *values, uint32_t count)
{
    int64_t folded = 0;
    if (evaluator->cell_values == RGS_IGNORE || !values)
        return 1;
    for (uint32_t i = 0; i < count; i++)
        folded = rgs_value_fold_up_to(evaluator->cell_values, folded, values[i], evaluator->cell_values_max);
    return folded ? folded : 1;
}

/* What applies to all wins of one look at a grid. */
typedef struct {
    int64_t factor;     /* multiplier of step and spin */
    int64_t full;       /* multiplier of a full grid */
} rgs_factors;

/* How many symbols `count` cells count for. */
RGS_APART uint32_t rgs_run_size(const rgs_game *game, const uint8_t *cells, uint32_t count)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += game->times[cells[i]];
    return size;
}

/* Takes one reading into account: a run of `length` cells from `start` on as entry x. */
static inline void rgs_read(const rgs_game *game, const rgs_evaluator *evaluator, const uint8_t *cells,
                            const int32_t *values, uint32_t start, uint32_t length, uint32_t x,
                            const rgs_factors *factors, rgs_line_win *best)
{
    uint32_t count = length;
    if (__builtin_expect(game->doubles, 0))
        count = rgs_run_size(game, cells + start, length);
    const int64_t pay = evaluator->pays[x * evaluator->counts + count];
    if (pay == 0)
        return;
    int64_t multiplier = factors->full;
    if (game->wilds_multiply)
        multiplier *= rgs_wild_multiplier(game, evaluator->naturals, cells + start, length, x);
    if (values)
        multiplier *= rgs_values_multiplier(evaluator, values + start, length);
    int64_t amount = pay * multiplier;
    if (factors->factor != 1 && !(evaluator->exempt && evaluator->exempt[x * evaluator->counts + count]))
        amount *= factors->factor;
    if (amount > best->amount || (amount == best->amount && count > best->count))
        *best = (rgs_line_win){amount, multiplier, x, count, start, length};
}

/* The best reading of a line whose cells are given from the leftmost reel on.
 *
 * A reading for entry x is the longest run of cells that are x or a wild standing for x. Of all
 * readings the highest amount counts; of equal amounts the longer run, then the first entry. */
static inline rgs_line_win rgs_line(const rgs_game *game, const rgs_evaluator *evaluator, const uint8_t *cells,
                                    const int32_t *values, uint32_t length, const rgs_factors *factors)
{
    rgs_line_win best = {0, 1, 0, 0, 0, 0};
    uint64_t alive = evaluator->readings[cells[0]];
    uint64_t present = evaluator->naturals[cells[0]];
    for (uint32_t count = 1; alive; count++) {
        const uint64_t next = count < length ? alive & evaluator->readings[cells[count]] : 0;
        uint64_t ended = count >= evaluator->count_min ? alive & ~next : 0;
        if (!evaluator->pure_wild_run)
            ended &= present;
        for (; ended; ended &= ended - 1)
            rgs_read(game, evaluator, cells, values, 0, count, (uint32_t)__builtin_ctzll(ended), factors, &best);
        if (count < length)
            present |= evaluator->naturals[cells[count]];
        alive = next;
    }
    return best;
}

/* The best run of neighbours anywhere on a line; of equal ones the leftmost. */
static inline rgs_line_win rgs_line_adjacent(const rgs_game *game, const rgs_evaluator *evaluator,
                                             const uint8_t *cells, const int32_t *values, uint32_t length,
                                             const rgs_factors *factors)
{
    rgs_line_win best = {0, 1, 0, 0, 0, 0};
    uint64_t before = 0;
    for (uint32_t start = 0; start < length; start++) {
        uint64_t alive = evaluator->readings[cells[start]] & ~before; /* runs that begin here */
        uint64_t present = evaluator->naturals[cells[start]];
        before = evaluator->readings[cells[start]];
        for (uint32_t count = 1; alive; count++) {
            const uint32_t at = start + count;
            const uint64_t next = at < length ? alive & evaluator->readings[cells[at]] : 0;
            uint64_t ended = count >= evaluator->count_min ? alive & ~next : 0;
            if (!evaluator->pure_wild_run)
                ended &= present;
            for (; ended; ended &= ended - 1) {
                const uint32_t x = (uint32_t)__builtin_ctzll(ended);
                rgs_line_win win = {0, 1, 0, 0, 0, 0};
                rgs_read(game, evaluator, cells, values, start, count, x, factors, &win);
                if (win.amount > best.amount ||
                    (win.amount == best.amount && win.amount &&
                     (win.count > best.count || (win.count == best.count && win.symbol < best.symbol))))
                    best = win;
            }
            if (at < length)
                present |= evaluator->naturals[cells[at]];
            alive = next;
        }
    }
    return best;
}

/* The best combination on a line; `symbol` is its number. The wild multiplier is the best of its orders. */
static inline rgs_line_win rgs_line_combination(const rgs_game *game, const rgs_evaluator *evaluator,
                                                const uint8_t *cells, uint32_t length, const rgs_factors *factors)
{
    rgs_line_win best = {0, 1, 0, 0, 0, 0};
    for (uint32_t p = 0; p < evaluator->patterns_count; p++) {
        const uint8_t *pattern = evaluator->patterns + (size_t)p * length;
        uint32_t matched = 0;
        while (matched < length && (pattern[matched] == RGS_ANY_SYMBOL ||
                                    (evaluator->readings[cells[matched]] >> pattern[matched] & 1)))
            matched++;
        if (matched < length)
            continue;
        const uint32_t combination = evaluator->pattern_combinations[p];
        int64_t multiplier = 1, sums[64] = {0};
        uint64_t seen = 0;
        if (game->wilds_multiply)
            for (uint32_t i = 0; i < length; i++) {
                const uint8_t cell = game->read[cells[i]];
                if (pattern[i] == RGS_ANY_SYMBOL || !game->wild[cell] || (evaluator->naturals[cell] >> pattern[i] & 1))
                    continue;
                if (game->wild_combine[cell] == RGS_SUM)
                    sums[cell] += game->wild_multiplier[cell];
                else if (game->wild_combine[cell] == RGS_PRODUCT || !(seen >> cell & 1))
                    multiplier *= game->wild_multiplier[cell];
                seen |= (uint64_t)1 << cell;
            }
        for (; seen; seen &= seen - 1)
            if (sums[__builtin_ctzll(seen)])
                multiplier *= sums[__builtin_ctzll(seen)];
        int64_t amount = evaluator->combination_pays[combination] * multiplier;
        if (factors->factor != 1 && !evaluator->combination_exempt[combination])
            amount *= factors->factor;
        if (amount > best.amount)
            best = (rgs_line_win){amount, multiplier, combination, p, 0, length};
    }
    return best;
}

/* 1 when the payline begins with the pattern of a pick trigger; cells as they are read, without doubles. */
static inline int rgs_pattern_matches(const rgs_trigger *trigger, const uint8_t *cells)
{
    for (uint32_t i = 0; i < trigger->pattern_length; i++)
        if (trigger->pattern[i] != RGS_ANY_SYMBOL && trigger->pattern[i] != cells[i])
            return 0;
    return 1;
}

#endif
