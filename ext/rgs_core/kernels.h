/* The kernels of all instruction sets, and the choice between them. */

#ifndef RGS_KERNELS_H
#define RGS_KERNELS_H

#include "batch.h"
#include "keystream.h"

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

/* The kernel for a game: that of the instruction set where the game has lane tables, else the general one. */
static rgs_kernel rgs_kernel_for(const rgs_game *game, uint32_t simd)
{
    if (!game->has_lanes)
        return rgs_kernel_scalar;
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
        return rgs_kernel_scalar;
    }
}

#endif
