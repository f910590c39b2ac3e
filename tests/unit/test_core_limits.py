"""The compiled core at its limits: what a hostile reading found, kept found."""

from __future__ import annotations

import itertools
import random
import signal
import time
from typing import Any

import numpy as np
import pytest

from rgs_core import Engine, Round, games
from rgs_core._rng import draw_below, draw_columns, keystream
from rgs_core.engine import simd
from rgs_core.errors import AnalysisError, ModelError
from rgs_core.exact.closed_form import spin_figures
from rgs_core.exact.joint import joint_law, lines_refused, visited_joint
from rgs_core.language.model_file import load, loads
from rgs_core.reference import play

KEY = bytes(32)
HEAD = 'format = 1\nid = "limits"\ntitle = "Limits"\nversion = "1"\n'


@pytest.mark.parametrize("part", ["scatter", "lines"])
def test_batches_of_the_largest_wins_do_not_overflow(part: str) -> None:
    """1,024 rounds of 10^16 units are more than 2^63: such a build is played by the general kernel."""
    evaluator = (
        'kind = "scatter"\nsymbol = "A"\nof = "total_bet"\npays = { 3 = 100000000 }'
        if part == "scatter"
        else 'kind = "lines"\npaylines = ["000"]\npays.A = { 3 = 100000000 }'
    )
    build = loads(
        f'{HEAD}symbols = ["A", "B"]\n[stake]\nunits = 100000\nline_units = 100000\n[grid]\nreels = 3\nrows = 1\n'
        f'[evaluators.e]\n{evaluator}\n[states.base]\nstrips = "base"\nevaluators = ["e"]\nmultiplier = 1000\n'
        '[profiles.one.strips]\nbase = ["A", "A", "A"]\n'
    ).build()
    engine = Engine(build)
    assert "sums of a batch" in engine.general_because
    totals = engine.simulate(KEY, 0, 1024)
    assert totals["win"] == sum(totals["parts"][0].values()) == 1024 * 10**16


def test_a_round_comes_from_an_engine() -> None:
    with pytest.raises(TypeError, match="from Engine"):
        Round()
    with pytest.raises(ValueError, match="no engine"):
        hash(Round.__new__(Round))


def test_the_tables_of_an_engine_cannot_be_changed() -> None:
    engine = Engine(load(games.find("lantern_tide")).build())
    state, lanes = engine.tables.states[0], engine.lane_tables[0]
    arrays = [e.pays for e in state.evaluators] + [s.symbols for s in state.strips] + [t.spins for t in state.triggers]
    arrays += [state.paylines, state.readings, lanes.weights, lanes.alarm, *lanes.rows]
    weighted = Engine(load(games.find("ember_sevens")).build())
    arrays += [weighted.tables.states[0].strips[0].cumulative, weighted.lane_tables[0].stops[0]]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def pattern_model(reels: int, symbols: int) -> str:
    names = [f"s{i}" for i in range(symbols)]
    pattern = ["*"] * (reels - 1) + ["s0"]
    strip = " ".join(names)
    return (
        f"{HEAD}symbols = {names}\n[stake]\nunits = 1\n[grid]\nreels = {reels}\nrows = 1\n"
        f'[evaluators.e]\nkind = "lines"\npaylines = ["{"0" * reels}"]\n'
        f"pays.s1 = {{ {', '.join(f'{n} = {n - 2}' for n in range(3, reels + 1))} }}\n"
        f'[bonuses.p]\nkind = "pick"\nprizes = [{{ pay = 1, weight = 1 }}]\n'
        '[states.base]\nstrips = "base"\nevaluators = ["e"]\n'
        f'triggers = [{{ name = "P", kind = "pick", pattern = {pattern}, pick = "p" }}]\n'
        f"[profiles.one.strips]\nbase = {[strip] * reels}\n"
    )


