"""Pages that call: only those of origins that the operator has registered, and what a browser is told about them."""

from __future__ import annotations

import json
from dataclasses import replace

import aiohttp
import pytest
from rgs_server.client import Credentials, Reply
from rgs_server.operators import OperatorRefused, change_operator
from rgs_server.origins import well_formed
from service_process import Service, run, session_body

LOADER = "https://games.example"
GAMES = "/rgs/v1/games"
SPINS = "/rgs/v1/spins"


@pytest.fixture(scope="module")
def mine(service: Service) -> Credentials:
    credentials = service.add_operator("op-pages")
    config = replace(service.config, database_url=service.database_url)
    run(change_operator(config, "op-pages", origins=[LOADER, "https://games.example:8443"]))
    service.add_operator("op-other-pages")
    run(change_operator(config, "op-other-pages", origins=["https://other.example"]))
    return credentials


def code(reply: Reply) -> str:
    return "" if reply.status < 300 else str(reply.json()["code"])


def cors(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith("Access-Control")}


def preflight(service: Service, origin: str, path: str = SPINS, method: str = "POST") -> Reply:
    async def job() -> Reply:
        assert service.credentials is not None
        headers = {"Origin": origin, "Access-Control-Request-Method": method}
        async with (
            aiohttp.ClientSession() as session,
            session.options(f"{service.credentials.url}{path}", headers=headers) as answer,
        ):
            return Reply(answer.status, dict(answer.headers), await answer.read())

    return run(job())


def test_a_preflight_of_a_registered_origin(service: Service, mine: Credentials) -> None:
    for path, method in ((SPINS, "POST"), (GAMES, "GET"), ("/rgs/games", "GET")):
        reply = preflight(service, LOADER, path)
        assert (reply.status, reply.headers["Vary"]) == (204, "Origin")
        told = cors(reply)
        assert told["Access-Control-Allow-Origin"] == LOADER
        assert method in told["Access-Control-Allow-Methods"].split(", ")
        assert {"Authorization", "X-Signature", "Idempotency-Key"} <= set(
            told["Access-Control-Allow-Headers"].split(", ")
        )
        assert "Access-Control-Allow-Credentials" not in told


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://games.example.evil.example",
        "https://evil-games.example",
        "https://sub.games.example",
        "http://games.example",
        "https://games.example:444",
        "https://games.example/",
        "https://GAMES.example",
        "https://games.example\t",
        "null",
        "*",
        "",
        "' OR ''='",
    ],
)
def test_pages_of_other_origins(service: Service, mine: Credentials, origin: str) -> None:
    """Neither by preflight nor, where a browser sends none, by the request itself."""
    if origin.strip() == origin:
        refused = preflight(service, origin)
        assert (code(refused), cors(refused)) == ("ORIGIN_FORBIDDEN", {})
    session = session_body(f"page-{origin}", "op-pages")
    headers = {"Origin": origin}
    if origin.strip() == origin:
        reply = service.send("POST", "/rgs/v1/sessions", session, credentials=mine, headers=headers)
        assert (code(reply), cors(reply)) == ("ORIGIN_FORBIDDEN", {})
        assert not run(service.fetch("SELECT FROM sessions WHERE session_id = $1", f"page-{origin}"))


def test_a_request_of_a_page(service: Service, mine: Credentials) -> None:
    reply = service.send("GET", GAMES, credentials=mine, headers={"Origin": LOADER})
    assert reply.status == 200
    assert cors(reply)["Access-Control-Allow-Origin"] == LOADER
    assert reply.headers["Vary"] == "Origin"
    # The page may read what is wrong, too.
    wrong = service.send("POST", SPINS, b"{", credentials=mine, headers={"Origin": LOADER})
    assert (code(wrong), cors(wrong)["Access-Control-Allow-Origin"]) == ("VALIDATION_FAILED", LOADER)
    assert cors(service.send("GET", GAMES, credentials=mine)) == {}


def test_an_origin_is_good_for_its_operator_only(service: Service, mine: Credentials) -> None:
    """The preflight cannot know whose page it is; the request can."""
    assert preflight(service, "https://other.example").status == 204
    reply = service.send("GET", GAMES, credentials=mine, headers={"Origin": "https://other.example"})
    assert (code(reply), cors(reply)) == ("ORIGIN_FORBIDDEN", {})
    # Nor do the sandbox's own requests, whose operator has registered none.
    assert code(service.send("GET", GAMES, headers={"Origin": LOADER})) == "ORIGIN_FORBIDDEN"


def test_an_answer_to_nobody_in_particular_names_no_origin(service: Service, mine: Credentials) -> None:
    wrong = replace(mine, secret="guess")
    reply = service.send("GET", GAMES, credentials=wrong, headers={"Origin": LOADER})
    assert (code(reply), cors(reply)) == ("SIGNATURE_INVALID", {})
    for path in ("/healthz", "/openapi.json", "/.well-known/jwks.json"):
        assert cors(service.send("GET", path, headers={"Origin": LOADER})) == {}
        assert preflight(service, LOADER, path).status == 405
    assert preflight(service, LOADER, "/rgs/v1/nothing").status == 404


def test_no_token_is_issued_to_a_page(service: Service, mine: Credentials) -> None:
    path = "/rgs/v1/oauth/token"
    assert code(preflight(service, LOADER, path)) == "ORIGIN_FORBIDDEN"
    client = json.loads((service.folder / "client.json").read_text())
    form = f"grant_type=client_credentials&client_id={client['client_id']}&client_secret={client['client_secret']}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert service.send("POST", path, form.encode(), headers=kind).status == 200
    reply = service.send("POST", path, form.encode(), headers={**kind, "Origin": LOADER})
    assert (code(reply), reply.json()["error"], cors(reply)) == ("ORIGIN_FORBIDDEN", "unauthorized_client", {})


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://games.example", True),
        ("https://games.example:8443", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:3000", True),
        ("http://games.example", False),
        ("https://games.example/", False),
        ("https://games.example:443", False),
        ("https://Games.example", False),
        ("https://*.example", False),
        ("https://user@games.example", False),
        ("https://games.example?x", False),
        ("https://gämes.example", False),
        ("games.example", False),
        ("null", False),
        ("*", False),
        ("https://", False),
        ("https://[x", False),
    ],
)
def test_what_an_origin_is(origin: str, expected: bool) -> None:
    assert well_formed(origin) == expected


def test_what_is_no_origin_is_not_registered(service: Service) -> None:
    config = replace(service.config, database_url=service.database_url)
    for origin in ("*", "null", "https://games.example/"):
        with pytest.raises(OperatorRefused, match="is no origin"):
            run(change_operator(config, "op-pages", origins=[origin]))
