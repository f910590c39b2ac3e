/* What one grid pays. Pure functions of the compiled build and the cells. */

#ifndef RGS_EVALUATE_H
#define RGS_EVALUATE_H

#include "game.h"

typedef struct {
    int64_t amount;     /* units, all multipliers included; 0 when the line pays nothing */
    int64_t multiplier; /* product of the wild multipliers in the win */
    uint32_t symbol, count;
} rgs_line_win;

/* Multiplier of the wilds among the first `count` cells that stand for `symbol`. */
static inline int64_t rgs_wild_multiplier(const rgs_game *game, const uint8_t *cells, uint32_t count, uint32_t symbol)
{
    int64_t product = 1;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t cell = cells[i];
        if (cell == symbol || !game->wild[cell])
            continue;
        if (game->wild_product[cell] || !(seen >> cell & 1))
            product *= game->wild_multiplier[cell];
        seen |= (uint64_t)1 << cell;
    }
    return product;
}

/* The best reading of a line whose cells are given from the leftmost reel on.
 *
 * A reading for symbol x is the longest run of cells that are x or a wild standing for x. Of all
 * readings the highest amount counts; of equal amounts the longer run, then the first symbol. */
static inline rgs_line_win rgs_line(const rgs_game *game, const rgs_state *state, const int64_t *pays,
                                    const uint8_t *cells, uint32_t length)
{
    rgs_line_win best = {0, 1, 0, 0};
    uint64_t alive = state->readings[cells[0]];
    uint64_t present = (uint64_t)1 << cells[0];
    for (uint32_t count = 1; alive; count++) {
        const uint64_t next = count < length ? alive & state->readings[cells[count]] : 0;
        uint64_t ended = count >= state->count_min ? alive & ~next : 0;
        if (!state->pure_wild_run)
            ended &= present;
        for (; ended; ended &= ended - 1) {
            const uint32_t symbol = (uint32_t)__builtin_ctzll(ended);
            const int64_t pay = pays[symbol * (game->reels + 1) + count];
            if (pay == 0)
                continue;
            const int64_t multiplier =
                game->wilds_multiply ? rgs_wild_multiplier(game, cells, count, symbol) : 1;
            const int64_t amount = pay * multiplier;
            if (amount > best.amount || (amount == best.amount && count > best.count)) {
                best.amount = amount;
                best.multiplier = multiplier;
                best.symbol = symbol;
                best.count = count;
            }
        }
        if (count < length)
            present |= (uint64_t)1 << cells[count];
        alive = next;
    }
    return best;
}

/* 1 when the payline begins with the pattern of a pick trigger. */
static inline int rgs_pattern_matches(const rgs_trigger *trigger, const uint8_t *cells)
{
    for (uint32_t i = 0; i < trigger->pattern_length; i++)
        if (trigger->pattern[i] != RGS_ANY_SYMBOL && trigger->pattern[i] != cells[i])
            return 0;
    return 1;
}

#endif
