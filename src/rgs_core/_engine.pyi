from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rgs_core.lanes import LaneTable
from rgs_core.model import Build
from rgs_core.outcome import Outcome, Spin
from rgs_core.tables import Tables

PARTS: tuple[str, ...]
COUNTED_MAX: int

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
    def wins(self, key: bytes, first_nonce: int, n: int, *, stream: int = 0) -> NDArray[np.int64]: ...
    def joint(
        self, state_index: int, counted: Sequence[int], *, merge: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint16], NDArray[np.object_]]: ...

@final
class Round:
    win_units: int
    @property
    def outcome(self) -> Outcome: ...
    @property
    def spins(self) -> tuple[Spin, ...]: ...
    def as_dict(self) -> dict[str, Any]: ...
    def digest(self) -> str: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
