/* One spin of a state: draws, grid, pays, awards.
 *
 * A state whose grid is just the windows of its stops is played without copying a symbol; any other is laid
 * out in a grid that transforms and cascades change. Draw order: docs/rng.md. */

#ifndef RGS_SPIN_H
#define RGS_SPIN_H

#include "acts.h"
#include "charges.h"
#include "conditions.h"
#include "full_reels.h"
#include "linked.h"
#include "moves.h"
#include "top.h"

enum { RGS_PART_TRIGGERS = RGS_EVALUATORS_MAX, RGS_PART_SPECIAL = RGS_PART_TRIGGERS + RGS_TRIGGERS_MAX,
       RGS_PART_FINAL, RGS_PART_MINIMUM, RGS_PARTS };

/* What one round won; and sums that go on from round to round until somebody clears them. */
typedef struct {
    int64_t win;                                        /* the whole round */
    int64_t paid_spin_win;
    uint32_t capped;                                    /* 1: the maximum win ended it */
    uint32_t further;                                   /* spins beyond those of the mode */
    uint32_t spins[RGS_STATES_MAX];                     /* spins played, by state */
    int64_t parts[RGS_STATES_MAX][RGS_PARTS];           /* evaluators, triggers with a bonus, special, final, minimum */
    uint64_t fired[RGS_STATES_MAX][RGS_TRIGGERS_MAX];   /* spins in which a trigger fired */
    uint64_t awarded[RGS_STATES_MAX][RGS_TRIGGERS_MAX]; /* bonuses played */
    int64_t gambled, regained;                              /* wins that were gambled, before and after */
} rgs_round;

/* Zeroes what a game with so many states uses. */
static inline void rgs_round_clear(rgs_round *round, uint32_t states)
{
    round->win = round->paid_spin_win = 0;
    round->capped = round->further = 0;
    round->gambled = round->regained = 0;
    for (uint32_t s = 0; s < states; s++) { /* of constant sizes: a few stores each */
        round->spins[s] = 0;
        memset(round->parts[s], 0, sizeof round->parts[s]);
        memset(round->fired[s], 0, sizeof round->fired[s]);
        memset(round->awarded[s], 0, sizeof round->awarded[s]);
    }
}

static inline void rgs_round_pay(rgs_round *round, uint32_t state, uint32_t part, int64_t amount)
{
    round->parts[state][part] += amount;
    round->win += amount;
}

/* Spins of a state that a round still has to play, in the order of the queue. */
typedef struct {
    uint32_t state, left, begun, carry;
    int64_t multiplier;                    /* of all that they win */
} rgs_entry;

/* What an award says beside the number of spins. With `reset` the spins left become at least that number. `carry`:
 * symbols whose cells stay in the awarded feature, where it is a new one. `multiplier`: of the feature, 0: that of the
 * one that plays if it is of the same state, else 1; `trigger`: under whose number it is counted where it has one.
 * `become`: the spins lengthen the feature that plays, which goes on as the state. */
typedef struct {
    uint32_t state, reset, trigger, become;
    uint64_t carry;
    int64_t multiplier;
} rgs_terms;

enum { RGS_QUEUE_MAX = RGS_STATES_MAX + RGS_MULTIPLIED_MAX + 1, RGS_AWARDS_MAX = RGS_STATES_MAX + RGS_TRIGGERS_MAX };

typedef struct {
    uint64_t held;
    uint32_t reels;                        /* bits of those whose cells are taken */
    uint8_t symbols[RGS_CELLS_MAX];
    int32_t values[RGS_CELLS_MAX];
} rgs_carried;

/* What is at work while a round is played. */
typedef struct {
    rgs_entry queue[RGS_QUEUE_MAX];
    uint32_t count, granted;
    uint32_t become;                       /* state + 1 as which the feature goes on after the spin, 0: as it is */
    uint32_t left;                         /* spins left behind the last one, without those that it awards */
    uint32_t counting;                     /* 1: awards are counted in `awards`, bonuses are not drawn */
    uint32_t awards[RGS_AWARDS_MAX];       /* by state; behind these by trigger, where that gives a multiplier */
    uint32_t plays[RGS_TRIGGERS_MAX];      /* bonuses that would have been played */
    uint32_t steps;                        /* of the last spin's cascade */
    rgs_grid grid;                         /* of the last spin, where the state changes it */
    rgs_grid stopped_grid;                 /* as its reels stopped, where something looks at that */
    rgs_view view, stopped;                /* the last grid; as the reels stopped */
    int64_t spin_factor;                   /* of the last spin's transforms and levels */
    int64_t spin_win;                      /* units of the spin that bonuses of the win multiply */
    rgs_memory memory;                     /* of the feature at the front of the queue */
    rgs_strip linked[RGS_REELS_MAX + 1];   /* strips of the last spin, where reels were linked */
    rgs_carried carried[RGS_STATES_MAX];   /* cells that a waiting feature begins with */
} rgs_play;

