"""Rounds of builds whose model file is gone: rebuilt from what was written down when they were served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from own_models import add_model, remove_model
from rgs_server.archive import BuildLost, rebuild
from service_process import Service, code, run, session_body, spin_body

from rgs_core import games

NAME = "retired_aviary"
MODES = [("base", "1.00"), ("buy", "12.00"), ("ante", "0.25"), ("buy", "12.00")]


@pytest.fixture(scope="module")
def retired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, Any]]]:
    """A service started again without the model that was played, and the answers of then by spin."""
    folder = tmp_path_factory.mktemp("retired")
    models = folder / "models"
    build = add_model(models, NAME)
    running = Service(folder, workers=1, models_dir=str(models))
    running.start()
    body = session_body("retired", game_id=NAME, build_hash=build.build_hash)
    assert running.send("POST", "/rgs/v1/sessions", body).status == 200
    given = {}
    for n, (mode, amount) in enumerate(MODES):
        reply = running.send("POST", "/rgs/v1/spins", spin_body(f"retired-{n}", "retired", amount, mode=mode))
        assert reply.status == 200, reply.body
        given[f"retired-{n}"] = reply.json()
        served = running.send("GET", f"/rgs/v1/rounds/r-retired-{n}/recall").json()
        assert (served["result"], served["retired"]) == ("match", False), served
    assert running.stop() == 0
    remove_model(models, NAME)
    running.start()
    yield running, given
    assert running.stop() == 0
    running.remove()


def test_their_rounds_are_recalled_as_they_were_shown(retired: tuple[Service, dict[str, Any]]) -> None:
    service, given = retired
    for (spin_id, answer), (mode, _) in zip(given.items(), MODES, strict=True):
        recalled = service.send("GET", f"/rgs/v1/rounds/r-{spin_id}/recall").json()
        assert (recalled["result"], recalled["retired"], recalled["mode"]) == ("match", True, mode), recalled
        assert recalled["answer"] == answer
        assert recalled["win"] == answer["outcome"]["win"]
        assert recalled["spins"][0]["symbols"] == answer["outcome"]["symbols"]
        features = [feature for spin in recalled["spins"] for feature in spin["features"]]
        assert features == answer["outcome"]["features"]
        # The wins of the spins are those of the round, and each is the sum of what it shows.
        assert sum(spin["win"]["minor"] for spin in recalled["spins"]) == answer["outcome"]["win"]["minor"]
        for spin in recalled["spins"]:
            shown = [*spin["wins"], *spin["closing"], *(win for step in spin["cascades"] for win in step["wins"])]
            paid = [feature["win"] for feature in spin["features"] if feature["type"] == "bonus_award"]
            assert sum(win["win"]["minor"] for win in shown) + sum(p["minor"] for p in paid) == spin["win"]["minor"]
    bought = service.send("GET", "/rgs/v1/rounds/r-retired-1/recall").json()
    assert len(bought["spins"]) >= 10


def test_their_rounds_replay(retired: tuple[Service, dict[str, Any]]) -> None:
    service, given = retired
    for spin_id in given:
        assert service.send("GET", f"/rgs/v1/spins/{spin_id}/replay").json()["result"] == "match"


def test_they_take_no_new_sessions_and_no_new_rounds(retired: tuple[Service, dict[str, Any]]) -> None:
    service, given = retired
    build_hash = given["retired-0"]["build_hash"]
    reply = service.send("POST", "/rgs/v1/sessions", session_body("late", game_id=NAME, build_hash=build_hash))
    assert code(reply) == (403, "BUILD_NOT_CERTIFIED")
    played = service.send("POST", "/rgs/v1/spins", spin_body("late", "retired"))
    assert code(played) == (503, "BUILD_UNAVAILABLE")
    # What was played before is answered as ever, and the session closes with its seed.
    again = service.send("POST", "/rgs/v1/spins", spin_body("retired-0", "retired", MODES[0][1], mode=MODES[0][0]))
    assert (again.status, again.json()) == (200, given["retired-0"])
    assert len(service.send("POST", "/rgs/v1/sessions/retired/close").json()["server_seed"]) == 64


def test_what_this_version_cannot_play_is_shown_as_it_was_answered(retired: tuple[Service, dict[str, Any]]) -> None:
    service, given = retired

    async def older() -> None:
        connection = await asyncpg.connect(service.database_url)
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute("UPDATE builds SET source = ''")
        await connection.execute("ALTER TABLE spins DISABLE TRIGGER spins_append_only")
        await connection.execute("UPDATE spins SET mechanic_version = 0 WHERE spin_id = 'retired-3'")
        await connection.execute("ALTER TABLE spins ENABLE TRIGGER spins_append_only")
        await connection.close()

    run(older())
    recalled = service.send("GET", "/rgs/v1/rounds/r-retired-3/recall").json()
    assert recalled["result"] == "stored"
    assert "mechanic 0" in recalled["reason"]
    answer = given["retired-3"]["outcome"]
    (spin,) = recalled["spins"]
    assert (spin["symbols"], spin["features"], spin["win"]) == (answer["symbols"], answer["features"], None)
    assert service.send("GET", "/rgs/v1/spins/retired-3/replay").json()["result"] == "unavailable"


def test_rounds_that_were_not_played_are_not_recalled(retired: tuple[Service, dict[str, Any]]) -> None:
    service, _ = retired
    assert code(service.send("GET", "/rgs/v1/rounds/none/recall")) == (404, "ROUND_UNKNOWN")
    stranger = service.add_operator("op-recalling")
    reply = service.send("GET", "/rgs/v1/rounds/r-retired-0/recall", credentials=stranger)
    assert code(reply) == (404, "ROUND_UNKNOWN")


def test_a_model_that_was_altered_is_not_believed(tmp_path: Path) -> None:
    build = add_model(tmp_path, NAME)
    source = (tmp_path / f"{NAME}.toml").read_text("utf-8")
    assert rebuild(source, build.profile.name, "buy", build.build_hash).build.mode == "buy"
    altered = source.replace('version = "', 'version = "x')
    with pytest.raises(BuildLost, match="is another one"):
        rebuild(altered, build.profile.name, "buy", build.build_hash)
    assert games.find("clockwork_aviary").read_text("utf-8") != source
