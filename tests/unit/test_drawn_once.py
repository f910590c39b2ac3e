"""What is drawn once for all spins of a feature, and one value for all cells of a reel."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from tape import enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.exact.analysis import analyse
from rgs_core.language.model_file import loads

KEY = bytes(range(32))

GAME = """format = 1
id = "once"
title = "Once"
version = "1"
symbols = ["A", "B", "M", "S"]

[stake]
units = 1

[grid]
reels = 2
rows = 1

[caps]
free_spins = 5

[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays = { A = { 2 = 3 }, B = { 2 = 7 } }

[states.base]
strips = "base"
evaluators = ["lines"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 2, 2 = 4 }
state = "free"

[states.free]
strips = "free"
evaluators = ["lines"]
transforms = [
  { kind = "reveal", symbol = "M", table = { A = 2, B = 1 }, each = "feature" },
  { kind = "multiplier", table = { 2 = 1, 5 = 3 }, each = "feature" },
]
MORE

[modes.buy]
cost = 5
start = "free"
spins = 2

[profiles.one.strips]
base = ["A B S", "A B S"]
free = ["M A", "M B"]
"""

AGAIN = """
[[states.free.triggers]]
name = "Again"
kind = "free_spins"
symbol = "B"
spins = { 2 = 1 }
state = "free"
"""


@pytest.mark.parametrize("mode", ["base", "buy"])
def test_symbol_and_multiplier_are_the_same_in_all_spins_of_a_feature(mode: str) -> None:
    """Two M show 2 A or 2 B, always the same ones; their win is times 2 or 5, always the same."""
    build = loads(GAME.replace("MORE", "")).build(mode=mode)
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(400)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(400)]
    seen = set()
    for played in rounds:
        free = [spin for spin in played.spins if spin.state == "free"]
        assert len({spin.multiplier for spin in free}) <= 1
        drawn = {
            spin.window[reel][0] for spin in free for reel in range(2) if (spin.stopped or spin.window)[reel][0] == "M"
        }
        assert len(drawn) <= 1
        seen |= {(symbol, spin.multiplier) for symbol in drawn for spin in free}
    assert seen == {("A", 2), ("A", 5), ("B", 2), ("B", 5)}


def test_it_is_drawn_before_the_stops_and_by_its_weights() -> None:
    """A first spin: 2/3 A and 1/3 B, times 1/4 and 3/4, whatever shows. M B is a pair of B in 1/3 of all cases."""
    build = loads(GAME.replace("MORE", "")).build()
    law: dict[tuple[str, int, int], float] = {}
    for p, spin in enumerate_spin(build, "free"):
        shown = "".join(reel[0] for reel in spin.window)
        law[shown, spin.multiplier, spin.win_units] = law.get((shown, spin.multiplier, spin.win_units), 0) + float(p)
    assert law[("AA", 2, 6)] == pytest.approx(2 / 3 * 1 / 4 * 2 / 4)  # M M and A M
    assert law[("BB", 5, 35)] == pytest.approx(1 / 3 * 3 / 4 * 2 / 4)  # M M and M B


@pytest.mark.parametrize("more", ["", AGAIN])
def test_exact_figures_are_those_of_every_path(more: str) -> None:
    build = loads(GAME.replace("MORE", more)).build()
    law = round_law(build, 200_000)
    assert law is not None
    cycle = check_figures(build, *law)
    analysis = analyse(build)
    assert analysis.cycle is not None
    assert analysis.cycle.rtp == cycle.rtp


REEL = """format = 1
id = "reel"
title = "Reel"
version = "1"
symbols = ["A", "B"]
[stake]
units = 1
[grid]
reels = 2
rows = 2
[evaluators.coins]
kind = "collect"
symbol = "A"
[states.base]
strips = "base"
evaluators = ["coins"]
transforms = [{ kind = "values", symbols = ["A"], table = { 1 = 1, 7 = 2 }, each = "reel" }]
[profiles.one.strips]
base = ["A A B", "A B"]
"""


def test_one_value_for_all_cells_of_a_reel() -> None:
    build = loads(REEL).build()
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(300)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(300)]
    columns = {tuple(reel) for played in rounds for reel in played.spins[0].values}
    assert {(1, 1), (7, 7)} <= columns
    assert not {(1, 7), (7, 1)} & columns
    law = round_law(build, 1000)
    assert law is not None
    wins = law[0]
    # Both reels have an A: two of them on the first in 1/3 of all cases; a value is 5 in the mean.
    assert sum(p * x for x, p in wins.items()) == Fraction(5 * 2 + 5 * 1 + 5 * 1, 3) + 5
    analysis = analyse(build)
    assert analysis.cycle is not None
    assert analysis.cycle.rtp == sum(p * x for x, p in wins.items())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('5 = 3 }, each = "feature"', '5 = 3 }, each = "feature", persist = true', "adds up to nothing"),
        ('5 = 3 }, each = "feature"', '5 = 3 }, each = "feature", symbol = "A"', "one multiplier a feature needs no"),
        ('B = 1 }, each = "feature"', 'B = 1 }, each = "round"', "'round' is not allowed"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(GAME.replace("MORE", "").replace(old, new))
