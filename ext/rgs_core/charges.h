/* Charges: cells that a cascade removes fill a meter, and full ones change the grid where no cell is removed any more. */

#ifndef RGS_CHARGES_H
#define RGS_CHARGES_H

#include "conditions.h"

/* How many of the removed cells count for the meter. */
RGS_APART uint32_t rgs_charging(const rgs_cascade *cascade, const rgs_grid *grid, uint64_t removed)
{
    uint32_t count = 0;
    for (; removed; removed &= removed - 1)
        count += cascade->charge_symbols >> grid->symbols[__builtin_ctzll(removed)] & 1;
    return count;
}

/* Uses up a charge: its transforms change the grid. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_use_charge(const rgs_game *game, const rgs_state *state, rgs_grid *grid, rgs_memory *memory,
                             rgs_words *words)
{
    const rgs_cascade *cascade = &state->cascade;
    int64_t factor = 1; /* such transforms do not multiply */
    rgs_view view;
    rgs_grid_view(game, grid, &view);
    for (uint32_t i = 0; i < cascade->charge_count; i++) {
        const rgs_transform *transform = &cascade->charge[i];
        uint32_t works = rgs_with_modifier(transform, memory) &&
                         rgs_shows(game, transform->in_view, transform->in_view_count, &view, &view);
        if (works && transform->out_of && rgs_draw_chance(words, transform->chance, transform->out_of, &works))
            return RGS_ERROR_WORDS;
        if (works && rgs_transform_grid(game, state, transform, i, grid, memory, words, &factor))
            return RGS_ERROR_WORDS;
    }
    return RGS_OK;
}

#endif
