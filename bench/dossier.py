"""Evidence about the generator: batteries of tests on raw words and on scaled stops, as a Markdown page.

    python bench/dossier.py [--tiny] [--weak modulo|nonce] [--out FILE]

Raw words go to dieharder and ent (Debian packages of those names) and to the NIST tests of `sp80022suite`;
what is not installed is named in the page. Scaled stops go to the battery of the library. All p-values of
a page are corrected together (Holm); the exit code is 1 when one is below the level. `--weak` puts a
faulty generator in its place, to show that the page finds it.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core import derive_key
from rgs_core._rng import draw_columns, keystream
from rgs_core.certified.battery import battery
from rgs_core.certified.significance import holm
from rgs_core.engine.simd import chosen

LEVEL = 0.001
BOUNDS = [45, 44, 22, 64, 10, 37]
KEY = derive_key(bytes(32), "dossier")
BLOCKS = 1 << 14
DIEHARDER = (0, 2, 3, 4, 8, 15, 16, 17, 100, 101, 102, 204, 205)
"""Tests by number (dieharder -l): those marked Good that take seconds."""

DIEHARDER_TINY = (100, 101)


@dataclass(frozen=True)
class Result:
    suite: str
    test: str
    p: float


def raw(weak: str | None) -> Iterator[bytes]:
    """Endless raw words, as rounds use them: the first block of each nonce."""
    nonce = 0
    while True:
        words = np.array(keystream(KEY, 0, 0, nonce, BLOCKS, by_nonce=True, simd=chosen()), dtype="<u4")
        nonce += BLOCKS
        if weak == "nonce":
            words = np.repeat(words.reshape(-1, 16), 2, axis=0).reshape(-1)
        elif weak == "modulo":
            words = words % np.uint32(3_000_000_000)
        yield words.tobytes()


def stops(spins: int, weak: str | None) -> NDArray[np.uint32]:
    """Scaled stops: uint32[reels, spins]."""
    out = np.zeros((len(BOUNDS), spins), dtype=np.uint32)
    draw_columns(KEY, 0, BOUNDS, out, simd=chosen())
    if weak == "nonce":
        return np.repeat(out[:, : -(-spins // 2)], 2, axis=1)[:, :spins]
    if weak == "modulo":
        words = np.zeros((len(BOUNDS), spins), dtype=np.uint32)
        draw_columns(KEY, 0, [256] * len(BOUNDS), words, simd=chosen())
        return words % np.array(BOUNDS, dtype=np.uint32)[:, None]
    return out


def fed(command: list[str], size: int | None, weak: str | None) -> str:
    """Output of a program that reads raw words from its standard input."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    sent = 0
    try:
        for data in raw(weak):
            process.stdin.write(data if size is None else data[: size - sent])
            sent += len(data)
            if size is not None and sent >= size:
                break
        process.stdin.close()
    except BrokenPipeError:
        pass
    text = process.stdout.read().decode()
    process.wait()
    return text


def dieharder(weak: str | None, tests: tuple[int, ...]) -> Iterator[Result]:
    shown = ["-D", "test_name", "-D", "ntuple", "-D", "pvalues"]
    for number in tests:
        text = fed(["dieharder", "-g", "200", "-d", str(number), *shown], None, weak)
        for line in text.splitlines():
            name, size, p = line.split("|")
            yield Result("dieharder", f"{name.strip()} {size.strip()}", float(p))


def nist(weak: str | None, bits: int) -> Iterator[Result]:
    import sp80022suite

    data = b"".join(part for part, _ in zip(raw(weak), range(bits // 8 // (64 * BLOCKS) + 1), strict=False))
    sample = np.unpackbits(np.frombuffer(data[: bits // 8], dtype=np.uint8)).tobytes()
    calls: dict[str, tuple[Any, ...]] = {
        "frequency": (), "block_frequency": (128,), "cumulative_sums": (), "runs": (), "longest_run_of_ones": (),
        "rank": (), "discrete_fourier_transform": (), "universal": (), "approximate_entropy": (10,), "serial": (16,),
        "linear_complexity": (500,), "overlapping_template_matchings": (9,),
    }  # fmt: skip
    for name, extra in calls.items():
        values = getattr(sp80022suite, name)(*extra, sample)
        for i, p in enumerate(np.atleast_1d(np.asarray(values, dtype=np.float64)).tolist()):
            yield Result("NIST SP 800-22", f"{name}{f' {i + 1}' if i else ''}", p)


def ent(weak: str | None, size: int) -> tuple[Result, str]:
    from scipy.stats import chi2

    text = fed(["ent", "-t"], size, weak)
    _, count, entropy, statistic, mean, _, correlation = text.splitlines()[1].split(",")
    upper = float(chi2.sf(float(statistic), 255))
    shown = f"{int(count):,} bytes: entropy {entropy} bits a byte, mean {mean}, serial correlation {correlation}"
    return Result("ent", "chi-square of bytes, two-sided", 2 * min(upper, 1 - upper)), shown


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="few tests on little data: only that it works")
    arguments.add_argument("--weak", choices=["modulo", "nonce"], help="a faulty generator in place of ours")
    arguments.add_argument("--out", type=Path, help="the page (default: standard output)")
    args = arguments.parse_args()
    results: list[Result] = []
    remarks: list[str] = []
    spins = 300_000 if args.tiny else 4_000_000
    results += [Result("scaled stops", name, p) for name, p in battery(stops(spins, args.weak), BOUNDS)]
    if shutil.which("ent"):
        result, shown = ent(args.weak, 10**6 if args.tiny else 10**8)
        results.append(result)
        remarks.append(f"ent: {shown}.")
    else:
        remarks.append("ent is not installed.")
    if shutil.which("dieharder"):
        results += dieharder(args.weak, DIEHARDER_TINY if args.tiny else DIEHARDER)
    else:
        remarks.append("dieharder is not installed.")
    try:
        results += nist(args.weak, 10**6)
    except ImportError:
        remarks.append("sp80022suite is not installed.")
    adjusted = holm([result.p for result in results])
    failed = [result for result, p in zip(results, adjusted, strict=True) if p < LEVEL]
    text = page(results, adjusted, remarks, failed, args.weak, spins)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text, "utf-8")
        print(f"wrote {args.out}: {len(results)} p-values, {len(failed)} failed", file=sys.stderr)
    else:
        print(text)
    return 1 if failed else 0


def page(
    results: list[Result], adjusted: list[float], remarks: list[str], failed: list[Result], weak: str | None, spins: int
) -> str:
    verdict = "**FAILED**: " + ", ".join(f"{r.suite} {r.test}" for r in failed) if failed else "All passed."
    lines = [
        "# Evidence about the generator" + (f" (planted fault: {weak})" if weak else ""),
        "",
        f"{verdict} {len(results)} p-values, corrected together (Holm); level {LEVEL}. Smallest corrected p-value "
        f"{min(adjusted):.4f}.",
        "",
        f"ChaCha20 ({chosen()} lanes, {platform.machine()}), key = derive_key(32 zero bytes, \"dossier\"). Raw words are the "
        f"first block of consecutive nonces; stops are {spins:,} spins of reels with {', '.join(map(str, BOUNDS))} stops.",
        "",
        *(f"- {remark}" for remark in remarks),
        "",
        "| suite | test | p | corrected |",
        "|---|---|---|---|",
        *(f"| {r.suite} | {r.test} | {r.p:.6f} | {p:.4f} |" for r, p in zip(results, adjusted, strict=True)),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
