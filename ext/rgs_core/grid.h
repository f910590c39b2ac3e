/* A grid that changes after the reels have stopped: held cells, transforms, cascades. */

#ifndef RGS_GRID_H
#define RGS_GRID_H

#include "draws.h"
#include "pays.h"

typedef struct {
    uint8_t symbols[RGS_CELLS_MAX];  /* [reel * rows + row] */
    int32_t values[RGS_CELLS_MAX];   /* 0: none */
    uint8_t heights[RGS_REELS_MAX];
    uint32_t tops[RGS_REELS_MAX + 1]; /* stop of the uppermost row, for refills from the strip; of the top reel: of what
                                        comes in next */
    const rgs_strip *strips;
    uint64_t held;                   /* cells that no draw changes */
} rgs_grid;

/* What a feature remembers from spin to spin. */
typedef struct {
    uint64_t held;
    uint8_t held_symbols[RGS_CELLS_MAX];
    int32_t held_values[RGS_CELLS_MAX];
    uint32_t won_steps;
    uint32_t specials_count, specials_more;         /* special symbols; how many triggers have added */
    uint8_t specials[RGS_SPECIALS_MAX];
    int64_t multipliers[RGS_TRANSFORMS_MAX], final; /* running; 0: nothing yet */
    uint32_t state;                                 /* + 1, where the feature has gone on as another state */
    uint64_t collected[RGS_COLLECTED_MAX];           /* by slot */
    uint32_t multiplying[RGS_COLLECTED_MAX];         /* levels that multiply, of triggers where they wait */
    uint32_t waiting[RGS_COLLECTED_MAX][RGS_LEVELS_MAX]; /* spins before each of the further ones does */
    uint64_t fired;                  /* bits of triggers that fire once and have done so */
    rgs_marks spots;
    uint8_t rest[RGS_REELS_MAX], rest_symbols[RGS_REELS_MAX]; /* cells of a stack that are still to come in */
    uint64_t marked;                 /* places that turn in the last spin */
    uint64_t modifier;               /* bit of that of the spin */
    int32_t drawn[RGS_TRANSFORMS_MAX];                      /* for all spins of the feature, plus 1; 0: not yet */
} rgs_memory;

static inline void rgs_memory_clear(rgs_memory *memory)
{
    memory->held = 0;
    memory->won_steps = 0;
    memory->specials_count = memory->specials_more = 0;
    memory->final = 0;
    memory->fired = memory->marked = 0;
    memset(memory->rest, 0, sizeof memory->rest);
    for (uint32_t i = 0; i < RGS_TRANSFORMS_MAX; i++)
        memory->multipliers[i] = memory->drawn[i] = 0;
    memory->state = 0;
    for (uint32_t slot = 0; slot < RGS_COLLECTED_MAX; slot++)
        memory->collected[slot] = memory->multiplying[slot] = 0;
    memset(&memory->spots, 0, sizeof memory->spots);
}

/* The level that the symbols collected so far have reached. */
static inline uint32_t rgs_level(const rgs_trigger *trigger, const rgs_memory *memory)
{
    uint64_t count = memory->collected[trigger->slot];
    uint32_t reached = 0;
    if (trigger->level_counts) {
        while (reached < trigger->levels && trigger->level_counts[reached] <= count)
            reached++;
        if (reached < trigger->levels)
            return reached;
        count -= trigger->level_counts[reached - 1];
    }
    const uint64_t more = count / trigger->every;
    return trigger->endless || reached + more < trigger->levels ? reached + (uint32_t)more : trigger->levels;
}

static inline void rgs_grid_view(const rgs_game *game, const rgs_grid *grid, rgs_view *view)
{
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        view->windows[reel] = grid->symbols + reel * game->rows;
        view->heights[reel] = grid->heights[reel];
    }
    view->values = game->has_values ? grid->values : NULL;
    view->shown = ~(uint64_t)0;
}

enum { RGS_RESTS_MAX = 64 };

/* A cell that comes to be held where the rest of its stack will come in: how many of the symbol stand on the strip beyond
 * it goes to rest[reel]. Where the strip shows another symbol there, transforms have made the cell. */