def test_a_pattern_that_begins_with_anything_is_merged() -> None:
    """Prefixes that only a pattern keeps open are one class, not 20^5."""
    engine = Engine(loads(pattern_model(6, 20)).build())
    merged = engine.joint(0, [])
    assert int(merged[3].sum()) == 20**6
    small = Engine(loads(pattern_model(5, 7)).build())
    for left, right in zip(small.joint(0, []), small.joint(0, [], merge=False), strict=True):
        assert left.tolist() == right.tolist()


def many_wilds(wilds: int, symbols: int) -> str:
    """Wilds with different multipliers: a line has very many different futures."""
    paying = [f"p{i}" for i in range(symbols)]
    names = [f"w{i}" for i in range(wilds)]
    text = f"{HEAD}symbols = {names + paying}\n[stake]\nunits = 1\n[grid]\nreels = 6\nrows = 1\n"
    for i, name in enumerate(names):
        text += f'[wilds.{name}]\nsubstitutes = {paying}\nmultiplier = {i + 2}\ncombine = "product"\n'
    text += '[evaluators.e]\nkind = "lines"\npure_wild_run = "any"\npaylines = ["000000"]\n[evaluators.e.pays]\n'
    text += "".join(f"{p} = {{ 3 = {i + 1}, 4 = {i + 9}, 5 = {i + 30}, 6 = {i + 99} }}\n" for i, p in enumerate(paying))
    strip = " ".join(names + paying)
    text += f'[states.base]\nstrips = "base"\nevaluators = ["e"]\n[profiles.one.strips]\nbase = {[strip] * 6}\n'
    return text


def long_model() -> str:
    """Six tall reels, many lines, every symbol pays: minutes of merging, years of visiting."""
    rng = random.Random(1)
    lines = ["".join(row) for row in itertools.islice(itertools.product("012345", repeat=6), 0, 46656, 200)]
    text = f'{HEAD}symbols = ["A", "B", "C", "D", "E"]\n[stake]\nunits = 1\n[grid]\nreels = 6\nrows = 6\n'
    text += f'[evaluators.e]\nkind = "lines"\npaylines = {lines}\n[evaluators.e.pays]\n'
    text += "".join(f"{x} = {{ 3 = 1, 4 = {i}, 5 = {i * i}, 6 = {i**3} }}\n" for i, x in enumerate("ABCDE", 2))
    strips = [" ".join(rng.choices("ABCDE", k=120)) for _ in range(6)]
    return text + f'[states.base]\nstrips = "base"\nevaluators = ["e"]\n[profiles.one.strips]\nbase = {strips}\n'


class Stopped(Exception):
    """Raised by a signal handler of the test."""


@pytest.mark.parametrize("merge", [True, False])
def test_what_a_signal_handler_raises_is_what_comes_out(merge: bool) -> None:
    """In time, from both algorithms; not KeyboardInterrupt if it was something else."""
    engine = Engine(loads(long_model()).build())

    def stop(*_: Any) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    try:
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Stopped):
            engine.joint(0, [], merge=merge)
        assert time.monotonic() - started < 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_too_many_futures_of_a_line_are_refused_at_once() -> None:
    with pytest.raises(AnalysisError, match="too many different situations"):
        Engine(loads(many_wilds(14, 50)).build()).joint(0, [])


def test_only_integers_are_numbers() -> None:
    engine = Engine(load(games.find("ember_sevens")).build())
    for call in (
        lambda: engine.win(KEY, 1.0),  # type: ignore[arg-type]
        lambda: engine.spin(KEY, 1.5),  # type: ignore[arg-type]
        lambda: engine.simulate(KEY, 0.9, 1),  # type: ignore[arg-type]
        lambda: engine.wins(KEY, 0, 1.9),  # type: ignore[arg-type]
        lambda: engine.simulate(KEY, 0, 1, edges=[0.5]),  # type: ignore[list-item]
        lambda: draw_below(KEY, 1.9, [10]),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="integer"):
            call()
    with pytest.raises(ValueError, match="is not in"):
        draw_below(KEY, 1, [2.9])  # type: ignore[list-item]
    for number in (-1, 2**64):
        with pytest.raises(OverflowError):
            engine.win(KEY, number)
    assert engine.win(KEY, np.int64(7)) == engine.win(KEY, 7)  # type: ignore[arg-type]
    assert engine.win(KEY, 2**64 - 1) == engine.spin(KEY, 2**64 - 1).win_units


