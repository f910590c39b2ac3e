"""The words of the model language beyond lines and scatters: how each is read, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import loaded, model_texts, rich_model_texts

from rgs_core import Engine, ModelError, reference
from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.mechanics import Table, by_count
from rgs_core.language.model import Mode, NameTable
from rgs_core.language.model_file import draws_most, loads, most_units
from rgs_core.reference import Draws, play_with

RICH = """format = 1
id = "rich"
title = "Rich"
version = "1"
symbols = ["W", "V", "A", "B", "C", "S", "P", "M", "X"]

[stake]
units = 10

[grid]
reels = 3
rows = 3

[caps]
free_spins = 30
win = 5000

[groups]
red = ["A", "B"]

[wilds.W]
substitutes = ["A", "B", "C"]
multiplier = 2
combine = "product"

[wilds.V]
substitutes = ["A"]
multiplier = 3
combine = "sum"

[evaluators.lines]
kind = "lines"
paylines = ["000", "222"]
direction = "both"
cell_values = "product"
full_grid = { A = 2 }

[evaluators.lines.pays]
A = { 2 = 1, 3 = 10 }
red = { 3 = 1 }

[evaluators.mixed]
kind = "combinations"
paylines = ["111"]
combinations = [
  { symbols = ["A", "red", "*"], pay = 5 },
  { symbols = ["A", "B", "C"], pay = 2, any_order = true },
]

[evaluators.ways]
kind = "ways"
direction = "right"
pays = { B = { 2 = 1, 3 = 2 }, C = { 3 = 4 } }

[evaluators.count]
kind = "count"
pays = { X = { 4 = 1, 5 = 3 } }
wilds = true
of = "line_bet"

[evaluators.cluster]
kind = "cluster"
pays = { B = { 3 = 1 } }
neighbours = 6
cell_values = "sum"

[evaluators.stars]
kind = "scatter"
symbol = "S"
pays = { 2 = 1 }
of = "total_bet"
stopped = true
at = "end"

[evaluators.coins]
kind = "collect"
symbol = "M"
count_min = 2
collector = "P"
at = "end"

[bonuses.chest]
kind = "pick"
prizes = [{ pay = 5, weight = 2 }, { pay = 9, weight = 1 }]

[bonuses.cards]
kind = "take"
prizes = [10, 10, 20]
take = 2
equal_multiplier = 3

[bonuses.wheel]
kind = "wheel"
segments = [
  { weight = 3, pay = 5 },
  { weight = 1, spins = 10, state = "free", bonus = "board" },
]

[bonuses.board]
kind = "trail"
squares = [1, 2, 0, 5]
ends = [3]
die = { 1 = 1, 2 = 1 }
rolls_max = 4
finish = 50

[modes.buy]
cost = 800
start = "hold"
spins = 3

[states.base]
strips = { base = 3, other = 1 }
evaluators = ["lines", "stars"]

[[states.base.transforms]]
kind = "reveal"
symbol = "P"
table = { B = 1, A = 3 }
each = "reel"

[[states.base.transforms]]
kind = "values"
symbols = ["A"]
table = { 2 = 3, 5 = 1 }

[[states.base.transforms]]
kind = "multiplier"
table = { 1 = 9, 10 = 1 }

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 2 = 3, 3 = 5 }
state = "free"
stopped = true
carry = ["W"]

[[states.base.triggers]]
name = "Wheel"
kind = "bonus"
symbol = "S"
plays = { 3 = 1, 4 = 2 }
bonus = "wheel"
stopped = true

[[states.base.triggers]]
name = "Grand"
kind = "jackpot"
jackpot = "grand"
chance = 1
out_of = 1000000

[[states.base.triggers]]
name = "Chest"
kind = "pick"
pattern = ["P"]
pick = "chest"

[states.free]
like = "base"
multiplier = 3
multiplier_exempt = ["Book", "lines.red.3", "Cards"]
special = { name = "Book", table = { A = 2 }, lines = "lines", own_lines = false }

[[states.free.triggers]]
name = "More"
kind = "win_spins"
evaluator = "lines"
spins = { red = { 3 = 1 } }
state = "fall"

[[states.free.triggers]]
name = "Fish"
kind = "collected"
symbol = "M"
every = 4
spins = [10, 10, 0]
multipliers = [2, 3, 10]
state = "free"

[[states.free.triggers]]
name = "Cards"
kind = "pick"
pattern = ["*", "P"]
pick = "cards"

[states.hold]
strips = "base"
evaluators = ["coins"]
draw = "cell"
final = { symbols = ["M"], combine = "product", name = "Times" }

