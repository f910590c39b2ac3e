"""A game as a math designer uses it from a notebook or a script: exact figures, simulation, single rounds.

import rgs_core as rgs
game = rgs.load("lantern_tide")       # a shipped id, id/profile, or the path of a model file
game.exact()                          # the PAR sheet: a table in a notebook, figures as attributes
run = game.simulate(10**8)            # estimates with intervals; numpy arrays and data frames
game.spin(1234)                       # round 1234 of the same seed
"""

from __future__ import annotations

import hashlib
import multiprocessing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rgs_core._engine import Engine
from rgs_core.engine.playing import Player, player
from rgs_core.games import builds, find_build
from rgs_core.language.model import Build, Model
from rgs_core.language.policies import with_policy
from rgs_core.outcome import Played
from rgs_core.seeds import derive_key
from rgs_core.simulation.kept_rounds import Keep
from rgs_core.simulation.montecarlo import Simulation, Until, simulate

if TYPE_CHECKING:
    from rgs_core.sheet.sheet import Sheet

DEFAULT_SEED = "rgs"


def load(name: str | Path, profile: str | None = None, mode: str | None = None, policy: str | None = None) -> Game:
    """A game by shipped id ("lantern_tide", "lantern_tide/rtp_94") or by the path of its model file.

    `policy`: what the player chooses (rgs_core.language.policies). Raises FileNotFoundError, ModelError with every problem of the
    file, KeyError for an unknown profile, PolicyError for an unknown choice.
    """
    build, path = find_build(str(name), profile, mode)
    return Game(build if policy is None else with_policy(build, policy), path)


def seeded_key(seed: str, client_seed: str = "") -> bytes:
    """The key of a text seed, as the commands derive it: its SHA-256 is the server seed."""
    return derive_key(hashlib.sha256(seed.encode()).digest(), client_seed)


class Game:
    """One build of a game. Immutable; what is computed once is kept."""

    def __init__(self, build: Build, path: Path) -> None:
        self.build = build
        self.path = path

    @property
    def model(self) -> Model:
        return self.build.model

    @property
    def profiles(self) -> list[Game]:
        """Every profile of the same model, as games."""
        return [Game(build, self.path) for build in builds(self.model)]

    @cached_property
    def engine(self) -> Engine:
        """The compiled build. Raises CallbackError for one with a callback."""
        return Engine(self.build)

    @cached_property
    def player(self) -> Player:
        """What plays the build: the engine, or plain Python for one with a callback."""
        return player(self.build)

    @cached_property
    def _sheet(self) -> Sheet:
        from rgs_core.sheet.sheet import Sheet

        return Sheet.of(self.build)

    def exact(self) -> Sheet:
        """All exact figures. Raises AnalysisError when they have no value or two ways differ."""
        return self._sheet

    def simulate(
        self,
        rounds: int,
        *,
        seed: str = DEFAULT_SEED,
        first_nonce: int = 0,
        threads: int | None = None,
        until: str | None = None,
        keep: str | None = None,
    ) -> Simulation:
        """Plays rounds on all cores, those of a game with a callback on one; `until` and `keep` as in `rgs simulate`.
        Ctrl-C returns what is done."""
        return simulate(
            self.build,
            seeded_key(seed),
            rounds,
            first_nonce=first_nonce,
            threads=threads or (1 if self.model.callbacks else multiprocessing.cpu_count()),
            until=self._rule(until) if until else None,
            keep=Keep.parse(keep) if keep else None,
        )

    def _rule(self, text: str) -> Until:
        """A rule with the exact standard deviation, where the build has one."""
        return replace(Until.parse(text), sd=self.exact().analysis.sd or 0.0)

    def spin(self, nonce: int, *, seed: str = DEFAULT_SEED) -> Played:
        """Round `nonce` of a seed in full, the same as in a simulation with that seed."""
        return self.player.spin(seeded_key(seed), nonce)

    def __repr__(self) -> str:
        return f"<Game {self.build.label} {self.build.build_hash[:15]}>"
