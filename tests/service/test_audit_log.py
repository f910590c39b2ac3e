"""The audit log of a running service: every fact once, in a tree that grows, signed, proved, and not to be changed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from rgs_server.__main__ import main
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import ensure_log_key
from rgs_server.audit.sequencer import Sequencer
from rgs_server.audit.tree import LogBroken, root_at, span_hashes
from rgs_server.client import Credentials, Reply
from rgs_server.clock import time_text
from rgs_server.sealing import Sealer
from rgs_server.store import Store, create_schema
from service_process import Service, code, run, session_body, spin_body, wait_for

from rgs_core.__main__ import main as rgs
from rgs_core.audit.merkle import consistency_spans, consistent, included, inclusion_spans, leaf_hash, root_of
from rgs_core.audit.notes import Checkpoint, VerifierKey, read_keys
from rgs_core.audit.proofs import read_proof
from rgs_core.errors import AuditError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that signs every second, and publishes."""
    folder = Path(tmp_path_factory.mktemp("audited"))
    running = Service(folder, workers=2, checkpoint_s=1, audit_place=str(folder / "published"))
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


def get(service: Service, path: str, credentials: Credentials | None = None) -> Reply:
    return service.send("GET", f"/rgs/v1{path}", credentials=credentials)


def when_logged(service: Service, path: str) -> dict[str, Any]:
    """The answer, once the log has signed it."""
    wait_for(lambda: code(get(service, path))[1] != "AUDIT_PENDING")
    answer: dict[str, Any] = get(service, path).json()
    return answer


def key_of(service: Service) -> VerifierKey:
    return VerifierKey.parse(when_logged(service, "/audit/checkpoint")["public_key"])


def play(service: Service, session: str, *spins: str) -> None:
    for spin in spins:
        assert service.send("POST", "/rgs/v1/spins", spin_body(spin, session)).status == 200


def opened(service: Service, session: str) -> str:
    assert service.send("POST", "/rgs/v1/sessions", session_body(session)).status == 200
    return session


def sequenced(service: Service) -> bool:
    """Whether every fact has a position."""
    (row,) = run(
        service.fetch(
            "SELECT count(*) AS left FROM audit_facts f WHERE NOT EXISTS "
            "(SELECT FROM audit_leaves l WHERE l.written_in = f.written_in AND l.fact_id = f.fact_id)"
        )
    )
    return row["left"] == 0


def whole_tree(service: Service) -> list[bytes]:
    """Hashes of all leaves, made of the facts; positions have no gaps and the stored hashes are right."""
    rows = run(service.fetch("SELECT position, leaf_hash, leaf FROM audit_log ORDER BY position"))
    assert [row["position"] for row in rows] == list(range(len(rows)))
    assert all(leaf_hash(row["leaf"].encode()) == row["leaf_hash"] for row in rows)
    return [row["leaf_hash"] for row in rows]


def test_a_round_is_proved_to_be_in_the_log(own: Service) -> None:
    play(own, opened(own, "proved"), "proved-1", "proved-2")
    keys = [key_of(own)]
    for path, kind in (("/audit/spins/proved-1", "spin"), ("/audit/transactions/stake:proved-1", "ledger")):
        answer = when_logged(own, path)
        proof = read_proof(json.dumps(answer))
        assert proof.faults(keys) == []
        leaf = json.loads(proof.leaf)
        assert (leaf["kind"], leaf["operator_id"], leaf["position"]) == (kind, "op-sandbox", answer["position"])
        assert leaf["fact"]["spin_id"] == "proved-1"
        assert replace(proof, leaf=proof.leaf.replace("proved-1", "proved-2")).faults(keys)
    record = get(own, "/spins/proved-1/replay").json()["audit_record"]
    fact = json.loads(when_logged(own, "/audit/spins/proved-1")["leaf"])["fact"]
    assert fact["outcome_digest"] == record["outcome_digest"]


def test_what_is_not_there_or_belongs_to_others(own: Service) -> None:
    play(own, opened(own, "private"), "private-1")
    when_logged(own, "/audit/spins/private-1")
    stranger = own.add_operator("op-curious")
    assert code(get(own, "/audit/spins/private-1", stranger)) == (404, "SPIN_UNKNOWN")
    assert code(get(own, "/audit/transactions/stake:private-1", stranger)) == (404, "TRANSACTION_UNKNOWN")
    assert code(get(own, "/audit/spins/never")) == (404, "SPIN_UNKNOWN")
    for query in ("first=0", "first=2&second=1", f"second={2**63 - 1}", "first=x"):
        assert code(get(own, f"/audit/consistency?{query}")) == (400, "VALIDATION_FAILED")


