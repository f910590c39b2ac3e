"""Requests and starts that try to do harm; each found by a reviewer, each refused without a trace."""

from __future__ import annotations

import asyncio
import http.client
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from rgs_server import signing
from rgs_server.config import Config, environment_of
from service_process import BUILD, Service, run, session_body, spin_body


def raw(
    service: Service, headers: dict[str, bytes], body: bytes = b"{}", path: str = "/rgs/v1/spins"
) -> tuple[int, bytes]:
    """A request with any bytes in its headers, which well-behaved clients do not send."""
    connection = http.client.HTTPConnection("127.0.0.1", service.config.port, timeout=10)
    try:
        connection.putrequest("POST", path)
        for name, value in {**headers, "Content-Length": str(len(body)).encode()}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", [signing.KEY_ID, signing.TIMESTAMP, signing.NONCE, signing.SIGNATURE])
def test_bytes_beyond_ascii_in_signing_headers(service: Service, name: str) -> None:
    assert service.credentials is not None
    key = service.credentials
    headers = signing.headers(key.key_id, key.secret.encode(), "POST", "/rgs/v1/spins", b"{}")
    encoded = {k: v.encode() for k, v in headers.items()}
    status, body = raw(service, {**encoded, name: encoded[name] + b"\xff"})
    assert (status, b"SIGNATURE_INVALID" in body) == (401, True)


@pytest.mark.parametrize("key", [b"k\xff", b"", b"k" * 256, b"k" * 7000])
def test_idempotency_header_of_another_form(service: Service, new_session: Callable[[], str], key: bytes) -> None:
    assert service.credentials is not None
    mine = service.credentials
    body = spin_body(f"header-{len(key)}", new_session(), idempotency_key=None)
    headers = signing.headers(mine.key_id, mine.secret.encode(), "POST", "/rgs/v1/spins", body)
    encoded = {k: v.encode() for k, v in headers.items()}
    status, answer = raw(service, {**encoded, "Idempotency-Key": key}, body)
    assert (status, b"VALIDATION_FAILED" in answer) == (400, True), answer


@pytest.mark.parametrize(
    "changes",
    [{"client_seed": "a\x00b"}, {"rg_flags": {"time_limit_min": 10**20}}, {"rg_flags": {"time_limit_min": -1}}],
)
def test_session_fields_out_of_bounds(service: Service, changes: dict[str, object]) -> None:
    reply = service.send("POST", "/rgs/v1/sessions", session_body("bounds", **changes))
    assert (reply.status, reply.json()["code"]) == (400, "VALIDATION_FAILED")


def test_a_body_nested_too_deep(service: Service) -> None:
    body = b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    reply = service.send("POST", "/rgs/v1/spins", body)
    assert (reply.status, reply.json()["code"]) == (400, "VALIDATION_FAILED")


def test_nobody_spoils_the_batch_of_others(service: Service, new_session: Callable[[], str]) -> None:
    """Repeated spin ids under different keys share batches with honest spins; all honest ones are played."""
    session, other = new_session(), new_session()
    honest = [spin_body(f"honest-{n}", session) for n in range(40)]
    rude = [spin_body("rude", other, idempotency_key=f"rude-{n}") for n in range(40)]

    async def job() -> list[int]:
        async with service.client() as client:
            bodies = [body for pair in zip(honest, rude, strict=True) for body in pair]
            replies = await asyncio.gather(*(client.send("POST", "/rgs/v1/spins", body) for body in bodies))
            return [reply.status for reply in replies]

    statuses = run(job())
    assert statuses[::2] == [200] * 40
    assert sorted(statuses[1::2]) == [200] + [409] * 39


def test_a_session_of_a_build_that_is_not_loaded(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    gone = "sha256:" + "e" * 64
    run(service.fetch("UPDATE sessions SET build_hash = $1 WHERE session_id = $2", gone, session))
    reply = service.send("POST", "/rgs/v1/spins", spin_body("unloaded", session))
    assert (reply.status, reply.json()["code"]) == (503, "BUILD_UNAVAILABLE")
    run(service.fetch("UPDATE sessions SET build_hash = $1 WHERE session_id = $2", BUILD.build_hash, session))
    assert service.send("POST", "/rgs/v1/spins", spin_body("unloaded", session)).status == 200


def start_another(config: Config) -> tuple[int, str]:
    command = [sys.executable, "-m", "rgs_server", "serve"]
    # As it is here, so that it is this checkout that is started.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RGS_")}
    environment |= environment_of(config)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_second_service_is_refused(service: Service) -> None:
    code, message = start_another(replace(service.config, data_dir=f"{service.config.data_dir}/other"))
    assert (code, "set RGS_PORT" in message) == (2, True), message
    from service_process import free_port

    code, message = start_another(replace(service.config, port=free_port()))
    assert (code, "set RGS_DATA_DIR" in message) == (2, True), message
    assert service.send("GET", "/readyz").status == 200


def test_a_build_without_its_certificate_stops_the_start(
    service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With a database of its own: the service refuses odds that nobody declared."""
    from service_process import free_port

    from rgs_core import games

    folder = tmp_path_factory.mktemp("models")
    (folder / "mine.toml").write_text(games.find("ember_sevens").read_text())
    config = replace(
        service.config,
        database_url=service.database_url,
        master_key_file=str(service.config.master_key_path),
        port=free_port(),
        models_dir=str(folder),
        workers=1,
    )
    code, message = start_another(config)
    assert code == 2
    assert "rgs certify" in message


def test_an_unreachable_database_is_waited_for_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from rgs_server import supervisor

    monkeypatch.setattr(supervisor, "DATABASE_WAIT_S", 1)
    with pytest.raises(supervisor.DatabaseUnreachable, match="RGS_DATABASE_URL"):
        run(supervisor.prepare_database(*["postgresql://nobody@127.0.0.1:1/x"] * 2))
