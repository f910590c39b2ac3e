"""Tunes the strips themselves: how many of each symbol a reel has, and their order.

Strips keep the character of the starting ones: length, which symbols a reel has, how long runs of a symbol are and
how far apart (`StripRules`). Slopes by symbol foretell what putting one symbol in the place of another does; sets
of such changes that should hit the targets are measured exactly, and the nearest is kept, until one is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rgs_core.errors import AnalysisError, TuningError
from rgs_core.language.mechanics import frozen
from rgs_core.language.model import Build, Profile, Strip
from rgs_core.tuning.figures import Figures, Meter, Strips, Target
from rgs_core.tuning.tilt import Floats
from rgs_core.tuning.tuner import MOST, MOST_LEAST, Progress, Tuner, check_targets, kept_cells, played_sets
from rgs_core.tuning.weights import Tuned, first_figures, shares

TURNS_MAX = 24
TRIED_A_TURN = 40
TRIALS_MAX = 1500
IDLE_MAX = 5
"""Turns in a row that may find nothing better."""

SETS_FROM = 160
"""Changes out of which sets of two and three are made."""

UNSURE_FORETOLD, UNSURE_SEEN = 0.2, 0.04
"""How far the effect of a change may be from what slopes say, or from what was seen a few changes ago."""

SWAPS_A_TURN = 24

WIDE, NARROWING = 0.5, 0.6
"""Targets are as wide as so much of their scale at first, so that all come near before one is exact."""


@dataclass(frozen=True)
class StripRules:
    """What a strip looks like: lengths that runs of each symbol have, and the least number of stops between two."""

    rows: int
    runs: dict[str, frozenset[int]]
    gaps: dict[str, int]
    counts: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, symbols: Sequence[str], rows: int, most: int) -> StripRules:
        """The rules that a strip shows. A symbol with one run must not be seen twice in a window."""
        runs = runs_of(symbols)
        lengths: dict[str, set[int]] = {}
        counts: dict[str, int] = {}
        for symbol, _, length in runs:
            lengths.setdefault(symbol, set()).add(length)
            counts[symbol] = counts.get(symbol, 0) + length
        gaps = {}
        for symbol in lengths:
            between = list(_gaps(symbol, runs, len(symbols)))
            gaps[symbol] = min(between) if len(between) > 1 else rows - 1
        bounds = {symbol: (max(1, -(-n // most)), n * most) for symbol, n in counts.items()}
        return cls(rows, {s: frozenset(x) for s, x in lengths.items()}, gaps, bounds)

    def allow(self, symbols: Sequence[str]) -> bool:
        """Whether a strip keeps them."""
        runs = runs_of(symbols)
        counts: dict[str, int] = dict.fromkeys(self.counts, 0)
        for symbol, _, length in runs:
            if symbol not in self.runs or length not in self.runs[symbol]:
                return False
            counts[symbol] += length
        if any(not low <= counts[symbol] <= high for symbol, (low, high) in self.counts.items()):
            return False
        for symbol in self.counts:
            between = list(_gaps(symbol, runs, len(symbols)))
            if len(between) > 1 and min(between) < self.gaps[symbol]:
                return False
        return True


def runs_of(symbols: Sequence[str]) -> list[tuple[str, int, int]]:
    """(symbol, first stop, length) of each run on a loop, in the order of its first stop on or after a border."""
    n = len(symbols)
    start = next((i for i in range(n) if symbols[i] != symbols[i - 1]), None)
    if start is None:
        return [(symbols[0], 0, n)]
    runs: list[tuple[str, int, int]] = []
    for step in range(n):
        at = (start + step) % n
        if step and symbols[at] == symbols[at - 1]:
            symbol, first, length = runs[-1]
            runs[-1] = symbol, first, length + 1
        else:
            runs.append((symbols[at], at, 1))
    return runs


def _gaps(symbol: str, runs: Sequence[tuple[str, int, int]], n: int) -> Iterator[int]:
    """Stops between each run of a symbol and the next one around the loop."""
    mine = [(first, length) for name, first, length in runs if name == symbol]
    for (first, length), (following, _) in zip(mine, mine[1:] + mine[:1], strict=True):
        yield (following - first - length) % n


@dataclass(frozen=True, slots=True)
class Change:
    """On row `row`, `length` stops of `old` in a run become `new`."""

    row: int
    old: str
    new: str
    length: int


Reels = tuple[tuple[str, ...], ...]


def tune_strips(
    build: Build,
    targets: Sequence[Target],
    *,
    keep: Iterable[str] = (),
    most: int = MOST,
    progress: Progress = lambda _: None,
) -> Tuned:
    """New strips for `build`. Raises TuningError when none were found, or stops have weights."""
    return _Restrip(build, targets, tuple(keep), most, progress).search()


class _Restrip:
    def __init__(
        self, build: Build, targets: Sequence[Target], keep: tuple[str, ...], most: int, progress: Progress
    ) -> None:
        if most < 2:
            raise TuningError(MOST_LEAST)
        self.targets = check_targets(Meter(build.model, build.mode), targets)
        kept, cells = kept_cells(build, keep)
        self.build, self.keep, self.most, self.progress = build, keep, most, progress
        self.places = [
            (name, reel) for name in played_sets(build) for reel in range(len(build.profile.strips[name]))
            if (name, reel) not in kept
        ]  # fmt: skip
        for name, reel in self.places:
            if not build.profile.strips[name][reel].uniform:
                raise TuningError(
                    f"reel {name}.{reel + 1} has weights, so its strip is not rearranged; "
                    f"keep it (--keep {name}.{reel + 1}), or use --method weights"
                )
        self.fixed = [{symbol for owner, symbol in cells if owner == name} for name, _ in self.places]
        self.first: Reels = tuple(build.profile.strips[name][reel].symbols for name, reel in self.places)
        self.rules = [StripRules.of(symbols, build.model.rows, most) for symbols in self.first]
        # Kept symbols are checked here, not by freezing stops: only the figures of the tuner are used.
        self.tuner = Tuner(build, targets, keep=(f"{n}.{r + 1}" for n, r in sorted(kept)), most=most, grain="symbol")
        self.half = np.array([target.half_width for target in self.targets])
        self.wanted = np.array([target.wanted for target in self.targets])
        self.width = self.half
        self.known: dict[Reels, Floats] = {}
        self.beyond = np.zeros(len(self.targets))  # what quick figures leave out

    def search(self) -> Tuned:
        build = self.build
        before = figures = first_figures(self.tuner.meter, build)
        reels = self.first
        if self._met(figures):
            return self._tuned(reels, before, figures)
        if not self.places:
            raise TuningError("everything is kept, so nothing can change; keep less")
        values = self._values(figures)
        self.beyond = values - self._values(self.tuner.meter.figures(build.profile.strips, quick=True))
        effects: dict[Change, Floats] = {}
        seen: dict[Change, Floats] = {}
        idle = 0
        for turn in range(TURNS_MAX):
            shown = ", ".join(t.show(v) for t, v in zip(self.targets, values, strict=True))
            self.progress(f"strips, turn {turn + 1}, {len(self.known)} tried: {shown}")
            if turn in (0, 4, 12):
                effects, seen = self._foretold(reels), {}
            wide = np.array([target.scale for target in self.targets]) * WIDE * NARROWING**turn
            self.width = np.maximum(self.half, wide)
            best = (self._merit(values), reels)
            for trial, changes in self._trials(reels, values, effects, seen, turn):
                if len(self.known) >= TRIALS_MAX:
                    break
                new = self._quick(trial)
                if new is None:
                    continue
                if len(changes) == 1:
                    seen[changes[0]] = new - values
                merit = self._merit(new)
                best = min(best, (merit, trial), key=lambda pair: pair[0])
                if (self._off(new) <= 1.05 * self.half).all() and self._met(exact := self._exact(trial)):
                    return self._tuned(trial, before, exact)
            if best[1] == reels:
                idle += 1
                if idle > IDLE_MAX:
                    break
                if idle % 2 == 0:
                    effects, seen = self._foretold(reels), {}
                continue
            idle = 0
            reels = best[1]
            figures = self._exact(reels)
            values = self._values(figures)
        nearest = ", ".join(f"{t.name} {t.show(figures.value(t.name))}" for t in self.targets)
        raise TuningError(
            f"no strips found that meet {' and '.join(t.text for t in self.targets)} with the lengths, runs and "
            f"distances of the starting ones; nearest of {len(self.known):,}: {nearest}; "
            "give wider ranges, keep less, or use --method weights"
        )

    # -- trials ---------------------------------------------------------------------------------

    def _trials(
        self, reels: Reels, values: Floats, effects: dict[Change, Floats], seen: dict[Change, Floats], turn: int
    ) -> Iterator[tuple[Reels, tuple[Change, ...]]]:
        """Strips worth measuring: sets of one to three changes that should come near, then swaps of two runs."""
        off = (np.clip(values, self.wanted[:, 0], self.wanted[:, 1]) - values) / self.width
        tried = 0
        for changes in self._sets(off, effects, seen):
            trial: Reels | None = reels
            for change in changes:
                trial = self._changed(trial, change) if trial is not None else None
            if trial is None or trial in self.known:
                continue
            yield trial, changes
            tried += 1
            if tried == TRIED_A_TURN:
                break
        if any(target.name in ("hit", "sd") for target in self.targets):
            for trial in self._swaps(reels, turn):
                yield trial, ()

    def _sets(self, off: Floats, effects: dict[Change, Floats], seen: dict[Change, Floats]) -> list[tuple[Change, ...]]:
        """Sets of changes, the smallest expected square of what is left first: what is foretold, and how surely."""
        changes = list(effects)
        if not changes:
            return []
        known = np.array([change in seen for change in changes])
        table = np.array([seen.get(change, effects[change]) for change in changes]) / self.width
        doubt = (np.where(known, UNSURE_SEEN, UNSURE_FORETOLD)[:, None] * table) ** 2
        single = ((off - table) ** 2).sum(axis=1) + doubt.sum(axis=1)
        # Small ones and helpful ones: out of them two and three are put together.
        size = (table**2).sum(axis=1)
        some = sorted({*np.argsort(single, kind="stable")[: SETS_FROM // 2].tolist(),
                       *np.argsort(size, kind="stable")[: SETS_FROM // 2].tolist()})  # fmt: skip
        ranked: list[tuple[float, tuple[int, ...]]] = [(float(x), (i,)) for i, x in enumerate(single)]
        pairs = np.array(list(combinations(some, 2)), dtype=np.int64).reshape(-1, 2)
        merit = np.zeros(0)
        for count in (2, 3):
            if not len(pairs):
                break
            if count == 3:
                nearest = pairs[np.argsort(merit, kind="stable")[:400]]
                pairs = np.array(
                    [(a, b, c) for a, b in nearest.tolist() for c in some if c not in (a, b)], dtype=np.int64
                )
                if not len(pairs):
                    break
            total = sum(table[pairs[:, i]] for i in range(count))
            merit = ((off - total) ** 2).sum(axis=1) + sum(doubt[pairs[:, i]].sum(axis=1) for i in range(count))
            for i in np.argsort(merit, kind="stable")[: 4 * TRIED_A_TURN].tolist():
                ranked.append((float(merit[i]), tuple(sorted(pairs[i].tolist()))))
        ranked.sort()
        unique = dict.fromkeys(indices for _, indices in ranked)
        return [tuple(changes[i] for i in indices) for indices in unique]

    def _foretold(self, reels: Reels) -> dict[Change, Floats]:
        """Every change that the rules allow, with its effect by the slopes of the symbols in view."""
        build = Build(self.build.model, Profile(self.build.profile.name, self._strips(reels)))
        kept = [
            f"{n}.{r + 1}" for n, s in build.profile.strips.items() for r in range(len(s)) if (n, r) not in self.places
        ]
        tuner = Tuner(build, self.targets, keep=kept, most=self.most, grain="symbol", progress=self.progress)
        slopes = tuner.slopes(tuner.prior, tuner.figures(tuner.prior, quick=True), self.targets)
        rows = {(row.set, row.reel): place for place, row in enumerate(tuner.rows)}
        effects: dict[Change, Floats] = {}
        height = self.build.model.rows
        for place, symbols in enumerate(reels):
            if self.places[place] not in rows:
                continue
            strip = Strip(symbols, (1,) * len(symbols))
            names = list(dict.fromkeys(symbols))
            windows = [strip.window(stop, height) for stop in range(len(symbols))]
            counts = np.array([[window.count(name) for name in names] for window in windows], dtype=np.float64)
            per_symbol = np.linalg.lstsq(counts, slopes[:, rows[self.places[place]], : len(symbols)].T, rcond=1e-9)[0]
            for i, old in enumerate(names):
                for j, new in enumerate(names):
                    if i == j or {old, new} & self.fixed[place]:
                        continue
                    for length in sorted({length for _, _, length in runs_of(symbols)} | {1}):
                        change = Change(place, old, new, length)
                        if self._changed(reels, change) is not None:
                            effects[change] = (per_symbol[j] - per_symbol[i]) * height * length / len(symbols)
        return effects

    def _changed(self, reels: Reels, change: Change) -> Reels | None:
        """The strips after a change, where it leaves the new symbol the most room; None where no place is allowed."""
        symbols = reels[change.row]
        n = len(symbols)
        best: tuple[int, tuple[str, ...]] | None = None
        for name, first, length in runs_of(symbols):
            if name != change.old or length < change.length:
                continue
            for start in {first, first + length - change.length}:
                trial = list(symbols)
                for step in range(change.length):
                    trial[(start + step) % n] = change.new
                others = [i for i, symbol in enumerate(symbols) if symbol == change.new]
                room = min((min((i - start) % n, (start - i) % n) for i in others), default=n)
                if (best is None or room > best[0]) and self.rules[change.row].allow(trial):
                    best = room, tuple(trial)
        return None if best is None else (*reels[: change.row], best[1], *reels[change.row + 1 :])

    def _swaps(self, reels: Reels, turn: int) -> Iterator[Reels]:
        """Strips with two runs of equal length changed about: the order, not the numbers. Other ones every turn."""
        given = 0
        options = []
        for place, symbols in enumerate(reels):
            runs = [run for run in runs_of(symbols) if run[0] not in self.fixed[place]]
            options += [(place, a, b) for a, b in combinations(runs, 2) if a[0] != b[0] and a[2] == b[2]]
        for index in range(len(options)):
            place, (old, first, length), (new, second, _) = options[(index * 7919 + turn * 104_729) % len(options)]
            trial = list(reels[place])
            n = len(trial)
            for step in range(length):
                trial[(first + step) % n], trial[(second + step) % n] = new, old
            changed = (*reels[:place], tuple(trial), *reels[place + 1 :])
            if changed not in self.known and self.rules[place].allow(trial):
                yield changed
                given += 1
                if given == SWAPS_A_TURN:
                    return

    # -- figures --------------------------------------------------------------------------------

    def _strips(self, reels: Reels) -> Strips:
        sets = {name: list(strips) for name, strips in self.build.profile.strips.items()}
        for (name, reel), symbols in zip(self.places, reels, strict=True):
            sets[name][reel] = Strip(symbols, (1,) * len(symbols))
        return frozen({name: tuple(strips) for name, strips in sets.items()})

    def _values(self, figures: Figures) -> Floats:
        return np.array([figures.value(target.name) for target in self.targets])

    def _quick(self, reels: Reels) -> Floats | None:
        if reels not in self.known:
            try:
                self.known[reels] = self.beyond + self._values(
                    self.tuner.meter.figures(self._strips(reels), quick=True)
                )
            except AnalysisError:
                self.known[reels] = np.full(len(self.targets), np.nan)
        found = self.known[reels]
        return None if np.isnan(found).any() else found

    def _exact(self, reels: Reels) -> Figures:
        return self.tuner.meter.figures(self._strips(reels))

    def _met(self, figures: Figures) -> bool:
        return all(target.met(figures) for target in self.targets)

    def _off(self, values: Floats) -> Floats:
        off: Floats = np.abs(values - np.clip(values, self.wanted[:, 0], self.wanted[:, 1]))
        return off

    def _merit(self, values: Floats) -> float:
        return float(((self._off(values) / self.width) ** 2).sum())

    def _tuned(self, reels: Reels, before: Figures, after: Figures) -> Tuned:
        strips = self._strips(reels)
        total = 0.0
        for name, reel in self.places:
            old, new = shares(self.build.profile.strips[name][reel]), shares(strips[name][reel])
            total += sum(float(q) * float(np.log(float(q / old[symbol]))) for symbol, q in new.items())
        return Tuned(
            self.build, strips, before, after, self.targets, total, None, "symbols on the strips", len(self.known)
        )
