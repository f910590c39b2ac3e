"""Published mathematics of games with expanding symbols, cascades, ways and more, reproduced to every printed digit.

One sheet in par_sheets/ and one game in models/ each, as in test_par_sheets.py. Every line that a sheet
prints, and every figure that was recomputed for it, has to be claimed by a rule below.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rgs_core.exact.analysis import analyse
from rgs_core.language.mechanics import Combinations, Lines, PickTrigger, WinTrigger, by_count, frozen
from rgs_core.language.model import Build, State
from rgs_core.language.model_file import load

HERE = Path(__file__).parent
Z_95 = 1.959964  # two-sided normal quantile

# --- What is read from the analysis -----------------------------------------------------------------------


class Spin:
    """Figures of one spin of a state, amounts in stakes."""

    def __init__(self, build: Build, state: str, law: Any) -> None:
        self.state, self.law, self.stake = state, law, build.model.stake_units
        self.cycle = math.prod(strip.total for strip in build.strips(build.model.states[state]))

    @property
    def rtp(self) -> Fraction:
        return sum(self.law.parts_mean.values(), Fraction(0)) / self.stake

    def part(self, name: str) -> Fraction:
        """What an evaluator or a bonus pays, 0 without one of that name."""
        return Fraction(self.law.parts_mean.get(name, 0)) / self.stake

    @property
    def sd(self) -> float:
        return math.sqrt(self.law.variance_units) / self.stake

    @property
    def spins(self) -> Fraction:
        """Free spins that it awards on average."""
        return sum(self.law.award_mean.values(), Fraction(0))

    @property
    def award_odds(self) -> Fraction:
        return Fraction(self.law.award_probability)

    @property
    def steps(self) -> list[int]:
        """Combinations that reach cascade step 1, 2, ..."""
        return [reached for reached in self.law.steps if reached]


class Game:
    """A build with its analysis."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.analysis: Any = analyse(build)

    def spin(self, state: str = "base") -> Spin:
        return Spin(self.build, state, self.analysis.laws[state])

    def special(self, symbol: str) -> Spin:
        """A free spin while `symbol` is the expanding one."""
        return Spin(self.build, "free", self.analysis.special_laws[symbol])

    @property
    def rtp(self) -> Fraction:
        return Fraction(self.analysis.rtp)

    def part(self, name: str) -> Fraction:
        return Fraction(self.analysis.rtp_parts.get(name, 0))

    @property
    def paid_hits(self) -> Fraction:
        """Odds that the paid spin itself wins."""
        return Fraction(self.analysis.paid_spin_hit_frequency)

    @property
    def feature_odds(self) -> Fraction:
        """Odds that a round has free spins."""
        return Fraction(self.analysis.feature_probability)

    @property
    def sd(self) -> float:
        """Of a round."""
        return float(self.analysis.sd)

    @property
    def paid_sd(self) -> float:
        """Of the paid spin alone."""
        return float(self.analysis.paid_spin_sd)


# --- Games, sheets and variations of games ------------------------------------------------------------------


@cache
def game(model: str, version: str) -> Game:
    return Game(load(HERE / "models" / f"{model}.toml").build(profile_name(version)))


def profile_name(version: str) -> str:
    return f"rtp_{version.replace('.', '_')}"


@cache
def sheet(slug: str) -> Any:
    return json.loads((HERE / "par_sheets" / f"slotopol-{slug}.json").read_text(), parse_float=Decimal)


def profile_of(slug: str, version: str) -> Any:
    return next(p for p in sheet(slug)["profiles"] if p["id"] == version)


MODELS = {
    "book-of-ra": "book_of_ra",
    "fruit-shop": "fruit_shop",
    "megajack-champagne": "megajack_champagne",
    "ultra-hot": "ultra_hot",
    "triple-diamond": "triple_diamond",
    "jewels": "jewels",
    "lucky-slot": "lucky_slot_1_line",
    "african-simba": "african_simba",
    "gonzos-quest": "gonzos_quest",
    "win-feast": "win_feast",
    "rainbow-charm": "rainbow_charm",
}
PROFILES = [(slug, str(profile["id"])) for slug in MODELS for profile in sheet(slug)["profiles"]]
every_profile = pytest.mark.parametrize(("slug", "version"), PROFILES)

