"""The registry and the models of a running service, read again: what is good is in force, what is not changes nothing."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from own_models import add_model, remove_model
from rgs_server.clock import time_text
from rgs_server.config import Config
from rgs_server.markets import packs
from rgs_server.operators import add_game_name
from rgs_server.registry import sign_registry
from service_process import BUILD, GAME, Service, code, run, session_body, spin_body, wait_for

NOW = datetime.now(UTC)


def entry(build_hash: str = BUILD.build_hash, **changes: object) -> dict[str, object]:
    return {
        "game_id": GAME,
        "country": "*",
        "rtp_profile": "rtp_96",
        "build_hash": build_hash,
        "certificate_id": "lab-7",
        "valid_from": time_text(NOW - timedelta(days=1)),
        "valid_until": time_text(NOW + timedelta(days=1)),
        **changes,
    }


class Signed:
    """A registry file and the keys that sign it."""

    def __init__(self, folder: Path) -> None:
        key = Ed25519PrivateKey.generate()
        self.file, self.private, self.public = (folder / n for n in ("registry.json", "private.pem", "public.pem"))
        pem, encryption = serialization.Encoding.PEM, serialization.NoEncryption()
        self.private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
        self.public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))

    def write(self, *entries: dict[str, object]) -> None:
        """Puts a signed file in place of the one that is there, at once."""
        draft = self.file.with_name("draft.json")
        draft.write_text(json.dumps({"entries": entries}))
        sign_registry(draft, self.private)
        draft.replace(self.file)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    found = Signed(tmp_path_factory.mktemp("registry"))
    found.write(entry())
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, signed: Signed) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("rules")
    for name in ("models", "markets"):
        (folder / name).mkdir()
    pack = 'country = "SE"\ntitle = "Sweden, as we read it"\ncycle_ms = { value = 4321, clause = "ours" }\n'
    (folder / "markets/SE.toml").write_text(pack)
    registry = {"registry_file": str(signed.file), "registry_key_file": str(signed.public)}
    running = Service(
        folder, workers=2, models_dir=str(folder / "models"), markets_dir=str(folder / "markets"), **registry
    )
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


@contextmanager
def logged(own: Service, text: str, times: int = 2) -> Iterator[None]:
    """Waits until every worker has said something, because of what is done inside."""
    before = own.log_text().count(text)
    yield
    wait_for(lambda: own.log_text().count(text) >= before + times, own.log_text)


def hang_up(own: Service) -> None:
    assert own.process is not None
    own.process.send_signal(signal.SIGHUP)


def open_session(own: Service, name: str) -> tuple[int, str]:
    return code(own.send("POST", "/rgs/v1/sessions", session_body(name)))


def play(own: Service, spin_id: str, session: str) -> tuple[int, str]:
    return code(own.send("POST", "/rgs/v1/spins", spin_body(spin_id, session)))


def test_a_registry_that_changes_is_in_force_without_a_restart(own: Service, signed: Signed) -> None:
    workers = sorted(own.workers())
    assert open_session(own, "registered") == (200, "")
    assert play(own, "registered-0", "registered") == (200, "")
    with logged(own, "registry in force: entries=2 builds=2"):
        signed.write(entry(revoked_at=time_text(NOW)), entry("sha256:" + "0" * 64))
    for n in range(6):  # whichever worker takes it, also in sessions that it has kept
        assert play(own, f"registered-no-{n}", "registered") == (403, "BUILD_NOT_CERTIFIED")
        assert open_session(own, f"late-{n}") == (403, "BUILD_NOT_CERTIFIED")
    # What was played stays as it was answered.
    assert play(own, "registered-0", "registered") == (200, "")
    with logged(own, "registry in force: entries=1 builds=1"):
        signed.write(entry())
    for n in range(6):
        assert play(own, f"registered-again-{n}", "registered") == (200, "")
    assert sorted(own.workers()) == workers
    # The audit log has each registry once, however many workers read it, with all of its rules and who signed them.
    told = run(own.fetch("SELECT subject, fact FROM audit_facts WHERE kind = 'registry' ORDER BY written_in, fact_id"))
    assert [len(json.loads(row["fact"])["entries"]) for row in told] == [1, 2, 1]
    fact = json.loads(told[-1]["fact"])
    assert told[-1]["subject"] == fact["file_sha256"] == hashlib.sha256(signed.file.read_bytes()).hexdigest()
    assert fact["entries"][0]["certificate_id"] == "lab-7"
    key = serialization.load_pem_public_key(signed.public.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    assert fact["signed_by"] == key.public_bytes_raw().hex()


@pytest.mark.parametrize("fault", ["half", "forged", "gone"])
def test_a_registry_that_cannot_be_used_changes_nothing(own: Service, signed: Signed, fault: str) -> None:
    good = signed.file.read_bytes()
    forged = good.replace(BUILD.build_hash.encode(), b"sha256:" + b"0" * 64)
    faults = {
        "half": (good[: len(good) // 2], f"{signed.file} with key {signed.public}: Input data was truncated"),
        "forged": (forged, f"{signed.file}: the signature does not fit the entries and {signed.public}"),
        "gone": (None, f"{signed.file}: No such file or directory"),
    }
    content, reason = faults[fault]
    with logged(own, f"registry refused, the old one stays: {reason}"):
        signed.file.unlink()
        if content is not None:
            signed.file.write_bytes(content)
    session = f"fault-{fault}"
    assert open_session(own, session) == (200, "")
    assert play(own, session, session) == (200, "")
    with logged(own, "registry refused"):
        hang_up(own)
    with logged(own, "registry in force: entries=1 builds=1"):
        signed.file.write_bytes(good)


def test_market_packs_of_a_folder_stand_in_for_those_of_the_package(own: Service) -> None:
    found = {}
    for country in ("SE", "GB"):
        body = session_body(f"market-{country}", geo=country)
        found[country] = own.send("POST", "/rgs/v1/sessions", body).json()["market"]
    assert (found["SE"]["cycle_ms"], found["SE"]["clauses"]) == (4321, {"cycle_ms": "ours"})
    assert found["GB"]["cycle_ms"] == packs()["GB"].cycle_ms


def test_models_are_added_at_a_hangup(own: Service, signed: Signed) -> None:
    models = Path(own.config.models_dir)
    broken = models / "broken.toml"
    broken.write_text("id = 1")
    with logged(own, "models refused, the old ones stay: "):
        hang_up(own)
    broken.unlink()
    build = add_model(models, "added_aviary")
    with logged(own, "registry in force: entries=2 builds=2"):
        signed.write(entry(), entry(build.build_hash))
    with logged(own, "new=2"):
        hang_up(own)
    config: Config = replace(own.config, database_url=own.database_url)
    run(add_game_name(config, "op-sandbox", "added_aviary", build.build_hash, build.build_hash))
    body = session_body("added", game_id="added_aviary", build_hash=build.build_hash)
    assert code(own.send("POST", "/rgs/v1/sessions", body)) == (200, "")
    for n in range(6):  # whichever worker takes it
        assert play(own, f"added-{n}", "added") == (200, "")
    # Taken away, it is played on until the next start: sessions keep their build.
    remove_model(models, "added_aviary")
    with logged(own, "new=0"):
        hang_up(own)
    for n in range(6, 12):
        assert play(own, f"added-{n}", "added") == (200, "")
    recalled = own.send("GET", "/rgs/v1/rounds/r-added-3/recall").json()
    assert (recalled["result"], recalled["retired"]) == ("match", False)
