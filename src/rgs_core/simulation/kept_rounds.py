"""Which rounds a simulation remembers: those that win much, and those in which something rare happens.

What happens in single rounds is found from totals alone: they add up, so a range without the event is skipped and one
with it is halved. The cost is a few times that of playing where the event is common, and nothing where it is rare.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from rgs_core.engine.playing import Player
from rgs_core.engine.tables import state_names
from rgs_core.language.model import Build

KEPT_MAX = 10_000

FORM = "win>=500x (in stakes), jackpot, feature, capped or trigger:NAME"


@dataclass(frozen=True, slots=True)
class Keep:
    """Remember the nonces of rounds, the first KEPT_MAX of them: by default those that win at least `stakes`.

    Other kinds: a `jackpot` trigger or the `trigger` of that name fires in any spin, the round has a `feature` (spins
    beyond those of its mode), or the maximum win ended it (`capped`).
    """

    stakes: Decimal = Decimal(0)
    kind: Literal["win", "jackpot", "feature", "capped", "trigger"] = "win"
    trigger: str = ""

    @classmethod
    def parse(cls, text: str) -> Keep:
        """From `win>=500x`, `jackpot`, `feature`, `capped` or `trigger:NAME`. Raises ValueError that shows the form."""
        text = text.strip()
        if text in ("jackpot", "feature", "capped"):
            return cls(kind=text)  # type: ignore[arg-type]
        if text.startswith("trigger:") and text.removeprefix("trigger:").strip():
            return cls(kind="trigger", trigger=text.removeprefix("trigger:").strip())
        match = re.fullmatch(r"win>=(\d+(?:\.\d+)?)x?", text.replace(" ", ""))
        if match is None or not 0 < Decimal(match[1]) < 10**12:
            raise ValueError(f"'{text}' is not of the form {FORM}")
        return cls(Decimal(match[1]))

    def __str__(self) -> str:
        if self.kind == "trigger":
            return f"trigger:{self.trigger}"
        return f"win>={self.stakes}x" if self.kind == "win" else self.kind

    def least_units(self, build: Build) -> int:
        """Smallest win in units that is kept."""
        return math.ceil(self.stakes * build.play.cost_units)

    def check(self, build: Build) -> None:
        """Raises ValueError, with what there is, for what no round of the build can have."""
        model = build.model
        triggers = [trigger for state in model.states.values() for trigger in state.triggers]
        names = list(dict.fromkeys(trigger.name for trigger in triggers))
        if self.kind == "trigger" and self.trigger not in names:
            known = f"its triggers are {', '.join(names)}" if names else "it has none"
            raise ValueError(f"{model.id} has no trigger '{self.trigger}'; {known}")
        if self.kind == "jackpot" and all(trigger.kind != "jackpot" for trigger in triggers):
            raise ValueError(f"{model.id} has no jackpot trigger")
        if self.kind == "feature" and len(model.states) == 1:
            raise ValueError(f"{model.id} has no state beside the paid spin, so no features")
        if self.kind == "capped" and model.win_max is None:
            raise ValueError(f"{model.id} has no maximum win (caps.win)")


class Events:
    """Counts what a rule looks for in the totals of a range, and finds the rounds that have it."""

    def __init__(self, plays: Player, build: Build, key: bytes, keep: Keep) -> None:
        self.plays, self.key, self.keep = plays, key, keep
        states = build.model.states
        self.places = [
            (s, t)
            for s, name in enumerate(state_names(build.model))
            for t, trigger in enumerate(states[name].triggers)
            if (trigger.kind == "jackpot" if keep.kind == "jackpot" else trigger.name == keep.trigger)
        ]

    def count(self, totals: Mapping[str, Any]) -> int:
        """How often it happens in a range: 0 exactly when no round has it."""
        if self.keep.kind == "feature":
            return int(totals["features"])
        if self.keep.kind == "capped":
            return int(totals["capped"])
        return sum(totals["fired"][s][t] + totals["awarded"][s][t] for s, t in self.places)

    def rounds(self, first: int, n: int, found: int) -> Iterator[int]:
        """Nonces of the rounds in first .. first + n - 1 that have it, ascending; `found`: `count` of the range."""
        if not found:
            return
        if n == 1:
            yield first
            return
        half = n // 2
        left = self.count(self.plays.simulate(self.key, first, half, edges=[0]))
        yield from self.rounds(first, half, left)
        yield from self.rounds(first + half, n - half, found - left)
