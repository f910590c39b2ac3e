"""Seeded, replayable slot mathematics: models, engine, reference, exact analysis, simulation."""

from rgs_core._engine import Engine
from rgs_core._rng import ChaCha20
from rgs_core._round import Round
from rgs_core.errors import ModelError, RgsError
from rgs_core.game import Game, load
from rgs_core.language.model import Build, Model
from rgs_core.outcome import Outcome
from rgs_core.seeds import commitment, derive_key, new_server_seed
from rgs_core.simulation.montecarlo import Simulation

__version__ = "0.1.0"

__all__ = [
    "Build",
    "ChaCha20",
    "Engine",
    "Game",
    "Model",
    "ModelError",
    "Outcome",
    "RgsError",
    "Round",
    "Simulation",
    "commitment",
    "derive_key",
    "load",
    "new_server_seed",
]