Change = Callable[[State], State]


def changed(origin: Game, change: Change, **model: Any) -> Game:
    """The game with every state changed."""
    build = origin.build
    states = frozen({name: change(state) for name, state in build.model.states.items()})
    return Game(Build(replace(build.model, states=states, **model), build.profile))


@cache
def without_cascades(origin: Game) -> Game:
    return changed(origin, lambda state: replace(state, cascade=None))


def without_bonus(origin: Game) -> Game:
    return changed(
        origin,
        lambda state: replace(state, triggers=tuple(t for t in state.triggers if not isinstance(t, PickTrigger))),
    )


@cache
def on_one_line(origin: Game) -> Game:
    """The game on its first payline alone, which is the whole stake."""
    evaluators = {}
    for name, evaluator in origin.build.model.evaluators.items():
        assert isinstance(evaluator, Lines | Combinations)
        evaluators[name] = replace(evaluator, paylines=evaluator.paylines[:1])
    return changed(origin, lambda state: state, evaluators=frozen(evaluators), stake_units=1)


def printed(value: Fraction | float, published: Decimal | str) -> bool:
    """Whether a value rounds to a figure as it was printed, half up, all decimals counted."""
    figure = Decimal(published)
    decimals = max(0, -int(figure.as_tuple().exponent))
    return math.floor(Fraction(value) * 10**decimals + Fraction(1, 2)) == int(figure * 10**decimals)


# --- Figures that follow from others ------------------------------------------------------------------------


def per_awarded_spin(origin: Game) -> Fraction:
    """What an awarded free spin brings in all, with those that it awards in turn."""
    special = origin.build.model.states["free"].special
    if special is None:
        free = origin.spin("free")
        return free.rtp / (1 - free.spins)
    assert set(special.table.weights) == {1}
    values = [per_special_spin(origin, symbol) for symbol in special.table.symbols]
    return sum(values, Fraction(0)) / len(values)


def per_special_spin(origin: Game, symbol: str) -> Fraction:
    free = origin.special(symbol)
    return free.rtp / (1 - free.spins)


def free_spins_of_free_spin(origin: Game) -> Fraction:
    special = origin.build.model.states["free"].special
    spins = {origin.special(s).spins for s in special.table.symbols} if special else {origin.spin("free").spins}
    (one,) = spins  # the same for each expanding symbol
    return one


def awards(origin: Game, state: str = "base") -> Fraction:
    """Awards of free spins by a spin: each winning line and each cascade step may award some."""
    (trigger,) = (t for t in origin.build.model.states[state].triggers if t.kind in {"free_spins", "win_spins"})
    if isinstance(trigger, WinTrigger):
        return winning_lines_with_spins(origin, state, trigger)
    (count,) = set(trigger.spins.values())
    return origin.spin(state).spins / count


def winning_lines_with_spins(origin: Game, state: str, trigger: WinTrigger) -> Fraction:
    """Wins that award spins, from the shares of symbols alone: no wild is on the first reel."""
    model, strips = origin.build.model, origin.build.strips(origin.build.model.states[state])
    assert not set(strips[0].symbols) & set(model.wilds)
    lines = model.evaluators[trigger.evaluator]
    assert isinstance(lines, Lines)
    wins = spins = Fraction(0)
    for symbol, table in trigger.spins.items():
        wild = {name for name, wild in model.wilds.items() if symbol in wild.substitutes}
        share = [Fraction(sum(s == symbol or s in wild for s in reel.symbols), len(reel.symbols)) for reel in strips]
        for count in range(1, model.reels + 1):
            run = math.prod(share[:count], start=Fraction(1)) * (1 - share[count] if count < model.reels else 1)
            wins += run * (by_count(table, count) > 0) * len(lines.paylines)
            spins += run * by_count(table, count) * len(lines.paylines)
    assert spins == origin.spin(state).spins
    return wins


