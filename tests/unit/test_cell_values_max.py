"""The cap of what the values of cells multiply a win by, of lines, counts and clusters."""

from __future__ import annotations

import pytest
from exact_rounds import round_law

from rgs_core import Engine, ModelError, reference
from rgs_core.exact.cycle import full_cycle
from rgs_core.language.model_file import loads

KEY = bytes(range(32))

GAME = """format = 1
id = "capped"
title = "Capped"
version = "1"
symbols = ["A", "B"]

[stake]
units = 1

[grid]
reels = 3
rows = ROWS

[evaluators.pays]
kind = "KIND"
EVALUATOR
cell_values = "HOW"
MOST

[states.base]
strips = "base"
evaluators = ["pays"]
transforms = [{ kind = "values", symbols = ["A"], table = TABLE }]

[profiles.one.strips]
base = ["A", "A", "A B"]
"""

LINES = 'paylines = ["000"]\npays.A = { 2 = 0, 3 = 10 }'
CELLS = "pays.A = { 3 = 10 }"


def text(kind: str, how: str, most: str, table: str = "{ 2 = 1, 5 = 1 }", rows: int = 1) -> str:
    game = GAME.replace("KIND", kind).replace("EVALUATOR", LINES if kind == "lines" else CELLS).replace("HOW", how)
    return game.replace("MOST", most).replace("TABLE", table).replace("ROWS", str(rows))


@pytest.mark.parametrize("kind", ["lines", "count", "cluster"])
@pytest.mark.parametrize(
    ("how", "most", "paid"),
    [
        ("product", 20, {80, 200}),  # 2 x 2 x 2 = 8; 2 x 2 x 5 = 20, 2 x 5 x 5 and 5 x 5 x 5 above
        ("product", 21, {80, 200, 210}),
        ("sum", 10, {60, 90, 100}),  # 6, 9, 12 and 15
        ("highest", 3, {20, 30}),
        ("product", 1, {10}),
    ],
)
def test_a_win_is_multiplied_at_most_so_much(kind: str, how: str, most: int, paid: set[int]) -> None:
    build = loads(text(kind, how, f"cell_values_max = {most}")).build()
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(200)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(200)]
    assert {played.win_units for played in rounds} == {0, *paid}
    found = round_law(build, 1000)
    assert found is not None
    assert full_cycle(build).rtp == sum(p * x for x, p in found[0].items())


def test_the_bound_of_a_round_knows_it_and_nothing_overflows() -> None:
    """30 cells of x1000: a product of 10^90 that no model may have, and that is cut off on the way."""
    table = "{ 1000 = 1 }"
    with pytest.raises(ModelError, match=r"2\^62"):
        loads(text("count", "product", "", table, rows=10))
    build = loads(text("count", "product", "cell_values_max = 256", table, rows=10)).build()
    engine = Engine(build)
    assert {engine.win(KEY, nonce) for nonce in range(50)} == {2560}
    assert reference.play(build, KEY, 0).win_units == 2560


def test_without_a_cap_the_hash_is_what_it_was() -> None:
    build = loads(text("count", "product", "")).build()
    assert b"cell_values_max" not in build.canonical
    assert b'"cell_values_max":9' in loads(text("count", "product", "cell_values_max = 9")).build().canonical


@pytest.mark.parametrize(
    ("how", "most", "message"),
    [
        ("ignore", "cell_values_max = 2", "the values of cells do not multiply"),
        ("sum", "cell_values_max = 0", "0 is out of range"),
    ],
)
def test_what_is_refused(how: str, most: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text("count", how, most))
