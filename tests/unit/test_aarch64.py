"""The same lanes on another processor: kernels cross-compiled for aarch64 (NEON) and run under qemu-user.

Skipped where the cross compiler or qemu is missing (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross,
qemu-user). The program gets the compiled tables of a shipped game as C arrays and prints totals and words.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rgs_core import Engine, derive_key, games
from rgs_core._rng import keystream
from rgs_core.engine.tables import Fields, StateTable, WeightTable
from rgs_core.language.model_file import load

COMPILER, QEMU = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
HEADERS = Path(__file__).parents[2] / "ext/rgs_core"
KEY = derive_key(bytes(32), "aarch64")
ROUNDS = 20_000


class Source:
    """C source under construction: arrays first, then assignments."""

    def __init__(self) -> None:
        self.arrays: list[str] = []
        self.statements: list[str] = []

    def array(self, kind: str, values: NDArray[np.generic]) -> str:
        name = f"a{len(self.arrays)}"
        flat = ",".join(str(value) + ("u" if kind.startswith("u") else "") for value in values.reshape(-1).tolist())
        self.arrays.append(f"static const {kind} {name}[] = {{{flat}}};")
        return name

    def set(self, place: str, **values: object) -> None:
        self.statements += [f"{place}{name} = {value};" for name, value in values.items()]

    def table(self, place: str, table: WeightTable) -> None:
        values, cumulative = self.array("int64_t", table.values), self.array("uint32_t", table.cumulative)
        self.set(place, length=len(table.values), total=table.cumulative[-1], fixed=int(table.fixed))
        self.set(place, values=values, cumulative=cumulative)

    def fields(self, place: str, fields: Fields) -> None:
        """Members of a C struct by name: numbers, and arrays of the type that they have here."""
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                self.set(place, **{name: self.array(f"{value.dtype}_t", value)})
            elif value is not None:
                self.set(place, **{name: int(value)})


def program(engine: Engine) -> str:
    """A program with the tables of a build whose triggers are free spins only."""
    source, model, tables = Source(), engine.build.model, engine.tables
    source.set(
        "game.",
        reels=model.reels,
        rows=model.rows,
        symbols_count=len(model.symbols),
        states_count=len(tables.states),
        start_spins=1,
        free_spins_max=model.free_spins_max,
        win_units_max=tables.win_units_max,
        has_lanes=1,
    )
    for index in range(64):
        source.set("game.", **{f"wild_multiplier[{index}]": 1})
    for wild in model.wilds.values():
        source.set("game.", **{f"wild[{model.symbols.index(wild.symbol)}]": 1})
        assert wild.multiplier == 1
    for s, (state, lanes) in enumerate(zip(tables.states, engine.lane_tables, strict=True)):
        _state(source, f"game.states[{s}].", state)
        place = f"game.lanes[{s}]."
        for r, rows in enumerate(lanes.rows):
            total = state.strips[r].total
            source.set(place, **{f"rows[{r}]": source.array("uint8_t", rows), f"bounds[{r}]": total})
            source.set(place, **{f"rejects[{r}]": 2**32 % total})
        source.set(
            place,
            row_bytes=lanes.row_bytes,
            chunks=lanes.chunks,
            limbs=lanes.limbs,
            count_from=lanes.count_from,
            pay_unit=lanes.pay_unit,
            weights=source.array("int8_t", lanes.weights),
            alarm=source.array("uint8_t", lanes.alarm),
            counts_bias=f"{lanes.counts_bias}ull",
            counts_flags=f"{lanes.counts_flags}ull",
            wild_flag=f"{lanes.wild_flag}ull",
            exact_alarm=int(lanes.exact_alarm),
        )
        slots = {"evaluator_slot": lanes.evaluator_slots, "trigger_slot": lanes.trigger_slots}
        for name, numbers in slots.items():
            source.set(place, **{f"{name}[{i}]": slot for i, slot in enumerate(numbers)})
    words = ",".join(f"{int.from_bytes(KEY[i : i + 4], 'little')}u" for i in range(0, 32, 4))
    return "\n".join([
        '#include <stdio.h>\n#include "kernels.h"',
        *source.arrays,
        "static rgs_game game;",
        "int main(void) {",
        *source.statements,
        f"const uint32_t key[8] = {{{words}}}; uint32_t out[16 * 9]; static rgs_totals totals;",
        "rgs_keystream_for(RGS_SIMD_V128)(key, 4294967290u, 2, 1311768467463790320ull, 0, 9, out);",
        'for (int i = 0; i < 16 * 9; i++) printf("%u ", out[i]);',
        "for (uint32_t simd = 0; simd < 2; simd++) {",
        "totals = (rgs_totals){0};",
        f"if (rgs_kernel_for(&game, simd)(&game, key, 0, 4294957296ull, {ROUNDS}, &totals, NULL)) return 1;",
        'printf("\\n%llu %llu %llu %llu %llu", (unsigned long long)totals.win, (unsigned long long)totals.win_squared,'
        " (unsigned long long)totals.hits, (unsigned long long)totals.spins[1],"
        " (unsigned long long)totals.win_max_nonce);",
        "} return 0; }",
    ])  # fmt: skip


def _state(source: Source, place: str, state: StateTable) -> None:
    for r, strip in enumerate(state.strips):
        symbols, shows = source.array("uint8_t", strip.symbols), source.array("uint64_t", strip.shows)
        source.set(f"{place}sets[0][{r}].", length=strip.length, total=strip.total, symbols=symbols, shows=shows)
    source.table(f"{place}set_choice.", state.set_choice)
    for r, heights in enumerate(state.heights):
        source.table(f"{place}heights[{r}].", heights)
        source.set(place, **{f"fixed_heights[{r}]": heights.values[0]})
    source.fields(place, state.fields)
    source.set(place, evaluators_count=len(state.evaluators), triggers_count=len(state.triggers))
    for e, evaluator in enumerate(state.evaluators):
        source.fields(f"{place}evaluators[{e}].", {"symbol": evaluator.symbol, "pays": evaluator.pays})
        source.fields(f"{place}evaluators[{e}].", evaluator.fields)
    for t, trigger in enumerate(state.triggers):
        source.fields(f"{place}triggers[{t}].", {"symbol": trigger.symbol, "spins": trigger.spins})
        source.fields(f"{place}triggers[{t}].", trigger.fields)
    arrays = {"paylines": state.paylines, "cell_lines": state.cell_lines, "readings": state.readings}
    source.fields(place, {**arrays, "naturals": state.naturals, "count_min": state.count_min})
    source.set(place, paylines_count=len(state.paylines), pure_wild_run=int(state.pure_wild_run))


@pytest.mark.skipif(not COMPILER or not QEMU, reason="no aarch64 cross compiler or no qemu-aarch64")
def test_aarch64_plays_the_same_rounds(tmp_path: Path) -> None:
    engine = Engine(load(games.find("lantern_tide")).build())
    (tmp_path / "lanes.c").write_text(program(engine))
    compile_it = [str(COMPILER), "-std=gnu11", "-O3", "-w", "-static", f"-I{HEADERS}", "lanes.c", "-o", "lanes"]
    subprocess.run(compile_it, cwd=tmp_path, check=True, timeout=120)
    shown = subprocess.run(
        [str(QEMU), "./lanes"], cwd=tmp_path, check=True, timeout=120, capture_output=True, text=True
    )
    words, scalar, neon = shown.stdout.splitlines()
    first = 2**32 - 6
    expected = keystream(KEY, first, 2, 1311768467463790320, 9, simd="scalar").tolist()
    assert list(map(int, words.split())) == expected
    totals = engine.simulate(KEY, 2**32 - 10_000, ROUNDS)
    here = [totals["win"], totals["win_squared"], totals["hits"], totals["spins"][1], totals["win_max_nonce"]]
    assert list(map(int, scalar.split())) == here
    assert list(map(int, neon.split())) == here
