"""The compiled engine and the plain-Python reference agree on every record, on random models."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_models import loaded, model_texts, rich_model_texts

from rgs_core import Engine, reference
from rgs_core._rng import draw_below
from rgs_core._round import Round
from rgs_core.engine import simd
from rgs_core.engine.playing import PlainPlayer
from rgs_core.language.model import BASE_MODE
from rgs_core.language.model_file import loads
from rgs_core.language.policies import variants, with_bets
from rgs_core.outcome import Outcome


def agree(played: Round, expected: Outcome) -> None:
    """First what a round tells without its records, then the records."""
    assert played.digest() == expected.digest()
    assert played.window == expected.window
    assert played.paid_spin_units == expected.paid_spin_units
    assert played.awards == expected.awards
    assert played == expected


slow_data = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@given(text=model_texts(), key=st.binary(min_size=32, max_size=32), nonce=st.integers(0, 2**64 - 1))
@settings(max_examples=400, deadline=None, suppress_health_check=slow_data)
def test_engine_equals_reference(text: str, key: bytes, nonce: int) -> None:
    """A failure prints the model file, key and nonce that reproduce it."""
    note(f"# save as random.toml; key {key.hex()}, nonce {nonce}\n{text}")
    build = loads(text).build()
    engine = Engine(build)
    for i in range(8):
        number = (nonce + i) % 2**64
        played = engine.spin(key, number)
        expected = reference.play(build, key, number)
        agree(played, expected)
        assert played.win_units == engine.win(key, number)


@given(text=rich_model_texts(), key=st.binary(min_size=32, max_size=32), nonce=st.integers(0, 2**64 - 1))
@settings(max_examples=400, deadline=None, suppress_health_check=slow_data)
def test_engine_equals_reference_on_every_word(text: str, key: bytes, nonce: int) -> None:
    """All mechanics of the language together, in every mode; also without a log, and counted in totals."""
    note(f"# save as random.toml; key {key.hex()}, nonce {nonce}\n{text}")
    model = loaded(text)
    nonce = min(nonce, 2**64 - 6)
    for mode in (BASE_MODE, *model.modes):
        build = list(variants(model.build(mode=mode)))[nonce % 2 - 1]  # the first or the last options
        if model.gamble is not None and nonce % 3:
            names = list(model.gamble.bets)
            build = with_bets(build, tuple(names[nonce // (i + 1) % len(names)] for i in range(4)))
        engine = Engine(build)
        rounds = [reference.play(build, key, nonce + i) for i in range(6)]
        for i, expected in enumerate(rounds):
            played = engine.spin(key, nonce + i)
            agree(played, expected)
            assert engine.win(key, nonce + i) == expected.win_units
        totals = engine.simulate(key, nonce, 6)
        assert totals["win"] == sum(r.win_units for r in rounds)
        assert totals["capped"] == sum(r.capped for r in rounds)
        assert sum(totals["spins"]) == sum(len(r.spins) for r in rounds)
        won = sum(spin.win_units for r in rounds for spin in r.spins)
        assert sum(sum(parts.values()) for parts in totals["parts"]) == won


WILDS = """
format = 1
id = "wilds"
title = "Wilds"
version = "1"
symbols = ["W", "A"]
[stake]
units = 1
[grid]
reels = 3
rows = 2
[wilds.W]
substitutes = ["A"]
combine = "sum"
[evaluators.lines]
kind = "lines"
paylines = ["000", "101"]
pays = { A = { 3 = 5 } }
[states.base]
strips = "base"
evaluators = ["lines"]
draw = "DRAW"
[profiles.main.strips]
base = ["W A A", "A W W", "A A A W"]
"""


@pytest.mark.parametrize("draw", ["reel", "cell"])
def test_wilds_of_one_add_up(draw: str) -> None:
    """Two wilds whose multiplier is 1 make a win twice as much where multipliers add up; in lanes too."""
    build, key = loads(WILDS.replace("DRAW", draw)).build(), bytes(32)
    engine = Engine(build)
    wins = [reference.play(build, key, nonce).win_units for nonce in range(400)]
    assert {5, 10, 20} <= set(wins)
    assert [engine.win(key, nonce) for nonce in range(400)] == wins == engine.wins(key, 0, 400).tolist()


CELLS = """
format = 1
id = "cells"
title = "Cells"
version = "1"
symbols = ["A", "S"]
[stake]
units = 1
[grid]
reels = 2
rows = 2
[caps]
free_spins = 40
[evaluators.count]
kind = "count"
pays = { A = { 2 = 1, 3 = 2, 4 = 3 } }
[states.base]
strips = "base"
evaluators = ["count"]
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 6 }
state = "free"
[states.hold]
strips = "base"
evaluators = ["count"]
draw = "cell"
[[states.hold.transforms]]
kind = "stick"
symbols = ["S"]
[states.free]
strips = "base"
evaluators = ["count"]
draw = "cell"
[[states.free.triggers]]
name = "Hold"
kind = "free_spins"
symbol = "S"
spins = { 1 = 3 }
state = "hold"
[profiles.main.strips]
base = ["A A S", "S A S"]
"""


def test_cells_that_hold_nothing_play_all_their_spins() -> None:
    """What another feature of the round, or of the round before, has held is nothing to a state without held cells."""
    build, key = loads(CELLS).build(), bytes(32)
    engine = Engine(build)
    rounds = [reference.play(build, key, nonce) for nonce in range(500)]
    assert [engine.win(key, nonce) for nonce in range(500)] == [r.win_units for r in rounds]
    assert sum(engine.simulate(key, 0, 500)["spins"]) == sum(len(r.spins) for r in rounds)


@given(text=rich_model_texts(), key=st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None, suppress_health_check=slow_data)
def test_the_plain_player_has_the_sums_of_the_engine(text: str, key: bytes) -> None:
    """But for how often triggers fired that leave no record of it: levels and steps of a cascade without an award."""
    note(text)
    model = loaded(text)
    for mode in (BASE_MODE, *model.modes):
        build = model.build(mode=mode)
        plain = PlainPlayer(build).simulate(key, 3, 5, edges=(0, 20))
        totals = Engine(build).simulate(key, 3, 5, edges=(0, 20))
        del plain["fired"], totals["fired"]
        assert plain == totals


@given(text=model_texts(), key=st.binary(min_size=32, max_size=32), split=st.integers(0, 300))
@settings(max_examples=60, deadline=None, suppress_health_check=slow_data)
def test_totals_equal_the_sum_of_single_rounds(text: str, key: bytes, split: int) -> None:
    note(text)
    engine = Engine(loads(text).build())
    wins = [engine.win(key, n) for n in range(300)]
    assert engine.wins(key, 0, 300).tolist() == wins
    whole = engine.simulate(key, 0, 300, edges=[0, 10])
    left, right = engine.simulate(key, 0, split), engine.simulate(key, split, 300 - split)
    assert whole["win"] == sum(wins) == left["win"] + right["win"]
    assert whole["win_squared"] == sum(w * w for w in wins)
    assert whole["hits"] == sum(w > 0 for w in wins)
    assert whole["classes"] == [wins.count(0), sum(0 < w <= 10 for w in wins), sum(w > 10 for w in wins)]
    assert whole["win_max"] == max(wins)
    if max(wins):
        assert whole["win_max_nonce"] == wins.index(max(wins))
    assert sum(sum(parts.values()) for parts in whole["parts"]) == whole["win"]


@given(text=model_texts(), key=st.binary(min_size=32, max_size=32), first=st.integers(0, 2**64 - 3000))
@settings(max_examples=150, deadline=None, suppress_health_check=slow_data)
def test_every_instruction_set_plays_the_same_rounds(text: str, key: bytes, first: int) -> None:
    """Over the carry of the low nonce word, over more than one batch, with a last group that is not full."""
    note(text)
    build = loads(text).build()
    plain = Engine(build, simd="scalar")
    for start in (first, 2**32 - 700):
        wins = plain.wins(key, start, 1501).tolist()
        totals = plain.simulate(key, start, 1501, edges=[0, 1, 10, 5000])
        for name in simd.available()[1:]:
            engine = Engine(build, simd=name)
            assert engine.wins(key, start, 1501).tolist() == wins, (name, engine.kernel)
            assert engine.simulate(key, start, 1501, edges=[0, 1, 10, 5000]) == totals, (name, engine.kernel)


def test_a_rejected_word_is_drawn_again_in_lanes() -> None:
    """Of all bounds up to 65,536 this one rejects most often, about once in 66,000 words."""
    bound = max(range(2, 65537), key=lambda n: 2**32 % n)
    strip = f"A:{bound - 2} B S"
    text = f"""
