"""Writes the golden outcomes of every shipped build with the plain-Python reference. Run: make golden.

A golden file holds the build hash and, for the first rounds of a fixed seed, stops, win and digest.
It never changes while the stream promise of docs/rng.md holds; a new build gets a new file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rgs_core import derive_key, games, reference
from rgs_core.language.model import Build
from rgs_core.language.model_file import load

HERE = Path(__file__).parent
SERVER_SEED = bytes(range(32))
CLIENT_SEED = "golden"
ROUNDS = 400


def golden(build: Build) -> dict[str, Any]:
    """The golden content of a build."""
    key = derive_key(SERVER_SEED, CLIENT_SEED)
    rounds = []
    for nonce in range(ROUNDS):
        outcome = reference.play(build, key, nonce)
        stops = " ".join(map(str, outcome.spins[0].stops))
        rounds.append([nonce, stops, len(outcome.spins), outcome.win_units, outcome.digest()])
    return {
        "made_by": "make golden (the plain-Python reference)",
        "build": build.label,
        "build_hash": build.build_hash,
        "server_seed": SERVER_SEED.hex(),
        "client_seed": CLIENT_SEED,
        "columns": ["nonce", "stops of the paid spin", "spins", "win_units", "digest"],
        "rounds": rounds,
    }


def path_of(build: Build) -> Path:
    return HERE / f"{build.model.id}.{build.profile.name}.json"


def as_text(content: dict[str, Any]) -> str:
    """One round a line, so that a diff shows which rounds changed."""
    rounds = ",\n".join(f"  {json.dumps(row)}" for row in content.pop("rounds"))
    return f'{json.dumps(content, indent=1)[:-2]},\n "rounds": [\n{rounds}\n ]\n}}\n'


def builds() -> list[Build]:
    """Every shipped build."""
    return [build for path in games.shipped().values() for build in games.builds(load(path))]


if __name__ == "__main__":
    for build in builds():
        path_of(build).write_text(as_text(golden(build)), "utf-8")
        print(f"wrote {path_of(build).name}")
