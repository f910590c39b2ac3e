"""Callbacks of a state: what their language refuses, what they see and answer, and that they are pure."""

from __future__ import annotations

import pickle
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rgs_core import Engine, reference
from rgs_core.errors import CallbackError, ModelError
from rgs_core.language import model
from rgs_core.language.callback import SOURCE_BYTES_MAX
from rgs_core.language.model import CALLBACK_DRAWS_MAX, CALLBACK_UNITS_MAX, Build
from rgs_core.language.model_file import load, loads
from rgs_core.outcome import Outcome
from rgs_core.reference.words import index_at

GAME = """\
format = 1
id = "storm"
title = "Storm"
version = "1"
symbols = ["wild", "star", "A", "B"]
stake.units = 3
grid = { reels = 3, rows = 3 }

[caps]
free_spins = 30

[wilds.wild]
substitutes = ["A", "B"]

[evaluators.lines]
kind = "lines"
paylines = ["111", "000", "222"]
pays = { A = { 3 = 4 }, B = { 3 = 2 } }

[evaluators.stars]
kind = "scatter"
symbol = "star"
of = "total_bet"
pays = { 2 = 1, 3 = 10 }

[states.base]
strips = "base"
evaluators = ["lines", "stars"]

[[states.base.triggers]]
name = "FreeSpins"
kind = "free_spins"
symbol = "star"
spins = { 3 = 4 }
state = "free"

[states.free]
strips = "base"
evaluators = ["lines", "stars"]
multiplier = 2

[profiles.main.strips]
base = ["A B star B wild A B A", "B A star A B wild B A", "A star B B A wild B B"]
"""
KEY = bytes(range(32))

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes GAME with a callback of the paid spin (and of other states) and gives the path of the model."""

    def write(source: str, text: str = GAME, states: Sequence[str] = ("base",)) -> Path:
        (tmp_path / "storm.py").write_text(textwrap.dedent(source), "utf-8")
        for state in states:
            text = text.replace(f"[states.{state}]\n", f'[states.{state}]\ncallback = "storm.py:storm"\n')
        path = tmp_path / "storm.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def body(*lines: str) -> str:
    """A callback of these lines."""
    return "def storm(spin, draw):\n" + "".join(f"    {line}\n" for line in lines)


def played(path: Path, nonces: int = 1) -> list[Outcome]:
    build = load(path).build()
    return [reference.play(build, KEY, nonce) for nonce in range(nonces)]


# -- what is refused when the file is read ---------------------------------------------------------------------

HOSTILE = {
    "import": (body("import os"), "line 2: import is not allowed"),
    "import from": ("from time import time\n" + body("return {}"), "line 1: import is not allowed"),
    "open": (body("open('/etc/passwd')"), "line 2: 'open' is not known here"),
    "eval": (body("eval('1')"), "'eval' is not known"),
    "exec": (body("exec('x = 1')"), "'exec' is not known"),
    "getattr": (body("getattr(spin, 'grid')"), "'getattr' is not known"),
    "type": (body("type(spin)"), "'type' is not known"),
    "print": (body("print(spin)"), "'print' is not known"),
    "clock": (body("return {'wins': {'x': time.time() % 7}}"), "'time' is not known"),
    "random": (body("random.random()"), "'random' is not known"),
    "id": (body("return {'wins': {'x': id(spin)}}"), "'id' is not known"),
    "hash": (body("return {'wins': {'x': hash('a')}}"), "'hash' is not known"),
    "builtins": (body("__builtins__['open']"), "the name '__builtins__' begins with an underscore"),
    "own bounds": (body("_step = draw"), "the name '_step' begins with an underscore"),
    "argument": ("def storm(spin, _step):\n    return {}\n", "the name '_step' begins with an underscore"),
    "class": (body("return ().__class__.__base__"), "'.__class__' is not allowed"),
    "subclasses": (body("return dict.__subclasses__"), "'.__subclasses__' is not allowed"),
    "globals": (body("return storm.__globals__"), "'.__globals__' is not allowed"),
    "frame": (body("return (x for x in ()).gi_frame"), "'.gi_frame' is not allowed"),
    "format": (body("return '{0.__class__}'.format(spin)"), "'.format' is not allowed"),
    "f-string": (body("return f'{spin}'"), "text made of values is not allowed"),
    "join": (body("return ''.join(['a'] * 10)"), "'.join' is not allowed"),
    "function attribute": (body("storm.count = 1"), "'.count' is read only"),
    "view": (body("spin.memory = 1"), "'.memory' is read only"),
    "global": ("seen = 0\n" + body("global seen", "seen = 1"), "global is not allowed"),
    "class statement": ("class A:\n    pass\n" + body("return {}"), "ClassDef is not allowed"),
    "async": ("async def f():\n    pass\n" + body("return {}"), "AsyncFunctionDef is not allowed"),
    "generator": (body("yield 1"), "Yield is not allowed"),
    "with": (body("with spin:", "    pass"), "With is not allowed"),
    "try": (body("try:", "    draw(0)", "except:", "    pass"), "try is not allowed"),
    "set": (body("return {1, 2}"), "a set is not allowed"),
    "set of text": (body("return set(['a', 'b'])"), "'set' is not known"),
    "float": (body("return {'wins': {'x': 1.5}}"), "float is not allowed"),
    "division": (body("return {'wins': {'x': 3 / 2}}"), "/ is not allowed"),
    "division in place": (body("x = 3", "x /= 2"), "/ is not allowed"),
    "bytes": (body("return b'a'"), "bytes is not allowed"),
    "identity": (body("return {'wins': {'x': spin.index is 1000}}"), "'is' with other things"),
    "star": (body("return [*spin.grid, *spin.grid]"), "* is not allowed"),
    "arguments": ("def storm(*spin):\n    return {}\n", "* is not allowed"),
    "slice": (body("x = [1]", "x[1:] = x"), "a slice is read only"),
    "large number": (body("return " + "9" * 200), "a number of 665 bits"),
    "syntax": (body("return {"), "line 2: not valid Python"),
    "zero byte": (body("return '\0'"), "not valid Python"),
    "nesting": (body("return " + "-" * 20_000 + "1"), "line 1: "),
    "long sum": (body("return " + "1" + " + 1" * 15_000), "nested too deeply"),
    "less long sum": (body("return " + "1" + " + 1" * 1_500), "nested too deeply"),
    "return outside": ("return 1\n" + body("return {}"), "line 1: not valid Python: 'return' outside function"),
    "break outside": (body("break"), "line 2: not valid Python: 'break' outside loop"),
    "asynchronous": (body("return [x async for x in spin.grid]"), "line 2: not valid Python: asynchronous"),
    "arguments of one name": (body("f = lambda x, x: 1"), "line 2: not valid Python: duplicate argument"),
    "no function": ("def other(spin, draw):\n    return {}\n", "no function 'storm'"),
    "other arguments": ("def storm(spin):\n    return {}\n", "'storm' has other arguments"),
}


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_callback_may_not_use_is_refused_with_its_line(name: str, written: Written) -> None:
    source, message = HOSTILE[name]
    with pytest.raises(ModelError) as caught:
        load(written(source))
    problems = [problem for problem in caught.value.problems if message in problem.message]
    assert problems, caught.value
    assert problems[0].path == "states.base.callback"
    assert problems[0].message.startswith("storm.py, line ")
    assert problems[0].line is not None
    assert problems[0].remedy


def test_all_faults_of_a_file_are_told_at_once(written: Written) -> None:
    with pytest.raises(ModelError) as caught:
        load(written(body("import os", "x = open('a')", "return {1.5}")))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"../storm.py:storm"', "names no callback"),
        ('"/etc/storm.py:storm"', "names no callback"),
        ('"storm.py"', "names no callback"),
        ("3", "names no callback"),
        ('"other.py:storm"', r"other\.py cannot be read: No such file"),
        ('"storm.py:free_spins"', "is the part that all free spins win"),
        ('"storm.py:_storm"', "is not a name"),
        ('"storm.py:lines"', "the name 'lines' is used twice"),
    ],
)
def test_a_callback_is_a_function_of_a_file_beside_the_model(value: str, message: str, written: Written) -> None:
    path = written("def storm(spin, draw):\n    return {}\ndef lines(spin, draw):\n    return {}\n")
    path.write_text(path.read_text().replace('"storm.py:storm"', value))
    with pytest.raises(ModelError, match=message):
        load(path)


def test_files_that_are_too_long_or_no_text_are_refused(written: Written) -> None:
    path = written(body("return {}"))
    source = path.with_name("storm.py")
    source.write_bytes(b"#" * (SOURCE_BYTES_MAX + 1))
    with pytest.raises(ModelError, match=r"storm\.py is too long"):
        load(path)
    source.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"storm\.py cannot be read: not UTF-8"):
        load(path)


def test_a_text_without_a_folder_has_no_callbacks(written: Written) -> None:
    text = written(body("return {}")).read_text()
    with pytest.raises(ModelError, match="a text without a folder has no callback files; load the model from its file"):
        loads(text)


def test_a_state_that_is_like_another_has_its_callback(written: Written) -> None:
    text = GAME.replace(
        '[states.free]\nstrips = "base"\nevaluators = ["lines", "stars"]\n', '[states.free]\nlike = "base"\n'
    )
    assert load(written(body("return {}"), text)).callbacks == {"base": "storm.py:storm", "free": "storm.py:storm"}


# -- what ends a call ---------------------------------------------------------------------------------------

FAILING = {
    "recursion": (["return storm(spin, draw)"], 1, "recursion"),
    "endless loop": (["while True:", "    pass"], 2, "more than 100,000 steps"),
    "nested loops": (["return {'memory': sum(1 for a in range(9999) for b in range(9999))}"], 2, "more than 100,000 steps"),
    "branching functions": (
        ["f = lambda n: f(n - 1) + f(n - 1) if n else 1", "return {'wins': {'x': f(60)}}"], 2, "more than 100,000 steps",
    ),
    "power": (["return {'wins': {'x': 10 ** 10 ** 10}}"], 2, "** gives a number of more than 256 bits"),
    "squares": (["x = 3", "while True:", "    x *= x"], 4, "* gives a number of more than 256 bits"),
    "shift": (["return {'wins': {'x': 1 << 10 ** 9}}"], 2, "<< gives a number of more than 256 bits"),
    "negative power": (["return {'wins': {'x': 2 ** -1}}"], 2, "a power of -1"),
    "long list": (["return [0] * 10 ** 9"], 2, "more than 100,000 steps"),
    "long text": (["x = 'a'", "while True:", "    x = x + x"], 4, "more than 100,000 steps"),
    "doubled list": (["x = [[0]]", "while True:", "    x[0] += x[0]"], 4, "more than 100,000 steps"),
    "copies": (["x = [0] * 999", "while True:", "    x.append(x[:])"], 4, "more than 100,000 steps"),
    "other copies": (["x = [0] * 999", "while True:", "    x.append(list(x))"], 4, "more than 100,000 steps"),
    "pairs": (["x = []", "while True:", "    x.append(list(zip(range(99999), range(99999))))"], 4, "more than 100,000 steps"),
    "long range": (["return {'memory': list(range(10 ** 9))}"], 2, "a range of more than 100,000 numbers"),
    "endless range": (["return {'memory': max(range(10 ** 60))}"], 2, "a range of more than 100,000 numbers"),
    "text of a value": (["return '%s' % spin"], 2, "% does not work with str and View"),
    "sets of keys": (["return {1: 1}.keys() & {1: 1}.keys()"], 2, "& does not work with dict_keys and dict_keys"),
    "joined lists": (["return sum([[1], [2]])"], 2, "+ does not work with int and list"),
    "division": (["return 1 // (spin.index - spin.index)"], 2, "ZeroDivisionError"),
    "missing": (["return spin.grid[7]"], 2, "IndexError"),
    "assertion": (["assert spin.index, 'never the first'"], 2, "AssertionError: never the first"),
    "draw of nothing": (["draw(0)"], 2, "draw(0); give a whole number from 1 to 2^31"),
    "draw of much": (["draw(2 ** 31 + 1)"], 2, "draw(2147483649)"),
    "draw of truth": (["draw(True)"], 2, "draw(True)"),
    "draws": (["return [draw(2) for i in range(300)]"], 2, f"more than {CALLBACK_DRAWS_MAX} draws in one call"),
    "answer": (["return 5"], None, "the answer is 5; give a dict"),
    "key": (["return {'win': 5}"], None, "'win' in the answer; there are 'wins', 'spins' and 'memory'"),
    "wins": (["return {'wins': 5}"], None, "wins is 5; give a dict"),
    "negative win": (["return {'wins': {'x': -1}}"], None, "wins['x'] = -1; give whole units from 0"),
    "truth for a win": (["return {'wins': {'x': True}}"], None, "wins['x'] = True"),
    "huge win": (["return {'wins': {'x': 2 ** 200}}"], None, "wins['x'] = a number of 201 bits"),
    "huge wins": ([f"return {{'wins': {{'x': {CALLBACK_UNITS_MAX}, 'y': 1}}}}"], None, "together; give at most"),
    "many wins": (["return {'wins': {'x' * n: 1 for n in range(1, 30)}}"], None, "29 wins; give at most 16"),
    "name": (["return {'wins': {'': 1}}"], None, "a win named ''"),
    "state": (["return {'spins': {'base': 1}}"], None, "spins of 'base'; states that can be awarded: free"),
    "spins": (["return {'spins': {'free': 5000}}"], None, "spins['free'] = 5000"),
    "function kept": (["return {'memory': draw}"], None, "memory with a method"),
    "large memory": (["return {'memory': [list(range(100)) for i in range(20)]}"], None, "more than 1,000 values"),
    "deep memory": (["x = 1", "for i in range(20):", "    x = [x]", "return {'memory': x}"], None, "nested deeper than 8"),
    "shared memory": (["x = [1]", "for i in range(40):", "    x = [x, x]", "return {'memory': x}"], None, "nested deeper"),
    "long text kept": (["return {'memory': 'a' * 2000}"], None, "memory with 'aaaa"),
    "key kept": (["return {'memory': {None: 1}}"], None, "memory with the key None"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_a_call_that_goes_wrong_names_state_spin_function_and_line(name: str, written: Written) -> None:
    lines, line, message = FAILING[name]
    with pytest.raises(CallbackError) as caught:
        played(written(body(*lines)))
    text = str(caught.value)
    place = "" if line is None else f", line {line}"
    assert text.startswith(f"state 'base', spin 1 of its feature, callback storm.py:storm{place}"), text
    assert message in text


def test_honest_code_works_as_in_python(written: Written) -> None:
    """Operators, in place too, comprehensions, functions and loops mean what they always do."""
    path = written("""
        TABLE = {"a": [1, 2, 3], "b": (4, 5)}

        def total(numbers, start=0):
            for number in numbers:
                start += number
            return start

        def storm(spin, draw):
            items = [1]
            items += [2, 3]
            items[1] *= 10
            items[-1] -= 1
            calls = []
            counts = [0, 0]
            counts[calls.append(1) or 0] += 7
            text = "a" + "b" * 2
            n = 0
            while n < 5:
                n += 1
                if n == 3:
                    continue
            pairs = {k: len(v) for k, v in TABLE.items() if k != "c"}
            assert items == [1, 20, 2] and counts == [7, 0] and calls == [1] and text == "abb" and n == 5
            assert pairs == {"a": 3, "b": 2} and spin.memory is None
            assert (7 // 2, -7 // 2, 7 % 3, 2 ** 10, 1 << 4, 255 >> 4, 6 & 3, 6 | 3, 6 ^ 3) == (3, -4, 1, 1024, 16, 15, 2, 7, 5)
            assert sorted([3, 1, 2], key=lambda x: -x) == [3, 2, 1] and sum(x for x in range(10) if x % 2) == 25
            return {"wins": {"sum": total(TABLE["a"]) + total(TABLE["b"], 100)}}
    """)
    (outcome,) = played(path)
    assert [(win.evaluator, win.symbol, win.amount_units) for win in outcome.spins[0].closing] == [
        ("storm", "sum", 115)
    ]


# -- purity -------------------------------------------------------------------------------------------------


def test_nothing_stays_from_one_call_to_the_next_but_memory(written: Written) -> None:
    """Lists of the file and of its arguments begin anew at every spin of every round."""
    path = written(
        """
        SEEN = []

        def note(item, seen=[]):
            seen.append(item)
            return len(seen)

        def storm(spin, draw):
            SEEN.append(1)
            return {"wins": {"file": len(SEEN), "default": note(1)}, "spins": {"free": 3} if spin.index == 0 else {}}
        """,
        states=("base", "free"),
    )
    for outcome in played(path, 5):
        for spin in outcome.spins:
            assert {win.symbol: win.amount_units for win in spin.closing} == {"file": 1, "default": 1}


def test_memory_lasts_for_a_feature_and_cannot_be_changed(written: Written) -> None:
    path = written(
        """
        def storm(spin, draw):
            if spin.state == "base":
                assert spin.memory is None and spin.index == 0
                return {"spins": {"free": 5}, "memory": [1]}
            if spin.index == 0:
                assert spin.memory is None
                return {"memory": {"list": [1, [2]], "text": "a"}}
            if spin.index == 1:
                assert spin.memory["list"] == (1, (2,)) and spin.memory.get("text") == "a"
                return {"memory": spin.memory}
            if spin.index == 2:
                assert dict(spin.memory) == {"list": (1, (2,)), "text": "a"}
                return None
            assert spin.memory is None
            return {"wins": {"at": spin.index}}
        """,
        states=("base", "free"),
    )
    (outcome, *_) = played(path, 3)
    assert [spin.win_units for spin in outcome.spins if any(w.symbol == "at" for w in spin.closing)]
    assert [win.amount_units for spin in outcome.spins for win in spin.closing] == [3, 4]


def test_changing_what_was_remembered_is_an_error(written: Written) -> None:
    source = body('if spin.index == 0 and spin.state == "base":', '    return {"spins": {"free": 2}}',
                  'if spin.index == 0:', '    return {"memory": {"a": 1}}', 'spin.memory["a"] += 1')  # fmt: skip
    with pytest.raises(
        CallbackError, match=r"state 'free', spin 2 of its feature, callback storm\.py:storm, line 6: TypeError"
    ):
        played(written(source, states=("base", "free")))


SHOWN = """
    def storm(spin, draw):
        lines = sum(win.amount_units for win in spin.wins if win.evaluator == "lines")
        return {"wins": {"lines": lines, "stars": sum(reel.count("star") for reel in spin.grid), "draw": draw(7)}}
"""


def test_it_sees_the_spin_and_the_same_round_is_the_same(written: Written) -> None:
    path = written(SHOWN)
    first = played(path, 40)
    assert [o.digest() for o in first] == [o.digest() for o in played(path, 40)]
    for outcome in first:
        paid = outcome.spins[0]
        shown = {win.symbol: win.amount_units for win in paid.closing}
        assert shown.get("lines", 0) == sum(win.amount_units for win in paid.wins if win.evaluator == "lines")
        assert shown.get("stars", 0) == sum(reel.count("star") for reel in paid.window)
        assert paid.win_units == sum(win.amount_units for win in paid.wins) + sum(shown.values())
    assert len({win.amount_units for o in first for win in o.spins[0].closing if win.symbol == "draw"}) == 6


# -- draws --------------------------------------------------------------------------------------------------


class Recorded:
    """Draws that always give 0, and what was asked for."""

    def __init__(self) -> None:
        self.bounds: list[int] = []

    def below(self, n: int) -> int:
        self.bounds.append(n)
        return 0

    def index(self, weights: Sequence[int]) -> int:
        return index_at(weights, self.below(sum(weights)))


def test_draws_come_after_the_grid_and_before_the_triggers(written: Written) -> None:
    """As docs/rng.md says: stops, the transforms, the callback, the jackpot trigger."""
    text = GAME.replace(
        "[states.free]\n",
        '[[states.base.triggers]]\nname = "Grand"\nkind = "jackpot"\njackpot = "grand"\nchance = 1\nout_of = 1234\n\n'
        '[[states.base.transforms]]\nkind = "multiplier"\ntable = { 1 = 90, 2 = 9 }\n\n[states.free]\n',
    )
    build = load(written(body("draw(11)", "draw(12)"), text)).build()
    numbers = Recorded()
    reference.play_with(build, lambda sub_spin: numbers)
    assert numbers.bounds[:7] == [8, 8, 8, 99, 11, 12, 1234]


def test_draws_of_a_callback_count_for_a_spin(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "SPIN_DRAWS_MAX", 2048)
    many = """
        [[states.base.triggers]]
        name = "Many"
        kind = "bonus"
        symbol = "star"
        plays = { 3 = 63 }
        bonus = "many"

        [bonuses.many]
        kind = "take"
        prizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]
        take = 30
    """
    text = GAME.replace("[states.free]\n", textwrap.dedent(many) + "\n[states.free]\n")
    assert loads(text)
    with pytest.raises(ModelError, match="one spin could draw 2149 numbers"):
        load(written(body("return {}"), text))


# -- the same as the words ------------------------------------------------------------------------------------


def rounds(build: Build, n: int) -> list[tuple[int, int]]:
    """Win and number of spins of each round."""
    return [(o.win_units, len(o.spins)) for o in (reference.play(build, KEY, i) for i in range(n))]


def test_a_scatter_as_a_callback_pays_the_very_same(written: Written) -> None:
    text = GAME.replace('"lines", "stars"', '"lines"')
    text = text[: text.index("[evaluators.stars]")] + text[text.index("[states.base]") :]
    source = """
        PAYS = [0, 0, 1, 10]

        def storm(spin, draw):
            stars = min(sum(reel.count("star") for reel in spin.grid), 3)
            return {"wins": {"stars": PAYS[stars] * 3 * (2 if spin.state == "free" else 1)}}
    """
    words, called = loads(GAME).build(), load(written(source, text, states=("base", "free"))).build()
    expected = rounds(words, 600)
    assert rounds(called, 600) == expected
    assert any(spins > 1 for _, spins in expected)


def test_a_trigger_as_a_callback_awards_the_very_same(written: Written) -> None:
    start, end = GAME.index("[[states.base.triggers]]"), GAME.index("[states.free]")
    source = """
        def storm(spin, draw):
            stars = sum(reel.count("star") for reel in spin.grid)
            return {"spins": {"free": 4 if stars >= 3 else 0}}
    """
    words, called = loads(GAME).build(), load(written(source, GAME[:start] + GAME[end:])).build()
    expected = rounds(words, 600)
    assert rounds(called, 600) == expected
    assert any(spins > 1 for _, spins in expected)


def test_a_running_multiplier_as_a_callback_pays_the_very_same(written: Written) -> None:
    """`final` with `persist`: values in view add up over the feature and multiply its wins, by memory."""
    coins = '[[states.free.transforms]]\nkind = "values"\nsymbols = ["wild"]\ntable = { 2 = 3, 5 = 1 }\n\n'
    text = GAME.replace("[profiles.", coins + "[profiles.").replace(
        "spins = { 3 = 4 }", "spins = { 1 = 2, 2 = 5, 3 = 9 }"
    )
    final = '[states.free.final]\nname = "Final"\nsymbols = ["wild"]\npersist = true\n\n[profiles.'
    source = """
        def storm(spin, draw):
            won = sum(win.amount_units for win in spin.wins)
            if won == 0:
                return {"memory": spin.memory}
            reels = zip(spin.grid, spin.values)
            running = sum(v for reel, vs in reels for s, v in zip(reel, vs) if s == "wild") + (spin.memory or 0)
            return {"wins": {"more": won * (max(running, 1) - 1)}, "memory": running}
    """
    words = loads(text.replace("[profiles.", final)).build()
    called = load(written(source, text, states=("free",))).build()
    expected = rounds(words, 300)
    assert rounds(called, 300) == expected
    plain = rounds(loads(text).build(), 300)
    assert plain != expected


# -- the build ----------------------------------------------------------------------------------------------


def test_the_source_and_the_function_are_in_the_build_hash(written: Written) -> None:
    source = "def storm(spin, draw):\n    return {}\ndef other(spin, draw):\n    return {}\n"
    path = written(source)
    first = load(path).build()
    assert first.build_hash != loads(GAME).build().build_hash
    assert b'"callback":{"function":"storm","sha256":' in first.canonical
    assert b"return" not in first.canonical
    path.with_name("storm.py").write_text(source + "# a remark\n")
    assert load(path).build().build_hash != first.build_hash
    path.with_name("moved.py").write_text(source)
    text = path.read_text()
    path.write_text(text.replace("storm.py", "moved.py"))
    assert load(path).build().build_hash == first.build_hash
    path.write_text(text.replace("storm.py:storm", "moved.py:other"))
    assert load(path).build().build_hash not in (first.build_hash, loads(GAME).build().build_hash)


def test_a_build_needs_no_file_and_can_be_sent(written: Written) -> None:
    path = written(SHOWN)
    build = load(path).build()
    path.with_name("storm.py").unlink()
    sent = pickle.loads(pickle.dumps(build))
    assert sent == build
    assert sent.build_hash == build.build_hash
    assert reference.play(sent, KEY, 3) == reference.play(build, KEY, 3)


def test_the_engine_refuses_it_and_says_why(written: Written) -> None:
    build = load(written(SHOWN)).build()
    with pytest.raises(
        CallbackError, match=r"storm/main is not for the compiled engine\. Simulated only: state 'base' has"
    ):
        Engine(build)
