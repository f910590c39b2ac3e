"""Levels of what is counted over a feature: listed and endless ones, what counts, and what the file may not say."""

from __future__ import annotations

import pytest

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.exact.analysis import analyse
from rgs_core.language.mechanics import CollectedTrigger
from rgs_core.language.model_file import loads
from rgs_core.outcome import FreeSpinsAward, Outcome

KEY = bytes(range(32))

GAME = """format = 1
id = "levels"
title = "Levels"
version = "1"
symbols = ["A", "B", "M", "F", "S"]

[stake]
units = 1

[grid]
reels = 2
rows = 1

[caps]
free_spins = 200

[evaluators.one]
kind = "count"
pays = { A = { 1 = 1 } }

[states.base]
strips = "base"
evaluators = ["one"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 12 }
state = "free"

[states.free]
strips = "free"
evaluators = ["one"]
WORDS

[[states.free.triggers]]
name = "Up"
kind = "collected"
LEVELS

[profiles.one.strips]
base = ["S", "A"]
free = FREE
"""
VALUES = '[[states.free.transforms]]\nkind = "values"\nsymbols = ["M"]\ntable = { 2 = 1, 5 = 1 }\n'
STICK = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["M"]\n'


def text(levels: str, free: str = '["A B", "B M"]', words: str = "") -> str:
    return GAME.replace("LEVELS", levels).replace("FREE", free).replace("WORDS", words)


def rounds(levels: str, free: str = '["A B", "B M"]', words: str = "", number: int = 40) -> list[Outcome]:
    """Rounds of the reference, which are those of the engine, and add up in books."""
    build = loads(text(levels, free, words)).build()
    engine, narrator = Engine(build), Narrator(build)
    played = [reference.play(build, KEY, nonce) for nonce in range(number)]
    assert [engine.spin(KEY, nonce) for nonce in range(number)] == played
    for nonce, outcome in enumerate(played):
        events = narrator.book(nonce, outcome)["events"]
        for event in (event for event in events if event["type"] == "updateCollected"):
            assert event["level"] == trigger_of(levels).level(event["collected"])
        told = [event["globalMult"] for event in events if event["type"] == "updateGlobalMult"]
        wins = [win for spin in outcome.spins[1:] for win in spin.all_wins]
        assert {win.multiplier for win in wins if win.evaluator == "one"} <= {1, *told}
    return played


def trigger_of(levels: str) -> CollectedTrigger:
    trigger = loads(text(levels, words=VALUES)).states["free"].triggers[0]
    assert isinstance(trigger, CollectedTrigger)
    return trigger


def multipliers(outcome: Outcome) -> list[int]:
    """What the free spins that win A were multiplied by, 0 for one that wins nothing."""
    return [next((win.multiplier for win in spin.wins), 0) for spin in outcome.spins[1:]]


# --- Which level a count reaches -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ('symbol = "M"\nevery = 4\nmultipliers = [2, 3]\n', {0: 0, 3: 0, 4: 1, 8: 2, 100: 2}),
        ('symbol = "M"\nevery = [4, 7, 13]\nmultipliers = [2, 3, 4]\n', {3: 0, 4: 1, 6: 1, 7: 2, 12: 2, 13: 3, 90: 3}),
        (
            'symbol = "M"\nevery = [4, 7]\nmultipliers = [2, 3]\nendless = true\nmultiplier_step = 2\n',
            {6: 1, 7: 2, 9: 2, 10: 3, 13: 4},
        ),
        ('symbol = "M"\nevery = [5]\nmultipliers = [2]\nendless = true\nmultiplier_step = 1\n', {4: 0, 5: 1, 10: 2}),
    ],
)
def test_counts_reach_levels(levels: str, expected: dict[int, int]) -> None:
    trigger = trigger_of(levels)
    assert {count: trigger.level(count) for count in expected} == expected


def test_forty_levels_at_listed_counts() -> None:
    counts = [n * (n + 1) // 2 for n in range(1, 41)]
    levels = f'symbol = "M"\nevery = {counts}\nspins = {[1] * 39 + [5]}\nmultipliers = {list(range(2, 42))}\nstate = "free"\n'
    (outcome,) = rounds(levels, '["A", "M"]', number=1)
    # One M a spin: after spins 1, 3, 6, 10, ... the next level; 12 spins and one for each level reached in them.
    levels_reached = [award.count for spin in outcome.spins[1:] for award in spin.awards if hasattr(award, "count")]
    assert levels_reached == [1, 2, 3, 4, 5]
    assert multipliers(outcome) == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6]


def test_the_last_level_comes_again() -> None:
    """Every third M from the sixth on: a spin more, and one more of the multiplier."""
    levels = (
        'symbol = "M"\nevery = [2, 3, 6]\nspins = [0, 0, 1]\nmultipliers = [2, 2, 3]\nstate = "free"\nendless = true\n'
    )
    (outcome,) = rounds(levels + "multiplier_step = 1\n", '["A", "M"]', number=1)
    awards = [(award.count, award.spins) for spin in outcome.spins[1:] for award in spin.awards]  # type: ignore[union-attr]
    assert awards == [(3, 1), (4, 1), (5, 1), (6, 1)]
    assert multipliers(outcome) == [1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6]


