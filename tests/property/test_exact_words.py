"""Exact laws of every word of the language equal the plain-Python rules, played along every path of draws."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from random_models import loaded, rich_model_texts
from tape import enumerate_paths, enumerate_round

from rgs_core import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact import spin_multiplier
from rgs_core.exact.analysis import analyse
from rgs_core.exact.award_columns import award_columns, feature_name
from rgs_core.exact.bonuses import BonusLaw, bonus_law, bonus_moments
from rgs_core.exact.closed_form import spin_figures
from rgs_core.exact.cycle import full_cycle, spin_laws
from rgs_core.exact.distribution import win_law
from rgs_core.exact.joint import Joint, drawn_in_steps, remembers_because
from rgs_core.exact.memory.memories import held_least
from rgs_core.exact.memory.whole_feature import FeatureRound
from rgs_core.exact.reached import begun, reached
from rgs_core.exact.spin_paths import spin_paths
from rgs_core.language.mechanics import Pick, Segment, Table, Take, Trail, Wheel
from rgs_core.language.model import Build, Model, Profile, State, Strip
from rgs_core.language.model_file import loads
from rgs_core.outcome import BonusPlay, FreeSpinsAward, PickBonus
from rgs_core.reference import Memory, play_spin
from rgs_core.reference.bonuses import play_bonus

PATHS_MAX, ROUND_PATHS_MAX = 1_000, 2_000

slow_data = list(HealthCheck)
SpinEvents = dict[tuple[int, tuple[int, ...]], Fraction]
"""(units, spins awarded by state) -> probability."""


def spins_of(build: Build, name: str, special: tuple[str, ...], states: tuple[str, ...]) -> SpinEvents | None:
    """Law of a spin by every path of the reference; None when there are too many. Bonuses are drawn too."""

    def run(numbers: Any) -> Any:
        memory = Memory()
        memory.specials, memory.started = list(special), special != ()
        return play_spin(build, name, memory, numbers, 1)[0]

    law: SpinEvents = defaultdict(Fraction)
    paths = list(islice(enumerate_paths(run), PATHS_MAX + 1))
    if len(paths) > PATHS_MAX:
        return None
    for p, spin in paths:
        awards = [0] * len(states)
        for award in spin.awards:
            if isinstance(award, FreeSpinsAward | BonusPlay) and award.spins:
                # Triggers award spins at 1 as those without a multiplier, outside of features of the state.
                plain = not award.multiplier or (
                    isinstance(award, FreeSpinsAward) and award.multiplier == 1 and award.state != name
                )
                column = award.state if plain else feature_name(award.state, award.multiplier)
                awards[states.index(column)] += award.spins
        law[spin.win_units, tuple(awards)] += p
    return dict(law)


def compare(joint: Joint, expected: SpinEvents) -> None:
    """Moments by award, so bonuses are checked as well."""
    tally: dict[tuple[int, ...], list[Any]] = {}
    for (units, awards), p in expected.items():
        sums = tally.setdefault(awards, [Fraction(0), Fraction(0), Fraction(0), Fraction(0), 0])
        sums[0] += p
        sums[1] += p * units
        sums[2] += p * units**2
        sums[3] += p * (units == 0)
        sums[4] = max(sums[4], units)
    law = joint.by_award()
    assert law.keys() == tally.keys()
    for awards, a in law.items():
        assert [a.probability, a.win, a.win_squared, a.nothing, a.most] == tally[awards]


def no_features(*_: object, **__: object) -> FeatureRound:
    """Single spins are looked at here; features that remember are dear, and tested for themselves."""
    raise AnalysisError("not asked for")


@given(text=rich_model_texts())
@settings(max_examples=40, deadline=None, suppress_health_check=slow_data)
def test_laws_of_spins_on_random_models(text: str) -> None:
    note(text)
    build = loaded(text).build()
    model = build.model
    engine = Engine(build)
    states = award_columns(model)
    names = [n for n in begun(build) if not remembers_because(model, model.states[n])]
    names = [n for n in names if not drawn_in_steps(model.states[n])]
    # laws are computed of all these states, by every combination where nothing merges
    assume(names and all(spin_paths(build, model.states[n]) <= 40 * PATHS_MAX for n in names))
    spins = spin_laws(build, engine, features_of=no_features)
    for name in names:
        special = spins.special_laws.get(name, {})
        joints = {"": spins.laws[name]} if not model.states[name].special else special
        for symbol, joint in joints.items():
            assert joint is not None, spins.skipped
            expected = spins_of(build, name, tuple(filter(None, symbol.split(", "))), states)
            if expected is not None:
                compare(joint, expected)
        try:
            closed = spin_figures(build, model.states[name])
        except AnalysisError:
            continue
        law = spins.laws[name]
        assert law is not None
        assert dict(closed.parts) == law.mean_parts()


def check_round(build: Build) -> bool:
    """Figures of whole rounds against every path of the reference; whether there were few enough."""
    if any(spin_paths(build, build.model.states[name]) > PATHS_MAX for name in reached(build)):
        return False
    try:
        cycle = full_cycle(build)
    except AnalysisError:
        return False  # a state that remembers, or a cap in reach; said with the reason
    paths = list(islice(enumerate_round(build), ROUND_PATHS_MAX + 1))
    if len(paths) > ROUND_PATHS_MAX:
        return False
    cost = build.play.cost_units
    wins: dict[int, Fraction] = defaultdict(Fraction)
    for p, outcome in paths:
        wins[outcome.win_units] += p
    assert cycle.max_win_units == max(wins) or not cycle.max_win_reached
    if not cycle.capped:
        mean = sum((p * units for units, p in wins.items()), Fraction(0))
        assert cycle.rtp * cost == mean
        assert cycle.variance * cost**2 == sum((p * units**2 for units, p in wins.items()), Fraction(0)) - mean**2
    assert float(cycle.hit_frequency) == pytest.approx(1 - float(wins.get(0, 0)), abs=1e-12)
    law = win_law(cycle)
    assert len(law.probabilities) * law.step > max(wins)
    for units, p in wins.items():
        assert law.probabilities[units // law.step] == pytest.approx(float(p), abs=1e-9)
    analysis = analyse(build, visit=True)
    assert analysis.rtp is not None
    assert float(analysis.rtp) * cost == pytest.approx(float(sum(p * units for units, p in wins.items())), abs=1e-6)
    assert float(sum(analysis.rtp_parts.values())) == pytest.approx(float(analysis.rtp), abs=1e-9)
    return True


@given(text=rich_model_texts())
@settings(max_examples=100, deadline=None, suppress_health_check=slow_data)
def test_rounds_of_random_models(text: str) -> None:
    """All modes and words, where rounds have few enough paths."""
    note(text)
    model = loaded(text)
    for mode in ["base", *model.modes]:
        check_round(model.build(mode=mode))


BOOK = """
format = 1
id = "book"
title = "Book"
version = "1"
symbols = ["A", "B", "K"]
[stake]
units = 2
[grid]
reels = 3
rows = ROWS
[wilds.K]
substitutes = ["A", "B"]
[evaluators.lines]
kind = "lines"
paylines = LINES
pays.A = { 2 = 1, 3 = 7 }
pays.B = { 1 = 1, 2 = 2, 3 = 4 }
[evaluators.books]
kind = "scatter"
symbol = "K"
pays = { 2 = 1, 3 = 9 }
of = "total_bet"
[states.base]
strips = "base"
evaluators = ["lines", "books"]
triggers = [{ name = "Free", kind = "free_spins", symbol = "K", spins = { 2 = 1, 3 = 2 }, state = "free" }]
[states.free]
strips = "free"
evaluators = ["books", "lines"]
multiplier = 2
multiplier_exempt = EXEMPT
special = { name = "Book", table = { A = 2, B = 1 }, lines = "lines", own_lines = OWN, count = DRAWS }
transforms = DRAWN
[profiles.one.strips]
base = BASE
free = FREE
"""
strip = st.lists(st.sampled_from(["A", "B", "K", "A:3"]), min_size=1, max_size=3).map(" ".join)
set_of_three = st.lists(strip, min_size=3, max_size=3)


@given(
    base=set_of_three,
    free=set_of_three,
    own=st.sampled_from(["true", "false"]),
    lines=st.sampled_from(["['000']", "['000', '101', '010']", "['011', '110']"]),
    exempt=st.sampled_from(["[]", "['Book']", "['lines', 'books']", "['books.K.3']"]),
    drawn=st.sampled_from(["[]", "[{ kind = 'multiplier', table = { 1 = 2, 5 = 1 } }]"]),
    count=st.sampled_from(["1", "1", "2"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=slow_data)
def test_a_special_symbol_that_all_spins_of_a_feature_share(
    base: list[str], free: list[str], own: str, lines: str, exempt: str, drawn: str, count: str
) -> None:
    text = (
        BOOK.replace("DRAWS", count)
        .replace("DRAWN", drawn)
        .replace("BASE", repr(base))
        .replace("FREE", repr(free))
        .replace("OWN", own)
    )
    text = text.replace("ROWS", "2" if "1" in lines else "1").replace("LINES", lines).replace("EXEMPT", exempt)
    build = loads(text).build()
    states = ("base", "free")
    special_laws = spin_laws(build, Engine(build)).special_laws["free"]
    for symbol, joint in special_laws.items():
        assert joint.method == ("merging" if drawn == "[]" else "merging, times the multiplier of a spin")
        expected = spins_of(build, "free", tuple(symbol.split(", ")), states)
        assert expected is not None
        compare(joint, expected)
    check_round(build)


DRAWN = """
format = 1
id = "drawn"
title = "Drawn"
version = "1"
symbols = ["A", "B", "K"]
[stake]
units = 2
[grid]
reels = 3
rows = 2
[wilds.K]
substitutes = ["A"]
[evaluators.ways]
kind = "ways"
pays.A = { 2 = 1, 3 = 7 }
pays.B = { 1 = 1, 2 = 2, 3 = 4 }
[evaluators.keys]
kind = "scatter"
symbol = "K"
pays = { 2 = 1, 3 = 9 }
of = "total_bet"
[bonuses.wheel]
kind = "wheel"
segments = [{ weight = 1, pay = 3 }, { weight = 2, spins = 1, state = "free" }]
[states.base]
strips = "base"
evaluators = ["ways", "keys"]
multiplier = 2
multiplier_exempt = EXEMPT
triggers = [{ name = "Wheel", kind = "bonus", symbol = "K", plays = { 2 = 1 }, bonus = "wheel" }]
[[states.base.transforms]]
kind = "multiplier"
table = { 1 = 5, 2 = 3, 10 = 1 }
[[states.base.transforms]]
kind = "multiplier"
table = { 1 = 1, 2 = 1 }
[states.free]
like = "base"
[profiles.one.strips]
base = ["A B K", "A A B K", "B K A"]
"""


@pytest.mark.parametrize("exempt", ["[]", "['ways']", "['keys', 'Wheel']", "['keys.K.3']", "['ways.A.3']"])
def test_a_multiplier_of_the_spin_is_merged_with_ways(exempt: str) -> None:
    """Awards and bonuses are not multiplied, nor what is exempt; where only some ways are, every path is visited."""
    build = loads(DRAWN.replace("EXEMPT", exempt)).build()
    states = ("base", "free")
    joint = spin_laws(build, Engine(build)).laws["base"]
    assert joint is not None
    assert joint.method == (
        "every combination" if "ways.A" in exempt else "merging of ways, times the multiplier of a spin"
    )
    expected = spins_of(build, "base", "", states)
    assert expected is not None
    compare(joint, expected)
    assert dict(spin_figures(build, build.model.states["base"]).parts) == joint.mean_parts()
    assert len(set(map(tuple, np.column_stack([joint.units, joint.awards, joint.plays]).tolist()))) == len(joint.units)


def test_a_multiplier_of_the_spin_costs_no_paths() -> None:
    """A grid of 10^9 combinations: merged, where every path would be too many."""
    text = DRAWN.replace("EXEMPT", "[]").replace("reels = 3", "reels = 5")
    strips = [" ".join("AB"[i % 2] if i % 9 else "K" for i in range(60 + reel)) for reel in range(5)]
    text = text[: text.index("base = [")] + f"base = {strips!r}"
    text = text.replace("2 = 1, 3 = 7 }", "2 = 1, 3 = 7, 4 = 8, 5 = 9 }").replace("3 = 4 }", "3 = 4, 4 = 5, 5 = 9 }")
    build = loads(text).build()
    analysis = analyse(build)
    assert analysis.closed is not None
    assert analysis.cycle is not None
    assert analysis.cycle.combinations > 400_000_000


def test_more_multipliers_than_are_merged_still_have_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    build = loads(DRAWN.replace("EXEMPT", "[]")).build()
    merged = analyse(build)
    monkeypatch.setattr(spin_multiplier, "MULTIPLIERS_MAX", 2)
    visited = analyse(build)
    assert visited.methods["state base"] == "every combination: a spin of state 'base' has more than 2 multipliers"
    assert merged.rtp == visited.rtp == visited.closed.rtp  # type: ignore[union-attr]


WHEEL = """
format = 1
id = "wheel"
title = "Wheel"
version = "1"
symbols = ["A", "B"]
[stake]
units = 2
[grid]
reels = 2
rows = 1
[caps]
free_spins = 1000
CAP
[evaluators.ways]
kind = "ways"
pays.A = { 1 = 1, 2 = 3 }
[evaluators.all]
kind = "count"
of = "line_bet"
pays.B = { 2 = 4 }
[bonuses.wheel]
kind = "wheel"
of = "line_bet"
segments = [
  { weight = 2, pay = 1 }, { weight = 1, spins = 1, state = "one" }, { weight = 1, pay = 3, spins = 2, state = "two" },
  { weight = 1, bonus = "chest" },
]
[bonuses.chest]
kind = "take"
prizes = [1, 1, 6]
take = 2
equal_multiplier = 3
of = "line_bet"
[modes.buy]
cost = 7
start = "one"
spins = 2
[modes.twice]
cost = 3
spins = 2
[states.base]
strips = "base"
evaluators = ["ways", "all"]
triggers = [
  { name = "Wheel", kind = "bonus", symbol = "A", plays = { 2 = 1 }, bonus = "wheel" },
  { name = "One", kind = "free_spins", symbol = "B", spins = { 2 = 2 }, state = "one" },
]
[states.one]
strips = "free"
evaluators = ["all"]
multiplier = 2
triggers = [{ name = "Two", kind = "free_spins", symbol = "B", spins = { 2 = 1 }, state = "two" }]
[states.two]
strips = "free"
evaluators = ["ways"]
[profiles.one.strips]
base = BASE
free = FREE
"""
set_of_two = st.lists(st.lists(st.sampled_from("AB"), min_size=1, max_size=2).map(" ".join), min_size=2, max_size=2)


@given(base=set_of_two, free=set_of_two, cap=st.sampled_from(["", "", "win = 2", "win = 7"]))
@settings(max_examples=20, deadline=None, suppress_health_check=slow_data)
def test_wheels_that_award_spins_of_several_states_in_all_modes(base: list[str], free: list[str], cap: str) -> None:
    model = loads(WHEEL.replace("BASE", repr(base)).replace("FREE", repr(free)).replace("CAP", cap))
    for mode in ("base", "buy", "twice"):
        check_round(model.build(mode=mode))


BOOST = """
format = 1
id = "boost"
title = "Boost"
version = "1"
symbols = ["A", "B", "K"]
[stake]
units = 2
[grid]
reels = 2
rows = 1
[caps]
CAP
[evaluators.ways]
kind = "ways"
pays = { A = { 1 = 1, 2 = 4 }, B = { 2 = 6 } }
[bonuses.boost]
kind = "wheel"
of = "win"
segments = [{ weight = 2, pay = 2 }, { weight = 1, pay = 5 }, { weight = 1, spins = 1, state = "free" }]
[bonuses.stars]
kind = "take"
of = "win"
prizes = [3, 0, 1]
ends = [2]
[bonuses.coins]
kind = "pick"
prizes = [{ pay = 1, weight = 1 }, { pay = 3, weight = 2 }]
[states.base]
strips = "base"
evaluators = ["ways"]
multiplier = 2
transforms = TRANSFORMS
triggers = [
  { name = "Boost", kind = "bonus", symbol = "A", plays = { 1 = 1, 2 = 2 }, bonus = "boost" },
  { name = "Coins", kind = "bonus", symbol = "B", plays = { 1 = 1 }, bonus = "coins" },
]
[states.free]
strips = "base"
evaluators = ["ways"]
triggers = [{ name = "Stars", kind = "bonus", symbol = "B", plays = { 1 = 1, 2 = 1 }, bonus = "stars" }]
[profiles.one.strips]
base = ["A B", "A:2 B K"]
"""


@pytest.mark.parametrize("cap", ["", "win = 9"])
@pytest.mark.parametrize(
    ("transforms", "method"),
    [
        ("[]", "merging of ways"),
        ("[{ kind = 'multiplier', table = { 1 = 2, 3 = 1 } }]", "merging of ways, times the multiplier of a spin"),
        ("[{ kind = 'nudge', symbol = 'A', steps_max = 1, multiplier = 1 }]", "every combination"),
    ],
)
def test_bonuses_that_multiply_the_win(transforms: str, method: str, cap: str) -> None:
    """Laws of spins and rounds against every path of the reference, and the parts of the RTP."""
    build = loads(BOOST.replace("TRANSFORMS", transforms).replace("CAP", cap)).build()
    spins = spin_laws(build, Engine(build))
    for name, joint in spins.laws.items():
        assert joint is not None
        expected = spins_of(build, name, "", joint.states)
        assert expected is not None
        compare(joint, expected)
    assert spins.laws["base"] is not None
    assert spins.laws["base"].method == method
    played: dict[str, Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_paths(lambda numbers: play_spin(build, "base", Memory(), numbers, 0)[0]):
        for award in spin.awards:
            assert isinstance(award, BonusPlay | PickBonus)
            played[award.trigger] += p * award.amount_units
    parts = spins.laws["base"].mean_parts()
    assert {name: parts[name] for name in ("Boost", "Coins")} == played
    assert check_round(build)


STATES_WITHOUT_LAWS = """
format = 1
id = "without"
title = "Without"
version = "1"
symbols = ["A", "W"]
[stake]
units = 1
[grid]
reels = 3
rows = 2
[evaluators.count]
kind = "count"
of = "line_bet"
pays = { A = { 2 = 1 } }
[states.base]
strips = "base"
evaluators = ["count"]
transforms = [{ kind = "nudge", symbol = "W", steps_max = 1 }]
triggers = [{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 2 }, state = "free" }]
[states.free]
strips = "base"
evaluators = ["count"]
FREE
[profiles.one.strips]
base = ["A W A", "A A W W", "A W A A"]
"""


def test_a_state_without_a_law_bounds_what_is_counted_of_the_others() -> None:
    """Its reason comes first; the other state is counted all the same where that is quick, or asked for."""
    build = loads(STATES_WITHOUT_LAWS.replace("FREE", 'cascade = { refill = "fresh" }')).build()
    few, some = (spin_laws(build, Engine(build), alone=alone) for alone in (47, 48))
    assert list(few.skipped) == ["free", "base"]
    assert few.skipped["base"].endswith(
        "from at most 47, as another state of the round has none (--visit: in any case)"
    )
    assert list(some.skipped) == ["free"]
    assert some.laws["base"] is not None
    sticky = loads(STATES_WITHOUT_LAWS.replace("FREE", 'transforms = [{ kind = "stick", symbols = ["W"] }]')).build()
    plain = Engine(sticky).spin_law(1, memory=b"", last=False)
    assert held_least(sticky, sticky.model.states["free"]) == len(plain.memories) == 3 * 4 * 3


# --- Bonuses -----------------------------------------------------------------------------------------------


def model_with(bonuses: dict[str, Any]) -> Model:
    state = State("base", "s", (), 1, frozenset(), ())
    return Model(
        "b", "B", "1", "", 10, 3, 1, 1, ("A",), {}, {}, bonuses, {"base": state, "free": state, "more": state}, 10,
        {"p": Profile("p", {"s": (Strip(("A",), (1,)),)})},
    )  # fmt: skip


def tables(low: int, high: int) -> st.SearchStrategy[Table]:
    entries = st.dictionaries(st.integers(low, high), st.integers(1, 3), min_size=1, max_size=3)
    return entries.map(lambda d: Table(tuple(d), tuple(d.values())))


basis = st.sampled_from(["line_bet", "total_bet"])
picks = st.builds(Pick, st.just("a"), tables(1, 2), tables(1, 2), tables(0, 5), basis)
takes = st.lists(st.integers(0, 4), min_size=2, max_size=5).flatmap(
    lambda prizes: (
        st.builds(Take, st.just("a"), st.just(tuple(prizes)), st.integers(1, len(prizes)), st.integers(1, 3), basis)
        | st.builds(
            lambda take, ends, lives, of: Take("a", tuple(prizes), take, 1, of, ends=ends, lives=min(lives, len(ends))),
            st.integers(1, len(prizes)), st.frozensets(st.integers(1, len(prizes)), min_size=1),
            st.integers(1, 3), basis,
        )
    )
)  # fmt: skip
trails = st.lists(st.integers(0, 4), min_size=1, max_size=5).flatmap(
    lambda squares: st.builds(
        Trail, st.just("a"), st.just(tuple(squares)), st.frozensets(st.integers(1, len(squares)), max_size=2),
        tables(1, 3), st.integers(1, 4), st.integers(0, 6), basis, pays=st.sampled_from(["all", "last"]),
    )
)  # fmt: skip
segments = st.builds(
    lambda weight, pay, to, spins, bonus: Segment(weight, pay, spins if to else 0, to, bonus),
    st.integers(1, 3), st.integers(0, 4), st.sampled_from([None, "free", "more"]), st.integers(1, 3),
    st.sampled_from([None, "a", "b"]),
)  # fmt: skip
wheels = st.lists(segments, min_size=1, max_size=4).map(tuple)


@given(one=picks | takes | trails, second=wheels, first=wheels)
@settings(max_examples=150, deadline=None, suppress_health_check=slow_data)
def test_laws_of_bonuses(one: Any, second: tuple[Segment, ...], first: tuple[Segment, ...]) -> None:
    """Every bonus, and wheels that lead to it and to each other, along every path."""
    lower = tuple(Segment(s.weight, s.pay, s.spins, s.state, s.bonus and "a") for s in second)
    model = model_with({"a": one, "b": Wheel("b", lower, "total_bet"), "c": Wheel("c", first, "line_bet")})
    for name in ("a", "b", "c"):
        rows: dict[tuple[int, tuple[tuple[str, int], ...]], Fraction] = defaultdict(Fraction)
        for count, (p, records) in enumerate(enumerate_paths(partial(play_all, model, name))):
            assume(count < PATHS_MAX)
            awards: dict[str, int] = defaultdict(int)
            for record in records:
                if isinstance(record, BonusPlay) and record.spins:
                    awards[record.state] += record.spins
            rows[sum(record.amount_units for record in records), tuple(sorted(awards.items()))] += p
        law = bonus_law(model, name)
        assert {(units, tuple(sorted(awards.items()))): p for p, units, awards in law.rows} == rows
        check_moments(model, name, law)


def play_all(model: Model, name: str, numbers: Any) -> Any:
    return list(play_bonus(model, model.states["base"], "Trigger", name, 0, numbers))


def check_moments(model: Model, name: str, law: BonusLaw) -> None:
    """The closed sums against the law."""
    moments = bonus_moments(model, name, ("free", "more"))
    assert sum((a.probability for a in moments.values()), Fraction(0)) == 1
    assert sum((a.win for a in moments.values()), Fraction(0)) == law.mean
    assert sum((a.win_squared for a in moments.values()), Fraction(0)) - law.mean**2 == law.variance
    assert sum((a.nothing for a in moments.values()), Fraction(0)) == law.nothing
    assert max(a.most for a in moments.values()) == law.most
    for i, state in enumerate(("free", "more")):
        mean = sum((key[i] * a.probability for key, a in moments.items()), Fraction(0))
        assert mean == law.award_mean.get(state, 0)


def test_a_bonus_of_too_many_outcomes_has_moments_but_no_law() -> None:
    prizes = tuple(7**i % 1_000_003 for i in range(64))
    model = model_with({"a": Take("a", prizes, 32, 2, "line_bet")})
    with pytest.raises(AnalysisError, match="too many for its exact law"):
        bonus_law(model, "a")
    moments = bonus_moments(model, "a", ())[()]
    assert moments.win == Fraction(32 * sum(prizes), 64) * 3
