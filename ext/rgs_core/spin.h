/* One spin of a state: draws, grid, pays, awards.
 *
 * A state whose grid is just the windows of its stops is played without copying a symbol; any other is laid
 * out in a grid that transforms and cascades change. Draw order: docs/rng.md. */

#ifndef RGS_SPIN_H
#define RGS_SPIN_H

#include "acts.h"
#include "changes.h"
#include "charges.h"
#include "linked.h"
#include "moves.h"
#include "top.h"
#include "triggers.h"

RGS_APART int rgs_log_grid(const rgs_game *game, const rgs_view *view, uint32_t which, rgs_log *log)
{
    if (!log)
        return RGS_OK;
    if (rgs_log_add(log, RGS_EVENT_GRID, which, 0, 0, 0))
        return RGS_ERROR_MEMORY;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            if (rgs_log_add(log, RGS_EVENT_CELL, reel, row, view->windows[reel][row],
                            view->values ? view->values[reel * game->rows + row] : 0))
                return RGS_ERROR_MEMORY;
    return RGS_OK;
}

/* What places hold, where they hold anything. */
RGS_APART int rgs_log_spots(const rgs_game *game, const rgs_view *view, const rgs_marks *marks, rgs_log *log)
{
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++) {
            const int32_t mark = marks->marks[reel * game->rows + row];
            if (mark && rgs_log_add(log, RGS_EVENT_SPOT, reel, row, 0, mark))
                return RGS_ERROR_MEMORY;
        }
    return RGS_OK;
}

/* The stops of reels that nudges have moved away from those at which they stopped. */
static inline int rgs_log_nudges(const rgs_game *game, const rgs_play *play, rgs_log *log)
{
    for (uint32_t reel = 0; reel < game->reels; reel++)
        if (play->grid.tops[reel] != play->stopped_grid.tops[reel] &&
            rgs_log_add(log, RGS_EVENT_NUDGED, reel, play->grid.tops[reel], 0, 0))
            return RGS_ERROR_MEMORY;
    return RGS_OK;
}

/* Multiplier of the levels that collected symbols have reached. */
static inline int64_t rgs_levels_factor(const rgs_state *state, const rgs_memory *memory)
{
    int64_t factor = 1;
    for (uint32_t t = 0; t < state->triggers_count; t++)
        if (state->triggers[t].kind == RGS_COLLECTED) {
            const rgs_trigger *trigger = &state->triggers[t];
            const uint32_t level = trigger->from_batch ? memory->multiplying[trigger->slot] : rgs_level(trigger, memory);
            const uint32_t listed = level < trigger->levels ? level : trigger->levels;
            if (level)
                factor *= trigger->level_multipliers[listed - 1] + (level - listed) * trigger->level_step;
        }
    return factor;
}

/* One spin less before levels that wait multiply; those that need wait no more do so from this spin on. */
RGS_APART void rgs_pass_waiting(const rgs_state *state, rgs_memory *memory)
{
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        if (trigger->kind != RGS_COLLECTED || !trigger->from_batch)
            continue;
        uint32_t *waiting = memory->waiting[trigger->slot], level = memory->multiplying[trigger->slot];
        const uint32_t reached = rgs_level(trigger, memory);
        while (level < reached && waiting[level] == 0)
            level++;
        memory->multiplying[trigger->slot] = level;
        for (; level < reached; level++)
            waiting[level]--;
    }
}

/* Draws special symbols, each other than those before, until the feature has as many as it shall have by now. */
RGS_APART int rgs_draw_more_specials(const rgs_state *state, rgs_memory *memory, rgs_words *words)
{
    const uint32_t more = state->special_count + memory->specials_more;
    const uint32_t wanted = more < state->special_most ? more : state->special_most;
    while (memory->specials_count < wanted) {
        int64_t symbols[64], drawn;
        uint32_t cumulative[64], sum = 0, before = 0;
        rgs_table left = {.values = symbols, .cumulative = cumulative};
        for (uint32_t i = 0; i < state->special.length; before = state->special.cumulative[i++]) {
            if (memchr(memory->specials, (int)state->special.values[i], memory->specials_count))
                continue;
            sum += state->special.cumulative[i] - before;
            symbols[left.length] = state->special.values[i];
            cumulative[left.length++] = sum;
        }
        left.total = sum;
        left.fixed = left.length == 1;
        if (rgs_draw_table(words, &left, &drawn))
            return RGS_ERROR_WORDS;
        memory->specials[memory->specials_count++] = (uint8_t)drawn;
    }
    return RGS_OK;
}

