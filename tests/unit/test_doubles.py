"""Double symbols: what a cell that holds several counts for, word by word and by hand; and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rgs_core import Engine, ModelError, reference
from rgs_core.exact.analysis import analyse
from rgs_core.language.model import Build
from rgs_core.language.model_file import load, loads
from rgs_core.outcome import Outcome, Win

KEY = bytes(range(32))

GAME = """format = 1
id = "cats"
title = "Cats"
version = "1"
symbols = ["cat", "cat2", "cat3", "dog", "wild", "wild2", "paw", "paw2", "coin", "coin3"]

[stake]
units = 1

[grid]
reels = 5
rows = 1

[doubles]
cat2 = { symbol = "cat", count = 2 }
cat3 = { symbol = "cat", count = 3 }
wild2 = { symbol = "wild", count = 2 }
paw2 = { symbol = "paw", count = 2 }
coin3 = { symbol = "coin", count = 3 }

GROUPS
[wilds.wild]
substitutes = ["cat", "dog"]
WILD

[evaluators.all]
kind = "count"
of = "line_bet"
wilds = true
pays = { cat = { 1 = 1 }, dog = { 1 = 1 } }

[evaluators.it]
EVALUATOR

[bonuses.chest]
kind = "pick"
prizes = [{ pay = 1, weight = 1 }]

[states.base]
strips = "base"
evaluators = ["it", "all"]
transforms = [TRANSFORMS]
triggers = [TRIGGERS]

[states.free]
strips = "free"
evaluators = ["all"]

[modes.free]
cost = 1
start = "free"

