"""Laws by merging and by pruned enumeration equal playing every combination of draws, on random states of all words that
they know; and what each costs."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from rgs_core import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.columns import cases
from rgs_core.exact.joint import EVERY, MERGING, PRUNED, SIZES, WAYS, Joint, joint_law
from rgs_core.exact.joint_pruned import Reading
from rgs_core.language.model_file import loads

SYMBOLS = ["A", "B", "C", "W", "S", "V", "P"]
slow_data = list(HealthCheck)


def table(entries: dict[int, int]) -> str:
    return "{ " + ", ".join(f"{k} = {v}" for k, v in entries.items()) + " }"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A game of one state and its free spins, whose transforms look at single reels."""
    reels, rows = draw(st.sampled_from([(3, 1), (3, 2), (4, 2), (3, 3), (5, 1)]))
    cells = reels * rows

    def pays(most: int, full: bool) -> str:
        tables = []
        for symbol in draw(st.lists(st.sampled_from("ABC"), unique=True, min_size=1)):
            first = draw(st.integers(1 if full else 2, min(most, 4)))
            last = most if full else draw(st.integers(first, most))
            tables.append(
                f"{symbol} = {table({n: draw(st.sampled_from([0, 1, 2, 30])) for n in range(first, last + 1)})}"
            )
        return "{ " + ", ".join(tables) + " }"

    values = draw(st.booleans())

    def cell_values(*rules: str) -> str:
        return f'cell_values = "{draw(st.sampled_from(["ignore", *rules]))}"\n' if values else ""

    paylines = draw(st.lists(st.tuples(*[st.sampled_from("012"[:rows])] * reels), min_size=1, max_size=4, unique=True))
    lined = f"paylines = {[''.join(line) for line in paylines]!r}"
    combos = [["any"] + [draw(st.sampled_from(["A", "B", "any", "*"])) for _ in range(reels - 2)] + [x] for x in "AB"]
    kinds = {
        "lines": f"{lined}\npays = {pays(reels, True)}\n" + cell_values("product", "sum", "highest")
        + f'direction = "{draw(st.sampled_from(["left", "right", "both", "adjacent"]))}"\n'
        + draw(st.sampled_from(["", "", "full_grid = { A = 2 }\n"])),
        "combinations": f"{lined}\ncombinations = ["
        + ", ".join(
            f"{{ symbols = {combo!r}, pay = {pay}, any_order = {str(draw(st.booleans())).lower()} }}"
            for pay, combo in zip((7, 40), combos, strict=True)
        )
        + "]\n",
        "ways": f"pays = {pays(reels, True)}\n" + cell_values("product")
        + f'direction = "{draw(st.sampled_from(["left", "right", "both"]))}"\n',
        "count": f"pays = {pays(cells, False)}\nwilds = {str(draw(st.booleans())).lower()}\n" + cell_values("sum"),
        "cluster": f"pays = {pays(cells, False)}\nneighbours = {draw(st.sampled_from([4, 6]))}\n" + cell_values("sum"),
        "scatter": f'symbol = "S"\nof = "total_bet"\npays = {{ 2 = 3, 3 = 5 }}\nstopped = {str(draw(st.booleans())).lower()}\n',
        "collect": 'symbol = "V"\n' + draw(st.sampled_from(["", "count_min = 2\n", 'collector = "W"\n'])),
    }  # fmt: skip
    used = draw(st.lists(st.sampled_from(sorted(kinds)), unique=True, min_size=1, max_size=3))
    if {"lines", "combinations"} <= set(used):
        used.remove("lines")
    values = values or "collect" in used
    double = ["A2"] if "lines" not in used else []
    draws = {
        "reveal": f'symbol = "P"\ntable = {{ A = 2, W = 1, V = 1 }}\neach = "{draw(st.sampled_from(["spin", "reel", "cell"]))}"',
        "expand": 'symbol = "W"' + draw(st.sampled_from(["", "\nreels = [2]"])),
        "replace": 'symbol = "B"\ninto = "C"',
        "values": f'symbols = ["V", "A"]\ntable = {{ 2 = 1, 3 = 2 }}\neach = "{draw(st.sampled_from(["reel", "cell"]))}"',
        "fill": 'symbol = "W"\nreels = { 0 = 3, 1 = 1 }',
        "multiplier": "table = { 1 = 2, 2 = 1 }",
    }
    chosen = draw(st.lists(st.sampled_from(sorted(draws)), unique=True, max_size=2)) + (["values"] if values else [])
    state = draw(st.sampled_from(["", "", 'draw = "cell"\n', "linked = { none = 1, '1-2' = 2 }\n"]))
    if not {"lines", "combinations"} & set(used) and rows > 1:
        state += draw(st.sampled_from(["", f"rows = [{', '.join(['{ 1 = 1, 2 = 2 }'] * reels)}]\n"]))
    out = [
        "format = 1\nid = 'random'\ntitle = 'Random'\nversion = '1'",
        f"symbols = {[*SYMBOLS, *double]!r}\n[stake]\nunits = 10\n[grid]\nreels = {reels}\nrows = {rows}\n[caps]\nfree_spins = 9",
        '[groups]\nany = ["A", "B"]' if "combinations" in used else "",
        '[doubles.A2]\nsymbol = "A"\ncount = 2' if double else "",
    ]
    text = "\n".join(kinds[name] for name in used)
    helping = [kinds[name] for name in used if name != "count" or "wilds = true" in text]
    helped = [symbol for symbol in "ABC" if any(f"{symbol} = {{" in of for of in helping)]
    helped = sorted({*helped, *(["A", "B"] if "combinations" in used else [])})
    helps = {"lines", "combinations", "ways", "cluster"} & set(used) or "wilds = true" in text
    if helps and draw(st.booleans()):
        multiplier = (
            f"multiplier = 2\ncombine = '{'product' if 'ways' in used else draw(st.sampled_from(['once', 'product']))}'"
        )
        out.append(f"[wilds.W]\nsubstitutes = {helped!r}\n{draw(st.sampled_from(['', multiplier]))}")
    out += [f'[evaluators.{name}]\nkind = "{name}"\n{kinds[name]}' for name in used]
    out.append(f'[states.base]\nstrips = "base"\nevaluators = {used!r}\n{state}')
    out += [
        f'[[states.base.transforms]]\nkind = "{kind}"\n{draws[kind]}'
        for kind in dict.fromkeys(sorted(chosen, key="fill".__ne__))
    ]
    count = draw(
        st.sampled_from(["", "per_reel = true\n", "reels = [1, 3]\n", 'when = "win"\n', "chance = 1\nout_of = 3\n"])
    )
    trigger = '[[states.base.triggers]]\nkind = "{}"\nname = "{}"\n'
    out.append(
        trigger.format("free_spins", "Free") + f'symbol = "S"\nspins = {{ 2 = 1, 3 = 2 }}\nstate = "free"\n{count}'
    )
    winning = [name for name in used if name in ("lines", "ways", "count", "cluster")]
    if winning and draw(st.booleans()):
        paid = next(line for line in kinds[winning[0]].splitlines() if line.startswith("pays"))
        symbol = paid.split("{ ")[1].split(" =")[0]
        counts = [
            int(part.split(" =")[0]) for part in paid.split("{ ")[2].split(" }")[0].split(", ") if " = 0" not in part
        ]
        if counts:
            out.append(
                trigger.format("win_spins", "Won")
                + f'evaluator = "{winning[0]}"\nspins.{symbol} = {{ {counts[-1]} = 2 }}\nstate = "free"'
            )
    if {"lines", "combinations"} & set(used) and draw(st.booleans()):
        out.append("[bonuses.chest]\nkind = 'pick'\nprizes = [{ pay = 5, weight = 1 }]")
        out.append(trigger.format("pick", "Chest") + 'pattern = ["S", "*", "A"]\npick = "chest"')
    out.append('[states.free]\nlike = "base"\ntriggers = []\n')
    strips = [
        " ".join(draw(st.lists(st.sampled_from([*SYMBOLS, *double]), min_size=2, max_size=5))) for _ in range(reels)
    ]
    out.append(f"[profiles.one.strips]\nbase = {strips!r}")
    return "\n".join(out) + "\n"


