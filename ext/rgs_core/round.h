/* One round: the paid spin and every free spin it starts. A pure function of (build, key, stream, nonce).
 *
 * The same function plays, simulates and replays. With a log it also writes what happened, as a flat
 * list of events; without one it only adds up. Draw order within a sub-spin (docs/rng.md): one stop a
 * reel from the left, then the triggers in order; a pick bonus draws for each matching payline. */

#ifndef RGS_ROUND_H
#define RGS_ROUND_H

#include <stdlib.h>
#include "evaluate.h"
#include "words.h"

enum { RGS_OK = 0, RGS_ERROR_WORDS = -1, RGS_ERROR_MEMORY = -2, RGS_ERROR_WIN = -3 };
enum { RGS_PART_LINES = 0, RGS_PART_SCATTER = 1, RGS_PART_PICK = 2, RGS_PARTS = 3 };

/* Events of a log, in the order in which they happen:
 *   SPIN(state, sub_spin) STOP(reel, stop)* LINE(line, symbol, count, multiplier, amount)*
 *   SCATTER(evaluator, symbol, count, -, amount)* FREE_SPINS(trigger, count, awarded)*
 *   PICK(trigger, line, -, -, amount) PICKED(pick, -, -, -, prize)* */
enum {
    RGS_EVENT_SPIN, RGS_EVENT_STOP, RGS_EVENT_LINE, RGS_EVENT_SCATTER,
    RGS_EVENT_FREE_SPINS, RGS_EVENT_PICK, RGS_EVENT_PICKED,
};

typedef struct {
    uint32_t kind, a, b, c;
    int64_t multiplier, amount;
} rgs_event;

typedef struct {
    rgs_event *events;
    size_t length, capacity;
} rgs_log;

typedef struct {
    int64_t win;                                   /* the whole round */
    int64_t parts[RGS_STATES_MAX][RGS_PARTS];
    uint32_t spins[RGS_STATES_MAX];                /* spins played, by state */
    uint64_t fired[RGS_STATES_MAX][RGS_TRIGGERS_MAX];   /* spins in which a trigger fired */
    uint64_t awarded[RGS_STATES_MAX][RGS_TRIGGERS_MAX]; /* pick bonuses played */
    int64_t paid_spin_win;
} rgs_round;

/* Appends an event. Returns 0 (also without a log), or RGS_ERROR_MEMORY. */
static inline int rgs_log_add(rgs_log *log, uint32_t kind, uint32_t a, uint32_t b, uint32_t c,
                              int64_t multiplier, int64_t amount)
{
    if (!log)
        return RGS_OK;
    if (log->length == log->capacity) {
        const size_t capacity = log->capacity ? 2 * log->capacity : 16;
        rgs_event *events = realloc(log->events, capacity * sizeof *events);
        if (!events)
            return RGS_ERROR_MEMORY;
        log->events = events;
        log->capacity = capacity;
    }
    log->events[log->length++] = (rgs_event){kind, a, b, c, multiplier, amount};
    return RGS_OK;
}

