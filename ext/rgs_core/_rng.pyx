"""ChaCha20 as the source of outcome words, and as a numpy bit generator.

Design: a) the algorithm is chacha20.h and words.h, pure C; b) this module only converts and
validates; c) `ChaCha20` plugs into `numpy.random.Generator` through the BitGenerator capsule
(five function pointers, numpy/random/bitgen.h), so numpy is not needed to build.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsUnsignedLongLong
from cpython.pycapsule cimport PyCapsule_New

import threading
from array import array
from operator import index

from rgs_core.errors import SeedError, DrawLimitError


cdef extern from *:
    """
    #if defined(__x86_64__)
    #define RGS_V128_NAME "sse2"
    #elif defined(__aarch64__)
    #define RGS_V128_NAME "neon"
    #else
    #define RGS_V128_NAME "v128"
    #endif
    """
    const char *RGS_V128_NAME

WORDS_MAX = RGS_WORDS_MAX
SIMD_NAMES = ("scalar", RGS_V128_NAME.decode(), "avx2", "avx512")
STREAM_OUTCOME = 0
STREAM_STATISTICS = 2


cdef int load_key(object key, uint32_t *words) except -1:
    cdef uint32_t i
    if type(key) is not bytes or PyBytes_GET_SIZE(key) != 32:
        raise SeedError("a key is 32 bytes, as derive_key() returns them")
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(key)
    for i in range(8):
        words[i] = rgs_load32_le(source + 4 * i)
    return 0


cdef uint64_t number(object value) except? 0xffffffffffffffff:
    if not isinstance(value, int):
        value = index(value)
    return PyLong_AsUnsignedLongLong(value)


cdef uint32_t simd_number(object name) except? 255:
    if name not in SIMD_NAMES or not rgs_simd_runs(SIMD_NAMES.index(name)):
        raise ValueError(f"this machine has no instruction set '{name}'")
    return SIMD_NAMES.index(name)


def simd_runs(name):
    """Whether this machine runs an instruction set of SIMD_NAMES."""
    return name in SIMD_NAMES and bool(rgs_simd_runs(SIMD_NAMES.index(name)))


def block(key, uint32_t counter, uint32_t stream, uint64_t nonce):
    """One ChaCha20 block as 16 words (RFC 8439, 2.3), words 12 to 15 of the state as given."""
    cdef uint32_t words[8]
    cdef uint32_t out[16]
    load_key(key, words)
    rgs_chacha20_block(words, counter, stream, nonce, out)
    return tuple([out[i] for i in range(16)])


def keystream(key, uint32_t counter, uint32_t stream, uint64_t nonce, Py_ssize_t blocks, *, bint by_nonce=False, simd):
    """The words of `blocks` blocks, 16 each, by an instruction set: array("I").

    Of one nonce and counters counter, counter + 1, ... (they wrap at 2^32, as in the RFC); or, with
    `by_nonce`, of consecutive nonces and one counter: the words that rounds are drawn from.
    Raises ValueError for a set that this machine does not run.
    """
    cdef uint32_t words[8]
    cdef uint32_t[::1] view
    cdef rgs_keystream fill = rgs_keystream_for(simd_number(simd))
    if not 1 <= blocks <= 1 << 24:
        raise ValueError("blocks is 1 to 2^24")
    if by_nonce and nonce + <uint64_t>(blocks - 1) < nonce:
        raise ValueError("nonces are below 2^64")
    load_key(key, words)
    out = array("I", bytes(64 * blocks))
    view = out
    with nogil:
        fill(words, counter, stream, nonce, by_nonce, blocks, &view[0])
    return out


def draw_columns(key, uint64_t nonce, bounds, uint32_t[:, ::1] out, *, uint32_t sub_spin=0, uint32_t stream=0, simd):
    """Bounded integers of many consecutive nonces: out[i, j] is draw i of nonce + j, as `draw_below` gives it.

    `out`: uint32 buffer of shape (len(bounds), n). At most 16 bounds. Raises ValueError for a bound
    outside [1, 2^32) or a wrong shape, DrawLimitError after WORDS_MAX words.
    """
    cdef uint32_t key_words[8]
    cdef uint32_t limits[16]
    cdef uint32_t words[16 * 64]
    cdef rgs_words source
    cdef rgs_keystream fill = rgs_keystream_for(simd_number(simd))
    cdef Py_ssize_t n = out.shape[1], done, block, i, count = len(bounds)
    cdef Py_ssize_t blocks
    cdef int error = 0
    cdef bint rejected
    if not 1 <= count <= 16 or out.shape[0] != count:
        raise ValueError("out has a row for each of 1 to 16 bounds")
    if sub_spin >= 1 << 24:
        raise ValueError("sub_spin is below 2^24")
    if n and nonce + <uint64_t>(n - 1) < nonce:
        raise ValueError("nonces are below 2^64")
    for i in range(count):
        if not 1 <= bounds[i] < 1 << 32:
            raise ValueError(f"bound {bounds[i]} is not in [1, 2^32)")
        limits[i] = bounds[i]
    load_key(key, key_words)
    with nogil:
        done = 0
        while done < n and not error:
            blocks = min(n - done, 64)
            fill(key_words, sub_spin << 8, stream, nonce + <uint64_t>done, 1, blocks, words)
            for block in range(blocks):
                rejected = False
                for i in range(count):
                    if not rgs_bounded32(words[16 * block + i], limits[i], &out[i, done + block]):
                        rejected = True
                if rejected:  # a word is drawn again and moves those after it: as the sub-spin does it
                    rgs_words_start(&source, key_words, stream, nonce + <uint64_t>(done + block), sub_spin)
                    for i in range(count):
                        error |= rgs_words_below(&source, limits[i], &out[i, done + block])
            done += blocks
    if error:
        raise DrawLimitError(f"more than {RGS_WORDS_MAX} words in one sub-spin")


def draw_below(key, nonce, bounds, *, uint32_t sub_spin=0, uint32_t stream=0):
    """Integers below each bound, drawn in order from the words of one sub-spin.

    Returns (values, words used). Raises DrawLimitError after WORDS_MAX words, ValueError for a
    bound outside [1, 2^32).
    """
    cdef uint32_t words[8]
    cdef rgs_words source
    cdef uint32_t value = 0
    if sub_spin >= 1 << 24:
        raise ValueError("sub_spin is below 2^24")
    load_key(key, words)
    rgs_words_start(&source, words, stream, number(nonce), sub_spin)
    values = []
    for bound in bounds:
        if not isinstance(bound, int) or not 1 <= bound < 1 << 32:
            raise ValueError(f"bound {bound} is not in [1, 2^32)")
        if rgs_words_below(&source, bound, &value):
            raise DrawLimitError(f"more than {RGS_WORDS_MAX} words in one sub-spin")
        values.append(value)
    return values, source.used


def bounded(word, n, *, bits=32):
    """The integer below n that a word of 8, 16 or 32 bits maps to, or None when it is rejected."""
    cdef uint8_t v8 = 0
    cdef uint16_t v16 = 0
    cdef uint32_t v32 = 0
    if bits not in (8, 16, 32):
        raise ValueError("bits is 8, 16 or 32")
    if not 1 <= n < 1 << bits or not 0 <= word < 1 << bits:
        raise ValueError(f"word and n are {bits}-bit integers and n is not 0")
    if bits == 8:
        return v8 if rgs_bounded8(word, n, &v8) else None
    if bits == 16:
        return v16 if rgs_bounded16(word, n, &v16) else None
    return v32 if rgs_bounded32(word, n, &v32) else None


def bounded_counts(uint32_t n, *, int bits=8):
    """How often each value below n comes up over every word of 8 or 16 bits: (counts, rejected words)."""
    cdef uint8_t v8 = 0
    cdef uint16_t v16 = 0
    cdef uint32_t word, rejected = 0
    cdef uint32_t[::1] view
    if bits not in (8, 16) or not 1 <= n < <uint32_t>1 << bits:
        raise ValueError("bits is 8 or 16, n a non-zero integer of so many bits")
    counts = array("I", [0]) * n
    view = counts
    for word in range(<uint32_t>1 << bits):
        if bits == 8:
            if rgs_bounded8(<uint8_t>word, <uint8_t>n, &v8):
                view[v8] += 1
            else:
                rejected += 1
        elif rgs_bounded16(<uint16_t>word, <uint16_t>n, &v16):
            view[v16] += 1
        else:
            rejected += 1
    return counts, rejected


# What numpy's bitgen_t looks like (numpy/random/bitgen.h).
ctypedef struct bitgen_t:
    void *state
    uint64_t (*next_uint64)(void *) noexcept nogil
    uint32_t (*next_uint32)(void *) noexcept nogil
    double (*next_double)(void *) noexcept nogil
    uint64_t (*next_raw)(void *) noexcept nogil


# Position in one endless keystream: blocks 0, 1, ... of a nonce, then those of the next nonce.
ctypedef struct keystream_position:
    uint32_t key[8]
    uint32_t stream
    uint64_t nonce
    uint64_t counter      # next block to make, at most 2^32
    uint32_t used         # words taken from `words`
    uint32_t filled       # words there are
    uint32_t words[256]
    rgs_keystream fill


# Makes the next blocks, a batch at a time. Cannot fail.
cdef void refill(keystream_position *k) noexcept nogil:
    cdef uint64_t left
    if k.counter == <uint64_t>1 << 32:
        k.counter = 0
        k.nonce += 1
    left = (<uint64_t>1 << 32) - k.counter
    k.filled = 256 if left > 16 else <uint32_t>(16 * left)
    k.fill(k.key, <uint32_t>k.counter, k.stream, k.nonce, 0, k.filled // 16, k.words)
    k.counter += k.filled // 16
    k.used = 0


cdef uint32_t next_uint32(void *state) noexcept nogil:
    cdef keystream_position *k = <keystream_position *>state
    if k.used == k.filled:
        refill(k)
    k.used += 1
    return k.words[k.used - 1]


cdef uint64_t next_uint64(void *state) noexcept nogil:
    cdef uint64_t low = next_uint32(state)
    return low | <uint64_t>next_uint32(state) << 32


cdef double next_double(void *state) noexcept nogil:
    return <double>(next_uint64(state) >> 11) / 9007199254740992.0


@cython.final
@cython.auto_pickle(False)
cdef class ChaCha20:
    """ChaCha20 keystream for `numpy.random.Generator(ChaCha20(key))`.

    For statistics on the generator, never for outcomes: outcomes come from the engine, spin by spin.
    The words are those of RFC 8439 with the counter in word 12; after 2^32 blocks the nonce counts on.

    Parameters: `key` 32 bytes; `nonce` 64-bit start; `stream` word 13 of the state, 2 by default so
    that it shares no word with outcomes; `simd` an instruction set, by default the fastest (rgs_core.engine.simd).
    Raises SeedError for a key of another length.
    """

    cdef bitgen_t bitgen
    cdef keystream_position source
    cdef readonly object capsule
    cdef readonly object lock

    def __cinit__(self, key, uint64_t nonce=0, *, uint32_t stream=2, simd=None):
        load_key(key, self.source.key)
        self.source.stream = stream
        self.source.nonce = nonce
        self.source.counter = 0
        self.source.used = self.source.filled = 0
        if simd is None:
            from rgs_core.engine.simd import chosen
            simd = chosen()
        self.source.fill = rgs_keystream_for(simd_number(simd))
        self.bitgen.state = &self.source
        self.bitgen.next_uint64 = next_uint64
        self.bitgen.next_uint32 = next_uint32
        self.bitgen.next_double = next_double
        self.bitgen.next_raw = next_uint64
        self.lock = threading.Lock()
        self.capsule = PyCapsule_New(&self.bitgen, "BitGenerator", NULL)

    def random_raw(self, size=None):
        """The next 32-bit word, or a list of `size` of them."""
        with self.lock:
            if size is None:
                return next_uint32(&self.source)
            return [next_uint32(&self.source) for _ in range(size)]
