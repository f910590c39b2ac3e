"""Line numbers of the keys of a TOML text, which `tomllib` does not tell.

A light scan: table headers, `key =` at the start of a line, and entries of arrays written one a
line. It is used for error messages only, so what it does not recognise falls back to the parent.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=\s*(.*)""")
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
_ENTRY = re.compile(r"""\s*["'{\[0-9-]""")


def line_numbers(text: str) -> dict[str, int]:
    """1-based line of each dotted path, such as `states.base.triggers[0].name` or `strips.base[2]`."""
    found: dict[str, int] = {}
    table = ""
    tables: dict[str, int] = {}
    array, depth, index = "", 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = _STRING.sub('""', line).split("#", 1)[0]
        if depth > 0:
            if _ENTRY.match(line) and depth == 1:
                found.setdefault(f"{array}[{index}]", number)
                index += 1
            depth += bare.count("[") - bare.count("]")
            continue
        header = _HEADER.match(line)
        if header:
            table = header[2].replace(" ", "").replace('"', "")
            if header[1]:
                tables[table] = tables.get(table, -1) + 1
                table = f"{table}[{tables[table]}]"
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            name = re.sub(r"[\s\"']", "", key[1])
            array, index = (f"{table}.{name}" if table else name), 0
            found.setdefault(array, number)
            depth = bare.count("[") - bare.count("]")
    return found
