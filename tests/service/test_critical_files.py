"""A changed byte of a model, a certificate or the code stops new rounds, in every worker, and is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from own_models import add_model
from rgs_server.__main__ import main
from rgs_server.audit.critical_files import critical_files, digest_of, hashed, with_models
from rgs_server.config import Config
from service_process import GAME, Service, code, free_port, run, session_body, spin_body, wait_for

from rgs_core import games


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a copy of a game and its certificates."""
    source = games.find(GAME)
    folder = tmp_path / "games"
    (folder / "certificates").mkdir(parents=True)
    shutil.copy(source, folder)
    for path in (source.parent / "certificates").glob(f"{GAME}.*"):
        shutil.copy(path, folder / "certificates")
    return folder


@pytest.fixture
def own(tmp_path: Path, models: Path) -> Iterator[Service]:
    running = Service(tmp_path, workers=1, rehash_s=1, models_dir=str(models), metrics_port=free_port())
    running.start()
    assert running.send("POST", "/rgs/v1/sessions", session_body("files")).status == 200
    yield running
    running.stop()
    running.remove()


def metrics(own: Service) -> str:
    with urlopen(f"http://127.0.0.1:{own.config.metrics_port}/metrics", timeout=10) as page:
        text: str = page.read().decode()
        return text


def spin(own: Service, name: str) -> tuple[int, str]:
    return code(own.send("POST", "/rgs/v1/spins", spin_body(name, "files")))


def facts(own: Service, kind: str) -> list[dict[str, object]]:
    rows = run(own.fetch("SELECT fact FROM audit_facts WHERE kind = $1 ORDER BY fact_id", kind))
    return [json.loads(row["fact"]) for row in rows]


def test_a_changed_byte_stops_new_rounds(own: Service, models: Path) -> None:
    assert spin(own, "before")[0] == 200
    changed = next((models / "certificates").iterdir())
    name = f"models/certificates/{changed.name}"
    first = facts(own, "start")[0]
    assert first["files"][name] == hashed({name: changed})[name]  # type: ignore[index]
    assert first["files_digest"] == digest_of(first["files"])  # type: ignore[arg-type]
    with changed.open("a") as file:
        file.write("\n")
    wait_for(lambda: "critical files have changed" in own.log_text())
    assert spin(own, "after") == (503, "BUILD_UNAVAILABLE")
    assert spin(own, "before")[0] == 200, "what was answered is answered again"
    assert own.send("POST", "/rgs/v1/sessions/files/close").status == 200, "what was begun is finished"
    wait_for(lambda: facts(own, "files"))
    wait_for(lambda: re.search(r'^rgs_critical_files_changed\{worker="0"\} 1.0$', metrics(own), re.MULTILINE))
    assert [fact["changed"] for fact in facts(own, "files")] == [[name]]
    # A worker that is started again does not take the changed file for right: it knows what the service began with.
    assert own.send("POST", "/rgs/v1/sessions", session_body("files-2")).status == 200
    os.kill(own.workers()[0], signal.SIGKILL)
    own.wait_until_ready()
    reply = own.send("POST", "/rgs/v1/spins", spin_body("restarted", "files-2"))
    assert code(reply) == (503, "BUILD_UNAVAILABLE")
    # A new start is a fact, and the new files are those it knows.
    assert own.stop() == 0
    own.start()
    assert own.send("POST", "/rgs/v1/spins", spin_body("restarted", "files-2")).status == 200
    assert facts(own, "start")[1]["files_digest"] != first["files_digest"]
    assert own.database_url not in json.dumps(facts(own, "start"))
    assert not [name for name in first["settings"] if name.endswith("_url")], "they may hold passwords"  # type: ignore[attr-defined]


def hang_up(own: Service, models: Path) -> None:
    """Adds a game and has it read."""
    add_model(models, "added_aviary")
    assert own.process is not None
    own.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "models in force" in own.log_text())


def test_models_that_are_added_at_a_hangup_are_right(own: Service, models: Path) -> None:
    """Also for workers that are started later; what is added without it is not."""
    hang_up(own, models)
    wait_for(lambda: spin(own, "with-it")[0] == 200)
    (added,) = facts(own, "models")
    assert "models/added_aviary.toml" in added["files"]  # type: ignore[operator]
    os.kill(own.workers()[0], signal.SIGKILL)
    own.wait_until_ready()
    assert spin(own, "another-worker")[0] == 200
    # A hangup makes right what is new among the models, and nothing else.
    assert [fact["files_digest"] for fact in facts(own, "models")] == [digest_of(added["files"])]  # type: ignore[arg-type]
    (models / "another.toml").write_text("")
    wait_for(lambda: "critical files have changed, no round begins: models/another.toml" in own.log_text())
    assert spin(own, "without-it") == (503, "BUILD_UNAVAILABLE")


def test_files_that_were_not_approved_play_no_round(
    own: Service, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own.stop() == 0
    own.config = replace(own.config, files_digest="0" * 64)
    own.start()
    assert spin(own, "refused") == (503, "BUILD_UNAVAILABLE")
    assert own.stop() == 0
    monkeypatch.setenv("RGS_MODELS_DIR", str(models))
    assert main(["audit", "files"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    own.config = replace(own.config, files_digest=said.removeprefix("RGS_FILES_DIGEST="))
    own.start()
    assert spin(own, "approved")[0] == 200
    hang_up(own, models)
    wait_for(lambda: "no round begins: models/added_aviary.toml" in own.log_text())
    assert spin(own, "added") == (503, "BUILD_UNAVAILABLE")


def test_a_hangup_makes_nothing_right_but_models() -> None:
    before = {"models/a.toml": "1", "models/gone.toml": "1", "rgs_server/spins.py": "1"}
    now = {"models/a.toml": "2", "models/new.toml": "1", "rgs_server/spins.py": "2", "rgs_server/new.py": "1"}
    assert with_models(before, now) == {"models/a.toml": "2", "models/new.toml": "1", "rgs_server/spins.py": "1"}


def test_what_is_critical(models: Path) -> None:
    """Code, compiled code, statements, models, certificates; files that are new or gone count as well."""
    config = Config(models_dir=str(models))
    names = critical_files(config).keys()
    assert {"rgs_server/spins.py", "rgs_server/sql/queries.sql", "rgs_core/seeds.py", f"models/{GAME}.toml"} <= names
    assert f"shipped/{GAME}.toml" in names
    assert any(name.startswith("rgs_core/_engine.") and name.endswith(".so") for name in names)
    before = hashed(critical_files(config))
    (models / "another.toml").write_text("")
    added = hashed(critical_files(config))
    assert added.keys() - before.keys() == {"models/another.toml"}
    assert digest_of(added) != digest_of(before)
    assert hashed({"gone": models / "gone"}) == {"gone": ""}
