/* ChaCha20 blocks in lanes: one function for each instruction set, and the choice between them. */

#ifndef RGS_KEYSTREAM_H
#define RGS_KEYSTREAM_H

#include <stddef.h>
#include <string.h>
#include "chacha20.h"
#include "simd.h"

#include "lanes/v128.h"
#include "lanes/chacha20.h"
#include "lanes/end.h"
#ifdef RGS_X86
#include "lanes/avx2.h"
#include "lanes/chacha20.h"
#include "lanes/end.h"
#include "lanes/avx512.h"
#include "lanes/chacha20.h"
#include "lanes/end.h"
#endif

/* Blocks of 16 words, of consecutive counters or of consecutive nonces; see lanes/chacha20.h. */
typedef void (*rgs_keystream)(const uint32_t key[8], uint32_t counter, uint32_t stream, uint64_t nonce,
                              uint32_t by_nonce, size_t blocks, uint32_t *words);

/* The keystream, one block after the other. */
static void rgs_keystream_scalar(const uint32_t key[8], uint32_t counter, uint32_t stream, uint64_t nonce,
                                 uint32_t by_nonce, size_t blocks, uint32_t *words)
{
    for (size_t block = 0; block < blocks; block++)
        rgs_chacha20_block(key, counter + (by_nonce ? 0 : (uint32_t)block), stream,
                           nonce + (by_nonce ? block : 0), words + 16 * block);
}

static rgs_keystream rgs_keystream_for(uint32_t simd)
{
    switch (simd) {
    case RGS_SIMD_V128:
        return rgs_keystream_v128;
#ifdef RGS_X86
    case RGS_SIMD_AVX2:
        return rgs_keystream_avx2;
    case RGS_SIMD_AVX512:
        return rgs_keystream_avx512;
#endif
    default:
        return rgs_keystream_scalar;
    }
}

#endif