def test_nonces_do_not_wrap() -> None:
    out = np.zeros((1, 4), dtype=np.uint32)
    with pytest.raises(ValueError, match="below 2"):
        draw_columns(KEY, 2**64 - 2, [1000], out, simd=simd.chosen())
    draw_columns(KEY, 2**64 - 4, [1000], out, simd=simd.chosen())
    assert out[0, 3] == draw_below(KEY, 2**64 - 1, [1000])[0][0]
    with pytest.raises(ValueError, match="below 2"):
        keystream(KEY, 0, 0, 2**64 - 1, 2, by_nonce=True, simd=simd.chosen())


def test_edges_and_wins_are_checked() -> None:
    engine = Engine(load(games.find("ember_sevens")).build())
    with pytest.raises(ValueError, match="at most 64"):
        engine.simulate(KEY, 0, 1, edges=range(65))
    with pytest.raises(ValueError, match="ascend"):
        engine.simulate(KEY, 0, 1, edges=[2, 1])
    with pytest.raises(ValueError, match="one element a round"):
        engine.simulate(KEY, 0, 5, wins=np.zeros(4, dtype=np.int64))
    with pytest.raises(ValueError, match=r"dtype|mismatch|Buffer"):
        engine.simulate(KEY, 0, 5, wins=np.zeros(5, dtype=np.int32))  # type: ignore[arg-type]
    wins = np.zeros(5, dtype=np.int64)
    assert engine.simulate(KEY, 0, 5, wins=wins)["win"] == int(wins.sum())
    assert engine.simulate(KEY, 0, 0)["rounds"] == 0


def many_model(triggers: list[dict[str, Any]], transforms: list[dict[str, Any]], states: int = 1) -> str:
    """Two reels of five symbols with these triggers and transforms in the paid spin; features of `states` states."""

    def inline(value: object) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + " }"
        return repr(value).replace("'", '"').replace("True", "true")

    features = "".join(f'[states.f{i}]\nstrips = "base"\nevaluators = ["e"]\n' for i in range(states))
    return (
        f'{HEAD}symbols = ["A", "B", "C", "D", "E"]\n[stake]\nunits = 1\n[grid]\nreels = 2\nrows = 2\n'
        '[evaluators.e]\nkind = "lines"\npaylines = ["00", "11"]\npays = { A = { 2 = 3 }, B = { 2 = 1 } }\n'
        '[bonuses.p]\nkind = "pick"\nprizes = [{ pay = 1, weight = 1 }, { pay = 4, weight = 2 }]\n'
        f'[states.base]\nstrips = "base"\nevaluators = ["e"]\ntriggers = [{", ".join(map(inline, triggers))}]\n'
        f"transforms = [{', '.join(map(inline, transforms))}]\n{features}"
        '[profiles.one.strips]\nbase = ["A B C", "A E D B"]\n'
    )


def plays(name: str, symbol: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "bonus", "symbol": symbol, "plays": {1: 1, 2: 2}, "bonus": "p", **more}


COUNTED: list[dict[str, Any]] = [
    *(plays(f"P{symbol}", symbol) for symbol in "ABCDE"),
    *(plays(f"R{i}", symbol, reels=[2]) for i, symbol in enumerate("ABE")),
]
DECIDED = [{"name": f"L{i}", "kind": "pick", "pattern": [symbol], "pick": "p"} for i, symbol in enumerate("ABC")]
AWARDS = [
    {"name": f"F{i}", "kind": "free_spins", "symbol": symbol, "spins": {1: 1 + i}, "state": f"f{i}"}
    for i, symbol in enumerate("ABCDE")
]
CHANGES = [{"kind": "replace", "symbol": "DE"[i % 2], "into": "ABCA"[i % 4], "reels": [1 + i % 2]} for i in range(16)]


