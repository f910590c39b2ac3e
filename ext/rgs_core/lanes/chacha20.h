/* ChaCha20 in vector lanes: one block a lane, RGS_LANES blocks at a time. A template without include guard:
 * keystream.h includes it once for each instruction set. Bit for bit the function of chacha20.h. */

typedef uint32_t RGS_LANE(rgs_vector) __attribute__((vector_size(4 * RGS_LANES)));

static RGS_INLINE RGS_LANE(rgs_vector) RGS_LANE(rgs_all)(uint32_t value)
{
    return value - (RGS_LANE(rgs_vector)){0};
}

#ifndef RGS_ROTATE
#define RGS_ROTATE(x, bits) ((x) << (bits) | (x) >> (32 - (bits)))
#endif
#ifndef RGS_ROTATE_16
#define RGS_ROTATE_16(x) RGS_ROTATE(x, 16)
#define RGS_ROTATE_8(x) RGS_ROTATE(x, 8)
#endif

#define RGS_QUARTER(a, b, c, d)                           \
    do {                                                  \
        a += b; d ^= a; d = RGS_ROTATE_16(d);             \
        c += d; b ^= c; b = RGS_ROTATE(b, 12);            \
        a += b; d ^= a; d = RGS_ROTATE_8(d);              \
        c += d; b ^= c; b = RGS_ROTATE(b, 7);             \
    } while (0)

#define RGS_DOUBLE_ROUND()                                                                   \
    do {                                                                                     \
        RGS_QUARTER(x0, x4, x8, x12); RGS_QUARTER(x1, x5, x9, x13);                           \
        RGS_QUARTER(x2, x6, x10, x14); RGS_QUARTER(x3, x7, x11, x15);                         \
        RGS_QUARTER(x0, x5, x10, x15); RGS_QUARTER(x1, x6, x11, x12);                         \
        RGS_QUARTER(x2, x7, x8, x13); RGS_QUARTER(x3, x4, x9, x14);                           \
    } while (0)

/* Words of RGS_LANES blocks; lane l has word 12 counter[l], word 13 stream, words 14 and 15 low[l], high[l].
 * Inlined, so that what is computed for words that the caller never reads is left out of the last round. */
static RGS_INLINE void RGS_LANE(rgs_chacha20)(const uint32_t key[8], RGS_LANE(rgs_vector) counter, uint32_t stream,
                                              RGS_LANE(rgs_vector) low, RGS_LANE(rgs_vector) high,
                                              RGS_LANE(rgs_vector) out[16])
{
    typedef RGS_LANE(rgs_vector) vector;
    vector x0 = RGS_LANE(rgs_all)(0x61707865u), x1 = RGS_LANE(rgs_all)(0x3320646eu);
    vector x2 = RGS_LANE(rgs_all)(0x79622d32u), x3 = RGS_LANE(rgs_all)(0x6b206574u);
    vector x4 = RGS_LANE(rgs_all)(key[0]), x5 = RGS_LANE(rgs_all)(key[1]);
    vector x6 = RGS_LANE(rgs_all)(key[2]), x7 = RGS_LANE(rgs_all)(key[3]);
    vector x8 = RGS_LANE(rgs_all)(key[4]), x9 = RGS_LANE(rgs_all)(key[5]);
    vector x10 = RGS_LANE(rgs_all)(key[6]), x11 = RGS_LANE(rgs_all)(key[7]);
    vector x12 = counter, x13 = RGS_LANE(rgs_all)(stream), x14 = low, x15 = high;
    for (int round = 0; round < 9; round++)
        RGS_DOUBLE_ROUND();
    RGS_DOUBLE_ROUND();
    out[0] = x0 + 0x61707865u;
    out[1] = x1 + 0x3320646eu;
    out[2] = x2 + 0x79622d32u;
    out[3] = x3 + 0x6b206574u;
    out[4] = x4 + key[0];
    out[5] = x5 + key[1];
    out[6] = x6 + key[2];
    out[7] = x7 + key[3];
    out[8] = x8 + key[4];
    out[9] = x9 + key[5];
    out[10] = x10 + key[6];
    out[11] = x11 + key[7];
    out[12] = x12 + counter;
    out[13] = x13 + stream;
    out[14] = x14 + low;
    out[15] = x15 + high;
}

/* The keystream of blocks counter .. counter + blocks - 1 of one nonce: words[16 * blocks]. */
static RGS_TARGET void RGS_LANE(rgs_keystream)(const uint32_t key[8], uint32_t counter, uint32_t stream,
                                               uint64_t nonce, size_t blocks, uint32_t *words)
{
    typedef RGS_LANE(rgs_vector) vector;
    vector step, out[16];
    uint32_t lanes[16][RGS_LANES];
    for (uint32_t lane = 0; lane < RGS_LANES; lane++)
        step[lane] = lane;
    for (size_t block = 0; block < blocks; block += RGS_LANES) {
        RGS_LANE(rgs_chacha20)(key, step + (counter + (uint32_t)block), stream, RGS_LANE(rgs_all)((uint32_t)nonce),
                               RGS_LANE(rgs_all)((uint32_t)(nonce >> 32)), out);
        memcpy(lanes, out, sizeof lanes);
        for (uint32_t lane = 0; lane < RGS_LANES && block + lane < blocks; lane++)
            for (uint32_t i = 0; i < 16; i++)
                words[16 * (block + lane) + i] = lanes[i][lane];
    }
}

#undef RGS_QUARTER
#undef RGS_DOUBLE_ROUND
