"""Everything is logged, and nothing secret is: a service at level debug lives through faults, and its log is searched."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rgs_server import signing
from rgs_server.client import Credentials
from rgs_server.master_key import read_master_keys
from rgs_server.operators import Rules, add_client, set_player_tokens
from rgs_server.receivers import set_webhook
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context
from service_process import Service, run, sending, session_body, spin_body, wait_for
from wallet_server import WalletServer

PLAYER = "p-jane-doe-1970"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def loud(tmp_path: Path) -> Iterator[Service]:
    running = Service(
        tmp_path, workers=1, log_level="debug", log_slow_ms=1, wallet_timeout_ms=200, wallet_tries=2, sweep_s=1
    )
    running.start()
    yield running
    running.stop()
    running.remove()


def lines(service: Service) -> list[dict[str, Any]]:
    """Lines of the log so far; the last one may not be whole."""
    found = []
    for line in service.log_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


class Caller:
    """Sends requests and remembers the secrets in them."""

    def __init__(self, service: Service, credentials: Credentials) -> None:
        self.service, self.credentials = service, credentials
        self.secrets = [credentials.secret]

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        key, secret = self.credentials.key_id, self.credentials.secret
        signed = {**signing.headers(key, secret.encode(), method, path, body), **headers}
        self.secrets += [value.removeprefix("v1=") for name, value in signed.items() if name == signing.SIGNATURE]
        return self.ask(method, path, body, signed)

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.service.config.port}{path}"
        request = urllib.request.Request(url, body or None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def live_through_faults(service: Service, caller: Caller, wallet: WalletServer) -> None:
    """Requests that are right, wrong, forged, malformed; a wallet and a receiver that fail; a database that dies."""
    operator_id = caller.credentials.operator_id
    config = replace(service.config, database_url=service.database_url)
    hook = run(set_webhook(config, operator_id, "http://127.0.0.1:9/events"))
    client_secret = run(add_client(config, operator_id, "client-loud", ["play", "read"]))
    assert hook is not None
    caller.secrets += [hook, hook.removeprefix("whsec_"), client_secret]
    for n, mood in enumerate(("ok", "error", "hang", "garbage", "refuse")):
        wallet.always[f"debit:{PLAYER}-{n}"] = mood
        session = session_body(f"s-{n}", operator_id, player_id=f"{PLAYER}-{n}")
        caller.send("POST", "/rgs/v1/sessions", session, traceparent=TRACEPARENT)
        caller.send("POST", "/rgs/v1/spins", spin_body(f"spin-{n}", f"s-{n}"))
    caller.send("POST", f"/rgs/v1/players/{PLAYER}/flags", b'{"self_excluded": true}')
    caller.send("GET", f"/rgs/v1/players/{PLAYER}")
    caller.send("POST", "/rgs/v1/spins", b"{", traceparent=TRACEPARENT)
    caller.send(
        "POST", "/rgs/v1/sessions", session_body("s-jwt", operator_id, player_id=PLAYER, jwt="eyJhbGci.eyJzdWIi.c2ln")
    )
    caller.secrets.append("eyJhbGci.eyJzdWIi.c2ln")
    form = b"grant_type=client_credentials&client_id=client-loud&client_secret=" + client_secret.encode()
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = caller.ask("POST", "/rgs/v1/oauth/token", form, form_type)
    assert status == 200, answer
    token = json.loads(answer)["access_token"]
    caller.secrets.append(token)
    caller.ask("GET", "/rgs/v1/games", b"", {"Authorization": f"Bearer {token}"})
    caller.ask("GET", "/rgs/v1/games", b"", {"Authorization": f"Bearer {token}x"})
    basic = base64.b64encode(b"client-loud:" + client_secret.encode()).decode()
    caller.secrets.append(basic)
    caller.ask("POST", "/rgs/v1/oauth/token", b"grant_type=password", {**form_type, "Authorization": f"Basic {basic}"})
    # What is no HTTP: libraries log what they could not read.
    for head in (
        f"GET / HTTP/1.1\r\nAuthorization Bearer {token}\r\n\r\n",
        f"{caller.credentials.secret} / HTTP/9\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", service.config.port)) as raw:
            raw.sendall(head.encode())
            raw.settimeout(5)
            raw.recv(1000)
    # A row of the player that cannot be written: its values are in the detail of the database's error.
    run(service.fetch(f"ALTER TABLE spins ADD CHECK (spin_id <> 'spin-{PLAYER}')"))
    run(service.fetch("ALTER TABLE open_rounds ADD CHECK (player_id NOT LIKE '%refused')"))
    service.change_operator(operator_id, rules=Rules(wallets=["platform"], settle_within_s=60, one_round=True))
    caller.send("POST", "/rgs/v1/sessions", session_body("s-row", operator_id, player_id=f"{PLAYER}-refused"))
    status, answer = caller.send("POST", "/rgs/v1/spins", spin_body("spin-row", "s-row"))
    assert (status, json.loads(answer)["code"]) == (500, "INTERNAL")
    secret = run(set_player_tokens(config, operator_id, "shared", audience="studio"))
    assert secret is not None
    caller.secrets.append(secret)
    os.kill(service.postgres(), signal.SIGKILL)
    caller.send("POST", "/rgs/v1/spins", spin_body("spin-dead", "s-0"), traceparent=TRACEPARENT)
    caller.send("GET", "/rgs/v1/sessions/s-0", traceparent=TRACEPARENT)


def test_nothing_secret_and_no_player_is_in_a_log_of_everything(loud: Service) -> None:
    credentials = loud.add_operator("op-loud")
    caller = Caller(loud, credentials)
    with WalletServer(credentials.secret.encode()) as wallet:
        loud.change_operator("op-loud", rules=Rules(wallets=["seamless"]), wallet=(wallet.url, credentials.key_id))
        live_through_faults(loud, caller, wallet)
        wait_for(lambda: "spin-2" in loud.log_text())
    loud.wait_until_ready()
    sealer = Sealer(*read_master_keys(loud.config.master_key_path))
    rows = run(loud.fetch("SELECT operator_id, session_id, seed_sealed FROM sessions"))
    assert len(rows) > 5
    seeds = [sealer.open(row["seed_sealed"], seed_context(row["operator_id"], row["session_id"])) for row in rows]
    keys = loud.config.master_key_path.read_text().split()
    secrets = [*caller.secrets, *keys, *(seed.hex() for seed in seeds), PLAYER]
    secrets += [base64.b64encode(seed).decode() for seed in seeds]
    assert len(set(secrets)) > 30
    assert loud.stop() == 0
    text = loud.log_text()
    assert [secret for secret in secrets if secret in text] == []

    found = lines(loud)
    assert {"debug", "info", "warning", "error"} <= {line["level"] for line in found}
    assert [
        line for line in found if "the database refused a spin" in line["message"] and line["spin_id"] == "spin-row"
    ]
    # What the platform named is found again, in the request and where its fault was met.
    named = [line for line in found if line.get("trace_id") == TRACE]
    assert {line.get("operation") for line in named} >= {"openSession", "playSpin"}
    assert {line["operator"] for line in named if "operator" in line} == {"op-loud"}
    assert [line for line in named if line["level"] == "warning" and line.get("session_id") == "s-0"]


def test_by_default_a_request_leaves_no_line_unless_it_fails_or_is_slow(tmp_path: Path) -> None:
    quiet = Service(tmp_path, workers=1, log_slow_ms=600_000)
    quiet.start()
    try:
        send = sending(quiet)
        assert send("POST", "/sessions", session_body("s-1")).status == 200
        assert send("POST", "/spins", spin_body("quiet", "s-1")).status == 200
        assert send("GET", "/rounds/unknown").status == 404
        run(quiet.fetch("ALTER TABLE spins ADD CHECK (spin_id <> 'refused')"))
        reply = send("POST", "/spins", spin_body("refused", "s-1"))
        trace_id = reply.json()["trace_id"]
        wait_for(lambda: [line for line in lines(quiet) if line.get("duration_ms")])
        # Lines are written in order: what the requests before had left would stand here too. Processes
        # that are starting write lines of their own meanwhile.
        assert {line["trace_id"] for line in lines(quiet) if "trace_id" in line} == {trace_id}
        mine = [line for line in lines(quiet) if line.get("trace_id") == trace_id]
        assert {line["logger"] for line in mine} == {"rgs.http", "rgs.spins"}
        assert all(line["operator"] == "op-sandbox" for line in mine)
    finally:
        quiet.stop()
        quiet.remove()
