"""The contract as a document: valid, true, executed, and rendered without the internet."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jsonschema
import jsonschema_rs
import openapi_spec_validator
import pytest
from rgs_server.client import Reply
from rgs_server.contract.openapi import MEDIA_TYPE, document
from rgs_server.contract.operations import OPERATIONS, Operation
from rgs_server.contract.pages import marked
from rgs_server.contract.problems import KINDS, PAGES
from rgs_server.contract.versions import ending_headers
from service_process import Service, run, session_body, spin_body

from rgs_core import games
from rgs_core.language.model_file import load

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SPIN = spin_body("openapi-unknown", "no-such-session")


def plain(service: Service, path: str) -> tuple[int, str, str]:
    """Status, media type and text of an unsigned request."""

    async def job() -> tuple[int, str, str]:
        assert service.credentials is not None
        async with aiohttp.ClientSession() as session, session.get(f"{service.credentials.url}{path}") as response:
            return response.status, response.content_type, await response.text()

    return run(job())


def check_schema(schema: dict[str, Any], value: object) -> None:
    """The value fits a schema of the document."""
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def execute(service: Service, operation: Operation) -> Reply:
    """Sends the example of an operation."""
    if operation.form:
        client = json.loads((service.folder / "client.json").read_text())
        form = urlencode({**operation.example, **client}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return service.send(operation.method, operation.full_path, form, headers=headers)
    body = json.dumps(operation.example).encode() if operation.request else b""
    while True:
        reply = service.send(operation.method, operation.full_path.format(**operation.values), body)
        if reply.status != 409 or reply.json()["code"] != "AUDIT_PENDING":  # signed within seconds
            return reply
        time.sleep(0.2)


def waits_for_a_choice(service: Service) -> None:
    """A round rnd-3 whose player has to choose."""
    build = load(games.find("three_tides")).build()
    opened = session_body("s-3", game_id="three_tides", build_hash=build.build_hash)
    assert service.send("POST", "/rgs/v1/sessions", opened).status == 200
    spin = spin_body("spin-3", "s-3", "2.25", mode="buy", round_id="rnd-3")
    assert service.send("POST", "/rgs/v1/spins", spin).status == 200


def test_the_document_is_valid_openapi() -> None:
    openapi_spec_validator.validate(document())


def test_every_schema_compiles_as_json_schema() -> None:
    """With its patterns, in a validator that is not Python's."""
    for name in document()["components"]["schemas"]:
        whole = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
        jsonschema_rs.validator_for(whole)


def test_the_file_in_the_docs_is_todays_contract() -> None:
    assert json.loads((ROOT / "docs/openapi.json").read_text("utf-8")) == document(), "run 'make openapi'"


def test_the_service_has_the_document(service: Service) -> None:
    status, media_type, text = plain(service, "/openapi.json")
    assert (status, media_type) == (200, "application/json")
    assert json.loads(text) == document()


def test_every_example_is_answered_as_described(service: Service) -> None:
    """In the order of the table: a session, its spin, what was stored of it; a second session has a balance."""
    second = {**json.loads(session_body("s-2")), "wallet": "transfer"}
    assert service.send("POST", "/rgs/v1/sessions", json.dumps(second).encode()).status == 200
    service.give_up("op-sandbox", "s-2", "failed-1")
    waits_for_a_choice(service)
    for operation in OPERATIONS:
        reply = execute(service, operation)
        assert reply.status == 200, (operation.operation_id, reply.body)
        response = document()["paths"][operation.full_path][operation.method.lower()]["responses"]["200"]
        check_schema(response["content"]["application/json"]["schema"], reply.json())
        if operation.request:
            request = {"$ref": f"#/components/schemas/{operation.request.__name__}"}
            check_schema(request, operation.example)
        if operation.repeatable:
            again = execute(service, operation)
            assert (again.body, again.headers["Idempotent-Replayed"]) == (reply.body, "true")


def test_a_field_that_the_document_lacks_would_be_seen(service: Service) -> None:
    """The check above bites: an answer without a field does not fit."""
    reply = execute(service, next(operation for operation in OPERATIONS if operation.operation_id == "listGames"))
    answer = reply.json()
    del answer["games"][0]["rtp"]
    with pytest.raises(jsonschema.ValidationError):
        check_schema({"$ref": "#/components/schemas/GamesAnswer"}, answer)


