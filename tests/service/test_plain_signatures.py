"""Signatures of the body alone: for operators that ask for it, and never in production."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from rgs_server import signing
from rgs_server.__main__ import main
from rgs_server.app import Service as Worker
from rgs_server.app import create_app
from rgs_server.client import Credentials, Reply
from rgs_server.config import environment_of
from rgs_server.master_key import read_master_keys
from rgs_server.operators import OperatorRefused, change_operator
from rgs_server.registry import read_registry
from rgs_server.sealing import Sealer
from rgs_server.sessions import Rulebook
from service_process import Service, free_port, run, session_body, spin_body

SPINS = "/rgs/v1/spins"
SESSIONS = "/rgs/v1/sessions"


@pytest.fixture(scope="module")
def plain(service: Service) -> Credentials:
    credentials = service.add_operator("op-plainly")
    config = replace(service.config, database_url=service.database_url)
    run(change_operator(config, "op-plainly", plain_signatures=True))
    return credentials


def code(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.json()["code"])


def signed(credentials: Credentials, body: bytes) -> dict[str, str]:
    digest = hmac.new(credentials.secret.encode(), body, hashlib.sha256).hexdigest()
    return {signing.KEY_ID: credentials.key_id, signing.SIGNATURE: digest}


def send(url: str, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> Reply:
    async def job() -> Reply:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{url}{path}", data=body or None, headers=headers) as answer,
        ):
            return Reply(answer.status, dict(answer.headers), await answer.read())

    return run(job())


def test_an_operator_that_asked_for_it_may_sign_the_body_alone(service: Service, plain: Credentials) -> None:
    session = session_body("plainly", "op-plainly")
    assert send(plain.url, SESSIONS, session, signed(plain, session)).status == 200
    body = spin_body("plainly", "plainly")
    first, again = (send(plain.url, SPINS, body, signed(plain, body)) for _ in range(2))
    assert (first.status, again.status, first.body) == (200, 200, again.body)
    assert run(service.fetch("SELECT count(*) FROM spins WHERE spin_id = 'plainly'"))[0][0] == 1
    # The form that signs all of a request is taken as well.
    assert service.send("GET", "/rgs/v1/games", credentials=plain).status == 200


def test_the_others_may_not(service: Service, new_session: Callable[[], str]) -> None:
    assert service.credentials is not None
    body = spin_body("not-plainly", new_session())
    reply = send(service.credentials.url, SPINS, body, signed(service.credentials, body))
    assert code(reply) == "SIGNATURE_INVALID"
    assert "the body alone is not taken" in reply.json()["detail"]
    # Only those who can sign learn it.
    guessed = send(service.credentials.url, SPINS, body, signed(replace(service.credentials, secret="x"), body))
    assert "alone" not in guessed.json()["detail"]


def test_plain_signatures_that_are_wrong(service: Service, plain: Credentials) -> None:
    body = spin_body("plainly-wrong", "plainly")
    good = signed(plain, body)
    full = signing.headers(plain.key_id, plain.secret.encode(), "POST", SPINS, body)
    for name, sent, headers in (
        ("another body", body + b" ", good),
        ("another secret", body, signed(replace(plain, secret="guess"), body)),
        ("a key of another operator", body, {**good, signing.KEY_ID: "key-sandbox"}),
        ("no signature", body, {**good, signing.SIGNATURE: ""}),
        ("bytes beyond ASCII", body, {**good, signing.SIGNATURE: "é" * 64}),
        ("a timestamp with it", body, {**good, signing.TIMESTAMP: signing.now_text()}),
        ("a nonce with it", body, {**good, signing.NONCE: "n"}),
        # Taken out of a whole signature, its parts cannot be used to fall back to the weak form.
        ("a whole signature without its headers", body, {k: full[k] for k in (signing.KEY_ID, signing.SIGNATURE)}),
        ("its digits alone", body, {**good, signing.SIGNATURE: full[signing.SIGNATURE].removeprefix("v1=")}),
    ):
        assert code(send(plain.url, SPINS, sent, headers)) == "SIGNATURE_INVALID", name
    assert not run(service.fetch("SELECT FROM spins WHERE spin_id = 'plainly-wrong'"))


def test_an_empty_body_opens_nothing(plain: Credentials) -> None:
    """Its signature is the same for every path, for ever."""
    for path in ("/rgs/v1/games", "/rgs/v1/spins/plainly"):
        assert code(send(plain.url, path, b"", signed(plain, b""), "GET")) == "SIGNATURE_INVALID"


def test_production_takes_none(service: Service, plain: Credentials) -> None:
    """Neither at the start, nor where the operator was changed while it ran, nor by the command."""
    config = replace(
        service.config,
        mode="production",
        database_url=service.database_url,
        master_key_file=str(service.config.master_key_path),
        port=free_port(),
        workers=1,
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RGS_")}
    done = subprocess.run(
        [sys.executable, "-m", "rgs_server", "serve"],
        env=environment | environment_of(config),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "op-plainly may sign bodies alone" in done.stderr
    with pytest.raises(OperatorRefused, match="not for production"):
        run(change_operator(config, "op-plainly", plain_signatures=True))

    async def job() -> tuple[int, int]:
        sealer = Sealer(*read_master_keys(config.master_key_path))
        rules = Rulebook({}, read_registry("", ""), "strictest")
        server = TestServer(create_app(Worker(config, config.database_url, rules, sealer)))
        await server.start_server()
        try:
            body = spin_body("plainly-live", "none")
            async with aiohttp.ClientSession() as session:
                async with session.post(server.make_url(SPINS), data=body, headers=signed(plain, body)) as answer:
                    weak = answer.status
                full = signing.headers(plain.key_id, plain.secret.encode(), "POST", SPINS, body)
                async with session.post(server.make_url(SPINS), data=body, headers=full) as answer:
                    return weak, answer.status
        finally:
            await server.close()

    assert run(job()) == (401, 404)


def test_the_command(service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", service.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(service.config.master_key_path))
    service.add_operator("op-plain-command")
    asked = "SELECT plain_signatures FROM operators WHERE operator_id = 'op-plain-command'"
    for word, expected in (("on", True), ("off", False)):
        assert main(["operator", "op-plain-command", "--plain-signatures", word]) == 0
        assert run(service.fetch(asked))[0][0] is expected
    monkeypatch.setenv("RGS_MODE", "production")
    assert main(["operator", "op-plain-command", "--plain-signatures", "on"]) == 2
    assert "not for production" in capsys.readouterr().err
