/* Linked reels: neighbours that stop as one, drawn for each spin. They have the strip of the first of them. */

#ifndef RGS_LINKED_H
#define RGS_LINKED_H

#include "grid.h"

/* Draws the run of a spin. `own`: the strips of the spin from now on. *follows: bits of the reels that stop where the
 * one before them does. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_link_reels(const rgs_game *game, const rgs_state *state, rgs_grid *grid,
                             rgs_strip own[RGS_REELS_MAX + 1], rgs_words *words, rgs_log *log, uint32_t *follows)
{
    int64_t run;
    if (rgs_draw_table(words, &state->linked, &run))
        return RGS_ERROR_WORDS;
    const uint32_t first = (uint32_t)run % 8, last = (uint32_t)run / 8;
    if (first == last)
        return RGS_OK;
    for (uint32_t reel = 0; reel <= game->reels; reel++)
        own[reel] = grid->strips[reel > first && reel <= last ? first : reel];
    for (uint32_t reel = first + 1; reel <= last; reel++)
        *follows |= 1u << reel;
    grid->strips = own;
    return rgs_log_add(log, RGS_EVENT_LINKED, first, last, 0, 0);
}

#endif
