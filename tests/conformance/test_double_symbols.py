"""A game of split symbols, recomputed from symbol frequencies alone.

Five reels, three rows, nine lines; big cats single and double, so that up to ten of a kind pay; a wild that has no
double; paws, single and double, on the three middle reels, where five or six of them award free spins. This is how
the games of that kind that casinos publish help pages of are built; strips and pays are made up. The enumeration
below knows nothing but how often each symbol stands on each reel, and that no window shows two paws.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import pytest

from rgs_core import Engine
from rgs_core.exact.analysis import analyse, full_cycle
from rgs_core.exact.closed_form import closed_form
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import loads

STRIPS = [
    "lion king lion2 ten puma ten puma2 king wild ten king puma ten lion king ten puma king",
    "paw ten lion puma2 king paw2 ten king lion2 puma ten wild king puma ten lion king puma ten",
    "king paw lion ten puma king paw2 ten puma2 king lion2 ten puma king wild lion ten",
    "ten king puma paw2 ten lion king puma2 paw ten lion2 king puma ten wild wild king lion puma ten king",
    "puma ten king lion2 ten puma king lion puma2 ten wild king ten puma lion king ten",
]
PAYS = {
    "lion": dict(zip(range(3, 11), [4, 8, 15, 30, 60, 150, 300, 1500], strict=True)),
    "puma": dict(zip(range(3, 11), [2, 5, 10, 20, 40, 80, 150, 600], strict=True)),
    "king": {3: 2, 4: 8, 5: 25},
    "ten": {3: 1, 4: 5, 5: 20},
    "wild": {3: 10, 4: 50, 5: 500},
}
DOUBLES = {"lion2": "lion", "puma2": "puma", "paw2": "paw"}
LINES = ["111", "000", "222", "012", "210", "001", "221", "100", "122"]
SPINS = {5: 5, 6: 10}
SCATTER = {4: 1, 5: 3, 6: 10}
CATS = ("lion", "puma")


def table(entries: dict[int, int]) -> str:
    return "{ " + ", ".join(f"{count} = {amount}" for count, amount in entries.items()) + " }"


GAME = f"""format = 1
id = "split_cats"
title = "Split Cats"
version = "1"
symbols = ["lion", "lion2", "puma", "puma2", "king", "ten", "wild", "paw", "paw2"]
[stake]
units = 9
[grid]
reels = 5
rows = 3
[caps]
free_spins = 10
[doubles]
{chr(10).join(f'{name} = {{ symbol = "{symbol}", count = 2 }}' for name, symbol in DOUBLES.items())}
[wilds.wild]
substitutes = ["lion", "puma", "king", "ten"]
[evaluators.lines]
kind = "lines"
paylines = {[line + line[1::-1] for line in LINES]}
[evaluators.lines.pays]
{chr(10).join(f"{symbol} = {table(pays)}" for symbol, pays in PAYS.items())}
[evaluators.paws]
kind = "scatter"
symbol = "paw"
of = "total_bet"
pays = {table(SCATTER)}
[states.base]
strips = "cats"
evaluators = ["lines", "paws"]
triggers = [{{ name = "Free", kind = "free_spins", symbol = "paw", spins = {table(SPINS)}, state = "free" }}]
[states.free]
strips = "cats"
evaluators = ["lines", "paws"]
multiplier = 2
multiplier_exempt = ["paws"]
[profiles.one.strips]
cats = {STRIPS}
"""


def frequencies() -> list[Counter[str]]:
    """Stops of each symbol by reel: also how often it is in any one row."""
    return [Counter(strip.split()) for strip in STRIPS]


def line_pay(cells: tuple[str, ...]) -> int:
    """What a line pays, written for this game: the best of the wilds alone and of each symbol with wilds."""
    best = 0
    for symbol, pays in PAYS.items():
        count, natural = 0, False
        for cell in cells:
            own = cell == symbol or DOUBLES.get(cell) == symbol
            if not own and cell != "wild":
                break
            natural |= own
            count += 2 if cell in DOUBLES else 1
        if natural:
            best = max(best, pays.get(count, 0))
    return best


def line_mean() -> tuple[Fraction, Fraction]:
    """Mean pay of one line in line bets, and the odds of ten of a kind, by every line of symbols."""
    reels = frequencies()
    paid = tens = total = 0
    for cells in product(*reels):
        weight = 1
        for reel, cell in zip(reels, cells, strict=True):
            weight *= reel[cell]
        total += weight
        paid += weight * line_pay(cells)
        tens += weight * any(all(DOUBLES.get(cell) == cat for cell in cells) for cat in CATS)
    return Fraction(paid, total), Fraction(tens, total)


def paw_law() -> dict[int, Fraction]:
    """Odds of so many paws: at most one cell a reel, in view at three stops, of one paw or two."""
    law = {0: Fraction(1)}
    for reel in frequencies():
        stops = reel.total()
        cells = {1: Fraction(3 * reel["paw"], stops), 2: Fraction(3 * reel["paw2"], stops)}
        cells[0] = 1 - cells[1] - cells[2]
        after: dict[int, Fraction] = {}
        for before, p in law.items():
            for paws, q in cells.items():
                after[before + paws] = after.get(before + paws, Fraction(0)) + p * q
        law = after
    return law


def test_no_window_shows_two_paws() -> None:
    for strip in STRIPS:
        symbols = strip.split()
        windows = [(symbols * 2)[stop : stop + 3] for stop in range(len(symbols))]
        assert all(sum(DOUBLES.get(s, s) == "paw" for s in window) <= 1 for window in windows)


def test_every_figure_follows_from_symbol_frequencies() -> None:
    build = loads(GAME).build()
    mean, tens = line_mean()
    law = paw_law()
    scatter = sum((p * SCATTER.get(n, 0) for n, p in law.items()), Fraction(0))
    spins = sum((p * SPINS.get(n, 0) for n, p in law.items()), Fraction(0))
    rtp = mean + scatter + spins * (2 * mean + scatter)  # a line bets one of nine units: the lines return `mean`
    closed = closed_form(build)
    assert closed.rtp == rtp
    assert closed.rtp_parts["lines"] == mean
    assert closed.rtp_parts["paws"] == scatter
    assert closed.feature_probability == law[5] + law[6]
    analysis = analyse(build)
    assert analysis.rtp == rtp
    assert full_cycle(build).rtp == rtp
    top = [prize for prize in closed.paid.prizes if prize.count == 10]
    assert sum((prize.hits for prize in top), Fraction(0)) / closed.paid.cycle == tens
    assert 0.85 < float(rtp) < 1, "a game that could be"


def test_merging_and_visiting_find_the_same_law() -> None:
    """On short strips, so that every combination is visited quickly."""
    engine = Engine(loads(GAME).build())
    merged = joint_law(engine, 0)
    assert merged.method == "merging"
    small = loads(GAME.replace(str(STRIPS), str([" ".join(strip.split()[:9]) for strip in STRIPS]))).build()
    law, visited = joint_law(Engine(small), 0), joint_law(Engine(small), 0, merge=False)
    assert law.by_award() == visited.by_award()
    assert law.cycle == visited.cycle == 9**5


def test_a_simulation_comes_near() -> None:
    build = loads(GAME).build()
    engine = Engine(build)
    cycle = full_cycle(build)
    rounds = 500_000
    won = engine.simulate(bytes(32), 0, rounds)["win"] / rounds
    error = (float(cycle.variance) ** 0.5) * build.model.stake_units / rounds**0.5
    assert won == pytest.approx(float(cycle.rtp) * build.model.stake_units, abs=5 * error)
