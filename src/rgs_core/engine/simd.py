"""Which instruction set the compiled loops use. Every choice gives the same bits.

The fastest that the machine has is taken; the environment variable RGS_SIMD forces another.
"""

from __future__ import annotations

import os

from rgs_core._rng import SIMD_NAMES, simd_runs


def available() -> list[str]:
    """Names of the sets that this machine runs, slowest first."""
    return [name for name in SIMD_NAMES if simd_runs(name)]


def chosen() -> str:
    """The set in use: RGS_SIMD, or the fastest available. ValueError names what can be chosen."""
    names = available()
    wanted = os.environ.get("RGS_SIMD", "")
    if wanted and wanted not in names:
        raise ValueError(f"RGS_SIMD={wanted}: this machine runs {', '.join(names)}")
    return wanted or names[-1]
