"""Acts: cells that change the values of others; in which order, of which cells, what is remembered and told."""

from __future__ import annotations

import pytest
from exact_rounds import round_law
from rich.console import Console
from tape import enumerate_paths

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.mechanics import Act, Table
from rgs_core.language.model_file import loads
from rgs_core.outcome import ValueAct
from rgs_core.reference import Grid
from rgs_core.reference.acts import act

KEY = bytes(range(32))


def acting(does: str, *symbols: str, **fields: object) -> Act:
    rule = {"count": None, "over": None, "once": True, "value_max": 1000, **fields}
    return Act(frozenset(symbols), does, **rule)  # type: ignore[arg-type]


def values_after(transform: Act, symbols: list[str], values: list[list[int]], held: set[tuple[int, int]]) -> list:
    """On the only path of its draws."""
    grid = Grid(symbols, values)
    ((_, acts),) = enumerate_paths(lambda numbers: act(transform, grid, held, numbers))
    return [grid.values, acts]


def test_a_payer_adds_its_value_to_all_others_with_one() -> None:
    values, acts = values_after(acting("add_to_all", "P"), ["cc", "Pb"], [[1, 0], [5, 7]], set())
    assert values == [[6, 0], [5, 12]]
    assert acts == [ValueAct("P", "add_to_all", (1, 0), 5, ((0, 0), (1, 1)))]


def test_a_collector_adds_up_the_others_which_keep_theirs() -> None:
    values, acts = values_after(acting("collect_all", "P"), ["cP", "cb"], [[1, 0], [5, 7]], set())
    assert values == [[1, 13], [5, 7]]
    assert acts == [ValueAct("P", "collect_all", (0, 1), 13, ((0, 0), (1, 0), (1, 1)))]


def test_cells_act_in_order_and_see_what_was_done() -> None:
    """The first P doubles the second one, which then multiplies by 6: 2 x 6, and 5 x 2 x 6."""
    values, _ = values_after(acting("multiply_all", "P"), ["Pc", "P"], [[2, 5], [3]], set())
    assert values == [[12, 60], [6]]


def test_only_chosen_symbols_are_acted_on_and_the_largest_value_is_kept() -> None:
    values, _ = values_after(acting("add_to_all", "P", over=frozenset("c")), ["cP", "Pd"], [[1, 2], [3, 4]], set())
    assert values == [[6, 2], [3, 4]]
    values, _ = values_after(acting("multiply_all", "P", value_max=10), ["cP", "d"], [[4, 3], [20]], set())
    assert values == [[10, 3], [20]]


def test_what_was_held_acts_again_only_when_it_says_so() -> None:
    symbols, values, held = ["cP"], [[1, 2]], {(0, 1)}
    assert values_after(acting("add_to_all", "P"), symbols, values, held) == [[[1, 2]], []]
    assert values_after(acting("add_to_all", "P", once=False), symbols, values, held)[0] == [[3, 2]]


def test_without_a_value_only_a_collector_acts_and_nothing_is_drawn_in_vain() -> None:
    some = acting("multiply_some", "P", count=Table((1, 2), (1, 1)))
    assert values_after(some, ["cP"], [[1, 0]], set()) == [[[1, 0]], []]
    assert values_after(some, ["cP"], [[0, 2]], set()) == [[[0, 2]], []]


def test_some_cells_are_drawn_without_replacement() -> None:
    """One or two of three, each equally likely: in half of all cases one, in half two."""
    some = acting("multiply_some", "P", count=Table((1, 2), (1, 1)))

    def run(numbers: object) -> tuple[int, ...]:
        grid = Grid(["ccc", "P"], [[1, 1, 1], [2]])
        act(some, grid, set(), numbers)  # type: ignore[arg-type]
        return tuple(grid.values[0])

    law: dict[tuple[int, ...], float] = {}
    for p, found in enumerate_paths(run):
        law[found] = law.get(found, 0) + float(p)
    assert law == pytest.approx(
        dict.fromkeys([(2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 1), (2, 1, 2), (1, 2, 2)], 1 / 6)
    )


GAME = """format = 1
id = "acts"
title = "Acts"
version = "1"
symbols = ["coin", "payer", "boost", "x"]

[stake]
units = 1

[grid]
reels = 2
rows = 2

[caps]
free_spins = 60

[evaluators.coins]
kind = "collect"
symbol = "coin"
AT

[states.base]
strips = "base"
evaluators = ["coins"]
transforms = [
  { kind = "values", symbols = ["coin", "payer", "boost"], table = { 2 = 2, 3 = 1 } },
  { kind = "act", symbols = ["payer"], does = "DOES", over = ["coin"] },
  { kind = "act", symbols = ["boost"], does = "multiply_all", over = ["coin"], once = ONCE, max = 900 },
]
MORE

[profiles.one.strips]
base = ["coin payer x coin boost", "payer coin coin x"]
"""