/* Awards spins, up to the cap of the model. */
static inline void rgs_award(const rgs_game *game, rgs_play *play, const rgs_terms *terms, uint32_t n)
{
    const uint32_t state = terms->state;
    const uint64_t carry = terms->carry;
    if (terms->become)
        play->become = state + 1;
    if (play->counting) {
        play->awards[terms->multiplier ? RGS_STATES_MAX + terms->trigger : terms->become ? play->queue[0].state : state] += n;
        return;
    }
    uint32_t at = 0;
    int64_t multiplier = terms->multiplier;
    if (!multiplier)
        multiplier = play->queue[0].state == state ? play->queue[0].multiplier : 1;
    while (!terms->become && at < play->count && (play->queue[at].state != state || play->queue[at].multiplier != multiplier))
        at++;
    const uint32_t left = at < play->count ? play->queue[at].left : 0;
    if (terms->reset)
        n = n > left ? n - left : 0;
    if (n > game->free_spins_max - play->granted)
        n = game->free_spins_max - play->granted;
    if (n == 0)
        return;
    play->granted += n;
    if (at == play->count) {
        play->queue[play->count++] = (rgs_entry){state, 0, 0, carry != 0, multiplier};
        if (carry) { /* cells are taken at the end of the spin; until then the symbols are remembered */
            play->carried[state].held = carry;
            play->carried[state].reels = ~0u;
            play->queue[at].carry = 2;
        }
    }
    play->queue[at].left += n;
}

/* Takes the cells that new features begin with from the last grid. */
static inline void rgs_carry(const rgs_game *game, rgs_play *play)
{
    for (uint32_t at = 0; at < play->count; at++) {
        if (play->queue[at].carry != 2)
            continue;
        rgs_carried *carried = &play->carried[play->queue[at].state];
        const uint64_t symbols = carried->held;
        carried->held = 0;
        for (uint32_t reel = 0; reel < game->reels; reel++)
            for (uint32_t row = 0; row < play->view.heights[reel]; row++) {
                const uint32_t cell = reel * game->rows + row;
                const uint8_t symbol = play->view.windows[reel][row];
                if (!(symbols >> symbol & 1) || !(carried->reels >> reel & 1))
                    continue;
                carried->held |= (uint64_t)1 << cell;
                carried->symbols[cell] = symbol;
                carried->values[cell] = play->view.values ? play->view.values[cell] : 0;
            }
        play->queue[at].carry = 1;
    }
}

/* --- Bonuses --------------------------------------------------------------------------------------- */

/* One pick bonus: how many places, then for each place how many prizes, then the prizes. */
static inline int rgs_play_pick(const rgs_bonus *bonus, uint32_t trigger_index, uint32_t line, int64_t factor,
                                rgs_words *words, rgs_log *log, int64_t *amount)
{
    int64_t picks, prizes, prize, sum = 0;
    const size_t head = log ? log->length : 0;
    if (rgs_log_add(log, RGS_EVENT_PICK, trigger_index, line, 0, 0))
        return RGS_ERROR_MEMORY;
    if (rgs_draw_table(words, &bonus->picks, &picks))
        return RGS_ERROR_WORDS;
    for (int64_t pick = 0; pick < picks; pick++) {
        if (rgs_draw_table(words, &bonus->prizes_per_pick, &prizes))
            return RGS_ERROR_WORDS;
        for (int64_t i = 0; i < prizes; i++) {
            if (rgs_draw_table(words, &bonus->prizes, &prize))
                return RGS_ERROR_WORDS;
            sum += prize * factor;
            if (rgs_log_add(log, RGS_EVENT_PICKED, (uint32_t)pick, 0, 0, prize * factor))
                return RGS_ERROR_MEMORY;
        }
    }
    if (log)
        log->events[head].amount = sum;
    *amount = sum;
    return RGS_OK;
}

