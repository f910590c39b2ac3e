/* ChaCha20 in vector lanes: one block a lane, RGS_LANES blocks at a time. A template without include guard:
 * keystream.h includes it once for each instruction set. Bit for bit the function of chacha20.h.
 *
 * The lanes are RGS_GROUPS vectors side by side: a quarter round is a chain of twelve operations, each
 * waiting for the last, and independent groups fill the time between. */

typedef uint32_t RGS_LANE(rgs_vector) __attribute__((vector_size(4 * RGS_LANES / RGS_GROUPS)));
typedef RGS_LANE(rgs_vector) RGS_LANE(rgs_wide)[RGS_GROUPS];

#define RGS_EACH for (int g = 0; g < RGS_GROUPS; g++)
#define RGS_ROTATE(x, bits) ((x) << (bits) | (x) >> (32 - (bits)))
#ifndef RGS_ROTATE_16
#define RGS_ROTATE_16(x) RGS_ROTATE(x, 16)
#define RGS_ROTATE_8(x) RGS_ROTATE(x, 8)
#endif

#define RGS_QUARTER(a, b, c, d)                                                          \
    RGS_EACH a[g] += b[g]; RGS_EACH d[g] ^= a[g]; RGS_EACH d[g] = RGS_ROTATE_16(d[g]);   \
    RGS_EACH c[g] += d[g]; RGS_EACH b[g] ^= c[g]; RGS_EACH b[g] = RGS_ROTATE(b[g], 12);  \
    RGS_EACH a[g] += b[g]; RGS_EACH d[g] ^= a[g]; RGS_EACH d[g] = RGS_ROTATE_8(d[g]);    \
    RGS_EACH c[g] += d[g]; RGS_EACH b[g] ^= c[g]; RGS_EACH b[g] = RGS_ROTATE(b[g], 7);

#define RGS_DOUBLE_ROUND                                                              \
    RGS_QUARTER(x[0], x[4], x[8], x[12]) RGS_QUARTER(x[1], x[5], x[9], x[13])         \
    RGS_QUARTER(x[2], x[6], x[10], x[14]) RGS_QUARTER(x[3], x[7], x[11], x[15])       \
    RGS_QUARTER(x[0], x[5], x[10], x[15]) RGS_QUARTER(x[1], x[6], x[11], x[12])       \
    RGS_QUARTER(x[2], x[7], x[8], x[13]) RGS_QUARTER(x[3], x[4], x[9], x[14])

/* The first `words` words of RGS_LANES blocks; lane l has word 12 counter[l], word 13 stream, words 14 and 15
 * low[l], high[l]. Inlined, so that what only later words need is left out of the last round. */
static RGS_INLINE void RGS_LANE(rgs_chacha20)(const uint32_t key[8], const uint32_t counter[RGS_LANES],
                                              uint32_t stream, const uint32_t low[RGS_LANES],
                                              const uint32_t high[RGS_LANES], uint32_t words,
                                              uint32_t out[][RGS_LANES])
{
    const RGS_LANE(rgs_vector) zero = {0};
    const uint32_t first[14] = {
        0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u,
        key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7], 0, stream,
    };
    RGS_LANE(rgs_wide) x[16];
    for (int i = 0; i < 14; i++)
        RGS_EACH x[i][g] = first[i] - zero;
    memcpy(x[12], counter, sizeof x[12]);
    memcpy(x[14], low, sizeof x[14]);
    memcpy(x[15], high, sizeof x[15]);
    for (int round = 0; round < 9; round++) {
        RGS_DOUBLE_ROUND
    }
    RGS_DOUBLE_ROUND
    for (uint32_t i = 0; i < words; i++) {
        RGS_LANE(rgs_wide) begin;
        if (i == 12)
            memcpy(begin, counter, sizeof begin);
        else if (i == 14)
            memcpy(begin, low, sizeof begin);
        else if (i == 15)
            memcpy(begin, high, sizeof begin);
        else
            RGS_EACH begin[g] = first[i] - zero;
        RGS_EACH x[i][g] += begin[g];
        memcpy(out[i], x[i], sizeof x[i]);
    }
}

/* `blocks` blocks of 16 words each: of one nonce with counters counter, counter + 1, ... or, with `by_nonce`,
 * of nonces nonce, nonce + 1, ... with one counter. */
static RGS_TARGET void RGS_LANE(rgs_keystream)(const uint32_t key[8], uint32_t counter, uint32_t stream,
                                               uint64_t nonce, uint32_t by_nonce, size_t blocks, uint32_t *words)
{
    uint32_t counters[RGS_LANES], low[RGS_LANES], high[RGS_LANES], out[16][RGS_LANES];
    for (size_t block = 0; block < blocks; block += RGS_LANES) {
        for (uint32_t lane = 0; lane < RGS_LANES; lane++) {
            const uint64_t at = block + lane, its_nonce = nonce + (by_nonce ? at : 0);
            counters[lane] = counter + (by_nonce ? 0 : (uint32_t)at);
            low[lane] = (uint32_t)its_nonce;
            high[lane] = (uint32_t)(its_nonce >> 32);
        }
        RGS_LANE(rgs_chacha20)(key, counters, stream, low, high, 16, out);
        for (uint32_t lane = 0; lane < RGS_LANES && block + lane < blocks; lane++)
            for (uint32_t i = 0; i < 16; i++)
                words[16 * (block + lane) + i] = out[i][lane];
    }
}

#undef RGS_EACH
#undef RGS_ROTATE
#undef RGS_QUARTER
#undef RGS_DOUBLE_ROUND
