"""Who may import whom, and other rules of the house (docs/ARCHITECTURE.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "src/rgs_core").rglob("*.py"))
MONITOR_TESTS = {"evidence", "exact_sum", "p_values"}
SERVER = sorted((ROOT / "server/rgs_server").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Modules that a file imports, dotted; names imported from a package count as modules too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.stem)
def test_the_core_knows_no_service_no_network_no_database(path: Path) -> None:
    banned = {"rgs_server", "socket", "asyncio", "aiohttp", "asyncpg", "sqlite3", "random", "scipy", "requests"}
    # statistical tests alone need it
    tests = path.stem in ("battery", "significance") or (path.parent.name == "monitor" and path.stem in MONITOR_TESTS)
    known = {"scipy"} if tests else set()
    assert not {name.split(".")[0] for name in imports(path)} & banned - known


@pytest.mark.parametrize(
    "path", [p for p in CORE if "commands" not in p.parts and p.name != "__main__.py"], ids=lambda p: p.stem
)
def test_the_library_knows_no_clock_and_no_environment(path: Path) -> None:
    """But for RGS_SIMD, which picks among kernels that all give the same bits."""
    known = {"os"} if path.stem == "simd" else set()
    assert not imports(path) & {"time", "datetime", "os", "os.environ", "logging", "rich"} - known


def test_the_reference_is_an_oracle() -> None:
    """It shares the model and the record types with the engine, and nothing else; callbacks are its own."""
    parts = sorted((ROOT / "src/rgs_core/reference").glob("*.py"))
    ours = {name for path in parts for name in imports(path) if name.startswith("rgs_core")}
    known = {"errors", "outcome", "language.callback", "language.mechanics", "language.model"}
    modules = {
        ".".join(name.split(".")[1 : 3 if ".language." in name else 2])
        for name in ours - {"rgs_core", "rgs_core.language"}
    }
    assert modules - {"reference"} == known


def test_model_and_records_import_nothing_of_the_engine() -> None:
    ground = ("outcome", "errors", "seeds", "exact/stats", "exact/feature", "exact/awarding")
    words = [f"language/mechanics/{path.stem}" for path in (ROOT / "src/rgs_core/language/mechanics").glob("*.py")]
    for name in (*ground, "language/model", *words, "language/toml_lines"):
        ours = {i for i in imports(ROOT / f"src/rgs_core/{name}.py") if i.startswith("rgs_core")}
        known = ("rgs_core.errors", "rgs_core.language.mechanics", "rgs_core.exact.awarding")
        assert all(i.startswith(known) or i in ("rgs_core.language", "rgs_core.exact") for i in ours), name


@pytest.mark.parametrize("path", SERVER, ids=lambda p: p.stem)
def test_the_service_does_no_mathematics(path: Path) -> None:
    names = imports(path)
    assert not {name.split(".")[0] for name in names} & {"numpy", "scipy", "random"}
    banned = ("rgs_core.reference", "rgs_core.exact", "rgs_core.simulation", "rgs_core.engine", "rgs_core.tuning")
    assert not [name for name in names if name.startswith(banned)]


def test_sql_is_in_sql_files_and_each_statement_has_its_method() -> None:
    from rgs_server.audit import audit_store
    from rgs_server.store import QUERIES, Store

    assert {name for name in vars(Store) if not name.startswith("_")} == QUERIES.keys()
    in_log = {name for name in vars(audit_store.AuditStore) if not name.startswith("_")}
    assert in_log == audit_store.QUERIES.keys()
    statement = re.compile(r"\"[^\"]*\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
    for path in SERVER:
        if path.name != "store.py":
            assert not statement.search(path.read_text("utf-8")), path


def test_only_config_reads_the_environment() -> None:
    for path in SERVER:
        if path.name not in ("config.py", "supervisor.py"):  # the supervisor hands it on to its workers
            assert "os.environ" not in path.read_text("utf-8"), path


def test_headers_know_no_python() -> None:
    for path in (ROOT / "ext/rgs_core").glob("*.h"):
        included = re.findall(r"#include [<\"]([\w./]+)[>\"]", path.read_text())
        assert not [name for name in included if "Python" in name or "numpy" in name]


def test_every_cython_function_says_how_it_fails() -> None:
    for path in (ROOT / "ext/rgs_core").glob("*.pyx"):
        for line in path.read_text().splitlines():
            if re.match(r"\s*cdef \w[\w ]* \*?\w+\(.*\):", line) and "object" not in line.split("(")[0]:
                assert "noexcept" in line or "except " in line, f"{path.name}: {line}"


def test_math_models_holds_no_code() -> None:
    assert {path.suffix for path in (ROOT / "math_models").rglob("*") if path.is_file()} <= {".toml", ".md"}


def test_names_that_say_nothing_are_not_used() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert not {path.stem for path in [*CORE, *SERVER]} & banned
