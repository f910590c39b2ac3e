/* Acts: cells that change the values of other cells, such as payers, collectors and multipliers of hold and spin. */

#ifndef RGS_ACTS_H
#define RGS_ACTS_H

#include "grid.h"

/* Gives a cell a value, at most the largest that the transform makes; what it had is never lost. */
static inline void rgs_set_value(const rgs_transform *transform, int32_t *value, int64_t made)
{
    if (made > transform->value_max)
        made = transform->value_max;
    if (made > *value)
        *value = (int32_t)made;
}

/* What one cell does to others with a value, by its own one or, a collector, by theirs. Returns 0 or an RGS_ERROR. */
static inline int rgs_act_cell(const rgs_game *game, const rgs_transform *transform, uint32_t i, uint32_t cell,
                               rgs_grid *grid, rgs_words *words, rgs_log *log)
{
    const int64_t own = grid->values[cell];
    uint8_t others[RGS_CELLS_MAX];
    uint32_t count = 0;
    uint64_t acted = 0;
    int64_t amount = own, drawn;
    if (own == 0 && transform->does != RGS_COLLECT_ALL)
        return RGS_OK;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < grid->heights[reel]; row++) {
            const uint32_t other = reel * game->rows + row;
            if (other != cell && grid->values[other] > 0 && (transform->over >> grid->symbols[other] & 1)) {
                others[count++] = (uint8_t)other;
                acted |= (uint64_t)1 << other;
            }
        }
    if (count == 0)
        return RGS_OK;
    if (transform->does == RGS_MULTIPLY_SOME) {
        acted = 0;
        if (rgs_draw_table(words, &transform->table, &drawn))
            return RGS_ERROR_WORDS;
        for (; drawn > 0 && count > 0; drawn--) {
            uint32_t chosen;
            if (rgs_draw_below(words, count, &chosen))
                return RGS_ERROR_WORDS;
            acted |= (uint64_t)1 << others[chosen];
            count--;
            memmove(others + chosen, others + chosen + 1, count - chosen);
        }
    }
    if (transform->does == RGS_COLLECT_ALL) {
        amount = 0;
        for (uint64_t left = acted; left; left &= left - 1)
            amount += grid->values[__builtin_ctzll(left)];
        rgs_set_value(transform, &grid->values[cell], own + amount);
    } else {
        for (uint64_t left = acted; left; left &= left - 1) {
            int32_t *const value = &grid->values[__builtin_ctzll(left)];
            rgs_set_value(transform, value, transform->does == RGS_ADD_TO_ALL ? *value + own : *value * own);
        }
    }
    return log ? rgs_log_event(log, (rgs_event){RGS_EVENT_ACT, i, cell, grid->symbols[cell], 1, 1, amount, acted})
               : RGS_OK;
}

/* Every cell with one of the symbols acts, in order of the cells. `old`: cells that were held before the spin. */
RGS_APART int rgs_act(const rgs_game *game, const rgs_state *state, uint32_t i, uint64_t old, rgs_grid *grid,
                      rgs_words *words, rgs_log *log)
{
    const rgs_transform *transform = &state->transforms[i];
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < grid->heights[reel]; row++) {
            const uint32_t cell = reel * game->rows + row;
            if (!(transform->symbols >> grid->symbols[cell] & 1) || (transform->once && (old >> cell & 1)))
                continue;
            const int error = rgs_act_cell(game, transform, i, cell, grid, words, log);
            if (error)
                return error;
        }
    return RGS_OK;
}

#endif
