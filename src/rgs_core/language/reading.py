"""Reading values of a TOML document one by one, collecting problems instead of stopping at the first.

The lowest layer of the loader: numbers, texts, names, tables and arrays, each with its bounds, each problem with
path, line, value and remedy. What the values mean is in mechanics_file, states_file and model_file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rgs_core.errors import Problem
from rgs_core.language import model as m
from rgs_core.language.mechanics import SymbolTable, Table

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
RESERVED = "free_spins"
PROBLEMS_MAX = 500


class TooManyProblems(Exception):
    """Nobody reads that many; the rest of the file is not looked at."""


class Reading:
    """Reads primitive values; `problems` holds all that was wrong."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.problems: list[Problem] = []
        self._known: set[Problem] = set()
        self.lines = dict(lines)
        for path, line in lines.items():  # a section may have no line of its own, but that of its first entry
            self.lines.setdefault(path.split(".", 1)[0], line)

    def bad(self, path: str, message: str, remedy: str) -> None:
        """Record a problem at a path, with the line of its nearest known ancestor; the same one only once."""
        place = path
        while place and place not in self.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        problem = Problem(path, message, remedy, self.lines.get(place))
        if problem not in self._known:
            self._known.add(problem)
            self.problems.append(problem)
        if len(self.problems) >= PROBLEMS_MAX:
            raise TooManyProblems

    # -- tables and arrays ----------------------------------------------------------------------

    def table(
        self,
        value: object,
        path: str,
        required: Sequence[str],
        optional: Sequence[str] = (),
        moved: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The table at `path` after reporting missing and unknown keys; {} when it is no table.

        `moved`: what to write instead of keys of an older language.
        """
        if not isinstance(value, dict):
            self.bad(path, f"{show(value)} is not a table", "write it as a TOML table")
            return {}
        known = [*required, *optional]
        for key in value:
            if moved and key in moved:
                self.bad(join(path, key), "unknown key", moved[key])
            elif key not in known:
                hint = near(key, known) or f"known keys: {', '.join(known)}"
                self.bad(join(path, key), "unknown key", f"remove it; {hint}")
        for key in required:
            if key not in value:
                self.bad(path or "file", f"key '{key}' is missing", f"add '{key}'")
        return value

    def named(
        self,
        value: object,
        path: str,
        read: Callable[[str, object, str], T | None],
        entries_max: int = 64,
        what: str = "entries",
    ) -> dict[str, T]:
        """A table of named entries: checks each name, reads each entry, keeps those that could be read."""
        if not isinstance(value, dict):
            self.bad(path, f"{show(value)} is not a table", "write one sub-table for each entry")
            return {}
        if len(value) > entries_max:
            self.bad(path, f"{len(value)} {what}", f"use at most {entries_max}")
        entries: dict[str, T] = {}
        for key, item in list(value.items())[:entries_max]:
            place = join(path, key)
            if not NAME.fullmatch(key):
                self.bad(place, f"{show(key)} is not a name", "use letters, digits and _, at most 32, first a letter")
            elif key == RESERVED:
                self.bad(place, f"'{key}' is the part that all free spins win", "take another name")
            entry = read(key, item, place)
            if entry is not None:
                entries[key] = entry
        return entries

    def array(self, value: object, path: str, length_min: int, length_max: int) -> list[Any]:
        """An array; no more than `length_max` entries are handed on."""
        if not isinstance(value, list):
            self.bad(path, f"{show(value)} is not an array", "write it in square brackets")
            return []
        if not length_min <= len(value) <= length_max:
            self.bad(path, f"{len(value)} entries", f"give {span(length_min, length_max)}")
        return value[:length_max]

    def kind(self, value: object, path: str, readers: Mapping[str, T]) -> T | None:
        """The reader for the `kind` of a table; None after reporting a kind that there is not."""
        kind = value.get("kind") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in readers:
            return readers[kind]
        self.bad(join(path, "kind"), f"{show(kind)} is not allowed", one_of(kind, list(readers)))
        return None

    # -- single values --------------------------------------------------------------------------

    def integer(self, value: object, path: str, low: int, high: int, default: int) -> int:
        """A whole number in [low, high]; `default` after reporting anything else."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.bad(path, f"{show(value)} is not a whole number", f"write a number from {low} to {high}")
            return default
        if not low <= value <= high:
            self.bad(path, f"{show(value)} is out of range", f"write a number from {low} to {high}")
            return default
        return value

    def integers(self, value: object, path: str, length: tuple[int, int], low: int, high: int) -> tuple[int, ...]:
        """An array of whole numbers in [low, high]."""
        items = self.array(value, path, *length)
        return tuple(self.integer(item, f"{path}[{i}]", low, high, low) for i, item in enumerate(items))

    def flag(self, value: object, path: str) -> bool:
        if not isinstance(value, bool):
            self.bad(path, f"{show(value)} is neither true nor false", "write true or false, without quotes")
            return False
        return value

    def text(self, value: object, path: str, characters_max: int = 2000) -> str:
        if not isinstance(value, str):
            self.bad(path, f"{show(value)} is not text", "put it in quotes")
            return ""
        if len(value) > characters_max:
            self.bad(path, f"{len(value)} characters long", f"keep it below {characters_max}")
        return value

    def choice(self, value: object, path: str, allowed: Sequence[str]) -> Any:
        if not isinstance(value, str) or value not in allowed:
            self.bad(path, f"{show(value)} is not allowed", one_of(value, allowed))
            return allowed[0]
        return value

    def basis(self, table: Mapping[str, Any], path: str, default: str, more: Sequence[str] = ()) -> Any:
        """`of`, the basis of pays; bonuses know `more`."""
        other = "line_bet" if default == "total_bet" else "total_bet"
        return self.choice(table.get("of", default), f"{path}.of", [default, other, *more])

    def label(self, table: Mapping[str, Any], path: str, default: str = "x", key: str = "name") -> str:
        """`name`, as records and certificates show it."""
        name = self.text(table.get(key, default), f"{path}.{key}", 32)
        if not NAME.fullmatch(name):
            self.bad(f"{path}.{key}", f"{show(name)} is not a name", "use letters, digits and _, first a letter")
        elif name == RESERVED:
            self.bad(f"{path}.{key}", f"'{name}' is the part that all free spins win", "take another name")
        return name

    def reference(self, value: object, path: str, known: Sequence[str], what: str) -> str | None:
        """A name that must be one of `known`; None after reporting, or when the key was missing."""
        if value is None:
            return None
        if not isinstance(value, str) or value not in known:
            hint = near(value, known) or f"known: {', '.join(known) or 'none'}"
            self.bad(path, f"unknown {what} {show(value)}", hint)
            return None
        return value

    def references(
        self, value: object, path: str, known: Sequence[str], what: str, length_min: int = 1
    ) -> frozenset[str]:
        """An array of different names out of `known`."""
        found: list[str] = []
        for i, item in enumerate(self.array(value, path, length_min, m.SYMBOLS_MAX)):
            name = self.reference(item, f"{path}[{i}]", known, what)
            if name in found:
                self.bad(f"{path}[{i}]", f"'{name}' stands there twice", "remove one")
            elif name:
                found.append(name)
        return frozenset(found)

    # -- tables of numbers ----------------------------------------------------------------------

    def counts(self, value: object, path: str, count_max: int, pay_max: int, pay_min: int = 0) -> dict[int, int] | None:
        """A table from symbol count to amount, with every count from its smallest to its largest."""
        if value is None:
            return None  # the key is missing, which has been said
        if not isinstance(value, dict) or not value:
            self.bad(path, f"{show(value)} is not a count table", "write it like { 3 = 5, 4 = 20, 5 = 100 }")
            return None
        table: dict[int, int] = {}
        for key, item in value.items():
            place = join(path, key)
            if not re.fullmatch(r"[1-9][0-9]{0,2}", key) or int(key) > count_max:
                self.bad(place, f"'{key}' is not a symbol count", f"write a count from 1 to {count_max}")
                continue
            table[int(key)] = self.integer(item, place, pay_min, pay_max, pay_min)
        gaps = [n for n in range(min(table, default=0), max(table, default=0)) if n not in table]
        if gaps:
            self.bad(path, f"count {gaps[0]} is missing", "give every count from the smallest up, 0 for no award")
        return {count: table[count] for count in sorted(table)} or None

    def weights(self, value: object, path: str, value_max: int, value_min: int = 1) -> Table:
        """A table { value = weight }, drawn with one bounded integer."""
        fallback = Table((value_min,), (1,))
        if value is None:
            return fallback  # the key is missing, which has been said
        if not isinstance(value, dict) or not value:
            self.bad(
                path,
                f"{show(value)} is not a weight table",
                "write it like { 2 = 1, 3 = 2 }: value = weight",
            )
            return fallback
        rows: list[tuple[int, int]] = []
        for key, item in self._entries(value, path):
            place = join(path, key)
            if not re.fullmatch(r"0|-?[1-9][0-9]{0,8}", key) or not value_min <= int(key) <= value_max:
                self.bad(place, f"'{key}' is out of range", f"write a value from {value_min} to {value_max}")
                continue
            rows.append((int(key), self.integer(item, place, 1, m.WEIGHT_MAX, 1)))
        rows.sort()
        self.total(path, [weight for _, weight in rows])
        return Table(tuple(v for v, _ in rows), tuple(w for _, w in rows)) if rows else fallback

    def number_table(self, value: object, path: str, value_max: int, value_min: int = 1) -> Table:
        """A whole number, or a weight table of them. A single value weighs 1, as it is not drawn."""
        if isinstance(value, dict):
            table = self.weights(value, path, value_max, value_min)
            return table if len(table.values) > 1 else Table(table.values, (1,))
        return Table((self.integer(value, path, value_min, value_max, value_min),), (1,))

    def named_weights(
        self, value: object, path: str, order: Sequence[str], what: str, example: str
    ) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """A table { name = weight } of names out of `order`, in that order, so that key order does not matter."""
        if value is None:
            return ("",), (1,)  # the key is missing, which has been said
        if not isinstance(value, dict) or not value:
            self.bad(path, f"{show(value)} is not a weight table", f"write it like {example}")
            return ("",), (1,)
        found: dict[str, int] = {}
        for key, item in self._entries(value, path):
            place = join(path, key)
            if self.reference(key, place, order, what):
                found[key] = self.integer(item, place, 1, m.WEIGHT_MAX, 1)
        self.total(path, found.values())
        names = tuple(name for name in order if name in found)
        return names, tuple(found[name] for name in names)

    def symbol_table(self, value: object, path: str, symbols: Sequence[str]) -> SymbolTable:
        """A table { SYMBOL = weight }, in the order in which the symbols are declared."""
        return SymbolTable(*self.named_weights(value, path, symbols, "symbol", "{ A = 3, B = 1 }: symbol = weight"))

    def total(self, path: str, weights: Iterable[int]) -> None:
        """Weights must fit into one bounded integer."""
        if sum(weights) > m.WEIGHT_TOTAL_MAX:
            self.bad(path, "the weights add up to too much", f"keep their sum below {m.WEIGHT_TOTAL_MAX}")

    def _entries(self, value: dict[str, Any], path: str) -> list[tuple[str, Any]]:
        if len(value) > m.TABLE_ENTRIES_MAX:
            self.bad(path, f"{len(value)} entries", f"give at most {m.TABLE_ENTRIES_MAX}")
        return list(value.items())[: m.TABLE_ENTRIES_MAX]


def near(value: object, known: Sequence[str]) -> str | None:
    """The question whether a similar known name was meant."""
    if not isinstance(value, str) or len(value) > 100:
        return None
    found = difflib.get_close_matches(value, known, n=1)
    return f"did you mean '{found[0]}'?" if found else None


def one_of(value: object, allowed: Sequence[str]) -> str:
    """The remedy for a word that is none of the allowed ones: the similar one that may have been meant, and all of them."""
    words = f"write one of {', '.join(allowed)}"
    hint = near(value, allowed)
    return words if hint is None else f"{hint} {words}"


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def show(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, endless nesting
        return "this value"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def span(low: int, high: int) -> str:
    return f"exactly {low}" if low == high else f"{low} to {high}"
