"""Reels as other tools write them, read into cells that know their place in the file.

* CSV as Stake Engine's math-sdk has it: a column for each reel, a row for each stop, no header;
* YAML as slotopol has it: lists of reels, also below keys (an RTP, a name) and in several documents;
* JSON: {"set": [["A", "K"], ...]}, lists of reels below keys.

A file can hold several sets of reels. Each has a label: the file's name or the document's, and its keys. What is
read is bounded, and a set's cells are read only when somebody asks for them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rgs_core.errors import Problem, StripsError
from rgs_core.language.model import STOPS_MAX

FILE_BYTES_MAX = 4 * 1024 * 1024
YAML_BYTES_MAX = 1024 * 1024
"""YAML is read by plain Python, a megabyte in some ten seconds."""

FOLDER_FILES_MAX = 64
SETS_MAX = 1000
ENTRIES_MAX = 20_000
DEPTH_MAX = 4

SUFFIXES = (".csv", ".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Cell:
    """One stop as the file has it, and where: "row 3, column 2"."""

    text: str
    place: str


Reels = list[list[Cell]]


@dataclass(frozen=True, slots=True)
class FoundSet:
    """A set of reels in a file. `reels()` reads its cells; it raises StripsError with what is wrong."""

    label: str
    file: str
    reels: Callable[[], Reels]

    @property
    def name(self) -> str:
        """The last part of the label: a file's name, a key."""
        return self.label.rsplit("/", 1)[-1]

    def fits(self, label: str) -> bool:
        """Whether a label, or the end of one from a slash on, names this set."""
        return self.label == label or self.label.endswith(f"/{label}")


def find_sets(path: Path) -> list[FoundSet]:
    """Every set of reels in a file, or in the CSV files of a folder. Raises StripsError, OSError."""
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() == ".csv" and p.is_file())
        if not files:
            fail(str(path), "no CSV file in this folder", "name the folder with the reels, or one .yaml or .json file")
        if len(files) > FOLDER_FILES_MAX:
            fail(str(path), f"{len(files)} CSV files", f"give a folder with at most {FOLDER_FILES_MAX}")
        return [found for file in files for found in find_sets(file)]
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        fail(str(path), "not a file of reels that is known here", f"give a folder or one of {', '.join(SUFFIXES)}")
    text = _text(path, YAML_BYTES_MAX if suffix in (".yaml", ".yml") else FILE_BYTES_MAX)
    if suffix == ".csv":
        return [FoundSet(path.stem, str(path), lambda: _csv_reels(str(path), text))]
    found: list[FoundSet] = []
    for one in (_json_sets if suffix == ".json" else _yaml_sets)(path, text):
        found.append(one)
        if len(found) > SETS_MAX:
            fail(str(path), f"more than {SETS_MAX} sets of reels", "leave only those that are wanted")
    if not found:
        fail(str(path), "no lists of reels", "write a list of symbols for each reel: [[A, K, Q], [K, A, J], ...]")
    return found


def fail(path: str, message: str, remedy: str) -> NoReturn:
    """Raises StripsError with one problem."""
    raise StripsError([Problem(path, message, remedy)])


def _text(path: Path, bytes_max: int) -> str:
    size = path.stat().st_size
    if size > bytes_max:
        fail(str(path), f"{size:,} bytes long", f"keep it below {bytes_max:,} bytes")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StripsError([Problem(str(path), f"not UTF-8: {error}", "save it as UTF-8")]) from None


# -- CSV ---------------------------------------------------------------------------------------------


def _csv_reels(file: str, text: str) -> Reels:
    problems: list[Problem] = []
    reels: Reels = []
    ended: list[int] = []  # the row where a reel had its first empty cell, 0 while it has none
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        for row in rows:
            number = rows.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells):
                ended = [end or number for end in ended]
                continue
            if not reels:
                reels, ended = [[] for _ in cells], [0] * len(cells)
            if len(cells) != len(reels):
                problems.append(Problem(f"{file}, row {number}", *_ragged(cells, len(reels))))
                continue
            if max(map(len, reels)) >= STOPS_MAX:
                problems.append(Problem(f"{file}, row {number}", "too many rows", f"give at most {STOPS_MAX} stops"))
                break
            for column, cell in enumerate(cells):
                place = f"row {number}, column {column + 1}"
                if not cell:
                    ended[column] = ended[column] or number
                elif ended[column]:
                    gap = f"{file}, row {ended[column]}, column {column + 1}"
                    problems.append(Problem(gap, "empty, and the reel goes on below", "write its symbol"))
                    ended[column] = 0
                else:
                    reels[column].append(Cell(cell, place))
    except csv.Error as error:
        problems.append(Problem(f"{file}, row {rows.line_num}", f"not CSV: {error}", "correct it"))
    if not reels and not problems:
        problems.append(Problem(file, "empty", "write a column for each reel and a row for each stop"))
    problems += [
        Problem(f"{file}, row 1, column {column + 1}", "this reel is empty", "write its symbols or remove the column")
        for column, reel in enumerate(reels)
        if not reel and not problems
    ]
    if problems:
        raise StripsError(problems[:20])
    return reels


def _ragged(cells: list[str], columns: int) -> tuple[str, str]:
    """Message and remedy for a row with another number of cells than the first."""
    count = f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}, {columns} above"
    if len(cells) == 1 and any(sign in cells[0] for sign in ";\t"):
        return count, "separate the reels with commas"
    return count, "give every reel a cell, an empty one at the bottom of a shorter reel"


