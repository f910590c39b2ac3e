"""A group where a symbol is counted: by hand, and the same by the engine and by every exact law."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from tape import enumerate_round

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core.errors import ModelError
from rgs_core.exact.closed_form import closed_form
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.jackpots import jackpot_figures
from rgs_core.exact.joint import joint_law
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import JackpotWin, Outcome

GAME = """
format = 1
id = "counted"
title = "Counted"
version = "1"
symbols = ["A", "coin", "gold", "W", "X"]
stake.units = 2
grid = { reels = 2, rows = 2 }
caps = { free_spins = 6 }
[groups]
coins = ["coin", "gold"]
[wilds.W]
substitutes = ["A"]
[evaluators.lines]
kind = "lines"
paylines = ["00", "11"]
pays.A = { 2 = 3 }
[evaluators.stars]
kind = "scatter"
symbol = "coins"
of = "total_bet"
pays = { 2 = 1, 3 = 5 }
[bonuses.chest]
kind = "pick"
prizes = [{ pay = 4, weight = 1 }, { pay = 9, weight = 2 }]
[states.base]
strips = "base"
evaluators = ["lines", "stars"]
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "coins"
spins = { 3 = 1 }
state = "free"
[[states.base.triggers]]
name = "Chest"
kind = "bonus"
symbol = "coins"
plays = { 4 = 1 }
bonus = "chest"
[states.free]
strips = "base"
evaluators = ["lines", "stars"]
[profiles.main.strips]
base = ["A coin gold X", "gold coin W A:3"]
"""

HOLD = """
format = 1
id = "held"
title = "Held"
version = "1"
symbols = ["coin", "gold", "X"]
stake.units = 1
grid = { reels = 2, rows = 1 }
caps = { free_spins = 20 }
[groups]
coins = ["coin", "gold"]
[jackpots.grand]
start = 10
share_ppm = 1000
[evaluators.total]
kind = "collect"
symbol = "coins"
at = "end"
count_min = 2
[evaluators.two]
kind = "scatter"
symbol = "coins"
of = "total_bet"
pays = { 2 = 1 }
[states.base]
strips = "base"
evaluators = ["two"]
[[states.base.transforms]]
kind = "values"
symbols = ["coin", "gold"]
table = { 1 = 1 }
[[states.base.triggers]]
name = "Hold"
kind = "free_spins"
symbol = "gold"
spins = { 1 = 1 }
state = "hold"
[states.hold]
strips = "base"
evaluators = ["total"]
draw = "cell"
[[states.hold.transforms]]
kind = "values"
symbols = ["coin"]
table = { 1 = 1, 2 = 1 }
[[states.hold.transforms]]
kind = "values"
symbols = ["gold"]
table = { 5 = 1 }
[[states.hold.transforms]]
kind = "stick"
symbols = ["coin", "gold"]
[[states.hold.triggers]]
name = "Again"
kind = "free_spins"
symbol = "coins"
spins = { 1 = 1 }
state = "hold"
fresh = true
reset = true
[[states.hold.triggers]]
name = "Full"
kind = "jackpot"
jackpot = "grand"
chance = 1
out_of = 1
symbol = "coins"
count = 2
[profiles.main.strips]
base = ["coin gold X X", "coin gold X X"]
"""


def test_any_member_counts_as_one() -> None:
    """Reel 1 shows (A coin), (coin gold), (gold X), (X A); reel 2 (gold coin), (coin W), (W A), (A gold), weights 1 1 1 3.
    Of 24 combinations 1 x 1 has four coins; (coin gold) with one coin, 1 x 4, and (A coin), (gold X) with two, 2 x 1,
    have three; both of one with those that have one, 2 x 4, and (coin gold) with (W A), and (X A) with two: 1 + 1, have two."""
    build = loads(GAME).build()
    law = joint_law(Engine(build), 0)
    assert law.parts["stars"] * 24 == law.cycle * 2 * (5 * (1 + 4 + 2) + 1 * (8 + 1 + 1))
    assert law.award_probability == Fraction(7, 24)
    assert law.plays_mean() == {"Chest": Fraction(1, 24)}


def check(build: Build, rounds: int = 200) -> None:
    """Engine and reference play alike; exact figures are those of every path of the reference."""
    engine, key = Engine(build), bytes(32)
    for nonce in range(rounds):
        assert engine.spin(key, nonce) == reference.play(build, key, nonce)
        assert engine.win(key, nonce) == reference.play(build, key, nonce).win_units
    exact = round_law(build, 100_000)
    assert exact is not None
    check_figures(build, *exact)


def test_lines_beside_it_are_merged_and_have_a_closed_form() -> None:
    build = loads(GAME).build()
    check(build)
    engine = Engine(build)
    merged, every = joint_law(engine, 0), joint_law(engine, 0, merge=False)
    assert merged.method == "merging"
    assert merged.by_award() == every.by_award()
    assert closed_form(build).rtp == full_cycle(build).rtp


def test_the_lane_kernels_count_groups_too() -> None:
    text = GAME[: GAME.index('[[states.base.triggers]]\nname = "Chest"')] + GAME[GAME.index("[states.free]") :]
    text = text.replace("[bonuses.chest]", "#").replace('kind = "pick"\nprizes', "#")
    build = loads(text).build()
    engine = Engine(build)
    plain = Engine(build, simd="scalar")
    assert engine.kernel == "lanes" or engine.general_because
    assert (engine.wins(bytes(32), 0, 3000) == plain.wins(bytes(32), 0, 3000)).all()


CARRIED = 'state = "hold"\ncarry = ["coin", "gold"]\n[states.hold]'


@pytest.mark.parametrize("symbol", ["gold", "coins"])
@pytest.mark.parametrize("start", ['state = "hold"\n[states.hold]', CARRIED])
def test_hold_and_spin_with_coins_of_two_kinds(symbol: str, start: str) -> None:
    text = HOLD.replace('symbol = "gold"\nspins', f'symbol = "{symbol}"\nspins')
    build = loads(text.replace('state = "hold"\n[states.hold]', start)).build()
    check(build)
    (figures,) = jackpot_figures(full_cycle(build))
    wins = [outcome for outcome in enumerate_round(build) if any_jackpot(outcome[1])]
    assert 1 / figures.rounds == sum((p for p, _ in wins), Fraction(0))


def any_jackpot(outcome: Outcome) -> bool:
    return any(isinstance(award, JackpotWin) for spin in outcome.spins for award in spin.awards)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('symbol = "coins"\nof', 'symbol = "silver"\nof', "unknown symbol 'silver'"),
        ('symbol = "coins"\nof', 'symbol = ["coin", "gold"]\nof', "is a list; give these symbols a name in"),
        ('coins = ["coin", "gold"]', 'coins = ["coin", "gold"]\nidle = ["A"]', "nothing pays or counts it"),
    ],
)
def test_what_is_no_group_is_said(old: str, new: str, message: str) -> None:
    assert old in GAME
    with pytest.raises(ModelError, match=message):
        loads(GAME.replace(old, new, 1))