/* The special symbols of a spin; the first one is drawn from the table as it is. Returns 0 or RGS_ERROR_WORDS. */
static inline int rgs_draw_specials(const rgs_state *state, rgs_memory *memory, rgs_words *words)
{
    int64_t drawn;
    if (memory->specials_count == 0) {
        if (rgs_draw_table(words, &state->special, &drawn))
            return RGS_ERROR_WORDS;
        memory->specials[memory->specials_count++] = (uint8_t)drawn;
    }
    return state->special_most == 1 ? RGS_OK : rgs_draw_more_specials(state, memory, words);
}

/* The book: pays by the reels that show the special symbol, on every line. */
RGS_APART int rgs_pay_special(const rgs_game *game, const rgs_state *state, uint32_t special, const rgs_look *look,
                                  int64_t *pays)
{
    uint32_t reels = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        uint32_t shown = 0;
        for (uint32_t row = 0; row < look->view->heights[reel]; row++)
            shown |= game->read[look->view->windows[reel][row]] == special;
        reels += shown;
    }
    const uint32_t at = special * (game->reels + 1) + reels;
    int64_t amount = state->special_pays[at];
    if (amount == 0)
        return RGS_OK;
    if (!state->special_exempt[at])
        amount *= look->factor;
    *pays += amount;
    return look->log ? rgs_win(look, RGS_WIN_SPECIAL, 0, special, reels, 0, 1, amount, 0) : RGS_OK;
}

/* Heights, stops and held cells of a spin, and the grid as the reels stopped. */
static inline int rgs_stop_grid(const rgs_game *game, const rgs_state *state, uint32_t further, rgs_play *play,
                                rgs_words *words, rgs_log *log)
{
    rgs_grid *grid = &play->grid;
    rgs_memory *memory = &play->memory;
    const uint32_t rows = game->rows;
    uint32_t follows = 0;
    if (state->linked_on) {
        const int error = rgs_link_reels(game, state, grid, play->linked, words, log, &follows);
        if (error)
            return error;
    }
    if (state->remembers && (memory->held || state->stacks)) {
        rgs_settle_held(game, state, further ? RGS_EACH_SPIN : RGS_EACH_NEVER, memory, grid);
        if (state->jumps && further && rgs_jump_held(game, state, RGS_EACH_SPIN, memory, grid, words))
            return RGS_ERROR_WORDS;
    }
    grid->held = state->remembers ? memory->held : 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const rgs_strip *strip = &grid->strips[reel];
        const uint32_t above = game->top >> reel & 1;
        uint32_t stop;
        if (!state->cells) {
            if (follows >> reel & 1)
                stop = grid->tops[reel - 1];
            else if (rgs_draw_stop(words, strip, &stop))
                return RGS_ERROR_WORDS;
            if (rgs_log_add(log, RGS_EVENT_STOP, reel, stop, 0, 0))
                return RGS_ERROR_MEMORY;
            memcpy(grid->symbols + reel * rows + above, strip->symbols + stop, grid->heights[reel] - above);
            grid->tops[reel] = stop;
            continue;
        }
        for (uint32_t row = 0; row < grid->heights[reel]; row++) {
            const uint32_t cell = reel * rows + row;
            stop = 0;
            if (!(grid->held >> cell & 1)) {
                const rgs_strip *own = row < above ? &grid->strips[game->reels] : strip;
                if (rgs_draw_stop(words, own, &stop))
                    return RGS_ERROR_WORDS;
                grid->symbols[cell] = own->symbols[stop];
                stop++;
            }
            if (rgs_log_add(log, RGS_EVENT_CELL_STOP, cell, stop, 0, 0))
                return RGS_ERROR_MEMORY;
        }
    }
    if (game->top && !state->cells) {
        const int error = rgs_stop_top(game, grid, words, log);
        if (error)
            return error;
    }
    if (game->has_values)
        memset(grid->values, 0, game->reels * rows * sizeof *grid->values);
    for (uint64_t held = grid->held; held; held &= held - 1) {
        const uint32_t cell = (uint32_t)__builtin_ctzll(held);
        grid->symbols[cell] = memory->held_symbols[cell];
        if (game->has_values)
            grid->values[cell] = memory->held_values[cell];
    }
    return RGS_OK;
}