RGS_APART void rgs_note_rest(const rgs_game *game, const rgs_state *state, const rgs_grid *grid, uint32_t cell,
                             uint8_t symbol, uint8_t *rest, uint8_t *rest_symbols)
{
    const uint32_t reel = cell / game->rows, row = cell % game->rows;
    const int32_t fall = state->held_fall[symbol];
    const rgs_strip *strip = &grid->strips[reel];
    if (!state->held_stack[symbol] || row != (fall > 0 ? 0u : grid->heights[reel] - 1u))
        return;
    const uint32_t most = strip->length < RGS_RESTS_MAX ? strip->length : RGS_RESTS_MAX;
    uint32_t count = 0, stop = (grid->tops[reel] + row) % strip->length;
    while (count <= most && strip->symbols[stop] == symbol) {
        stop = fall > 0 ? (stop ? stop - 1 : strip->length - 1) : (stop + 1 < strip->length ? stop + 1 : 0);
        count++;
    }
    rest[reel] = (uint8_t)(count > 1 ? count - 1 : 0);
    rest_symbols[reel] = symbol;
}

/* A cell of the rest of each stack comes in where its place is free. */
RGS_APART void rgs_bring_rest(const rgs_game *game, const rgs_state *state, const rgs_grid *grid, rgs_memory *memory)
{
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const uint8_t symbol = memory->rest_symbols[reel];
        if (!memory->rest[reel])
            continue;
        if (!state->held_stack[symbol]) { /* of a state from which the feature has gone on */
            memory->rest[reel] = 0;
            continue;
        }
        const uint32_t cell = reel * game->rows + (state->held_fall[symbol] > 0 ? 0u : grid->heights[reel] - 1u);
        if (memory->held >> cell & 1)
            continue;
        memory->held |= (uint64_t)1 << cell;
        memory->held_symbols[cell] = symbol;
        memory->held_values[cell] = 0;
        memory->rest[reel]--;
    }
}

/* Held cells before a spin or a refill: those that walk then do so, and what has no place on the grid is gone. */
static inline void rgs_settle_held(const rgs_game *game, const rgs_state *state, uint32_t each, rgs_memory *memory,
                                   const rgs_grid *grid)
{
    const uint32_t rows = game->rows;
    uint64_t moved = 0;
    uint8_t symbols[RGS_CELLS_MAX];
    int32_t values[RGS_CELLS_MAX];
    for (uint64_t held = memory->held; held; held &= held - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(held);
        const uint8_t symbol = memory->held_symbols[cell];
        const uint32_t walks = state->held_each[symbol] == each;
        const int32_t reel = (int32_t)(cell / rows) + (walks ? state->held_step[symbol] : 0);
        const int32_t row = (int32_t)(cell % rows) + (walks ? state->held_fall[symbol] : 0);
        if (reel < 0 || reel >= (int32_t)game->reels || row < 0 || row >= grid->heights[reel])
            continue;
        const uint32_t to = (uint32_t)reel * rows + (uint32_t)row;
        moved |= (uint64_t)1 << to;
        symbols[to] = memory->held_symbols[cell];
        values[to] = memory->held_values[cell];
    }
    memory->held = moved;
    for (; moved; moved &= moved - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(moved);
        memory->held_symbols[cell] = symbols[cell];
        memory->held_values[cell] = values[cell];
    }
    if (state->stacks && each == RGS_EACH_SPIN)
        rgs_bring_rest(game, state, grid, memory);
}

/* Moves reels to where most of their cells show the symbol; returns how many steps all of them have moved. Of equal
 * moves the shortest counts, then the one downwards. Held cells lie over the reel and stay. With RGS_EACH_CELL cells that
 * show the symbol on a reel that moved get its multiplier as their value. */
