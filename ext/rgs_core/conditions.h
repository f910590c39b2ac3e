/* What triggers and transforms need beside what they look at themselves: numbers of symbols in view, a win of the spin or
 * none, to be the first of the feature, odds. */

#ifndef RGS_CONDITIONS_H
#define RGS_CONDITIONS_H

#include "grid.h"

/* What of a spin's history its triggers look at. */
typedef struct {
    const rgs_view *view, *stopped;  /* the last grid; the grid as the reels stopped */
    uint64_t old;                    /* cells that were held before the spin */
    uint32_t won;                    /* 1: the spin has won something by now */
    size_t events;                   /* where the spin's events begin in the log of wins */
} rgs_seen;

/* How often symbols are in view on some reels, or on how many of these reels; without the cells `old`. */
RGS_APART uint32_t rgs_count_on(const rgs_game *game, const rgs_view *view, uint64_t symbols, uint64_t reels,
                                uint64_t per_reel, uint64_t old)
{
    uint32_t count = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        uint32_t here = 0;
        if (!(reels >> reel & 1))
            continue;
        for (uint32_t row = 0; row < view->heights[reel]; row++) {
            const uint8_t shown = view->windows[reel][row];
            if ((symbols >> shown & 1) && !(old & rgs_cell_bit(game, reel, row)))
                here += game->times[shown];
        }
        count += per_reel ? here > 0 : here;
    }
    return count;
}

/* Whether as many symbols are in view as all of these conditions ask for. */
static inline uint32_t rgs_shows(const rgs_game *game, const rgs_in_view *conditions, uint32_t count, const rgs_view *view,
                                 const rgs_view *stopped)
{
    for (const rgs_in_view *c = conditions; c < conditions + count; c++) {
        const uint64_t shown =
            rgs_count_on(game, c->stopped ? stopped : view, c->symbols, c->reels, c->per_reel, 0);
        if (shown < c->least || shown > c->most)
            return 0;
    }
    return 1;
}

/* Whether a trigger that finds what it looks at fires: what it needs holds, it has not fired in this feature if it does
 * so once, and its odds succeed; drawn last, and only then. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_fires(const rgs_game *game, const rgs_trigger *trigger, uint32_t t, const rgs_seen *seen,
                        rgs_memory *memory, rgs_words *words, uint32_t *fires)
{
    *fires = 0;
    if (!rgs_shows(game, trigger->in_view, trigger->in_view_count, seen->view, seen->stopped))
        return RGS_OK;
    if ((trigger->when == RGS_WHEN_WIN && !seen->won) || (trigger->when == RGS_WHEN_NO_WIN && seen->won))
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
    rgs_look look = {.view = view, .factor = 1};
    int64_t pays = 0;
    for (uint32_t e = 0; e < state->evaluators_count && !pays; e++) {
        if (state->evaluators[e].at_end)
            continue;
        look.view = state->evaluators[e].stopped ? stopped : view;
        (void)rgs_pay(game, state, e, &look, &pays); /* fails with a log alone */
    }
    return pays > 0;
}

/* Whether a transform works with the modifier of the spin. */
static inline uint32_t rgs_with_modifier(const rgs_transform *transform, const rgs_memory *memory)
{
    return !transform->modifiers || (transform->modifiers & memory->modifier);
}

/* Whether a conditional transform works in this spin: looked at and drawn on its first grid. One that does not still
 * multiplies by what persists. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_transform_works(const rgs_game *game, const rgs_state *state, uint32_t i, const rgs_view *view,
                                  const rgs_view *stopped, const rgs_memory *memory, rgs_words *words, uint32_t *idle,
                                  int64_t *factor)
{
    const rgs_transform *transform = &state->transforms[i];
    uint32_t works = rgs_with_modifier(transform, memory) &&
                     rgs_shows(game, transform->in_view, transform->in_view_count, view, stopped);
    if (works && transform->when != RGS_ALWAYS_FIRES)
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