# --- What counts ---------------------------------------------------------------------------------------------


def test_cells_that_were_counted_do_not_count_again() -> None:
    """The M sticks after the first spin that shows it: once with fresh, at every spin without."""
    levels = 'symbol = "M"\nevery = 1\nmultipliers = [2, 3, 4]\n'
    assert multipliers(rounds(levels + "fresh = true\n", '["A", "M"]', STICK, 1)[0]) == [1] + [2] * 11
    assert multipliers(rounds(levels, '["A", "M"]', STICK, 1)[0]) == [1, 2, 3] + [4] * 9


def test_values_are_collected() -> None:
    """5 at least of values of 2 and 5: after one 5, or three 2."""
    levels = 'symbol = "M"\ncounts = "values"\nevery = [5, 10]\nmultipliers = [2, 3]\n'
    for outcome in rounds(levels, '["A", "M B"]', VALUES):
        collected, expected = 0, []
        for spin in outcome.spins[1:]:
            expected.append(3 if collected >= 10 else 2 if collected >= 5 else 1)
            collected += sum(map(sum, spin.values))
        assert multipliers(outcome) == expected


def test_only_collectors_count_and_each_does() -> None:
    levels = 'symbol = "M"\ncollector = "F"\nevery = 1\nmultipliers = [2, 3]\n'
    assert multipliers(rounds(levels, '["A F", "M"]')[0])
    for outcome in rounds(levels, '["A F", "M B"]'):
        level, expected = 0, []
        for spin in outcome.spins[1:]:
            shown = [reel[0] for reel in spin.window]
            expected.append(min(level, 2) + 1 if "A" in shown else 0)
            level += shown.count("M") * shown.count("F")
        assert multipliers(outcome) == expected


@pytest.mark.parametrize("counts", ["wins", "losses", "spins"])
def test_spins_in_a_row(counts: str) -> None:
    """x1, x2, x3 of wins, or of losses, in a row; the multiplier of each spin played never falls."""
    levels = f'counts = "{counts}"\nin_a_row = true\nevery = 1\nmultipliers = [2, 3]\n'
    for outcome in rounds(levels):
        level, expected = 0, []
        for spin in outcome.spins[1:]:
            expected.append(min(level, 2) + 1 if spin.wins else 0)
            level = level + 1 if counts == "spins" or bool(spin.wins) == (counts == "wins") else 0
        assert multipliers(outcome) == expected


def test_a_multiplier_for_each_spin_without_end() -> None:
    levels = 'counts = "spins"\nevery = 1\nmultipliers = [2]\nendless = true\nmultiplier_step = 1\n'
    assert multipliers(rounds(levels, '["A", "B"]', number=1)[0]) == list(range(1, 13))
    figures = analyse(loads(text(levels, '["A B", "B"]')).build())
    assert figures.rtp is not None
    assert figures.rtp == 1 + sum(range(1, 13)) / 2


# --- A game ----------------------------------------------------------------------------------------------------

FISHING = """format = 1
id = "fishing"
title = "Fishing"
version = "1"
symbols = ["fisher", "A", "K", "fish", "float"]
stake = { units = 5 }
grid = { reels = 5, rows = 3 }
caps = { free_spins = 100, win = 2100 }

[wilds.fisher]
substitutes = ["A", "K", "fish"]

[evaluators.lines]
kind = "lines"
paylines = ["11111", "00000", "22222", "01210", "21012"]
pays = { fish = { 3 = 5, 4 = 20, 5 = 100 }, A = { 3 = 3, 4 = 10, 5 = 50 }, K = { 3 = 1, 4 = 5, 5 = 20 } }

[evaluators.money]
kind = "collect"
symbol = "fish"
collector = "fisher"

[states.base]
strips = "base"
evaluators = ["lines"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "float"
spins = { 3 = 10, 4 = 15, 5 = 20 }
state = "free"

[states.free]
strips = "free"
evaluators = ["lines", "money"]
multiplier_exempt = ["lines"]     # the levels multiply the money that fishers collect, and nothing else

[[states.free.transforms]]
kind = "values"
symbols = ["fish"]
table = { 2 = 40, 5 = 30, 10 = 20, 50 = 2 }

[[states.free.triggers]]
name = "Trail"
kind = "collected"
symbol = "fisher"
every = 4
spins = [10, 10, 10]
multipliers = [2, 3, 10]
multipliers_from = "batch"        # once the spins are played that were left before
state = "free"

[profiles.one.strips]
base = ["A K fish float A K", "K fish A float K", "fish A K float A", "A K fish A", "K A fish K"]
free = ["A K fish fisher A K", "K fish fisher A fisher K", "fish A fisher K A fish", "A K fish fisher", "K A fish fisher K"]
"""


