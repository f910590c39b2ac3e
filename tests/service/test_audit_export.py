"""Exports of a running service, verified by `rgs audit verify`; how long facts are kept, and what holds them."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from rgs_server.__main__ import main
from rgs_server.clock import system_clock, time_text
from service_process import Service, code, run, session_body, spin_body, wait_for

from rgs_core.__main__ import main as rgs

FILLERS = itertools.count()
BEGINNING = "2020-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("exported")), workers=1, checkpoint_s=1)
    running.start()
    assert running.send("POST", "/rgs/v1/sessions", session_body("exported")).status == 200
    yield running
    assert running.stop() == 0
    running.remove()


@pytest.fixture(autouse=True)
def _environment(own: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(own.config.master_key_path))


def play(own: Service, *spins: str) -> None:
    """Until they are signed."""
    for spin in spins:
        assert own.send("POST", "/rgs/v1/spins", spin_body(spin, "exported")).status == 200
    for spin in spins:
        wait_for(lambda spin=spin: code(own.send("GET", f"/rgs/v1/audit/spins/{spin}"))[0] == 200)


def signed_at(own: Service) -> str:
    return str(own.send("GET", "/rgs/v1/audit/checkpoint").json()["made_at"])


def end_of_now(own: Service) -> str:
    """A time behind all that was sequenced so far, which a checkpoint has passed: something else is played until then."""
    wait_for(lambda: time_text(system_clock()) > signed_at(own))
    end = time_text(system_clock())
    while signed_at(own) < end:
        play(own, f"filler-{next(FILLERS)}")
    return end


def key_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["audit", "key"]) == 0
    path = folder / "log.pub"
    path.write_text(capsys.readouterr().out)
    return str(path)


def test_an_export_is_verified_without_the_service(
    own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(own, "export-1", "export-2")
    middle = end_of_now(own)
    kept = tmp_path / "kept.txt"
    kept.write_text(own.send("GET", "/rgs/v1/audit/checkpoint").json()["checkpoint"])
    play(own, "export-3")
    end = end_of_now(own)
    key = key_file(tmp_path, capsys)
    for name, since, until in (("all", BEGINNING, end), ("first", BEGINNING, middle), ("second", middle, end)):
        folder = tmp_path / name
        assert main(["audit", "export", "--from", since, "--to", until, "--out", str(folder)]) == 0
        assert rgs(["audit", "verify", str(folder), "--key", key]) == 0
    spins = {
        name: [leaf["subject"] for leaf in leaves(tmp_path / name) if leaf["kind"] == "spin"]
        for name in ("all", "first")
    }
    assert {"export-1", "export-2", "export-3"} <= set(spins["all"])
    assert "export-3" not in spins["first"]
    assert rgs(["audit", "verify", str(tmp_path / "all"), "--key", key, "--checkpoint", str(kept)]) == 0
    assert rgs(["audit", "verify", str(tmp_path / "second"), "--key", key, "--checkpoint", str(kept)]) == 0
    changed = tmp_path / "all" / "leaves.jsonl"
    changed.write_text(changed.read_text().replace('"stake_minor":100', '"stake_minor":200', 1))
    assert rgs(["audit", "verify", str(tmp_path / "all"), "--key", key]) == 1


def leaves(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "leaves.jsonl").read_text().splitlines()]


def test_what_cannot_be_exported(own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(own, "refused-1")
    later = time_text(system_clock().replace(year=2100))
    for since, until, out, message in (
        (BEGINNING, later, "new", "the newest checkpoint is of"),
        (BEGINNING, "yesterday", "new", "are times like"),
        (later, BEGINNING, "new", "the first one before the second"),
        (BEGINNING, signed_at(own), "", "written once"),
    ):
        assert main(["audit", "export", "--from", since, "--to", until, "--out", str(tmp_path / out)]) == 2
        assert message in capsys.readouterr().err


def test_a_closed_session_is_verified_offline(own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the service to the script that a player runs."""
    told = own.send("POST", "/rgs/v1/sessions", session_body("offline")).json()["seed_commitment"]
    for n in range(4):
        assert own.send("POST", "/rgs/v1/spins", spin_body(f"offline-{n}", "offline")).status == 200
    records, session = tmp_path / "records.json", tmp_path / "session.json"
    write = ["audit", "session", "op-sandbox", "offline", "--out", str(records)]
    assert main(write) == 2
    assert "is open" in capsys.readouterr().err
    assert own.send("POST", "/rgs/v1/sessions/offline/close").status == 200
    assert main(write) == 0
    capsys.readouterr()
    assert main(["audit", "key"]) == 0
    key = capsys.readouterr().out.strip()
    assert rgs(["audit", "session", str(records), "--out", str(session), "--key", key]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 rounds, all of them replayed" in said
    assert "signed with that key" in said
    root = json.loads(session.read_text())["log"]["root"]
    script = Path(__file__).parents[2] / "docs/verify/verify_session.py"
    done = subprocess.run([sys.executable, "-I", str(script), str(session), told, root], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:15]) == (0, "RIGHT: 4 rounds")
    # A win that was changed where it is kept is not the one that was logged.
    altered(own, "UPDATE spins SET win_units = win_units + 1 WHERE spin_id = 'offline-2'")
    assert main(write) == 0
    assert rgs(["audit", "session", str(records), "--out", str(session), "--key", key]) == 2
    assert "is not in the log" in capsys.readouterr().err
    altered(own, "UPDATE spins SET win_units = win_units - 1 WHERE spin_id = 'offline-2'")


