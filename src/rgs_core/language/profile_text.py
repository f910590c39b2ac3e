"""Profiles as text of a model file: written as people write them, and added to a file that exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from rgs_core.errors import TuningError
from rgs_core.language.model import Build, Strip
from rgs_core.language.model_file import loads
from rgs_core.language.reading import NAME, RESERVED


def strip_text(strip: Strip) -> str:
    """A strip as in a model file: `A K Q*3 W:5`. A weight is written at each stop, 1 is left out."""
    tokens = []
    for (symbol, weight), run in groupby(zip(strip.symbols, strip.weights, strict=True)):
        length = len(list(run))
        repeat = f"*{length}" if length > 1 else ""
        tokens.append(f"{symbol}{repeat}" if weight == 1 else f"{symbol}{repeat}:{weight}")
    return " ".join(tokens)


def profile_text(name: str, strips: Mapping[str, tuple[Strip, ...]], remarks: Sequence[str] = ()) -> str:
    """The TOML text of a profile, with comments above it."""
    lines = [*(f"# {remark}" for remark in remarks), f"[profiles.{name}.strips]"]
    for key, reels in strips.items():
        lines += [f"{key} = [", *(f'  "{strip_text(strip)}",' for strip in reels), "]"]
    return "\n".join(lines) + "\n"


def check_name(build: Build, name: str) -> None:
    """Raises TuningError when a new profile cannot have this name."""
    if not NAME.fullmatch(name) or name == RESERVED:
        raise TuningError(f"'{name}' is no name of a profile; use letters, digits and _, at most 32, first a letter")
    if name in build.model.profiles:
        raise TuningError(f"{build.model.id} has a profile '{name}' already; take another name for --out")


def with_profile(text: str, name: str, addition: str, source: str) -> tuple[str, Build]:
    """The text of the model file `source` with a profile added at its end, and the new build, read back from that.

    Raises ModelError when the whole is no model file any more.
    """
    longer = f"{text.rstrip()}\n\n{addition}"
    return longer, loads(longer, source=source, folder=Path(source).parent).build(name)
