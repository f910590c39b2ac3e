"""Finds model files and certificates: shipped games by id, any other file by path."""

from __future__ import annotations

from pathlib import Path

import rgs_models

from rgs_core.language.model import BASE_MODE, Build, Model
from rgs_core.language.model_file import load


def folder() -> Path:
    """The folder of the shipped games (math_models/ in a checkout)."""
    # A data-only package: in an editable install its path also holds a marker that is no folder.
    return next(Path(path) for path in rgs_models.__path__ if Path(path).is_dir())


def shipped() -> dict[str, Path]:
    """Model file by id of every shipped game, in alphabetical order."""
    return {path.stem: path for path in sorted(folder().glob("*.toml"))}


def find(name: str) -> Path:
    """The file of a game given as a path or as a shipped id. FileNotFoundError says what exists."""
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {name}")
        return path
    games = shipped()
    if name not in games:
        raise FileNotFoundError(f"no game '{name}'; shipped: {', '.join(games)}; or give the path of a .toml file")
    return games[name]


def find_build(name: str, profile: str | None = None, mode: str | None = None) -> tuple[Build, Path]:
    """A build from GAME, GAME/PROFILE, GAME/PROFILE@MODE or a path, and the file it came from.

    Raises FileNotFoundError, ModelError, or KeyError for an unknown profile or mode.
    """
    if mode is None and not Path(name).exists() and name.count("@") == 1:
        name, mode = name.split("@")
    if profile is None and not Path(name).exists() and name.count("/") == 1:
        name, profile = name.split("/")
    path = find(name)
    return load(path).build(profile, mode or BASE_MODE), path


def builds(model: Model) -> list[Build]:
    """Every build of a model, in the order of its file."""
    return [model.build(profile) for profile in model.profiles]


def modes(build: Build) -> list[Build]:
    """A build in its base mode and in every other mode of its model."""
    return [build.model.build(build.profile.name, mode) for mode in (BASE_MODE, *build.model.modes)]


def certificate_path(model_path: Path, build: Build) -> Path:
    """Where the certificate of a build lies: certificates/GAME.PROFILE.toml beside the model file, or
    GAME.PROFILE.MODE.toml for a mode other than the base one."""
    mode = "" if build.mode == BASE_MODE else f".{build.mode}"
    return model_path.parent / "certificates" / f"{build.model.id}.{build.profile.name}{mode}.toml"
