"""Reads what works on single cells and places of a state: acts on values, spots."""

from __future__ import annotations

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.conditions_file import ConditionsReading

SPOT_MAX = 2**16


class CellsReading(ConditionsReading):
    """Reads the words of single cells. `evaluators` have been read before."""

    evaluators: dict[str, words.Evaluator]

    def read_spots(self, value: object, path: str, names: list[str], cascade: words.Cascade | None) -> words.Spots:
        """Places that multiply wins; cells must be removed from them."""
        table = self.table(value, path, [], ["grow", "step", "first", "max", "combine", "persist"])
        grow = self.choice(table.get("grow", "double"), f"{path}.grow", ["double", "add"])
        step = self.integer(table.get("step", 1), f"{path}.step", 1, m.MULTIPLIER_MAX, 1)
        if grow == "double" and "step" in table:
            self.bad(f"{path}.step", "a multiplier that doubles has no step", 'remove it, or write grow = "add"')
        first = self.integer(table.get("first", 2), f"{path}.first", 2, m.MULTIPLIER_MAX, 2)
        largest = self.integer(table.get("max", 128), f"{path}.max", 2, SPOT_MAX, 128)
        if largest < first:
            self.bad(f"{path}.max", f"{largest} is below the first multiplier, {first}", f"write {first} or more")
        combine = self.choice(table.get("combine", "sum"), f"{path}.combine", ["sum", "product"])
        persist = self.flag(table.get("persist", False), f"{path}.persist")
        if cascade is None:
            self.bad(path, "no cell is removed in a state without a cascade", "add 'cascade', or remove the spots")
        for name in names:
            if isinstance(self.evaluators[name], words.Combinations):
                self.bad(path, f"'{name}' pays combinations, which spots do not multiply", "pay by lines instead")
        return words.Spots(first, None if grow == "double" else step, largest, combine, persist)

    def _act(self, value: object, path: str) -> words.Act:
        table = self.table(value, path, ["kind", "symbols", "does"], ["count", "over", "once", "max"])
        symbols = self.references(table.get("symbols", []), f"{path}.symbols", self.symbols, "symbol")
        kinds = ["add_to_all", "multiply_all", "multiply_some", "collect_all"]
        does = self.choice(table.get("does", "add_to_all"), f"{path}.does", kinds)
        count = None
        if does == "multiply_some":
            count = self.number_table(table.get("count", 1), f"{path}.count", m.CELLS_MAX, 1)
            if "count" not in table:
                self.bad(path, "'multiply_some' of how many", "add 'count', a number or a weight table")
        elif "count" in table:
            self.bad(f"{path}.count", f"'{does}' counts no cells", 'remove it, or write does = "multiply_some"')
        over = self.references(table["over"], f"{path}.over", self.symbols, "symbol") if "over" in table else None
        once = self.flag(table.get("once", True), f"{path}.once")
        largest = self.integer(table.get("max", m.VALUE_MAX), f"{path}.max", 1, m.VALUE_MAX, m.VALUE_MAX)
        return words.Act(symbols, does, count, over, once, largest)
