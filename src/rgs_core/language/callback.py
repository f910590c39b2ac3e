"""Callbacks: the part of Python that they may use, and how one call is run.

A callback is a function of two arguments, what it sees of a spin (`View`) and `draw`. It can reach nothing
else: the file is read as a syntax tree, of which only listed words are allowed (no import, no name or attribute
that begins with an underscore, no method that is not listed), and it runs with a few built-in functions, none of
which knows files, clocks or chance. The file runs anew for every call, so nothing stays from one call to the next
but what the function returns as memory. Loops, functions and comprehensions count their steps, and arithmetic
bounds the size of what it makes, so that a mistake ends as an error and not as a machine at a standstill.

Whole numbers only, no sets and no text made of values: what a callback does depends on no platform, no order of
hashes and no address in memory. This keeps honest code pure. It is no jail: the file is code of the game's author.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from types import CodeType
from typing import Any

from rgs_core.errors import CallbackError
from rgs_core.language.mechanics import Callback
from rgs_core.outcome import CellTable, Win, Window

SOURCE_BYTES_MAX = 64 * 1024
STEPS_MAX = 100_000
"""Passes of loops and comprehensions, calls of functions of the file, and items of lists, dicts and texts that are
made at once, in one call of the callback."""

BITS_MAX = 256
"""Size of a number that an operator makes."""


@dataclass(frozen=True, slots=True)
class View:
    """What a callback sees of a spin, at its end.

    `grid` and `values` are by reel, from the top, 0 for a cell without a value; `wins` all wins of the spin so far.
    `index` is the number of the spin in its feature, from 0; `memory` what the callback returned as such there the
    last time, None in the first spin.
    """

    state: str
    index: int
    grid: Window
    values: CellTable
    wins: tuple[Win, ...]
    memory: object


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a callback file that is not allowed."""

    line: int
    message: str
    remedy: str


TOO_DEEP = Fault(1, "nested too deeply", "split long expressions")


class Refusal(Exception):
    """A call went beyond a bound, or used what it was given in a wrong way."""


# --- What is allowed -------------------------------------------------------------------------------

ALLOWED = (
    ast.Module, ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.For,
    ast.While, ast.If, ast.Break, ast.Continue, ast.Pass, ast.Expr, ast.Assert, ast.BoolOp, ast.BinOp, ast.UnaryOp,
    ast.Compare, ast.Call, ast.keyword, ast.IfExp, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Name,
    ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.expr_context,
    ast.boolop, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip

_NO_IMPORT = "import", "use its two arguments and the built-in functions that are there"
_NO_TRY = "try", "let an error end the round: it is reported with its line"
_NO_TEXT = "text made of values", "choose among written texts"
_NO_SET = "a set", "use a dict, whose order is that of writing"
_NO_GLOBAL = "return what is to be kept as memory"

REFUSED = {
    ast.Import: _NO_IMPORT,
    ast.ImportFrom: _NO_IMPORT,
    ast.alias: _NO_IMPORT,
    ast.Global: ("global", _NO_GLOBAL),
    ast.Nonlocal: ("nonlocal", _NO_GLOBAL),
    ast.Try: _NO_TRY,
    ast.ExceptHandler: _NO_TRY,
    ast.Raise: ("raise", "write assert"),
    ast.JoinedStr: _NO_TEXT,
    ast.FormattedValue: _NO_TEXT,
    ast.Set: _NO_SET,
    ast.SetComp: _NO_SET,
    ast.Starred: ("*", "write the items out, or add lists up"),
    ast.AnnAssign: ("a type at a variable", "leave it out"),
    ast.NamedExpr: (":=", "write an assignment"),
    ast.Div: ("/", "write //: there are whole numbers only"),
    ast.MatMult: ("@", "write a loop"),
}

METHODS = frozenset({
    "append", "count", "get", "index", "insert", "items", "keys", "pop", "remove", "reverse", "setdefault", "sort",
    "values",
})  # fmt: skip
ATTRIBUTES = METHODS | {field.name for record in (View, Win) for field in fields(record)}

OPERATORS: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
}


def faults(callback: Callback) -> list[Fault]:
    """All that is not allowed in a callback file, by line; nothing when it can be run."""
    try:
        tree = ast.parse(callback.source)
    except SyntaxError as error:
        return [Fault(error.lineno or 1, f"not valid Python: {error.msg}", "correct the syntax")]
    except ValueError as error:  # characters that are no text
        return [Fault(1, f"not valid Python: {error}", "correct the syntax")]
    except (RecursionError, MemoryError):
        return [TOO_DEEP]
    found = [*_function_faults(tree, callback.function), *(fault for node in ast.walk(tree) for fault in _faults(node))]
    found += _unknown_names(tree)
    if not found:
        try:
            compiled(callback)
        except SyntaxError as error:  # what only a whole function shows: return outside of one, break without a loop
            found.append(Fault(error.lineno or 1, f"not valid Python: {error.msg}", "correct the syntax"))
        except (RecursionError, MemoryError):
            found.append(TOO_DEEP)
    return sorted(set(found), key=lambda fault: (fault.line, fault.message))


