"""The builds this service can play: model files with a certificate for each profile, in the modes that have one.

A build without a certificate that names its hash is not loaded and stops the start: odds that nobody
declared are never played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rgs_core import games
from rgs_core._engine import Engine
from rgs_core._round import Round
from rgs_core.certified.certificate import Certificate, load_certificate
from rgs_core.errors import CallbackError, CertificateError, JackpotError
from rgs_core.language.bounds import awarded_states
from rgs_core.language.model import BASE_MODE, Build
from rgs_core.language.model_file import loads, read_text
from rgs_core.language.policies import with_policy
from rgs_core.stages import StagedRounds, has_choices


def played(build: Build, engine: Engine, key: bytes, nonce: int, policy: str) -> Round:
    """A round of a build by a policy; `engine` is that of the usual one."""
    return (engine if not policy else Engine(with_policy(build, policy))).spin(key, nonce)


BUY_COSTS_STAKES = 5
"""A mode that costs more stakes than that buys something, however it begins."""


@dataclass(frozen=True)
class Playable:
    """A certified build in one mode, with its compiled engine. `others`: the same build in its other certified modes.
    `source`: the text of its model file, by which it is made again when the file is gone (archive.py)."""

    build: Build
    engine: Engine
    certificate: Certificate
    source: str
    staged: StagedRounds | None = None  # where the player has choices
    others: Mapping[str, Playable] = field(default_factory=dict)

    def in_mode(self, mode: str) -> Playable | None:
        """The build in a mode; None where it has no such mode, or none that is certified."""
        return self if mode == self.build.mode else self.others.get(mode)

    def play(self, key: bytes, nonce: int, policy: str) -> Round:
        """A round as it was played by a policy ("": nothing was decided, or the usual)."""
        return played(self.build, self.engine, key, nonce, policy)

    @property
    def modes(self) -> list[Playable]:
        """The build in all of its certified modes, the base one first."""
        return [self, *self.others.values()]

    @cached_property
    def buys_feature(self) -> bool:
        """Whether a round in this mode is a bonus buy: it begins with spins that other rounds have to win, or with several,
        or costs more than BUY_COSTS_STAKES."""
        play, model = self.build.play, self.build.model
        if self.build.mode == BASE_MODE:
            return False
        return (
            play.start in awarded_states(model)
            or play.spins > 1
            or play.cost_units > BUY_COSTS_STAKES * model.stake_units
        )


def load_catalogue(models_dir: str, *, in_production: bool = False) -> Mapping[str, Playable]:
    """Every certified build by its hash: shipped games, then those of a folder.

    In production builds with jackpots are left out, and refused in the folder: nobody keeps their pools here, so a win would
    pay nothing. Raises ModelError, CertificateError, FileNotFoundError for a missing folder, JackpotError, or CallbackError:
    the service plays compiled builds only.
    """
    shipped = _load(list(games.shipped().values()))
    if in_production:
        shipped = {build_hash: one for build_hash, one in shipped.items() if not one.build.model.jackpots_won}
    return {**shipped, **(load_folder(models_dir, in_production=in_production) if models_dir else {})}


def load_folder(models_dir: str, *, in_production: bool = False) -> dict[str, Playable]:
    """Every certified build of a folder by its hash. Raises as `load_catalogue`."""
    folder = Path(models_dir)
    if not folder.is_dir():
        raise FileNotFoundError(f"RGS_MODELS_DIR: no folder {folder}")
    found = _load(sorted(folder.glob("*.toml")))
    for playable in found.values() if in_production else ():
        if won := playable.build.model.jackpots_won:
            names = ", ".join(sorted(won))
            raise JackpotError(
                f"{playable.build.label} in {folder} has jackpots ({names}), whose pools this service does not keep: a win "
                "would pay nothing. Keep its file out of the folder of served games, or set RGS_MODE=development to try it."
            )
    return found


def _load(paths: Sequence[Path]) -> dict[str, Playable]:
    catalogue: dict[str, Playable] = {}
    for path in paths:
        text = read_text(path)
        for build in games.builds(loads(text, source=str(path), folder=path.parent)):
            if build.model.callbacks:
                raise CallbackError(
                    f"{path}: {build.label} cannot be served. {build.model.callback_note} "
                    "Keep its file out of the folder of served games."
                )
            others = {
                played.mode: _certified(path, played, text)
                for played in games.modes(build)[1:]
                if games.certificate_path(path, played).exists()
            }
            catalogue[build.build_hash] = replace(_certified(path, build, text), others=others)
    return catalogue


def _certified(path: Path, build: Build, text: str) -> Playable:
    """Raises CertificateError where a build in its mode is not the one that was certified."""
    certificate = load_certificate(games.certificate_path(path, build))
    if (certificate.build_hash, certificate.mode) != (build.build_hash, build.mode):
        raise CertificateError(
            f"{certificate.source} certifies {certificate.build_hash} in mode '{certificate.mode}', but {build.label} in "
            f"{path} is {build.build_hash} in mode '{build.mode}'; certify the build that is to be played"
        )
    return Playable(build, Engine(build), certificate, text, StagedRounds(build) if has_choices(build) else None)