RGS_APART uint32_t rgs_nudge(const rgs_game *game, const rgs_transform *transform, rgs_grid *grid)
{
    uint32_t moved = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const rgs_strip *strip = &grid->strips[reel];
        const uint32_t top = grid->tops[reel], height = grid->heights[reel];
        const uint64_t held = grid->held >> reel * game->rows;
        uint32_t best = 0, best_stop = top, best_steps = 0;
        if (!(transform->reels >> reel & 1))
            continue;
        for (uint32_t row = 0; row < height; row++)
            best += strip->symbols[top + row] == transform->symbol && !(held >> row & 1);
        if (best == 0)
            continue;
        uint32_t above = top, below = top;
        for (uint32_t steps = 1; steps <= transform->steps_max; steps++) {
            above = above ? above - 1 : strip->length - 1;
            below = below + 1 < strip->length ? below + 1 : 0;
            for (uint32_t side = 0; side < 2; side++) {
                const uint32_t stop = side ? below : above;
                uint32_t count = 0;
                for (uint32_t row = 0; row < height; row++)
                    count += strip->symbols[stop + row] == transform->symbol && !(held >> row & 1);
                if (count > best) {
                    best = count;
                    best_stop = stop;
                    best_steps = steps;
                }
            }
        }
        for (uint32_t row = 0; row < height && best_steps; row++)
            if (!(held >> row & 1))
                grid->symbols[reel * game->rows + row] = strip->symbols[best_stop + row];
        for (uint32_t row = 0; row < height && game->has_values; row++) {
            const uint32_t cell = reel * game->rows + row;
            const uint32_t given =
                transform->each == RGS_EACH_CELL && best_steps && grid->symbols[cell] == transform->symbol;
            if (!(held >> row & 1))
                grid->values[cell] = given ? 1 + (int32_t)transform->multiplier * (int32_t)best_steps : 0;
        }
        grid->tops[reel] = best_stop;
        moved += best_steps;
    }
    return moved;
}

/* Turns a drawn number of reels into a symbol as a whole. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_fill(const rgs_game *game, const rgs_transform *transform, rgs_grid *grid, rgs_words *words)
{
    uint8_t reels[RGS_REELS_MAX];
    uint32_t count = 0, chosen;
    int64_t drawn;
    if (rgs_draw_table(words, &transform->table, &drawn))
        return RGS_ERROR_WORDS;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        if (transform->reels >> reel & 1)
            reels[count++] = (uint8_t)reel;
    for (; drawn > 0; drawn--) {
        if (rgs_draw_below(words, count, &chosen))
            return RGS_ERROR_WORDS;
        const uint32_t first = reels[chosen] * game->rows;
        for (uint32_t cell = first; cell < first + grid->heights[reels[chosen]]; cell++)
            if (grid->symbols[cell] != transform->symbol) {
                grid->symbols[cell] = (uint8_t)transform->symbol;
                grid->values[cell] = 0;
            }
        count--;
        memmove(reels + chosen, reels + chosen + 1, count - chosen);
    }
    return RGS_OK;
}

/* Cells that show one of the symbols. */
static inline uint64_t rgs_showing(const rgs_game *game, const rgs_grid *grid, uint64_t symbols)
{
    uint64_t cells = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < grid->heights[reel]; row++)
            cells |= (symbols >> grid->symbols[reel * game->rows + row] & 1) << (reel * game->rows + row);
    return cells;
}

/* Cells with one of the symbols mark their places; in the `last` spin of a feature all marked ones turn. */
RGS_APART void rgs_mark_places(const rgs_game *game, const rgs_transform *transform, uint32_t last, rgs_grid *grid,
                               rgs_memory *memory)
{
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < grid->heights[reel]; row++) {
            const uint32_t cell = reel * game->rows + row;
            memory->marked |= (transform->symbols >> grid->symbols[cell] & 1) << cell;
            if (last && (memory->marked >> cell & 1) && grid->symbols[cell] != transform->into) {
                grid->symbols[cell] = (uint8_t)transform->into;
                grid->values[cell] = 0;
            }
        }
}