def _function_faults(tree: ast.Module, name: str) -> Iterator[Fault]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not functions:
        yield Fault(1, f"no function '{name}'", f"write def {name}(spin, draw):")
    for node in functions:
        if len(node.args.args) != 2 or node.args.defaults:
            yield Fault(node.lineno, f"'{name}' has other arguments", f"write def {name}(spin, draw):")


def _faults(node: ast.AST) -> Iterator[Fault]:
    """What is wrong with one node, whatever is below it."""
    line = getattr(node, "lineno", 0)
    for kind in type(node), type(getattr(node, "op", None)):
        if kind in REFUSED:
            what, remedy = REFUSED[kind]
            yield Fault(line, f"{what} is not allowed", remedy)
    if not isinstance(node, ALLOWED):
        if line and type(node) not in REFUSED:
            yield Fault(line, f"{type(node).__name__} is not allowed", "write it with functions, loops and conditions")
        return
    match node:
        case ast.Constant(value=value) if type(value) not in (int, bool, str, type(None)):
            yield Fault(line, f"{type(value).__name__} is not allowed", "use whole numbers and text")
        case ast.Constant(value=int(value)) if value.bit_length() > BITS_MAX:
            yield Fault(line, f"a number of {value.bit_length()} bits", f"keep numbers below 2^{BITS_MAX}")
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.arg(arg=name) if name.startswith("_"):
            yield Fault(line, f"the name '{name}' begins with an underscore", "take another name")
        case ast.Attribute(attr=name, ctx=context):
            if name not in ATTRIBUTES:
                yield Fault(line, f"'.{name}' is not allowed", f"there are {', '.join(sorted(ATTRIBUTES))}")
            elif not isinstance(context, ast.Load):
                yield Fault(line, f"'.{name}' is read only", "keep what changes in variables")
        case ast.Subscript(slice=ast.Slice(), ctx=ast.Store() | ast.Del()):
            yield Fault(line, "a slice is read only", "make a new list")
        case ast.Compare(ops=ops, comparators=others) if any(isinstance(op, ast.Is | ast.IsNot) for op in ops):
            if not all(isinstance(other, ast.Constant) and other.value in (None, True, False) for other in others):
                yield Fault(line, "'is' with other things than None, True and False", "write ==")
        case ast.arguments(vararg=vararg, kwarg=kwarg) if vararg or kwarg:
            yield Fault((vararg or kwarg).lineno, "* is not allowed", "name the arguments")  # type: ignore[union-attr]
        case ast.keyword(arg=None):
            yield Fault(line, "** is not allowed", "name the arguments")
        case ast.Dict(keys=keys) if None in keys:
            yield Fault(line, "** is not allowed", "write the items out")


def _unknown_names(tree: ast.Module) -> Iterator[Fault]:
    """Names that nothing in the file gives a meaning and that are not built in."""
    known = {*BUILTINS, *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))}
    known |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    known |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in names:
        if node.id not in known and not node.id.startswith("_"):
            given = ", ".join(sorted(BUILTINS))
            yield Fault(node.lineno, f"'{node.id}' is not known here", f"built in are {given}")


# --- Bounds ----------------------------------------------------------------------------------------


