"""Reads a folder of books as a publisher does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rgs_core.books.files import zstandard

Book = dict[str, Any]


def read(folder: Path, mode: str = "base", cost: float = 1.0) -> tuple[list[Book], list[tuple[int, int, int]]]:
    """Books and table of a mode of a folder, found as a publisher finds them: through index.json."""
    modes = json.loads((folder / "index.json").read_text())["modes"]
    (entry,) = (entry for entry in modes if entry["name"] == mode)
    assert entry == {
        "name": mode,
        "cost": cost,
        "events": f"books_{mode}.jsonl.zst",
        "weights": f"lookUpTable_{mode}_0.csv",
    }
    files = {entry[file] for entry in modes for file in ("events", "weights")}
    assert {path.name for path in folder.iterdir()} == {"index.json", *files}
    with zstandard().open(folder / entry["events"], "rt", encoding="utf-8") as file:
        books = [json.loads(line) for line in file]
    rows = []
    for line in (folder / entry["weights"]).read_text().splitlines():
        number, weight, payout = line.split(",")
        rows.append((int(number), int(weight), int(payout)))
    return books, rows
