from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from rgs_core._round import Round
from rgs_core.engine.lanes import LaneTable
from rgs_core.engine.tables import Tables
from rgs_core.exact.spin_law import SpinLaw
from rgs_core.language.model import Build

COUNTED_MAX: int
MATCHES_MAX: int

_Columns: TypeAlias = Sequence[
    tuple[
        NDArray[np.uint8],
        NDArray[np.uint8],
        NDArray[np.int32] | None,
        NDArray[np.uint64],
        NDArray[np.int64],
        NDArray[np.uint64],
    ]
]
"""What the reels may show, as `Engine.pruned` takes it."""

@final
class Engine:
    build: Build
    tables: Tables
    lane_tables: tuple[LaneTable, ...]
    simd: str
    general_because: str
    @property
    def kernel(self) -> str: ...
    def __new__(cls, build: Build, *, simd: str | None = None) -> Engine: ...
    def win(self, key: bytes, nonce: int, *, stream: int = 0) -> int: ...
    def spin(self, key: bytes, nonce: int, *, stream: int = 0) -> Round: ...
    def simulate(
        self,
        key: bytes,
        first_nonce: int,
        n: int,
        *,
        stream: int = 0,
        edges: Sequence[int] = (),
        wins: NDArray[np.int64] | None = None,
    ) -> dict[str, Any]: ...
    def wins_given(
        self, key: bytes, first_nonce: int, given: NDArray[np.integer[Any]], *, stream: int = 0
    ) -> NDArray[np.int64]: ...
    def wins(self, key: bytes, first_nonce: int, n: int, *, stream: int = 0) -> NDArray[np.int64]: ...
    def joint(
        self,
        state_index: int,
        counted: Sequence[Mapping[str, int]],
        *,
        merge: bool = True,
        specials: Sequence[int] = (),
        held: tuple[int, int, Sequence[int]] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint16], NDArray[np.object_], NDArray[np.uint32]]: ...
    def prefixes(self, state_index: int, columns: _Columns, order: Sequence[int], added: Sequence[int]) -> int: ...
    def pruned(
        self,
        state_index: int,
        columns: _Columns,
        order: Sequence[int],
        added: Sequence[int],
        *,
        limit: int,
        merging: bool = False,
        threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.object_]]: ...
    def combinations(self, state_index: int) -> int: ...
    @staticmethod
    def held_memory(cells: Sequence[tuple[int, int, int]]) -> bytes: ...
    @staticmethod
    def held_cells(memory: bytes) -> tuple[tuple[int, int, int], ...]: ...
    def paths(self, state_index: int, most: int) -> int | None: ...
    def spin_law(
        self,
        state_index: int,
        *,
        specials: Sequence[int] = (),
        memory: bytes = b"",
        first: bool | None = None,
        last: bool = False,
        limit: int | None = None,
        threads: int | None = None,
    ) -> SpinLaw: ...

def memory_state(memory: bytes) -> int | None: ...
