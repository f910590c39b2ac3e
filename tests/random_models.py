"""Random model files for property tests: valid by construction, small, and often degenerate.

`model_texts` knows lines, scatters, picks, one kind of free spins and multipliers of a spin, which have closed forms;
`rich_model_texts` knows every word of the language.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from rgs_core.errors import ModelError
from rgs_core.language.mechanics import by_count
from rgs_core.language.model import Model
from rgs_core.language.model_file import loads

SYMBOLS = ["A", "B", "C", "D", "W", "X", "S", "P"]


def _table(entries: dict[int, int]) -> str:
    return "{ " + ", ".join(f"{k} = {v}" for k, v in entries.items()) + " }"


@st.composite
def model_texts(draw: st.DrawFn) -> str:
    """The text of a model file with every mechanic switched on or off at random."""
    reels = draw(st.integers(3, 6))
    rows = draw(st.integers(1, 6))
    stake = draw(st.sampled_from([1, 3, 10, 20]))
    line_units = draw(st.integers(1, 3))
    symbols = draw(st.permutations(SYMBOLS))
    has_lines = draw(st.booleans()) or draw(st.booleans())
    has_free = draw(st.booleans())
    has_pick = has_lines and draw(st.booleans())
    out = [
        "format = 1",
        'id = "random"',
        'title = "Random"',
        'version = "1"',
        f"symbols = {list(symbols)!r}",
        f"[stake]\nunits = {stake}\nline_units = {line_units}",
        f"[grid]\nreels = {reels}\nrows = {rows}",
        f"[caps]\nfree_spins = {draw(st.integers(1, 40))}",
    ]
    paying = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, min_size=1)) if has_lines else []
    for wild in draw(st.sampled_from([[], ["W"], ["W", "X"]])) if has_lines else []:
        others = [s for s in paying if s != wild]
        substitutes = draw(st.lists(st.sampled_from(others), unique=True, max_size=6)) if others else []
        out.append(f"[wilds.{wild}]\nsubstitutes = {substitutes!r}")
        out.append(f"multiplier = {draw(st.sampled_from([1, 1, 2, 3]))}")
        out.append(f"combine = {draw(st.sampled_from(['once', 'product']))!r}")
    evaluators = []
    if has_lines:
        line = st.tuples(*[st.integers(0, rows - 1)] * reels)
        most = min(12, rows**reels)
        lines = draw(st.lists(line, min_size=1, max_size=most, unique=True))
        out.append('[evaluators.lines]\nkind = "lines"')
        out.append(f"pure_wild_run = {draw(st.sampled_from(['own', 'any']))!r}")
        out.append(f"paylines = {[''.join(map(str, x)) for x in lines]!r}\n[evaluators.lines.pays]")
        for symbol in paying:
            first = draw(st.integers(1, reels))
            amounts = [draw(st.sampled_from([0, 1, 2, 5, 5, 40, 1000])) for _ in range(first, reels + 1)]
            if draw(st.integers(0, 4)):  # real pay tables grow, and only those are played in lanes
                amounts.sort()
            pays = dict(zip(range(first, reels + 1), amounts, strict=True))
            out.append(f"{symbol} = {_table(pays)}")
        evaluators.append("lines")
    if not has_lines or draw(st.booleans()):
        first = draw(st.integers(1, 3))
        pays = {
            n: draw(st.sampled_from([0, 1, 2, 25]))
            for n in range(first, min(first + draw(st.integers(1, 3)), reels * rows + 1))
        }
        out.append(f'[evaluators.scatter]\nkind = "scatter"\nsymbol = "S"\npays = {_table(pays)}')
        out.append(f"of = {draw(st.sampled_from(['total_bet', 'line_bet']))!r}")
        evaluators.append("scatter")
    evaluators = draw(st.permutations(evaluators))
    if has_pick:
        prizes = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=4))
        rows_text = ", ".join(f"{{ pay = {p}, weight = {w} }}" for p, w in prizes)
        out.append(f'[bonuses.chest]\nkind = "pick"\nprizes = [{rows_text}]')
        out.append(f"of = {draw(st.sampled_from(['total_bet', 'line_bet']))!r}")
        if draw(st.booleans()):
            out.append(f"picks = {_table({1: 2, 3: 1})}\nprizes_per_pick = {_table({1: 1, 2: 1})}")
    exempt_known = [*evaluators]
    if has_lines:
        exempt_known += [f"lines.{paying[0]}", f"lines.{paying[-1]}.{reels}"]
    for state in ["base", "free"] if has_free else ["base"]:
        out.append(f"[states.{state}]\nstrips = {draw(st.sampled_from(['base', state]))!r}")
        out.append(f"evaluators = {list(evaluators)!r}")
        if draw(st.booleans()):
            out.append(f"multiplier = {draw(st.integers(1, 4))}")
            names = [*exempt_known, *(["Chest"] if has_pick else [])]
            out.append(f"multiplier_exempt = {draw(st.lists(st.sampled_from(names), unique=True))!r}")
        for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]))):
            table = draw(st.dictionaries(st.sampled_from([1, 2, 3, 7]), st.integers(1, 4), min_size=1, max_size=3))
            combine = draw(st.sampled_from(["product", "sum"]))
            out.append(f'[[states.{state}.transforms]]\nkind = "multiplier"\ncombine = "{combine}"')
            out.append(f"table = {_table(table)}")
        if has_free and (state == "base" or draw(st.booleans())):
            first = draw(st.integers(1, 3))
            spins = {
                n: draw(st.sampled_from([0, 1, 2, 5]))
                for n in range(first, min(first + draw(st.integers(1, 3)), reels * rows + 1))
            }
            out.append(
                f'[[states.{state}.triggers]]\nname = "Free"\nkind = "free_spins"\nsymbol = "S"\n'
                f'spins = {_table(spins)}\nstate = "free"'
            )
        if has_pick:
            pattern = draw(st.lists(st.sampled_from(["P", "A", "*"]), min_size=1, max_size=reels))
            if all(p == "*" for p in pattern):
                pattern[0] = "P"
            out.append(
                f'[[states.{state}.triggers]]\nname = "Chest"\nkind = "pick"\npattern = {pattern!r}\npick = "chest"'
            )
    text = "\n".join(out)
    weights = [1, 2, 3, 17, *draw(st.sampled_from([[], [], [], [2**24]]))]
    sets = [name for name in ("base", "free") if f"strips = '{name}'" in text]
    out.append("[profiles.one.strips]")
    for name in sets:
        strips = []
        for _ in range(reels):
            stops = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=7))
            if draw(st.booleans()):
                weight = st.sampled_from(weights)
                strips.append(" ".join(f"{s}:{draw(weight)}" for s in stops))
            else:
                strips.append(" ".join(stops))
        out.append(f"{name} = {strips!r}")
    return "\n".join(out) + "\n"


# --- Every word of the language --------------------------------------------------------------------

REGULAR = ["A", "B", "C", "D"]
RICH_SYMBOLS = [*REGULAR, "W", "X", "S", "P", "V"]
DOUBLES = ["E", "F"]
SHAPES = [(1, 1), (2, 2), (3, 1), (3, 2), (3, 3), (3, 3), (4, 3), (5, 3), (4, 4), (6, 2), (8, 1), (2, 10), (1, 12)]
OF_WIN = ("boost", "stars")
"""Bonuses that multiply a win."""

LINED = {"lines", "combos"}
READS_VALUES = {"coins", "total"}

Draw = st.DrawFn
Document = dict[str, Any]


@cache
def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


class _Rich:
    """One model in the making. `bits` is what multipliers may still make of a win, so that bounds hold."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.reels, self.rows = draw(st.sampled_from(SHAPES))
        self.top = self._top()
        self.cells = self.reels * (self.rows + bool(self.top))
        self.free_spins = draw(st.integers(1, 12))
        self.growing = self.maybe(1, 5)
        self.bits = 30
        self.names = [
            "base",
            *draw(st.sampled_from([[], ["free"], ["free"], ["free", "hold"], ["free", "hold", "more"]])),
        ]
        self.modes = self._modes()
        self.starts = {"base", *(mode["start"] for mode in self.modes.values())}
        self.groups = {name: self.some(REGULAR) for name in ("any", "pair")} if self.maybe() else {}
        grid = self._heights(drawn=self.maybe(1, 4))
        self.heights = {name: grid if self.maybe(2, 3) else self._heights(self.maybe(1, 4)) for name in self.names}
        self.grid = grid
        evaluators = ["lines", "combos", "ways", "count", "cluster", "match", "stars", "coins", "last", "total"]
        self.missing = self.some(evaluators, 2, 2)  # a game has at most eight
        self.largest = max(self._largest(reel) for reels in [grid, *self.heights.values()] for reel in reels)
        self.used = {name: self._used(name) for name in self.names}
        self.doubles = self._doubles()
        self.shown = [*RICH_SYMBOLS, *self.doubles]
        self.evaluators = {
            name: getattr(self, f"_{name}")() for name in dict.fromkeys(e for used in self.used.values() for e in used)
        }
        self.multiplied = self.maybe(1, 2) and self.spend(2)  # of awards; every one may multiply by 3
        self.interrupting = self.maybe(1, 2)
        self.bonuses = self._bonuses()
        self.wilds = self._wilds()
        self._widen()

    # -- helpers --------------------------------------------------------------------------------

    def maybe(self, chance: int = 1, out_of: int = 2) -> bool:
        return self.number(1, out_of) <= chance

    def one(self, options: list[Any]) -> Any:
        return options[self.number(0, len(options) - 1)]

    def some(self, options: list[str], least: int = 1, most: int = 4) -> list[str]:
        left, found = list(options), []
        for _ in range(self.number(least, min(most, len(options)))):
            found.append(left.pop(self.number(0, len(left) - 1)))
        return found

    def number(self, low: int, high: int) -> int:
        return self.draw(_integers(low, high))

    def optional(self, **entries: Any) -> Document:
        """Some of the entries."""
        return {key: value for key, value in entries.items() if self.maybe()}

    def spend(self, bits: int) -> bool:
        if bits > self.bits:
            return False
        self.bits -= bits
        return True

    def weights(self, low: int, high: int, most: int = 3) -> Document:
        values = self.draw(st.lists(st.integers(low, high), unique=True, min_size=1, max_size=most))
        return {str(value): self.number(1, 5) for value in values}

    def counts(self, largest: int, amounts: list[int], full: bool = False) -> Document:
        first = self.number(1, largest if full else min(largest, 4))
        last = largest if full else min(largest, first + self.number(0, 3))
        return {str(count): self.one(amounts) for count in range(first, last + 1)}

    def _top(self) -> list[int]:
        """Neighbouring reels below a top reel; none where their rows would be too many."""
        if self.rows > 11 or not self.maybe(1, 4):
            return []
        first = self.number(1, self.reels)
        return list(range(first, self.number(first, self.reels) + 1))

    @staticmethod
    def _largest(reel: Any) -> int:
        return max(map(int, reel)) if isinstance(reel, dict) else int(reel)

    def _heights(self, drawn: bool) -> list[Any]:
        if not drawn and self.maybe():
            return [self.rows] * self.reels
        heights: list[Any] = [self.number(1, self.rows) for _ in range(self.reels)]
        if drawn:
            heights[self.number(0, self.reels - 1)] = self.weights(1, self.rows)
        return heights

    # -- top level ------------------------------------------------------------------------------

    def _modes(self) -> Document:
        modes = {}
        for name in self.one([[], [], ["buy"], ["buy", "ante"]]):
            modes[name] = {"cost": self.number(1, 500), "start": self.one(self.names), "spins": self.number(1, 3)}
        return modes

    def _used(self, state: str) -> list[str]:
        fixed = not any(isinstance(reel, dict) for reel in self.heights[state])
        known = ["ways", "count", *([] if self.top else ["cluster", "match"]), "stars", "coins", "last", "total"]
        known += self.one([["lines"], ["lines"], ["combos"]]) if fixed else []
        known = [name for name in known if name not in self.missing]
        used = self.draw(st.permutations(self.some(known, 1, 3)))
        if known[-1] in LINED and self.maybe() and not LINED & set(used):
            used = [known[-1], *used]
        return list(used)

    def _doubles(self) -> Document:
        bits = 2 * self.reels if any("ways" in used for used in self.used.values()) else 2
        if self.maybe(2, 3) or not self.spend(bits):
            return {}
        symbols = [*REGULAR, "W", "S", "V"]
        return {name: {"symbol": self.one(symbols), "count": self.one([2, 2, 3, 4])} for name in self.some(DOUBLES)}

    def heaviest(self, entry: str) -> int:
        """Most that a cell counts for an entry."""
        members = set(self.groups.get(entry, [entry]))
        members |= {name for name, wild in self.wilds.items() if members & set(wild["substitutes"])}
        return max((double["count"] for double in self.doubles.values() if double["symbol"] in members), default=1)

    def _widen(self) -> None:
        """Lines pay for as many symbols as their cells can count for."""
        for entry, pays in self.evaluators.get("lines", {}).get("pays", {}).items():
            for count in range(self.reels + 1, self.reels * self.heaviest(entry) + 1):
                pays[str(count)] = self.one([0, 1, 7, 60])

    def _wilds(self) -> Document:
        helped: set[str] = set()
        for name, evaluator in self.evaluators.items():
            if name == "combos":
                helped |= {element for c in evaluator["combinations"] for element in c["symbols"]}
            elif name in ("lines", "ways", "cluster", "match") or evaluator.get("wilds"):
                helped |= set(evaluator["pays"])
        for name, members in self.groups.items():
            helped |= set(members) if name in helped else set()
        known = sorted(helped & set(RICH_SYMBOLS))
        wilds: Document = {}
        for wild in self.one([[], ["W"], ["W"], ["W", "X"]]):
            others = [symbol for symbol in known if symbol != wild]
            substitutes = self.some(others, 0, 4) if others else []
            wilds[wild] = {"substitutes": substitutes} | self._wild_multiplier(wild)
        return wilds

    def _wild_multiplier(self, wild: str) -> Document:
        if not self.maybe():
            return {}
        if any(double["symbol"] == wild for double in self.doubles.values()):
            return {"multiplier": 2} if "ways" not in self.evaluators and self.spend(2) else {}
        combine = "product" if "ways" in self.evaluators else self.one(["once", "product", "sum"])
        cells = self.cells if {"cluster", "match"} & set(self.evaluators) else self.reels
        bits = {"once": 2, "product": 2 * cells, "sum": (3 * cells).bit_length()}[combine]
        return {"multiplier": self.one([1, 2, 3]), "combine": combine} if self.spend(bits) else {"combine": combine}

    # -- evaluators -----------------------------------------------------------------------------

    def _paylines(self, user: str) -> list[str]:
        states = [self.heights[name] for name, used in self.used.items() if user in used]
        rows = [min(heights[reel] for heights in states) for reel in range(self.reels)]
        line = st.tuples(*[st.sampled_from("0123456789ab"[:height]) for height in rows])
        return ["".join(x) for x in self.draw(st.lists(line, min_size=1, max_size=6, unique=True))]

    def _pays(self, known: list[str], largest: int, full: bool = False) -> Document:
        amounts = [0, 1, 2, 5, 5, 50]
        return {symbol: self.counts(largest, amounts, full) for symbol in self.some(known, 1, 4)}

    def _cell_values(self, cells: int, options: list[str]) -> Document:
        if not self.maybe():
            return {}
        rule = self.one(options)
        value = 11 if self.growing else 2
        bits = {"ignore": 0, "highest": value + 1, "sum": value + 6, "product": value * cells}[rule]
        most = {"cell_values_max": self.number(1, 9)} if rule != "ignore" and len(options) > 2 and self.maybe() else {}
        return {"cell_values": rule, **most} if self.spend(4 if most else bits) else {}

    def _lines(self) -> Document:
        entries = [*REGULAR, "W", "X", *self.groups]
        return {
            "kind": "lines",
            "paylines": self._paylines("lines"),
            "pays": self._pays(entries, self.reels, full=True),
            **self.optional(
                pure_wild_run=self.one(["own", "any"]),
                direction=self.one(["left", "right", "both", "adjacent"]),
                full_grid={symbol: self.number(2, 3) for symbol in self.some([*REGULAR, "W"], 1, 2)},
            ),
            **self._cell_values(self.reels, ["ignore", "product", "sum", "highest"]),
        }

    def _combos(self) -> Document:
        entries = [*REGULAR, "W", "*", *self.groups]
        combinations: list[Document] = []
        for _ in range(self.number(1, 4)):
            symbols = [self.one(entries) for _ in range(self.reels)]
            if all(symbol == "*" for symbol in symbols):
                symbols[0] = "A"
            any_order = self.reels <= 5 and self.maybe(1, 3)
            if all(symbols != c["symbols"] for c in combinations):
                order = {"any_order": True} if any_order else {}
                combinations.append({"symbols": symbols, "pay": self.one([1, 2, 5, 50]), **order})
        return {"kind": "combinations", "paylines": self._paylines("combos"), "combinations": combinations}

    def _ways(self) -> Document:
        return {
            "kind": "ways",
            "pays": self._pays([*REGULAR, "W"], self.reels, full=True),
            **self.optional(
                pure_wild_run=self.one(["own", "any"]),
                direction=self.one(["left", "right", "both"]),
            ),
            **self._cell_values(self.reels, ["ignore", "product"]),
        }

    def _count(self) -> Document:
        return {
            "kind": "count",
            "pays": self._pays([*REGULAR, "V", "X"], self.reels * self.largest),
            **self.optional(of=self.one(["line_bet", "total_bet"]), wilds=self.maybe()),
            **self._cell_values(self.cells, ["ignore", "product", "sum", "highest"]),
        }

    def _cluster(self) -> Document:
        return {
            "kind": "cluster",
            "pays": self._pays([*REGULAR, "V", "W"], self.reels * self.largest),
            **self.optional(of=self.one(["line_bet", "total_bet"]), neighbours=self.one([4, 6])),
            **self._cell_values(self.cells, ["ignore", "product", "sum", "highest"]),
        }

    def _match(self) -> Document:
        along = self.one(["rows", "columns", "both"])
        longest = {"rows": self.reels, "columns": self.largest, "both": max(self.reels, self.largest)}[along]
        groups = self.groups if self.maybe() else []
        return {
            "kind": "match",
            "along": along,
            "pays": self._pays([*REGULAR, "V", "W", *groups], longest),
            **self.optional(of=self.one(["line_bet", "total_bet"])),
            **self._cell_values(longest, ["ignore", "product", "sum", "highest"]),
        }

    def _stars(self, **more: Any) -> Document:
        pays = self.counts(self.reels * self.largest, [0, 1, 2, 25])
        of = self.one(["line_bet", "total_bet"])
        symbol = self.one(["S", "S", "A", "W", *self.groups])
        return {
            "kind": "scatter",
            "symbol": symbol,
            "pays": pays,
            "of": of,
            **more,
            **self.optional(stopped=self.maybe()),
        }

    def _last(self) -> Document:
        return self._stars(at="end")

    def _coins(self, **more: Any) -> Document:
        optional = self.optional(
            count_min=self.number(1, min(3, self.reels * self.largest)),
            collector=self.one(["W", "S", "V", *self.groups]),
            of=self.one(["line_bet", "total_bet"]),
        )
        return {"kind": "collect", "symbol": self.one(["V", "V", "A", *self.groups]), **more, **optional}

    def _total(self) -> Document:
        return self._coins(at="end")

    # -- bonuses --------------------------------------------------------------------------------

    def _bonuses(self) -> Document:
        of = self.one(["line_bet", "total_bet"])
        prizes = [{"pay": self.number(0, 20), "weight": self.number(1, 4)} for _ in range(self.number(1, 3))]
        taken = [self.one([0, 1, 5, 5, 20]) for _ in range(self.number(2, 5))]
        squares = [self.number(0, 9) for _ in range(self.number(1, 6))]
        targets = self.names[1:]
        segments = []
        for _ in range(self.number(1, 4)):
            spins = {"spins": self.number(1, 4), "state": self.one(targets)} if targets and self.maybe() else {}
            spins |= self._award_multiplier() | self._at_once() if spins else {}
            won = {"jackpot": "major"} if self.maybe(1, 4) else {}
            segments.append({"weight": self.number(1, 4), **self.optional(pay=self.number(0, 20)), **spins, **won})
        boosts: list[Document] = [{"weight": 2, "pay": 2}, {"weight": 1, "pay": 3}, {"weight": 1}]
        if targets:
            boosts[2] |= {"spins": 1, "state": self.one(targets)}
        options: list[Document] = [{"name": "first", "pay": self.number(0, 9)}]
        if targets:
            spins = {"spins": self.number(1, 4), "state": self.one(targets)}
            options.append({"name": "spins", **spins, **self._award_multiplier(), **self._at_once()})
        options.append({"name": "last", "pay": 1, "bonus": self.one(["chest", "wheel"])})
        further = [{"weight": 1, "bonus": self.one(["chest", "cards", "board"])}] if self.maybe() else []
        return {
            "chest": {"kind": "pick", "prizes": prizes, "of": of, **self.optional(picks={"1": 2, "3": 1})},
            "cards": {
                "kind": "take",
                "prizes": taken,
                "take": self.number(1, len(taken)),
                **self.optional(of=of),
                **(self._stops(len(taken)) if self.maybe() else self.optional(equal_multiplier=self.number(1, 3))),
            },
            "wheel": {"kind": "wheel", "segments": [*segments, *further], **self.optional(of=of)},
            "board": {
                "kind": "trail",
                "squares": squares,
                "die": self.weights(1, 4),
                "rolls_max": self.number(1, 6),
                **self.optional(ends=[self.number(1, len(squares))], finish=self.number(0, 30), of=of, pays="last"),
            },
            "boost": {"kind": "wheel", "segments": boosts, "of": "win"},
            "stars": {"kind": "pick", "prizes": [{"pay": 0, "weight": 1}, {"pay": 3, "weight": 2}], "of": "win"},
            "doors": {"kind": "choice", "options": options, "matters": True, **self.optional(of=of)},
        }

    def _stops(self, prizes: int) -> Document:
        ends = self.some(list(range(1, prizes + 1)))
        return {"ends": ends, **self.optional(lives=self.number(1, len(ends)))}

    def _award_multiplier(self) -> Document:
        """Of the feature whose spins are awarded."""
        if not self.multiplied or self.maybe():
            return {}
        return {"multiplier": self.number(1, 3) if self.maybe() else self.weights(1, 3)}

    def _at_once(self) -> Document:
        """Whether the awarded feature interrupts the one that plays."""
        return {"at_once": True} if self.interrupting and self.maybe() else {}

    def _gamble(self) -> Document:
        if self.maybe():
            return {}
        if self.maybe(1, 3):
            rungs = sorted({self.number(1, 60) for _ in range(6)} | {0, 61})[1:]
            bets: Document = {"up": {"table": {"1": 1, "-2": 1}}, "far": {"table": self.weights(-3, 3) | {"2": 1}}}
            return {"rungs": rungs, "bets": bets, "steps_max": 4, **self.optional(of=self.one(["line_bet"]))}
        bets = {
            "red": {"table": {"0": 1, "2": 1}},
            "half": {"table": self.weights(0, 4) | {"3": 1}, "part": "half"},
            "sure": {"table": {"2": 1}},
        }
        return {"win_max": self.number(1, 500), "bets": bets, "steps_max": 4}

    # -- states ---------------------------------------------------------------------------------

    def state(self, name: str) -> Document:
        kept = self.bits  # each state may spend what the evaluators left
        used = self.used[name]
        by_cell = self.maybe(1, 4)
        document: Document = {
            "strips": self.one([name, "base", {"base": 2, name: 1, "other": 3}]),
            "evaluators": used,
            "multiplier": self.number(1, 3),
            "triggers": self._triggers(name),
            **({"draw": "cell"} if by_cell else {}),
            **({"new_rows": "bottom"} if self.maybe(1, 4) else {}),
        }
        if self.heights[name] != self.grid:
            document["rows"] = self.heights[name]
        if not by_cell and self.maybe(1, 4):
            runs = [f"{first}-{last}" for last in range(2, self.reels + 1) for first in range(1, last)]
            document["linked"] = {run: self.number(1, 3) for run in self.some(["none", *runs], 1, 3)}
        transforms = self._transforms(name, by_cell)
        for transform in transforms if not (by_cell or self.top) else []:
            if transform.get("move") in ("up", "down") and self.maybe():
                transform.pop("each")
                transform["stack"] = True
        changing = [transform for transform in transforms if transform["kind"] != "stick"]
        if changing and self.maybe(1, 4):
            names = self.some(["none", "rain", "storm"], 1, 3)
            document["modifiers"] = {modifier: self.number(1, 3) for modifier in names}
            for transform in [changing[0], *(t for t in changing[1:] if self.maybe())]:
                transform["modifier"] = self.one(names) if self.maybe() else self.some(names, 1, 3)
        if transforms:
            document["transforms"] = transforms
        has_values = any(transform["kind"] == "values" for transform in transforms)
        for trigger in document["triggers"]:
            if has_values and trigger["kind"] == "collected" and not {"counts", "endless"} & set(trigger):
                trigger |= self.optional(counts="values")
        if has_values and self.maybe():
            document |= {"final": final} if (final := self._final()) else {}
        lined = [s for s in self.evaluators["lines"]["pays"] if s in RICH_SYMBOLS] if "lines" in used else []
        if lined and name not in self.starts and self.maybe():
            table = {symbol: self.number(1, 3) for symbol in lined}
            for transform in transforms:
                transform.pop("when", None)
            document["special"] = {
                "name": "Special",
                "table": table,
                "lines": "lines",
                **self.optional(own_lines=self.maybe()),
                **self._specials(len(lined), document["triggers"], name),
            }
        elif self.maybe(1, 3):
            document |= self._cascade(used, document["triggers"], by_cell)
        if "cascade" in document and "combos" not in used and self.maybe():
            document |= self._spots()
        for transform in document.get("transforms", []) if "cascade" not in document else []:
            if transform["kind"] == "stick":
                transform.pop("each", None)
        exempt = [*used, *(t["name"] for t in document["triggers"] if t["kind"] in ("pick", "bonus"))]
        if self.maybe(1, 3):
            document["multiplier_exempt"] = self.some(exempt, 0, 3)
        if name != "base" and self.maybe(1, 4):
            document["win_min"] = self.number(1, 30)
        self.bits = kept
        return document

    def _odds(self) -> Document:
        if self.maybe(4, 5):
            return {}
        out_of = self.number(1, 5)
        return {"chance": self.number(1, out_of), "out_of": out_of}

    def _in_view(self, most: int = 2) -> Document:
        """Numbers of symbols in view; one alone as a table."""
        if self.maybe(5, 6):
            return {}
        found = []
        for _ in range(self.number(1, most)):
            symbol = self.one(["A", "S", "V", "W", *self.groups])
            low = self.number(0, 1)
            bounds = self.one([{}, {"min": 1}, {"max": low}, {"min": low, "max": 1}])
            found.append({"symbol": symbol, **bounds, **self.optional(per_reel=self.maybe()), **self._some_reels()})
        return {"in_view": found[0] if len(found) == 1 and self.maybe() else found}

    def _conditions(self, name: str, *, at_all: bool = True) -> Document:
        if self.maybe(2, 3):
            return {}
        once = {"once": True} if name != "base" and self.maybe(1, 3) else {}
        when = self.optional(when=self.one(["win", "no_win"])) if at_all else {}
        return {**self._odds(), **when, **once, **self._in_view()}

    def _counting(self, name: str) -> Document:
        """Conditions of a trigger that counts symbols."""
        found = self._conditions(name)
        return {**found, **self.optional(per_reel=self.maybe()), **self._some_reels()} if found else {}

    def _transforms(self, name: str, by_cell: bool) -> list[Document]:
        kinds = ["reveal", "expand", "replace", "add", "fill", "values", "stick", "multiplier"]
        kinds += ["mark"] if name != "base" else []
        transforms = [getattr(self, f"_do_{kind}")() for kind in self.some(kinds, 0, self.one([4, 4, 4, 8]))]
        needed = [e for e in self.used[name] if e in READS_VALUES or "cell_values" in self.evaluators[e]]
        if needed and all(transform["kind"] != "values" for transform in transforms):
            transforms.insert(self.number(0, len(transforms)), self._do_values())
        if any(transform["kind"] == "values" for transform in transforms) and self.maybe():
            transforms.insert(self.number(0, len(transforms)), self._do_act())
        nudges = [] if by_cell or self.top else [self._do_nudge() for _ in range(self.one([0, 0, 0, 1, 2]))]
        return [
            t if t["kind"] == "stick" else t | self._odds() | self._when() | self._in_view()
            for t in [*nudges, *transforms]
        ]

    def _when(self) -> Document:
        return {"when": self.one(["win", "no_win"])} if self.maybe(1, 6) else {}

    def _some_reels(self) -> Document:
        return (
            {"reels": self.draw(st.lists(st.integers(1, self.reels), unique=True, min_size=1))}
            if self.maybe(1, 3)
            else {}
        )

    def _do_reveal(self) -> Document:
        table = {symbol: self.number(1, 3) for symbol in self.some(self.shown, 1, 3)}
        return {
            "kind": "reveal",
            "symbol": self.one(["P", "D"]),
            "table": table,
            **self.optional(each=self.one(["spin", "reel", "cell", "feature"])),
        }

    def _do_expand(self) -> Document:
        return {
            "kind": "expand",
            "symbol": self.one(self.shown),
            **self.optional(into=self.one(self.shown)),
            **self._some_reels(),
        }

    def _do_replace(self) -> Document:
        symbol, into = self.draw(st.permutations(self.shown))[:2]
        return {"kind": "replace", "symbol": symbol, "into": into, **self._some_reels()}

    def _do_add(self) -> Document:
        count = self.number(0, 4) if self.maybe() else self.weights(0, 4)
        over = {"over": self.some(self.shown)} if self.maybe(1, 3) else {}
        return {"kind": "add", "symbol": self.one(["W", "V", "S", "A"]), "count": count, **over, **self._some_reels()}

    def _do_fill(self) -> Document:
        among = {"among": self._some_reels().get("reels", [self.reels])} if self.maybe() else {}
        most = len(among.get("among", range(self.reels)))
        reels = self.number(0, most) if self.maybe() else self.weights(0, most)
        return {"kind": "fill", "symbol": self.one(["W", "V", "S", "A"]), "reels": reels, **among}

    def _do_mark(self) -> Document:
        return {"kind": "mark", "symbols": self.some(self.shown, 1, 2), "into": self.one(self.shown)}

    def _do_values(self) -> Document:
        return {
            "kind": "values",
            "symbols": ["V", *self.some(["A", "W", "S", *self.doubles], 0, 2)],
            "table": self.weights(1, 4),
            **self.optional(each=self.one(["cell", "reel"])),
            **(self._some_reels() if self.maybe(1, 3) else {}),
            **({"grow": self.number(1, 2)} if self.growing else {}),
        }

    def _do_act(self) -> Document:
        does = self.one(["add_to_all", "multiply_all", "multiply_some", "collect_all"])
        count = self.number(1, 3) if self.maybe() else self.weights(1, 3)
        return {
            "kind": "act",
            "symbols": self.some(["V", "W", "A", *self.doubles], 1, 2),
            "does": does,
            "max": self.one([1, 4]),  # as large as those that are drawn, so that bounds hold
            **({"count": count} if does == "multiply_some" else {}),
            **self.optional(over=self.some(["V", "W", "A", "S"], 1, 3), once=self.maybe()),
        }

    def _do_stick(self) -> Document:
        return {
            "kind": "stick",
            "symbols": self.some(["V", "W", "S", "A", *self.doubles], 1, 2),
            **(self.optional(step=self.one([-1, 0, 1])) if self.maybe() else self._move()),
        }

    def _move(self) -> Document:
        return {"move": self.one(["left", "up", "down", "random"]), "each": self.one(["spin", "step", "step"])}

    def _do_nudge(self) -> Document:
        multiplier = {"multiplier": self.number(1, 3)} if self.maybe() and self.spend(7) else {}
        symbol, steps_max = self.one(self.shown), self.number(1, self.largest)
        if self.maybe(1, 3):  # cells of value 2, which is within what evaluators have paid for
            multiplier, steps_max = {"multiplier": 1, "multiplies": "cells"}, 1
        return {"kind": "nudge", "symbol": symbol, "steps_max": steps_max, **multiplier, **self._some_reels()}

    def _do_multiplier(self) -> Document:
        each = self.one(["spin", "full_reel", "cell", "feature"])
        number = {"full_reel": self.reels, "cell": self.cells}.get(each, 1)
        combine = self.one(["product", "sum"])
        persist = each != "feature" and self.maybe()
        bits = 2 * number if combine == "product" else (3 * number).bit_length()
        spins = self.free_spins + 3
        bits = (bits * spins if combine == "product" else bits + spins.bit_length()) if persist else bits
        if not self.spend(bits):
            return {"kind": "multiplier", "table": {"1": 1}}
        symbol = {} if each in ("spin", "feature") else {"symbol": self.one(["W", "V", "A"])}
        more = {"combine": combine, "persist": persist}
        return {"kind": "multiplier", "table": self.weights(1, 3), "each": each, **symbol, **more}

    def _final(self) -> Document:
        combine = self.one(["sum", "product"])
        persist = self.maybe()
        value = 11 if self.growing else 2
        bits = value * self.cells if combine == "product" else value + self.cells.bit_length()
        spins = self.free_spins + 3
        bits = (bits * spins if combine == "product" else bits + spins.bit_length()) if persist else bits
        if not self.growing or self.spend(value + self.cells.bit_length()):
            return self._final_rules(combine, persist, bits)
        return {}

    def _final_rules(self, combine: str, persist: bool, bits: int) -> Document:
        rules = {"combine": combine, "persist": persist} if self.spend(bits) else {}
        return {"symbols": ["V", *self.some(["A", "W"], 0, 1)], **rules, **self.optional(name="Last")}

    def _cascade(self, used: list[str], triggers: list[Document], by_cell: bool) -> Document:
        spin = [name for name in used if name not in ("last", "total")]
        special = {"chance", "when", "once", "per_reel", "reels", "in_view"}
        plain = [t for t in triggers if t.get("bonus") not in OF_WIN and not special & t.keys()]
        others = [t["name"] for t in plain if t["kind"] in ("free_spins", "bonus")]
        if not spin:
            return {}
        paid = [entry for name in ("lines", "match") if name in used for entry in self.evaluators[name]["pays"]]
        entries = list(dict.fromkeys([*REGULAR, "W", "V", "S", *paid]))
        optional = self.optional(
            remove=self.some([*spin, *others]),
            keep=self.some(self.shown, 0, 2),
            multipliers=[self.number(1, 3) for _ in range(self.number(1, 4))],
            persist=self.maybe(),
            charge=self._charge(),
            become=self._become(),
            leave=[self._leave(entries) for _ in range(self.number(1, 2))],
            **({"multiplier_step": self.number(1, 3)} if self.spend(9) else {}),
        )
        for symbol in optional.get("keep", []):
            optional.get("become", {}).pop(symbol, None)
        if not set(optional.get("remove", spin)) & set(spin):
            optional.pop("leave", None)
        refill = self.one(["fresh", "none"] if by_cell else ["strip", "fresh", "none"])
        if refill == "none":
            optional["empty"] = self.one(self.shown)
            optional.get("become", {}).pop(optional["empty"], None)
        if not optional.get("become", True):
            del optional["become"]
        return {"cascade": {"refill": refill, "steps_max": self.number(2, 5), **optional}}

    def _become(self) -> Document:
        """What cells become instead of going; none becomes itself alone."""
        symbols = self.some(self.shown, 1, 3)
        return {symbol: self._drawn_symbol([s for s in self.shown if s != symbol]) for symbol in symbols}

    def _leave(self, entries: list[str]) -> Document:
        more = self.optional(
            place=self.one(["random", "middle"]), count_min=self.number(1, min(3, self.reels * self.largest))
        )
        return {"symbol": self._drawn_symbol(self.shown), **more, **self.optional(symbols=self.some(entries, 1, 3))}

    def _drawn_symbol(self, symbols: list[str]) -> Any:
        if self.maybe():
            return self.one(symbols)
        return {symbol: self.number(1, 3) for symbol in self.some(symbols, 1, 3)}

    def _charge(self) -> Document:
        kinds = ["reveal", "expand", "replace", "add"]
        then = [getattr(self, f"_do_{kind}")() for kind in self.some(kinds, 1, 2)]
        for transform in then:
            if transform.get("each") == "feature":
                del transform["each"]
        return {"every": self.number(1, 4), "then": then, **self.optional(symbols=self.some(self.shown))}

    def _spots(self) -> Document:
        combine = self.one(["sum", "product"])
        most = self.number(3, 9)
        if not self.spend((4 * self.cells) if combine == "product" else (most * self.cells).bit_length()):
            return {}
        grow = self.one([{}, {"grow": "add"}, {"grow": "add", "step": 2}])
        rules = self.optional(first=self.number(2, 3), persist=self.maybe())
        return {"spots": {"max": most, "combine": combine, **grow, **rules}}

    # -- triggers -------------------------------------------------------------------------------

    def _triggers(self, name: str) -> list[Document]:
        """Awards of the next state, so that each is reached, and some others."""
        position = self.names.index(name)
        targets = self.names[1:]
        triggers = [self._free_spins(self.names[position + 1], "Next")] if position + 1 < len(self.names) else []
        known = ["bonus", "jackpot", *(["pick"] if LINED & set(self.used[name]) else [])]
        known += ["free_spins", "collected", "full_reels"] if targets else []
        winning = [e for e in self.used[name] if e in ("lines", "ways", "count", "cluster", "match")]
        known += ["win_spins"] if targets and winning else []
        for number, kind in enumerate(self.some(known, 0, self.one([3, 3, 3, 7]))):
            label = f"T{number}"  # the same in all states, so that a feature that goes on counts on
            if kind == "free_spins":
                triggers.append(self._free_spins(self.one([*targets, *self._self(name)]), label, name))
            elif kind == "full_reels":
                spins = self.counts(self.reels, [0, 1, 2])
                conditions = self._conditions(name) | self._at_once()
                if self.maybe(1, 4):
                    conditions["reels"], spins = [self.number(1, self.reels)], {"1": 1}
                triggers.append({"name": label, "kind": kind, "spins": spins, "state": self.one(targets), **conditions})
            elif kind == "pick":
                pattern = [self.one(["P", "A", "*"]) for _ in range(self.number(0, self.reels - 1))] + ["A"]
                triggers.append(
                    {
                        "name": label,
                        "kind": "pick",
                        "pattern": pattern,
                        "pick": self.one([name for name in self.bonuses if name not in OF_WIN]),
                        **self._conditions(name),
                    }
                )
            elif kind == "bonus":
                triggers.append(
                    {
                        "name": label,
                        "kind": "bonus",
                        "symbol": self.one(["S", "P", "B", *self.groups]),
                        "plays": self.counts(self.reels * self.largest, [0, 1, 1, 2]),
                        "bonus": self._played(name),
                        **self.optional(stopped=self.maybe()),
                        **self._counting(name),
                    }
                )
            elif kind == "jackpot":
                out_of = self.number(1, 9)
                chance = self.number(1, out_of)
                shown = (
                    {"symbol": self.one(["S", "V", "A", *self.groups]), "count": self.number(1, 3)}
                    if self.maybe()
                    else {}
                )
                shown = shown if self.reels * self.largest >= 3 else {}
                shown |= self.one([{}, {"fresh": True}, {"at": "end"}]) if shown else {}
                shown |= self._some_reels() if shown else {}
                more = self._conditions(name) if "at" not in shown else self._in_view()
                shown |= {key: item for key, item in more.items() if key not in ("chance", "out_of")}
                triggers.append(
                    {"name": label, "kind": "jackpot", "jackpot": "grand", "chance": chance, "out_of": out_of, **shown}
                )
            else:
                triggers.append(self._feature_trigger(kind, label, winning, name))
        return triggers

    def _played(self, state: str) -> str:
        """A bonus; one of the win multiplies by up to 9, and needs a win that is known."""
        boosts = [*OF_WIN] if self.bits >= 4 and not {"last", "total"} & set(self.used[state]) else []
        bonus = self.one([*(name for name in self.bonuses if name not in OF_WIN), *boosts])
        self.bits -= 4 if bonus in OF_WIN else 0
        return bonus

    def _free_spins(self, state: str, label: str, name: str = "base") -> Document:
        if self.maybe(1, 8):
            spins, odds = self.number(1, 3), self._odds() or {"when": self.one(["win", "no_win"])}
            return {"name": label, "kind": "free_spins", "spins": spins, "state": state, **odds, **self._at_once()}
        become = {"become": True} if name != "base" and self.maybe(1, 4) else {}
        symbols = self.optional(carry=self.some(["V", "W", "S", "A", *self.doubles], 0, 2))
        more = become or self._award_multiplier() | symbols | self._at_once()
        return {
            "name": label,
            "kind": "free_spins",
            "symbol": self.one(["S", "S", "V", "A", *self.groups]),
            "spins": self.counts(self.reels * self.largest, [0, 1, 2, 4]),
            "state": state,
            **self.optional(
                stopped=self.maybe(),
                fresh=self.maybe(),
                reset=self.maybe(),
            ),
            **self._counting(name),
            **more,
        }

    @staticmethod
    def _self(name: str) -> list[str]:
        """How awards of a feature name its state."""
        return ["self"] if name != "base" else []

    def _feature_trigger(self, kind: str, label: str, winning: list[str], name: str) -> Document:
        state = self.one([*self.names[1:], *self._self(name)])
        if kind == "win_spins":
            evaluator = self.one(winning)
            largest = self.reels if evaluator in ("lines", "ways") else self.reels * self.largest
            paid = self.some(list(self.evaluators[evaluator]["pays"]), 1, 2)
            pays = {
                symbol: {int(n): pay for n, pay in self.evaluators[evaluator]["pays"][symbol].items()}
                for symbol in paid
            }
            spins = {
                symbol: {n: award if by_count(pays[symbol], int(n)) else 0 for n, award in counts.items()}
                for symbol in paid
                for counts in [self.counts(largest, [0, 1, 2])]
            }
            more = (
                {"become": True} if name != "base" and self.maybe(1, 3) else self._award_multiplier() | self._at_once()
            )
            more |= self._conditions(name, at_all=False)
            return {"name": label, "kind": kind, "evaluator": evaluator, "spins": spins, "state": state, **more}
        levels = self.number(1, 3)
        multipliers = [self.number(1, 3) if self.bits >= 2 else 1 for _ in range(levels)]
        self.bits -= 2 if max(multipliers) > 1 else 0
        spins = [self.number(0, 2) for _ in range(levels)]
        every: int | list[int] = self.number(1, 3)
        if self.maybe(1, 3):
            every = [2 * level + self.number(1, 2) for level in range(levels)]
        counted = self._counted()
        endless = {"endless": True} if self.maybe(1, 3) and spins[-1] and "collector" not in counted else {}
        batch = {} if endless or "in_a_row" in counted else self.optional(multipliers_from=self.one(["spin", "batch"]))
        return {
            "name": label,
            "kind": kind,
            "every": every,
            "spins": spins,
            **counted,
            **endless,
            **batch,
            **(
                {"states": [self.one([*self.names[1:], "self"]) for _ in range(levels)]}
                if name != "base" and self.maybe()
                else {"state": state, **self._award_multiplier(), **self._at_once()}
            ),
            **self._level_multipliers(multipliers, bool(endless)),
        }

    def _specials(self, size: int, triggers: list[Document], name: str) -> Document:
        """How many special symbols there are, and what adds more."""
        count = self.number(1, min(size, 3))
        mine = [t["name"] for t in triggers if t["kind"] == "free_spins" and t["state"] in (name, "self")]
        if count == size or not mine or self.maybe(1, 3) or not self.spend(2):
            return {"count": count} if count > 1 and self.spend(2) else {}
        return {"count": count, "more_with": self.one(mine), **self.optional(most=self.number(count + 1, size))}

    def _level_multipliers(self, multipliers: list[int], endless: bool) -> Document:
        if self.maybe():
            return {}
        step = {"multiplier_step": self.number(1, 2)} if endless and self.spend(14) else {}
        return {"multipliers": multipliers, **step}

    def _counted(self) -> Document:
        """What is collected: cells of a symbol, or spins."""
        row = {"in_a_row": True} if self.maybe(1, 4) else {}
        if self.maybe(1, 4):
            return {"counts": self.one(["wins", "losses", "spins"]), **row}
        collector = {"collector": self.one(["S", "A", *self.groups])} if self.maybe(1, 4) else {}
        symbol = self.one(["S", "V", "A", *self.groups])
        return {"symbol": symbol, **collector, **row, **self.optional(fresh=self.maybe())}

    # -- the whole ------------------------------------------------------------------------------

    def document(self) -> Document:
        full = {name: self.state(name) for name in self.names}
        self._let_queue(full)
        sets = set()
        for state in full.values():
            sets |= set(state["strips"]) if isinstance(state["strips"], dict) else {state["strips"]}
        return {
            "format": 1,
            "id": "rich",
            "title": "Rich",
            "version": "1",
            "symbols": self.draw(st.permutations(self.shown)),
            "stake": {"units": self.one([1, 3, 10]), "line_units": self.number(1, 2)},
            "grid": {
                "reels": self.reels,
                "rows": self.grid if self.maybe() or len(set(map(str, self.grid))) > 1 else self.grid[0],
                **({"top": {"reels": self.top}} if self.top else {}),
            },
            "caps": {"free_spins": self.free_spins, **({"win": self.number(1, 200)} if self.maybe(1, 3) else {})},
            "groups": self._used_groups(full),
            "doubles": self.doubles,
            "wilds": self.wilds,
            "evaluators": self.evaluators,
            "bonuses": self._used_bonuses(full),
            "modes": self.modes,
            **({"gamble": gamble} if (gamble := self._gamble()) else {}),
            "states": {name: self._like(name, full) for name in self.names},
            "profiles": {
                "one": {
                    "strips": {
                        name: [self._strip() for _ in range(self.reels + bool(self.top))] for name in sorted(sets)
                    }
                }
            },
        }

    def _let_queue(self, full: Document) -> None:
        """Nothing plays at once where features that go on as others start further ones of their states."""
        parts = {
            name: [
                *state["triggers"],
                *(p for b in self.bonuses.values() for p in (*b.get("segments", ()), *b.get("options", ()))),
            ]
            for name, state in full.items()
        }
        links: list[set[str]] = []
        for name, of in parts.items():
            became = {p["state"] for p in of if p.get("become")} | {s for p in of for s in p.get("states", ())}
            links += [{name, *(name if s == "self" else s for s in became)}] if became else []
        for _ in links:
            links = [set().union(*(other for other in links if other & link)) for link in links]
        for name, of in parts.items():
            started = {p.get("state") for p in of if not p.get("become") and "states" not in p} - {name}
            if any(name in link and started & link for link in links):
                for part in (p for every in parts.values() for p in every):
                    part.pop("at_once", None)

    def _used_groups(self, states: Document) -> Document:
        lines, combos = self.evaluators.get("lines", {}), self.evaluators.get("combos", {})
        used = {
            *lines.get("pays", ()),
            *self.evaluators.get("match", {}).get("pays", ()),
            *(s for c in combos.get("combinations", ()) for s in c["symbols"]),
        }
        parts = [*self.evaluators.values(), *(t for state in states.values() for t in state["triggers"])]
        used |= {part.get(key) for part in parts for key in ("symbol", "collector")}
        parts += [t for state in states.values() for t in state.get("transforms", [])]
        needed = [part["in_view"] for part in parts if "in_view" in part]
        used |= {one["symbol"] for some in needed for one in (some if isinstance(some, list) else [some])}
        return {name: members for name, members in self.groups.items() if name in used}

    def _used_bonuses(self, states: Document) -> Document:
        used = {t.get("pick", t.get("bonus")) for state in states.values() for t in state["triggers"]}
        used |= {option.get("bonus") for option in self.bonuses["doors"]["options"]} if "doors" in used else set()
        used |= {s.get("bonus") for s in self.bonuses["wheel"]["segments"]} if "wheel" in used else set()
        return {name: bonus for name, bonus in self.bonuses.items() if name in used}

    def _like(self, name: str, full: Document) -> Document:
        """The state in short, where it can take keys from another one."""
        state = full[name]
        for other in self.names:
            if self.names.index(other) < self.names.index(name) and full[other].keys() <= state.keys() and self.maybe():
                return {"like": other, **{k: v for k, v in state.items() if full[other].get(k) != v}}
        return state

    def _strip(self) -> str:
        stops = [self.one(self.shown) for _ in range(self.number(1, 7))]
        weighted = self.maybe(1, 4)
        return " ".join(f"{symbol}:{self.number(1, 9)}" if weighted else symbol for symbol in stops)


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() else f'"{key}"'


def toml(document: Document) -> str:
    """The text of a document, each section in its own lines."""
    plain = [f"{key} = {_inline(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for section, entries in document.items():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict):
                plain += [f"[{section}.{name}]", *(f"{key} = {_inline(value)}" for key, value in entry.items())]
        single = {k: v for k, v in entries.items() if not isinstance(v, dict)} if isinstance(entries, dict) else {}
        if single:
            plain += [f"[{section}]", *(f"{key} = {_inline(value)}" for key, value in single.items())]
    return "\n".join(plain) + "\n"


@st.composite
def rich_model_texts(draw: st.DrawFn) -> str:
    """The text of a small model with every word of the language on or off at random."""
    return toml(_Rich(draw).document())


def loaded(text: str) -> Model:
    """The model of a random text. One of some thousands could win more than the engine counts, which is refused."""
    try:
        return loads(text)
    except ModelError as error:
        assume("could win more than 2^62 units" not in str(error))
        raise
