/* Bonuses: what is drawn apart from the reels. */

#ifndef RGS_BONUSES_H
#define RGS_BONUSES_H

#include "play.h"

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
            const uint32_t at_once = bonus->segment_at_once && bonus->segment_at_once[segment];
            if (spins || become) {
                if (rgs_segment_multiplier(bonus, segment, words, &multiplier))
                    return RGS_ERROR_WORDS;
                rgs_award(game, play, &(rgs_terms){.state = state, .multiplier = multiplier, .become = become,
                                                  .at_once = at_once}, spins);
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

#endif
