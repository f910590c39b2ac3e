"""GET /status: what everybody may know, and nothing else."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rgs_server.config import ConfigError, read_config
from rgs_server.contract.answers import StatusAnswer
from service_process import Service, children, run, sending, session_body, spin_body, wait_for

CONTACT = "mailto:ops@studio.example"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = Path(tmp_path_factory.mktemp("status"))
    running = Service(folder, workers=1, contact=CONTACT, incident_file=str(folder / "incident.txt"))
    running.start()
    yield running
    running.stop()
    running.remove()


def ask(service: Service, path: str = "/status", accept: str = "*/*") -> tuple[str, str]:
    """Unsigned: (type, text)."""
    request = urllib.request.Request(f"http://127.0.0.1:{service.config.port}{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers.get_content_type(), answer.read().decode()


def state(service: Service) -> StatusAnswer:
    return msgspec.json.decode(ask(service)[1], type=StatusAnswer, strict=True)


def parts(service: Service) -> dict[str, str]:
    return {part.name: part.status for part in state(service).components}


def test_all_is_well(own: Service) -> None:
    found = state(own)
    assert (found.status, found.incident, found.contact) == ("operational", None, CONTACT)
    assert parts(own) == dict.fromkeys(("database", "clock", "spins", "wallets", "events"), "operational")


def test_browsers_get_a_page(own: Service) -> None:
    kind, text = ask(own, accept="text/html,application/xhtml+xml")
    assert kind == "text/html"
    assert "Service: operational" in text
    assert f"href='{CONTACT}'" in text


def test_an_incident_is_told_while_its_file_is_there(own: Service) -> None:
    file = Path(own.config.incident_file)
    file.write_text("Wallets of <some> platforms answer late.\nNext news at 12:00 UTC.\n")
    wait_for(lambda: state(own).incident)
    found = state(own)
    assert (found.status, found.incident) == (
        "degraded",
        "Wallets of <some> platforms answer late.\nNext news at 12:00 UTC.",
    )
    text = ask(own, accept="text/html")[1]
    assert "<p>Wallets of &lt;some&gt; platforms answer late.</p><p>Next news at 12:00 UTC.</p>" in text
    file.unlink()
    wait_for(lambda: state(own).incident is None)


def test_one_receiver_that_fails_is_no_incident_and_most_of_them_are(own: Service) -> None:
    send = sending(own)
    assert send("POST", "/sessions", session_body("s-1")).status == 200
    assert send("POST", "/spins", spin_body("late", "s-1")).status == 200
    hook = (
        "WITH held AS (INSERT INTO lanes (operator_id, sink, lease_until) VALUES ($1, 'webhook', 'infinity'))"
        " INSERT INTO webhooks (operator_id, url, secret_sealed) VALUES ($1, 'http://127.0.0.1:9/', 'x')"
    )
    run(own.fetch("UPDATE outbox SET created_at = now() - interval '10 minutes'"))
    for name in ("op-quiet-1", "op-quiet-2"):
        own.add_operator(name)
        run(own.fetch(hook, name))
    run(own.fetch(hook, "op-sandbox"))
    first = state(own).time
    wait_for(lambda: state(own).time != first)
    assert parts(own)["events"] == "operational"
    run(own.fetch("DELETE FROM webhooks WHERE operator_id <> 'op-sandbox'"))
    wait_for(lambda: parts(own)["events"] == "degraded")
    assert state(own).status == "degraded"
    assert "op-sandbox" not in ask(own)[1]
    run(own.fetch("DELETE FROM webhooks"))


def test_wallets_that_are_late(own: Service) -> None:
    own.give_up("op-sandbox", "s-1", "late")
    due = "UPDATE wallet_steps SET state = 'pending', ended_at = NULL, next_try_at = 'infinity', created_at = now() - interval '1 hour'"
    run(own.fetch(due))
    wait_for(lambda: parts(own)["wallets"] == "degraded")
    run(own.fetch("DELETE FROM wallet_steps"))
    wait_for(lambda: parts(own)["wallets"] == "operational")


def test_the_contact_is_in_the_contract(own: Service, service: Service) -> None:
    def info(of: Service) -> dict[str, Any]:
        return msgspec.json.decode(ask(of, "/openapi.json")[1])["info"]  # type: ignore[no-any-return]

    assert info(own)["contact"] == {"email": "ops@studio.example"}
    assert "contact" not in info(service)
    with pytest.raises(ConfigError, match="RGS_CONTACT"):
        read_config({"RGS_CONTACT": "javascript:alert(1)"})


def test_it_answers_without_a_database(own: Service) -> None:
    postmaster = own.postgres()
    stopped = [postmaster, *children(postmaster)]  # all at once: it takes connections and answers nothing
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: parts(own)["database"] == "down", own.log_text)
        assert state(own).status == "down"
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: state(own).status == "operational")