/* One transform, the i-th of its state. `factor` is multiplied by what multipliers draw. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_transform_grid(const rgs_game *game, const rgs_state *state, const rgs_transform *transform, uint32_t i,
                                 rgs_grid *grid, rgs_memory *memory, rgs_words *words, int64_t *factor)
{
    const uint32_t rows = game->rows;
    int64_t drawn = 0;
    switch (transform->kind) {
    case RGS_REVEAL: {
        uint32_t ready = transform->each == RGS_EACH_FEATURE;
        if (ready)
            drawn = memory->drawn[i] - 1;
        for (uint32_t reel = 0; reel < game->reels; reel++) {
            if (transform->each == RGS_EACH_REEL)
                ready = 0;
            for (uint32_t row = 0; row < grid->heights[reel]; row++) {
                uint8_t *cell = &grid->symbols[reel * rows + row];
                if (*cell != transform->symbol)
                    continue;
                if (!ready && rgs_draw_table(words, &transform->table, &drawn))
                    return RGS_ERROR_WORDS;
                ready = transform->each != RGS_EACH_CELL;
                *cell = (uint8_t)drawn;
            }
        }
        return RGS_OK;
    }
    case RGS_EXPAND:
    case RGS_REPLACE:
        for (uint32_t reel = 0; reel < game->reels; reel++) {
            uint8_t *cells = grid->symbols + reel * rows;
            uint32_t shown = transform->kind == RGS_REPLACE;
            if (!(transform->reels >> reel & 1))
                continue;
            for (uint32_t row = 0; row < grid->heights[reel]; row++)
                shown |= cells[row] == transform->symbol;
            for (uint32_t row = 0; shown && row < grid->heights[reel]; row++) {
                if (transform->kind == RGS_REPLACE) {
                    if (cells[row] == transform->symbol)
                        cells[row] = (uint8_t)transform->into;
                } else if (cells[row] != transform->into) {
                    cells[row] = (uint8_t)transform->into;
                    grid->values[reel * rows + row] = 0; /* harmless where no cell has a value */
                }
            }
        }
        return RGS_OK;
    case RGS_ADD: {
        uint8_t places[RGS_CELLS_MAX];
        uint32_t count = 0;
        if (rgs_draw_table(words, &transform->table, &drawn))
            return RGS_ERROR_WORDS;
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < grid->heights[reel]; row++) {
                const uint32_t cell = reel * rows + row;
                if ((transform->reels >> reel & 1) && (transform->symbols >> grid->symbols[cell] & 1) &&
                    !(grid->held >> cell & 1))
                    places[count++] = (uint8_t)cell;
            }
        for (; drawn > 0 && count > 0; drawn--) {
            uint32_t chosen;
            if (rgs_draw_below(words, count, &chosen))
                return RGS_ERROR_WORDS;
            grid->symbols[places[chosen]] = (uint8_t)transform->symbol;
            grid->values[places[chosen]] = 0;
            count--;
            memmove(places + chosen, places + chosen + 1, count - chosen);
        }
        return RGS_OK;
    }
    case RGS_VALUES:
        for (uint32_t reel = 0; reel < game->reels; reel++) {
            uint32_t ready = 0;
            for (uint32_t row = 0; row < grid->heights[reel]; row++) {
                const uint32_t cell = reel * rows + row;
                if (!(transform->symbols >> grid->symbols[cell] & 1) || grid->values[cell] || !(transform->reels >> reel & 1))
                    continue;
                if (!ready && rgs_draw_table(words, &transform->table, &drawn))
                    return RGS_ERROR_WORDS;
                ready = transform->each == RGS_EACH_REEL;
                grid->values[cell] = (int32_t)drawn;
            }
        }
        return RGS_OK;
    case RGS_STICK:
        if (state->stacks)
            for (uint64_t cells = rgs_showing(game, grid, transform->symbols) & ~memory->held; cells; cells &= cells - 1) {
                const uint32_t cell = (uint32_t)__builtin_ctzll(cells);
                rgs_note_rest(game, state, grid, cell, grid->symbols[cell], memory->rest, memory->rest_symbols);
            }
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < grid->heights[reel]; row++) {
                const uint32_t cell = reel * rows + row;
                if (transform->symbols >> grid->symbols[cell] & 1) {
                    grid->held |= (uint64_t)1 << cell;
                    memory->held |= (uint64_t)1 << cell;
                    memory->held_symbols[cell] = grid->symbols[cell];
                    memory->held_values[cell] = game->has_values ? grid->values[cell] : 0;
                }
            }
        return RGS_OK;
    case RGS_FILL:
        return rgs_fill(game, transform, grid, words);
    case RGS_NUDGE: {
        const uint32_t steps = rgs_nudge(game, transform, grid);
        if (transform->each == RGS_EACH_SPIN)
            *factor *= 1 + transform->multiplier * steps;
        return RGS_OK;
    }
    default: {
        if (transform->each == RGS_EACH_FEATURE) {
            *factor *= memory->drawn[i] - 1;
            return RGS_OK;
        }
        int64_t all = transform->combine == RGS_PRODUCT;
        for (uint32_t reel = 0; reel < game->reels; reel++) {
            uint32_t shown = 0;
            for (uint32_t row = 0; row < grid->heights[reel]; row++)
                shown += grid->symbols[reel * rows + row] == transform->symbol;
            uint32_t draws = transform->each == RGS_EACH_SPIN ? reel == 0
                             : transform->each == RGS_EACH_REEL ? shown == grid->heights[reel]
                                                                : shown;
            for (; draws > 0; draws--) {
                if (rgs_draw_table(words, &transform->table, &drawn))
                    return RGS_ERROR_WORDS;
                all = transform->combine == RGS_PRODUCT ? all * drawn : all + drawn;
            }
        }
        if (transform->persist) {
            int64_t *running = &memory->multipliers[transform->slot];
            if (transform->combine == RGS_PRODUCT)
                *running = (*running ? *running : 1) * all;
            else
                *running += all;
            all = *running;
        }
        *factor *= all > 1 ? all : 1;
        return RGS_OK;
    }
    }
}

