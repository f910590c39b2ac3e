/* The kernels of all instruction sets, and the choice between them. */

#ifndef RGS_KERNELS_H
#define RGS_KERNELS_H

#include "batch.h"

#include "lanes/v128.h"
#include "lanes/kernel.h"
#include "lanes/end.h"
#ifdef RGS_X86
#include "lanes/avx2.h"
#include "lanes/kernel.h"
#include "lanes/end.h"
#include "lanes/avx512.h"
#include "lanes/kernel.h"
#include "lanes/end.h"
#endif

/* The general kernel, with the keystream of each instruction set. */
#define RGS_GENERAL_KERNEL(set)                                                                                \
    static int rgs_kernel_general_##set(const rgs_game *game, const uint32_t key[8], uint32_t stream,         \
                                        uint64_t first, uint64_t n, rgs_totals *totals, int64_t *wins)        \
    {                                                                                                          \
        return rgs_play_rounds(game, key, stream, first, n, totals, wins, rgs_keystream_##set);               \
    }
RGS_GENERAL_KERNEL(scalar)
RGS_GENERAL_KERNEL(v128)
#ifdef RGS_X86
RGS_GENERAL_KERNEL(avx2)
RGS_GENERAL_KERNEL(avx512)
#endif

/* The kernel for a game: that of the instruction set where the game has lane tables, else the general one. */
static rgs_kernel rgs_kernel_for(const rgs_game *game, uint32_t simd)
{
    if (!game->has_lanes)
        switch (simd) {
        case RGS_SIMD_V128:
            return rgs_kernel_general_v128;
#ifdef RGS_X86
        case RGS_SIMD_AVX2:
            return rgs_kernel_general_avx2;
        case RGS_SIMD_AVX512:
            return rgs_kernel_general_avx512;
#endif
        default:
            return rgs_kernel_general_scalar;
        }
    switch (simd) {
    case RGS_SIMD_V128:
        return rgs_kernel_v128;
#ifdef RGS_X86
    case RGS_SIMD_AVX2:
        return rgs_kernel_avx2;
    case RGS_SIMD_AVX512:
        return rgs_kernel_avx512;
#endif
    default:
        return rgs_kernel_general_scalar;
    }
}

#endif
