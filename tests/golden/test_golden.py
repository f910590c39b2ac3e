"""The shipped games play what they always played: engine and reference against golden files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from rgs_core import Engine, derive_key, reference
from rgs_core.language.model import Build

spec = importlib.util.spec_from_file_location("write_golden", Path(__file__).with_name("write_golden.py"))
assert spec is not None
assert spec.loader is not None
write_golden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(write_golden)

BUILDS = write_golden.builds()


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.label)
def test_golden_outcomes(build: Build) -> None:
    content = json.loads(write_golden.path_of(build).read_text("utf-8"))
    assert content["build_hash"] == build.build_hash, "another build: certify it and run make golden"
    key = derive_key(bytes.fromhex(content["server_seed"]), content["client_seed"])
    engine = Engine(build)
    for nonce, stops, spins, win_units, digest in content["rounds"]:
        outcome = engine.spin(key, nonce)
        assert " ".join(map(str, outcome.spins[0].stops)) == stops
        assert (len(outcome.spins), outcome.win_units, outcome.digest()) == (spins, win_units, digest)
    for nonce, _, _, _, digest in content["rounds"][:40]:
        assert reference.play(build, key, nonce).digest() == digest


def test_no_golden_file_is_left_over() -> None:
    folder = Path(__file__).parent
    assert {path.name for path in folder.glob("*.json")} == {write_golden.path_of(build).name for build in BUILDS}
