"""The word source: RFC 8439 vectors, an independent library, unbiased integers, numpy."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from rgs_core import ChaCha20, Engine, derive_key, reference
from rgs_core._rng import (
    SIMD_NAMES,
    WORDS_MAX,
    block,
    bounded,
    bounded_counts,
    draw_below,
    draw_columns,
    keystream,
    simd_runs,
)
from rgs_core.engine import simd
from rgs_core.errors import DrawLimitError, SeedError
from rgs_core.language.model_file import loads
from rgs_core.seeds import commitment, parse_server_seed

KEY = bytes(range(32))


def test_rfc_8439_section_2_3_2() -> None:
    """Key 00..1f, nonce 000000090000004a00000000, block 1: the state after 20 rounds and addition."""
    expected = (
        "e4e7f110 15593bd1 1fdd0f50 c47120a3 c7f4d1c7 0368c033 9aaa2204 4e6cd4c3 "
        "466482d2 09aa9f07 05d7c214 a2028bd9 d19c12b5 b94e16de e883d0cb 4e3c50a2"
    )
    words = block(KEY, 1, 0x09000000, 0x4A000000)
    assert " ".join(f"{word:08x}" for word in words) == expected
    assert reference.chacha20_block(KEY, 1, 0x09000000, 0x4A000000) == words


@pytest.mark.parametrize(("counter", "key", "nonce", "begins"), [
    # RFC 8439, appendix A.1, vectors 1 to 5; the nonce is words 13 to 15.
    (0, bytes(32), (0, 0), "76b8e0ada0f13d90405d6ae55386bd28"),
    (1, bytes(32), (0, 0), "9f07e7be5551387a98ba977c732d080d"),
    (1, bytes(31) + b"\x01", (0, 0), "3aeb5224ecf849929b9d828db1ced4dd"),
    (2, b"\x00\xff" + bytes(30), (0, 0), "72d54dfbf12ec44b362692df94137f32"),
    (0, bytes(32), (0, 0x02000000 << 32), "c2c64d378cd536374ae204b9ef933fcd"),
])  # fmt: skip
def test_rfc_8439_appendix_a1(counter: int, key: bytes, nonce: tuple[int, int], begins: str) -> None:
    for words in (block(key, counter, *nonce), reference.chacha20_block(key, counter, *nonce)):
        assert struct.pack("<16I", *words).hex().startswith(begins)


def test_keystream_equals_an_independent_library() -> None:
    """OpenSSL, through `cryptography`: counter, stream and nonce are the 16-byte nonce it takes."""
    rng = random.Random(1)
    for _ in range(200):
        key = rng.randbytes(32)
        counter, stream, nonce = rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(64)
        initial = struct.pack("<IIQ", counter, stream, nonce)
        stream_bytes = Cipher(algorithms.ChaCha20(key, initial), None).encryptor().update(bytes(64))
        assert block(key, counter, stream, nonce) == struct.unpack("<16I", stream_bytes)


@pytest.mark.parametrize("name", SIMD_NAMES)
def test_keystream_in_lanes_equals_an_independent_library(name: str) -> None:
    """Every instruction set, any number of blocks, over the end of the counter (the RFC's wraps at 2^32)."""
    if not simd_runs(name):
        with pytest.raises(ValueError, match="no instruction set"):
            keystream(KEY, 0, 0, 0, 1, simd=name)
        return  # that a missing set is refused is what can be tested here
    rng = random.Random(2)
    for blocks in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100):
        key = rng.randbytes(32)
        counter, stream, nonce = rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(64)
        # The wrap of the counter: OpenSSL carries into the next word, so only our own function shows it.
        for first in (counter % (2**32 - 100), 2**32 - 1):
            words = keystream(key, first, stream, nonce, blocks, simd=name)
            expected = [w for b in range(blocks) for w in block(key, (first + b) % 2**32, stream, nonce)]
            assert words.tolist() == expected
        initial = struct.pack("<IIQ", counter % (2**32 - 100), stream, nonce)
        openssl = Cipher(algorithms.ChaCha20(key, initial), None).encryptor().update(bytes(64 * blocks))
        assert keystream(key, counter % (2**32 - 100), stream, nonce, blocks, simd=name).tobytes() == openssl
    with pytest.raises(ValueError, match="blocks is 1 to"):
        keystream(KEY, 0, 0, 0, 0, simd=name)