def altered(own: Service, *statements: str) -> None:
    """As somebody who owns the tables may: triggers away, changes, triggers back."""

    async def job() -> None:
        connection = await asyncpg.connect(own.database_url)
        try:
            async with connection.transaction():
                for table in ("audit_facts", "audit_leaves", "spins"):
                    await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                for statement in statements:
                    await connection.execute(statement)
                for table in ("audit_facts", "audit_leaves", "spins"):
                    await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        finally:
            await connection.close()

    run(job())


def test_spins_that_were_changed_in_the_database_are_found(
    own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The spin alone; the spin with its hash; both times nothing is exported as if it were right."""
    play(own, "changed-1")
    until = end_of_now(own)
    change = "UPDATE spins SET stake_minor = {1} WHERE spin_id = 'changed-1' AND stake_minor = {0}"
    rehash = (
        "UPDATE audit_leaves l SET leaf_hashes = audit_hash(v.leaf) "
        "FROM audit_log v WHERE v.first = l.position AND v.subject = 'changed-1' AND v.kind = 'spin'"
    )
    for number, statements in enumerate(([], [rehash])):
        altered(own, change.format(100, 900), *statements)
        out = str(tmp_path / str(number))
        assert main(["audit", "export", "--from", BEGINNING, "--to", until, "--out", out]) == 2
        said = capsys.readouterr().err
        assert ("not what was signed" if statements else "not the one that was hashed") in said
        altered(own, change.format(900, 100), *statements)
    assert main(["audit", "export", "--from", BEGINNING, "--to", until, "--out", str(tmp_path / "right")]) == 0


def test_a_spin_that_was_taken_away_is_found(own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for one whose fact was erased."""
    play(own, "gone-1")
    until = end_of_now(own)
    altered(
        own,
        "CREATE TABLE taken AS SELECT * FROM spins WHERE spin_id = 'gone-1'",
        "DELETE FROM spins WHERE spin_id = 'gone-1'",
    )
    arguments = ["audit", "export", "--from", BEGINNING, "--to", until, "--out"]
    assert main([*arguments, str(tmp_path / "gone")]) == 2
    assert "the spin that leaf " in capsys.readouterr().err
    altered(own, "INSERT INTO spins SELECT * FROM taken", "DROP TABLE taken")
    assert main([*arguments, str(tmp_path / "back")]) == 0


def aged(own: Service, subject: str) -> None:
    """Makes a fact and its leaf two years old: what was hashed does not change but for that."""
    altered(
        own, f"UPDATE audit_facts SET written_at = written_at - interval '2 years' WHERE '{subject}' = ANY (subjects)"
    )


def kept(own: Service, subject: str) -> bool:
    return bool(run(own.fetch("SELECT FROM audit_facts WHERE $1 = ANY (subjects)", subject)))


def test_facts_are_erased_when_their_time_is_over_unless_they_are_held(
    own: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: Callable[..., int]
) -> None:
    play(own, "old-1", "young-1")
    aged(own, "old-1")
    delete = "DELETE FROM audit_facts WHERE 'old-1' = ANY (subjects) RETURNING 1"
    with pytest.raises(asyncpg.RaiseError, match="is kept"):
        run(own.fetch(delete))
    assert keep("--erase") == 0
    assert kept(own, "old-1"), "without a rule nothing is erased"
    assert keep("--keep-days", "30") == 2
    assert keep("--keep-days", "400") == 0
    hold = ["audit", "hold", "case-1", "--from", BEGINNING, "--to", time_text(system_clock())]
    assert main(hold) == 2, "without a reason"
    assert main([*hold, "--reason", "file 4711", "--operator", "op-sandbox"]) == 0
    assert main([*hold, "--reason", "file 4712"]) == 2, "the id is taken"
    assert keep("--erase") == 0
    assert kept(own, "old-1")
    with pytest.raises(asyncpg.RaiseError, match="is kept"):
        run(own.fetch(delete))
    capsys.readouterr()
    assert main(["audit", "hold"]) == 0
    assert "case-1  op-sandbox" in capsys.readouterr().out
    assert main(["audit", "hold", "case-1", "--release"]) == 0
    assert main(["audit", "hold", "case-1", "--release"]) == 2
    assert keep("--erase") == 0
    assert not kept(own, "old-1")
    assert kept(own, "young-1")
    acts = {row["kind"] for row in run(own.fetch("SELECT kind FROM audit_facts"))}
    assert {"hold", "retention"} <= acts
    (erasure,) = run(own.fetch("SELECT fact::jsonb ->> 'facts' AS facts FROM audit_facts WHERE kind = 'erasure'"))
    assert int(erasure["facts"]) >= 1, "that something was erased is kept"
    assert keep("--keep-days", "0") == 0
    # The tree goes on without the erased fact; what needs it says so.
    play(own, "young-2")
    assert code(own.send("GET", "/rgs/v1/audit/spins/old-1")) == (409, "AUDIT_PENDING")
    assert main(["audit", "export", "--from", BEGINNING, "--to", end_of_now(own), "--out", str(tmp_path / "x")]) == 2
    assert "was erased; begin the range later" in capsys.readouterr().err


@pytest.fixture
def keep() -> Callable[..., int]:
    return lambda *arguments: main(["audit", "retention", *arguments])


def test_facts_that_are_not_in_the_tree_are_never_erased(own: Service, keep: Callable[..., int]) -> None:
    """However old they are."""

    async def job() -> None:
        holder, writer = [await asyncpg.connect(own.database_url) for _ in range(2)]
        try:
            running = holder.transaction()  # nothing behind it is sequenced
            await running.start()
            await holder.execute("SELECT pg_current_xact_id()")
            await writer.execute(
                "INSERT INTO audit_facts (written_at, kind, operator_id, subject, fact) "
                "VALUES (now() - interval '3 years', 'test', '', 'unsequenced', '{}')"
            )
            await writer.execute("INSERT INTO audit_retention (keep_days) VALUES (400)")
            with pytest.raises(asyncpg.RaiseError, match="is kept"):
                await writer.execute("DELETE FROM audit_facts WHERE subject = 'unsequenced'")
            await running.rollback()
        finally:
            await holder.close()
            await writer.close()

    asyncio.run(job())
    assert keep("--keep-days", "0") == 0
