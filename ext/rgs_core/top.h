/* The top reel: a reel that lies above the grid. Its cells are row 0 of the reels below it, from the left; it has a
 * strip of its own, after those of the reels, and moves from right to left. */

#ifndef RGS_TOP_H
#define RGS_TOP_H

#include "grid.h"

/* Its stop, and what it shows. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_stop_top(const rgs_game *game, rgs_grid *grid, rgs_words *words, rgs_log *log)
{
    const rgs_strip *strip = &grid->strips[game->reels];
    uint32_t stop, shown = 0;
    if (rgs_draw_stop(words, strip, &stop))
        return RGS_ERROR_WORDS;
    if (rgs_log_add(log, RGS_EVENT_STOP, game->reels, stop, 0, 0))
        return RGS_ERROR_MEMORY;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        if (game->top >> reel & 1)
            grid->symbols[reel * game->rows] = strip->symbols[stop + shown++];
    grid->tops[game->reels] = (stop + shown) % strip->length;
    return RGS_OK;
}

/* Its part of a cascade: cells close up to the left, past held ones, and new ones come in from the right. Returns 0 or
 * RGS_ERROR_WORDS. */
RGS_APART int rgs_slide_top(const rgs_game *game, const rgs_cascade *cascade, rgs_grid *grid, uint64_t removed,
                            rgs_words *words)
{
    const rgs_strip *strip = &grid->strips[game->reels];
    uint32_t *next = &grid->tops[game->reels];
    uint32_t cells[RGS_REELS_MAX], count = 0, kept = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        if ((game->top >> reel & 1) && !(grid->held & rgs_cell_bit(game, reel, 0)))
            cells[count++] = reel * game->rows;
    for (uint32_t i = 0; i < count; i++)
        if (!(removed >> cells[i] & 1)) {
            grid->symbols[cells[kept]] = grid->symbols[cells[i]];
            grid->values[cells[kept++]] = grid->values[cells[i]];
        }
    for (; kept < count; kept++) {
        uint32_t stop = *next;
        if (cascade->none) {
            grid->symbols[cells[kept]] = (uint8_t)cascade->empty;
            grid->values[cells[kept]] = 0;
            continue;
        }
        if (!cascade->fresh)
            *next = stop + 1 < strip->length ? stop + 1 : 0;
        else if (rgs_draw_stop(words, strip, &stop))
            return RGS_ERROR_WORDS;
        grid->symbols[cells[kept]] = strip->symbols[stop];
        grid->values[cells[kept]] = 0;
    }
    return RGS_OK;
}

#endif