def test_the_log_only_grows(own: Service) -> None:
    session = opened(own, "growing")
    checkpoints: list[Checkpoint] = []
    keys = [key_of(own)]
    for n in range(3):
        play(own, session, f"growing-{n}")
        when_logged(own, f"/audit/spins/growing-{n}")
        checkpoints.append(Checkpoint.open(get(own, "/audit/checkpoint").json()["checkpoint"], keys))
    for old, new in itertools.pairwise(checkpoints):
        answer = get(own, f"/audit/consistency?first={old.size}&second={new.size}").json()
        path = [bytes.fromhex(value) for value in answer["path"]]
        assert consistent(old.size, new.size, old.root, new.root, path)
        assert (answer["first_root"], answer["second_root"]) == (old.root.hex(), new.root.hex())
    tree = whole_tree(own)
    assert all(root_of(tree[: seen.size]) == seen.root for seen in checkpoints)


def test_every_proof_of_the_stored_tree_holds(own: Service) -> None:
    """Of many leaves, so that stored nodes and such made of leaves both take part."""
    wait_for(lambda: sequenced(own))
    tree = whole_tree(own)
    size = len(tree)
    assert size > 64

    async def job() -> None:
        connection = await asyncpg.connect(own.database_url)
        store = AuditStore(connection)
        try:
            for index in range(0, size, 7):
                path = await span_hashes(store, inclusion_spans(index, size))
                assert included(tree[index], index, size, path, root_of(tree))
            for first in range(1, size, 11):
                path = await span_hashes(store, consistency_spans(first, size))
                assert await root_at(store, first) == root_of(tree[:first])
                assert consistent(first, size, root_of(tree[:first]), root_of(tree), path)
        finally:
            await connection.close()

    run(job())


def test_checkpoints_are_published_once_and_in_order(own: Service) -> None:
    keys = [key_of(own)]
    published = own.folder / "published"
    wait_for(lambda: len(list(published.rglob("*.txt"))) > 1)
    files = sorted(published.rglob("*.txt"))
    notes = [Checkpoint.open(path.read_text(), keys) for path in files]
    assert [note.size for note in notes] == sorted(note.size for note in notes)
    assert all(path.stat().st_mode & 0o222 == 0 for path in files)
    assert not list(published.rglob(".*"))
    tree = whole_tree(own)
    assert all(root_of(tree[: note.size]) == note.root for note in notes)


def test_facts_that_are_committed_late_are_not_lost(own: Service, new_facts: Callable[[str], str]) -> None:
    """One transaction writes its fact first and commits last: nothing behind it is sequenced before, and it is not passed
    over."""

    async def job() -> None:
        slow, quick = [await asyncpg.connect(own.database_url) for _ in range(2)]
        try:
            late = slow.transaction()
            await late.start()
            await slow.execute(new_facts("late"))
            await quick.execute(new_facts("early"))
            await asyncio.sleep(2.5)
            seen = "SELECT count(*) FROM audit_leaves l JOIN audit_facts f USING (written_in, fact_id) WHERE f.kind = 'test'"
            assert await quick.fetchval(seen) == 0
            await late.commit()
        finally:
            await slow.close()
            await quick.close()

    run(job())
    wait_for(lambda: sequenced(own))
    rows = run(
        own.fetch(
            "SELECT f.subject FROM audit_leaves l JOIN audit_facts f USING (written_in, fact_id) "
            "WHERE f.kind = 'test' ORDER BY l.position"
        )
    )
    assert [row["subject"] for row in rows] == ["late", "early"]
    whole_tree(own)


@pytest.fixture
def new_facts() -> Callable[[str], str]:
    return lambda subject: (
        f"INSERT INTO audit_facts (kind, operator_id, subject, fact) VALUES ('test', '', '{subject}', '{{}}')"
    )


