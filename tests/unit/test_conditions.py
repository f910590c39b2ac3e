"""Odds, conditions and reels of triggers, odds of transforms, jackpots by new symbols: by hand, and by every exact law."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from tape import enumerate_round

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core.errors import ModelError
from rgs_core.exact.closed_form import closed_form
from rgs_core.exact.cycle import FullCycle, full_cycle
from rgs_core.exact.jackpots import jackpot_figures
from rgs_core.exact.joint import joint_law, visited_joint
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import JackpotWin

GAME = """
format = 1
id = "conditions"
title = "Conditions"
version = "1"
symbols = ["A", "S", "W", "X"]
stake.units = 1
grid = { reels = 2, rows = 2 }
caps = { free_spins = 3 }
[wilds.W]
substitutes = ["A"]
[evaluators.lines]
kind = "lines"
paylines = ["00", "11"]
pays.A = { 2 = 3 }
[bonuses.chest]
kind = "pick"
prizes = [{ pay = 4, weight = 1 }, { pay = 9, weight = 2 }]
[states.base]
strips = "base"
evaluators = ["lines"]
TRANSFORMS
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
state = "free"
FREE
[[states.base.triggers]]
name = "Chest"
kind = "bonus"
bonus = "chest"
CHEST
[states.free]
strips = "free"
evaluators = ["lines"]
AGAIN
[profiles.main.strips]
base = ["A S S X", "A X S A:3"]
free = ["A X S", "A"]
"""
CHEST = 'symbol = "W"\nplays = { 1 = 1 }'
"""Reel 1 shows A S, S S, S X, X A, equally likely; reel 2 A X, X S, S A, each 1 of 6, and A A, 3 of 6. Both rows of A pay
3 each: (A S) with A X and A A, (X A) with S A and A A."""


def game(free: str, chest: str = CHEST, transforms: str = "", again: str = "") -> Build:
    text = GAME.replace("TRANSFORMS", transforms).replace("FREE", free).replace("CHEST", chest)
    return loads(text.replace("AGAIN", again)).build()


def check(build: Build, rounds: int = 80) -> FullCycle:
    """Engine and reference play alike; exact figures are those of every path of the reference."""
    engine, key = Engine(build), bytes(32)
    for nonce in range(rounds):
        expected = reference.play(build, key, nonce)
        assert engine.spin(key, nonce) == expected
        assert engine.win(key, nonce) == expected.win_units
    exact = round_law(build, 20_000)
    assert exact is not None
    return check_figures(build, *exact)


def test_a_chance_multiplies_the_law() -> None:
    """Two S: S S with reel 2 of none, A S or S X or with one: 1/4 + 2/4 x 2/6 - and three: 1/4 x 2/6."""
    certain = game('symbol = "S"\nspins = { 2 = 1, 3 = 2 }')
    odd = game(
        'symbol = "S"\nspins = { 2 = 1, 3 = 2 }\nchance = 2\nout_of = 5',
        'symbol = "S"\nplays = { 3 = 1 }\nchance = 1\nout_of = 4',
    )
    two, three = Fraction(1, 4) * Fraction(4, 6) + Fraction(2, 4) * Fraction(2, 6), Fraction(1, 4) * Fraction(2, 6)
    assert joint_law(Engine(certain), 0).award_mean["free"] == two + 2 * three
    law = joint_law(Engine(odd), 0)
    assert law.method == "merging"
    assert law.award_mean["free"] == (two + 2 * three) * Fraction(2, 5)
    assert law.plays_mean() == {"Chest": three / 4}
    assert law.by_award() == joint_law(Engine(odd), 0, merge=False).by_award()
    cycle = check(odd)
    assert closed_form(odd).rtp == cycle.rtp


def test_a_feature_starts_at_random() -> None:
    build = game("spins = 2\nchance = 1\nout_of = 7", "plays = 2\nchance = 1\nout_of = 3")
    cycle = check(build)
    assert cycle.feature_probability == Fraction(1, 7)
    assert cycle.rtp_parts["Chest"] == 2 * Fraction(1, 3) * Fraction(4 + 2 * 9, 3)
    assert closed_form(build).rtp == cycle.rtp
    award = next(a for n in range(99) for a in Engine(build).spin(bytes(32), n).spins[0].awards)
    assert award.trigger in ("Free", "Chest")


@pytest.mark.parametrize("when", ["win", "no_win"])
@pytest.mark.parametrize("odds", ["", "chance = 1\nout_of = 3\n"])
def test_after_a_win_or_a_loss(when: str, odds: str) -> None:
    build = game(f'spins = 1\nwhen = "{when}"\n{odds}', f'symbol = "S"\nplays = {{ 1 = 1 }}\nwhen = "{when}"')
    wins = Fraction(1, 4) * Fraction(4, 6) * 2
    fires = wins if when == "win" else 1 - wins
    assert check(build).feature_probability == fires * (Fraction(1, 3) if odds else 1)


def test_once_a_feature() -> None:
    """Of three spins of the feature the first one with two S adds one: the cap of three is never reached by a second."""
    again = '[[states.free.triggers]]\nname = "More"\nkind = "free_spins"\nsymbol = "S"\nspins = { 1 = 1 }\nstate = "free"\n'
    build = game("spins = 1\nchance = 1\nout_of = 2", again=again + "once = true")
    assert max(len(outcome.spins) for _, outcome in enumerate_round(build)) == 3  # the paid one, one, and one more
    check(build)
    check(game("spins = 2\nchance = 1\nout_of = 2", again=again + "once = true\nchance = 1\nout_of = 3"))


@pytest.mark.parametrize(
    ("where", "odds"),
    [
        ("reels = [2]\n", Fraction(2, 6)),
        ("per_reel = true\nreels = [1]\n", Fraction(3, 4)),
        ("per_reel = true\n", 1 - Fraction(1, 4) * Fraction(4, 6)),
    ],
)
def test_reels(where: str, odds: Fraction) -> None:
    """Reel 1 shows S at three of four stops, twice at one; reel 2 at two of six."""
    build = game('symbol = "S"\nspins = { 1 = 1 }\n' + where, 'symbol = "S"\nplays = { 2 = 1 }\n' + where)
    law = joint_law(Engine(build), 0)
    assert law.method == "merging"
    assert law.award_probability == odds
    assert closed_form(build).rtp == check(build).rtp


def test_ways_merge_with_them() -> None:
    text = GAME.replace('kind = "lines"\npaylines = ["00", "11"]', 'kind = "ways"').replace("TRANSFORMS", "")
    free = 'symbol = "S"\nspins = { 1 = 1, 2 = 2 }\nper_reel = true\nchance = 3\nout_of = 4\nwhen = "no_win"'
    text = (
        text.replace("FREE", free).replace("CHEST", 'symbol = "S"\nplays = { 2 = 1 }\nreels = [1]').replace("AGAIN", "")
    )
    build = loads(text).build()
    assert joint_law(Engine(build), 0).method == "merging of ways"
    check(build)


@pytest.mark.parametrize(
    "transform",
    [
        'kind = "expand"\nsymbol = "S"\ninto = "A"',
        'kind = "replace"\nsymbol = "S"\ninto = "W"',
        'kind = "fill"\nsymbol = "A"\nreels = { 0 = 1, 1 = 2 }',
        'kind = "add"\nsymbol = "W"\ncount = { 1 = 1, 2 = 1 }',
        'kind = "reveal"\nsymbol = "X"\ntable = { A = 1, S = 1 }\neach = "cell"',
        'kind = "multiplier"\ntable = { 2 = 1, 5 = 1 }',
        'kind = "multiplier"\neach = "cell"\nsymbol = "A"\ntable = { 2 = 1 }',
        'kind = "nudge"\nsymbol = "A"\nsteps_max = 1\nmultiplier = 1',
    ],
)
def test_transforms_work_in_some_spins(transform: str) -> None:
    build = game(
        "spins = 1\nchance = 1\nout_of = 6",
        transforms=f"[[states.base.transforms]]\n{transform}\nchance = 1\nout_of = 3",
    )
    always = game("spins = 1\nchance = 1\nout_of = 6", transforms=f"[[states.base.transforms]]\n{transform}")
    never = game("spins = 1\nchance = 1\nout_of = 6")
    mean = [joint_law(Engine(b), 0).mean_units for b in (build, always, never)]
    merges = joint_law(Engine(always), 0).method.startswith("merging")
    assert joint_law(Engine(build), 0).method.startswith("merging") == merges
    visited = visited_joint(Engine(build), 0, Engine(build).spin_law(0))
    assert joint_law(Engine(build), 0).by_award() == visited.by_award()
    assert mean[0] == mean[1] / 3 + mean[2] * 2 / 3
    check(build)


def test_a_second_chance() -> None:
    """Of 24 combinations 8 win 3 each; on the others all S become wild, and the grid pays once."""
    replaced = '[[states.base.transforms]]\nkind = "replace"\nsymbol = "S"\ninto = "W"\nwhen = "{}"\n'
    none, lost = game("spins = 1\nchance = 1\nout_of = 6"), replaced.format("no_win")
    build = game("spins = 1\nchance = 1\nout_of = 6", transforms=lost)
    # Lines of a losing spin once S is W, by reel 1: (S S) has one with A X and with S A, two with A A, which weighs 3, and
    # none with X S, where W W pays only as wilds; (S X) one with A X and with A A; (A S) two with S A; (X A) one with X S.
    won = 3 * (1 + 0 + 1 + 2 * 3) + 3 * (1 + 0 + 0 + 3) + 3 * (0 + 2) + 3 * (0 + 1)
    assert joint_law(Engine(none), 0).mean_units == Fraction(24, 24)
    assert joint_law(Engine(build), 0).mean_units == Fraction(24 + won, 24)
    check(build)
    check(game("spins = 1\nchance = 1\nout_of = 6", transforms=lost + "chance = 1\nout_of = 3"))


def test_a_multiplier_of_winning_spins_alone() -> None:
    doubled = '[[states.base.transforms]]\nkind = "multiplier"\ntable = { 2 = 1, 4 = 1 }\nwhen = "win"'
    build = game("spins = 1\nchance = 1\nout_of = 6", transforms=doubled)
    check(build)
    for nonce in range(200):
        spin = Engine(build).spin(bytes(32), nonce).spins[0]
        assert (spin.multiplier > 1) == bool(spin.wins)


def test_a_multiplier_that_persists_stays_in_other_spins() -> None:
    again = '[[states.free.transforms]]\nkind = "multiplier"\ntable = { 2 = 1 }\npersist = true\nchance = 1\nout_of = 2'
    build = game("spins = 3\nchance = 1\nout_of = 4", again=again)
    check(build)
    drawn = {tuple(spin.multiplier for spin in outcome.spins[1:]) for _, outcome in enumerate_round(build)}
    assert drawn == {(), *((a, a * b, a * b * c) for a in (1, 2) for b in (1, 2) for c in (1, 2))}


def test_a_cascade_keeps_what_was_drawn() -> None:
    """The odds hold for all steps: refilled cells are replaced in every step, or in none."""
    cascade = '\n[states.base.cascade]\nrefill = "strip"\nsteps_max = 4\n'
    replaced = '[[states.base.transforms]]\nkind = "replace"\nsymbol = "S"\ninto = "W"\nchance = 1\nout_of = 2'
    build = game("spins = 1\nchance = 1\nout_of = 6", transforms=replaced + cascade)
    check(build)
    for nonce in range(300):
        spin = Engine(build).spin(bytes(32), nonce).spins[0]
        shown = [
            {s for reel in window for s in reel} for window in (spin.window, *(step.window for step in spin.steps))
        ]
        assert all("S" not in symbols for symbols in shown) or all("W" not in symbols for symbols in shown)


JACKPOT = """
format = 1
id = "minor"
title = "Minor"
version = "1"
symbols = ["minor", "X"]
stake.units = 1
grid = { reels = 2, rows = 1 }
caps = { free_spins = 20 }
[jackpots.minor]
start = 10
share_ppm = 1000
[evaluators.two]
kind = "scatter"
symbol = "minor"
of = "total_bet"
pays = { 1 = 1 }
at = "end"
[evaluators.stars]
kind = "scatter"
symbol = "minor"
of = "total_bet"
pays = { 2 = 1 }
[states.base]
strips = "base"
evaluators = ["stars"]
[[states.base.triggers]]
name = "Hold"
kind = "free_spins"
spins = 2
state = "hold"
chance = 1
out_of = 2
[states.hold]
strips = "base"
evaluators = ["two"]
draw = "cell"
[[states.hold.transforms]]
kind = "stick"
symbols = ["minor"]
[[states.hold.triggers]]
name = "Minor"
kind = "jackpot"
jackpot = "minor"
chance = 1
out_of = 1
symbol = "minor"
count = 1
WORD
[profiles.main.strips]
base = ["minor X", "minor X"]
"""


def jackpots(build: Build) -> dict[int, Fraction]:
    """Odds of each number of jackpots of a round."""
    law: dict[int, Fraction] = {}
    for p, outcome in enumerate_round(build):
        won = sum(isinstance(award, JackpotWin) for spin in outcome.spins for award in spin.awards)
        law[won] = law.get(won, Fraction(0)) + p
    return law


def test_a_held_symbol_wins_once() -> None:
    """Two spins of two cells, each new with odds 1/2. At every spin: a cell that lands in the first counts in the second;
    a full grid ends the feature. Fresh: only where one lands. At the end: once, if any is held."""
    every = loads(JACKPOT.replace("WORD", "")).build()
    fresh = loads(JACKPOT.replace("WORD", "fresh = true")).build()
    end = loads(JACKPOT.replace("WORD", 'at = "end"')).build()
    # The first spin holds none (1/4), one (1/2), two (1/4).
    assert jackpots(every) == {
        0: Fraction(1, 2) + Fraction(1, 32),
        1: Fraction(3, 32) + Fraction(1, 8),
        2: Fraction(1, 4),
    }
    assert jackpots(fresh) == {
        0: Fraction(17, 32),
        1: Fraction(3, 32) + Fraction(1, 8) + Fraction(1, 8),
        2: Fraction(1, 8),
    }
    assert jackpots(end) == {0: Fraction(17, 32), 1: Fraction(15, 32)}
    for build in (every, fresh, end):
        check(build)
    assert jackpot_figures(full_cycle(fresh)) == []
    (figures,) = jackpot_figures(full_cycle(end))
    assert figures.rounds == Fraction(32, 15)


FREE = 'symbol = "S"\nspins = { 2 = 1 }'


@pytest.mark.parametrize(
    ("free", "path", "message"),
    [
        ("spins = 3", "states.base.triggers[0]", "key 'symbol' is missing"),
        (
            "spins = { 3 = 1 }\nchance = 1\nout_of = 2",
            "states.base.triggers[0].spins",
            "a table by count, of no symbol",
        ),
        ("spins = 3\nchance = 1", "states.base.triggers[0]", "'chance' without 'out_of'"),
        (FREE + "\nchance = 3\nout_of = 2", "states.base.triggers[0].chance", "3 is out of range"),
        ("spins = 3\nchance = 1\nout_of = 2\nreels = [1]", "states.base.triggers[0].reels", "counts nothing"),
        (FREE + '\nwhen = "lost"', "states.base.triggers[0].when", "'lost' is not allowed"),
        (FREE + "\nonce = true", "states.base.triggers[0].once", "a feature of its own"),
        (FREE + "\nreels = [3]", "states.base.triggers[0].reels[0]", "3 is out of range"),
    ],
)
def test_mistakes_are_named(free: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        game(free)
    assert [p for p in caught.value.problems if p.path == path and message in p.message], str(caught.value)


def test_a_cascade_removes_by_count_alone() -> None:
    cascade = '[states.base.cascade]\nrefill = "strip"\nremove = ["lines", "Free"]\n'
    with pytest.raises(ModelError, match="has odds, conditions or reels"):
        game(FREE + "\nchance = 1\nout_of = 2", transforms=cascade)


def test_symbols_stick_always() -> None:
    stick = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["A"]\nchance = 1\nout_of = 2'
    with pytest.raises(ModelError, match=r"chance.*unknown key"):
        game(FREE, again=stick)


def test_a_reel_out_of_range_is_one_problem() -> None:
    """What is read in its place is no second one; a reel that is written twice is."""
    shared = _reels_problems("[1, 9]"), _reels_problems("[2, 2]")
    assert [len(problems) for problems in shared] == [1, 1]
    assert "9 is out of range" in shared[0][0]
    assert "stands there twice" in shared[1][0]


def _reels_problems(reels: str) -> list[str]:
    trigger = (
        f'{{ name = "F", kind = "free_spins", symbol = "S", spins = {{ 1 = 1 }}, state = "free", reels = {reels} }}'
    )
    text = (
        'format = 1\nid = "r"\ntitle = "R"\nversion = "1"\nsymbols = ["A", "S"]\nstake = { units = 1 }\n'
        'grid = { reels = 2, rows = 1 }\nevaluators.s = { kind = "scatter", symbol = "S", pays = { 2 = 1 }, of = "total_bet" }\n'
        f'states.base = {{ strips = "base", evaluators = ["s"], triggers = [{trigger}] }}\n'
        'states.free = { strips = "base", evaluators = ["s"] }\nprofiles.one.strips.base = ["A S", "A S"]\n'
    )
    with pytest.raises(ModelError) as caught:
        loads(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_missing_symbol_is_said_once() -> None:
    for spins in ("spins = 3", "spins = { 3 = 10 }"):
        with pytest.raises(ModelError) as caught:
            game(spins)
        assert [problem.message for problem in caught.value.problems] == ["key 'symbol' is missing"]


# --- Numbers of symbols in view ------------------------------------------------------------------------

NO_CHEST = 'symbol = "W"\nplays = { 1 = 1 }'


@pytest.mark.parametrize(
    ("needs", "odds"),
    [
        # Reel 1 shows S 1, 2, 1, 0 times at its stops; reel 2 once at two of six.
        ('{ symbol = "S" }', 1 - Fraction(1, 4) * Fraction(4, 6)),
        ('{ symbol = "S", max = 0 }', Fraction(1, 4) * Fraction(4, 6)),
        ('{ symbol = "S", min = 3 }', Fraction(1, 4) * Fraction(2, 6)),
        ('{ symbol = "S", min = 1, max = 1 }', Fraction(2, 4) * Fraction(4, 6) + Fraction(1, 4) * Fraction(2, 6)),
        ('{ symbol = "S", min = 2, per_reel = true }', Fraction(3, 4) * Fraction(2, 6)),
        ('{ symbol = "S", reels = [2] }', Fraction(2, 6)),
        # One on each of two reels, and an X beside them: on reel 1 at S X, on reel 2 at X S, each with an S.
        ('[{ symbol = "S", reels = [1] }, { symbol = "S", reels = [2] }]', Fraction(3, 4) * Fraction(2, 6)),
        (
            '[{ symbol = "S", reels = [1] }, { symbol = "S", reels = [2] }, { symbol = "X", max = 0 }]',
            Fraction(2, 4) * Fraction(1, 6),
        ),
    ],
)
def test_triggers_by_numbers_of_symbols(needs: str, odds: Fraction) -> None:
    build = game(f"spins = 1\nin_view = {needs}", f"plays = 1\nin_view = {needs}\nchance = 1\nout_of = 2")
    law = joint_law(Engine(build), 0)
    assert law.method == "merging"
    assert law.award_probability == odds
    assert law.plays_mean() == {"Chest": odds / 2}
    assert law.by_award() == joint_law(Engine(build), 0, merge=False).by_award()
    check(build)


@pytest.mark.parametrize(
    ("transform", "needs", "law"),
    [
        # Reel 1: A S, S S, S X, X A; reel 2: A X, X S, S A (1 of 6 each), A A (3 of 6). All S become wild:
        # where there are none, nothing changes; where there are just two, those of reel 1, or one of each.
        ('kind = "replace"\nsymbol = "S"\ninto = "W"', '{ symbol = "S", max = 0 }', {0: 16, 3: 4, 6: 4}),
        ('kind = "replace"\nsymbol = "S"\ninto = "W"', '{ symbol = "S", reels = [2] }', None),
        ('kind = "expand"\nsymbol = "A"', '[{ symbol = "A", min = 2 }, { symbol = "S", max = 0 }]', None),
        ('kind = "add"\nsymbol = "W"\ncount = { 1 = 1, 2 = 1 }', '{ symbol = "S", min = 1, reels = [1] }', None),
        ('kind = "multiplier"\ntable = { 2 = 1, 5 = 1 }', '{ symbol = "A", per_reel = true, min = 2 }', None),
        ('kind = "multiplier"\ntable = { 2 = 1, 5 = 1 }\nwhen = "win"', '{ symbol = "X" }', None),
        ('kind = "fill"\nsymbol = "W"\nreels = { 1 = 1 }', '{ symbol = "X", max = 0, stopped = true }', None),
    ],
)
def test_transforms_by_numbers_of_symbols(transform: str, needs: str, law: dict[int, int] | None) -> None:
    written = f"[[states.base.transforms]]\n{transform}\nin_view = {needs}"
    build = game("spins = 1\nchance = 1\nout_of = 6", transforms=written)
    check(build)
    if law is not None:  # nothing that pays changes: of 24 combinations 16 win nothing
        assert joint_law(Engine(build), 0).mean_units == Fraction(sum(x * n for x, n in law.items()), 24) - Fraction(
            12, 24
        )
    check(game("spins = 1\nchance = 1\nout_of = 6", transforms=f"{written}\nchance = 1\nout_of = 3"))


def test_a_condition_of_the_grid_as_it_stopped() -> None:
    """All S become A before anything looks at them: but as the reels stopped there were some."""
    replaced = '[[states.base.transforms]]\nkind = "replace"\nsymbol = "S"\ninto = "A"'
    for stopped, odds in (("", Fraction(0)), (", stopped = true", Fraction(3, 4) * Fraction(2, 6))):
        build = game(f'spins = 1\nin_view = {{ symbol = "S", per_reel = true, min = 2{stopped} }}', transforms=replaced)
        law = joint_law(Engine(build), 0)
        assert law.method == "merging"
        assert law.award_probability == odds
        check(build)


def test_ways_with_numbers_of_symbols() -> None:
    text = GAME.replace('kind = "lines"\npaylines = ["00", "11"]', 'kind = "ways"').replace("TRANSFORMS", "")
    free = 'spins = 1\nin_view = [{ symbol = "S", min = 1, max = 1 }, { symbol = "X", per_reel = true, max = 1 }]'
    text = text.replace("FREE", free).replace("CHEST", 'symbol = "S"\nplays = { 2 = 1 }').replace("AGAIN", "")
    build = loads(text).build()
    law = joint_law(Engine(build), 0)
    assert law.method == "merging of ways"
    visited = visited_joint(Engine(build), 0, Engine(build).spin_law(0))
    assert law.by_award() == visited.by_award()
    check(build)


def test_charges_by_numbers_of_symbols() -> None:
    """A charge is looked at on the grid where it is used."""
    cascade = (
        '\n[states.base.cascade]\nrefill = "strip"\nsteps_max = 4\n[states.base.cascade.charge]\nevery = 1\n'
        'then = [{ kind = "replace", symbol = "S", into = "W", in_view = { symbol = "S", max = 1 } }]\n'
    )
    build = game("spins = 1\nchance = 1\nout_of = 6", transforms=cascade)
    check(build)
    changed = 0
    for nonce in range(300):
        for step in Engine(build).spin(bytes(32), nonce).spins[0].steps:
            shown = [symbol for reel in step.window for symbol in reel]
            changed += step.charged and "W" in shown
            assert not step.charged or "S" not in shown or shown.count("S") > 1
    assert changed


# --- Other triggers with odds and conditions -----------------------------------------------------------

PICK = '[[states.base.triggers]]\nname = "Line"\nkind = "pick"\npattern = ["*", "A"]\npick = "chest"\n'
WON = '[[states.base.triggers]]\nname = "Won"\nkind = "win_spins"\nevaluator = "lines"\nspins.A = { 2 = 1 }\nstate = "free"\n'
FULL = '[[states.base.triggers]]\nname = "Full"\nkind = "full_reels"\nspins = { 1 = 1 }\nstate = "free"\n'
ODDS = "chance = 1\nout_of = 3\n"
SEEN = 'in_view = { symbol = "X", max = 0 }\n'
NEVER = 'symbol = "W"\nspins = { 1 = 1 }'


@pytest.mark.parametrize("more", ["", ODDS, SEEN, ODDS + SEEN, ODDS + 'when = "no_win"\n', 'when = "win"\n'])
def test_picks_with_conditions(more: str) -> None:
    """Reel 2 shows A at A X and S A in one row, at A A in both: two chests there."""
    build = game(NEVER, transforms=PICK + more)
    law = joint_law(Engine(build), 0)
    assert law.method == "merging"
    assert law.by_award() == joint_law(Engine(build), 0, merge=False).by_award()
    assert law.by_award() == visited_joint(Engine(build), 0, Engine(build).spin_law(0)).by_award()
    factor = Fraction(1, 3) if ODDS in more else Fraction(1)
    if more in ("", ODDS):
        assert law.plays_mean()["Line"] == Fraction(1 + 1 + 3 * 2, 6) * factor
        assert closed_form(build).rtp == check(build).rtp
    if more in (SEEN, ODDS + SEEN):  # no X: A S or S S with S A or A A
        assert law.plays_mean()["Line"] == Fraction(2, 4) * Fraction(1 + 3 * 2, 6) * factor
    check(build)


@pytest.mark.parametrize("more", ["", ODDS, SEEN, ODDS + SEEN, "multiplier = { 2 = 1, 3 = 1 }\n" + ODDS])
def test_wins_that_award_with_conditions(more: str) -> None:
    """Lines win at (A S) with A X and A A, at (X A) with S A and A A, each one line; without X at A S with A A."""
    build = game(NEVER, transforms=WON + more)
    law = joint_law(Engine(build), 0)
    assert law.method == "merging"
    assert law.by_award() == visited_joint(Engine(build), 0, Engine(build).spin_law(0)).by_award()
    factor = Fraction(1, 3) if ODDS in more else Fraction(1)
    wins = Fraction(3, 24) if SEEN in more else Fraction(8, 24)
    assert law.award_probability == wins * factor
    check(build)


@pytest.mark.parametrize(
    ("more", "odds"),
    [
        ("", 1 - Fraction(3, 4) * Fraction(3, 6)),  # S S on reel 1 or A A on reel 2
        (ODDS, (1 - Fraction(3, 4) * Fraction(3, 6)) / 3),
        ("reels = [1]\n", Fraction(1, 4)),
        ("reels = [2]\n" + ODDS, Fraction(3, 6) / 3),
        (SEEN, Fraction(1, 4) * Fraction(4, 6) + Fraction(1, 4) * Fraction(3, 6)),  # S S without A X, X S; A S with A A
        ('when = "no_win"\nreels = [2]\n', Fraction(3, 6) * Fraction(2, 4)),  # A A with S S and S X
    ],
)
def test_full_reels_with_conditions(more: str, odds: Fraction) -> None:
    build = game(NEVER, transforms=FULL + more)
    spins = [outcome.spins for _, outcome in enumerate_round(build)]
    assert any(len(some) > 1 for some in spins)
    begun = sum(p for p, outcome in enumerate_round(build) if len(outcome.spins) > 1)
    assert begun == odds
    assert joint_law(Engine(build), 0).award_probability == odds
    for nonce in range(100):
        assert Engine(build).spin(bytes(32), nonce) == reference.play(build, bytes(32), nonce)


def test_jackpots_with_conditions() -> None:
    """Of the two spins the first that shows it wins, once; on the first reel alone; where the other reel does not."""
    once = loads(JACKPOT.replace("WORD", "once = true")).build()
    first = loads(JACKPOT.replace("WORD", 'reels = [1]\nat = "end"')).build()
    other = loads(JACKPOT.replace("WORD", 'in_view = { symbol = "X", reels = [2] }\nat = "end"')).build()
    lost = loads(JACKPOT.replace("WORD", 'when = "win"')).build()
    for build in (once, first, other, lost):
        check(build)
    assert jackpots(once) == {0: Fraction(17, 32), 1: Fraction(15, 32)}
    # Held after two spins with odds 3/4, of each reel alone; a full first grid ends the feature, and changes nothing.
    assert jackpots(first) == {0: Fraction(1, 2) + Fraction(1, 8), 1: Fraction(3, 8)}
    assert jackpots(other)[1] == Fraction(1, 2) * Fraction(3, 4) * Fraction(1, 4)
    assert jackpots(lost) == {0: Fraction(1)}  # what pays at the end is no win of a spin
    assert jackpot_figures(full_cycle(once)) == []
    assert jackpot_figures(full_cycle(first)) == []


@pytest.mark.parametrize(
    ("free", "path", "message"),
    [
        ("spins = 1\nin_view = 3", "states.base.triggers[0].in_view", "3 is not an array"),
        ("spins = 1\nin_view = []", "states.base.triggers[0].in_view", "0 entries"),
        ("spins = 1\nin_view = {}", "states.base.triggers[0].in_view", "key 'symbol' is missing"),
        ('spins = 1\nin_view = { symbol = "S", min = 0 }', "states.base.triggers[0].in_view.min", "always so many"),
        ('spins = 1\nin_view = [{ symbol = "S", min = 5 }]', "states.base.triggers[0].in_view[0].min", "out of range"),
        (
            'spins = 1\nin_view = { symbol = "S", min = 3, max = 2 }',
            "states.base.triggers[0].in_view.max",
            "no number is at least 3 and at most 2",
        ),
        ('spins = 1\nin_view = { symbol = "Q" }', "states.base.triggers[0].in_view.symbol", "unknown symbol 'Q'"),
        ('spins = 1\nin_view = { symbol = "S", most = 1 }', "states.base.triggers[0].in_view.most", "unknown key"),
        (
            'spins = 1\nin_view = { symbol = "S", reels = [3] }',
            "states.base.triggers[0].in_view.reels[0]",
            "out of range",
        ),
    ],
)
def test_mistakes_of_conditions(free: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        game(free)
    assert [problem.path for problem in caught.value.problems] == [path]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (WON + 'when = "win"', "states.base.triggers[0].when"),
        (PICK + "reels = [1]", "states.base.triggers[0].reels"),
        (FULL + "per_reel = true", "states.base.triggers[0].per_reel"),
        (FULL + "once = true", "states.base.triggers[0].once"),
    ],
)
def test_what_a_kind_cannot_need(more: str, path: str) -> None:
    with pytest.raises(ModelError) as caught:
        game(NEVER, transforms=more)
    assert [problem.path for problem in caught.value.problems] == [path]


def test_a_jackpot_at_the_end_is_looked_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        loads(JACKPOT.replace("WORD", 'at = "end"\nonce = true\nwhen = "win"'))
    assert {p.path for p in caught.value.problems} == {"states.hold.triggers[0].when", "states.hold.triggers[0].once"}


def test_several_transforms_with_odds_merge() -> None:
    """One filled reel, then symbols that are replaced or expand: each in some spins, together with a drawn multiplier."""
    parts = [
        'kind = "fill"\nsymbol = "S"\nreels = { 1 = 1 }\nchance = 1\nout_of = 5',
        'kind = "replace"\nsymbol = "S"\ninto = "A"\nreels = [2]\nchance = 1\nout_of = 3',
        'kind = "expand"\nsymbol = "A"\nchance = 3\nout_of = 4',
        'kind = "multiplier"\ntable = { 2 = 1, 5 = 1 }\nchance = 1\nout_of = 2',
    ]
    written = "".join(f"[[states.base.transforms]]\n{part}\n" for part in parts)
    build = game("spins = 1\nchance = 1\nout_of = 6", 'symbol = "S"\nplays = { 2 = 1 }', transforms=written)
    law = joint_law(Engine(build), 0)
    assert law.method == "merging, times the multiplier of a spin"
    assert law.by_award() == visited_joint(Engine(build), 0, Engine(build).spin_law(0)).by_award()
    check(build)