# -- YAML and JSON -------------------------------------------------------------------------------------


def _yaml_sets(path: Path, text: str) -> Iterator[FoundSet]:
    yaml = _yaml()
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.BaseLoader))  # every scalar stays text
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise StripsError([Problem(where, f"not YAML: {error.problem or error.context}", "correct it")]) from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise StripsError([Problem(str(path), f"not YAML: {first}", "correct it")]) from None
    except RecursionError:
        raise StripsError([Problem(str(path), "nested without end", "write lists of reels")]) from None
    label = path.stem
    budget = [ENTRIES_MAX]
    for document in documents:
        if isinstance(document, yaml.ScalarNode):
            label = str(document.value)  # a line of text names the documents that follow it
        elif document is not None:
            yield from _yaml_walk(yaml, path, document, label, budget)


def _yaml_walk(yaml: Any, path: Path, node: Any, label: str, budget: list[int], depth: int = 0) -> Iterator[FoundSet]:
    budget[0] -= 1
    if budget[0] < 0 or depth > DEPTH_MAX:
        fail(str(path), "too many keys, or too deep", "leave only the reels")
    if isinstance(node, yaml.SequenceNode):
        yield FoundSet(label, str(path), lambda: _yaml_reels(yaml, path, node))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                fail(_marked(path, key), "a key that is no text", "write a name or an RTP")
            yield from _yaml_walk(yaml, path, value, f"{label}/{key.value}", budget, depth + 1)


def _yaml_reels(yaml: Any, path: Path, node: Any) -> Reels:
    def items(value: Any) -> list[Any] | None:
        return list(value.value) if isinstance(value, yaml.SequenceNode) else None

    def cell(value: Any, reel: int, stop: int) -> Cell | None:
        place = f"line {value.start_mark.line + 1}, column {value.start_mark.column + 1}"
        return Cell(str(value.value).strip(), place) if isinstance(value, yaml.ScalarNode) else None

    return _listed(str(path), node, items, cell)


def _marked(path: Path, node: Any) -> str:
    return f"{path}, line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"


def _yaml() -> Any:
    """PyYAML. StripsError says how to install it."""
    try:
        import yaml
    except ImportError:
        raise StripsError(
            [
                Problem(
                    "YAML",
                    "PyYAML is not installed",
                    "install it: pip install 'rgs-core[exchange]' or pip install pyyaml",
                )
            ]
        ) from None
    return yaml


def _json_sets(path: Path, text: str) -> Iterator[FoundSet]:
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}, column {error.colno}"
        raise StripsError([Problem(where, f"not JSON: {error.msg}", "correct it")]) from None
    except (ValueError, RecursionError) as error:
        message = "nested without end" if isinstance(error, RecursionError) else str(error)
        raise StripsError([Problem(str(path), message, "correct it")]) from None
    yield from _json_walk(path, document, path.stem, [ENTRIES_MAX])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key '{next(n for n in names if names.count(n) > 1)}' is there twice")
    return found


def _json_walk(path: Path, value: Any, label: str, budget: list[int], depth: int = 0) -> Iterator[FoundSet]:
    budget[0] -= 1
    if budget[0] < 0 or depth > DEPTH_MAX:
        fail(str(path), "too many keys, or too deep", "leave only the reels")
    if isinstance(value, list):
        yield FoundSet(label, str(path), lambda: _json_reels(path, label, value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _json_walk(path, item, f"{label}/{key}", budget, depth + 1)


def _json_reels(path: Path, label: str, value: list[Any]) -> Reels:
    def items(item: Any) -> list[Any] | None:
        return item if isinstance(item, list) else None

    def cell(item: Any, reel: int, stop: int) -> Cell | None:
        known = isinstance(item, str) or (isinstance(item, int) and not isinstance(item, bool))
        return Cell(str(item).strip(), f"{label}, reel {reel}, stop {stop}") if known else None

    return _listed(str(path), value, items, cell)


def _listed(
    file: str,
    node: Any,
    items: Callable[[Any], list[Any] | None],
    cell: Callable[[Any, int, int], Cell | None],
) -> Reels:
    """Cells of a list of lists of symbols, whatever holds them."""
    problems: list[Problem] = []
    reels: Reels = []
    for number, raw in enumerate(items(node) or [], start=1):
        where = f"{file}, reel {number}"
        stops = items(raw)
        if stops is None:
            fail(
                where, "one symbol where a list is expected", "write a list of symbols for each reel: [[A, K], [K, Q]]"
            )
        if not 1 <= len(stops) <= STOPS_MAX:
            problems.append(Problem(where, f"{len(stops)} stops", f"give 1 to {STOPS_MAX}"))
            continue
        reel: list[Cell] = []
        for position, item in enumerate(stops, start=1):
            read = cell(item, number, position)
            if read is None:
                problems.append(Problem(f"{where}, stop {position}", "not a symbol", "write a name or a whole number"))
                break
            reel.append(read)
        reels.append(reel)
        if len(reels) > FOLDER_FILES_MAX:
            fail(file, f"more than {FOLDER_FILES_MAX} reels", "write a list for each reel")
    if not reels and not problems:
        problems.append(Problem(file, "an empty list of reels", "write a list of symbols for each reel"))
    if problems:
        raise StripsError(problems[:20])
    return reels
