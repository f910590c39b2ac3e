"""Reels of other tools as a profile of a model: which set becomes which, what their symbols are called here.

The result is the text of a profile table, `[profiles.NAME.strips]`, and the text of a model file with it.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rgs_core.errors import ModelError, Problem, StripsError
from rgs_core.language import model as m
from rgs_core.language.model_file import FILE_BYTES_MAX, loads
from rgs_core.language.reading import NAME, RESERVED
from rgs_core.language.strip_files import FoundSet, fail

SHOWN_LABELS = 12

Strips = Mapping[str, tuple[m.Strip, ...]]
"""Reels by strip set."""


def pairs(text: str, form: str) -> dict[str, str]:
    """`A=x,B=y` as a dict. Raises ValueError that shows the form."""
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = (part.strip() for part in item.partition("="))
        if not (left and equals and right):
            raise ValueError(f"'{item}' is not of the form {form}")
        if left in found:
            raise ValueError(f"'{left}' is there twice")
        found[left] = right
    if not found:
        raise ValueError(f"nothing given; write {form}")
    return found


def strip_sets(model: m.Model) -> dict[str, int]:
    """Strip sets that the model's states use, each with its number of reels."""
    profile = next(iter(model.profiles.values()))
    return {name: len(strips) for name, strips in profile.strips.items()}


def choose(
    model: m.Model, found: Sequence[FoundSet], mapping: Mapping[str, str] | None, single: str | None
) -> dict[str, FoundSet]:
    """Which found set becomes which strip set: as `mapping` says, label to set; else by name; else the only one."""
    sets = strip_sets(model)
    for name in [*(mapping or {}).values(), *([single] if single else [])]:
        if name not in sets:
            fail(f"strip set '{name}'", "no state uses it", _near(name, list(sets)))
    if mapping:
        return _mapped(found, mapping)
    if len(found) == 1:
        return {single or model.states[m.START_STATE].strips: found[0]}
    names = [one.name for one in found]
    if single is None and set(names) <= set(sets) and len(set(names)) == len(names):
        return dict(zip(names, found, strict=True))
    fail(
        f"{len(found)} sets of reels",
        _labels(found),
        f"say which is which: --map {','.join(f'{n}={s}' for n, s in zip(names, sets, strict=False))}",
    )


def _mapped(found: Sequence[FoundSet], mapping: Mapping[str, str]) -> dict[str, FoundSet]:
    chosen: dict[str, FoundSet] = {}
    for label, name in mapping.items():
        exact = [one for one in found if one.label == label]
        fitting = exact or [one for one in found if one.fits(label)]
        if not fitting:
            known = [*(one.name for one in found), *(one.label for one in found)]
            near = difflib.get_close_matches(label, known, n=1)
            fail(
                f"'{label}'",
                "no such set of reels",
                f"did you mean '{near[0]}'?" if near else f"there is {_labels(found)}",
            )
        if len(fitting) > 1:
            fail(f"'{label}'", f"fits {len(fitting)} sets of reels", f"write more of the label: {_labels(fitting)}")
        if name in chosen:
            fail(f"strip set '{name}'", "named twice", "give each set of the model one set of reels")
        chosen[name] = fitting[0]
    return chosen


def _labels(found: Sequence[FoundSet]) -> str:
    shown = ", ".join(one.label for one in found[:SHOWN_LABELS])
    return shown if len(found) <= SHOWN_LABELS else f"{shown} and {len(found) - SHOWN_LABELS} more"


def checked_symbols(model: m.Model, symbols: Mapping[str, str]) -> Mapping[str, str]:
    """`symbols` when the model has all that it names. Raises StripsError."""
    problems = [
        Problem(f"--symbols {theirs}={ours}", f"unknown symbol '{ours}'", _near(ours, model.symbols))
        for theirs, ours in symbols.items()
        if ours not in model.symbols
    ]
    if problems:
        raise StripsError(problems)
    return symbols


