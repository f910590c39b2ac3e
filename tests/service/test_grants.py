"""What was written for good stays so by the grants of the database: workers connect as a role that cannot change it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from rgs_server.config import environment_of
from rgs_server.store import RECORDS, changeable_records
from service_process import Service, free_port, run, spin_body

TEXTS = {"builds": "model", "audit_leaves": "leaf_hashes", "audit_nodes": "hash", "audit_checkpoints": "note"}
"""A column of text or bytes, where none is called operator_id."""


def worker_url(service: Service) -> str:
    return service.database_url.replace("//rgs@", "//rgs_worker@")


def test_workers_cannot_change_what_is_written(service: Service, new_session: Callable[[], str]) -> None:
    assert service.send("POST", "/rgs/v1/spins", spin_body("granted", new_session())).status == 200

    async def job() -> None:
        owner = await asyncpg.connect(service.database_url)
        roles = await owner.fetch(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = '' AND pid <> pg_backend_pid()"
        )
        await owner.close()
        assert "rgs_worker" in {row["usename"] for row in roles}
        worker = await asyncpg.connect(worker_url(service))
        try:
            for table in RECORDS:
                for change in (
                    f"UPDATE {table} SET {TEXTS.get(table, 'operator_id')} = 'x'",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table} CASCADE",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await worker.execute(change)
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="must be owner"):
                    await worker.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            for attempt in (
                "SET ROLE rgs",
                "CREATE TABLE mine (a int)",
                "UPDATE schema_version SET digest = ''",
                "UPDATE resolutions SET reason = ''",
                "DELETE FROM resolutions",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await worker.execute(attempt)
        finally:
            await worker.close()
        assert await changeable_records(worker_url(service)) == []
        assert await changeable_records(service.database_url) == list(RECORDS)

    run(job())


def test_production_needs_an_owner_apart_from_the_workers(service: Service, tmp_path: Path) -> None:
    """With a database of its own: one role for all is refused; with an owner beside it the service starts, and starts again
    as the worker alone, which finds the tables there."""

    async def prepare() -> None:
        admin = await asyncpg.connect(service.database_url)
        for statement in (
            "DROP DATABASE IF EXISTS outside",
            "CREATE ROLE studio LOGIN",
            "CREATE DATABASE outside OWNER studio",
        ):
            await admin.execute(statement)
        await admin.close()

    run(prepare())
    owner = service.database_url.replace("//rgs@", "//studio@").replace("/postgres?", "/outside?")
    worker = owner.replace("//studio@", "//rgs_worker@")

    def started(database_url: str, owner_url: str) -> tuple[int | None, str]:
        config = replace(
            service.config, data_dir=str(tmp_path), port=free_port(), workers=1, mode="production",
            database_url=database_url, owner_database_url=owner_url,
            master_key_file=str(service.config.master_key_path),
        )  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RGS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "rgs_server", "serve"], env=environment | environment_of(config),
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = []
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line)
                if "worker serves" in line:
                    process.send_signal(signal.SIGTERM)
            return process.wait(timeout=60), "".join(lines)

    status, said = started(owner, "")
    assert status == 2
    assert "may change rows of spins, ledger, round_ends, idempotency, builds, audit_facts" in said
    assert started(worker, owner)[0] == 0
    status, said = started(worker, "")
    assert (status, "worker serves" in said) == (0, True)
    assert asyncio.run(changeable_records(worker)) == []
