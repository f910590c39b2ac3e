"""The rules of the game in plain Python, written to be read.

This file is the specification that a test lab reads first. It shares no code with the compiled
engine: it has its own ChaCha20, its own unbiased integers and its own evaluation, and imports only
the model and the record types. It is slow on purpose. Tests hold it equal to the engine.

Read from the bottom up to go from words to rounds, or from `play` to follow one round.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rgs_core.errors import DrawLimitError
from rgs_core.model import (
    START_STATE,
    Build,
    FreeSpinsTrigger,
    Lines,
    Model,
    Pick,
    PickTrigger,
    Scatter,
    State,
    Strip,
    Table,
)
from rgs_core.outcome import FreeSpinsAward, Outcome, PickBonus, Spin, Win

WORDS_PER_SUB_SPIN = 4096

Window = tuple[tuple[str, ...], ...]
"""Symbols in view: `window[reel][row]`, reels from the left, rows from the top."""


# --- The round -------------------------------------------------------------------------------------


def play(build: Build, key: bytes, nonce: int, stream: int = 0) -> Outcome:
    """Round `nonce`: the paid spin, then one free spin after the other until none is left.

    Free spins won during free spins are added to those left. A round never plays more than
    `free_spins_max` free spins: an award that would exceed it is cut to what is missing.
    """
    model = build.model
    paid = play_spin(build, START_STATE, Draws(key, stream, nonce, sub_spin=0), sub_spin=0)
    spins = [paid]
    state, awarded = spins_awarded(paid)
    granted = min(awarded, model.free_spins_max)
    left = granted
    while left > 0:
        left -= 1
        sub_spin = len(spins)
        spin = play_spin(build, state, Draws(key, stream, nonce, sub_spin), sub_spin)
        spins.append(spin)
        _, awarded = spins_awarded(spin)
        more = min(awarded, model.free_spins_max - granted)
        granted += more
        left += more
    return Outcome(tuple(spins), sum(spin.win_units for spin in spins))


def spins_awarded(spin: Spin) -> tuple[str, int]:
    """The state and the number of free spins that a spin awards, all its triggers together."""
    awards = [award for award in spin.awards if isinstance(award, FreeSpinsAward)]
    return (awards[0].state if awards else ""), sum(award.spins for award in awards)


def play_spin(build: Build, state_name: str, draws: Draws, sub_spin: int) -> Spin:
    """One spin: draw a stop for each reel from the left, look at the window, pay, then trigger."""
    model = build.model
    state = model.states[state_name]
    strips = build.strips(state)
    stops = tuple(draw_stop(strip, draws) for strip in strips)
    window = tuple(
        tuple(strip.symbols[(stop + row) % len(strip.symbols)] for row in range(model.rows))
        for strip, stop in zip(strips, stops, strict=True)
    )
    wins: list[Win] = []
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Lines):
            wins += line_wins(model, state, evaluator, window)
        else:
            wins += scatter_wins(model, state, evaluator, window)
    awards: list[FreeSpinsAward | PickBonus] = []
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger):
            awards += free_spins_awards(trigger, window)
        else:
            awards += pick_bonuses(model, state, trigger, window, draws)
    return Spin(state_name, sub_spin, stops, window, tuple(wins), tuple(awards))


# --- Pays ------------------------------------------------------------------------------------------


def line_wins(model: Model, state: State, evaluator: Lines, window: Window) -> Iterator[Win]:
    """The best reading of every payline, where it pays."""
    for number, rows in enumerate(evaluator.paylines, start=1):
        cells = [window[reel][row] for reel, row in enumerate(rows)]
        best: Win | None = None
        for symbol in model.symbols:
            win = reading(model, state, evaluator, number, symbol, cells)
            if win is None:
                continue
            # The highest amount counts; of equal amounts the longer run, then the symbol declared first.
            if best is None or (win.amount_units, win.count) > (best.amount_units, best.count):
                best = win
        if best is not None:
            yield best


def reading(model: Model, state: State, evaluator: Lines, line: int, symbol: str, cells: list[str]) -> Win | None:
    """The line read for one symbol: the run from the left of that symbol and of wilds that stand for it."""
    if symbol not in evaluator.pays:
        return None
    run: list[str] = []
    for cell in cells:
        stands_in = cell in model.wilds and symbol in model.wilds[cell].substitutes
        if cell != symbol and not stands_in:
            break
        run.append(cell)
    if symbol not in run and evaluator.pure_wild_run == "own":
        return None  # only wilds: they pay their own prizes, not those of another symbol
    pay = evaluator.pays[symbol].get(len(run), 0)
    if pay == 0:
        return None
    wild_multiplier = 1
    for wild in model.wilds.values():
        used = run.count(wild.symbol) if wild.symbol != symbol else 0
        if used > 0:
            wild_multiplier *= wild.multiplier**used if wild.combine == "product" else wild.multiplier
    multiplier = state.multiplier_for(evaluator.name, symbol, len(run))
    amount = pay * model.line_units * wild_multiplier * multiplier
    return Win(evaluator.name, line, symbol, len(run), wild_multiplier, multiplier, amount)


def scatter_wins(model: Model, state: State, evaluator: Scatter, window: Window) -> Iterator[Win]:
    """Pay for the number of scatter symbols anywhere in view."""
    count = in_view(window, evaluator.symbol)
    pay = evaluator.pays.get(min(count, max(evaluator.pays)), 0)
    if pay > 0:
        multiplier = state.multiplier_for(evaluator.name, evaluator.symbol, count)
        amount = pay * model.basis_units(evaluator.of) * multiplier
        yield Win(evaluator.name, None, evaluator.symbol, count, 1, multiplier, amount)


def in_view(window: Window, symbol: str) -> int:
    """How often a symbol is in view."""
    return sum(reel.count(symbol) for reel in window)


# --- Triggers --------------------------------------------------------------------------------------


def free_spins_awards(trigger: FreeSpinsTrigger, window: Window) -> Iterator[FreeSpinsAward]:
    """Free spins for the number of trigger symbols anywhere in view."""
    count = in_view(window, trigger.symbol)
    spins = trigger.spins.get(min(count, max(trigger.spins)), 0)
    if spins > 0:
        yield FreeSpinsAward(trigger.name, trigger.symbol, count, spins, trigger.state)


def pick_bonuses(model: Model, state: State, trigger: PickTrigger, window: Window, draws: Draws) -> Iterator[PickBonus]:
    """A pick bonus for every payline that begins with the trigger's pattern."""
    lines = model.lines_of(state)
    assert lines is not None  # the model file was refused otherwise
    for number, rows in enumerate(lines.paylines, start=1):
        shown = [window[reel][rows[reel]] for reel in range(len(trigger.pattern))]
        if all(wanted is None or wanted == cell for wanted, cell in zip(trigger.pattern, shown, strict=True)):
            yield play_pick(model, state, trigger, model.picks[trigger.pick], number, draws)


