/* Reels that show nothing but the same symbol. */

#ifndef RGS_FULL_REELS_H
#define RGS_FULL_REELS_H

#include "pays.h"

/* How many of the reels `among` the symbol fills that fills most of them, of equal ones the first: *symbol, and bits of
 * them: *reels. */
RGS_APART uint32_t rgs_full_reels(const rgs_game *game, const rgs_view *view, uint64_t among, uint32_t *symbol,
                                  uint32_t *reels)
{
    uint32_t full[64] = {0}, most = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const uint8_t first = game->read[view->windows[reel][0]];
        uint32_t row = 1;
        while (row < view->heights[reel] && game->read[view->windows[reel][row]] == first)
            row++;
        if (row == view->heights[reel] && (among >> reel & 1))
            full[first] |= 1u << reel;
    }
    *symbol = *reels = 0;
    for (uint32_t x = 0; x < game->symbols_count; x++)
        if ((uint32_t)__builtin_popcount(full[x]) > most) {
            most = (uint32_t)__builtin_popcount(full[x]);
            *symbol = x;
            *reels = full[x];
        }
    return most;
}

#endif