[[states.hold.transforms]]
kind = "values"
symbols = ["M"]
table = { 1 = 3, 2 = 1 }

[[states.hold.transforms]]
kind = "stick"
symbols = ["M"]
step = -1

[[states.hold.triggers]]
name = "Again"
kind = "free_spins"
symbol = "M"
spins = { 1 = 3 }
state = "hold"
fresh = true
reset = true

[states.fall]
strips = "other"
rows = [2, { 2 = 1, 4 = 3 }, 3]
evaluators = ["ways", "count", "cluster"]

[states.fall.cascade]
refill = "fresh"
remove = ["ways", "Stop"]
keep = ["W"]
multipliers = [1, 2, 5]
persist = true
steps_max = 20

[[states.fall.transforms]]
kind = "expand"
symbol = "W"
reels = [3, 1]

[[states.fall.transforms]]
kind = "replace"
symbol = "P"
into = "X"

[[states.fall.transforms]]
kind = "add"
symbol = "W"
count = { 0 = 2, 2 = 1 }
over = ["A", "B"]

[[states.fall.transforms]]
kind = "values"
symbols = ["B"]
table = { 3 = 1 }

[[states.fall.transforms]]
kind = "multiplier"
table = { 2 = 1 }
each = "full_reel"
symbol = "W"
combine = "sum"
persist = true

[[states.fall.triggers]]
name = "Stop"
kind = "free_spins"
symbol = "S"
spins = { 3 = 1 }
state = "mix"

[states.mix]
strips = "base"
evaluators = ["mixed"]