def test_the_facts_of_money_and_admin_acts(own: Service) -> None:
    """Each of them leaves one, without any secret."""
    session = opened(own, "acts")
    play(own, session, "acts-1")
    own.add_operator("op-acts")
    assert own.send("POST", "/rgs/v1/players/p-acts/flags", b'{"self_excluded": true}').status == 200
    assert own.send("POST", f"/rgs/v1/sessions/{session}/close").status == 200
    rows = run(
        own.fetch("SELECT kind, subject, coalesce(fact, '') AS fact FROM audit_facts ORDER BY written_in, fact_id")
    )
    facts = {(row["kind"], row["subject"]) for row in rows}
    for expected in (
        ("session", "acts"), ("operator", "op-acts"), ("operator_key", "key-op-acts"), ("player_flag", "p-acts"),
    ):  # fmt: skip
        assert expected in facts, expected
    changes = [json.loads(row["fact"]) for row in rows if (row["kind"], row["subject"]) == ("session", "acts")]
    assert [change["change"] for change in changes] == ["insert", "update"]
    assert changes[1]["row"]["close_reason"] == "asked"
    text = "".join(row["fact"] for row in rows)
    assert not [word for word in ("seed_sealed", "secret_sealed", "private_sealed", "secret_digest") if word in text]


def test_each_spin_and_each_movement_has_exactly_one_fact(own: Service) -> None:
    """With every column of its row."""
    wait_for(lambda: sequenced(own))
    for kind, table, name in (("spin", "spins", "spin_id"), ("ledger", "ledger", "txn_id")):
        rows = run(own.fetch(f"SELECT * FROM {table}"))
        leaves = run(own.fetch("SELECT leaf FROM audit_log WHERE kind = $1", kind))
        facts = [json.loads(row["leaf"])["fact"] for row in leaves]
        assert sorted((fact["operator_id"], fact[name]) for fact in facts) == sorted(
            (row["operator_id"], row[name]) for row in rows
        )
        told = {(fact["operator_id"], fact[name]): fact for fact in facts}
        for row in rows:
            values = {key: as_told(value) for key, value in row.items() if key != "written_in"}
            assert told[row["operator_id"], row[name]] == values


def as_told(value: object) -> object:
    """A column as facts have it."""
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Decimal):
        return int(value)
    return value.hex() if isinstance(value, bytes) else value


def test_the_proofs_of_a_batch(own: Service) -> None:
    """Of many spins that one statement writes, each has a salt of its own."""
    play(own, opened(own, "together"), "together-0")
    copies = (
        "INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce, "
        "spin_type, mode, policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at) "
        "SELECT operator_id, 'together-\"' || n, 'r-together-' || n, session_id, idempotency_key, build_hash, mechanic_version, n, "
        "spin_type, mode, policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at "
        "FROM spins, generate_series(1, 100) AS n WHERE spin_id = 'together-0'"
    )
    run(own.fetch(copies))
    keys = [key_of(own)]
    salts = set()
    for n in (1, 2, 50, 100):
        answer = when_logged(own, f"/audit/spins/together-%22{n}")
        proof = read_proof(json.dumps(answer))
        assert proof.faults(keys) == []
        leaf = json.loads(proof.leaf)
        assert (leaf["subject"], leaf["fact"]["nonce"]) == (f'together-"{n}', n)
        salts.add(leaf["salt"])
    assert len(salts) == 4
    whole_tree(own)