/* Strip set and heights: the draws that come before the stops. */
static inline int rgs_begin_spin(const rgs_game *game, const rgs_state *state, rgs_words *words, rgs_log *log,
                                 const rgs_strip **strips, uint8_t heights[RGS_REELS_MAX])
{
    int64_t drawn = 0;
    *strips = state->sets[0];
    if (!state->set_choice.fixed) {
        if (rgs_draw_table(words, &state->set_choice, &drawn))
            return RGS_ERROR_WORDS;
        *strips = state->sets[drawn];
        if (rgs_log_add(log, RGS_EVENT_STRIPS, (uint32_t)drawn, 0, 0, 0))
            return RGS_ERROR_MEMORY;
    }
    if (!state->heights_drawn) {
        memcpy(heights, state->fixed_heights, RGS_REELS_MAX);
        return RGS_OK;
    }
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        const rgs_table *table = &state->heights[reel];
        drawn = table->values[0];
        if (!table->fixed && rgs_draw_table(words, table, &drawn))
            return RGS_ERROR_WORDS;
        heights[reel] = (uint8_t)drawn;
        if (rgs_log_add(log, RGS_EVENT_HEIGHT, reel, heights[reel], 0, 0))
            return RGS_ERROR_MEMORY;
    }
    return RGS_OK;
}

