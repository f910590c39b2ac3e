"""From a key to numbers: ChaCha20 words, unbiased integers, weighted tables (docs/rng.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol, TypeVar

from rgs_core.errors import DrawLimitError
from rgs_core.language.mechanics import Odds, Table
from rgs_core.language.model import Strip

WORDS_PER_SUB_SPIN = 2**15

T = TypeVar("T")


class Numbers(Protocol):
    """What the rules ask for whenever something is drawn. Everything random goes through these two."""

    def below(self, n: int) -> int:
        """An integer in [0, n), every value equally likely."""
        ...

    def index(self, weights: Sequence[int]) -> int:
        """The place of an entry, each as likely as its weight."""
        ...


# --- Tables ----------------------------------------------------------------------------------------


def draw_stop(strip: Strip, numbers: Numbers) -> int:
    """A stop of a reel: the weights are laid end to end and a number below their sum falls on one."""
    return numbers.index(strip.weights)


def succeeds(odds: Odds | None, numbers: Numbers) -> bool:
    """Whether odds succeed, by one draw; without odds always, and nothing is drawn."""
    return odds is None or numbers.index([odds.chance, odds.out_of - odds.chance]) == 0


def draw_table(table: Table, numbers: Numbers) -> int:
    """A value of a weighted table, drawn the same way. This takes a word even when there is one entry."""
    return table.values[numbers.index(table.weights)]


def draw_unless_one(entries: Sequence[T], weights: Sequence[int], numbers: Numbers) -> T:
    """An entry of a table where a single entry needs no draw and takes no word."""
    return entries[0] if len(entries) == 1 else entries[numbers.index(weights)]


def index_at(weights: Sequence[int], drawn: int) -> int:
    """The entry that a number in [0, sum of weights) falls on."""
    for index, weight in enumerate(weights):
        if drawn < weight:
            return index
        drawn -= weight
    raise AssertionError("the number was not below the sum of the weights")


# --- Words -----------------------------------------------------------------------------------------


class Draws:
    """The words of one sub-spin in order, and unbiased integers made of them."""

    def __init__(self, key: bytes, stream: int, nonce: int, sub_spin: int) -> None:
        self.key = key
        self.stream = stream
        self.nonce = nonce
        self.sub_spin = sub_spin
        self.used = 0
        self.block: tuple[int, ...] = ()

    def word(self) -> int:
        """The next 32-bit word: word i % 16 of block i / 16. A sub-spin has 32,768 words."""
        if self.used == WORDS_PER_SUB_SPIN:
            raise DrawLimitError(f"more than {WORDS_PER_SUB_SPIN} words in one sub-spin")
        number, place = divmod(self.used, 16)
        if place == 0:
            self.block = self.block_at(number)
        self.used += 1
        return self.block[place]

    def block_at(self, number: int) -> tuple[int, ...]:
        """Words 16 * number and on of the sub-spin. Rounds have fewer than 2^20 spins, so what the number of the block
        has beyond 8 bits stands above that of the sub-spin."""
        further, low = divmod(number, 256)
        return chacha20_block(self.key, further << 28 | self.sub_spin << 8 | low, self.stream, self.nonce)

    def below(self, n: int) -> int:
        """An integer in [0, n), every value exactly equally likely.

        The word times n is split at bit 32: the high part is the result. 2^32 mod n words too many
        would favour some results; they are those whose low part is below that remainder, and they
        are thrown away (Lemire, ACM TOMACS 29(1), 2019).
        """
        while True:
            high, low = divmod(self.word() * n, 2**32)
            if low >= 2**32 % n:
                return high

    def index(self, weights: Sequence[int]) -> int:
        """An entry by weight: one integer below the sum of the weights, which are laid end to end."""
        return index_at(weights, self.below(sum(weights)))


def chacha20_block(key: bytes, counter: int, stream: int, nonce: int) -> tuple[int, ...]:
    """RFC 8439, section 2.3: sixteen 32-bit words for a key, a block counter and a 96-bit nonce.

    Our nonce field is the stream number followed by the 64-bit spin nonce, little endian.
    """
    constants = struct.unpack("<4I", b"expand 32-byte k")
    initial = [*constants, *struct.unpack("<8I", key), counter, stream, nonce % 2**32, nonce // 2**32]
    x = list(initial)
    for _ in range(10):
        for a, b, c, d in COLUMNS + DIAGONALS:
            quarter_round(x, a, b, c, d)
    return tuple((word + start) % 2**32 for word, start in zip(x, initial, strict=True))


COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
DIAGONALS = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439, section 2.1."""
    for left, right, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[left] = (x[left] + x[right]) % 2**32
        mixed = x[target] ^ x[left]
        x[target] = (mixed << bits | mixed >> (32 - bits)) % 2**32