/* What a multiplier that a bonus has drawn adds to what the spin has won; 0 leaves it as it is. */
static inline int64_t rgs_multiply_win(rgs_play *play, int64_t multiplier)
{
    const int64_t more = multiplier > 1 ? play->spin_win * (multiplier - 1) : 0;
    play->spin_win += more;
    return more;
}

/* 1 when a bonus ends, or loses a life, on that square or prize, numbered from 1. */
static inline uint32_t rgs_bonus_ends(const rgs_bonus *bonus, uint32_t number)
{
    return (uint32_t)(bonus->ends[number / 64] >> number % 64 & 1);
}

/* The multiplier that a segment of a wheel gives to the feature it awards, 0 without one. Returns 0 or RGS_ERROR_WORDS. */
static inline int rgs_segment_multiplier(const rgs_bonus *bonus, uint32_t segment, rgs_words *words, int64_t *multiplier)
{
    if (!bonus->segment_multipliers)
        return RGS_OK;
    const uint32_t first = bonus->segment_multipliers[2 * segment], entries = bonus->segment_multipliers[2 * segment + 1];
    const rgs_table table = {entries, entries ? bonus->multiplier_cumulative[first + entries - 1] : 0, entries == 1,
                             bonus->multiplier_values + first, bonus->multiplier_cumulative + first};
    return rgs_draw_multiplier(words, &table, 0, multiplier);
}

/* One bonus of any kind, with those that it leads to. Adds what it pays to *amount. */
RGS_APART int rgs_play_bonus(const rgs_game *game, rgs_play *play, const rgs_trigger *trigger,
                                 uint32_t trigger_index, uint32_t line, rgs_words *words, rgs_log *log, int64_t *amount)
{
    uint32_t next = trigger->bonus;
    while (next != RGS_ANY_SYMBOL) {
        const uint32_t index = next;
        const rgs_bonus *bonus = &game->bonuses[index];
        int64_t sum = 0;
        next = RGS_ANY_SYMBOL;
        if (bonus->kind == RGS_BONUS_PICK) {
            const size_t pick = log ? log->length : 0;
            const int64_t factor = bonus->of_win ? 1 : trigger->factor;
            const int error = rgs_play_pick(bonus, trigger_index, line, factor, words, log, &sum);
            if (error)
                return error;
            if (bonus->of_win) {
                sum = rgs_multiply_win(play, sum);
                if (log)
                    log->events[pick].amount = sum;
            }
            *amount += sum;
            continue;
        }
        const size_t head = log ? log->length : 0;
        if (rgs_log_add(log, RGS_EVENT_BONUS, trigger_index, line, index, 0))
            return RGS_ERROR_MEMORY;
        uint32_t spins = 0, state = 0, won = 0; /* segment + 1 of a jackpot */
        int64_t multiplier = 0;
        if (bonus->kind == RGS_BONUS_TAKE) {
            uint8_t left[64];
            uint32_t count = bonus->prizes.length, equal = 1, lives = bonus->lives;
            int64_t first = 0;
            for (uint32_t i = 0; i < count; i++)
                left[i] = (uint8_t)i;
            for (uint32_t taken = 0; taken < bonus->take && lives; taken++) {
                uint32_t chosen;
                if (rgs_draw_below(words, count, &chosen))
                    return RGS_ERROR_WORDS;
                const int64_t prize = bonus->prizes.values[left[chosen]];
                if (rgs_log_add(log, RGS_EVENT_DRAWN, left[chosen], 0, 0, 0))
                    return RGS_ERROR_MEMORY;
                if (taken == 0)
                    first = prize;
                equal &= prize == first;
                sum += prize;
                lives -= rgs_bonus_ends(bonus, left[chosen] + 1u);
                count--;
                memmove(left + chosen, left + chosen + 1, count - chosen);
            }
            if (equal)
                sum *= bonus->equal_multiplier;
        } else if (bonus->kind == RGS_BONUS_WHEEL) {
            uint32_t segment;
            if (rgs_draw_entry(words, &bonus->prizes, &segment))
                return RGS_ERROR_WORDS;
            if (rgs_log_add(log, RGS_EVENT_DRAWN, segment, 0, 0, 0))
                return RGS_ERROR_MEMORY;
            sum = bonus->prizes.values[segment];
            spins = bonus->segment_spins[segment];
            state = bonus->segment_states[segment];
            next = bonus->segment_bonuses[segment];
            if (bonus->segment_jackpots && bonus->segment_jackpots[segment])
                won = segment + 1;
            const uint32_t become = bonus->segment_become && bonus->segment_become[segment];
            if (spins || become) {
                if (rgs_segment_multiplier(bonus, segment, words, &multiplier))
                    return RGS_ERROR_WORDS;
                rgs_award(game, play, &(rgs_terms){.state = state, .multiplier = multiplier, .become = become}, spins);
            }
        } else {
            int64_t position = 0, roll;
            for (uint32_t rolls = 0; rolls < bonus->rolls_max; rolls++) {
                if (rgs_draw_table(words, &bonus->picks, &roll))
                    return RGS_ERROR_WORDS;
                position += roll;
                const uint32_t beyond = position > bonus->squares;
                if (beyond)
                    position = bonus->squares + 1;
                if (rgs_log_add(log, RGS_EVENT_DRAWN, (uint32_t)position, 0, 0, 0))
                    return RGS_ERROR_MEMORY;
                sum = (bonus->pays_last ? 0 : sum) + (beyond ? bonus->finish : bonus->square_pays[position - 1]);
                if (beyond || rgs_bonus_ends(bonus, (uint32_t)position))
                    break;
            }
        }
        sum = bonus->of_win ? rgs_multiply_win(play, sum) : sum * trigger->factor;
        if (log) {
            log->events[head].amount = sum;
            log->events[head].cells = spins | (uint64_t)state << 32;
            log->events[head].factor = multiplier;
        }
        *amount += sum;
        if (won && rgs_log_add(log, RGS_EVENT_JACKPOT, trigger_index, index + 1, won - 1, 0))
            return RGS_ERROR_MEMORY;
    }
    return RGS_OK;
}

