/* Instruction set of 128 bits in plain GCC vectors: SSE2, NEON and whatever else the compiler knows. */

#define RGS_SET v128
#define RGS_LANES 8
#define RGS_GROUPS 2
#define RGS_PARTIAL 4
#define RGS_TARGET
/* Swapping the 16-bit halves of each word: two shuffles on SSE2, one on NEON, in place of three operations. */
#if defined(__clang__) || __GNUC__ >= 12
#define RGS_ROTATE_16(x) ((rgs_vector_v128)__builtin_shufflevector((rgs_sum_v128)(x), (rgs_sum_v128)(x), \
                                                                   1, 0, 3, 2, 5, 4, 7, 6))
#else
#define RGS_ROTATE_16(x) RGS_ROTATE(x, 16)
#endif
#define RGS_ROTATE_8(x) RGS_ROTATE(x, 8)

#ifndef RGS_MASKS_V128
#define RGS_MASKS_V128

typedef uint8_t rgs_mask_v128 __attribute__((vector_size(16)));
typedef uint16_t rgs_sum_v128 __attribute__((vector_size(16)));
typedef uint32_t rgs_quad_v128 __attribute__((vector_size(16)));

static RGS_INLINE rgs_mask_v128 rgs_mask_load_v128(const void *from)
{
    rgs_mask_v128 mask;
    memcpy(&mask, from, sizeof mask);
    return mask;
}

/* Set bits of each byte. */
static RGS_INLINE rgs_mask_v128 rgs_mask_count_v128(rgs_mask_v128 x)
{
    /* Shifts within 16-bit halves are the cheapest that every machine has; the masks drop what crosses. */
    rgs_sum_v128 h = (rgs_sum_v128)x;
    h -= h >> 1 & 0x5555;
    h = (h & 0x3333) + (h >> 2 & 0x3333);
    h = (h + (h >> 4)) & 0x0f0f;
    return (rgs_mask_v128)h;
}

static RGS_INLINE uint32_t rgs_mask_any_v128(rgs_mask_v128 x)
{
    uint64_t halves[2];
    memcpy(halves, &x, sizeof x);
    return (halves[0] | halves[1]) != 0;
}

/* Adds counted[i] * weights[i] of neighbouring bytes into 16 bits: at most 6 * 2 * 8 * 127, no overflow. */
static RGS_INLINE rgs_sum_v128 rgs_sum_add_v128(rgs_sum_v128 sum, rgs_mask_v128 counted, const int8_t *weights)
{
    const rgs_sum_v128 c = (rgs_sum_v128)counted, w = (rgs_sum_v128)rgs_mask_load_v128(weights);
    return sum + (c & 0xff) * (w & 0xff) + (c >> 8) * (w >> 8);
}

/* Adds the sums of all limbs to a row of partial sums, or sets the row. */
static RGS_INLINE void rgs_sum_store_v128(const rgs_sum_v128 *sums, uint32_t limbs, uint32_t add, uint32_t partial[4])
{
    rgs_quad_v128 all = {0};
    if (add)
        memcpy(&all, partial, sizeof all);
    for (uint32_t limb = 0; limb < limbs; limb++) {
        const rgs_quad_v128 pairs = (rgs_quad_v128)sums[limb];
        all += ((pairs & 0xffff) + (pairs >> 16)) << 7 * limb;
    }
    memcpy(partial, &all, sizeof all);
}

#endif
