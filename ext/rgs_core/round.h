/* One round: the spins that its mode begins with and every spin they start. A pure function of
 * (build, mode, key, stream, nonce).
 *
 * The same function plays, simulates and replays. With a log it also writes what happened; without one it
 * only adds up. */

#ifndef RGS_ROUND_H
#define RGS_ROUND_H

#include "feature.h"

/* Evaluators and jackpots that look at the last grid of a feature. `words`: of its last spin. */
RGS_APART int rgs_end_feature(const rgs_game *game, uint32_t state_index, rgs_play *play, rgs_words *words,
                                  rgs_round *round, rgs_log *log)
{
    const rgs_state *state = &game->states[state_index];
    rgs_look look = {.view = &play->view, .factor = play->spin_factor, .log = log};
    if (rgs_log_add(log, RGS_EVENT_CLOSING, 0, 0, 0, 0))
        return RGS_ERROR_MEMORY;
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        int64_t pays = 0;
        if (!state->evaluators[e].at_end)
            continue;
        look.view = state->evaluators[e].stopped ? &play->stopped : &play->view;
        if (rgs_pay(game, state, e, &look, &pays))
            return RGS_ERROR_MEMORY;
        if (pays)
            rgs_round_pay(round, state_index, e, pays);
    }
    const rgs_seen seen = {&play->view, &play->stopped, 0, 0, 0};
    for (uint32_t t = 0; t < state->triggers_count; t++) {
        uint32_t fired;
        int error;
        if (state->triggers[t].at_end &&
            (error = rgs_pull(game, state_index, t, &seen, play, words, round, NULL, log, &fired)))
            return error;
    }
    return RGS_OK;
}

/* What a feature that ends has won less than it pays at least. Returns 0 or RGS_ERROR_MEMORY. */
RGS_APART int rgs_pay_minimum(uint32_t state_index, int64_t missing, rgs_round *round, rgs_log *log)
{
    if (missing <= 0)
        return RGS_OK;
    rgs_round_pay(round, state_index, RGS_PART_MINIMUM, missing);
    if (log && (rgs_log_add(log, RGS_EVENT_CLOSING, 0, 0, 0, 0) ||
                rgs_log_event(log, (rgs_event){RGS_EVENT_WIN, RGS_WIN_MINIMUM, 0, 0, 1, 1, missing, 0})))
        return RGS_ERROR_MEMORY;
    return RGS_OK;
}

/* Begins a feature: with nothing in its memory but the cells that it was handed. */
static inline void rgs_begin_feature(const rgs_game *game, rgs_play *play, rgs_entry *entry)
{
    if (!game->states[entry->state].remembers)
        return;
    if (entry->kept)
        play->memory = play->kept[entry->kept - 1];
    else
        rgs_memory_clear(&play->memory);
    entry->kept = 0;
}

enum { RGS_GAMBLE_SUB_SPIN = 1 << 23 };

/* What the player's bets make of the win of a round. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_play_gamble(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t nonce,
                              rgs_round *round, rgs_log *log)
{
    const rgs_gamble *gamble = &game->gamble;
    const uint32_t ladder = gamble->rungs_count > 0;
    const int64_t before = round->win;
    int64_t rung = -1, win = before, drawn;
    uint32_t step = 0;
    rgs_words words;
    while (ladder && rung + 1 < gamble->rungs_count && gamble->rungs[rung + 1] <= win)
        rung++;
    const int64_t kept = rung >= 0 ? win - gamble->rungs[rung] : win;
    for (; step < gamble->steps; step++) {
        const rgs_table *table = &gamble->tables[step];
        const int64_t risk = gamble->halves[step] ? win / 2 : win;
        if (ladder ? rung < 0 || rung + 1 == gamble->rungs_count
                   : risk == 0 || win > gamble->limit || win - risk + risk * table->values[table->length - 1] > gamble->limit)
            break;
        rgs_words_start(&words, key, stream, nonce, RGS_GAMBLE_SUB_SPIN + step);
        if (rgs_draw_table(&words, table, &drawn))
            return RGS_ERROR_WORDS;
        if (ladder) {
            rung += drawn;
            rung = rung < -1 ? -1 : rung < gamble->rungs_count ? rung : gamble->rungs_count - 1;
            win = kept + (rung >= 0 ? gamble->rungs[rung] : 0);
        } else {
            win += risk * (drawn - 1);
        }
        if (log && rgs_log_event(log, (rgs_event){RGS_EVENT_GAMBLE, step, 0, 0, 1, drawn, win, 0}))
            return RGS_ERROR_MEMORY;
    }
    if (step) {
        round->gambled += before;
        round->regained += win;
        round->win = win;
    }
    return RGS_OK;
}

/* A whole round. `block`: block 0 of sub-spin 0 where somebody has computed it, or NULL. `tape`: its first draws where
 * they are given, or NULL. `wins`: a log for games with win triggers when there is no `log`. Adds to the sums of `round`,
 * which the caller clears. Returns 0 or an RGS_ERROR; `round` is complete only when it is 0. */