/* --- Triggers -------------------------------------------------------------------------------------- */

/* What of a spin's history its triggers look at. */
typedef struct {
    const rgs_view *view, *stopped;  /* the last grid; the grid as the reels stopped */
    uint64_t old;                    /* cells that were held before the spin */
    uint32_t won;                    /* 1: the spin has won something by now */
    size_t events;                   /* where the spin's events begin in the log of wins */
} rgs_seen;

static inline uint32_t rgs_count_fresh(const rgs_game *game, const rgs_view *view, uint64_t symbols, uint64_t old)
{
    uint32_t count = 0;
    if (game->doubles)
        return rgs_count_doubles(game, view, symbols, old);
    for (uint32_t reel = 0; reel < game->reels; reel++)
        for (uint32_t row = 0; row < view->heights[reel]; row++)
            count += (symbols >> view->windows[reel][row] & 1) && !(old >> (reel * game->rows + row) & 1);
    return count;
}

/* What a trigger counts in view. */
static inline uint32_t rgs_trigger_count(const rgs_game *game, const rgs_trigger *trigger, const rgs_view *view,
                                         uint64_t old)
{
    if (trigger->by_reels)
        return rgs_count_reels(game, trigger, view, old);
    return trigger->fresh ? rgs_count_fresh(game, view, trigger->symbols, old)
                          : rgs_count_symbols(game, view, trigger->symbols);
}

/* Notes that a trigger fired. */
static inline void rgs_fire(rgs_round *round, uint32_t state_index, uint32_t t)
{
    round->fired[state_index][t]++;
}