def test_nobody_changes_the_log(own: Service) -> None:
    """Neither the workers, who lack the grants, nor by mistake the owner."""
    tables = ("audit_facts", "audit_leaves", "audit_nodes", "audit_checkpoints")

    async def job() -> None:
        owner = await asyncpg.connect(own.database_url)
        worker = await asyncpg.connect(own.database_url.replace("//rgs@", "//rgs_worker@"))
        try:
            for table in tables:
                column = (await owner.fetchrow(f"SELECT * FROM {table} LIMIT 1") or {"?": 0}).keys()
                first = next(iter(column))
                for change in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"UPDATE {table} SET {first} = {first}"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await worker.execute(change)
                    with pytest.raises(asyncpg.RaiseError, match=r"append-only|is kept"):
                        await owner.execute(change)
            for table in ("audit_keys", "audit_retention", "audit_holds"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await worker.execute(f"DELETE FROM {table}")
        finally:
            await owner.close()
            await worker.close()

    run(job())


def played_at_last(service: Service, session: str, spin: str) -> None:
    """Sent again where the worker that was to answer is killed."""

    def played() -> bool:
        try:
            play(service, session, spin)
        except aiohttp.ClientError:
            return False
        return True

    wait_for(played)


def test_workers_that_are_killed_leave_a_whole_log(own: Service) -> None:
    """Again and again while facts are written and sequenced."""
    session = opened(own, "killed")
    for n in range(8):
        played_at_last(own, session, f"killed-{n}")
        time.sleep(0.3 * (n % 4))  # so that some are hit while they sequence
        os.kill(own.workers()[n % 2], signal.SIGKILL)
        own.wait_until_ready()
    for n in range(8):
        when_logged(own, f"/audit/spins/killed-{n}")
    wait_for(lambda: sequenced(own))
    tree = whole_tree(own)
    for row in run(own.fetch("SELECT tree_size, root FROM audit_checkpoints")):
        assert root_of(tree[: row["tree_size"]]) == row["root"]


Steps = Callable[[Store, Sequencer], Coroutine[Any, Any, None]]


def in_database(own: Service, steps: Steps) -> None:
    """Runs steps with a sequencer of its own in a new database."""

    async def job() -> None:
        admin = await asyncpg.connect(own.database_url)
        await admin.execute("DROP DATABASE IF EXISTS sequenced")
        await admin.execute("CREATE DATABASE sequenced")
        await admin.close()
        url = own.database_url.replace("/postgres?", "/sequenced?")
        await create_schema(url)
        sealer = Sealer(b"m" * 32)
        await ensure_log_key(url, sealer)
        connection = await asyncpg.connect(url)

        @asynccontextmanager
        async def stores() -> AsyncIterator[Store]:
            yield Store(connection)

        try:
            await steps(Store(connection), Sequencer(stores, sealer, lambda: NOW, 1, None))
        finally:
            await connection.close()

    run(job())


async def write(store: Store, subject: str, written_in: int | None = None) -> None:
    transaction = "DEFAULT" if written_in is None else f"'{written_in}'"
    await store.connection.execute(
        "INSERT INTO audit_facts (written_in, kind, operator_id, subject, fact) "
        f"VALUES ({transaction}, 'test', '', '{subject}', '{{}}')"
    )


async def order(store: Store) -> list[str]:
    rows = await store.connection.fetch(
        "SELECT f.subject FROM audit_leaves l JOIN audit_facts f USING (written_in, fact_id) "
        "WHERE f.kind = 'test' ORDER BY l.position"
    )
    return [row["subject"] for row in rows]


def test_a_restored_dump_goes_on(own: Service) -> None:
    """In it transactions count from the beginning: facts of before lie ahead, new ones far behind the last leaf."""
    ahead = 2**62

    async def steps(store: Store, sequencer: Sequencer) -> None:
        await write(store, "first")
        await sequencer.step()
        await write(store, "last of the other", ahead)
        await AuditStore(store.connection).sequence_facts(
            len(await store.connection.fetch("SELECT FROM audit_leaves")), NOW, str(ahead - 1), 0, 9, no_longer_run=True
        )
        await write(store, "left over", ahead + 1)
        await write(store, "new")
        for _ in range(3):
            await sequencer.step()
        await write(store, "newer")
        await sequencer.step()
        assert await order(store) == ["first", "last of the other", "left over", "new", "newer"]

    in_database(own, steps)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_leaves SET leaf_hashes = sha256('x') WHERE position = 17",
        "DELETE FROM audit_leaves WHERE position = 17",
        "DELETE FROM audit_leaves WHERE position > 5",
        "UPDATE audit_nodes SET hash = sha256('x')",
        "DELETE FROM audit_nodes",
    ],
)
def test_a_log_that_was_changed_in_the_database_stands_still(own: Service, change: str) -> None:
    """By somebody who owns the tables and has taken the triggers away; the next worker that sequences finds it."""

    async def steps(store: Store, sequencer: Sequencer) -> None:
        for n in range(19):
            await write(store, str(n))
        await sequencer.step()
        for table in ("audit_leaves", "audit_nodes"):
            await store.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await store.connection.execute(change)
        await write(store, "after")
        fresh = copy(sequencer)
        fresh._frontier = None
        with pytest.raises(LogBroken):
            await fresh.step()
        assert "after" not in await order(store)

    in_database(own, steps)