/* A state whose grid changes. Sets play->view to the last grid. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_play_grid(const rgs_game *game, uint32_t state_index, uint32_t further, rgs_words *words, rgs_play *play,
                         rgs_round *round, rgs_log *wins, rgs_log *log)
{
    const rgs_state *state = &game->states[state_index];
    const rgs_cascade *cascade = &state->cascade;
    rgs_grid *grid = &play->grid;
    rgs_memory *memory = &play->memory;
    rgs_view *view = &play->view;
    int64_t grid_win = 0;
    uint32_t won_steps = state->remembers && cascade->persist ? memory->won_steps : 0, fired;
    int64_t spin_factor = 1, levels = 1;
    uint32_t counted = 0, charges = 0, charged = 0; /* cells for the meter; used charges; 1: this step comes of one */
    const rgs_spots *const spots = state->spots.on ? &state->spots : NULL;
    int error;
    if (spots && !spots->persist)
        memset(&memory->spots, 0, sizeof memory->spots);
    if ((error = rgs_begin_spin(game, state, words, log, &grid->strips, grid->heights)) ||
        (error = rgs_stop_grid(game, state, further, play, words, log)))
        return error;
    rgs_grid_view(game, grid, view);
    const uint64_t old = grid->held;
    rgs_seen seen = {view, view, old, 0, wins ? wins->length : 0};
    uint32_t idle = 0; /* bits of transforms that do not work in this spin */
    const uint32_t keeps_stopped = log != NULL || state->looks_stopped;
    if (state->waits)
        rgs_pass_waiting(state, memory);
    if (state->remembers)
        levels = rgs_levels_factor(state, memory);

    if (state->modifiers.length) {
        int64_t modifier;
        if (rgs_draw_table(words, &state->modifiers, &modifier))
            return RGS_ERROR_WORDS;
        memory->modifier = (uint64_t)1 << modifier;
        if (rgs_log_add(log, RGS_EVENT_MODIFIER, (uint32_t)modifier, 0, 0, 0))
            return RGS_ERROR_MEMORY;
    }
    for (uint32_t step = 1;; step++) {
        if (state->transforms_count && keeps_stopped) {
            play->stopped_grid = *grid;
            rgs_grid_view(game, &play->stopped_grid, &play->stopped);
            seen.stopped = &play->stopped;
        }
        for (uint32_t i = 0; i < state->transforms_count; i++) {
            const uint32_t kind = state->transforms[i].kind;
            if (step > 1 && (charged || ((kind == RGS_ADD || kind == RGS_STICK || kind >= RGS_MULTIPLIER) &&
                                         state->transforms[i].each != RGS_EACH_STEP)))
                continue;
            if (state->transforms[i].conditional) {
                if (step == 1 && (error = rgs_transform_works(game, state, i, view, seen.stopped, memory, words, &idle,
                                                              &spin_factor)))
                    return error;
                if (idle >> i & 1)
                    continue;
            }
            if (kind == RGS_MARK) {
                rgs_mark_places(game, &state->transforms[i], play->left == 0, grid, memory);
                continue;
            }
            if (kind == RGS_ACT) {
                if ((error = rgs_act(game, state, i, old, grid, words, log)))
                    return error;
                continue;
            }
            if ((error = rgs_transform_grid(game, state, &state->transforms[i], i, grid, memory, words, &spin_factor)))
                return error;
        }
        if (log) {
            if (step == 1 && state->transforms_count && (error = rgs_log_nudges(game, play, log)))
                return error;
            if (step == 1 && state->marks && memory->marked &&
                (error = rgs_log_event(log, (rgs_event){RGS_EVENT_MARKED, 0, 0, 0, 1, 1, 0, memory->marked})))
                return error;
            if (step == 1 && spin_factor != 1 && rgs_log_add(log, RGS_EVENT_FACTOR, 0, 0, 0, spin_factor))
                return RGS_ERROR_MEMORY;
            if ((step == 1 && (error = rgs_log_grid(game, seen.stopped, 0, log))) ||
                (error = rgs_log_grid(game, view, step == 1 ? 1 : 2 + charged, log)) ||
                (spots && (error = rgs_log_spots(game, view, &memory->spots, log))))
                return error;
        }
        const int64_t ladder = cascade->on ? rgs_ladder(cascade, won_steps) : 1;
        uint64_t removed = 0, ignored = 0;
        rgs_look look = {
            .view = view, .factor = ladder * spin_factor * levels, .log = wins, .spots = spots, .marks = &memory->spots};
        if (cascade->leave_count) {
            play->step_wins.count = 0;
            look.wins = &play->step_wins;
        }
        if (state->special_on && !state->special_own_lines)
            for (uint32_t i = 0; i < memory->specials_count; i++)
                look.skip |= (uint64_t)1 << memory->specials[i];
        uint32_t won = 0;
        for (uint32_t e = 0; e < state->evaluators_count; e++) {
            const rgs_evaluator *evaluator = &state->evaluators[e];
            int64_t pays = 0;
            if (evaluator->at_end)
                continue;
            look.view = evaluator->stopped ? seen.stopped : view;
            look.removed = cascade->on ? (cascade->remove_evaluators >> e & 1 ? &removed : &ignored)
                                       : state->grows ? &ignored : NULL;
            if ((error = rgs_pay(game, state, e, &look, &pays)))
                return error;
            if (pays) {
                rgs_round_pay(round, state_index, e, pays);
                grid_win += pays;
                won = 1;
            }
        }
        const uint64_t won_cells = removed | ignored;
        look.view = view;
        look.removed = NULL;
        look.wins = NULL;
        if (state->special_on && step == 1) {
            int64_t pays = 0;
            for (uint32_t i = 0; i < memory->specials_count; i++)
                if ((error = rgs_pay_special(game, state, memory->specials[i], &look, &pays)))
                    return error;
            if (pays)
                rgs_round_pay(round, state_index, RGS_PART_SPECIAL, pays);
            grid_win += pays;
        }
        play->steps = step;
        seen.won = grid_win > 0;
        if (!cascade->on) {
            if (state->grows)
                rgs_grow_values(state, won_cells, 0, grid, memory);
            break;
        }
        for (uint32_t t = 0; t < state->triggers_count; t++) {
            if (!(cascade->remove_triggers >> t & 1))
                continue;
            if ((error = rgs_pull(game, state_index, t, &seen, play, words, round, wins, log, &fired)))
                return error;
            if (fired)
                removed |= rgs_cells_with(game, state->triggers[t].stopped ? seen.stopped : view,
                                          state->triggers[t].symbols);
            won |= fired;
        }
        won_steps += won;
        if (cascade->keep && removed)
            for (uint32_t reel = 0; reel < game->reels; reel++)
                for (uint32_t row = 0; row < grid->heights[reel]; row++)
                    if (cascade->keep >> grid->symbols[reel * game->rows + row] & 1)
                        removed &= ~rgs_cell_bit(game, reel, row);
        removed &= ~grid->held;
        uint64_t becoming = 0;
        if (cascade->become_symbols) {
            becoming = removed & rgs_cells_with(game, view, cascade->become_symbols);
            removed &= ~becoming;
        }
        const uint64_t going = removed | becoming;
        charged = !going && cascade->charge_every && charges < counted / cascade->charge_every;
        const uint32_t over = (!going && !charged) || step == cascade->steps_max;
        if (state->grows)
            rgs_grow_values(state, won_cells, !over, grid, memory);
        if (over)
            break;
        if (charged) {
            charges++;
            if ((error = rgs_use_charge(game, state, grid, memory, words)))
                return error;
            continue;
        }
        if (cascade->charge_every)
            counted += rgs_charging(cascade, grid, removed);
        if (spots)
            rgs_mark_spots(spots, &memory->spots, removed);
        if (cascade->changes &&
            (error = rgs_change_cells(game, cascade, &play->step_wins, becoming, grid, &removed, words, log)))
            return error;
        if (state->moves_in_steps && (error = rgs_move_in_step(game, state, memory, grid, &removed, words)))
            return error;
        if ((error = rgs_cascade_grid(game, cascade, grid, removed, words)) ||
            (game->top && (error = rgs_slide_top(game, cascade, grid, removed, words))))
            return error;
    }
    if (state->remembers && cascade->persist)
        memory->won_steps = won_steps;
    play->spin_factor = spin_factor * levels;
    if (seen.stopped != &play->stopped)
        play->stopped = *view;

    if (state->final_symbols && grid_win > 0) {
        int64_t folded = 0;
        uint32_t count = 0;
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < grid->heights[reel]; row++) {
                const uint32_t cell = reel * game->rows + row;
                if (!(state->final_symbols >> grid->symbols[cell] & 1) || grid->values[cell] == 0)
                    continue;
                count++;
                folded = rgs_value_fold(state->final_combine, folded, grid->values[cell]);
            }
        if (state->final_persist) {
            if (folded)
                memory->final = state->final_combine == RGS_SUM ? memory->final + folded
                                                                : (memory->final ? memory->final : 1) * folded;
            folded = memory->final;
        }
        if (folded > 1) {
            const int64_t amount = grid_win * (folded - 1);
            rgs_round_pay(round, state_index, RGS_PART_FINAL, amount);
            grid_win += amount;
            if (log && (rgs_log_add(log, RGS_EVENT_CLOSING, 0, 0, 0, 0) ||
                        rgs_log_event(log, (rgs_event){RGS_EVENT_WIN, RGS_WIN_FINAL, 0, count << 16, 1, folded,
                                                       amount, 0})))
                return RGS_ERROR_MEMORY;
        }
    }
    play->spin_win = grid_win;
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        if ((cascade->on && cascade->remove_triggers >> t & 1) || state->triggers[t].at_end)
            continue;
        if ((error = rgs_pull(game, state_index, t, &seen, play, words, round, wins, log, &fired)))
            return error;
        memory->specials_more += fired & state->special_more >> t;
    }
    return RGS_OK;
}