/* One trigger after a step or spin. *fired gets 1 when it awarded anything. Returns 0 or an RGS_ERROR. */
RGS_APART int rgs_pull(const rgs_game *game, uint32_t state_index, uint32_t t, const rgs_seen *seen, rgs_play *play,
                           rgs_words *words, rgs_round *round, rgs_log *wins, rgs_log *log, uint32_t *fired)
{
    const rgs_state *state = &game->states[state_index];
    const rgs_trigger *trigger = &state->triggers[t];
    const rgs_view *view = trigger->stopped ? seen->stopped : seen->view;
    uint32_t played = 0, fires = 1;
    int64_t amount = 0;
    int error;
    rgs_terms terms = {.state = trigger->state, .trigger = t, .become = trigger->become};
    *fired = 0;
    switch (trigger->kind) {
    case RGS_FREE_SPINS: {
        const uint32_t count = rgs_trigger_count(game, trigger, view, seen->old);
        const uint32_t spins = trigger->spins[count];
        if (spins == 0 && !(trigger->become && count >= trigger->least))
            return RGS_OK;
        if (trigger->conditional &&
            ((error = rgs_fires(trigger, t, seen->won, &play->memory, words, &fires)) || !fires))
            return error;
        *fired = 1;
        rgs_fire(round, state_index, t);
        if (rgs_draw_multiplier(words, &trigger->multiplier, play->counting, &terms.multiplier))
            return RGS_ERROR_WORDS;
        terms.reset = trigger->reset;
        terms.carry = trigger->carry;
        rgs_award(game, play, &terms, spins);
        return log ? rgs_log_event(log, (rgs_event){RGS_EVENT_FREE_SPINS, t, count, spins, terms.state, terms.multiplier, 0,
                                                    trigger->symbol})
                   : RGS_OK;
    }
    case RGS_WIN_SPINS:
        for (size_t i = seen->events; i < wins->length; i++) {
            const rgs_event *win = &wins->events[i];
            if (win->kind != RGS_EVENT_WIN || win->a != trigger->evaluator)
                continue;
            const uint32_t entry = win->c & 0xffff, count = win->c >> 16 & 255;
            const uint32_t spins = trigger->spins[entry * trigger->counts + count];
            if (spins == 0)
                continue;
            if (!*fired && rgs_draw_multiplier(words, &trigger->multiplier, play->counting, &terms.multiplier))
                return RGS_ERROR_WORDS;
            *fired = 1;
            rgs_award(game, play, &terms, spins);
            if (log) {
                error = rgs_log_event(log, (rgs_event){RGS_EVENT_FREE_SPINS, t, count, spins, terms.state, terms.multiplier,
                                                       0, entry});
                if (error)
                    return error;
            }
        }
        if (*fired)
            rgs_fire(round, state_index, t);
        return RGS_OK;
    case RGS_FULL_REELS: {
        uint32_t symbol, reels;
        const uint32_t count = rgs_full_reels(game, view, &symbol, &reels), spins = trigger->spins[count];
        const uint32_t waiting = play->count;
        if (count == 0 || spins == 0)
            return RGS_OK;
        *fired = 1;
        rgs_fire(round, state_index, t);
        terms.carry = ~(uint64_t)0;
        rgs_award(game, play, &terms, spins);
        if (play->count > waiting)
            play->carried[trigger->state].reels = reels;
        return log ? rgs_log_event(log, (rgs_event){RGS_EVENT_FREE_SPINS, t, count, spins, terms.state, terms.multiplier, 0,
                                                    symbol})
                   : RGS_OK;
    }
    case RGS_COLLECTED: {
        rgs_memory *memory = &play->memory;
        const uint32_t before = rgs_level(trigger, memory);
        memory->collected[trigger->slot] += rgs_count_symbols(game, view, trigger->symbols);
        for (uint32_t level = before; level < rgs_level(trigger, memory); level++) {
            const uint32_t spins = trigger->level_spins[level];
            *fired = 1;
            memory->waiting[trigger->slot][level] = play->left;
            terms.become = trigger->level_states[level] != RGS_ANY_SYMBOL;
            terms.state = terms.become ? trigger->level_states[level] : trigger->state;
            if (spins == 0 && !terms.become)
                continue;
            if (!terms.multiplier &&
                rgs_draw_multiplier(words, &trigger->multiplier, play->counting, &terms.multiplier))
                return RGS_ERROR_WORDS;
            rgs_award(game, play, &terms, spins);
            if (log) {
                error = rgs_log_event(log, (rgs_event){RGS_EVENT_FREE_SPINS, t, level + 1, spins, terms.state,
                                                       terms.multiplier, 0, trigger->symbol});
                if (error)
                    return error;
            }
        }
        if (*fired)
            rgs_fire(round, state_index, t);
        return RGS_OK;
    }
    case RGS_PICK:
        for (uint32_t line = 0; line < state->paylines_count; line++) {
            const uint8_t *rows = state->paylines + (size_t)line * game->reels;
            uint8_t cells[RGS_REELS_MAX];
            for (uint32_t reel = 0; reel < trigger->pattern_length; reel++)
                cells[reel] = view->windows[reel][rows[reel]];
            if (__builtin_expect(game->doubles, 0))
                for (uint32_t reel = 0; reel < trigger->pattern_length; reel++)
                    cells[reel] = game->read[cells[reel]];
            if (!rgs_pattern_matches(trigger, cells))
                continue;
            played++;
            if (!play->counting &&
                (error = rgs_play_bonus(game, play, trigger, t, line + 1, words, log, &amount)))
                return error;
        }
        break;
    case RGS_BONUS: {
        const uint32_t times = trigger->spins[rgs_trigger_count(game, trigger, view, seen->old)];
        if (times && trigger->conditional &&
            ((error = rgs_fires(trigger, t, seen->won, &play->memory, words, &fires)) || !fires))
            return error;
        for (; played < times; played++)
            if (!play->counting && (error = rgs_play_bonus(game, play, trigger, t, 0, words, log, &amount)))
                return error;
        break;
    }
    default: {
        uint32_t drawn;
        if (play->counting)
            return RGS_OK;
        if (trigger->counts && rgs_trigger_count(game, trigger, view, seen->old) < trigger->counts)
            return RGS_OK;
        if (rgs_draw_below(words, trigger->out_of, &drawn))
            return RGS_ERROR_WORDS;
        if (drawn >= trigger->chance)
            return RGS_OK;
        *fired = 1;
        rgs_fire(round, state_index, t);
        return rgs_log_add(log, RGS_EVENT_JACKPOT, t, 0, 0, 0);
    }
    }
    *fired = played > 0;
    if (played)
        rgs_fire(round, state_index, t);
    round->awarded[state_index][t] += played;
    play->plays[t] += played;
    if (amount)
        rgs_round_pay(round, state_index, RGS_PART_TRIGGERS + t, amount);
    return RGS_OK;
}