@pytest.mark.parametrize("name", simd.available())
def test_columns_of_draws_are_the_draws_of_each_round(name: str) -> None:
    """Blocks by nonce, over the carry of its low word, and bounds that reject every other word."""
    first = 2**32 - 70
    words = keystream(KEY, 7, 1, first, 150, by_nonce=True, simd=name)
    assert words.tolist() == [w for i in range(150) for w in block(KEY, 7, 1, first + i)]
    for bounds in ([45, 44, 1, 46, 47], [2**31 + 1] * 16, [2**32 - 1, 3]):
        out = np.zeros((len(bounds), 150), dtype=np.uint32)
        draw_columns(KEY, first, bounds, out, sub_spin=3, stream=1, simd=name)
        expected = [draw_below(KEY, first + i, bounds, sub_spin=3, stream=1)[0] for i in range(150)]
        assert out.T.tolist() == expected
    for bad, shape in (([], (0, 5)), ([5], (2, 5)), ([0], (1, 5)), ([1] * 17, (17, 5))):
        with pytest.raises(ValueError, match=r"out has a row|is not in"):
            draw_columns(KEY, 0, bad, np.zeros(shape, dtype=np.uint32), simd=name)


def test_the_instruction_set_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in simd.available():
        monkeypatch.setenv("RGS_SIMD", name)
        assert simd.chosen() == name
        assert ChaCha20(KEY).random_raw(40) == ChaCha20(KEY, simd="scalar").random_raw(40)
    monkeypatch.setenv("RGS_SIMD", "mmx")
    with pytest.raises(ValueError, match="RGS_SIMD=mmx: this machine runs scalar"):
        simd.chosen()
    monkeypatch.delenv("RGS_SIMD")
    assert simd.chosen() == simd.available()[-1]


def test_draws_walk_the_words_of_the_sub_spin() -> None:
    """Draw i is word i % 16 of block i / 16 at counter (sub_spin << 8) | block; 2^31 halves a word."""
    bounds = [1 << 31] * 40
    for sub_spin in (0, 1, 77, (1 << 24) - 1):
        drawn, used = draw_below(KEY, 5, bounds, sub_spin=sub_spin, stream=3)
        words = [word for b in range(3) for word in block(KEY, sub_spin << 8 | b, 3, 5)]
        assert drawn == [word >> 1 for word in words[:40]]
        assert used == 40