def sheet_sigma(origin: Game) -> float:
    """The total sigma as the source approximates it; exact without free spins.

    It takes the number of free spins that follow an awarded one as if awards were Poisson, and leaves out
    that the number of awards of a paid spin varies too and goes with its win.
    """
    base = origin.spin()
    if not base.spins:
        return origin.sd
    free, q = origin.spin("free"), free_spins_of_free_spin(origin)
    sq = 1 / (1 - q)
    feature = float(sq) * free.sd**2 + float(q * sq**3 * free.rtp**2)
    return math.sqrt(base.sd**2 + float(base.spins) * feature)


def streak_prizes(origin: Game) -> Fraction:
    """Chains that end at step 8 would pay 100 line bets, longer ones 1000; the last step has no win."""
    steps = [*origin.spin().steps, 0, 0]
    eight, nine = steps[7], steps[8]
    return Fraction(100 * (eight - nine) + 1000 * nine, origin.build.model.stake_units * steps[0])


def single(value: Fraction) -> float:
    """In single precision, in which the source divides its step counts: it prints 25912972 for 25912972.8."""
    (rounded,) = struct.unpack("f", struct.pack("f", float(value)))
    return float(rounded)


# --- Models ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "version", "name"),
    [(slug, version, MODELS[slug]) for slug, version in PROFILES]
    + [(slug, version, "lucky_slot_10_lines") for slug, version in PROFILES if slug == "lucky-slot"],
)
def test_model_has_the_numbers_of_the_sheet(slug: str, version: str, name: str) -> None:
    data, profile = sheet(slug), profile_of(slug, version)
    model = load(HERE / "models" / f"{name}.toml")
    build = model.build(profile_name(version))
    for strips, key in (("base", "reels"), ("free", "free_reels")):
        if key in profile:
            assert [list(strip.symbols) for strip in build.profile.strips[strips]] == profile[key]
            assert all(strip.uniform for strip in build.profile.strips[strips])
    evaluator: Any = model.evaluators[model.states["base"].evaluators[0]]
    if slug != "triple-diamond":  # a list of combinations in words
        expected = {symbol: {int(n): pay for n, pay in table.items()} for symbol, table in data["paytable"].items()}
        assert {s: {n: pay for n, pay in t.items() if pay} for s, t in evaluator.pays.items()} == expected
        assert [s for s in model.symbols if s in expected] == list(expected)
    one_line = name == "lucky_slot_1_line"
    if "lines" in data["bet"]:
        lines = 1 if one_line else data["bet"]["lines"]
        assert [list(line) for line in evaluator.paylines] == data["paylines"][:lines]
    assert model.stake_units == (1 if one_line else data["bet"]["total_bet"])
    assert model.line_units == 1
    assert model.free_spins_max == 100_000


# --- Published figures ------------------------------------------------------------------------------------------


@every_profile
def test_published_rtp(slug: str, version: str) -> None:
    ours, published = game(MODELS[slug], version), profile_of(slug, version)["published"]
    assert printed(ours.rtp * 100, version)
    assert printed(ours.rtp, published["rtp"])
    assert sum(ours.analysis.rtp_parts.values()) == ours.rtp
    base = ours.spin()
    assert ours.rtp - base.rtp == ours.part("free spins")
    if base.spins:
        assert ours.part("free spins") == base.spins * per_awarded_spin(ours)


Figures = Iterable[tuple[Fraction | float, str]]


def reels(ours: Game, spin: Spin, lengths: str, total: str) -> Figures:
    strips = ours.build.strips(ours.build.model.states["base"])
    assert [len(strip.symbols) for strip in strips] == [int(length) for length in lengths.split(",")]
    yield spin.cycle, total


def symbols(ours: Game, spin: Spin, lined: str, scatter: str, total: str) -> Figures:
    name = ours.build.model.states["base"].evaluators[0]
    if ours.build.model.evaluators[name].kind == "count":  # paid anywhere, which the source calls scatter
        yield spin.part(name) * 100, scatter
        yield 0, lined
    else:
        yield spin.part(name) * 100, lined
        yield spin.part("scatter") * 100, scatter
    yield spin.rtp * 100, total


def free_spins(ours: Game, spin: Spin, total: str, q: str, sq: str) -> Figures:
    yield spin.spins * spin.cycle, total
    yield spin.spins, q
    yield 1 / (1 - spin.spins), sq


