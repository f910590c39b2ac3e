"""The wheel holds both packages, the extension, the games and the SQL, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rgs_core import games

ROOT = Path(__file__).parents[2]
SOURCES = ["pyproject.toml", "setup.py", "README.md", "LICENSE", "ext", "src", "server", "math_models"]


@pytest.mark.timeout(600)
def test_the_wheel_is_complete(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    ignore = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=ignore)
        else:
            shutil.copy(path, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        "rgs_core/__init__.py",
        "rgs_core/py.typed",
        "rgs_core/_engine.pyi",
        "rgs_core/commands/verify.py",
        "rgs_core/language/templates/lines.toml",
        "rgs_models/lantern_tide.toml",
        "rgs_models/certificates/lantern_tide.rtp_96.toml",
        "rgs_server/app.py",
        "rgs_server/sql/schema.sql",
        "rgs_server/sql/queries.sql",
    }
    assert expected <= names
    assert {n.split("/")[0].split("-")[0] for n in names} == {"rgs_core", "rgs_models", "rgs_server"}
    assert sum(name.endswith(".so") for name in names) == 3
    unpacked = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(unpacked)
    code = "from rgs_core import games; import rgs_core; print(rgs_core.__file__, *games.shipped())"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(unpacked)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [str(unpacked / "rgs_core/__init__.py"), *games.shipped()]