/* A state whose grid is the windows of its stops. Sets play->view. Returns 0 or an RGS_ERROR. */
static inline int rgs_play_windows(const rgs_game *game, uint32_t state_index, rgs_words *words, rgs_play *play,
                                   rgs_round *round, rgs_log *wins, rgs_log *log)
{
    const rgs_state *state = &game->states[state_index];
    rgs_view *view = &play->view;
    const rgs_strip *strips;
    uint32_t fired;
    int error;
    if ((error = rgs_begin_spin(game, state, words, log, &strips, view->heights)))
        return error;
    view->values = NULL;
    view->shown = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        uint32_t stop;
        if ((error = rgs_draw_stop(words, &strips[reel], &stop)))
            return error;
        view->windows[reel] = strips[reel].symbols + stop;
        view->shown |= strips[reel].shows[stop];
        if ((error = rgs_log_add(log, RGS_EVENT_STOP, reel, stop, 0, 0)))
            return error;
    }
    rgs_seen seen = {view, view, 0, 0, wins ? wins->length : 0};
    const rgs_look look = {.view = view, .factor = 1, .log = wins};
    const int64_t before = round->win;
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        int64_t pays = 0;
        if (state->evaluators[e].at_end)
            continue;
        if ((error = rgs_pay(game, state, e, &look, &pays)))
            return error;
        if (pays) {
            rgs_round_pay(round, state_index, e, pays);
            seen.won = 1;
        }
    }
    play->spin_win = round->win - before;
    for (uint32_t t = 0; t < state->triggers_count; t++)
        if (!state->triggers[t].at_end &&
            (error = rgs_pull(game, state_index, t, &seen, play, words, round, wins, log, &fired)))
            return error;
    play->spin_factor = 1;
    play->steps = 1;
    if (state->ends)
        play->stopped = *view;
    return RGS_OK;
}

