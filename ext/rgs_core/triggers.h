/* Triggers: what a grid or a win starts. */

#ifndef RGS_TRIGGERS_H
#define RGS_TRIGGERS_H

#include "bonuses.h"
#include "conditions.h"
#include "full_reels.h"

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
        return rgs_count_on(game, view, trigger->symbols, trigger->reels, trigger->per_reel, trigger->fresh ? old : 0);
    return trigger->fresh ? rgs_count_fresh(game, view, trigger->symbols, old)
                          : rgs_count_symbols(game, view, trigger->symbols);
}

/* What a spin adds to a count of the feature. */
RGS_APART uint64_t rgs_collected_now(const rgs_game *game, const rgs_trigger *trigger, const rgs_seen *seen)
{
    const rgs_view *view = seen->view;
    uint64_t more = 0;
    switch (trigger->counting) {
    case RGS_COUNTS_WINS:
        return seen->won;
    case RGS_COUNTS_LOSSES:
        return !seen->won;
    case RGS_COUNTS_SPINS:
        return 1;
    case RGS_COUNTS_VALUES:
        for (uint32_t reel = 0; reel < game->reels && view->values; reel++)
            for (uint32_t row = 0; row < view->heights[reel]; row++)
                if ((trigger->symbols >> view->windows[reel][row] & 1) &&
                    !(trigger->fresh && (seen->old & rgs_cell_bit(game, reel, row))))
                    more += (uint64_t)view->values[reel * game->rows + row];
        break;
    default:
        more = rgs_trigger_count(game, trigger, view, seen->old);
    }
    return trigger->collectors ? more * rgs_count_symbols(game, view, trigger->collectors) : more;
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
    rgs_terms terms = {.state = trigger->state, .trigger = t, .become = trigger->become, .at_once = trigger->at_once, .reels = ~0u};
    *fired = 0;
    switch (trigger->kind) {
    case RGS_FREE_SPINS: {
        const uint32_t count = rgs_trigger_count(game, trigger, view, seen->old);
        const uint32_t spins = trigger->spins[count];
        if (spins == 0 && !(trigger->become && count >= trigger->least))
            return RGS_OK;
        if (trigger->conditional &&
            ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires))
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
            if (!*fired && trigger->conditional &&
                ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires))
                return error;
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
        const uint32_t count = rgs_full_reels(game, view, trigger->reels, &symbol, &reels), spins = trigger->spins[count];
        if (count == 0 || spins == 0)
            return RGS_OK;
        if (trigger->conditional &&
            ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires))
            return error;
        *fired = 1;
        rgs_fire(round, state_index, t);
        terms.carry = ~(uint64_t)0;
        terms.reels = reels;
        rgs_award(game, play, &terms, spins);
        return log ? rgs_log_event(log, (rgs_event){RGS_EVENT_FREE_SPINS, t, count, spins, terms.state, terms.multiplier, 0,
                                                    symbol})
                   : RGS_OK;
    }
    case RGS_COLLECTED: {
        rgs_memory *memory = &play->memory;
        const uint32_t before = rgs_level(trigger, memory);
        const uint64_t more = rgs_collected_now(game, trigger, seen);
        memory->collected[trigger->slot] = trigger->in_a_row && !more ? 0 : memory->collected[trigger->slot] + more;
        for (uint32_t level = before; level < rgs_level(trigger, memory); level++) {
            const uint32_t listed = level < trigger->levels ? level : trigger->levels - 1;
            const uint32_t spins = trigger->level_spins[listed];
            *fired = 1;
            memory->waiting[trigger->slot][listed] = play->left;
            terms.become = trigger->level_states[listed] != RGS_ANY_SYMBOL;
            terms.state = terms.become ? trigger->level_states[listed] : trigger->state;
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
            if (!played && trigger->conditional &&
                ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires))
                return error;
            played++;
            if (!play->counting &&
                (error = rgs_play_bonus(game, play, trigger, t, line + 1, words, log, &amount)))
                return error;
        }
        break;
    case RGS_BONUS: {
        const uint32_t times = trigger->spins[rgs_trigger_count(game, trigger, view, seen->old)];
        if (times && trigger->conditional &&
            ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires))
            return error;
        for (; played < times; played++)
            if (!play->counting && (error = rgs_play_bonus(game, play, trigger, t, 0, words, log, &amount)))
                return error;
        break;
    }
    default:
        if (play->counting)
            return RGS_OK;
        if (trigger->counts && rgs_trigger_count(game, trigger, view, seen->old) < trigger->counts)
            return RGS_OK;
        if ((error = rgs_fires(game, trigger, t, seen, &play->memory, words, &fires)) || !fires)
            return error;
        *fired = 1;
        rgs_fire(round, state_index, t);
        return rgs_log_add(log, RGS_EVENT_JACKPOT, t, 0, 0, 0);
    }
    *fired = played > 0;
    if (played)
        rgs_fire(round, state_index, t);
    round->awarded[state_index][t] += played;
    play->awarded.plays[t] += played;
    if (amount)
        rgs_round_pay(round, state_index, RGS_PART_TRIGGERS + t, amount);
    return RGS_OK;
}

#endif
