"""Replay: by the service from spin_id, and by anybody from the audit record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from service_process import Service, run, spin_body

from rgs_core.__main__ import main as rgs


def test_every_spin_replays(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    for n in range(20):
        service.send("POST", "/rgs/v1/spins", spin_body(f"again-{n}", session))
        replay = service.send("GET", f"/rgs/v1/spins/again-{n}/replay").json()
        assert replay["result"] == "match", replay
        assert replay["outcome"]["spins"][0]["sub_spin"] == 0


def test_the_audit_record_replays_without_the_service(
    service: Service, new_session: Callable[[], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.send("POST", "/rgs/v1/spins", spin_body("offline", new_session()))
    record = tmp_path / "record.json"
    record.write_bytes(service.send("GET", "/rgs/v1/spins/offline/replay").body)
    assert rgs(["replay", str(record)]) == 0
    assert "MATCH" in capsys.readouterr().out
    altered = json.loads(record.read_text())
    altered["audit_record"]["nonce"] += 1
    record.write_text(json.dumps(altered))
    assert rgs(["replay", str(record), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["match"] is False


def test_seeds_are_shown_to_sandbox_operators_only(service: Service) -> None:
    from service_process import session_body

    real = service.add_operator("op-real")
    service.send("POST", "/rgs/v1/sessions", session_body("real", operator_id="op-real"), credentials=real)
    service.send("POST", "/rgs/v1/spins", spin_body("real", "real"), credentials=real)
    replay = service.send("GET", "/rgs/v1/spins/real/replay", credentials=real).json()
    assert replay["result"] == "match"
    assert replay["audit_record"]["server_seed"] is None


def test_an_altered_record_is_a_mismatch(service: Service, new_session: Callable[[], str]) -> None:
    service.send("POST", "/rgs/v1/spins", spin_body("forged", new_session()))

    async def forge() -> None:
        connection = await asyncpg.connect(service.database_url)
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute("UPDATE spins SET win_units = win_units + 1 WHERE spin_id = 'forged'")
        for table in ("spins", "ledger", "round_ends", "idempotency"):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await connection.execute(f"DELETE FROM {table} WHERE true")
        await connection.execute("ALTER TABLE spins DISABLE TRIGGER spins_append_only")
        await connection.execute("UPDATE spins SET win_units = win_units + 1 WHERE spin_id = 'forged'")
        await connection.execute("ALTER TABLE spins ENABLE TRIGGER spins_append_only")
        await connection.close()

    run(forge())
    replay = service.send("GET", "/rgs/v1/spins/forged/replay").json()
    assert replay["result"] == "mismatch"
    assert replay["checks"] == {"outcome_digest": True, "win_units": False, "win_minor": True, "answer": True}