def test_batches_follow_each_other(own: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within the facts of one transaction."""
    monkeypatch.setattr("rgs_server.audit.sequencer.BATCH", 7)

    async def steps(store: Store, sequencer: Sequencer) -> None:
        async with store.connection.transaction():
            for n in range(30):
                await write(store, str(n))
        while await sequencer.step():
            pass
        assert await order(store) == [str(n) for n in range(30)]
        assert not await sequencer.step()

    in_database(own, steps)


def test_a_transaction_that_stays_open_is_told(own: Service, caplog: pytest.LogCaptureFixture) -> None:
    """It holds the log back: nothing behind it has a final place."""

    async def steps(store: Store, sequencer: Sequencer) -> None:
        await sequencer.step()
        holder = await asyncpg.connect(own.database_url.replace("/postgres?", "/sequenced?"))
        try:
            async with holder.transaction():
                await holder.execute("SELECT pg_current_xact_id()")
                await store.connection.execute(
                    "INSERT INTO audit_facts (written_at, kind, operator_id, subject, fact) "
                    "VALUES ($1, 'test', '', 'waiting', '{}')",
                    NOW - timedelta(minutes=1),
                )
                sequencer._clock = lambda: NOW + timedelta(minutes=2)  # a checkpoint is due
                await sequencer.step()
                assert await order(store) == []
                assert "some transaction stays open" in caplog.text
        finally:
            await holder.close()
        await sequencer.step()
        assert await order(store) == ["waiting"]

    in_database(own, steps)


def test_a_spin_that_is_gone_before_it_was_sequenced(own: Service) -> None:
    """Its fact names it: the log stands still, and says why."""

    async def steps(store: Store, sequencer: Sequencer) -> None:
        await store.connection.execute(
            "INSERT INTO audit_facts (kind, operator_id, subject, operator_ids, subjects) "
            "VALUES ('spin', '', '', '{op-x,op-x}', '{gone-1,gone-2}')"
        )
        with pytest.raises(LogBroken, match="is gone"):
            await sequencer.step()

    in_database(own, steps)


def test_a_new_key_signs_and_what_older_ones_have_signed_goes_on(
    own: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last test of this service: its log is signed by two keys from here on."""
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(own.config.master_key_path))
    before = when_logged(own, "/audit/checkpoint")
    assert main(["audit", "key", "--rotate"]) == 0
    (tmp_path / "studio.pub").write_text(capsys.readouterr().out)
    new, old = read_keys((tmp_path / "studio.pub").read_text())
    assert str(old) == before["public_key"]
    assert new.name == old.name, "the log is the same"

    at_once = get(own, "/audit/checkpoint").json()
    Checkpoint.open(at_once["checkpoint"], [VerifierKey.parse(at_once["public_key"])])  # by whichever has signed it

    def signed_anew() -> bool:
        note = when_logged(own, "/audit/checkpoint")["checkpoint"]
        return f"— {new.name} {b64encode(new.key_id).decode()[:4]}" in note

    play(own, opened(own, "rotated"), "rotated-1")
    wait_for(signed_anew, own.log_text)
    now = when_logged(own, "/audit/checkpoint")
    assert (now["public_key"], now["public_keys"]) == (str(new), [str(new), str(old)])
    assert Checkpoint.open(now["checkpoint"], [new]).size == now["tree_size"]
    with pytest.raises(AuditError, match="not signed by"):
        Checkpoint.open(now["checkpoint"], [old])
    assert Checkpoint.open(before["checkpoint"], [new, old]).root.hex() == before["root"]
    path = f"/audit/consistency?first={before['tree_size']}&second={now['tree_size']}"
    grown = when_logged(own, path)
    hashes = [bytes.fromhex(value) for value in grown["path"]]
    roots = bytes.fromhex(before["root"]), bytes.fromhex(now["root"])
    assert consistent(before["tree_size"], now["tree_size"], *roots, hashes)
    proof = read_proof(json.dumps(when_logged(own, "/audit/spins/rotated-1")))
    assert proof.faults([new]) == []
    # An export is verified with both, and with a checkpoint that somebody has kept since the first key.
    (tmp_path / "kept.txt").write_text(before["checkpoint"])
    export = ["audit", "export", "--from", "2020-01-01T00:00:00.000Z", "--to", now["made_at"]]
    assert main([*export, "--out", str(tmp_path / "whole")]) == 0
    verify = ["audit", "verify", str(tmp_path / "whole"), "--checkpoint", str(tmp_path / "kept.txt"), "--key"]
    assert rgs([*verify, str(tmp_path / "studio.pub")]) == 0
    assert rgs([*verify, str(new)]) == 2, "the kept one is of the other key"
    # That there is another key is a fact itself, and the secret half is not in it.
    facts = run(own.fetch("SELECT fact FROM audit_facts WHERE kind = 'audit_key'"))
    assert len(facts) == 2
    assert "private_sealed" not in "".join(row["fact"] for row in facts)
