"""Line numbers of the keys of a TOML text, which `tomllib` does not tell.

A light scan: table headers, `key =` at the start of a line, and the entries of arrays that span lines,
counted by their commas. It is used for error messages only: what it does not recognise gets the line of
its parent.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=\s*(.*)""")
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")


def line_numbers(text: str) -> dict[str, int]:
    """1-based line of each dotted path, such as `states.base.triggers[0].name` or `strips.base[2]`."""
    found: dict[str, int] = {}
    table = ""
    tables: dict[str, int] = {}
    array, depth, index = "", 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = _STRING.sub('""', line).split("#", 1)[0]
        if depth == 0:
            header, key = _HEADER.match(line), _KEY.match(line)
            if header:
                table = header[2].replace(" ", "").replace('"', "")
                if header[1]:
                    tables[table] = tables.get(table, -1) + 1
                    table = f"{table}[{tables[table]}]"
                found.setdefault(table, number)
            if header or not key:
                continue
            name = re.sub(r"[\s\"']", "", key[1])
            array, index = (f"{table}.{name}" if table else name), 0
            found.setdefault(array, number)
            bare = bare.split("=", 1)[1]
            if not bare.lstrip().startswith("["):
                continue
        for character in bare:
            if character in "[{":
                depth += 1
                opened = depth == 1
            else:
                opened = False
            if depth and not opened and not character.isspace() and character not in ",]}":
                found.setdefault(f"{array}[{index}]", number)  # the first sign of an entry
            if character in "]}":
                depth -= 1
            elif character == "," and depth == 1:
                index += 1
    return found