def test_fishers_collect_money_times_the_level() -> None:
    """Every fourth fisher: ten spins more, in which the money is worth 2, 3 and 10 times; lines pay as they are."""
    build = loads(FISHING).build()
    engine = Engine(build)
    seen = set()
    for nonce in range(60):
        outcome = reference.play(build, KEY, nonce)
        assert engine.spin(KEY, nonce) == outcome
        for spin in outcome.spins[1:]:
            shown = [(symbol, value) for reel, values in zip(spin.window, spin.values, strict=False)
                     for symbol, value in zip(reel, values, strict=True)]  # fmt: skip
            fishers = sum(reel.count("fisher") for reel in spin.window)
            money = [win for win in spin.wins if win.evaluator == "money"]
            assert bool(money) == (fishers > 0 and any(value for _, value in shown))
            for win in money:
                assert win.amount_units == 5 * fishers * sum(value for _, value in shown) * win.multiplier
                seen.add(win.multiplier)
            assert all(win.multiplier == 1 for win in spin.wins if win.evaluator == "lines")
    assert seen == {1, 2, 3, 10}
    assert any("collects symbols" in why or "multiplies by a level" in why for why in analyse(build).skipped.values())


# --- Files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "place", "message"),
    [
        ('symbol = "M"\nevery = [4, 4]\nmultipliers = [2, 3]\n', "every[1]", "level 2 needs 4, no more than the 4"),
        ('symbol = "M"\nevery = [4, 8]\nmultipliers = [2]\n', "multipliers", "1 multipliers for 2 levels"),
        ('symbol = "M"\nevery = []\nmultipliers = [2]\n', "every", "entries"),
        ('symbol = "M"\nevery = [3, 5]\n', "", "a level that does nothing"),
        ("every = 2\nmultipliers = [2]\n", "", "key 'symbol' is missing"),
        ('counts = "wins"\nsymbol = "M"\nevery = 2\nmultipliers = [2]\n', "symbol", "where wins are counted"),
        ('counts = "spins"\nfresh = true\nevery = 2\nmultipliers = [2]\n', "fresh", "where spins are counted"),
        (
            'counts = "values"\nsymbol = "M"\nevery = 2\nmultipliers = [2]\n',
            "counts",
            "no cell of the state has a value",
        ),
        ('symbol = "M"\nevery = 2\nmultipliers = [2]\nendless = true\n', "endless", "nothing that could come again"),
        ('symbol = "M"\nevery = 2\nmultipliers = [2]\nmultiplier_step = 1\n', "multiplier_step", "without 'endless'"),
        (
            'symbol = "M"\nevery = 2\nspins = [1]\nstate = "free"\nendless = true\nmultiplier_step = 1\n',
            "multiplier_step",
            "without 'multipliers'",
        ),
        (
            'symbol = "M"\nevery = 2\nspins = [1]\nstate = "free"\nendless = true\nmultipliers_from = "batch"\n',
            "multipliers_from",
            "cannot wait",
        ),
        (
            'counts = "wins"\nevery = 2\nmultipliers = [2]\nin_a_row = true\nmultipliers_from = "batch"\n',
            "multipliers_from",
            "cannot wait",
        ),
        ('symbol = "M"\ncollector = "X"\nevery = 2\nmultipliers = [2]\n', "collector", "unknown symbol 'X'"),
    ],
)
def test_files_say_what_is_wrong(levels: str, place: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        loads(text(levels))
    (problem,) = error.value.problems
    assert problem.path == "states.free.triggers[0]" + (f".{place}" if place else "")
    assert message in problem.message


def test_levels_of_values_without_end_are_few() -> None:
    levels = 'symbol = "M"\ncounts = "values"\nevery = 1\nspins = [1]\nstate = "free"\nendless = true\n'
    with pytest.raises(ModelError, match="one spin could reach 1000 levels; let each level need 4 at least"):
        loads(text(levels, words=VALUES.replace("5 = 1", "500 = 1")))


def test_older_builds_keep_their_hash() -> None:
    """Words of levels that a file does not write stay out of the canonical form."""
    canonical = loads(text('symbol = "M"\nevery = 2\nmultipliers = [2]\n')).build().canonical.decode()
    for word in ("thresholds", "endless", "multiplier_step", "counts", "collector", "in_a_row"):
        assert word not in canonical


def test_awards_of_a_level_in_a_row_come_again() -> None:
    """Two wins in a row award a spin, as often as it happens."""
    levels = 'counts = "wins"\nin_a_row = true\nevery = 2\nspins = [1]\nstate = "free"\n'
    for outcome in rounds(levels):
        row, expected = 0, []
        for spin in outcome.spins[1:]:
            row = row + 1 if spin.wins else 0
            expected.append(row == 2)
        awarded = [any(isinstance(award, FreeSpinsAward) for award in spin.awards) for spin in outcome.spins[1:]]
        assert awarded == expected
