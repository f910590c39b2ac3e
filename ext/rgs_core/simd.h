/* The instruction sets that lanes are made for, and whether this machine has them.
 *
 * lanes/chacha20.h and lanes/kernel.h are templates: each is included once for each set, between
 * lanes/SET.h, which names the set, its lane count and its operations on masks, and lanes/end.h. Every set
 * gives the same bits; the choice only changes the speed. */

#ifndef RGS_SIMD_H
#define RGS_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define RGS_X86 1
#endif

enum { RGS_SIMD_SCALAR, RGS_SIMD_V128, RGS_SIMD_AVX2, RGS_SIMD_AVX512, RGS_SIMDS };

#define RGS_INLINE inline __attribute__((always_inline)) RGS_TARGET
#define RGS_PASTE_(name, set) name##_##set
#define RGS_PASTE(name, set) RGS_PASTE_(name, set)
#define RGS_LANE(name) RGS_PASTE(name, RGS_SET)

/* 1 when this machine can run an instruction set. */
static int rgs_simd_runs(uint32_t simd)
{
    switch (simd) {
    case RGS_SIMD_SCALAR:
    case RGS_SIMD_V128:
        return 1;
#ifdef RGS_X86
    case RGS_SIMD_AVX2:
        return __builtin_cpu_supports("avx2") != 0;
    case RGS_SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vnni");
#endif
    default:
        return 0;
    }
}

#endif
