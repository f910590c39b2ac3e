"""Features that remember: exact laws of whole rounds equal the plain-Python rules along every path of draws."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.exact.memory import held
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

PATHS_MAX = 1_000

GAME = """
format = 1
id = "memory"
title = "Memory"
version = "1"
symbols = ["A", "B", "W", "S", "M"]
[stake]
units = 2
[grid]
reels = 2
rows = ROWS
[caps]
free_spins = CAP
WINMAX
[wilds.W]
substitutes = ["A", "B"]
multiplier = 2
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays.A = { 2 = 3 }
pays.B = { 1 = 1, 2 = 2 }
pays.W = { 2 = 5 }
SUM
[states.base]
strips = "base"
evaluators = ["lines"]
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = AWARD
state = "free"
[states.free]
strips = "free"
evaluators = PAYS
multiplier = 3
EXTRA
MORE
[profiles.one.strips]
base = ["A S", "A B"]
free = STRIPS
"""
DEFAULTS = {
    "ROWS": "1",
    "CAP": "1000",
    "WINMAX": "",
    "AWARD": "{ 1 = 2 }",
    "PAYS": '["lines"]',
    "SUM": "",
    "EXTRA": "",
    "MORE": "",
    "STRIPS": '["A W", "B M"]',
}
STICKY = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["W", "M"]\n'
WALKING = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["W"]\nstep = STEP\n'
VALUES = '[[states.free.transforms]]\nkind = "values"\nsymbols = ["M"]\ntable = { 1 = 1, 3 = 2 }\n'
SUM = '[evaluators.sum]\nkind = "collect"\nsymbol = "M"\nat = "end"\n'
EACH = {
    "spin": 'each = "spin"\n',
    "cell": 'each = "cell"\nsymbol = "M"\n',
    "full_reel": 'each = "full_reel"\nsymbol = "B"\n',
}
MULTIPLIER = '[[states.free.transforms]]\nkind = "multiplier"\ntable = { 1 = 1, 2 = 2 }\npersist = true\n'
COLLECTED = (
    '[[states.free.triggers]]\nname = "Level"\nkind = "collected"\nsymbol = "M"\nevery = 2\nspins = [1, 0]\n'
    'multipliers = [2, 5]\nstate = "free"\n'
)
COUNTING = {
    "listed": 'symbol = "M"\nevery = [1, 3]\nspins = [0, 1]\n',
    "endless": 'symbol = "M"\nevery = 2\nspins = [0, 1]\nendless = true\n',
    "growing": 'symbol = "M"\nevery = [1, 3]\nmultipliers = [2, 3]\nendless = true\nmultiplier_step = 4\n',
    "collector": 'symbol = "M"\ncollector = "W"\nevery = 1\nmultipliers = [2, 5]\n',
    "fresh": 'symbol = "M"\nfresh = true\nevery = 1\nmultipliers = [2, 5, 7]\n',
    "values": 'symbol = "M"\ncounts = "values"\nevery = [2, 3]\nmultipliers = [2, 5]\nspins = [1, 0]\n',
    "streak": 'counts = "wins"\nin_a_row = true\nevery = 1\nmultipliers = [2, 3]\nspins = [1, 0]\n',
    "lost": 'counts = "losses"\nin_a_row = true\nevery = 1\nmultipliers = [2, 3]\n',
    "played": 'counts = "spins"\nevery = 1\nmultipliers = [2]\nendless = true\nmultiplier_step = 1\n',
    "row": 'symbol = "M"\nin_a_row = true\nevery = 1\nmultipliers = [3, 4]\n',
}
COUNTED = '[[states.free.triggers]]\nname = "Level"\nkind = "collected"\n'
SPECIAL = (
    '[states.free.special]\nname = "Book"\ntable = { A = 3, B = 1, W = 2 }\nlines = "lines"\n'
    'own_lines = OWN\nmore_with = "Again"\n'
)
DRAWN = '[[states.free.transforms]]\nkind = "reveal"\nsymbol = "M"\ntable = { A = 1, B = 1 }\n'
AGAIN = (
    '[[states.free.triggers]]\nname = "Again"\nkind = "free_spins"\nsymbol = "S"\nspins = { 1 = 2 }\nstate = "free"\n'
)
CASCADE = '[states.free.cascade]\nrefill = "strip"\nmultipliers = [1, 2, 4]\npersist = true\nsteps_max = 3\n'
ENDLESS = CASCADE.replace("[1, 2, 4]", "[1]\nmultiplier_step = 2")
FINAL = '[states.free.final]\nsymbols = ["M"]\npersist = true\n'
OTHER = (
    '[states.other]\nstrips = "base"\nevaluators = ["lines"]\n'
    '[[states.free.triggers]]\nname = "Other"\nkind = "free_spins"\nsymbol = "W"\nspins = { 1 = 1, 2 = 2 }\nstate = "other"\n'
)


def game(**given: str) -> Build:
    """The game above with some of its words replaced."""
    text = GAME
    for word, value in {**DEFAULTS, **given}.items():
        text = text.replace(word, value)
    return loads(text).build()


def check(build: Build) -> bool:
    """All figures of rounds against every path of the reference; whether there are few enough."""
    expected = round_law(build, PATHS_MAX)
    if expected is None:
        return False
    cycle = check_figures(build, *expected)
    assert cycle.features is not None
    assert cycle.neglected == 0
    analysis = analyse(build, visit=True)
    mean = sum((p * x for x, p in expected[0].items()), Fraction(0))
    assert analysis.rtp is not None
    assert float(analysis.rtp) * build.play.cost_units == pytest.approx(float(mean), abs=1e-9)
    assert analysis.methods["state free"].startswith("chain of ")
    return True


# --- Rounds ------------------------------------------------------------------------------------------------

strips = st.lists(
    st.sampled_from(["A W", "B M", "M", "W A:2", "M A", "A B", "W M B", "A S", "M M A"]), min_size=2, max_size=2
)
spins = st.sampled_from(["{ 1 = 1 }", "{ 1 = 2 }", "{ 1 = 3 }"])
caps = st.sampled_from(["2", "3", "4", "9"])
win_caps = st.sampled_from(["", "", "win = 5"])
sizes = st.sampled_from(["1", "1", "2"])
check_rounds = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@given(
    strips=strips,
    spins=spins,
    rows=sizes,
    step=st.sampled_from(["", "0", "-1", "1"]),
    win=win_caps,
    more=st.sampled_from(["", OTHER]),
)
@check_rounds
def test_held_cells(strips: list[str], spins: str, rows: str, step: str, win: str, more: str) -> None:
    """Sticky and walking wilds on ordinary reels, alone and with another state that they award."""
    extra = WALKING.replace("STEP", step) if step else STICKY
    assume(check(game(STRIPS=repr(strips), AWARD=spins, ROWS=rows, EXTRA=extra, WINMAX=win, MORE=more)))


@given(
    strips=strips,
    spins=spins,
    rows=sizes,
    each=st.sampled_from(list(EACH)),
    combine=st.sampled_from(["sum", "product"]),
    cap=caps,
)
@check_rounds
def test_multipliers_that_persist(strips: list[str], spins: str, rows: str, each: str, combine: str, cap: str) -> None:
    extra = MULTIPLIER + EACH[each] + f'combine = "{combine}"\n'
    assume(check(game(STRIPS=repr(strips), AWARD=spins, ROWS=rows, EXTRA=extra, CAP=cap)))


@given(strips=strips, spins=spins, rows=sizes, cap=caps, extra=st.sampled_from(["", MULTIPLIER]), win=win_caps)
@check_rounds
def test_collected_levels(strips: list[str], spins: str, rows: str, cap: str, extra: str, win: str) -> None:
    """Levels award spins and multiply; also together with a multiplier of each spin."""
    assume(check(game(STRIPS=repr(strips), AWARD=spins, ROWS=rows, EXTRA=extra + COLLECTED, CAP=cap, WINMAX=win)))


@given(
    strips=strips,
    spins=spins,
    rows=sizes,
    cap=st.sampled_from(["2", "3", "5"]),
    extra=st.sampled_from(["", "", MULTIPLIER, STICKY]),
    kind=st.sampled_from(list(COUNTING)),
)
@settings(check_rounds, max_examples=60)
def test_what_is_counted(strips: list[str], spins: str, rows: str, cap: str, extra: str, kind: str) -> None:
    """Listed and endless levels, of symbols, values, or spins that win or lose, also in a row; alone, beside a multiplier
    of each spin, and with cells that are held."""
    counted = COUNTED + COUNTING[kind] + ('state = "free"\n' if "spins = [" in COUNTING[kind] else "")
    extra = VALUES + extra if kind == "values" else extra
    assume(check(game(STRIPS=repr(strips), AWARD=spins, ROWS=rows, EXTRA=extra + counted, CAP=cap)))


@given(
    strips=strips,
    drawn=st.sampled_from(["", "most = 2\n", "count = 2\n"]),
    own=st.sampled_from(["true", "false"]),
    cap=st.sampled_from(["2", "3", "4"]),
    win=win_caps,
    merge=st.booleans(),
)
@settings(check_rounds, max_examples=10)
def test_special_symbols_that_are_added(
    strips: list[str], drawn: str, own: str, cap: str, win: str, merge: bool
) -> None:
    """One more with each retrigger, by merging and, with other evaluators of the state, by every combination."""
    special = SPECIAL.replace("OWN", own) + drawn
    extra = special + AGAIN + ("" if merge else DRAWN)
    build = game(STRIPS=repr([strips[0] + " S", strips[1]]), EXTRA=extra, CAP=cap, WINMAX=win)
    assume(check(build))
    features = full_cycle(build).features
    assert features is not None
    assert "one law for each set of special symbols" in features.methods["free"]


@given(strips=strips, spins=spins, kind=st.sampled_from([FINAL, CASCADE, ENDLESS]), cap=caps)
@check_rounds
def test_final_multipliers_and_steps(strips: list[str], spins: str, kind: str, cap: str) -> None:
    words = kind.replace("persist = true", 'persist = true\ncombine = "sum"') + VALUES if kind == FINAL else kind
    if kind != FINAL:
        words = words.replace("persist", 'remove = ["lines"]\npersist')
    assume(check(game(STRIPS=repr(strips), AWARD=spins, EXTRA=words, CAP=cap)))


@given(
    strips=strips,
    cap=st.sampled_from(["2", "3", "4"]),
    reset=st.booleans(),
    extra=st.sampled_from([STICKY, MULTIPLIER]),
)
@check_rounds
def test_spins_that_are_won_again(strips: list[str], cap: str, reset: bool, extra: str) -> None:
    """Up to the cap, which is in reach; a trigger may add spins or fill them up."""
    again = AGAIN + ("reset = true\n" if reset else "")
    assume(check(game(STRIPS=repr([strips[0] + " S", strips[1]]), EXTRA=extra + again, CAP=cap)))


@given(strips=strips, spins=spins, extra=st.sampled_from([STICKY, ""]))
@check_rounds
def test_pays_at_the_end(strips: list[str], spins: str, extra: str) -> None:
    """Cells with values, held or not, pay their sum after the last spin, ordinary wins at every spin."""
    assume(check(game(STRIPS=repr(strips), AWARD=spins, EXTRA=VALUES + extra, PAYS='["lines", "sum"]', SUM=SUM)))


# --- By hand, and larger ones --------------------------------------------------------------------------------


def test_a_multiplier_that_doubles() -> None:
    """Two spins of B B on both reels: 2 x 2 units x 3, doubled in the first and doubled again in the second."""
    extra = MULTIPLIER.replace("{ 1 = 1, 2 = 2 }", "{ 2 = 1 }") + 'combine = "product"\n'
    cycle = full_cycle(game(STRIPS='["B", "B"]', EXTRA=extra, CAP="9"))
    assert cycle.features is not None
    (feature,) = cycle.features.laws.values()
    (won,) = feature.by_award().values()
    assert won.win == 2 * 3 * 2 + 2 * 3 * 4
    assert feature.spins == feature.granted == 2
    assert cycle.features.methods == {"free": "chain of 3 memories, one law for all of them by merging"}


def test_features_without_end() -> None:
    """Spins are won again with odds of 1/3, a symbol at the other third is collected: each spin wins 3 units, by the
    level three or six. The mean is that of the spins, and what is left out is too little to be seen."""
    again = AGAIN.replace("{ 1 = 2 }", "{ 1 = 1 }")
    level = COLLECTED.replace("spins = [1, 0]", "spins = [0, 0]").replace("[2, 5]", "[1, 1]")
    cycle = full_cycle(game(STRIPS='["B", "S M A"]', EXTRA=again + level, CAP="100000"))
    assert cycle.features is not None
    (feature,) = cycle.features.laws.values()
    assert 0 < cycle.neglected < 1e-15
    assert not cycle.max_win_reached
    assert float(feature.spins) == pytest.approx(2 / (1 - 1 / 3), rel=1e-14)
    assert sum(float(a.win) for a in feature.by_award().values()) == pytest.approx(3 * 3, rel=1e-14)
    assert win_law(cycle).rtp == pytest.approx(float(cycle.rtp), abs=1e-9)


TALL = {
    "reels = 2": "reels = 3", '["00"]': '["000", "101"]', "2 = 3 }": "2 = 3, 3 = 4 }", "2 = 2 }": "2 = 2, 3 = 9 }",
    "2 = 5 }": "3 = 5 }", '["A S", "A B"]': '["A S", "A B", "A"]',
}  # fmt: skip
"""Three reels of two rows in the game above."""


def tall(**given: str) -> Build:
    text = GAME
    for word, value in {**TALL, **DEFAULTS, "ROWS": "2", "CAP": "7", "AWARD": "{ 1 = 3 }", **given}.items():
        text = text.replace(word, value)
    return loads(text).build()


def merged_and_visited(build: Build, method: str) -> None:
    """One algorithm for the laws of memories equals the other, and the law of wins has the exact moments."""
    merged, visited = (full_cycle(build, merge=merge) for merge in (True, False))
    assert merged.features is not None
    assert visited.features is not None
    assert merged.features.laws.keys() == visited.features.laws.keys()
    for name, law in merged.features.laws.items():
        assert law.by_award() == visited.features.laws[name].by_award()
        assert law.spins == visited.features.laws[name].spins
    assert method in merged.features.methods["free"]
    assert "each by every combination" in visited.features.methods["free"]
    law = win_law(merged)
    assert law.rtp == pytest.approx(float(merged.rtp), abs=1e-9)
    assert law.sd == pytest.approx(merged.sd, abs=1e-8)


def test_levels_merged_and_visited() -> None:
    """Collected levels and a multiplier for each cell: one law for all memories equals a law for each."""
    extra = MULTIPLIER + EACH["cell"] + 'combine = "sum"\n' + COLLECTED + AGAIN
    build = tall(EXTRA=extra, STRIPS='["A B M W:2", "M:3 B A S", "A M:2 B W"]')
    merged_and_visited(build, "one law for all of them by merging")


@pytest.mark.parametrize("step", ["0", "1", "-1"])
def test_held_wilds_merged_and_visited(step: str) -> None:
    """Wilds that land on two reels of three, stay or walk onto the others, award spins of another state by their
    number, and a scatter that goes on."""
    again = AGAIN.replace("{ 1 = 2 }", "{ 1 = 1 }")
    build = tall(EXTRA=WALKING.replace("STEP", step) + again, STRIPS='["A B W:2", "M:3 B A S", "W A B W B"]', CAP="6")
    merged_and_visited(build, "each by merging")
    merged_and_visited(
        tall(EXTRA=WALKING.replace("STEP", step) + OTHER, STRIPS='["A B W:2", "M:3 B A", "W A B W B"]', CAP="1000"),
        "each by merging",
    )


def test_a_base_state_that_remembers_plays_once() -> None:
    """What only a second spin would see does not matter: the paid spin has a law of its own."""
    text = GAME
    for word, value in DEFAULTS.items():
        text = text.replace(word, value)
    sticky = STICKY.replace("states.free", "states.base").replace('"W", "M"', '"A"')
    build = loads(text.replace("[states.free]\n", sticky + "[states.free]\n")).build()
    expected = round_law(build, PATHS_MAX)
    assert expected is not None
    assert check_figures(build, *expected).features is None


# --- What is refused ---------------------------------------------------------------------------------------


def twice(extra: str) -> str:
    return extra + AGAIN + "reset = true\n" + AGAIN.replace("Again", "More")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"EXTRA": twice(STICKY)}, "keeps cells .* and has several triggers that award its own spins, of which one resets"),
        ({"EXTRA": STICKY + CASCADE.replace("strip", "fresh").replace("persist", 'remove = ["lines"]\npersist')},
         "and draws at every step of a cascade"),
        ({"EXTRA": STICKY + VALUES + AGAIN, "SUM": SUM, "PAYS": '["lines", "sum"]', "STRIPS": '["A S", "B M"]', "CAP": "3"},
         "pays at their end, can reach the cap of 3 free spins"),
        ({"EXTRA": STICKY + OTHER.replace('"base"\n', '"base"\ntriggers = [{ name = "Back", kind = "free_spins", '
          'symbol = "S", spins = { 1 = 1 }, state = "free" }]\n')}, "are awarded by state 'other' too"),
        ({"EXTRA": STICKY + OTHER + AGAIN, "STRIPS": '["A S", "W B"]', "CAP": "9"}, "can be awarded 9 spins|matters"),
    ],
)  # fmt: skip
def test_what_has_no_exact_law_is_said(words: dict[str, str], reason: str) -> None:
    build = game(**words)
    with pytest.raises(AnalysisError, match=reason):
        full_cycle(build)
    assert analyse(build).cycle is None


def test_chains_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    build = game(EXTRA=STICKY, STRIPS='["A W B M", "B M A W"]', ROWS="2")
    monkeypatch.setattr("rgs_core.exact.memory.memories.COMBINATIONS_MAX", 100)
    with pytest.raises(AnalysisError, match="ways, from each of which a spin has 16 combinations of draws; they are"):
        full_cycle(build)
    monkeypatch.undo()
    monkeypatch.setattr("rgs_core.exact.memory.memories.MEMORIES_MAX", 10)
    with pytest.raises(AnalysisError, match="keeps cells over the spins of a feature in more than 10 ways"):
        full_cycle(build)
    monkeypatch.undo()
    monkeypatch.setattr("rgs_core.exact.memory.chain.MOVES_MAX", 20)
    with pytest.raises(AnalysisError, match="can take too many ways for their law"):
        full_cycle(build)
    monkeypatch.undo()
    monkeypatch.setattr("rgs_core.exact.memory.chain.TRANSFORMED_MAX", 1_000)
    with pytest.raises(AnalysisError, match="too many for an exact law of wins at 2,049 frequencies; simulate"):
        win_law(full_cycle(build))


def test_sets_of_held_cells_that_are_too_many_are_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first law shows which sets there will be: no other is found before a refusal."""
    text = (
        "format = 1\nid = 'sticky'\ntitle = 'S'\nversion = '1'\nsymbols = ['A', 'B', 'W', 'S']\n[stake]\nunits = 1\n"
        "[grid]\nreels = 4\nrows = 3\n[wilds.W]\nsubstitutes = ['A', 'B']\n"
        "[evaluators.lines]\nkind = 'lines'\npaylines = ['1111']\npays = { A = { 3 = 2, 4 = 5 }, B = { 3 = 1, 4 = 3 } }\n"
        "[states.base]\nstrips = 'base'\nevaluators = ['lines']\n[[states.base.triggers]]\nname = 'Free'\n"
        "kind = 'free_spins'\nsymbol = 'S'\nspins = { 2 = SPINS }\nstate = 'free'\n"
        "[states.free]\nstrips = 'free'\nevaluators = ['lines']\n[[states.free.transforms]]\nkind = 'stick'\nsymbols = ['W']\n"
        "[profiles.one.strips]\nbase = ['A B S A', 'B A S B', 'A B A B', 'A B A B']\n"
        "free = ['A B W A B A', 'B A B W A A', 'A W B A B B', 'A W B A B B']\n"
    )
    laws: list[int] = []
    real = held.lines_joint
    monkeypatch.setattr(held, "lines_joint", lambda *a, **k: laws.append(1) or real(*a, **k))
    assert full_cycle(loads(text.replace("SPINS", "2")).build()).rtp > 0  # 256 sets
    assert len(laws) == 4**4
    laws.clear()
    with pytest.raises(
        AnalysisError, match="more than 2,048 ways, up to which their laws are merged: put the symbol on"
    ):
        full_cycle(loads(text.replace("SPINS", "8")).build())  # 4,096 sets
    assert len(laws) == 1