@pytest.mark.parametrize(
    ("triggers", "transforms", "states", "merges"),
    [
        ([*COUNTED, *DECIDED, *AWARDS], [], 5, True),
        ([*COUNTED, *DECIDED, *AWARDS], CHANGES, 5, True),
        ([*COUNTED, *DECIDED, {"name": "L3", "kind": "pick", "pattern": ["*", "E"], "pick": "p"}], CHANGES, 0, True),
        ([*DECIDED, *({**trigger, "name": f"M{i}"} for i, trigger in enumerate(DECIDED))], [], 0, False),
        ([*COUNTED, plays("R9", "A", reels=[1])], [], 0, False),
    ],
)
def test_many_triggers_and_transforms(
    triggers: list[dict[str, Any]], transforms: list[dict[str, Any]], states: int, merges: bool
) -> None:
    """Rounds are those of the reference; merging and every combination agree, or merging refuses."""
    build = loads(many_model(triggers, transforms, states)).build()
    engine = Engine(build)
    for nonce in range(60):
        assert engine.spin(KEY, nonce) == play(build, KEY, nonce)
    state = build.model.states["base"]
    assert (lines_refused(build.model, state) == "") == merges
    visited = visited_joint(engine, 0, engine.spin_law(0))
    joint = joint_law(engine, 0)
    assert (joint.method == "merging") == merges
    assert joint.by_award() == visited.by_award()
    assert joint.plays_mean() == visited.plays_mean()
    assert joint.mean_parts() == visited.mean_parts()
    if not transforms:
        assert dict(spin_figures(build, state).parts) == joint.mean_parts()


@pytest.mark.parametrize(
    ("direction", "transforms", "method"),
    [
        ("both", [], "merging"),
        ("adjacent", [], "merging"),
        ("left", [{"kind": "reveal", "symbol": "D", "table": {"A": 1, "B": 2}, "each": "reel"}], "pruned enumeration"),
    ],
)
def test_triggers_that_lines_decide_behind_many_others(
    direction: str, transforms: list[dict[str, Any]], method: str
) -> None:
    """What they find is kept by their place among those that lines decide, not by that among all."""
    won = {"name": "W", "kind": "win_spins", "evaluator": "e", "spins": {"A": {2: 2}, "B": {2: 1}}, "state": "f0"}
    text = many_model([*COUNTED[:5], won, *DECIDED], transforms).replace(
        "pays = { A", f'direction = "{direction}"\npays = {{ A', 1
    )
    engine = Engine(loads(text).build())
    joint, visited = joint_law(engine, 0), visited_joint(engine, 0, engine.spin_law(0))
    assert joint.method == method
    assert joint.by_award() == visited.by_award()
    assert joint.plays_mean() == visited.plays_mean()
    assert any(awards for _, awards in joint.by_award().items())
    assert all(joint.plays_mean()[trigger["name"]] > 0 for trigger in DECIDED)


def test_more_triggers_or_transforms_than_a_state_has() -> None:
    triggers = [plays(f"T{i}", "A") for i in range(17)]
    with pytest.raises(ModelError, match=r"states.base.triggers \(line \d+\): 17 entries; give 0 to 16"):
        loads(many_model(triggers, [], 0))
    with pytest.raises(ModelError, match=r"states.base.transforms \(line \d+\): 17 entries; give 0 to 16"):
        loads(many_model([plays("T", "A")], [*CHANGES, CHANGES[0]], 0))


def test_symbols_and_groups_have_64_numbers() -> None:
    """Lines read a cell as a set of 64 bits."""
    groups = "".join(f'g{i} = ["A", "B"]\n' for i in range(60))
    text = many_model([plays("T", "A")], [], 0).replace("[stake]", f"[groups]\n{groups}[stake]")
    with pytest.raises(ModelError, match=r"60 groups beside 5 symbols; use at most 64 symbols and groups together"):
        loads(text)