def test_problems_fit_the_document(service: Service) -> None:
    for method, path, body in (
        ("GET", "/rgs/v1/none", b""),
        ("POST", "/rgs/v1/spins", b"{}"),
        ("POST", "/rgs/v1/spins", SPIN),
    ):
        reply = service.send(method, path, body)
        check_schema({"$ref": "#/components/schemas/ProblemDocument"}, reply.json())
        status, media_type, text = plain(service, reply.json()["type"])
        assert (status, media_type) == (200, "text/html")
        assert reply.json()["code"] in text


def test_every_code_belongs_to_an_operation() -> None:
    listed = {code for operation in OPERATIONS for code in operation.codes} | {"NOT_FOUND", "METHOD_NOT_ALLOWED"}
    listed |= {"LOGIN_REFUSED", "LOGIN_REQUIRED"}  # of the console, which is no part of the API
    assert listed == KINDS.keys()


def test_every_code_has_a_page(service: Service) -> None:
    for code, kind in KINDS.items():
        status, _, text = plain(service, f"{PAGES}{code}")
        assert status == 200
        assert marked(kind.remedy) in text
    status, _, text = plain(service, PAGES)
    assert status == 200
    assert all(code in text for code in KINDS)
    assert plain(service, f"{PAGES}NOTHING")[0] == 404


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/rgs/v1/games", "", "application/json"),
        ("/rgs/v1/games", "*/*", "application/json"),
        ("/rgs/v1/games", MEDIA_TYPE, MEDIA_TYPE),
        ("/rgs/games", MEDIA_TYPE, MEDIA_TYPE),
        ("/rgs/games", "", "application/json"),
        ("/rgs/games", "application/json", "application/json"),
        ("/rgs/games", f"application/vnd.rgs.v7+json, {MEDIA_TYPE};q=0.5", MEDIA_TYPE),
        ("/rgs/games", "application/vnd.rgs.v2+json, application/json", "application/json"),
        ("/rgs/v1/games", "application/vnd.rgs.v2+json", None),
        ("/rgs/games", "application/vnd.rgs.v2+json", None),
        ("/rgs/v2/games", "", None),
        ("/rgs/v2/games", MEDIA_TYPE, None),
    ],
)
def test_versions(service: Service, path: str, accept: str, expected: str | None) -> None:
    reply = service.send("GET", path, headers={"Accept": accept} if accept else None)
    if expected is None:
        assert (reply.status, reply.json()["code"]) == (406, "VERSION_UNKNOWN")
    else:
        assert reply.status == 200, reply.body
        assert reply.headers["Content-Type"].split(";")[0] == expected


def test_an_unknown_version_changes_nothing(service: Service) -> None:
    reply = service.send(
        "POST", "/rgs/v1/sessions", session_body("s-version"), headers={"Accept": "application/vnd.rgs.v9+json"}
    )
    assert reply.status == 406
    assert not run(service.fetch("SELECT FROM sessions WHERE session_id = 's-version'"))


def test_an_operation_that_ends_says_so() -> None:
    ending = Operation(
        "old", "GET", "/old", "Old", OPERATIONS[0].answer, deprecated_on=date(2026, 1, 31), sunset_on=date(2026, 7, 31)
    )
    assert ending_headers(ending) == {"Deprecation": "@1769817600", "Sunset": "Fri, 31 Jul 2026 00:00:00 GMT"}
    assert ending_headers(OPERATIONS[0]) == {}


def test_pages_name_nothing_outside(service: Service) -> None:
    for path in ("/docs", "/docs/assets/reference.js", PAGES):
        status, _, text = plain(service, path)
        assert status == 200
        assert "http" not in text.replace("http-equiv", ""), path
    assert plain(service, "/docs/assets/swagger-ui-bundle.js")[0] == 200
    assert plain(service, "/docs/assets/..%2fplugins.py")[0] == 404


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_reference_is_drawn_in_a_browser(service: Service, tmp_path: Path) -> None:
    """Real Chromium, in which every other host is unknown."""
    assert service.credentials is not None
    assert CHROMIUM is not None
    flags = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=15000", "--dump-dom",
        f"--user-data-dir={tmp_path}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]  # fmt: skip
    shown = subprocess.run(
        [CHROMIUM, *flags, f"{service.credentials.url}/docs"], capture_output=True, text=True, timeout=120
    )
    for operation in OPERATIONS:
        assert operation.summary in shown.stdout, operation.summary
