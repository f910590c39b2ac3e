from array import array
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Literal, final, overload

import numpy as np
from numpy.typing import NDArray

WORDS_MAX: int
STREAM_OUTCOME: int
STREAM_STATISTICS: int

SIMD_NAMES: tuple[str, ...]

def simd_runs(name: str) -> bool: ...
def keystream(
    key: bytes, counter: int, stream: int, nonce: int, blocks: int, *, by_nonce: bool = False, simd: str
) -> array[int]: ...
def draw_columns(
    key: bytes,
    nonce: int,
    bounds: Sequence[int],
    out: NDArray[np.uint32],
    *,
    sub_spin: int = 0,
    stream: int = 0,
    simd: str,
) -> None: ...
def block(key: bytes, counter: int, stream: int, nonce: int) -> tuple[int, ...]: ...
def draw_below(
    key: bytes, nonce: int, bounds: Iterable[int], *, sub_spin: int = 0, stream: int = 0
) -> tuple[list[int], int]: ...
def bounded(word: int, n: int, *, bits: Literal[8, 16, 32] = 32) -> int | None: ...
def bounded_counts(n: int, *, bits: int = 8) -> tuple[array[int], int]: ...

@final
class ChaCha20:
    capsule: object
    lock: Lock
    def __new__(cls, key: bytes, nonce: int = 0, *, stream: int = 2, simd: str | None = None) -> ChaCha20: ...
    @overload
    def random_raw(self, size: None = None) -> int: ...
    @overload
    def random_raw(self, size: int) -> list[int]: ...
