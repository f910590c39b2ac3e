/* What a trigger counts beside all cells, and what else it needs to fire: a condition on the wins of the spin, to be the
 * first of its feature, odds. The same conditions of transforms. */

#ifndef RGS_CONDITIONS_H
#define RGS_CONDITIONS_H

#include "grid.h"

/* How often the symbols of a trigger are in view on its reels, or on how many reels; without the cells `old` where only
 * fresh ones count. */
RGS_APART uint32_t rgs_count_reels(const rgs_game *game, const rgs_trigger *trigger, const rgs_view *view, uint64_t old)
{
    uint32_t count = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        uint32_t here = 0;
        if (!(trigger->reels >> reel & 1))
            continue;
        for (uint32_t row = 0; row < view->heights[reel]; row++) {
            const uint8_t shown = view->windows[reel][row];
            if ((trigger->symbols >> shown & 1) && !(trigger->fresh && (old & rgs_cell_bit(game, reel, row))))
                here += game->times[shown];
        }
        count += trigger->per_reel ? here > 0 : here;
    }
    return count;
}

/* Whether a trigger that has what it counts fires: its condition holds, it has not fired in this feature if it does so
 * once, and its odds succeed; drawn last, and only then. `won`: whether the spin has won anything yet.
 * Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_fires(const rgs_trigger *trigger, uint32_t t, uint32_t won, rgs_memory *memory, rgs_words *words,
                        uint32_t *fires)
{
    *fires = 0;
    if ((trigger->when == RGS_WHEN_WIN && !won) || (trigger->when == RGS_WHEN_NO_WIN && won))
        return RGS_OK;
    if (trigger->once && (memory->fired >> t & 1))
        return RGS_OK;
    *fires = 1;
    if (trigger->out_of && rgs_draw_chance(words, trigger->chance, trigger->out_of, fires))
        return RGS_ERROR_WORDS;
    if (trigger->once && *fires)
        memory->fired |= (uint64_t)1 << t;
    return RGS_OK;
}

/* Whether a grid would pay anything as it stands. No state with such a question has a special symbol. */
static inline uint32_t rgs_would_pay(const rgs_game *game, const rgs_state *state, const rgs_view *view,
                                     const rgs_view *stopped)
{
    rgs_look look = {view, 1, RGS_ANY_SYMBOL, NULL, NULL, NULL, NULL, NULL};
    int64_t pays = 0;
    for (uint32_t e = 0; e < state->evaluators_count && !pays; e++) {
        if (state->evaluators[e].at_end)
            continue;
        look.view = state->evaluators[e].stopped ? stopped : view;
        (void)rgs_pay(game, state, e, &look, &pays); /* fails with a log alone */
    }
    return pays > 0;
}

/* Whether a conditional transform works in this spin: looked at and drawn on its first grid. One that does not still
 * multiplies by what persists. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_transform_works(const rgs_game *game, const rgs_state *state, uint32_t i, const rgs_view *view,
                                  const rgs_view *stopped, const rgs_memory *memory, rgs_words *words, uint32_t *idle,
                                  int64_t *factor)
{
    const rgs_transform *transform = &state->transforms[i];
    uint32_t works = 1;
    if (transform->when != RGS_ALWAYS_FIRES)
        works = rgs_would_pay(game, state, view, stopped) == (transform->when == RGS_WHEN_WIN);
    if (works && transform->out_of && rgs_draw_chance(words, transform->chance, transform->out_of, &works))
        return RGS_ERROR_WORDS;
    if (works)
        return RGS_OK;
    *idle |= 1u << i;
    if (transform->persist && memory->multipliers[transform->slot] > 1)
        *factor *= memory->multipliers[transform->slot];
    return RGS_OK;
}

#endif