def test_lemire_is_exactly_uniform_over_every_8_bit_word() -> None:
    for n in range(1, 256):
        counts, rejected = bounded_counts(n, bits=8)
        assert set(counts) == {256 // n}
        assert rejected == 256 % n


@pytest.mark.parametrize("n", [1, 2, 3, 5, 61, 255, 256, 257, 1000, 21845, 32767, 32768, 32769, 65534, 65535])
def test_lemire_is_exactly_uniform_over_every_16_bit_word(n: int) -> None:
    counts, rejected = bounded_counts(n, bits=16)
    assert set(counts) == {65536 // n}
    assert rejected == 65536 % n


def test_32_bit_rejection_at_the_exact_boundary() -> None:
    """The low half is rejected below 2^32 mod n and accepted from there on, checked around it."""
    rng = random.Random(2)
    for n in [3, 61, 86, 10**6 + 3, 2**31 - 1, 2**31 + 1, 2**32 - 1, *(rng.randrange(1, 2**32) for _ in range(500))]:
        threshold = 2**32 % n
        for quotient in (0, n // 2, n - 1):
            # The smallest word whose product reaches quotient * 2^32, and its neighbours.
            first = -(-quotient * 2**32 // n)
            for word in (first, first + 1, max(first - 1, 0)):
                if word < 2**32:
                    high, low = divmod(word * n, 2**32)
                    assert bounded(word, n) == (high if low >= threshold else None)


def test_known_answers_that_take_the_rejection_path() -> None:
    """Bounds near 3/4 of 2^32 reject a quarter of all words: drawn values skip exactly those."""
    n = 3 << 30
    drawn, used = draw_below(KEY, 0, [n] * 100)
    words = [word for b in range(16) for word in block(KEY, b, 0, 0)]
    kept = [word * n >> 32 for word in words if word * n % 2**32 >= 2**32 % n]
    assert drawn == kept[:100]
    assert used > 110, "the rejection path was taken"
    draws = reference.Draws(KEY, 0, 0, 0)
    assert [draws.below(n) for _ in range(100)] == drawn
    assert draws.used == used


def test_a_sub_spin_ends_after_its_last_word() -> None:
    assert draw_below(KEY, 0, [2] * WORDS_MAX)[1] == WORDS_MAX
    with pytest.raises(DrawLimitError, match="32768"):
        draw_below(KEY, 0, [2] * (WORDS_MAX + 1))


def test_words_beyond_256_blocks_are_no_other_sub_spin_s() -> None:
    """The counter holds what a block has beyond 8 bits above the number of the sub-spin, which is below 2^20."""
    draws = reference.Draws(KEY, 0, 7, 5)
    drawn, used = draw_below(KEY, 7, [2**31] * 5000, sub_spin=5)
    assert [draws.below(2**31) for _ in range(5000)] == drawn
    assert draws.used == used == 5000
    assert drawn[4095] == block(KEY, 5 << 8 | 255, 0, 7)[15] >> 1
    assert drawn[4096] == block(KEY, 1 << 28 | 5 << 8, 0, 7)[0] >> 1
    last = draw_below(KEY, 7, [2**31] * WORDS_MAX, sub_spin=2**20 - 1)[0][-1]
    assert last == block(KEY, 2**31 - 1, 0, 7)[15] >> 1


def test_numpy_takes_the_generator() -> None:
    generator = np.random.Generator(ChaCha20(KEY, stream=0))  # type: ignore[arg-type]
    words = [word for b in range(4) for word in block(KEY, b, 0, 0)]
    assert generator.integers(0, 2**32, 64, dtype=np.uint32).tolist() == words
    pair = words[0] | words[1] << 32
    generator = np.random.Generator(ChaCha20(KEY, stream=0))  # type: ignore[arg-type]
    assert generator.random() == (pair >> 11) / 2**53
    assert 0 < generator.standard_normal(1000).std() < 2


def test_the_generator_continues_into_the_next_nonce() -> None:
    assert ChaCha20(KEY, 7).random_raw(3) == list(block(KEY, 0, 2, 7)[:3])
    assert ChaCha20(KEY, 7).random_raw() == block(KEY, 0, 2, 7)[0]


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytearray(32), "0" * 32, None])
def test_keys_of_another_form_are_refused(key: object) -> None:
    with pytest.raises(SeedError, match="32 bytes"):
        ChaCha20(key)  # type: ignore[arg-type]


def test_seeds() -> None:
    """Commitment and key against values computed with openssl (see docs/rng.md)."""
    seed = bytes(31) + b"\x01"
    assert commitment(seed) == "ec4916dd28fc4c10d78e287ca5d9cc51ee1ae73cbfde08c6b37324cbfaac8bc5"
    assert derive_key(seed, "client").hex() == "602176b651aea9f549c565bc1aa2d7564049cc02c9348ccd77c53a15433b96e7"
    assert parse_server_seed(seed.hex()) == seed
    for bad in ("", "00", "zz" * 32):
        with pytest.raises(SeedError, match="64 hex digits"):
            parse_server_seed(bad)
    with pytest.raises(SeedError, match="256 bytes"):
        derive_key(seed, "é" * 129)


def test_a_real_spin_whose_second_draw_is_rejected() -> None:
    """Found by searching 2^29 spins of reels 47/53/59/61/43: five stops take six words."""
    key = struct.pack("<8I", *((0x9E3779B9 * (i + 1)) % 2**32 for i in range(8)))
    assert draw_below(key, 6348756, [47, 53, 59, 61, 43], stream=1) == ([36, 11, 36, 54, 37], 6)


def test_spins_of_a_game_that_rejects_a_quarter_of_its_words() -> None:
    """Stop weights that add up to 3 * 2^29: known answers through engine and reference."""
    strip = " ".join(["A:16777216", "B:16777216", "C:16777216"] * 32)
    text = f"""
        format = 1
        id = "rejecting"
        title = "Rejecting"
        version = "1"
        symbols = ["A", "B", "C"]
        stake = {{ units = 1 }}
        grid = {{ reels = 3, rows = 1 }}
        evaluators.lines = {{ kind = "lines", paylines = ["000"], pays = {{ A = {{ 3 = 10 }} }} }}
        states.base = {{ strips = "base", evaluators = ["lines"] }}
        profiles.one.strips.base = ["{strip}", "{strip}", "{strip}"]
    """
    build = loads(text).build()
    engine = Engine(build)
    stops = [engine.spin(KEY, nonce).spins[0].stops for nonce in range(4)]
    assert stops == [(46, 39, 44), (1, 85, 84), (78, 8, 57), (93, 44, 4)]
    used = [draw_below(KEY, nonce, [3 << 29] * 3)[1] for nonce in range(4)]
    assert max(used) > 3, "at least one of them takes the rejection path"
    for nonce in range(300):
        assert engine.spin(KEY, nonce) == reference.play(build, KEY, nonce)
