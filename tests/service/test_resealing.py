"""Another master key without losing a secret: two keys for a while, everything sealed anew, the old key gone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rgs_server.__main__ import main
from rgs_server.master_key import read_master_keys
from rgs_server.operators import set_player_tokens
from rgs_server.receivers import set_webhook
from rgs_server.sealing import Sealer
from service_process import Service, run, session_body, spin_body

SEALED = {
    "sessions": "seed_sealed",
    "operator_keys": "secret_sealed",
    "token_keys": "private_sealed",
    "audit_keys": "private_sealed",
    "webhooks": "secret_sealed",
    "player_token_rules": "secret_sealed",
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path, workers=1)
    running.start()
    yield running
    running.stop()
    running.remove()


def prefixes(own: Service) -> set[bytes]:
    found: set[bytes] = set()
    for table, column in SEALED.items():
        rows = run(own.fetch(f"SELECT DISTINCT substr({column}, 1, 5) AS prefix FROM {table}"))
        assert rows, table
        found |= {bytes(row["prefix"]) for row in rows}
    return found


def test_everything_is_sealed_anew_while_the_service_runs(
    own: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(own.config, database_url=own.database_url)
    assert own.send("POST", "/rgs/v1/sessions", session_body("old")).status == 200
    assert own.send("POST", "/rgs/v1/spins", spin_body("old-spin", "old")).status == 200
    own.add_operator("op-sealed")
    run(set_webhook(config, "op-sealed", "https://x.example/"))
    run(set_player_tokens(config, "op-sealed", "shared", audience="studio", issuer=""))
    path = own.config.master_key_path
    (old,) = read_master_keys(path)
    new = secrets.token_bytes(32)
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(path))

    # Every process knows the new key before any seals under it.
    path.write_text(f"{old.hex()}\n{new.hex()}\n")
    assert own.stop() == 0
    own.start()
    path.write_text(f"{new.hex()}\n{old.hex()}\n")
    assert own.send("POST", "/rgs/v1/sessions", session_body("between")).status == 200
    assert prefixes(own) == {Sealer(old).prefix}
    assert main(["reseal"]) == 0
    done = capsys.readouterr().out
    assert "all are under the first key now" in done
    (fact,) = run(own.fetch("SELECT fact FROM audit_facts WHERE kind = 'reseal'"))
    assert json.loads(fact["fact"])["sealed"] == int(done.split()[0].replace(",", ""))
    assert prefixes(own) == {Sealer(new).prefix}
    assert main(["reseal"]) == 0
    assert capsys.readouterr().out.startswith("0 secrets")
    # The workers that were there open what has been sealed since.
    assert own.send("POST", "/rgs/v1/spins", spin_body("during", "between")).status == 200

    path.write_text(f"{new.hex()}\n")
    assert own.stop() == 0
    own.start()
    assert own.send("GET", "/rgs/v1/spins/old-spin/replay").json()["result"] == "match"
    assert own.send("POST", "/rgs/v1/spins", spin_body("after", "old")).status == 200

    path.write_text(f"{secrets.token_hex(32)}\n")
    assert main(["reseal"]) == 2
    assert "its master key is none of those given" in capsys.readouterr().err