static inline int rgs_play_round_with(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t nonce,
                                      const uint32_t *block, rgs_tape *tape, rgs_play *play, rgs_round *round,
                                      rgs_log *wins, rgs_log *log)
{
    rgs_words words;
    round->win = round->paid_spin_win = 0;
    round->capped = round->further = 0;
    play->queue[0] = (rgs_entry){.state = game->start, .left = game->start_spins, .first = game->start, .multiplier = 1};
    play->count = 1;
    play->granted = 0;
    play->counting = 0;
    int64_t over = 0; /* won by the features that are over */
    for (uint32_t sub_spin = 0; play->count > 0; sub_spin++) {
        rgs_entry *entry = &play->queue[0];
        const uint32_t state_index = entry->state, further = entry->begun;
        const rgs_state *state = &game->states[state_index];
        if (!further)
            rgs_begin_feature(game, play, entry);
        entry->begun = 1;
        entry->left--;
        play->left = entry->left;
        play->become = play->at_once = 0;
        if (block && sub_spin == 0)
            rgs_words_start_with(&words, key, stream, nonce, 0, block);
        else
            rgs_words_start(&words, key, stream, nonce, sub_spin);
        if (tape && sub_spin == 0)
            words.tape = tape;
        rgs_before before;
        if (entry->multiplier != 1)
            rgs_note_before(round, state_index, log, &before);
        int error = rgs_play_spin(game, state_index, further, &words, play, round, wins, log);
        if (error)
            return error;
        if (play->count > 1 && (error = rgs_carry(game, play)))
            return error;
        const uint32_t went_on = play->become && entry->left;
        if (went_on) {
            entry->state = play->become - 1;
            rgs_go_on(game, state_index, entry->state, &play->memory);
        }
        if (entry->left && game->states[entry->state].cells && rgs_feature_full(game, entry->state, went_on, play))
            entry->left = 0;
        if (entry->left == 0 && state->ends && (error = rgs_end_feature(game, state_index, play, &words, round, log)))
            return error;
        if (entry->multiplier != 1)
            rgs_multiply_wins(round, state_index, entry->multiplier, &before, log);
        if (entry->left == 0) {
            if (state->win_min && (error = rgs_pay_minimum(state_index, over + state->win_min - round->win, round, log)))
                return error;
            over = round->win;
        }
        if (sub_spin == 0)
            round->paid_spin_win = round->win;
        round->further += sub_spin >= game->start_spins;
        if (game->win_units_cap && round->win >= game->win_units_cap) {
            if (round->win > game->win_units_max)
                return RGS_ERROR_WIN;
            round->win = game->win_units_cap;
            round->capped = 1;
            return RGS_OK;
        }
        if (entry->left == 0) {
            play->count--;
            memmove(play->queue, play->queue + 1, play->count * sizeof *play->queue);
            if (play->queue[0].begun && play->count)
                rgs_resume(play, round, &over);
        } else if (play->at_once && (error = rgs_interrupt(game, play, round, &over))) {
            return error;
        }
    }
    if (round->win > game->win_units_max)
        return RGS_ERROR_WIN;
    return game->gamble.steps && round->win ? rgs_play_gamble(game, key, stream, nonce, round, log) : RGS_OK;
}

static inline int rgs_play_round(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t nonce,
                                 rgs_round *round, rgs_log *log)
{
    rgs_play play;
    rgs_log wins = {0};
    play.kept = NULL;
    rgs_round_clear(round, game->states_count);
    rgs_log *const remembered = log ? log : game->wins_award ? &wins : NULL;
    const int error = rgs_play_round_with(game, key, stream, nonce, NULL, NULL, &play, round, remembered, log);
    free(play.kept);
    free(wins.events);
    return error;
}

/* The win of a round of the stream whose paid spin begins with these draws: entries of tables, stops. Returns 0 or an
 * RGS_ERROR. */
static inline int rgs_play_given(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t nonce,
                                 const uint32_t *given, uint32_t count, int64_t *win)
{
    rgs_play play;
    rgs_round round;
    rgs_tape tape; /* of which nothing else is looked at */
    rgs_log wins = {0};
    play.kept = NULL;
    tape.given = given;
    tape.length = count;
    tape.depth = 0;
    rgs_round_clear(&round, game->states_count);
    const int error = rgs_play_round_with(game, key, stream, nonce, NULL, &tape, &play, &round,
                                          game->wins_award ? &wins : NULL, NULL);
    free(play.kept);
    free(wins.events);
    *win = round.win;
    return error;
}

#endif
