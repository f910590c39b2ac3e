/* Instruction set AVX2. */

#define RGS_SET avx2
#define RGS_LANES 16
#define RGS_GROUPS 2
#define RGS_PARTIAL 8
#define RGS_TARGET __attribute__((target("avx2,popcnt")))
#define RGS_ROTATE_16(x) ((rgs_vector_avx2)_mm256_shuffle_epi8((__m256i)(x), _mm256_setr_epi8( \
    2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)))
#define RGS_ROTATE_8(x) ((rgs_vector_avx2)_mm256_shuffle_epi8((__m256i)(x), _mm256_setr_epi8( \
    3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14)))

#ifndef RGS_MASKS_AVX2
#define RGS_MASKS_AVX2

typedef __m256i rgs_mask_avx2;
typedef __m256i rgs_sum_avx2;

static RGS_INLINE __m256i rgs_mask_load_avx2(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static RGS_INLINE __m256i rgs_mask_count_avx2(__m256i x)
{
    const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(bits, _mm256_and_si256(x, nibble)),
                           _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble)));
}

static RGS_INLINE uint32_t rgs_mask_any_avx2(__m256i x) { return !_mm256_testz_si256(x, x); }

static RGS_INLINE __m256i rgs_sum_add_avx2(__m256i sum, __m256i counted, const int8_t *weights)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(counted, rgs_mask_load_avx2(weights)));
}

/* Adds the sums of all limbs to a row of partial sums, or sets the row. */
static RGS_INLINE void rgs_sum_store_avx2(const __m256i *sums, uint32_t limbs, uint32_t add, uint32_t partial[8])
{
    __m256i all = add ? _mm256_loadu_si256((const __m256i *)partial) : _mm256_setzero_si256();
    for (uint32_t limb = 0; limb < limbs; limb++)
        all = _mm256_add_epi32(all, _mm256_slli_epi32(_mm256_madd_epi16(sums[limb], _mm256_set1_epi16(1)),
                                                      (int)(7 * limb)));
    _mm256_storeu_si256((__m256i *)partial, all);
}

#endif
