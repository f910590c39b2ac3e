/* Held cells that jump, or move within a cascade; values that grow. */

#ifndef RGS_MOVES_H
#define RGS_MOVES_H

#include "grid.h"

enum { RGS_VALUE_MAX = 1000000 };

/* Held cells that jump now go, in order, each to a cell that is not held by then. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_jump_held(const rgs_game *game, const rgs_state *state, uint32_t each, rgs_memory *memory,
                            const rgs_grid *grid, rgs_words *words)
{
    for (uint64_t left = memory->held; left; left &= left - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(left);
        const uint8_t symbol = memory->held_symbols[cell];
        const int32_t value = memory->held_values[cell];
        uint8_t places[RGS_CELLS_MAX];
        uint32_t count = 0, chosen;
        if (!state->held_jump[symbol] || state->held_each[symbol] != each)
            continue;
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < grid->heights[reel]; row++)
                if (!(memory->held & rgs_cell_bit(game, reel, row)))
                    places[count++] = (uint8_t)(reel * game->rows + row);
        if (!count)
            continue;
        if (rgs_draw_below(words, count, &chosen))
            return RGS_ERROR_WORDS;
        const uint32_t to = places[chosen];
        memory->held = (memory->held & ~((uint64_t)1 << cell)) | (uint64_t)1 << to;
        memory->held_symbols[to] = symbol;
        memory->held_values[to] = value;
    }
    return RGS_OK;
}

/* Held cells that move between steps do so, over what is there; the places that they leave are empty and go to *removed.
 * Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_move_in_step(const rgs_game *game, const rgs_state *state, rgs_memory *memory, rgs_grid *grid,
                               uint64_t *removed, rgs_words *words)
{
    const uint64_t before = memory->held;
    rgs_settle_held(game, state, RGS_EACH_STEP, memory, grid);
    if (state->jumps && rgs_jump_held(game, state, RGS_EACH_STEP, memory, grid, words))
        return RGS_ERROR_WORDS;
    *removed = (*removed | before) & ~memory->held;
    grid->held = memory->held;
    for (uint64_t held = memory->held; held; held &= held - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(held);
        grid->symbols[cell] = memory->held_symbols[cell];
        grid->values[cell] = memory->held_values[cell];
    }
    return RGS_OK;
}

/* Values of cells of wins grow: on the grid where a `further` step follows, and those of held cells for further spins. */
RGS_APART void rgs_grow_values(const rgs_state *state, uint64_t cells, uint32_t further, rgs_grid *grid,
                               rgs_memory *memory)
{
    for (; cells; cells &= cells - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(cells);
        const int32_t grow = state->grow[grid->symbols[cell]];
        if (grow == 0 || grid->values[cell] == 0)
            continue;
        const int32_t value = grid->values[cell] + grow < RGS_VALUE_MAX ? grid->values[cell] + grow : RGS_VALUE_MAX;
        if (further)
            grid->values[cell] = value;
        if (memory->held >> cell & 1)
            memory->held_values[cell] = value;
    }
}

#endif
