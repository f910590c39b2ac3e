/* Draws from tables and strips: random, or by a tape that takes every branch (visit.h) or begins with given ones. */

#ifndef RGS_DRAWS_H
#define RGS_DRAWS_H

#include "game.h"
#include "log.h"
#include "words.h"

/* Index of the entry that a drawn number falls into: the first whose running sum exceeds it. */
static RGS_ALWAYS uint32_t rgs_cumulative_index(const uint32_t *cumulative, uint32_t length, uint32_t drawn)
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

/* One of n equally likely numbers. Returns 0 or RGS_ERROR_WORDS, as the others do. */
static RGS_ALWAYS int rgs_draw_below(rgs_words *words, uint32_t n, uint32_t *value)
{
    if (__builtin_expect(words->tape != NULL, 0)) {
        *value = rgs_tape_branch(words->tape, n, n);
        if (words->tape->depth)
            words->tape->weight[words->tape->depth - 1] = 1;
        return RGS_OK;
    }
    return rgs_words_below(words, n, value) ? RGS_ERROR_WORDS : RGS_OK;
}

/* Whether `chance` in `out_of` succeeds: one of the first `chance` of so many numbers is drawn. */
static inline int rgs_draw_chance(rgs_words *words, uint32_t chance, uint32_t out_of, uint32_t *succeeds)
{
    uint32_t drawn;
    if (__builtin_expect(words->tape != NULL, 0)) {
        const uint32_t fails = rgs_tape_branch(words->tape, chance < out_of ? 2 : 1, out_of);
        if (words->tape->depth)
            words->tape->weight[words->tape->depth - 1] = fails ? out_of - chance : chance;
        *succeeds = !fails;
        return RGS_OK;
    }
    if (rgs_words_below(words, out_of, &drawn))
        return RGS_ERROR_WORDS;
    *succeeds = drawn < chance;
    return RGS_OK;
}

static RGS_ALWAYS int rgs_draw_stop(rgs_words *words, const rgs_strip *strip, uint32_t *stop)
{
    if (__builtin_expect(words->tape != NULL, 0)) {
        if (words->tape->given) {
            *stop = rgs_given(words);
            return RGS_OK;
        }
        const uint32_t branch = rgs_tape_branch(words->tape, strip->distinct, strip->total);
        if (words->tape->depth)
            words->tape->weight[words->tape->depth - 1] = strip->distinct_weights[branch];
        *stop = strip->distinct_stops[branch];
        return RGS_OK;
    }
    if (rgs_words_below(words, strip->total, stop))
        return RGS_ERROR_WORDS;
    if (strip->cumulative)
        *stop = rgs_cumulative_index(strip->cumulative, strip->length, *stop);
    return RGS_OK;
}

/* An entry of a weighted table by its weight. */
static RGS_ALWAYS int rgs_draw_entry(rgs_words *words, const rgs_table *table, uint32_t *entry)
{
    uint32_t drawn;
    if (table->fixed) {
        *entry = 0;
        return RGS_OK;
    }
    if (__builtin_expect(words->tape != NULL, 0)) {
        if (words->tape->given) {
            *entry = rgs_given(words);
            return RGS_OK;
        }
        const uint32_t branch = rgs_tape_branch(words->tape, table->length, table->total);
        if (words->tape->depth)
            words->tape->weight[words->tape->depth - 1] =
                table->cumulative[branch] - (branch ? table->cumulative[branch - 1] : 0);
        *entry = branch;
        return RGS_OK;
    }
    if (rgs_words_below(words, table->total, &drawn))
        return RGS_ERROR_WORDS;
    *entry = rgs_cumulative_index(table->cumulative, table->length, drawn);
    return RGS_OK;
}

static RGS_ALWAYS int rgs_draw_table(rgs_words *words, const rgs_table *table, int64_t *value)
{
    uint32_t entry;
    if (rgs_draw_entry(words, table, &entry))
        return RGS_ERROR_WORDS;
    *value = table->values[entry];
    return RGS_OK;
}

/* The multiplier that an award gives to its feature, 0 without one of its own. Where awards are only `counted` it is
 * not drawn: its table is known. Returns 0 or RGS_ERROR_WORDS. */
static inline int rgs_draw_multiplier(rgs_words *words, const rgs_table *table, uint32_t counted, int64_t *multiplier)
{
    *multiplier = 0;
    if (table->length == 0)
        return RGS_OK;
    if (counted) {
        *multiplier = 1;
        return RGS_OK;
    }
    return rgs_draw_table(words, table, multiplier);
}

#endif