[profiles.main.strips]
base = ["W A B S P", "W A B S M", "W A B S"]
other = ["A B C X", "A B C P", "V A M"]
"""


# --- Read into the right words ---------------------------------------------------------------------


def test_grid_groups_wilds_caps_and_modes() -> None:
    model = loads(RICH)
    assert (model.reels, model.rows, model.win_max, model.win_units_cap) == (3, 4, 5000, 50_000)
    assert model.groups == {"red": {"A", "B"}}
    assert [wild.combine for wild in model.wilds.values()] == ["product", "sum"]
    assert model.modes == {"buy": Mode("buy", 800, "hold", 3)}
    assert model.build(mode="buy").play.start == "hold"
    three, two_or_four = Table((3,), (1,)), Table((2, 4), (1, 3))
    assert model.states["base"].heights == (three,) * 3
    assert model.states["fall"].heights == (Table((2,), (1,)), two_or_four, three)


def test_heights_that_are_the_same_everywhere_are_those_of_the_model() -> None:
    plain = loads(RICH.replace("rows = [2, { 2 = 1, 4 = 3 }, 3]", "rows = [3, 3, 3]"))
    assert plain.rows == 3
    assert all(state.heights is None for state in plain.states.values())
    drawn = loads(RICH.replace("rows = [2, { 2 = 1, 4 = 3 }, 3]", "rows = { 2 = 1, 4 = 3 }"))
    assert drawn.states["fall"].heights == (Table((2, 4), (1, 3)),) * 3


def test_evaluators() -> None:
    found = loads(RICH).evaluators
    lines, mixed, ways = found["lines"], found["mixed"], found["ways"]
    assert isinstance(lines, words.Lines)
    assert (lines.direction, lines.cell_values, lines.full_grid) == ("both", "product", {"A": 2})
    assert lines.pays["red"] == {3: 1}
    assert isinstance(mixed, words.Combinations)
    assert mixed.combinations == (
        words.Combination(("A", "red", None), 5, True),
        words.Combination(("A", "B", "C"), 2, False),
    )
    assert ways == words.Ways("ways", {"B": {2: 1, 3: 2}, "C": {3: 4}}, "own", "right", "ignore")
    assert found["count"] == words.Count("count", {"X": {4: 1, 5: 3}}, "line_bet", True, "ignore")
    assert found["cluster"] == words.Cluster("cluster", {"B": {3: 1}}, "total_bet", 6, "sum")
    assert found["stars"] == words.Scatter("stars", "S", {2: 1}, "total_bet", stopped=True, at="end")
    assert found["coins"] == words.Collect("coins", "M", 2, "P", "total_bet", "end")


def test_bonuses() -> None:
    found = loads(RICH).bonuses
    chest = found["chest"]
    assert isinstance(chest, words.Pick)
    assert chest.prizes == Table((5, 9), (2, 1))
    assert found["cards"] == words.Take("cards", (10, 10, 20), 2, 3, "line_bet")
    segments = (words.Segment(3, 5, 0, None, None), words.Segment(1, 0, 10, "free", "board"))
    assert found["wheel"] == words.Wheel("wheel", segments, "total_bet")
    die = Table((1, 2), (1, 1))
    assert found["board"] == words.Trail("board", (1, 2, 0, 5), frozenset({3}), die, 4, 50, "total_bet")


def test_prizes_and_squares_that_end_a_bonus() -> None:
    text = RICH.replace("take = 2\nequal_multiplier = 3", "ends = [3, 2]\nlives = 2").replace(
        "squares = [1", 'pays = "last"\nsquares = [1'
    )
    found = loads(text).bonuses
    assert found["cards"] == words.Take("cards", (10, 10, 20), 3, 1, "line_bet", ends=frozenset({2, 3}), lives=2)
    board = found["board"]
    assert isinstance(board, words.Trail)
    assert board.pays == "last"
    assert found["wheel"] == loads(RICH).bonuses["wheel"]


def test_states_and_what_they_take_from_another() -> None:
    base, free = (loads(RICH).states[name] for name in ("base", "free"))
    assert (base.strips, base.strip_choice) == ("base", NameTable(("base", "other"), (3, 1)))
    assert (free.strip_choice, free.transforms, free.evaluators) == (
        base.strip_choice,
        base.transforms,
        base.evaluators,
    )
    assert (free.multiplier, [t.name for t in free.triggers]) == (3, ["More", "Fish", "Cards"])
    assert free.special == words.Special("Book", words.SymbolTable(("A",), (2,)), "lines", False)
    assert free.exempt("Book")
    hold = loads(RICH).states["hold"]
    assert hold.cells
    assert hold.final == words.Final("Times", frozenset("M"), "product", False)


def test_transforms() -> None:
    states = loads(RICH).states
    reveal = words.Reveal("P", words.SymbolTable(("A", "B"), (3, 1)), "reel")
    values = words.Values(frozenset("A"), Table((2, 5), (3, 1)))
    assert states["base"].transforms == (
        reveal,
        values,
        words.Multiplier(Table((1, 10), (9, 1)), "spin", None, "product", False),
    )
    assert states["hold"].transforms[1] == words.Stick(frozenset("M"), -1)
    assert states["fall"].transforms == (
        words.Expand("W", "W", (0, 2)),
        words.Replace("P", "X", None),
        words.Add("W", Table((0, 2), (2, 1)), None, frozenset("AB")),
        words.Values(frozenset("B"), Table((3,), (1,))),
        words.Multiplier(Table((2,), (1,)), "full_reel", "W", "sum", True),
    )


def test_cascades_and_triggers() -> None:
    states = loads(RICH).states
    remove = frozenset({"ways", "Stop"})
    assert states["fall"].cascade == words.Cascade("fresh", remove, frozenset("W"), (1, 2, 5), True, 20)
    free = words.FreeSpinsTrigger("Free", "S", {2: 3, 3: 5}, "free", stopped=True, carry=frozenset("W"))
    wheel = words.BonusTrigger("Wheel", "S", {3: 1, 4: 2}, "wheel", True)
    grand = words.JackpotTrigger("Grand", "grand", 1, 1_000_000)
    assert states["base"].triggers == (free, wheel, grand, words.PickTrigger("Chest", ("P",), "chest"))
    fish = words.CollectedTrigger("Fish", "M", 4, (10, 10, 0), (2, 3, 10), "free")
    assert states["free"].triggers[:2] == (words.WinTrigger("More", "lines", {"red": {3: 1}}, "fall"), fish)
    again = words.FreeSpinsTrigger("Again", "M", {1: 3}, "hold", fresh=True, reset=True)
    assert states["hold"].triggers == (again,)


def test_by_default_a_cascade_removes_what_pays_at_every_spin() -> None:
    text = RICH.replace('remove = ["ways", "Stop"]\n', "").replace(
        '"count", "cluster"]', '"count", "cluster", "stars"]'
    )
    cascade = loads(text).states["fall"].cascade
    assert cascade
    assert cascade.remove == {"ways", "count", "cluster"}


def test_the_order_of_keys_means_nothing() -> None:
    """Weights are laid end to end in an order of their own, so that the hash covers the outcome."""
    moved = RICH.replace("{ base = 3, other = 1 }", "{ other = 1, base = 3 }")
    moved = moved.replace("{ B = 1, A = 3 }", "{ A = 3, B = 1 }")
    moved = moved.replace('red = ["A", "B"]', 'red = ["B", "A"]')
    assert loads(moved).build().build_hash == loads(RICH).build().build_hash


# --- Refused -----------------------------------------------------------------------------------------

STOP = "states.fall.cascade"
BASE, FREE, FALL = "states.base.transforms", "states.free.triggers", "states.fall.transforms"

# (replace this, by that) -> path, part of the message, part of the remedy
MISTAKES = [
    ("rows = 3\n", "rows = 13\n", "grid.rows", "13 is out of range", "1 to 12"),
    ("rows = [2, {", "rows = [{", "states.fall.rows", "2 entries", "exactly 3"),
    ("4 = 3 }, 3]", "13 = 3 }, 3]", "states.fall.rows[1].13", "'13' is out of range", "1 to 12"),
    ("reels = 3\nrows = 3", "reels = 8\nrows = 9", "grid.rows", "8 reels of 9 rows", "at most 64"),
    ("win = 5000", "win = 0", "caps.win", "0 is out of range", "1 to 1000000000"),
    ('red = ["A", "B"]', 'W = ["A", "B"]', "groups.W", "'W' is a symbol", "another name"),
    ('red = ["A", "B"]', 'red = ["A", "A"]', "groups.red[1]", "'A' stands there twice", "remove one"),
    ('red = ["A", "B"]', 'red = ["A", "B"]\nblue = ["C"]', "groups.blue", "nothing pays or counts it", "or remove it"),
    ("red = {", "rad = {", "evaluators.lines.pays.rad", "unknown symbol 'rad'", "did you mean 'red'?"),
    ('combine = "sum"', 'combine = "add"', "wilds.V.combine", "'add' is not allowed", "once, product, sum"),
    ('combine = "product"', 'combine = "once"', "wilds.W.combine", "no meaning for the ways of 'ways'", '"product"'),
    ('"A", "B", "C"]\nmul', '"A", "B", "P"]\nmul', "wilds.W.substitutes", "no line, way, cluster or match pays for 'P'", "remove"),
    ('direction = "both"', 'direction = "up"', "evaluators.lines.direction", "'up' is not allowed", "adjacent"),
    ("full_grid = { A = 2 }", "full_grid = 2", "evaluators.lines.full_grid", "2 is not a table", "{ cherry = 2 }"),
    ("full_grid = { A = 2 }", "full_grid = { A = 1 }", "evaluators.lines.full_grid.A", "1 is out of", "2 to 1000"),
    ('["A", "red", "*"]', '["*", "*", "*"]', "evaluators.mixed.combinations[0].symbols", "every line", "at least one"),
    ('["A", "red", "*"]', '["A", "red"]', "evaluators.mixed.combinations[0].symbols", "2 entries", "exactly 3"),
    ('["A", "B", "C"], pay = 2, any_order = true', '["A", "red", "*"], pay = 2', "evaluators.mixed.combinations[1]", "same combination", "remove"),
    ("any_order = true", "any_order = 1", "evaluators.mixed.combinations[1].any_order", "neither true nor", "quotes"),
    ("pays = { B = {", "pays = { red = {", "evaluators.ways.pays.red", "'red' is a group", "write a symbol"),
    ("3 = 4 }", "2 = 4 }", "evaluators.ways.pays.C", "no pay for 3 of a kind", "up to 3"),
    ("neighbours = 6", "neighbours = 8", "evaluators.cluster.neighbours", "8 is not allowed", "honeycomb"),
    ("count_min = 2", "count_min = 13", "evaluators.coins.count_min", "13 is out of range", "1 to 12"),
    ('collector = "P"', 'collector = "Q"', "evaluators.coins.collector", "unknown symbol 'Q'", "known"),
    ("[bonuses.chest]", "[picks.chest]", "picks", "unknown key", 'write [bonuses.NAME] with kind = "pick"'),
    ('kind = "pick"\npri', 'kind = "pik"\npri', "bonuses.chest.kind", "'pik' is not allowed", "pick, take, wheel, trail"),
    ("take = 2", "take = 4", "bonuses.cards.take", "4 is out of range", "1 to 3"),
    ("take = 2", "", "bonuses.cards", "key 'take' is missing", "or ends"),
    ("take = 2", "take = 2\nends = [4]", "bonuses.cards.ends[0]", "4 is out of range", "1 to 3"),
    ("take = 2", "take = 2\nends = [3, 3]", "bonuses.cards.ends", "a prize stands there twice", "remove one"),
    ("take = 2", "take = 2\nlives = 1", "bonuses.cards.lives", "lives that no prize takes", "add ends"),
    ("take = 2", "ends = [3]", "bonuses.cards.equal_multiplier", "number of prizes varies", "remove it, or ends"),
    ("take = 2\nequal_multiplier = 3", "ends = [3]\nlives = 2", "bonuses.cards.lives", "2 is out of range", "1 to 1"),
    ('squares = [1', 'of = "win"\nsquares = [1', "bonuses.wheel.segments[1].bonus", "a bonus of the win", "of its own"),
    ("take = 2", 'take = 2\nof = "win"', f"{FREE}[2]", "pays 'stars' at the end, after its bonuses", 'at = "spin"'),
    ("take = 2", 'take = 2\nof = "wins"', "bonuses.cards.of", "'wins' is not allowed", "line_bet, total_bet, win"),
    ("finish = 50", 'finish = 50\npays = "first"', "bonuses.board.pays", "'first'", "last"),
    (", spins = 10,", ",", "bonuses.wheel.segments[1]", "a state without spins", "add spins"),
    (', state = "free", bonus', ", bonus", "bonuses.wheel.segments[1]", "spins of no state", "add state"),
    ('state = "free", bonus', 'state = "base", bonus', "bonuses.wheel.segments[1].state", "the paid spin", "another state"),
    ('bonus = "board"', 'bonus = "wheel"', "bonuses.wheel.segments", "wheel -> wheel", "break the circle"),
    ("ends = [3]", "ends = [3, 3]", "bonuses.board.ends", "a square stands there twice", "remove one"),
    ("ends = [3]", "ends = [5]", "bonuses.board.ends[0]", "5 is out of range", "1 to 4"),
    ("[modes.buy]", "[modes.base]", "modes.base", "the mode of the paid spin", "another name"),
    ('start = "hold"', 'start = "holt"', "modes.buy.start", "unknown state 'holt'", "did you mean 'hold'?"),
    ('start = "hold"', 'start = "free"', "states.free.special", "with which mode 'buy' starts", "one that awards them"),
    ('start = "hold"\n', "", "states.hold", "no trigger, wheel or mode leads here", "add a trigger"),
    ('like = "base"', 'like = "bass"', "states.free.like", "unknown state 'bass'", "did you mean 'base'?"),
    ('like = "base"', 'like = "free"', "states.free.like", "in a circle: free -> free", "one of them"),
    ('like = "base"', 'strips = "base"', "states.free", "key 'evaluators' is missing", "add 'evaluators'"),
    ("{ base = 3, other = 1 }", "{ base = 3, other = 0 }", "states.base.strips.other", "0 is out of range", "from 1"),
    ("{ base = 3, other = 1 }", "{ base = 3, othr = 1 }", "profiles.main.strips", "no strips 'othr'", "add 'othr'"),
    ('draw = "cell"', 'draw = "cells"', "states.hold.draw", "'cells' is not allowed", "reel, cell"),
    ('["lines", "stars"]', '["lines", "mixed"]', "states.base.evaluators", "two line evaluators", "in one"),
    ('kind = "reveal"', 'kind = "revel"', f"{BASE}[0].kind", "'revel' is not allowed", "reveal, expand"),
    ("{ B = 1, A = 3 }", "{ B = 1, Q = 3 }", f"{BASE}[0].table.Q", "unknown symbol 'Q'", "known"),
    ("{ B = 1, A = 3 }", "3", f"{BASE}[0].table", "3 is not a weight table", "symbol = weight"),
    ('each = "reel"', 'each = "row"', f"{BASE}[0].each", "'row' is not allowed", "spin, reel, cell"),
    ("{ 2 = 3, 5 = 1 }", "{ 0 = 3, 5 = 1 }", f"{BASE}[1].table.0", "'0' is out of range", "1 to 1000000"),
    ('each = "full_reel"\n', "", f"{FALL}[4].symbol", "needs no symbol", 'each = "cell"'),
    ('each = "full_reel"\nsymbol = "W"', 'each = "cell"', f"{FALL}[4]", "for each cell of no symbol", "add 'symbol'"),
    ("reels = [3, 1]", "reels = [3, 3]", f"{FALL}[0].reels", "a reel stands there twice", "remove one"),
    ("reels = [3, 1]", "reels = [0]", f"{FALL}[0].reels[0]", "0 is out of range", "1 to 3"),
    ('into = "X"', 'into = "P"', f"{FALL}[1].into", "'P' becomes itself", "another symbol"),
    ("{ 0 = 2, 2 = 1 }", "65", f"{FALL}[2].count", "65 is out of range", "0 to 64"),
    ("step = -1", "step = 2", "states.hold.transforms[1].step", "2 is out of range", "-1 to 1"),
    ('remove = ["ways", "Stop"]', 'remove = ["lines"]', f"{STOP}.remove[0]", "unknown removing evaluator", "known: ways"),
    ('"ways", "count", "cluster"]\n', '"stars"]\n', f"{STOP}.remove[0]", "'ways'", "known: Stop"),
    ('remove = ["ways", "Stop"]', "remove = []", f"{STOP}.remove", "0 entries", "1 to 64"),
    ("steps_max = 20", "steps_max = 65", f"{STOP}.steps_max", "65 is out of range", "2 to 64"),
    ('draw = "cell"', 'draw = "cell"\ncascade = { refill = "strip" }', "states.hold.cascade", "no evaluator that removes", "at = "),
    ('refill = "fresh"', 'refill = "down"', f"{STOP}.refill", "'down' is not allowed", "strip, fresh"),
    ('name = "Times"', 'name = "Again"', "states.hold", "'Again' is used twice", "rename one"),
    ('lines = "lines"', 'lines = "stars"', "states.free.special.lines", "unknown line evaluator", "known: lines"),
    ("table = { A = 2 }, ", "table = { B = 2 }, ", "states.free.special.table.B", "pays nothing for 'B'", "add pays"),
    ("multiplier = 3\nmultiplier_ex", 'cascade = { refill = "strip" }\nmultiplier_ex', "states.free.special", "with a cascade", "one of them"),
    ('"lines.red.3"', '"lines.red.2"', "states.free.multiplier_exempt[1]", "'2' is not a count", "it pays: 3"),
    ('evaluator = "lines"', 'evaluator = "stars"', f"{FREE}[0].evaluator", "unknown evaluator of this state", "lines"),
    ("{ red = { 3 = 1 } }", "{ B = { 3 = 1 } }", f"{FREE}[0].spins.B", "unknown paid symbol 'B'", "known: A, red"),
    ("red = { 3 = 1 }", "red = { 3 = 0 }", f"{FREE}[0].spins.red.3", "pay 0 in 'lines', which is no win", "at least 1"),
    ("{ red = { 3 = 1 } }", "{}", f"{FREE}[0].spins", "no spins", "SYMBOL = {"),
    ("multipliers = [2, 3, 10]", "multipliers = [2]", f"{FREE}[1].multipliers", "1 multipliers for 3 levels", "one entry"),
    ("out_of = 1000000", "out_of = 0", "states.base.triggers[2].out_of", "0 is out of range", "1 to 2147483648"),
    ("chance = 1", "chance = 1000001", "states.base.triggers[2].chance", "out of range", "1 to 1000000"),
    ('jackpot = "grand"', 'jackpot = "10"', "states.base.triggers[2].jackpot", "'10' is not a name", "first a letter"),
    ('carry = ["W"]', 'carry = ["Q"]', "states.base.triggers[0].carry[0]", "unknown symbol 'Q'", "known"),
    ('bonus = "wheel"', 'bonus = "wheal"', "states.base.triggers[1].bonus", "unknown bonus 'wheal'", "did you mean 'wheel'?"),
    ('pick = "cards"', 'pick = "chest"', "bonuses.cards", "no trigger uses it", "add a pick or bonus trigger"),
    ('kind = "values"\nsymbols = ["M"]\ntable = { 1 = 3, 2 = 1 }', 'kind = "stick"\nsymbols = ["A"]', "evaluators.coins", "no cell has a value", "kind values"),
    ('kind = "values"\nsymbols = ["M"]\ntable = { 1 = 3, 2 = 1 }', 'kind = "stick"\nsymbols = ["A"]', "states.hold.final", "no cell of the state", "kind values"),
    ('"ways", "count", "cluster"]\n', '"ways", "count", "cluster", "mixed"]\n', "states.fall.evaluators", "whose height is drawn", "fixed heights"),
    ('strips = "base"\nevaluators = ["mixed"]', 'strips = "base"\nrows = [1, 2, 2]\nevaluators = ["mixed"]', "states.mix.evaluators", "row 1 of reel 1, which has 1 rows", "0 to 0"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "message", "remedy"), MISTAKES, ids=lambda text: str(text)[:24])
def test_a_mistake_is_named_with_place_value_and_remedy(
    old: str, new: str, path: str, message: str, remedy: str
) -> None:
    assert old in RICH
    with pytest.raises(ModelError) as caught:
        loads(RICH.replace(old, new, 1))
    found = [p for p in caught.value.problems if p.path == path and message in p.message]
    assert found, str(caught.value)
    assert remedy in found[0].remedy, found[0].remedy
    assert found[0].line is not None


def test_a_bonus_of_the_win_is_not_played_after_steps_of_a_cascade() -> None:
    text = RICH.replace('remove = ["ways", "Stop"]', 'remove = ["ways", "Boost"]').replace(
        "[[states.fall.transforms]]",
        '[[states.fall.triggers]]\nname = "Boost"\nkind = "bonus"\nsymbol = "S"\nplays = { 3 = 1 }\nbonus = "boost"\n'
        "[[states.fall.transforms]]",
        1,
    )
    text += '\n[bonuses.boost]\nkind = "wheel"\nof = "win"\nsegments = [{ weight = 1, pay = 2 }]\n'
    assert any("a bonus of the win after a step of the cascade" in problem for problem in problems_of(text))


def problems_of(text: str) -> list[str]:
    with pytest.raises(ModelError) as caught:
        loads(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_problem_in_an_inherited_key_is_told_where_the_key_stands() -> None:
    (problem,) = problems_of(RICH.replace('symbols = ["A"]\ntable = { 2 = 3', 'symbols = ["Q"]\ntable = { 2 = 3'))
    assert problem.startswith("states.base.transforms[1].symbols[0] (line ")
    drawn = RICH.replace("[states.base]\n", "[states.base]\nrows = { 2 = 1, 3 = 1 }\n")
    assert {p.split(" ")[0] for p in problems_of(drawn)} == {"states.base.evaluators"}


def test_states_may_not_be_like_each_other_in_a_circle() -> None:
    text = RICH.replace(
        "[states.base]\nstrips = { base = 3, other = 1 }", '[states.base]\nlike = "free"\nstrips = "base"'
    )
    assert any("in a circle: base -> free -> base" in problem for problem in problems_of(text))


def test_cells_that_draw_alone_have_no_strip_to_go_on() -> None:
    text = RICH.replace('"other"\nrows', '"other"\ndraw = "cell"\nrows').replace('refill = "fresh"', 'refill = "strip"')
    assert any(p.startswith("states.fall.cascade.refill") and "no strip to go on" in p for p in problems_of(text))


def test_too_many_of_something() -> None:
    sets = ", ".join(f"s{i} = 1" for i in range(9))
    assert any("9 strip sets" in p for p in problems_of(RICH.replace("{ base = 3, other = 1 }", f"{{ {sets} }}")))
    modes = "".join(f"[modes.m{i}]\ncost = 1\n" for i in range(8))
    assert any("9 modes" in p for p in problems_of(RICH.replace("[modes.buy]", f"{modes}[modes.buy]")))
    values = ", ".join(f"{i} = 1" for i in range(1, 1026))
    assert any("1025 entries" in p for p in problems_of(RICH.replace("{ 2 = 3, 5 = 1 }", f"{{ {values} }}")))
    weights = "{ 2 = 16777216, 5 = 16777217 }"
    assert any("is out of range" in p for p in problems_of(RICH.replace("{ 2 = 3, 5 = 1 }", weights)))
    heavy = ", ".join(f"{i} = 16777216" for i in range(1, 130))
    assert any("add up to too much" in p for p in problems_of(RICH.replace("{ 2 = 3, 5 = 1 }", f"{{ {heavy} }}")))


def test_orders_are_counted() -> None:
    symbols = [*"WVABCSPM"]
    text = f"""format = 1\nid = "o"\ntitle = "o"\nversion = "1"\nsymbols = {symbols!r}
