/* Instruction set AVX-512 with BITALG and VNNI: Ice Lake, Zen 4 and later. */

#define RGS_SET avx512
#define RGS_LANES 32
#define RGS_GROUPS 2
#define RGS_PARTIAL 8
#define RGS_TARGET \
    __attribute__((target("avx2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512bitalg,avx512vnni,prefer-vector-width=512")))

#ifndef RGS_MASKS_AVX512
#define RGS_MASKS_AVX512

typedef __m256i rgs_mask_avx512;
typedef __m256i rgs_sum_avx512;

static RGS_INLINE __m256i rgs_mask_load_avx512(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static RGS_INLINE __m256i rgs_mask_count_avx512(__m256i x) { return _mm256_popcnt_epi8(x); }

static RGS_INLINE uint32_t rgs_mask_any_avx512(__m256i x) { return !_mm256_testz_si256(x, x); }

static RGS_INLINE __m256i rgs_sum_add_avx512(__m256i sum, __m256i counted, const int8_t *weights)
{
    return _mm256_dpbusd_epi32(sum, counted, rgs_mask_load_avx512(weights));
}

/* Adds the sums of all limbs to a row of partial sums, or sets the row. */
static RGS_INLINE void rgs_sum_store_avx512(const __m256i *sums, uint32_t limbs, uint32_t add, uint32_t partial[8])
{
    __m256i all = sums[0];
    for (uint32_t limb = 1; limb < limbs; limb++)
        all = _mm256_add_epi32(all, _mm256_slli_epi32(sums[limb], (int)(7 * limb)));
    if (add)
        all = _mm256_add_epi32(all, _mm256_loadu_si256((const __m256i *)partial));
    _mm256_storeu_si256((__m256i *)partial, all);
}

#endif
