"""What an operator owes for what was played: per spin, a rate of the turnover in tiers, or a share of the net win.

Rates are exact fractions and amounts integers of minor units. A fee is rounded once, to the nearest minor unit (halves to
even), and is then split among games without losing any of it (largest remainders).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from rgs_server.billing.figures import Figures, Row
from rgs_server.contract.money import EXPONENTS

DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?")
TIERS_MAX = 32
HOLDS_MAX = 16
FIGURES = ("bonus_cost", "jackpot_contrib")
"""Holds that are figures of the report."""
BASES = ("ggr", "turnover", "rest")


class TermsRefused(Exception):
    """The terms of an agreement cannot be used; the message has the place and the remedy."""


@dataclass(frozen=True, slots=True)
class PerSpin:
    """So much, in currency units, for every eligible spin."""

    fee: Mapping[str, Fraction]

    @property
    def kind(self) -> str:
        return "per_spin"


@dataclass(frozen=True, slots=True)
class Tier:
    """A rate of the turnover of a month up to an amount in currency units, above that of the tier before; None: of all."""

    up_to: Fraction | None
    rate: Fraction


@dataclass(frozen=True, slots=True)
class TurnoverRate:
    """A rate of the stakes, by tiers of each currency; each rate is for the part of the turnover in its tier."""

    tiers: Mapping[str, tuple[Tier, ...]]

    @property
    def kind(self) -> str:
        return "turnover"


@dataclass(frozen=True, slots=True)
class Hold:
    """What is taken from the gross win before it is shared: a figure of the report, or a rate of something."""

    name: str
    rate: Fraction | None
    of: str


@dataclass(frozen=True, slots=True)
class RevenueShare:
    """A share of what is left of the gross win after the holds, in their order (the waterfall).

    `negative`: what becomes of a month that was lost: forgiven, or carried into the next one.
    """

    share: Fraction
    holds: tuple[Hold, ...]
    negative: Literal["forgive", "carry"]

    @property
    def kind(self) -> str:
        return "revenue_share"


Terms = PerSpin | TurnoverRate | RevenueShare


@dataclass(frozen=True, slots=True)
class Due:
    """A fee, in minor units of its currency. `steps`: how it came about, each with its amount, for an invoice.
    `carried_minor`: what the next month begins with, at most 0."""

    fee_minor: int
    steps: tuple[tuple[str, Fraction], ...]
    carried_minor: int = 0


def due(terms: Terms, currency: str, figures: Figures, carried_minor: int = 0) -> Due:
    """What is owed for a month in one currency. Raises TermsRefused where the terms do not know the currency."""
    unit = 10 ** EXPONENTS[currency]
    if isinstance(terms, PerSpin):
        fee = _of_currency(terms.fee, currency) * unit * figures.eligible_spins
        return Due(round(fee), ((f"{figures.eligible_spins} spins", fee),))
    if isinstance(terms, TurnoverRate):
        return _tiered(_of_currency(terms.tiers, currency), figures.turnover_minor, unit)
    return _shared(terms, figures, carried_minor)


def _tiered(tiers: Sequence[Tier], turnover_minor: int, unit: int) -> Due:
    steps: list[tuple[str, Fraction]] = []
    low = Fraction(0)
    for tier in tiers:
        high = Fraction(turnover_minor) if tier.up_to is None else min(tier.up_to * unit, Fraction(turnover_minor))
        if high > low:
            rate = Decimal(tier.rate.numerator) / Decimal(tier.rate.denominator)
            steps.append((f"{rate.normalize():f} of turnover", (high - low) * tier.rate))
            low = high
    return Due(round(sum((amount for _, amount in steps), Fraction(0))), tuple(steps))


def _shared(terms: RevenueShare, figures: Figures, carried_minor: int) -> Due:
    left = Fraction(figures.ggr_minor)
    steps = [("ggr", left)]
    for hold in terms.holds:
        if hold.rate is None:
            taken = Fraction(getattr(figures, f"{hold.name}_minor"))
        else:
            of = {"ggr": Fraction(figures.ggr_minor), "turnover": Fraction(figures.turnover_minor), "rest": left}[
                hold.of
            ]
            taken = hold.rate * max(of, Fraction(0))  # nothing is held of a loss
        steps.append((hold.name, -taken))
        left -= taken
    if carried_minor:
        steps.append(("carried", Fraction(carried_minor)))
        left += carried_minor
    netwin_minor = round(left)
    steps.append(("net win", Fraction(netwin_minor)))
    if netwin_minor <= 0:
        return Due(0, tuple(steps), netwin_minor if terms.negative == "carry" else 0)
    fee, _ = allocate(netwin_minor, (terms.share, 1 - terms.share))
    return Due(fee, (*steps, ("share", Fraction(fee))))


def _of_currency(by_currency: Mapping[str, Any], currency: str) -> Any:
    if currency not in by_currency:
        known = ", ".join(sorted(by_currency))
        raise TermsRefused(f"the terms have nothing for {currency}, only for {known}; agree on it first")
    return by_currency[currency]


def allocate(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Integers near total * weight / sum of weights that add up to the total: largest remainders, the first of equal ones.

    Where no weight is positive, all of it goes to the first.
    """
    positive = [max(Fraction(weight), Fraction(0)) for weight in weights]
    whole = sum(positive, Fraction(0))
    if not whole:
        return [total, *([0] * (len(weights) - 1))] if weights else []
    exact = [total * weight / whole for weight in positive]
    shares = [amount.numerator // amount.denominator for amount in exact]
    left = total - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[:left]:
        shares[i] += 1
    return shares


def weight(terms: Terms, row: Row) -> int:
    """By what a fee is split among the rows of a report."""
    if isinstance(terms, PerSpin):
        return row.figures.eligible_spins
    return row.figures.turnover_minor if isinstance(terms, TurnoverRate) else row.figures.netwin_minor


# --- Terms as they are written and kept ------------------------------------------------------------


def read_terms(text: str) -> Terms:
    """Terms from a TOML file. Raises TermsRefused with the place and the remedy."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TermsRefused(f"the file is no TOML: {error}") from None
    return terms_of(document)


def terms_of(document: Mapping[str, Any]) -> Terms:
    """Terms from their tables. Raises TermsRefused."""
    kind = document.get("kind")
    if kind == "per_spin":
        _only(document, "", "kind", "fee")
        return PerSpin({name: _decimal(value, f"fee.{name}") for name, value in _currencies(document, "fee")})
    if kind == "turnover":
        _only(document, "", "kind", "tiers")
        return TurnoverRate({name: _tiers(value, f"tiers.{name}") for name, value in _currencies(document, "tiers")})
    if kind == "revenue_share":
        _only(document, "", "kind", "share", "holds", "negative")
        negative = document.get("negative", "forgive")
        if negative not in ("forgive", "carry"):
            raise TermsRefused(f"negative: {negative!r} is not 'forgive' or 'carry'")
        holds = document.get("holds", [])
        if not isinstance(holds, list) or len(holds) > HOLDS_MAX:
            raise TermsRefused(f"holds: write at most {HOLDS_MAX} tables [[holds]]")
        return RevenueShare(
            _share(document.get("share"), "share"),
            tuple(_hold(hold, f"holds[{i}]") for i, hold in enumerate(holds)),
            negative,
        )
    raise TermsRefused(f"kind: {kind!r} is not 'per_spin', 'turnover' or 'revenue_share'")


def _hold(value: object, path: str) -> Hold:
    if not isinstance(value, dict):
        raise TermsRefused(f"{path}: write a table with name, and rate where it is no figure of the report")
    _only(value, path, "name", "rate", "of")
    name = value.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        raise TermsRefused(f"{path}.name: give it a name")
    if "rate" not in value:
        if name not in FIGURES:
            raise TermsRefused(f"{path}: '{name}' has no rate; only {' and '.join(FIGURES)} are figures of the report")
        return Hold(name, None, "")
    of = value.get("of", "ggr")
    if of not in BASES:
        raise TermsRefused(f"{path}.of: {of!r} is not one of {', '.join(BASES)}")
    return Hold(name, _share(value["rate"], f"{path}.rate"), of)


def _tiers(value: object, path: str) -> tuple[Tier, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= TIERS_MAX:
        raise TermsRefused(f"{path}: write 1 to {TIERS_MAX} tables [[{path}]] with rate, and up_to but for the last")
    tiers = []
    low = Fraction(0)
    for i, item in enumerate(value):
        place = f"{path}[{i}]"
        if not isinstance(item, dict):
            raise TermsRefused(f"{place}: write a table with rate and up_to")
        _only(item, place, "rate", "up_to")
        last = i == len(value) - 1
        if last == ("up_to" in item):
            raise TermsRefused(f"{place}: the last tier has no up_to, every other one has")
        up_to = None if last else _decimal(item["up_to"], f"{place}.up_to")
        if up_to is not None and up_to <= low:
            raise TermsRefused(f"{place}.up_to: {item['up_to']} is not above the tier before")
        low = low if up_to is None else up_to
        tiers.append(Tier(up_to, _share(item.get("rate"), f"{place}.rate")))
    return tuple(tiers)


def _currencies(document: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    table = document.get(key)
    if not isinstance(table, dict) or not table:
        raise TermsRefused(f"{key}: write a table with an entry for each currency")
    unknown = [name for name in table if name not in EXPONENTS]
    if unknown:
        raise TermsRefused(f"{key}.{unknown[0]}: no such currency; use ISO 4217 codes such as EUR")
    return list(table.items())


def _decimal(value: object, path: str) -> Fraction:
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise TermsRefused(f'{path}: {value!r} is no decimal in quotes; write it like "0.002"')
    return Fraction(value)


def _share(value: object, path: str) -> Fraction:
    share = _decimal(value, path)
    if share > 1:
        raise TermsRefused(f'{path}: {value} is more than all; write 12 % as "0.12"')
    return share


def _only(table: Mapping[str, Any], path: str, *known: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        place = f"{path}.{unknown[0]}" if path else unknown[0]
        raise TermsRefused(f"{place}: unknown; here are {', '.join(known)}")


def terms_text(document: Mapping[str, Any]) -> str:
    """Terms as they are kept: JSON, keys in order."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