stake = {{ units = 1 }}
grid = {{ reels = 8, rows = 1 }}
[evaluators.all]
kind = "combinations"
paylines = ["00000000"]
combinations = [{{ symbols = {symbols!r}, pay = 1, any_order = true }}]
[states.base]
strips = "base"
evaluators = ["all"]
[profiles.main.strips]
base = {["W A"] * 8!r}
"""
    assert any("40320 patterns in all orders" in problem for problem in problems_of(text))
    few = ["W", *["A"] * 7]
    assert loads(text.replace(f"symbols = {symbols!r}, pay", f"symbols = {few!r}, pay"))


def test_a_file_of_mistakes_is_read_to_an_end() -> None:
    strange = "\n".join(f"x{i} = 1" for i in range(20_000))
    assert len(problems_of(strange + "\n" + RICH)) == 500


# --- Bounds --------------------------------------------------------------------------------------------


FULL = """format = 1
id = "full"
title = "Full"
version = "1"
symbols = ["A"]
[stake]
units = 1
[grid]
reels = 8
rows = 8
[evaluators.all]
kind = "count"
pays.A = { 1 = 1 }
[states.base]
strips = "base"
evaluators = ["all"]
cascade = { refill = "fresh" }
transforms = [{ kind = "values", symbols = ["A"], table = { 1 = 1, 2 = 1 } }]
[profiles.one.strips]
base = ["A A", "A A", "A A", "A A", "A A", "A A", "A A", "A A"]
"""


def test_fresh_cascades_of_full_grids_have_all_their_steps() -> None:
    """64 cells draw a stop and a value at each of 64 steps, beyond the first 256 blocks of the sub-spin."""
    model = loads(FULL)
    build = model.build()
    assert draws_most(model, model.states["base"]) == 8 + 63 * 64 + 64 * 64
    for nonce in range(2):
        played = Engine(build).spin(bytes(32), nonce)
        assert len(played.spins[0].steps) == 63
        assert played == reference.play(build, bytes(32), nonce)


def test_the_most_that_a_spin_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loads(RICH)
    base = 3 + 1 + 3 + 9 + 1  # stops, the strip set, reveals, values, the multiplier
    base += 2 * (1 + 4) + 1 + 2 * 3  # two wheels with a trail, the jackpot, a pick on both lines
    fall = 3 + 1 + 0 + (1 + 2) + 0  # stops, a height, added wilds; tables of one entry are not drawn
    fall += 19 * 9  # refills
    assert {name: draws_most(model, model.states[name]) for name in ("base", "fall")} == {"base": base, "fall": fall}
    text = RICH.replace("steps_max = 20", "steps_max = 64").replace("rows = [2, { 2 = 1, 4 = 3 }, 3]", "rows = 12")
    monkeypatch.setattr(m, "SPIN_DRAWS_MAX", 2048)
    problem = problems_of(text)[0]
    assert problem.startswith("states.fall.cascade (line ")
    assert "could draw" in problem
    assert "lower cascade.steps_max (64 steps of 36 cells)" in problem


def test_the_most_that_a_round_wins() -> None:
    capped, free = loads(RICH), loads(RICH.replace("win = 5000\n", ""))
    assert most_units(capped) < most_units(free)
    assert most_units(capped) > 50_000
    huge = RICH.replace("{ 1 = 9, 10 = 1 }", "{ 1000 = 1 }\npersist = true")
    assert "one spin could win more than 2^62 units" in problems_of(huge)[0]
    uncapped = problems_of(huge.replace("win = 5000\n", ""))[0]
    assert "a round could win more than 2^62 units" in uncapped
    assert "or set caps.win" in uncapped


def test_a_round_that_is_cut_may_be_long_and_dear() -> None:
    """Many spins of a dear game do not fit into 64 bits; with a maximum win they need not."""
    dear = RICH.replace("3 = 10 }", "3 = 100000000 }").replace("free_spins = 30", "free_spins = 100000")
    dear = dear.replace("multiplier = 3\nmultiplier_exempt", "multiplier = 1000\nmultiplier_exempt")
    assert "a round could win" in problems_of(dear.replace("win = 5000\n", ""))[0]
    loads(dear)


def test_count_tables_end_with_their_largest() -> None:
    assert [by_count({2: 3, 3: 5}, count) for count in (1, 2, 3, 9)] == [0, 3, 5, 5]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=rich_model_texts())
def test_random_models_are_valid(text: str) -> None:
    model = loaded(text)
    assert loads(text).build().build_hash == model.build().build_hash
    assert most_units(model) > 0


class Counted(Draws):
    """Counts the numbers of a spin."""

    numbers = 0

    def below(self, n: int) -> int:
        self.numbers += 1
        return super().below(n)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=rich_model_texts(), key=st.binary(min_size=32, max_size=32))
def test_no_round_goes_beyond_the_bounds(text: str, key: bytes) -> None:
    model = loaded(text)
    for mode in ("base", *model.modes):
        for nonce in range(5):
            drawn: list[Counted] = []

            def source(sub_spin: int, nonce: int = nonce, drawn: list[Counted] = drawn) -> Counted:
                drawn.append(Counted(key, 0, nonce, sub_spin))
                return drawn[-1]

            spins = play_with(model.build(mode=mode), source).spins
            assert sum(spin.win_units for spin in spins) <= most_units(model)
            for spin, numbers in zip(spins, drawn, strict=True):
                assert numbers.numbers <= draws_most(model, model.states[spin.state])


@settings(max_examples=50, deadline=None)
@given(text=model_texts())
def test_random_models_of_the_old_words_are_valid(text: str) -> None:
    assert not loads(text).modes


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("table = { B = 1, A = 3 }\n", "'table' is missing"),
        ("table = { 2 = 3, 5 = 1 }\n", "'table' is missing"),
        ("spins = { 2 = 3, 3 = 5 }\n", "'spins' is missing"),
    ],
)
def test_what_is_missing_is_not_also_wrong(line: str, path: str) -> None:
    assert line in RICH
    with pytest.raises(ModelError) as caught:
        loads(RICH.replace(line, "", 1))
    (problem,) = caught.value.problems
    assert path in problem.message