def translate(model: m.Model, chosen: Mapping[str, FoundSet], symbols: Mapping[str, str]) -> Strips:
    """Reads the chosen sets. A symbol is what `symbols` says, else itself; a number counts the model's symbols from 1.

    Numbers are not counted where `symbols` names one: then it has to name them all. Raises StripsError with
    every problem: each unknown symbol once, with its first place.
    """
    numbered = not any(_is_number(theirs) for theirs in symbols)
    problems: list[Problem] = []
    strips: dict[str, tuple[m.Strip, ...]] = {}
    for name, one in chosen.items():
        try:
            reels = one.reels()
        except StripsError as error:
            problems += error.problems
            continue
        wanted = strip_sets(model)[name]
        if len(reels) != wanted:
            message = f"{len(reels)} reels, set '{name}' of the model has {wanted}"
            problems.append(Problem(f"{one.file} ({one.name})", message, "give a column or list for each reel"))
        unknown: dict[str, list[str]] = {}
        translated: list[m.Strip] = []
        for reel in reels:
            stops: list[str] = []
            for cell in reel:
                ours = symbols.get(cell.text, cell.text)
                if ours in model.symbols:
                    stops.append(ours)
                elif numbered and _is_number(ours) and 1 <= int(ours) <= len(model.symbols):
                    stops.append(model.symbols[int(ours) - 1])
                else:
                    unknown.setdefault(cell.text, []).append(cell.place)
            translated.append(m.Strip(tuple(stops), (1,) * len(stops)))
        for text, places in unknown.items():
            times = f", {len(places)} times" if len(places) > 1 else ""
            problems.append(
                Problem(
                    f"{one.file}, {places[0]}", f"unknown symbol {_shown(text)}{times}", _remedy(model, text, numbered)
                )
            )
        strips[name] = tuple(translated)
    if problems:
        raise StripsError(problems)
    return strips


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,4}", text) is not None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:21]}...")


def _remedy(model: m.Model, text: str, numbered: bool) -> str:
    if _is_number(text):
        if not numbered:
            return f"name it too: --symbols {text}=SYMBOL"
        return f"the model has {len(model.symbols)} symbols, counted from 1; name it: --symbols {text}=SYMBOL"
    lowered = {symbol.lower(): symbol for symbol in model.symbols}
    near = difflib.get_close_matches(text.lower(), list(lowered), n=1)
    say = f"say what it is: --symbols {text if re.fullmatch(r'[^=,]{1,24}', text) else 'NAME'}=SYMBOL"
    return f"did you mean '{lowered[near[0]]}'? {say}" if near else f"{say}; symbols: {', '.join(model.symbols)}"


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"


def completed(model: m.Model, strips: Strips, profile: str | None) -> Strips:
    """`strips` with the sets that it lacks taken from a profile of the model, in the model's order."""
    if profile is None:
        others: Strips = {}
    elif profile in model.profiles:
        others = model.profiles[profile].strips
    else:
        fail(f"profile '{profile}'", "the model has no such profile", _near(profile, list(model.profiles)))
    return {name: strips.get(name) or others[name] for name in strip_sets(model) if name in strips or name in others}


# -- as text ---------------------------------------------------------------------------------------------


def strip_text(strip: m.Strip) -> str:
    """A strip as a model file has it, with runs of equal stops as A*3."""
    tokens: list[str] = []
    for (symbol, weight), run in itertools.groupby(zip(strip.symbols, strip.weights, strict=True)):
        count = len(list(run))
        tokens.append(symbol + (f"*{count}" if count > 1 else "") + (f":{weight}" if weight != 1 else ""))
    return " ".join(tokens)


def profile_text(name: str, strips: Strips) -> str:
    """The table of a profile, `[profiles.NAME.strips]`, as TOML. Raises ValueError for a name that is none."""
    if not NAME.fullmatch(name) or name == RESERVED:
        raise ValueError(f"'{name}' is not a name of a profile; use letters, digits and _, at most 32, first a letter")
    lines = [f"[profiles.{name}.strips]"]
    for key, reels in strips.items():
        bare = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
        lines += [f"{bare} = [", *(f'  "{strip_text(strip)}",' for strip in reels), "]"]
    return "\n".join(lines) + "\n"


def with_profile(text: str, source: str, name: str, section: str) -> str:
    """The text of a model file with one more profile at its end; checked to load, with all other builds unchanged.

    Raises StripsError when the profile is already there or the file would not load with it.
    """
    before = loads(text, source, Path(source).parent)
    if name in before.profiles:
        fail(f"profile '{name}'", f"{source} has it already, and it is not replaced", "take another name")
    newline = "\r\n" if "\r\n" in text else "\n"
    longer = text.rstrip() + newline * 2 + section.replace("\n", newline)
    if len(longer.encode()) > FILE_BYTES_MAX:
        fail(source, "too long with the profile", f"keep it below {FILE_BYTES_MAX:,} bytes")
    try:
        after = loads(longer, source, Path(source).parent)
    except ModelError as error:
        raise StripsError(list(error.problems)) from None
    if any(after.build(other).build_hash != before.build(other).build_hash for other in before.profiles):
        fail(source, "the profile would change other builds", "add it by hand")
    return longer