def rows_of(joint: Joint) -> dict[tuple[int, ...], Fraction]:
    """(units, awards, plays) -> probability."""
    rows: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    keys = np.column_stack([joint.units, joint.awards, joint.plays]).tolist()
    for key, weight in zip(keys, joint.weights.tolist(), strict=True):
        rows[tuple(key)] += Fraction(weight, joint.cycle)
    return dict(rows)


@given(text=texts())
@settings(max_examples=250, deadline=None, suppress_health_check=slow_data)
def test_merged_and_pruned_laws_equal_every_combination(text: str) -> None:
    note(text)
    engine = Engine(loads(text).build(), simd="scalar")
    law, visited = joint_law(engine, 0), joint_law(engine, 0, merge=False)
    assert visited.method == EVERY
    assert rows_of(law) == rows_of(visited)
    assert law.mean_parts() == visited.mean_parts()
    if law.method == EVERY:
        assert "filled" in law.reason
    else:
        assert law.method.partition(",")[0] in (MERGING, WAYS, SIZES, PRUNED)


GAME = """
format = 1
id = "game"
title = "Game"
version = "1"
symbols = ["A", "B", "C", "W", "P", "S"]
[stake]
units = 10
[grid]
reels = 5
rows = 3
[wilds.W]
substitutes = ["A", "B", "C"]
[evaluators.main]
EVALUATOR
[states.base]
strips = "base"
evaluators = ["main"]
TRANSFORM
[profiles.one.strips]
base = ["A B C S A P B C A C B B", "B W C A S A P C B A C A", "C A B W C S A P A B B C", "A C W B A C S B P A", "B A C A P S B C"]
"""
PAYS = "pays = { A = { 3 = 1, 4 = 2, 5 = 10 }, B = { 3 = 2, 4 = 4, 5 = 20 }, C = { 3 = 3, 4 = 9, 5 = 40 } }"
PAID_FROM_8 = "pays = { A = { 8 = 1 }, B = { 8 = 2 }, C = { 7 = 3, 8 = 3, 9 = 10 } }"
LINED = f'kind = "lines"\npaylines = ["11111", "00000", "01210"]\n{PAYS}'
REVEAL = '[[states.base.transforms]]\nkind = "reveal"\nsymbol = "P"\ntable = { A = 1, W = 1 }\neach = "EACH"'


