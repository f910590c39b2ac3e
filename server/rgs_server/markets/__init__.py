"""Market packs: what the law of a country asks of a game server, as data with the clause it comes from.

One TOML file a country. A rule says in `read` which text of the law or the regulator it was compared with; one without is
unverified, and says so to whoever asks. The service enforces what a server can: cycle times, caps of stakes, reminders and breaks, one
round at a time, the least RTP; of the rest (autoplay, turbo, notices) it tells the client. A country without a pack is
refused, or gets the strictest of every rule.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

FLAGS = ("autoplay", "turbo", "slam_stop", "bonus_buy")
"""What a client may offer."""


@dataclass(frozen=True, slots=True)
class StakeCap:
    """The highest stake in a currency, of players younger than `below_age`, or of all."""

    currency: str
    minor: int
    below_age: int | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of one country; 0 and None: none."""

    country: str
    title: str
    age_min: int
    cycle_ms: int  # from the beginning of a round to that of the next
    reminder_min: int  # of play, after which the player is reminded and has to acknowledge it
    break_min: int  # after the reminder, before play goes on
    one_round: bool  # no two rounds of a player in a game at once
    rtp_min: float  # as a part of the stake
    stake_caps: tuple[StakeCap, ...]
    flags: Mapping[str, bool]
    notices: tuple[str, ...]
    clauses: Mapping[str, str]  # by the name of the rule
    read: Mapping[str, str]  # the text that a rule was compared with, by its name

    @property
    def unverified(self) -> list[str]:
        """Rules that nobody has compared with the text they come from."""
        return sorted(self.clauses.keys() - self.read.keys())

    def stake_max_minor(self, currency: str, age: int | None) -> int | None:
        """The highest stake; None where nothing caps it. Players of unknown age count as the youngest."""
        caps = [
            cap.minor
            for cap in self.stake_caps
            if cap.currency == currency and (cap.below_age is None or age is None or age < cap.below_age)
        ]
        return min(caps, default=None)

    def takes(self, currency: str) -> bool:
        """Whether the caps can be applied to stakes in a currency."""
        return not self.stake_caps or any(cap.currency == currency for cap in self.stake_caps)


def read_pack(text: str) -> Market:
    """A pack from its TOML. Raises ValueError for a rule that is unknown or has no clause."""
    pack = tomllib.loads(text)
    clauses: dict[str, str] = {}
    read: dict[str, str] = {}

    def rule(name: str, default: Any) -> Any:
        entry = pack.pop(name, None)
        if entry is None:
            return default
        if not isinstance(entry, dict) or set(entry) - {"read"} != {"value", "clause"} or not entry["clause"]:
            raise ValueError(f"{name}: a rule is {{ value = …, clause = '…' }}")
        clauses[name] = entry["clause"]
        if entry.get("read"):
            read[name] = entry["read"]
        return entry["value"]

    caps = []
    for cap in pack.pop("stake_caps", []):
        clauses["stake_caps"] = cap.pop("clause")
        if "read" in cap:
            read["stake_caps"] = cap.pop("read")
        caps.append(StakeCap(**cap))
    market = Market(
        country=pack.pop("country"),
        title=pack.pop("title"),
        age_min=rule("age_min", 18),
        cycle_ms=rule("cycle_ms", 0),
        reminder_min=rule("reminder_min", 0),
        break_min=rule("break_min", 0),
        one_round=rule("one_round", False),
        rtp_min=rule("rtp_min", 0.0),
        stake_caps=tuple(caps),
        flags={name: rule(name, True) for name in FLAGS},
        notices=tuple(rule("notices", [])),
        clauses=clauses,
        read=read,
    )
    if pack:
        raise ValueError(f"unknown rules: {', '.join(pack)}")
    return market


def read_packs(folder: str) -> Mapping[str, Market]:
    """The packs of the package, and those of a folder in place of them. Raises ValueError, FileNotFoundError."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    found = dict(packs())
    for file in sorted(Path(folder).glob("*.toml")):
        try:
            market = read_pack(file.read_text("utf-8"))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}: {error}") from None
        if file.stem != market.country:
            raise ValueError(f"{file}: the pack of {market.country} is named {market.country}.toml")
        found[market.country] = market
    return found


@cache
def packs() -> Mapping[str, Market]:
    """The packs by country."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml")]
    return {market.country: market for market in (read_pack(file.read_text("utf-8")) for file in files)}


def strictest(markets: Iterable[Market]) -> Market:
    """Every rule as the strictest market has it: for a country of which nothing is known."""
    all_of = list(markets)
    caps = {cap for market in all_of for cap in market.stake_caps}
    return Market(
        country="",
        title="a country without a pack",
        age_min=max(market.age_min for market in all_of),
        cycle_ms=max(market.cycle_ms for market in all_of),
        reminder_min=min((market.reminder_min for market in all_of if market.reminder_min), default=0),
        break_min=max(market.break_min for market in all_of),
        one_round=any(market.one_round for market in all_of),
        rtp_min=max(market.rtp_min for market in all_of),
        stake_caps=tuple(sorted(caps, key=lambda cap: (cap.currency, cap.minor))),
        flags={name: all(market.flags[name] for market in all_of) for name in FLAGS},
        notices=tuple(sorted({notice for market in all_of for notice in market.notices})),
        clauses={name: "the strictest of all packs" for market in all_of for name in market.clauses},
        read={},
    )


def market_of(country: str, unknown: str, known: Mapping[str, Market] | None = None) -> Market | None:
    """The rules of a country, of the `known` packs or those of the package; None where it has no pack and `unknown` is
    "refused" and not "strictest"."""
    known = packs() if known is None else known
    found = known.get(country)
    if found is not None or unknown == "refused":
        return found
    return strictest(known.values())