[profiles.one.strips]
base = BASE
free = ["dog", "paw", "paw", "paw", "paw"]
"""


def counts(most: int, symbol: str, first: int = 1) -> str:
    return f"pays.{symbol} = {{ " + ", ".join(f"{n} = {n}" for n in range(first, most + 1)) + " }\n"


LINES = 'kind = "lines"\npaylines = ["00000"]\npure_wild_run = "any"\n'
PAYING = counts(15, "cat") + counts(10, "dog")  # dogs are single, but a double wild stands for two of them


def text(shown: str, evaluator: str, wild: str = "", transforms: str = "", triggers: str = "") -> str:
    """The game whose only grid is `shown`, one symbol a reel."""
    chest = '{ name = "Chest", kind = "pick", pattern = ["paw"], pick = "chest" }' if "paylines" in evaluator else ""
    if not chest:
        chest = '{ name = "Chest", kind = "bonus", symbol = "paw", plays = { 9 = 1 }, bonus = "chest" }'
    groups = '[groups]\npets = ["cat", "dog"]\n' if "pets" in evaluator else ""
    filled = GAME.replace("GROUPS", groups).replace("EVALUATOR", evaluator).replace("WILD", wild)
    filled = filled.replace("TRANSFORMS", transforms)
    return filled.replace("TRIGGERS", ", ".join(filter(None, [chest, triggers]))).replace("BASE", str(shown.split()))


def play(source: str) -> Outcome:
    """The round of engine and reference; the exact analysis knows it too, as all of it is certain."""
    build = loads(source).build()
    played = reference.play(build, KEY, 0)
    assert Engine(build).spin(KEY, 0) == played
    analysis = analyse(build, visit=True)
    assert analysis.rtp is None or analysis.rtp == played.win_units
    return played


def written(win: Win) -> str:
    start = f"@{win.start}" if win.start else ""
    ways = f"~{win.ways}" if win.ways else ""
    by_wild = f"x{win.wild_multiplier}" if win.wild_multiplier != 1 else ""
    return f"{win.symbol}{win.count}{start}{by_wild}{ways}={win.amount_units}"


def paid(shown: str, evaluator: str, wild: str = "") -> str:
    """What the evaluator pays for the grid."""
    return " ".join(written(win) for win in play(text(shown, evaluator, wild)).spins[0].wins if win.evaluator == "it")


@pytest.mark.parametrize(
    ("shown", "more", "expected"),
    [
        ("cat2 cat cat2 dog dog", "", "cat5=5"),
        ("cat cat cat dog cat2", "", "cat3=3"),
        ("cat3 cat3 cat3 cat3 cat3", "", "cat15=15"),
        ("wild cat2 cat2 dog dog", "", "cat5=5"),
        ("wild2 cat2 dog dog dog", "", "cat4=4"),
        ("wild2 dog wild dog paw", "", "dog5=5"),
        ("wild2 wild2 wild2 wild2 wild2", "", "cat10=10"),
        ("dog paw cat2 cat3 cat", 'direction = "right"', "cat6@2=6"),
        ("cat2 cat2 paw cat3 cat", 'direction = "both"', "cat4=4 cat4@3=4"),
        ("cat2 cat2 cat cat3 cat", 'direction = "both"', "cat9=9"),
        ("dog dog cat3 paw dog", 'direction = "adjacent"', "cat3@2=3"),
        ("cat2 cat cat3 cat cat2", "full_grid = { cat = 2 }", "cat9x2=18"),
    ],
)
def test_runs_on_lines_count_symbols(shown: str, more: str, expected: str) -> None:
    assert paid(shown, f"{LINES}{more}\n{PAYING}") == expected


def test_groups_on_lines() -> None:
    assert paid("cat2 dog wild2 cat paw", LINES + counts(15, "pets")) == "pets6=6"


def test_a_double_wild_multiplies_once() -> None:
    assert paid("wild2 cat wild cat2 paw", LINES + PAYING, "multiplier = 3") == "cat6x3=18"


def test_a_combination_names_cells() -> None:
    listed = '{ symbols = ["cat", "dog", "pets", "wild", "*"], pay = 5 }'
    evaluator = f'kind = "combinations"\npaylines = ["00000"]\ncombinations = [{listed}]'
    assert paid("cat2 wild2 cat3 wild2 paw2", evaluator) == "cat4=5"


@pytest.mark.parametrize(
    ("shown", "more", "expected"),
    [
        ("cat2 cat cat3 dog dog", "", "cat3~6=18"),
        ("wild2 cat2 cat dog dog", "", "cat3~4=12"),
        ("wild2 wild cat2 paw paw", 'pure_wild_run = "own"', "cat3~4=12"),
        ("wild2 wild paw cat2 paw", 'pure_wild_run = "own"', ""),
    ],
)
def test_a_double_makes_several_ways(shown: str, more: str, expected: str) -> None:
    assert paid(shown, f'kind = "ways"\n{more}\n' + counts(5, "cat", 2)) == expected


def test_counts_clusters_scatters_and_collected_values() -> None:
    assert paid("cat2 dog cat wild2 cat3", 'kind = "count"\n' + counts(9, "cat")) == "cat6=6"
    assert paid("cat2 dog cat wild2 cat3", 'kind = "count"\nwilds = true\n' + counts(9, "cat")) == "cat8=8"
    assert paid("cat2 cat paw cat3 wild2", 'kind = "cluster"\n' + counts(9, "cat")) == "cat3=3 cat5=5"
    paws = 'kind = "scatter"\nsymbol = "paw"\nof = "total_bet"\npays = { 4 = 1, 5 = 9 }'
    assert paid("paw2 cat paw cat paw2", paws) == "paw5=9"
    valued = '{ kind = "values", symbols = ["coin", "coin3"], table = { 7 = 1 } }'
    collect = 'kind = "collect"\nsymbol = "coin"\ncollector = "paw"\ncount_min = LEAST'
    for least, expected in ((4, ["coin4=28"]), (5, [])):
        spin = play(text("coin paw2 coin3 cat cat", collect.replace("LEAST", str(least)), transforms=valued)).spins[0]
        assert [written(win) for win in spin.wins if win.evaluator == "it"] == expected, "14 for each of two paws"


def test_triggers_count_symbols_and_transforms_see_cells() -> None:
    scatter = 'kind = "scatter"\nsymbol = "dog"\nof = "total_bet"\npays = { 9 = 1 }'
    more = '{ name = "More", kind = "free_spins", symbol = "cat", spins = { 4 = 1, 5 = 2 }, state = "free" }'
    shown = "cat2 cat3 dog dog dog"
    assert len(play(text(shown, scatter, triggers=more)).spins) == 3
    become = '{ kind = "replace", symbol = "SYMBOL", into = "dog" }'
    for symbol, spins in (("cat", 3), ("cat3", 1)):
        played = play(text(shown, scatter, transforms=become.replace("SYMBOL", symbol), triggers=more))
        assert len(played.spins) == spins, "a transform names the symbol in the cell"
    played = play(text("paw2 cat cat cat dog", LINES + PAYING))
    assert [award.trigger for award in played.spins[0].awards] == ["Chest"]
    wins = '{ name = "Won", kind = "win_spins", evaluator = "it", spins = { cat = { 5 = 1 } }, state = "free" }'
    assert len(play(text("cat2 cat3 paw paw paw", LINES + PAYING, triggers=wins)).spins) == 2


def test_the_build_hash_knows_doubles_and_nothing_else_changes() -> None:
    model = loads(text("cat2 cat cat dog dog", LINES + PAYING))
    other = replace(model, doubles={**model.doubles, "cat2": replace(model.doubles["cat2"], count=4)})
    assert Build(model, model.profiles["one"]).build_hash != Build(other, model.profiles["one"]).build_hash
    assert b"doubles" not in load("math_models/ember_sevens.toml").build().canonical


GOOD = text("cat2 cat cat dog dog", LINES + PAYING + "pays.pets = { 14 = 1, 15 = 1 }\n")
MISTAKES = [
    ('cat2 = { symbol = "cat", count = 2 }', "cat2 = { symbol = 'cat', count = 5 }", "doubles.cat2.count", "5 is out of range", "2 to 4"),
    ('cat2 = { symbol = "cat", count = 2 }', "cat2 = { symbol = 'cat3', count = 2 }", "doubles.cat2.symbol", "'cat3' is a double symbol itself", "counts as"),
    ('cat2 = { symbol = "cat", count = 2 }', "cot2 = { symbol = 'cat', count = 2 }", "doubles.cot2", "unknown symbol 'cot2'", "did you mean"),
    ('pets = ["cat", "dog"]', 'pets = ["cat2", "dog"]', "groups.pets[0]", "counts as 2 of 'cat'", "write 'cat'"),
    ('substitutes = ["cat", "dog"]', 'substitutes = ["cat3", "dog"]', "wilds.wild.substitutes[0]", "counts as 3 of 'cat'", "write 'cat'"),
    ('substitutes = ["cat", "dog"]', 'combine = "sum"\nsubstitutes = ["cat", "dog"]', "wilds.wild.combine", "count several times, as 'wild2'", '"once"'),
    ("pays.dog", "pays.wild2", "evaluators.it.pays.wild2", "counts as 2 of 'wild'", "write 'wild'"),
    (", 15 = 15 }", " }", "evaluators.it.pays.cat", "no pay for 15 of a kind", "up to 15"),
    (", 10 = 10 }", ", 10 = 10, 11 = 11 }", "evaluators.it.pays.dog.11", "'11' is not a symbol count", "1 to 10"),
    ('pattern = ["paw"]', 'pattern = ["paw2"]', "states.base.triggers[0].pattern[0]", "counts as 2 of 'paw'", "write 'paw'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "message", "remedy"), MISTAKES, ids=lambda part: str(part)[:24])
def test_a_mistake_is_named(old: str, new: str, path: str, message: str, remedy: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(ModelError) as caught:
        loads(GOOD.replace(old, new))
    found = [p for p in caught.value.problems if p.path == path and message in p.message]
    assert found, str(caught.value)
    assert remedy in found[0].remedy


def test_a_grid_counts_for_few_enough_symbols() -> None:
    large = GOOD.replace("reels = 5\nrows = 1", "reels = 8\nrows = 8").replace("count = 3", "count = 4")
    with pytest.raises(ModelError) as caught:
        loads(large)
    assert any("64 cells could count for 256 symbols" in p.message for p in caught.value.problems)


def test_lanes_say_why_not() -> None:
    engine = Engine(loads(GOOD).build())
    assert engine.kernel == "general"
    assert "double symbols" in engine.general_because or engine.simd == "scalar"
