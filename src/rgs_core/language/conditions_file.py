"""Reads what a trigger or transform needs beside symbols: odds, conditions, and the reels on which it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.mechanics_file import MechanicsReading

ODDS_KEYS = ["chance", "out_of"]
CONDITION_KEYS = [*ODDS_KEYS, "when", "in_view"]
"""What every conditional word may need."""
TRANSFORM_KEYS = [*CONDITION_KEYS, "modifier"]
TRIGGER_KEYS = [*CONDITION_KEYS, "once"]
COUNT_KEYS = ["reels", "per_reel"]
IN_VIEW_MAX = 8


class ConditionsReading(MechanicsReading):
    """Reads the words that triggers and transforms share."""

    modifier_names: tuple[str, ...] = ()
    """Those of the state that is read."""

    def counted_table(self, table: Mapping[str, Any], path: str, key: str, most: int) -> tuple[str, Mapping[int, int]]:
        """The symbol that a trigger counts, and what it gives by count; without a symbol it gives a number."""
        if "symbol" in table:
            symbol = self.counting(table["symbol"], f"{path}.symbol") or ""
            largest = self.cells * self.heaviest(symbol)
            return symbol, words.frozen(self.counts(table.get(key), f"{path}.{key}", largest, most) or {1: 0})
        if not {"chance", "when", "in_view"} & set(table):
            remedy = "add 'symbol', 'in_view', or 'chance' and 'out_of' for a start at random"
            self.bad(path, "key 'symbol' is missing", remedy)
            return "", words.frozen({0: 1})
        for other in ("stopped", "fresh", "reels", "per_reel"):
            if other in table:
                self.bad(f"{path}.{other}", "a trigger without a symbol counts nothing", "remove it, or add 'symbol'")
        number = table.get(key, 1)
        if isinstance(number, dict):
            self.bad(f"{path}.{key}", "a table by count, of no symbol", f"write a number, or add 'symbol': {key} = 5")
            number = 1
        return "", words.frozen({0: self.integer(number, f"{path}.{key}", 1, most, 1)})

    def odds(self, table: Mapping[str, Any], path: str) -> words.Odds | None:
        """`chance` in `out_of`, None without them."""
        for key, other in (("chance", "out_of"), ("out_of", "chance")):
            if key in table and other not in table:
                self.bad(path, f"'{key}' without '{other}'", f"add '{other}': with which odds it works")
        if not set(ODDS_KEYS) <= set(table):
            return None
        out_of = self.integer(table["out_of"], f"{path}.out_of", 1, m.WEIGHT_TOTAL_MAX, 1)
        return words.Odds(self.integer(table["chance"], f"{path}.chance", 1, out_of, 1), out_of)

    def when(self, table: Mapping[str, Any], path: str) -> Any:
        """Whether there must be a win, or none."""
        return self.choice(table.get("when", "always"), f"{path}.when", ["always", "win", "no_win"])

    def conditions(self, table: Mapping[str, Any], path: str, keys: Sequence[str]) -> dict[str, Any]:
        """The fields of a conditional word that it may have by these keys."""
        found: dict[str, Any] = {"odds": self.odds(table, path)} if "chance" in keys else {}
        for key, field, read in (
            ("when", "when", self.when),
            ("in_view", "in_view", self.in_view),
            ("once", "once", self._once),
            ("modifier", "modifiers", self._modifiers),
        ):
            if key in keys and key in table:
                found[field] = read(table, path)
        return found

    def _modifiers(self, table: Mapping[str, Any], path: str) -> tuple[str, ...]:
        """Modifiers of the state, one or an array of them."""
        value = table["modifier"]
        names = value if isinstance(value, list) else [value]
        if not names:
            self.bad(f"{path}.modifier", "no modifier", "name one of the state's `modifiers`, or remove it")
        found = [self.reference(name, f"{path}.modifier", self.modifier_names, "modifier") for name in names]
        return tuple(name for name in self.modifier_names if name in found)

    def _once(self, table: Mapping[str, Any], path: str) -> bool:
        return self.flag(table["once"], f"{path}.once")

    def where_counted(self, table: Mapping[str, Any], path: str) -> dict[str, Any]:
        """On which reels a trigger counts, and whether it counts reels."""
        per_reel = self.flag(table.get("per_reel", False), f"{path}.per_reel")
        return {"reels": self.chosen_reels(table, path), "per_reel": per_reel}

    def in_view(self, table: Mapping[str, Any], path: str) -> tuple[words.InView, ...]:
        """Numbers of symbols in view that must all hold: one such table, or an array of them."""
        value, place = table.get("in_view", []), f"{path}.in_view"
        if isinstance(value, dict):
            return (self._in_view(value, place),)
        found = self.array(value, place, 1, IN_VIEW_MAX)
        return tuple(self._in_view(item, f"{place}[{i}]") for i, item in enumerate(found))

    def _in_view(self, value: object, path: str) -> words.InView:
        table = self.table(value, path, ["symbol"], ["min", "max", "stopped", *COUNT_KEYS])
        symbol = self.counting(table.get("symbol"), f"{path}.symbol") or ""
        stopped = self.flag(table.get("stopped", False), f"{path}.stopped")
        where = self.where_counted(table, path)
        counted = words.Counted(symbol, where["reels"], where["per_reel"], stopped)
        largest = self.reels if counted.per_reel else self.cells * self.heaviest(symbol)
        least = self.integer(table.get("min", int("max" not in table)), f"{path}.min", 0, largest, 1)
        most = self.integer(table["max"], f"{path}.max", 0, largest, largest) if "max" in table else None
        if most is not None and least > most:
            self.bad(f"{path}.max", f"no number is at least {least} and at most {most}", "write min below max")
        elif table.get("min") == 0 and most is None:
            self.bad(f"{path}.min", "there are always so many", "write a larger number, or max")
        return words.InView(counted, least, most)

    def chosen_reels(self, table: Mapping[str, Any], path: str, key: str = "reels") -> tuple[int, ...] | None:
        """Reels under a key: numbers from 1 in the file, from 0 in the model; None for all."""
        if key not in table:
            return None
        numbers = self.integers(table[key], f"{path}.{key}", (1, self.reels), 1, self.reels)
        written = table[key] if isinstance(table[key], list) else []  # what is out of range was read as another number
        if any(number in written[:i] for i, number in enumerate(written)):
            self.bad(f"{path}.{key}", "a reel stands there twice", "remove one")
        return tuple(sorted(number - 1 for number in set(numbers)))