def text(does: str = "add_to_all", at: str = "", more: str = "", once: str = "true") -> str:
    return GAME.replace("DOES", does).replace("AT", at).replace("MORE", more).replace("ONCE", once)


@pytest.mark.parametrize("does", ["add_to_all", "multiply_all", 'multiply_some", count = { 1 = 1, 2 = 3 }, does_ = "'])
def test_exact_figures_of_a_spin_are_those_of_every_path(does: str) -> None:
    game = text(does).replace(', does_ = ""', "")
    build = loads(game).build()
    found = round_law(build, 200_000)
    assert found is not None
    wins, cycle = found[0], full_cycle(build)
    mean = sum(p * x for x, p in wins.items())
    assert cycle.rtp == mean
    assert cycle.variance == sum(p * x**2 for x, p in wins.items()) - mean**2
    law = win_law(cycle)
    for x, p in wins.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=1e-12)
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(300)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(300)]
    assert {done.does for played in rounds for done in played.spins[0].acts} >= {"multiply_all"}


HOLD = """
[[states.base.triggers]]
name = "Begin"
kind = "free_spins"
symbol = "coin"
spins = { 2 = 2 }
state = "hold"
[states.hold]
strips = "base"
evaluators = ["last"]
draw = "cell"
transforms = [
  { kind = "values", symbols = ["coin", "payer", "boost"], table = { 2 = 2, 3 = 1 } },
  { kind = "act", symbols = ["payer"], does = "add_to_all", over = ["coin"] },
  { kind = "act", symbols = ["boost"], does = "multiply_all", over = ["coin"], once = ONCE, max = 900 },
  { kind = "stick", symbols = ["coin", "payer", "boost"] },
]
[[states.hold.triggers]]
name = "Again"
kind = "free_spins"
symbol = "coin"
spins = { 1 = 2 }
state = "hold"
fresh = true
reset = true
[evaluators.last]
kind = "collect"
symbol = "coin"
at = "end"
"""


@pytest.mark.parametrize("once", ["true", "false"])
def test_held_cells_remember_the_values_that_they_were_given(once: str) -> None:
    """New payers add to coins that are held; boosters multiply them, again and again where they may."""
    build = loads(text(more=HOLD.replace("ONCE", once))).build()
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(400)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(400)]
    again = 0
    for played in rounds:
        for before, spin in zip(played.spins[1:], played.spins[2:], strict=False):
            held = {(reel, row) for reel in range(2) for row in range(2) if before.window[reel][row] != "x"}
            again += sum(done.cell in held for done in spin.acts)
            assert all(done.symbol == "boost" for done in spin.acts if done.cell in held)
            for reel, row in held:
                assert spin.values[reel][row] >= before.values[reel][row]
    assert (again > 0) == (once == "false")


def test_records_drawings_and_books_tell_them() -> None:
    build = loads(text()).build()
    played = next(p for n in range(200) if len((p := Engine(build).spin(KEY, n)).spins[0].acts) == 1)
    done = played.spins[0].acts[0]
    record = played.as_dict()["spins"][0]["acts"][0]
    assert record["value"] == done.value
    console = Console(record=True, width=100)
    draw_round(console, build, played)
    assert f"{done.symbol} on reel {done.cell[0] + 1}, row {done.cell[1]}:" in console.export_text()
    (event,) = [e for e in Narrator(build, padding=False).book(1, played)["events"] if e["type"] == "actOnValues"]
    assert event["position"] == {"reel": done.cell[0], "row": done.cell[1]}
    assert event["value"] == done.value
    assert len(event["positions"]) == len(done.cells)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"multiply_all"', '"multiply_some"', r"'multiply_some' of how many; add 'count'"),
        ('"multiply_all"', '"multiply_all", count = 2', r"'multiply_all' counts no cells"),
        (
            '"multiply_all"',
            '"divide_all"',
            r"'divide_all' is not allowed; did you mean '\w+_all'\? write one of add_to_all",
        ),
        ('kind = "act"', 'kind = "actt"', r"'actt' is not allowed; did you mean 'act'\? write one of "),
        ("max = 900", "max = 9000000", r"9000000 is out of range"),
        ('over = ["coin"], once', 'over = ["gold"], once', r"unknown symbol 'gold'"),
        ('{ kind = "values", symbols = ["coin", "payer", "boost"], table = { 2 = 2, 3 = 1 } },', "", r"no cell of the"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text().replace(old, new))


@pytest.mark.parametrize("once", ["true", "false"])
def test_held_cells_that_act_have_exact_moments_where_they_are_linear(once: str) -> None:
    """A booster whose value is drawn multiplies again and again: that is not. Whatever else is exact is shown."""
    analysis = analyse(loads(text(more=HOLD.replace("ONCE", once))).build())
    assert (analysis.cycle is not None) == (once == "true")
    assert analysis.paid_spin_hit_frequency is not None
