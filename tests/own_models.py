"""Models of a studio's own for tests: shipped games under another id, with the certificates that they then need."""

from __future__ import annotations

import re
from pathlib import Path

from rgs_core import games
from rgs_core.language.model import Build
from rgs_core.language.model_file import load


def add_model(folder: Path, name: str, shipped: str = "clockwork_aviary") -> Build:
    """Puts a copy of a shipped game into a folder of models; its first build."""
    source = games.find(shipped)
    (folder / "certificates").mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(source.read_text("utf-8").replace(f'id = "{shipped}"', f'id = "{name}"'), "utf-8")
    model = load(file)
    for build in (played for first in games.builds(model) for played in games.modes(first)):
        old = games.certificate_path(source, load(source).build(build.profile.name, build.mode)).read_text("utf-8")
        text = re.sub(r'^build_hash = ".*"', f'build_hash = "{build.build_hash}"', old, flags=re.MULTILINE)
        games.certificate_path(file, build).write_text(text.replace(f'game = "{shipped}"', f'game = "{name}"'), "utf-8")
    return model.build()


def remove_model(folder: Path, name: str) -> None:
    """Takes a model and its certificates away."""
    (folder / f"{name}.toml").unlink()
    for certificate in (folder / "certificates").glob(f"{name}.*"):
        certificate.unlink()
