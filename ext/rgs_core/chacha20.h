/* ChaCha20 block function, RFC 8439 section 2.3, on 32-bit words. Pure C, no Python.h.
 *
 * The layout of the 16-word state is that of the RFC: four constants, eight key words, then
 *   word 12  counter = (block >> 8 << 28) | (sub_spin << 8) | (block & 255)
 *   word 13  stream  (0 outcome, 1 jackpot, 2 statistics)
 *   word 14  nonce, low 32 bits
 *   word 15  nonce, high 32 bits
 * docs/rng.md is the specification. */

#ifndef RGS_CHACHA20_H
#define RGS_CHACHA20_H

#include <stdint.h>

static inline uint32_t rgs_rotl32(uint32_t x, int bits) { return (x << bits) | (x >> (32 - bits)); }

/* Words of a little-endian byte string, whatever the byte order of the machine. */
static inline uint32_t rgs_load32_le(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

#define RGS_QUARTER_ROUND(a, b, c, d)          \
    do {                                       \
        a += b; d = rgs_rotl32(d ^ a, 16);     \
        c += d; b = rgs_rotl32(b ^ c, 12);     \
        a += b; d = rgs_rotl32(d ^ a, 8);      \
        c += d; b = rgs_rotl32(b ^ c, 7);      \
    } while (0)

static inline void rgs_chacha20_block(const uint32_t key[8], uint32_t counter, uint32_t stream,
                                      uint64_t nonce, uint32_t out[16])
{
    const uint32_t in[16] = {
        0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u,
        key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
        counter, stream, (uint32_t)nonce, (uint32_t)(nonce >> 32),
    };
    uint32_t x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4], x5 = in[5], x6 = in[6], x7 = in[7];
    uint32_t x8 = in[8], x9 = in[9], x10 = in[10], x11 = in[11], x12 = in[12], x13 = in[13], x14 = in[14],
             x15 = in[15];
    for (int round = 0; round < 10; round++) {
        RGS_QUARTER_ROUND(x0, x4, x8, x12);
        RGS_QUARTER_ROUND(x1, x5, x9, x13);
        RGS_QUARTER_ROUND(x2, x6, x10, x14);
        RGS_QUARTER_ROUND(x3, x7, x11, x15);
        RGS_QUARTER_ROUND(x0, x5, x10, x15);
        RGS_QUARTER_ROUND(x1, x6, x11, x12);
        RGS_QUARTER_ROUND(x2, x7, x8, x13);
        RGS_QUARTER_ROUND(x3, x4, x9, x14);
    }
    const uint32_t x[16] = {x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15};
    for (int i = 0; i < 16; i++)
        out[i] = x[i] + in[i];
}

#endif
