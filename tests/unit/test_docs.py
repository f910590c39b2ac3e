"""The documents tell the truth: each setting, command, field and code appears, each vector holds."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest
from rgs_server.config import Config
from rgs_server.contract.operations import OPERATIONS
from rgs_server.contract.problems import KINDS

from rgs_core import Engine, commitment, derive_key, games
from rgs_core.__main__ import COMMANDS
from rgs_core._rng import block, draw_below
from rgs_core.certified.certificate import FIGURES
from rgs_core.language.model_file import load

ROOT = Path(__file__).parents[2]


def doc(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_every_setting_with_its_default() -> None:
    text = doc("docs/operations.md")
    rows = dict(re.findall(r"^\| `(RGS_\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert rows.keys() == {f"RGS_{field.name.upper()}" for field in fields(Config)}
    for field in fields(Config):
        shown = rows[f"RGS_{field.name.upper()}"]
        if field.name != "master_key_file":
            assert shown == ("empty" if field.default == "" else f"`{field.default}`"), field.name


def test_every_command() -> None:
    assert f"`rgs {', '.join(COMMANDS)}`" in doc("CHANGELOG.md")
    used = set(
        re.findall(
            r"\brgs ([a-z]+(?:-stream)?)\b",
            "".join(
                map(
                    doc,
                    (
                        "README.md",
                        "docs/math-models.md",
                        "docs/math-tools.md",
                        "docs/exchange.md",
                        "math_models/README.md",
                    ),
                )
            ),
        )
    )
    assert used == COMMANDS.keys() - {"check"} | {"check"}
    make = doc("Makefile")
    for target in re.findall(
        r"\bmake ([a-z-]+)\b", doc("README.md") + doc("docs/operations.md") + doc("bench/README.md")
    ):
        assert f"\n{target}:" in make, target


def test_every_error_code() -> None:
    text = doc("docs/api.md")
    for code, kind in KINDS.items():
        row = next((line for line in text.splitlines() if line.startswith("|") and f"`{code}`" in line), "")
        assert row.startswith(f"| {kind.status} |"), code
        assert f"| {'yes' if kind.retryable else 'no'} | {kind.money_state} |" in row, code


def test_every_endpoint() -> None:
    text = doc("docs/api.md")
    pages = re.findall(r'add_get\("([^"]+)"', doc("server/rgs_server/app.py"))
    assert "/openapi.json" in pages
    endpoints = [(operation.method, operation.full_path) for operation in OPERATIONS]
    for method, path in [*endpoints, *(("GET", page) for page in pages if "assets" not in page)]:
        assert f"`{method} {path}`" in text, path


def test_every_model_field() -> None:
    """Each key that the loader knows is named in the page."""
    source = "".join(
        doc(f"src/rgs_core/language/{name}.py")
        for name in ("model_file", "mechanics_file", "states_file", "cells_file")
    )
    keys = {
        key
        for call in re.findall(r"self\.table\((.*?)\n?\s*\)\n", source, re.DOTALL)
        for key in re.findall(r'"(\w+)"', call)
    }
    text = doc("docs/math-models.md")
    assert len(keys) > 30
    missing = sorted(key for key in keys if not re.search(rf"`[\w.]*\b{key}\b|\.{key}\b|\b{key} = ", text))
    assert not missing


def test_every_certificate_figure() -> None:
    for figure in FIGURES:
        assert f"declared.{figure}" in doc("docs/math-models.md")


def test_limits_are_those_of_the_model() -> None:
    from rgs_core.exact.spin_paths import WALKED_MAX
    from rgs_core.language import model

    text = doc("docs/math-models.md")
    assert f"law up to {WALKED_MAX:,} combinations of draws" in text
    assert f"Symbols {model.SYMBOLS_MAX}, paylines {model.PAYLINES_MAX}, stops a strip {model.STOPS_MAX:,}" in text
    assert f"evaluators {model.EVALUATORS_MAX} and triggers {model.TRIGGERS_MAX} a state" in text
    assert f"draw at most {model.SPIN_DRAWS_MAX:,} numbers" in text
    assert model.WEIGHT_MAX == 2**24
    assert model.WEIGHT_TOTAL_MAX == 2**31
    assert model.WIN_UNITS_MAX == 2**62


def test_the_vectors_of_the_derivation() -> None:
    text = doc("docs/rng.md")
    seed = bytes(31) + b"\x01"
    key = derive_key(seed, "client")
    for value in (seed.hex(), commitment(seed), key.hex()):
        assert value in text
    for counter, nonce in ((0, 0), (1 << 8, 7)):
        words = [f"{word:08x}" for word in block(key, counter, 0, nonce)]
        assert f"{' '.join(words[:8])}\n    {' '.join(words[8:])}" in text
    bounds = [45, 44, 45, 45, 47]
    for nonce, sub_spin in ((0, 0), (7, 1)):
        drawn = " ".join(map(str, draw_below(key, nonce, bounds, sub_spin=sub_spin)[0]))
        assert re.search(rf"at nonce {nonce}, sub_spin {sub_spin} +{drawn}$", text, re.MULTILINE)
    outcome = Engine(load(games.find("lantern_tide")).build()).spin(key, 0)
    stops = " ".join(map(str, outcome.spins[0].stops))
    assert f"stops {stops}, win {outcome.win_units} units" in text
    assert outcome.digest() in text


def test_the_sheet_in_the_readme_is_the_sheet() -> None:
    from rgs_core.exact.analysis import analyse

    def percent(value: Fraction) -> str:
        return f"{float(value) * 100:.6f} %"

    text = doc("README.md")
    figures = analyse(load(games.find("lantern_tide")).build())
    assert figures.cycle is not None
    parts = " / ".join(percent(part) for part in figures.closed.rtp_parts.values())
    for shown in (
        f"**{percent(figures.closed.rtp)}**",
        f"{figures.cycle.combinations:,} combinations",
        parts,
        f"1 in {1 / float(figures.closed.feature_probability):.2f}",
        f"{float(figures.closed.free_spins_per_feature):.6f} spins, {float(figures.closed.feature_win):.6f} x",
        percent(figures.cycle.hit_frequency),
        f"{figures.cycle.sd:.6f} x",
        f"{figures.cycle.volatility_index():.4f}",
        figures.closed.build.build_hash,
    ):
        assert shown in text, shown


def test_the_table_of_shipped_games() -> None:
    text = doc("math_models/README.md")
    for path in games.shipped().values():
        for build in games.builds(load(path)):
            declared = tomllib.loads(games.certificate_path(path, build).read_text())["declared"]["rtp"]
            assert f"`{build.profile.name}` {declared * 100:.2f} %" in text


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", doc(name)):
        assert target.startswith("http") or ((ROOT / name).parent / target).exists(), target


def test_the_map_names_every_module() -> None:
    text = doc("docs/ARCHITECTURE.md")
    for folder in ("src/rgs_core", "server/rgs_server"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.stem != "__init__" and path.parent.name != "commands":  # one module for each command
                assert re.search(rf"\b{path.stem}\b", text), path


def test_every_line_of_a_model_file_in_the_docs_is_valid_toml() -> None:
    for fragment in re.findall(r"`(\w+ = [^`]+)`", doc("docs/math-models.md")):
        tomllib.loads(fragment)


def test_the_whole_game_of_the_page_is_one() -> None:
    from rgs_core.exact.analysis import analyse
    from rgs_core.language.model_file import loads

    (text,) = re.findall(r"```toml\n(.*?)```", doc("docs/math-models.md"), re.DOTALL)
    analysis = analyse(loads(text).build())
    assert analysis.cycle is not None
    assert 0.85 < analysis.closed.rtp < 1, float(analysis.closed.rtp)


def test_the_order_of_weighted_tables_in_the_derivation() -> None:
    from rgs_core.language import mechanics
    from rgs_core.language.model_file import loads

    text = doc("docs/rng.md")
    (whole,) = re.findall(r"```toml\n(.*?)```", doc("docs/math-models.md"), re.DOTALL)
    whole = whole.replace('[states.base]\nstrips = "base"', "[states.base]\nstrips = { last = 1, base = 2 }")
    whole = whole.replace("\nbase = [", "\nlast = [\n" + '  "A Q K",\n' * 3 + "]\nbase = [")
    whole += '[[states.free.transforms]]\nkind = "reveal"\nsymbol = "chest"\ntable = { Q = 1, K = 2, wild = 3 }\n'
    whole += '[[states.free.transforms]]\nkind = "multiplier"\ntable = { 5 = 1, 1 = 2 }\n'
    states = loads(whole).states
    assert states["base"].strip_sets == ("base", "last")
    assert "| strip sets and modifiers of a state | their names, as text |" in text
    reveal, multiplier = states["free"].transforms
    assert isinstance(reveal, mechanics.Reveal)
    assert isinstance(multiplier, mechanics.Multiplier)
    assert reveal.table.symbols == ("wild", "K", "Q")
    assert "| symbols: `reveal`, `special`, `become`, `leave` | the model's `symbols` |" in text
    assert multiplier.table.values == (1, 5)
    assert re.search(r"^\| numbers: .*`multiplier`.* \| ascending \|$", text, re.MULTILINE)
