/* Spots: places of the grid that are marked by cells removed from them, and multiply the wins that cover them. */

#ifndef RGS_SPOTS_H
#define RGS_SPOTS_H

#include "game.h"

/* What each place holds: 0 nothing, 1 a mark, else a multiplier; [reel * rows + row]. */
typedef struct {
    int32_t marks[RGS_CELLS_MAX];
} rgs_marks;

/* Every removed cell marks its place, or makes what the place holds grow. */
RGS_APART void rgs_mark_spots(const rgs_spots *spots, rgs_marks *marks, uint64_t removed)
{
    for (; removed; removed &= removed - 1) {
        int32_t *const mark = &marks->marks[__builtin_ctzll(removed)];
        if (*mark < 2) {
            *mark = *mark ? spots->first : 1;
        } else {
            *mark = spots->step ? *mark + spots->step : 2 * *mark;
            if (*mark > spots->multiplier_max)
                *mark = spots->multiplier_max;
        }
    }
}

/* What the multipliers of places come to together, 1 where there is none. */
RGS_APART int64_t rgs_spots_factor(const rgs_spots *spots, const rgs_marks *marks, uint64_t cells)
{
    int64_t sum = 0, product = 1;
    for (; cells; cells &= cells - 1) {
        const int32_t mark = marks->marks[__builtin_ctzll(cells)];
        if (mark < 2)
            continue;
        sum += mark;
        product *= spots->product ? mark : 1;
    }
    return spots->product ? product : sum ? sum : 1;
}

#endif