def feature(ours: Game, spin: Spin, base: str, q: str, feature: str, total: str) -> Figures:
    yield spin.rtp * 100, base
    yield spin.spins, q
    yield per_awarded_spin(ours) * 100, feature
    yield ours.rtp * 100, total


def fruit_mean(ours: Game, spin: Spin, mean: str, sigma: str) -> Figures:
    yield spin.rtp * 100, mean
    yield spin.sd, sigma


def fruit_free(ours: Game, spin: Spin, rate: str, q: str, sq: str) -> Figures:
    yield 1 / awards(ours, spin.state), rate
    yield spin.spins, q
    yield 1 / (1 - spin.spins), sq


def fruit_feature(ours: Game, spin: Spin, multiple: str, sq: str, base: str, total: str) -> Figures:
    yield 1, multiple
    yield 1 / (1 - spin.spins), sq
    yield spin.rtp * 100, base
    yield per_awarded_spin(ours) * 100, total


def sigma(ours: Game, spin: Spin, sigma: str, index: str) -> Figures:
    yield sheet_sigma(ours), sigma
    yield Z_95 * sheet_sigma(ours), index


def bankroll(ours: Game, spin: Spin, spins: str, bankroll: str) -> Figures:
    """Spins after which the index is what the game keeps, and twice what it keeps by then."""
    edge = 1 - float(ours.rtp)
    index = Z_95 * sheet_sigma(ours)
    yield (index / edge) ** 2, spins
    yield 2 * index**2 / edge, bankroll


def cascade(ours: Game, spin: Spin, step: str, reached: str, from_first: str, from_last: str | None) -> Figures:
    steps, n = spin.steps, int(step) - 1
    yield steps[n], reached
    yield single(Fraction(steps[0], steps[n])), from_first
    yield single(Fraction(steps[n - 1], steps[n])), from_last or from_first


def cascades(ours: Game, spin: Spin, gain: str, length: str, fading: str, longest: str) -> Figures:
    steps = spin.steps
    yield spin.rtp / without_cascades(ours).spin().rtp, gain
    yield Fraction(sum(steps[1:]), steps[1]), length
    yield (steps[0] / steps[-1]) ** (1 / (len(steps) - 1)), fading
    yield len(steps), longest


NUMBER = r"([\d.]+)"
RULES: dict[str, Callable[..., Figures]] = {
    rf"reels lengths \[([\d, ]+)\], total reshuffles {NUMBER}": reels,
    rf"symbols: {NUMBER}\(lined\) \+ {NUMBER}\(scatter\) = {NUMBER}%": symbols,
    rf"RTP = {NUMBER}\(lined\) \+ {NUMBER}\(scatter\) = {NUMBER}%": symbols,
    rf"RTP = {NUMBER}%": lambda ours, spin, total: [(ours.rtp * 100, total), (spin.rtp * 100, total)],
    rf"free spins {NUMBER}, q = {NUMBER}, sq = 1/\(1-q\) = {NUMBER}": free_spins,
    rf"free games hit rate: 1/{NUMBER}": lambda ours, spin, rate: [(1 / awards(ours), rate)],
    rf"RTP = {NUMBER}\(sym\) \+ {NUMBER}\*{NUMBER}\(fg\) = {NUMBER}%": feature,
    rf"symbols: µ = {NUMBER}%, sigma\(sym\) = {NUMBER}": fruit_mean,
    rf"free: HRfg = 1/{NUMBER}, q = {NUMBER}, sq = 1/\(1-q\) = {NUMBER}": fruit_free,
    rf"rtp\(fg\) = m\*sq\*rtp\(sym\) = {NUMBER}\*{NUMBER}\*{NUMBER} = {NUMBER}%": fruit_feature,
    rf"sigma = {NUMBER}, VI\[95%\] = {NUMBER} \([\w-]+\)": sigma,
    rf"CI\[95%\] = {NUMBER}, bankroll\[CI\] = {NUMBER}": bankroll,
    rf"N\[(\d+)\] = (\d+), Ec\d = (?:Kf2 = )?1/{NUMBER}(?:, Kf\d = 1/{NUMBER})?": cascade,
    rf"Mcascade = {NUMBER}, ACL = {NUMBER}, Kfading = 1/{NUMBER}, Ncascmax = {NUMBER}": cascades,
}
HEADINGS = {"*bonus reels*": "free", "*regular reels*": "base", "cascade metrics:": "base"}