/* Index of the entry that a drawn number falls into: the first whose running sum exceeds it. */
static inline uint32_t rgs_cumulative_index(const uint32_t *cumulative, uint32_t length, uint32_t drawn)
{
    uint32_t low = 0, high = length - 1;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (drawn < cumulative[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static inline int rgs_draw_stop(rgs_words *words, const rgs_strip *strip, uint32_t *stop)
{
    if (rgs_words_below(words, strip->total, stop))
        return RGS_ERROR_WORDS;
    if (strip->cumulative)
        *stop = rgs_cumulative_index(strip->cumulative, strip->length, *stop);
    return RGS_OK;
}

static inline int rgs_draw_table(rgs_words *words, const rgs_table *table, int64_t *value)
{
    uint32_t drawn;
    if (rgs_words_below(words, table->total, &drawn))
        return RGS_ERROR_WORDS;
    *value = table->values[rgs_cumulative_index(table->cumulative, table->length, drawn)];
    return RGS_OK;
}

/* One pick bonus: how many places, then for each place how many prizes, then the prizes. */
static inline int rgs_play_pick(const rgs_trigger *trigger, uint32_t trigger_index, uint32_t line,
                                rgs_words *words, rgs_log *log, int64_t *amount)
{
    int64_t picks, prizes, prize, sum = 0;
    const size_t head = log ? log->length : 0;
    if (rgs_log_add(log, RGS_EVENT_PICK, trigger_index, line, 0, 1, 0))
        return RGS_ERROR_MEMORY;
    if (rgs_draw_table(words, &trigger->picks, &picks))
        return RGS_ERROR_WORDS;
    for (int64_t pick = 0; pick < picks; pick++) {
        if (rgs_draw_table(words, &trigger->prizes_per_pick, &prizes))
            return RGS_ERROR_WORDS;
        for (int64_t i = 0; i < prizes; i++) {
            if (rgs_draw_table(words, &trigger->prizes, &prize))
                return RGS_ERROR_WORDS;
            sum += prize;
            if (rgs_log_add(log, RGS_EVENT_PICKED, (uint32_t)pick, 0, 0, 1, prize))
                return RGS_ERROR_MEMORY;
        }
    }
    if (log)
        log->events[head].amount = sum;
    *amount = sum;
    return RGS_OK;
}

/* How often a symbol is in view. The cells of reel r are cells[r][0..rows-1]. */
static inline uint32_t rgs_count_symbol(const rgs_game *game, const uint8_t *const *windows, uint32_t symbol)
{
    uint32_t count = 0;
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < game->rows; row++)
            count += windows[reel][row] == symbol;
    return count;
}

/* All paylines of a spin. Adds their wins to *amount. Returns 0 or RGS_ERROR_MEMORY. */
static inline int rgs_pay_lines(const rgs_game *game, const rgs_state *state, const int64_t *pays,
                                const uint8_t *const *windows, rgs_log *log, int64_t *amount)
{
    if (state->count_min > game->reels)
        return RGS_OK;
    /* Most lines end before their run is long enough to pay: they are told by the readings alone. */
    uint64_t readings[RGS_REELS_MAX][RGS_ROWS_MAX];
    for (uint32_t reel = 0; reel < state->count_min; reel++)
        for (uint32_t row = 0; row < game->rows; row++)
            readings[reel][row] = state->readings[windows[reel][row]];
    for (uint32_t line = 0; line < state->paylines_count; line++) {
        const uint8_t *rows = state->paylines + (size_t)line * game->reels;
        uint64_t alive = readings[0][rows[0]];
        for (uint32_t reel = 1; reel < state->count_min && alive; reel++)
            alive &= readings[reel][rows[reel]];
        if (!alive)
            continue;
        uint8_t cells[RGS_REELS_MAX];
        for (uint32_t reel = 0; reel < game->reels; reel++)
            cells[reel] = windows[reel][rows[reel]];
        const rgs_line_win win = rgs_line(game, state, pays, cells, game->reels);
        if (win.amount == 0)
            continue;
        *amount += win.amount;
        const int error =
            rgs_log_add(log, RGS_EVENT_LINE, line, win.symbol, win.count, win.multiplier, win.amount);
        if (error)
            return error;
    }
    return RGS_OK;
}

/* What the window of a spin wins and starts; adds to `round`, sets *awarded to the spins it awards
 * before any cap. `words` has drawn the stops. Returns 0 or an RGS_ERROR. */
static inline int rgs_pay_spin(const rgs_game *game, uint32_t state_index, const uint8_t *const *windows,
                               rgs_words *words, rgs_round *round, rgs_log *log, uint32_t *awarded)
{
    const rgs_state *state = &game->states[state_index];
    int error;
    *awarded = 0;
    for (uint32_t e = 0; e < state->evaluators_count; e++) {
        const rgs_evaluator *evaluator = &state->evaluators[e];
        if (evaluator->kind == RGS_LINES) {
            error = rgs_pay_lines(game, state, evaluator->pays, windows, log,
                                  &round->parts[state_index][RGS_PART_LINES]);
            if (error)
                return error;
            continue;
        }
        const uint32_t count = rgs_count_symbol(game, windows, evaluator->symbol);
        const int64_t amount = evaluator->pays[count];
        if (amount == 0)
            continue;
        round->parts[state_index][RGS_PART_SCATTER] += amount;
        if ((error = rgs_log_add(log, RGS_EVENT_SCATTER, e, evaluator->symbol, count, 1, amount)))
            return error;
    }

    for (uint32_t t = 0; t < state->triggers_count; t++) {
        const rgs_trigger *trigger = &state->triggers[t];
        if (trigger->kind == RGS_FREE_SPINS) {
            const uint32_t count = rgs_count_symbol(game, windows, trigger->symbol);
            const uint32_t spins = trigger->spins[count];
            if (spins == 0)
                continue;
            round->fired[state_index][t]++;
            *awarded += spins;
            if ((error = rgs_log_add(log, RGS_EVENT_FREE_SPINS, t, count, spins, 1, 0)))
                return error;
            continue;
        }
        uint32_t matches = 0;
        for (uint32_t line = 0; line < state->paylines_count; line++) {
            const uint8_t *rows = state->paylines + (size_t)line * game->reels;
            uint8_t cells[RGS_REELS_MAX];
            for (uint32_t reel = 0; reel < trigger->pattern_length; reel++)
                cells[reel] = windows[reel][rows[reel]];
            if (!rgs_pattern_matches(trigger, cells))
                continue;
            int64_t amount;
            if ((error = rgs_play_pick(trigger, t, line, words, log, &amount)))
                return error;
            matches++;
            round->parts[state_index][RGS_PART_PICK] += amount;
        }
        round->fired[state_index][t] += matches > 0;
        round->awarded[state_index][t] += matches;
    }
    return RGS_OK;
}

/* One spin of a state; adds to `round` and sets *awarded to the spins it awards before any cap. */
static inline int rgs_play_spin(const rgs_game *game, uint32_t state_index, rgs_words *words, rgs_round *round,
                                rgs_log *log, uint32_t *awarded)
{
    const rgs_state *state = &game->states[state_index];
    const uint8_t *windows[RGS_REELS_MAX];
    int error = rgs_log_add(log, RGS_EVENT_SPIN, state_index, words->sub_spin, 0, 1, 0);
    if (error)
        return error;
    round->spins[state_index]++;
    for (uint32_t reel = 0; reel < game->reels; reel++) {
        uint32_t stop;
        if ((error = rgs_draw_stop(words, &state->strips[reel], &stop)))
            return error;
        windows[reel] = state->strips[reel].symbols + stop;
        if ((error = rgs_log_add(log, RGS_EVENT_STOP, reel, stop, 0, 1, 0)))
            return error;
    }
    return rgs_pay_spin(game, state_index, windows, words, round, log, awarded);
}

/* Units won so far in all states and parts. */
static inline int64_t rgs_round_total(const rgs_round *round)
{
    int64_t sum = 0;
    for (uint32_t state = 0; state < RGS_STATES_MAX; state++)
        for (uint32_t part = 0; part < RGS_PARTS; part++)
            sum += round->parts[state][part];
    return sum;
}

/* A whole round. Returns 0 or an RGS_ERROR; `round` is complete only when it returns 0. */
static inline int rgs_play_round(const rgs_game *game, const uint32_t key[8], uint32_t stream, uint64_t nonce,
                                 rgs_round *round, rgs_log *log)
{
    rgs_words words;
    uint32_t pending, granted = 0;
    *round = (rgs_round){0};
    rgs_words_start(&words, key, stream, nonce, 0);
    int error = rgs_play_spin(game, 0, &words, round, log, &pending);
    if (error)
        return error;
    round->paid_spin_win = rgs_round_total(round);
    if (pending > game->free_spins_max)
        pending = game->free_spins_max;
    granted = pending;
    for (uint32_t sub_spin = 1; pending > 0; sub_spin++, pending--) {
        uint32_t more;
        rgs_words_start(&words, key, stream, nonce, sub_spin);
        if ((error = rgs_play_spin(game, 1, &words, round, log, &more)))
            return error;
        if (more > game->free_spins_max - granted)
            more = game->free_spins_max - granted;
        granted += more;
        pending += more;
    }
    round->win = rgs_round_total(round);
    return round->win > game->win_units_max ? RGS_ERROR_WIN : RGS_OK;
}

#endif
