"""Declarations of the word source that other compiled modules use."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "keystream.h" nogil:
    enum:
        RGS_SIMD_SCALAR
        RGS_SIMD_V128
        RGS_SIMD_AVX2
        RGS_SIMD_AVX512
    ctypedef void (*rgs_keystream)(const uint32_t *key, uint32_t counter, uint32_t stream, uint64_t nonce,
                                   uint32_t by_nonce, size_t blocks, uint32_t *words) noexcept nogil
    bint rgs_simd_runs(uint32_t simd)
    rgs_keystream rgs_keystream_for(uint32_t simd)


cdef extern from "words.h" nogil:
    enum:
        RGS_WORDS_MAX
    uint32_t rgs_load32_le(const unsigned char *bytes)
    void rgs_chacha20_block(const uint32_t *key, uint32_t counter, uint32_t stream, uint64_t nonce, uint32_t *out)
    int rgs_bounded8(uint8_t word, uint8_t n, uint8_t *value)
    int rgs_bounded16(uint16_t word, uint16_t n, uint16_t *value)
    int rgs_bounded32(uint32_t word, uint32_t n, uint32_t *value)
    ctypedef struct rgs_words:
        uint32_t used
    void rgs_words_start(rgs_words *words, const uint32_t *key, uint32_t stream, uint64_t nonce, uint32_t sub_spin)
    int rgs_words_below(rgs_words *words, uint32_t n, uint32_t *value)


# Unpacks 32 key bytes into words. Fails with SeedError when `key` is not 32 bytes long.
cdef int load_key(object key, uint32_t *words) except -1


# The number of an instruction set that this machine runs. Fails with ValueError for any other name.
cdef uint32_t simd_number(object name) except? 255

# A 64-bit number from an integer and from nothing else. Fails with TypeError or OverflowError.
cdef uint64_t number(object value) except? 0xffffffffffffffff