/* --- The spin --------------------------------------------------------------------------------------- */

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
            uint32_t level = trigger->from_batch ? memory->multiplying[trigger->slot] : rgs_level(trigger, memory);
            level = level < trigger->levels ? level : trigger->levels;
            if (level)
                factor *= trigger->level_multipliers[level - 1];
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
    if (state->remembers && memory->held) {
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
            if (kind == RGS_ACT) {
                if ((error = rgs_act(game, state, i, old, grid, words, log)))
                    return error;
                continue;
            }
            if ((error = rgs_transform_grid(game, &state->transforms[i], i, grid, memory, words, &spin_factor)))
                return error;
        }
        if (log) {
            if (step == 1 && state->transforms_count && (error = rgs_log_nudges(game, play, log)))
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
        rgs_look look = {view, ladder * spin_factor * levels, RGS_ANY_SYMBOL, wins, NULL, spots, &memory->spots};
        if (state->special_on && !state->special_own_lines)
            look.skip = memory->special;
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
        if (state->special_on && step == 1) {
            int64_t pays = 0;
            if ((error = rgs_pay_special(game, state, memory->special, &look, &pays)))
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
        charged = !removed && cascade->charge_every && charges < counted / cascade->charge_every;
        const uint32_t over = (!removed && !charged) || step == cascade->steps_max;
        if (state->grows)
            rgs_grow_values(state, won_cells, !over, grid, memory);
        if (over)
            break;
        if (charged) {
            charges++;
            if ((error = rgs_use_charge(game, cascade, grid, memory, words)))
                return error;
            continue;
        }
        if (cascade->charge_every)
            counted += rgs_charging(cascade, grid, removed);
        if (spots)
            rgs_mark_spots(spots, &memory->spots, removed);
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
    for (uint32_t t = 0; t < state->triggers_count; t++)
        if (!(cascade->on && cascade->remove_triggers >> t & 1) && !state->triggers[t].at_end &&
            (error = rgs_pull(game, state_index, t, &seen, play, words, round, wins, log, &fired)))
            return error;
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
    const rgs_look look = {view, 1, RGS_ANY_SYMBOL, wins, NULL, NULL, NULL};
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
    if (state->special_on && play->memory.special == RGS_ANY_SYMBOL) {
        int64_t drawn;
        if (rgs_draw_table(words, &state->special, &drawn))
            return RGS_ERROR_WORDS;
        play->memory.special = (uint32_t)drawn;
    }
    if (state->draws_once && (error = rgs_draw_for_feature(state, &play->memory, words)))
        return error;
    if ((error = rgs_log_add(log, RGS_EVENT_SPIN, state_index, words->sub_spin,
                             state->special_on ? play->memory.special + 1 : 0, play->queue[0].multiplier)))
        return error;
    return state->changes ? rgs_play_grid(game, state_index, further, words, play, round, wins, log)
                          : rgs_play_windows(game, state_index, words, play, round, wins, log);
}

#endif