def play_pick(model: Model, state: State, trigger: PickTrigger, pick: Pick, line: int, draws: Draws) -> PickBonus:
    """Draw how many places are opened, then for each place how many prizes, then these prizes."""
    unit = model.basis_units(pick.of) * state.multiplier_for(trigger.name)
    places = []
    for _ in range(draw_table(pick.picks, draws)):
        prizes = draw_table(pick.prizes_per_pick, draws)
        places.append(tuple(draw_table(pick.prizes, draws) * unit for _ in range(prizes)))
    return PickBonus(trigger.name, line, tuple(places), sum(sum(place) for place in places))


# --- Draws -----------------------------------------------------------------------------------------


def draw_stop(strip: Strip, draws: Draws) -> int:
    """A stop of a reel: the weights are laid end to end and a number below their sum falls on one."""
    return index_at(strip.weights, draws.below(sum(strip.weights)))


def draw_table(table: Table, draws: Draws) -> int:
    """A value of a weighted table, drawn the same way."""
    return table.values[index_at(table.weights, draws.below(sum(table.weights)))]


def index_at(weights: tuple[int, ...], drawn: int) -> int:
    """The entry that a number in [0, sum of weights) falls on."""
    for index, weight in enumerate(weights):
        if drawn < weight:
            return index
        drawn -= weight
    raise AssertionError("the number was not below the sum of the weights")


class Draws:
    """The words of one sub-spin in order, and unbiased integers made of them."""

    def __init__(self, key: bytes, stream: int, nonce: int, sub_spin: int) -> None:
        self.key = key
        self.stream = stream
        self.nonce = nonce
        self.sub_spin = sub_spin
        self.used = 0
        self.block: tuple[int, ...] = ()

    def word(self) -> int:
        """The next 32-bit word: word i % 16 of block i / 16. A sub-spin has 4,096 words."""
        if self.used == WORDS_PER_SUB_SPIN:
            raise DrawLimitError(f"more than {WORDS_PER_SUB_SPIN} words in one sub-spin")
        number, place = divmod(self.used, 16)
        if place == 0:
            self.block = chacha20_block(self.key, self.sub_spin << 8 | number, self.stream, self.nonce)
        self.used += 1
        return self.block[place]

    def below(self, n: int) -> int:
        """An integer in [0, n), every value exactly equally likely.

        The word times n is split at bit 32: the high part is the result. 2^32 mod n words too many
        would favour some results; they are those whose low part is below that remainder, and they
        are thrown away (Lemire, ACM TOMACS 29(1), 2019).
        """
        while True:
            high, low = divmod(self.word() * n, 2**32)
            if low >= 2**32 % n:
                return high


def chacha20_block(key: bytes, counter: int, stream: int, nonce: int) -> tuple[int, ...]:
    """RFC 8439, section 2.3: sixteen 32-bit words for a key, a block counter and a 96-bit nonce.

    Our nonce field is the stream number followed by the 64-bit spin nonce, little endian.
    """
    constants = struct.unpack("<4I", b"expand 32-byte k")
    initial = [*constants, *struct.unpack("<8I", key), counter, stream, nonce % 2**32, nonce // 2**32]
    x = list(initial)
    for _ in range(10):
        for a, b, c, d in COLUMNS + DIAGONALS:
            quarter_round(x, a, b, c, d)
    return tuple((word + start) % 2**32 for word, start in zip(x, initial, strict=True))


COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
DIAGONALS = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439, section 2.1."""
    for left, right, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[left] = (x[left] + x[right]) % 2**32
        mixed = x[target] ^ x[left]
        x[target] = (mixed << bits | mixed >> (32 - bits)) % 2**32
