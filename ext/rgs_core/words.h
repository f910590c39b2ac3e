/* The words of one sub-spin and unbiased integers below a bound.
 *
 * Draw i of a sub-spin is word i % 16 of block i / 16; a sub-spin has at most RGS_WORDS_MAX words. Blocks from 256 on have
 * their number above that of the sub-spin in the counter, as spins of a round are fewer than 2^20. */

#ifndef RGS_WORDS_H
#define RGS_WORDS_H

#include <stddef.h>
#include <string.h>
#include "chacha20.h"

#define RGS_WORDS_MAX 32768u

/* Lemire's multiply-shift with exact rejection (ACM TOMACS 29(1), 2019, algorithm 5), generated for
 * any word width so that the narrow ones can be tested over every word.
 * Returns 1 and sets *value in [0, n) when the word is accepted, 0 when it is rejected. n must not be 0.
 * The low half of word * n is uniform only at or above 2^bits mod n: smaller ones are rejected. */
#define RGS_DEFINE_BOUNDED(bits, wide)                                                           \
    static inline int rgs_bounded##bits(uint##bits##_t word, uint##bits##_t n, uint##bits##_t *value) \
    {                                                                                            \
        const wide product = (wide)word * (wide)n;                                               \
        const uint##bits##_t low = (uint##bits##_t)product;                                      \
        *value = (uint##bits##_t)(product >> bits);                                              \
        if (low >= n)                                                                            \
            return 1; /* 2^bits mod n < n, so this is the common case without a division */      \
        return low >= (uint##bits##_t)((((wide)1 << bits) - n) % n);                             \
    }

RGS_DEFINE_BOUNDED(8, uint32_t)
RGS_DEFINE_BOUNDED(16, uint32_t)
RGS_DEFINE_BOUNDED(32, uint64_t)

/* Every path of draws of a spin, one after the other, instead of random words (visit.h). */
enum { RGS_TAPE_MAX = 512 };

typedef struct {
    uint32_t depth, length;               /* draws made on this path; draws known of it */
    uint32_t first, stride;               /* the first draw takes every stride-th branch from `first` on */
    uint32_t branch[RGS_TAPE_MAX], branches[RGS_TAPE_MAX];
    uint64_t weight[RGS_TAPE_MAX];        /* of the branch taken */
    uint64_t total[RGS_TAPE_MAX];
    uint32_t failed;                      /* more draws than the tape holds */
    const uint32_t *given;                /* not NULL: the first `length` draws are given, all others random */
} rgs_tape;

/* The branch that the tape takes at the next draw of `branches`. */
static inline uint32_t rgs_tape_branch(rgs_tape *tape, uint32_t branches, uint64_t total)
{
    const uint32_t at = tape->depth;
    if (at == RGS_TAPE_MAX) {
        tape->failed = 1;
        return 0;
    }
    if (at == tape->length) {
        tape->branch[at] = at == 0 ? tape->first : 0;
        tape->length++;
    }
    tape->branches[at] = branches;
    tape->total[at] = total;
    tape->depth++;
    return tape->branch[at] < branches ? tape->branch[at] : 0;
}

typedef struct {
    const uint32_t *key;  /* 8 words */
    uint64_t nonce;       /* spin number */
    uint32_t stream;
    uint32_t sub_spin;    /* 0 the paid spin, k the k-th further spin of the round; below 2^20, or a gamble's */
    uint32_t used;        /* words drawn so far */
    uint32_t ready;       /* 1: block 0 is in `block` already */
    rgs_tape *tape;       /* NULL: draws are random */
    uint32_t block[16];   /* the block that word `used - 1` came from */
} rgs_words;

/* The next given draw; after the last one draws are random. */
static inline uint32_t rgs_given(rgs_words *words)
{
    rgs_tape *tape = words->tape;
    const uint32_t value = tape->given[tape->depth++];
    if (tape->depth == tape->length)
        words->tape = NULL;
    return value;
}

static inline void rgs_words_start(rgs_words *words, const uint32_t *key, uint32_t stream, uint64_t nonce,
                                   uint32_t sub_spin)
{
    words->key = key;
    words->nonce = nonce;
    words->stream = stream;
    words->sub_spin = sub_spin;
    words->used = 0;
    words->ready = 0;
    words->tape = NULL;
}

/* The same where somebody has computed block 0. */
static inline void rgs_words_start_with(rgs_words *words, const uint32_t *key, uint32_t stream, uint64_t nonce,
                                        uint32_t sub_spin, const uint32_t block[16])
{
    rgs_words_start(words, key, stream, nonce, sub_spin);
    memcpy(words->block, block, sizeof words->block);
    words->ready = 1;
}

/* The block counter of a word of the sub-spin: 8 bits of the block, the sub-spin, and what the block has beyond 8 bits. */
static inline uint32_t rgs_words_counter(uint32_t sub_spin, uint32_t word)
{
    const uint32_t block = word / 16u;
    return block >> 8 << 28 | sub_spin << 8 | (block & 255u);
}

/* An integer below n (not 0) in *value. Returns 0, or -1 when the sub-spin has used all its words. */
static inline int rgs_words_below(rgs_words *words, uint32_t n, uint32_t *value)
{
    for (;;) {
        if (words->used == RGS_WORDS_MAX)
            return -1;
        const uint32_t slot = words->used % 16u;
        if (slot == 0 && !(words->ready && words->used == 0))
            rgs_chacha20_block(words->key, rgs_words_counter(words->sub_spin, words->used), words->stream,
                               words->nonce, words->block);
        words->used++;
        if (rgs_bounded32(words->block[slot], n, value))
            return 0;
    }
}

#endif