/* The features that the one which plays interrupts. Returns 0 or RGS_ERROR_MEMORY. */
RGS_APART int rgs_log_inside(const rgs_play *play, rgs_log *log)
{
    for (uint32_t at = 1; at < play->count; at++)
        if (play->queue[at].begun && rgs_log_add(log, RGS_EVENT_INSIDE, play->queue[at].state, 0, 0, 0))
            return RGS_ERROR_MEMORY;
    return RGS_OK;
}

/* One spin of a state; adds to `round`, awards through `play`. `further`: 0 for the first spin of a feature.
 *
 * Win triggers need to know the wins: without a log of the caller's they are kept in a log of this thread. */
static inline int rgs_play_spin(const rgs_game *game, uint32_t state_index, uint32_t further, rgs_words *words,
                                rgs_play *play, rgs_round *round, rgs_log *wins, rgs_log *log)
{
    const rgs_state *state = &game->states[state_index];
    int error;
    round->spins[state_index]++;
    if (wins && wins != log)
        wins->length = 0;
    rgs_memory *const memory = &play->memory;
    if (state->special_on && (error = rgs_draw_specials(state, memory, words)))
        return error;
    if (state->draws_once && (error = rgs_draw_for_feature(state, &play->memory, words)))
        return error;
    if ((error = rgs_log_add(log, RGS_EVENT_SPIN, state_index, words->sub_spin,
                             state->special_on ? memory->specials[0] + 1u : 0, play->queue[0].multiplier)))
        return error;
    if (log && (error = rgs_log_inside(play, log)))
        return error;
    for (uint32_t i = 1; log && state->special_on && i < memory->specials_count; i++)
        if (rgs_log_add(log, RGS_EVENT_SPECIAL, memory->specials[i], 0, 0, 0))
            return RGS_ERROR_MEMORY;
    return state->changes ? rgs_play_grid(game, state_index, further, words, play, round, wins, log)
                          : rgs_play_windows(game, state_index, words, play, round, wins, log);
}

#endif