def figures_of(ours: Game, lines: list[str]) -> Iterator[tuple[str, Fraction | float, str]]:
    spin = ours.spin()
    for line in lines:
        if line in HEADINGS:
            spin = ours.spin(HEADINGS[line])
            continue
        matches = [(rule, match) for pattern, rule in RULES.items() if (match := re.fullmatch(pattern, line))]
        ((rule, match),) = matches
        for value, figure in rule(ours, spin, *match.groups()):
            yield line, value, figure


@every_profile
def test_every_printed_line(slug: str, version: str) -> None:
    ours = game(MODELS[slug], version)
    lines = profile_of(slug, version)["published"]["as_printed"] or []
    assert bool(lines) == (slug != "megajack-champagne")
    for line, value, figure in figures_of(ours, lines):
        assert printed(value, figure), (line, figure, float(value))


@pytest.mark.parametrize("version", ["90.044039", "95.111967"])
def test_book_published_value_of_each_expanding_symbol(version: str) -> None:
    ours = game("book_of_ra", version)
    published = profile_of("book-of-ra", version)["published"]["rtp_free_by_expanding_symbol_percent"]
    assert published.keys() == sheet("book-of-ra")["paytable"].keys()
    for symbol, percent in published.items():
        assert printed(per_special_spin(ours, symbol) * 100, percent), symbol


@pytest.mark.parametrize("version", ["84.989807", "95.487385"])
def test_fruit_shop_sigmas_and_the_one_that_is_wrong(version: str) -> None:
    """The printed total sigma is an approximation (see sheet_sigma); the exact one is larger."""
    ours = game("fruit_shop", version)
    profile = profile_of("fruit-shop", version)
    published, recomputed = profile["published"], profile["recomputed"]
    assert printed(ours.spin().sd, published["sigma_base_spin"])
    assert printed(ours.spin("free").sd, published["sigma_free_spin"])
    assert printed(sheet_sigma(ours), published["sigma_total_approximate"])
    assert not printed(ours.sd, published["sigma_total_approximate"])
    assert printed(ours.sd, recomputed["round_sd"])
    assert ours.sd > 1.2 * float(published["sigma_total_approximate"])


@pytest.mark.parametrize("version", ["89.934145", "95.005615"])
def test_win_feast_sigma(version: str) -> None:
    assert printed(game("win_feast", version).sd, profile_of("win-feast", version)["published"]["sigma"])


@pytest.mark.parametrize("version", ["90.147730", "95.013112"])
def test_lucky_slot_is_published_for_one_line(version: str) -> None:
    """An expanding wild covers its neighbours more often, so the RTP depends on the lines played."""
    one, ten = game("lucky_slot_1_line", version), game("lucky_slot_10_lines", version)
    assert profile_of("lucky-slot", version)["published"]["lines_selected"] == 1
    assert one.part("scatter") == ten.part("scatter")
    assert one.part("lines") < ten.part("lines")
    assert not printed(ten.rtp * 100, version)


# --- Figures recomputed for the sheets, not published ---------------------------------------------------------

Recomputed = Callable[[Game], Fraction | float]
TEXTS = {"method", "match", "digits"}
NOT_IN_THE_LANGUAGE = {"sd_with_streak_prizes"}  # the mean follows from the step counts, the deviation does not


def ten_lines(ours: Game) -> Game:
    return game("lucky_slot_10_lines", ours.build.profile.name.removeprefix("rtp_").replace("_", "."))


def bonus_value(ours: Game) -> Fraction:
    """Bottles in line bets: two of 10, 10, 20, 150 and 150, their sum doubled when they are equal."""
    prizes = sheet("megajack-champagne")["bonus"]["prizes"]
    pairs = [(a, b) for i, a in enumerate(prizes) for b in prizes[i + 1 :]]
    value = Fraction(sum((a + b) * (2 if a == b else 1) for a, b in pairs), len(pairs))
    assert value == sheet("megajack-champagne")["bonus"]["expected_value"]
    return value


