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

#endif