format = 1
id = "wide"
title = "Wide"
version = "1"
symbols = ["A", "B", "S"]
[stake]
units = 1
[grid]
reels = 3
rows = 1
[evaluators.lines]
kind = "lines"
paylines = ["000"]
pays.A = {{ 3 = 1 }}
pays.B = {{ 3 = 9 }}
[states.base]
strips = "base"
evaluators = ["lines"]
[profiles.one.strips]
base = ["{strip}", "{strip}", "{strip}"]
"""
    build = loads(text).build()
    key, n = bytes(32), 400_000
    rejected = [nonce for nonce in range(n) if draw_below(key, nonce, [bound] * 3)[1] > 3]
    assert len(rejected) > 3
    plain = Engine(build, simd="scalar").wins(key, 0, n)
    for name in simd.available()[1:]:
        engine = Engine(build, simd=name)
        assert engine.kernel == "lanes"
        assert (engine.wins(key, 0, n) == plain).all()
        assert engine.wins(key, rejected[0], 1)[0] == reference.play(build, key, rejected[0]).win_units


def test_a_wrong_key_is_refused() -> None:
    from rgs_core._rng import block
    from rgs_core.errors import SeedError

    with pytest.raises(SeedError, match="32 bytes"):
        block(b"short", 0, 0, 0)
