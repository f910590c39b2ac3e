"""The builds this service can play: model files with a certificate for each profile.

A build without a certificate that names its hash is not loaded and stops the start: odds that nobody
declared are never played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rgs_core import games
from rgs_core._engine import Engine
from rgs_core.certified.certificate import Certificate, load_certificate
from rgs_core.errors import CallbackError, CertificateError
from rgs_core.language.model import Build
from rgs_core.language.model_file import load


@dataclass(frozen=True)
class Playable:
    """A certified build with its compiled engine."""

    build: Build
    engine: Engine
    certificate: Certificate


def load_catalogue(models_dir: str) -> Mapping[str, Playable]:
    """Every certified build by its hash: shipped games, then those of a folder.

    Raises ModelError, CertificateError, FileNotFoundError for a missing folder, or CallbackError: the service plays
    compiled builds only.
    """
    paths = list(games.shipped().values())
    if models_dir:
        folder = Path(models_dir)
        if not folder.is_dir():
            raise FileNotFoundError(f"RGS_MODELS_DIR: no folder {folder}")
        paths += sorted(folder.glob("*.toml"))
    catalogue: dict[str, Playable] = {}
    for path in paths:
        for build in games.builds(load(path)):
            if build.model.callbacks:
                raise CallbackError(
                    f"{path}: {build.label} cannot be served. {build.model.callback_note} "
                    "Keep its file out of the folder of served games."
                )
            certificate = load_certificate(games.certificate_path(path, build))
            if certificate.build_hash != build.build_hash:
                raise CertificateError(
                    f"{certificate.source} certifies {certificate.build_hash}, but {build.label} in {path} is "
                    f"{build.build_hash}; certify the build that is to be played"
                )
            catalogue[build.build_hash] = Playable(build, Engine(build), certificate)
    return catalogue