@pytest.mark.parametrize(
    ("evaluator", "transform", "method", "reason"),
    [
        (LINED, "", MERGING, ""),
        (f'{LINED}\ndirection = "both"', "", MERGING, ""),
        (f'{LINED}\ndirection = "adjacent"', "", MERGING, ""),
        (LINED, REVEAL.replace("EACH", "spin"), MERGING, ""),
        (LINED, REVEAL.replace("EACH", "cell"), PRUNED, "transforms that draw"),
        (f'kind = "ways"\n{PAYS}', REVEAL.replace("EACH", "cell"), WAYS, ""),
        (f'kind = "ways"\ndirection = "both"\n{PAYS}', "", WAYS, ""),
        (f'kind = "count"\nwilds = true\n{PAID_FROM_8}', "", SIZES, ""),
        (f'kind = "cluster"\n{PAID_FROM_8}', "", SIZES, ""),
        (f'{LINED}\nfull_grid = {{ A = 2 }}', "", PRUNED, "full grids"),
    ],
)  # fmt: skip
def test_each_state_has_the_fastest_way_that_knows_it_and_says_why(
    evaluator: str, transform: str, method: str, reason: str
) -> None:
    build = loads(GAME.replace("EVALUATOR", evaluator).replace("TRANSFORM", transform)).build()
    engine = Engine(build, simd="scalar")
    law, visited = joint_law(engine, 0), joint_law(engine, 0, merge=False)
    assert (law.method, visited.method) == (method, EVERY)
    assert reason in law.reason
    assert bool(reason) == bool(law.reason)
    assert rows_of(law) == rows_of(visited)
    assert law.mean_parts() == visited.mean_parts()