RECOMPUTED: dict[str, Recomputed] = {
    "rtp": lambda g: g.rtp,
    "rtp_base_spin": lambda g: g.spin().rtp,
    "rtp_one_free_spin": lambda g: g.spin("free").rtp,
    "free_spins_per_base_spin": lambda g: g.spin().spins,
    "free_spins_per_free_spin": free_spins_of_free_spin,
    "free_spins_per_spin_q": lambda g: g.spin().spins,
    "rtp_per_awarded_free_spin": per_awarded_spin,
    "rtp_per_awarded_free_spin_mean": per_awarded_spin,
    "feature_probability": lambda g: g.feature_odds,
    "feature_awards_per_spin": awards,
    "line_hits_with_free_spins_per_spin_base": awards,
    "hit_frequency": lambda g: g.paid_hits,
    "combinations": lambda g: g.spin().cycle,
    "sd": lambda g: g.sd,
    "round_sd": lambda g: g.sd,
    "base_spin_sd": lambda g: g.paid_sd,
    "free_spin_sd": lambda g: g.spin("free").sd,
    # Champagne
    "rtp_base_symbols": lambda g: g.part("lines") + g.part("scatter"),
    "rtp_bonus_base": lambda g: g.part("Bottles"),
    "rtp_one_free_spin_symbols": lambda g: g.spin("free").rtp - g.spin("free").part("Bottles"),
    "bonus_probability_per_line": lambda g: g.part("Bottles") / bonus_value(g),
    "hit_frequency_21_lines_without_bonus": lambda g: without_bonus(g).paid_hits,
    # Triple Diamond, Lucky Slot
    "hit_frequency_1_line": lambda g: on_one_line(g).paid_hits,
    "hit_frequency_9_lines": lambda g: g.paid_hits,
    "sd_9_lines_in_total_bets": lambda g: g.sd,
    "sd_1_line": lambda g: g.sd if g.build.model.stake_units == 1 else on_one_line(g).sd,
    "rtp_1_line_centre": lambda g: g.rtp,
    "rtp_10_lines": lambda g: ten_lines(g).rtp,
    "rtp_scatter": lambda g: g.part("scatter"),
    "hit_frequency_10_lines": lambda g: ten_lines(g).paid_hits,
    "sd_10_lines_in_total_bets": lambda g: ten_lines(g).sd,
    # Win Feast
    "rtp_with_streak_prizes": lambda g: g.rtp + streak_prizes(g),
}


@every_profile
def test_every_recomputed_figure(slug: str, version: str) -> None:
    ours, recomputed = game(MODELS[slug], version), profile_of(slug, version)["recomputed"]
    for name, figure in recomputed.items():
        if name == "spins_reaching_cascade_step_n":
            assert dict(enumerate(ours.spin().steps, start=1)) == {int(n): reached for n, reached in figure.items()}
        elif name == "rtp_per_awarded_free_spin_by_expanding_symbol":
            for symbol, value in figure.items():
                assert printed(per_special_spin(ours, symbol), value), symbol
        elif name not in TEXTS | NOT_IN_THE_LANGUAGE:
            value = RECOMPUTED[name](ours)
            assert printed(value, figure), (name, figure, float(value))


@pytest.mark.parametrize("slug", ["african-simba", "gonzos-quest"])
def test_further_spins_are_spins_of_the_base_at_three_times_the_pay(slug: str) -> None:
    for profile in sheet(slug)["profiles"]:
        ours = game(MODELS[slug], profile["id"])
        base, free = ours.spin(), ours.spin("free")
        assert free.rtp == 3 * base.rtp
        assert free.spins == base.spins
        assert free.steps == base.steps
        assert free.sd == pytest.approx(3 * base.sd)


def test_champagne_bonus_and_scatter_are_not_doubled_in_free_spins() -> None:
    ours = game("megajack_champagne", "95.958662")
    base, free = ours.spin(), ours.spin("free")
    assert free.spins == 2 * base.spins
    assert free.award_odds == base.award_odds == ours.feature_odds
    assert free.part("Bottles") == base.part("Bottles")
    assert free.part("scatter") == base.part("scatter")
    five = Fraction(1, base.cycle)
    for strip in ours.build.strips(ours.build.model.states["base"]):
        five *= strip.symbols.count("eldorado")
    assert free.part("lines") == 2 * base.part("lines") - 10000 * five
