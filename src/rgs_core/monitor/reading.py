"""Counts from exported events (JSON lines of `spin_finished`) and from tables of spins (CSV)."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple, cast

import numpy as np

from rgs_core.errors import RgsError
from rgs_core.monitor.counts import AMOUNT_DIGITS, STATUSES, Cell, Counts, Status, stake_bucket

LINE_CHARACTERS_MAX = 1 << 16
AMOUNT_MAX = Decimal(10) ** 15
EXACT = Context(prec=64)
"""More digits than any amount has."""
WINDOW_DAYS_MAX = 366


class EventsError(RgsError):
    """A line that is no round; the message names it and what is wrong."""


CellDays = dict[Cell, dict[int, Counts]]


class _Seen(NamedTuple):
    """A round that is counted: what was said of it, and where and as what it is counted."""

    said: bytes
    counts: Counts
    stake: int
    win: int
    status: Status
    feature: bool | None


class CountedEvents:
    """Counts by cell and day. An event that arrives twice (same `spin_id`) is counted once."""

    def __init__(self) -> None:
        self.days: CellDays = {}
        self.repeated = 0
        self.others = 0
        self._seen: dict[str, _Seen] = {}
        self._became: dict[str, Status] = {}
        """What became of rounds, by spin: told before or after their `spin_finished`."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Counts one `spin_finished`; `round_voided` and `round_status` say what became of one. Events of other types are
        only numbered. Raises EventsError."""
        match event.get("type", "spin_finished"):
            case "spin_finished":
                self._add_spin(event)
            case "round_voided":
                if event.get("spin_id"):  # another kept a round from being played
                    self._become(_text(event, "spin_id"), "voided")
            case "round_status":
                self._become(_text(event, "spin_id"), _status(event))
            case _:
                self.others += 1

    def _become(self, spin_id: str, status: Status) -> None:
        """Counts a round, or is going to, as what became of it. A void is the last word."""
        if self._became.get(spin_id) == "voided":
            return
        self._became[spin_id] = status
        if (seen := self._seen.get(spin_id)) is not None:
            seen.counts.add(seen.stake, seen.win, seen.status, seen.feature, -1)
            seen.counts.add(seen.stake, seen.win, status, seen.feature)
            self._seen[spin_id] = seen._replace(status=status)

    def _add_spin(self, event: Mapping[str, Any]) -> None:
        spin_id = _text(event, "spin_id")
        said = repr((event.get("stake"), event.get("win"), event.get("nonce"))).encode()
        if (seen := self._seen.get(spin_id)) is not None:
            if seen.said != said:
                raise EventsError(f"spin_id {spin_id!r} comes twice with different amounts; a spin has one outcome")
            self.repeated += 1
            return
        stake, win = _amount(event, "stake"), _amount(event, "win")
        if stake == 0:
            raise EventsError("stake is 0; a paid round has a stake")
        status, feature = self._became.get(spin_id, _status(event)), _feature(event)
        cell = Cell(
            game=_text(event, "game_id"),
            build_hash=_text(event, "build_hash"),
            mode=str(event.get("mode") or "base"),
            stakes=stake_bucket(_text(event, "currency"), stake),
            channel=str(event.get("channel") or ""),
            operator=_text(event, "operator_id"),
            kind=str(event.get("spin_type") or "cash"),
        )
        counts = self.days.setdefault(cell, {}).setdefault(_day(event), Counts())
        counts.add(stake, win, status, feature)
        self._seen[spin_id] = _Seen(said, counts, stake, win, status, feature)

    @property
    def names(self) -> dict[int, str]:
        """The date of each day, and of those before them that a window may reach back to."""
        seen = [day for counted in self.days.values() for day in counted]
        span = range(min(seen) - WINDOW_DAYS_MAX, max(seen) + 1) if seen else range(0)
        return {day: str(np.datetime64(day, "D")) for day in span}


def read_events(lines: Iterable[str], source: str) -> CountedEvents:
    """From JSON lines: payloads of `spin_finished`, alone or as `data` of a CloudEvent. Raises EventsError."""
    return _counted(_json_rows(lines), source)


def read_csv(lines: Iterable[str], source: str) -> CountedEvents:
    """From a table with a header of the field names of `spin_finished`. Raises EventsError."""
    return _counted(csv.DictReader(lines), source, first=2)


def _counted(rows: Iterable[Any], source: str, first: int = 1) -> CountedEvents:
    found = CountedEvents()
    iterator, number = iter(rows), first
    while True:
        try:
            row = next(iterator)
            if row is not None:
                if not isinstance(row, dict):
                    raise EventsError("not an object")
                found.add(row)
        except StopIteration:
            return found
        except (EventsError, ValueError, RecursionError, csv.Error) as error:
            raise EventsError(f"{source}, line {number}: {error}") from None
        number += 1


def _json_rows(lines: Iterable[str]) -> Iterator[Any]:
    return _JsonRows(iter(lines))


class _JsonRows:
    """An iterator, not a generator, so that the number of a bad line is known to the caller."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def __iter__(self) -> _JsonRows:
        return self

    def __next__(self) -> Any:
        line = next(self._lines)
        if len(line) > LINE_CHARACTERS_MAX:
            raise EventsError(f"longer than {LINE_CHARACTERS_MAX} characters")
        if not line.strip():
            return None
        try:
            row = json.loads(line, parse_float=Decimal)
        except ValueError as error:
            raise EventsError(f"not JSON: {error}") from None
        return row["data"] if isinstance(row, dict) and isinstance(row.get("data"), dict) else row


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise EventsError(f"{name} is missing or not text")
    return value


def _amount(event: Mapping[str, Any], name: str) -> int:
    value = event.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidOperation
        amount = Decimal(value)
        if not 0 <= amount <= AMOUNT_MAX:
            raise EventsError(f"{name} is {value}; amounts are 0 to {AMOUNT_MAX:f}")
        scaled = amount.scaleb(AMOUNT_DIGITS, EXACT)
    except InvalidOperation:
        raise EventsError(f"{name} is {value!r}; it is an amount such as 0.20") from None
    if scaled != int(scaled):
        raise EventsError(f"{name} is {value}; amounts have at most {AMOUNT_DIGITS} decimal places")
    return int(scaled)


def _status(event: Mapping[str, Any]) -> Status:
    status = event.get("status") or "normal"
    if status not in STATUSES:
        raise EventsError(f"status is {status!r}; it is one of {', '.join(STATUSES)}")
    return cast(Status, status)


def _feature(event: Mapping[str, Any]) -> bool | None:
    """Whether the round had a feature, where the event says so."""
    value = event.get("feature")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = value.lower()  # tables of Python say True
    named = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
    if not isinstance(value, bool | str) or value not in named:
        raise EventsError(f"feature is {value!r}; it is true or false")
    return named[value]


def _day(event: Mapping[str, Any]) -> int:
    """The UTC day of `ts`, counted from 1970-01-01."""
    text = _text(event, "ts")
    try:
        if not re.match(r"\d{4}-\d\d-\d\dT", text, re.ASCII):
            raise ValueError
        return int(np.datetime64(text[:10], "D").astype(np.int64))
    except ValueError:
        raise EventsError(f"ts is {text!r}; it is a UTC time such as 2026-01-31T12:00:00.000Z") from None