def test_pruning_is_refused_at_once_where_too_many_prefixes_are_left() -> None:
    """The estimate says so before the walk begins; a visit of as many combinations is refused as well."""
    evaluator = f"{LINED}\nfull_grid = {{ A = 2 }}"
    build = loads(GAME.replace("EVALUATOR", evaluator).replace("TRANSFORM", "")).build()
    with pytest.raises(AnalysisError, match=r"pruned, a spin of state 'base' still has about [\d,]+ prefixes of reels"):
        joint_law(Engine(build, simd="scalar"), 0, most=1_000)


def test_counts_too_many_to_merge_are_pruned() -> None:
    build = loads(
        GAME.replace("EVALUATOR", f'kind = "count"\nwilds = true\n{PAID_FROM_8}').replace("TRANSFORM", "")
    ).build()
    engine = Engine(build, simd="scalar")
    (case,) = cases(build, build.model.states["base"])
    reels = Reading(engine, 0, (), []).reels(case)
    straight = [0, 1, 2, 3, 4]
    words, weights = engine.pruned(0, reels, straight, [], limit=10**6, merging=True)
    walked = engine.pruned(0, reels, straight, [], limit=10**6)
    assert (walked[0] == words).all()
    assert (walked[1] == weights).all()
    with pytest.raises(AnalysisError, match="more than 100 prefixes"):
        engine.pruned(0, reels, straight, [], limit=100, merging=True)


def test_a_walk_in_parts_is_the_same_law() -> None:
    build = loads(GAME.replace("EVALUATOR", f'kind = "cluster"\n{PAID_FROM_8}').replace("TRANSFORM", "")).build()
    engine = Engine(build, simd="scalar")
    state = build.model.states["base"]
    reading = Reading(engine, 0, (), [])
    (case,) = cases(build, state)
    reels = reading.reels(case)
    words, weights = engine.pruned(0, reels, [0, 1, 2, 3, 4], [], limit=10**6, threads=1)
    for threads in (2, 3, 50):
        found = engine.pruned(0, reels, [0, 1, 2, 3, 4], [], limit=10**6, threads=threads)
        assert (found[0] == words).all()
        assert (found[1] == weights).all()
    with pytest.raises(AnalysisError, match="more than 10 prefixes"):
        engine.pruned(0, reels, [0, 1, 2, 3, 4], [], limit=10, threads=1)


def test_linked_reels_that_lines_leave_alone_are_in_no_row() -> None:
    """Reels that stop as one have stops of no weight under their conditions: visiting leaves these out, as merging does."""
    evaluator = f'kind = "lines"\npaylines = ["00000"]\n{PAYS}'
    text = GAME.replace("EVALUATOR", evaluator).replace("TRANSFORM", "linked = { none = 1, '1-2' = 2 }")
    for strips in ('"A B C", "A A B", "A A B", "A A A", "A B C"', '"A B C", "C C A", "B A A", "C C A", "W B A"'):
        before, _, _ = text.partition("base = [")
        engine = Engine(loads(f"{before}base = [{strips}]\n").build(), simd="scalar")
        law, visited = joint_law(engine, 0), joint_law(engine, 0, merge=False)
        assert rows_of(law) == rows_of(visited)
        assert law.units.tolist() == visited.units.tolist()
