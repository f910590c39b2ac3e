"""What the page of the games asks for: bounded, from its own page, and only in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rgs_server.config import ConfigError, read_config
from service_process import Service, run


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("play-api")), workers=1, play="on")
    running.start()
    yield running
    running.stop()
    running.remove()


def ask(service: Service, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    async def job() -> tuple[int, dict[str, Any]]:
        assert service.credentials is not None
        data = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json", **headers} if body is not None else headers
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{service.credentials.url}{path}", data=data, headers=sent) as reply,
        ):
            return reply.status, await reply.json()

    return run(job())


@pytest.fixture(scope="module")
def session(played: Service) -> str:
    games = ask(played, "GET", "/play/api/games")[1]["games"]
    tide = next(game for game in games if game["game_id"] == "lantern_tide")
    status, opened = ask(
        played, "POST", "/play/api/sessions", {"game_id": tide["game_id"], "build_hash": tide["build_hash"]}
    )
    assert status == 200, opened
    return str(opened["session_id"])


def test_a_repeated_round_is_the_same(played: Service, session: str) -> None:
    body = {"spin_id": "a-spin-of-the-browser", "stake_minor": 100}
    path = f"/play/api/sessions/{session}/spins"
    first, again = ask(played, "POST", path, body), ask(played, "POST", path, body)
    assert first == again
    assert first[0] == 200
    assert first[1]["scenes"][-1]["total_minor"] == first[1]["win_minor"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "wanted"),
    [
        ("spins", {"spin_id": "short", "stake_minor": 100}, {}, (400, "VALIDATION_FAILED")),
        ("spins", {"spin_id": "x" * 20, "stake_minor": -1}, {}, (400, "VALIDATION_FAILED")),
        ("spins", {"spin_id": "x" * 20, "stake_minor": 7}, {}, (422, "STAKE_NOT_ALLOWED")),
        ("spins", {"spin_id": "x" * 20, "stake_minor": 9_999_900}, {}, (422, "INSUFFICIENT_FUNDS")),
        (
            "spins",
            {"spin_id": "x" * 20, "stake_minor": 100},
            {"Origin": "https://evil.example"},
            (403, "ORIGIN_FORBIDDEN"),
        ),
        (
            "spins",
            {"spin_id": "x" * 20, "stake_minor": 100},
            {"Content-Type": "text/plain"},
            (400, "VALIDATION_FAILED"),
        ),
        ("rounds/none/choices", {"step": 1, "choice": "a", "option": "b"}, {}, (404, "ROUND_UNKNOWN")),
    ],
)
def test_what_is_refused(
    played: Service, session: str, path: str, body: Any, headers: dict[str, str], wanted: tuple[int, str]
) -> None:
    status, problem = ask(played, "POST", f"/play/api/sessions/{session}/{path}", body, **headers)
    assert (status, problem["code"]) == wanted


def test_sessions_of_platforms_are_not_for_browsers(played: Service, session: str) -> None:
    """Only sessions that the page has opened can be asked for, and rounds of them alone."""
    assert ask(played, "GET", "/play/api/sessions/s-1")[1]["code"] == "SESSION_UNKNOWN"
    opened = ask(played, "GET", f"/play/api/sessions/{session}")[1]
    other = ask(played, "POST", "/play/api/sessions", {k: opened[k] for k in ("game_id", "build_hash")})[1][
        "session_id"
    ]
    spin = {"spin_id": "a-spin-of-another-one", "stake_minor": 100}
    assert ask(played, "POST", f"/play/api/sessions/{other}/spins", spin)[0] == 200
    path = f"/play/api/sessions/{session}/spins/a-spin-of-another-one"
    assert ask(played, "GET", path)[1]["code"] == "SPIN_UNKNOWN"


def test_it_is_off_unless_asked_for(service: Service) -> None:
    assert ask(service, "GET", "/play/api/games")[0] == 404
    with pytest.raises(ConfigError, match="RGS_PLAY=on is for sandboxes"):
        read_config({"RGS_PLAY": "on", "RGS_MODE": "production"})
