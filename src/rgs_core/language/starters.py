"""Starter models: commented games to begin with, one file for each kind in rgs_core/language/templates.

A template is itself a valid model file, of a game called `my_game` with the title `My Game`; a new kind is a
new file. Its first line, a comment, says what it is.
"""

from __future__ import annotations

import re
from importlib.resources import files

GAME_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
DEFAULT_KIND = "lines"
TEMPLATE_ID, TEMPLATE_TITLE = "my_game", "My Game"


def kinds() -> dict[str, str]:
    """What each kind of starter is, by its name, in alphabetical order."""
    found: dict[str, str] = {}
    for entry in sorted(files("rgs_core.language").joinpath("templates").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            first = entry.read_text("utf-8").split("\n", 1)[0]
            found[entry.name.removesuffix(".toml")] = first.lstrip("# ").rstrip()
    return found


def starter(game_id: str, kind: str = DEFAULT_KIND) -> str:
    """The text of a new model file. Raises ValueError for an id that is none, KeyError for an unknown kind."""
    if not GAME_ID.fullmatch(game_id):
        raise ValueError(
            f"'{game_id}' is not an id; use small letters, digits and _, at most 64, first a letter{_hint(game_id)}"
        )
    if kind not in kinds():
        raise KeyError(f"no starter '{kind}'; there is {', '.join(kinds())}")
    text = files("rgs_core.language").joinpath("templates", f"{kind}.toml").read_text("utf-8")
    return text.replace(TEMPLATE_TITLE, title_of(game_id)).replace(TEMPLATE_ID, game_id)


def title_of(game_id: str) -> str:
    """A title for people: `lucky_7s` is `Lucky 7s`."""
    return " ".join(word.capitalize() for word in game_id.split("_") if word)


def _hint(name: str) -> str:
    """An id close to a name that is none, as a question."""
    bare = name.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".toml")
    near = re.sub(r"[^a-z0-9]+", "_", bare.lower()).strip("_0123456789")[:64]
    return f": {near}?" if near and GAME_ID.fullmatch(near) else ""