/* What transforms draw once for all spins of a feature, in its first spin. Returns 0 or RGS_ERROR_WORDS. */
RGS_APART int rgs_draw_for_feature(const rgs_state *state, rgs_memory *memory, rgs_words *words)
{
    for (uint32_t i = 0; i < state->transforms_count; i++) {
        int64_t drawn;
        if (state->transforms[i].each != RGS_EACH_FEATURE || memory->drawn[i])
            continue;
        if (rgs_draw_table(words, &state->transforms[i].table, &drawn))
            return RGS_ERROR_WORDS;
        memory->drawn[i] = (int32_t)drawn + 1;
    }
    return RGS_OK;
}

/* Multiplier of a step after so many that have won. */
static inline int64_t rgs_ladder(const rgs_cascade *cascade, uint32_t won_steps)
{
    const uint32_t last = cascade->multipliers_count - 1, rung = won_steps < last ? won_steps : last;
    return cascade->multipliers[rung] + (int64_t)(won_steps - rung) * cascade->multiplier_step;
}

/* Removes cells, lets the rest fall and refills; what is above in the top reel stays (top.h). Returns 0 or
 * RGS_ERROR_WORDS. */
RGS_APART int rgs_cascade_grid(const rgs_game *game, const rgs_cascade *cascade, rgs_grid *grid, uint64_t removed,
                                   rgs_words *words)
{
    const uint32_t rows = game->rows;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const uint64_t above = game->top >> reel & 1;
        const uint64_t gone = removed >> reel * rows & (((uint64_t)1 << grid->heights[reel]) - 1) & ~above;
        const uint64_t held = grid->held >> reel * rows | above;
        const rgs_strip *strip = &grid->strips[reel];
        uint8_t *symbols = grid->symbols + reel * rows;
        int32_t *values = grid->values + reel * rows;
        if (!gone)
            continue;
        int32_t to = grid->heights[reel] - 1;
        for (int32_t from = to; from >= 0; from--) {
            if ((gone >> from & 1) || (held >> from & 1))
                continue;
            while (held >> to & 1)
                to--;
            symbols[to] = symbols[from];
            values[to] = values[from];
            to--;
        }
        if (cascade->fresh) {
            for (int32_t row = 0; row <= to; row++) {
                uint32_t stop;
                if (held >> row & 1)
                    continue;
                if (rgs_draw_stop(words, strip, &stop))
                    return RGS_ERROR_WORDS;
                symbols[row] = strip->symbols[stop];
                values[row] = 0;
            }
        } else if (cascade->none) {
            for (int32_t row = to; row >= 0; row--) {
                if (held >> row & 1)
                    continue;
                symbols[row] = (uint8_t)cascade->empty;
                values[row] = 0;
            }
        } else {
            for (int32_t row = to; row >= 0; row--) {
                if (held >> row & 1)
                    continue;
                grid->tops[reel] = grid->tops[reel] ? grid->tops[reel] - 1 : strip->length - 1;
                symbols[row] = strip->symbols[grid->tops[reel]];
                values[row] = 0;
            }
        }
    }
    return RGS_OK;
}

#endif
