/* What is said of a whole feature: the multiplier that its award gave it, and how it goes on as another state. */

#ifndef RGS_FEATURE_H
#define RGS_FEATURE_H

#include "spin.h"

/* Sums before a spin of a feature whose wins are multiplied. */
typedef struct {
    int64_t win, parts[RGS_PARTS];
    size_t events;
} rgs_before;

RGS_APART void rgs_note_before(const rgs_round *round, uint32_t state_index, const rgs_log *log, rgs_before *before)
{
    before->win = round->win;
    memcpy(before->parts, round->parts[state_index], sizeof before->parts);
    before->events = log ? log->length : 0;
}

/* Multiplies all that a spin has won, bonuses and exempt wins as well. Cannot fail: the bounds of the model hold it. */
RGS_APART void rgs_multiply_wins(rgs_round *round, uint32_t state_index, int64_t multiplier, const rgs_before *before,
                                 rgs_log *log)
{
    int64_t *parts = round->parts[state_index];
    round->win += (round->win - before->win) * (multiplier - 1);
    for (uint32_t p = 0; p < RGS_PARTS; p++)
        parts[p] += (parts[p] - before->parts[p]) * (multiplier - 1);
    for (size_t i = before->events; log && i < log->length; i++) {
        const uint32_t kind = log->events[i].kind;
        if (kind == RGS_EVENT_WIN || kind == RGS_EVENT_PICK || kind == RGS_EVENT_PICKED || kind == RGS_EVENT_BONUS)
            log->events[i].amount *= multiplier;
    }
}

/* The feature that plays goes on as another state: it keeps what that state remembers too, forgets the rest, and where heights are fixed
 * its held cells move with the rows that are added or taken at the top. */
RGS_APART void rgs_go_on(const rgs_game *game, uint32_t from_index, uint32_t to_index, rgs_memory *memory)
{
    const rgs_state *from = &game->states[from_index], *to = &game->states[to_index];
    if (!(from->cascade.on && from->cascade.persist && to->cascade.on && to->cascade.persist))
        memory->won_steps = 0;
    if (!(from->final_symbols && from->final_persist && to->final_symbols && to->final_persist))
        memory->final = 0;
    for (uint32_t i = to->persisting; i < RGS_TRANSFORMS_MAX; i++)
        memory->multipliers[i] = 0;
    uint32_t counted = 0;
    for (uint32_t t = 0; t < to->triggers_count; t++)
        counted |= to->triggers[t].kind == RGS_COLLECTED ? 1u << to->triggers[t].slot : 0;
    for (uint32_t slot = 0; slot < RGS_COLLECTED_MAX; slot++)
        if (!(counted >> slot & 1))
            memory->collected[slot] = memory->multiplying[slot] = 0;
    memory->fired = 0;
    memset(memory->drawn, 0, sizeof memory->drawn);
    if (!(from->spots.persist && to->spots.persist))
        memset(&memory->spots, 0, sizeof memory->spots);
    if (!(from->marks && to->marks))
        memory->marked = 0;
    if (!to->stacks)
        memset(memory->rest, 0, sizeof memory->rest);
    memory->state = to_index + 1;
    if (to->rows_below || !memory->held)
        return;
    uint64_t moved = 0;
    uint8_t symbols[RGS_CELLS_MAX];
    int32_t values[RGS_CELLS_MAX];
    for (uint64_t held = memory->held; held; held &= held - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(held), reel = cell / game->rows;
        int32_t row = (int32_t)(cell % game->rows);
        if (from->heights[reel].fixed && to->heights[reel].fixed)
            row += (int32_t)(to->heights[reel].values[0] - from->heights[reel].values[0]);
        if (row < 0)
            continue;
        const uint32_t place = reel * game->rows + (uint32_t)row;
        moved |= (uint64_t)1 << place;
        symbols[place] = memory->held_symbols[cell];
        values[place] = memory->held_values[cell];
    }
    memory->held = moved;
    for (; moved; moved &= moved - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(moved);
        memory->held_symbols[cell] = symbols[cell];
        memory->held_values[cell] = values[cell];
    }
}

/* 1 when nothing more can land in a feature whose cells draw alone: every cell is held, on the last grid, or on that of
 * the state as which the feature has just gone on. */
RGS_APART int rgs_feature_full(const rgs_game *game, uint32_t state_index, uint32_t went_on, const rgs_play *play)
{
    const rgs_state *state = &game->states[state_index];
    if (!state->cells || !state->remembers || (went_on && state->heights_drawn))
        return 0;
    const uint8_t *heights = went_on ? state->fixed_heights : play->view.heights;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < heights[reel]; row++)
            if (!(play->memory.held & rgs_cell_bit(game, reel, row)))
                return 0;
    return 1;
}

#endif