class _Bounded(ast.NodeTransformer):
    """Lets every loop, function and comprehension count a step, and every operator look at what it makes."""

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_step()))
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_step()))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_step()))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        node.body = ast.BoolOp(ast.And(), [_step(), node.body])
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs.insert(0, _step())
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Slice):
            return ast.copy_location(_call("_made", node), node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(_call("_operate", _symbol(node.op), node.left, node.right), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        symbol, target = _symbol(node.op), node.target
        if isinstance(target, ast.Subscript):
            changed: ast.stmt = ast.Expr(_call("_augment", symbol, target.value, target.slice, node.value))
        else:
            assert isinstance(target, ast.Name)  # attributes cannot be changed
            changed = ast.Assign([target], _call("_operate", symbol, ast.Name(target.id, ast.Load()), node.value))
        return ast.copy_location(changed, node)


def _step() -> ast.Call:
    return ast.Call(ast.Name("_step", ast.Load()), [], [])


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


def _symbol(op: ast.operator) -> ast.Constant:
    return ast.Constant(OPERATORS[type(op)][0])


_OPERATIONS = dict(OPERATORS.values())


class _Budget:
    """Steps left in a call: one for each pass and call of a function, and for each item of what is made at once."""

    def __init__(self) -> None:
        self.left = STEPS_MAX
        made: dict[str, Callable[..., Any]] = {"list": list, "tuple": tuple, "sorted": sorted, "dict": dict}
        self.builtins = {**BUILTINS, "range": self.range, "sum": self.sum}
        self.builtins |= {name: self.making(function) for name, function in made.items()}

    def step(self) -> bool:
        """One step; True, so that it can stand in a condition."""
        self.left -= 1
        if self.left < 0:
            raise Refusal(f"more than {STEPS_MAX:,} steps")
        return True

    def spend(self, steps: int) -> None:
        """Several steps."""
        self.left -= max(steps, 0)
        if self.left < 0:
            raise Refusal(f"more than {STEPS_MAX:,} steps")

    def made(self, items: Any) -> Any:
        """Something that has just been made, with a step for each of its items."""
        self.spend(len(items))
        return items

    def making(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A built-in function that makes a list or dict."""
        return lambda *arguments, **named: self.made(function(*arguments, **named))

    def operate(self, symbol: str, left: Any, right: Any) -> Any:
        """`left symbol right` on whole numbers, joins and repetitions, unless the result is too large."""
        kinds = type(left), type(right)
        if all(kind in (int, bool) for kind in kinds):
            return _calculated(symbol, left, right)
        if symbol == "+" and kinds[0] is kinds[1] and kinds[0] in (list, tuple, str):
            self.spend(len(left) + len(right))
            return left + right
        if symbol == "*" and kinds[0] in (list, tuple, str) and kinds[1] is int:
            self.spend(len(left) * right)
            return left * right
        raise Refusal(f"{symbol} does not work with {kinds[0].__name__} and {kinds[1].__name__}")

    def augment(self, symbol: str, items: Any, key: Any, more: Any) -> None:
        """`items[key] symbol= more`, with the key looked at once."""
        items[key] = self.operate(symbol, items[key], more)

    def range(self, *bounds: int) -> range:
        """range, of at most STEPS_MAX numbers."""
        numbers = range(*bounds)
        try:
            if len(numbers) <= STEPS_MAX:
                return numbers
        except OverflowError:  # of numbers beyond the size of memory
            pass
        raise Refusal(f"a range of more than {STEPS_MAX:,} numbers")

    def sum(self, numbers: Iterable[int]) -> int:
        """sum, of numbers alone."""
        total = 0
        for number in numbers:
            self.step()
            total = self.operate("+", total, number)
        return total


def _calculated(symbol: str, left: int, right: int) -> Any:
    """A whole number of at most BITS_MAX bits."""
    bits = 0
    if symbol == "**":
        if right < 0:
            raise Refusal(f"a power of {right}; there are whole numbers only")
        bits = left.bit_length() * right
    elif symbol == "<<":
        bits = left.bit_length() + right
    if bits <= 2 * BITS_MAX:
        result = _OPERATIONS[symbol](left, right)
        if result.bit_length() <= BITS_MAX:
            return result
    raise Refusal(f"{symbol} gives a number of more than {BITS_MAX} bits")


BUILTINS: dict[str, Any] = {
    "abs": abs, "all": all, "any": any, "bool": bool, "dict": dict, "divmod": divmod, "enumerate": enumerate,
    "int": int, "len": len, "list": list, "max": max, "min": min, "range": range, "reversed": reversed,
    "sorted": sorted, "sum": sum, "tuple": tuple, "zip": zip,
}  # fmt: skip
"""What a callback finds without being given it; those that make something large count steps (`_Budget`)."""


# --- Running ---------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def compiled(callback: Callback) -> CodeType:
    """The code of a callback file that has no faults, with its bounds."""
    tree = ast.fix_missing_locations(_Bounded().visit(ast.parse(callback.source)))
    return compile(tree, callback.file, "exec", dont_inherit=True, optimize=0)


def run(callback: Callback, view: View, draw: Callable[[int], int]) -> object:
    """What the callback returns for a spin. Raises CallbackError with the line at which it failed."""
    budget = _Budget()
    namespace = {
        "__builtins__": budget.builtins,
        "_step": budget.step,
        "_made": budget.made,
        "_operate": budget.operate,
        "_augment": budget.augment,
    }
    try:
        exec(compiled(callback), namespace)
        return namespace[callback.function](view, draw)  # type: ignore[operator]
    except Exception as error:  # whatever the function raises is its author's to see
        kind = "" if isinstance(error, Refusal) else f"{type(error).__name__}: "
        raise CallbackError(f"{callback.label}, line {_line(callback, error)}: {kind}{error}") from None


def _line(callback: Callback, error: Exception) -> int:
    """The last line of the file on the way to an error."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == callback.file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
