"""Rounds are counted once, judged by the certified law, and platforms are told when a cell stands out."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import orjson
import pytest
from monitored import laws_of, monitor_of, stored
from rgs_server.contract.events import MathAlert, RoundStatus
from rgs_server.monitoring.judging import WINDOWS_DAYS, cell_of, row_of, window_days
from rgs_server.monitoring.slices import SETTLED_AFTER, SLICE, count_slices
from rgs_server.operators import Rules
from rgs_server.store import Store
from service_process import BUILD, GAME, Send, Service, free_port, run, sending, session_body, spin_body

from rgs_core import Engine, games
from rgs_core.game import seeded_key
from rgs_core.language.model_file import load
from rgs_core.monitor.counts import ALL, sums_of
from rgs_core.monitor.reading import read_events
from rgs_core.monitor.verdicts import judge

_numbers = itertools.count()
LATER = timedelta(days=2)
STEP = (
    "INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent, amount_minor,"
    " state, attempts, created_at, next_try_at, ended_at) SELECT 'op-sandbox', 'credit:' || $2, 'credit', 'r-' || $2, $2, $1,"
    " 'JPY', 0, 100, $3, $4, now(), CASE $3 WHEN 'pending' THEN 'infinity'::timestamptz END,"
    " CASE $3 WHEN 'accepted' THEN now() END"
)
"""A credit of a round, as a wallet left it: session, spin, state, attempts."""


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """A service of its own: counts are of all that its database holds."""
    running = Service(tmp_path, workers=1)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


async def counted(store: Store) -> Counter[tuple[Any, ...]]:
    rows = await store.connection.fetch("SELECT * FROM math_counts")
    names = ("build_hash", "channel", "currency", "stake_minor", "win_minor", "status", "feature")
    return Counter({tuple(row[name] for name in names): row["rounds"] for row in rows if row["rounds"]})


def voided(send: Send, session: str, name: str) -> None:
    reply = send("POST", f"/rounds/r-{name}/void", {"session_id": session, "reason": "refused"})
    assert reply.status == 200, reply.body


def test_each_round_is_counted_once_as_its_event_says(alone: Service) -> None:
    alone.change_operator("op-sandbox", rules=Rules(settle_within_s=3600))
    send = sending(alone)
    stakes = (
        ("EUR", "1.00", "mobile"), ("EUR", "1.00", "desktop"), ("JPY", "100", "mobile"), ("ETH", "0.000000000000000020", ""),
    )  # fmt: skip
    for currency, amount, channel in stakes:
        session = f"counted-{currency}" if channel != "desktop" else "counted-desktop"
        assert send("POST", "/sessions", session_body(session, currency=currency, channel=channel)).status == 200
        for n in range(40):
            stake = {"amount": amount, "currency": currency}
            reply = send("POST", "/spins", spin_body(f"{session}-{n}", session, stake=stake))
            assert reply.status == 200, reply.body
    for n in range(5):
        voided(send, "counted-EUR", f"counted-EUR-{n}")
    troubled = {"counted-JPY-0": ("accepted", 3), "counted-JPY-1": ("pending", 1), "counted-JPY-2": ("accepted", 1)}
    for spin, (state, attempts) in troubled.items():
        run(alone.fetch(STEP, "counted-JPY", spin, state, attempts))

    async def job() -> None:
        async with stored(alone) as store:
            now = datetime.now(UTC)
            assert await count_slices(store, now) <= {now.date()}
            days = await count_slices(store, now + LATER)
            assert days
            found = await counted(store)
            assert await count_slices(store, now + LATER) == set()
            assert await counted(store) == found
            spins = await store.connection.fetch(
                "SELECT p.*, s.channel, e.ending, k.response FROM spins p JOIN sessions s USING (session_id) JOIN idempotency k ON k.key = p.idempotency_key "
                "LEFT JOIN round_ends e ON e.round_id = p.round_id"
            )
            became = {"counted-JPY-0": "retried", "counted-JPY-1": "recovered"}
            expected = Counter(
                (
                    p["build_hash"], p["channel"], p["currency"], p["stake_minor"], p["win_minor"],
                    p["ending"] or became.get(p["spin_id"], "normal"),
                    bool(json.loads(p["response"])["outcome"]["features"]),
                )
                for p in spins
            )  # fmt: skip
            assert found == expected
            assert sum(found.values()) == 160
            # Whoever counts the events, in any order, has the numbers of the monitor, and so its verdicts.
            payloads = await store.connection.fetch("SELECT payload FROM events")
            told = await store.connection.fetch("SELECT payload, seq FROM events WHERE event_type = 'round_status'")
            assert {
                (event.spin_id, event.status)
                for event in (msgspec.json.decode(row["payload"], type=RoundStatus) for row in told)
            } == set(became.items())
            assert all(row["seq"] for row in told), "numbered in their session, as all that is told of it"
            monitor = monitor_of(store)
            await monitor.look(store, now + LATER)
            for seed in range(3):
                lines = [row["payload"].decode() for row in payloads]
                random.Random(seed).shuffle(lines)
                by_events = read_events(lines, "events")
                assert by_events.days == monitor.days
            nulls = laws_of(store)
            await nulls.of({(cell.build_hash, cell.mode) for cell in by_events.days})
            cells = {**by_events.days, **sums_of(by_events.days)}
            verdicts = judge(cells, nulls.found, windows=WINDOWS_DAYS, names=by_events.names)
            kept = await store.connection.fetch("SELECT * FROM math_verdicts WHERE kind = 'day'")
            assert len(cells) == 5, "each channel and currency, and both channels of EUR together"
            assert len(kept) == 5 * len(WINDOWS_DAYS)
            for row in kept:
                mine = next(v for v in verdicts if v.cell == cell_of(row) and window_days(v) == row["window_days"])
                assert json.loads(row["verdict"]) == json.loads(orjson.dumps(row_of(mine)))

    run(job())


def test_a_round_that_is_voided_later_moves_on_its_own_day(alone: Service) -> None:
    alone.change_operator("op-sandbox", rules=Rules(settle_within_s=3600))
    send = sending(alone)
    assert send("POST", "/sessions", session_body("late")).status == 200
    for n in range(3):
        assert send("POST", "/spins", spin_body(f"late-{n}", "late")).status == 200

    async def job() -> None:
        async with stored(alone) as store:
            owner = await asyncpg.connect(alone.database_url)
            # As if it had been played two days ago.
            await owner.execute("ALTER TABLE spins DISABLE TRIGGER spins_append_only")
            await owner.execute("UPDATE spins SET created_at = created_at - interval '2 days'")
            await owner.execute("UPDATE sessions SET created_at = created_at - interval '2 days'")
            await owner.close()
            now = datetime.now(UTC)
            begin = (now - timedelta(days=2)).date()
            assert await count_slices(store, now) == {begin}
            assert {key[5] for key in await counted(store)} == {"normal"}
            voided(send, "late", "late-1")
            assert await count_slices(store, now + timedelta(hours=1)) == {begin}
            statuses: Counter[str] = Counter()
            for key, n in (await counted(store)).items():
                statuses[key[5]] += n
            assert statuses == {"normal": 2, "voided": 1}

    run(job())


async def play(service: Service, operator: str, rounds: int, day: date, hour: int = 12, double: bool = False) -> None:
    """Writes rounds of Lantern Tide as if they had been played on a day; `double`: every win is paid twice."""
    owner = await asyncpg.connect(service.database_url)
    try:
        number = next(_numbers)
        session = f"{operator}-{number}"
        at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        await owner.execute(
            "INSERT INTO operators (operator_id, reveal_seeds) VALUES ($1, false) ON CONFLICT DO NOTHING", operator
        )
        await owner.execute(
            "INSERT INTO sessions (operator_id, session_id, player_id, game_id, build_hash, geo, currency, exponent, client_seed,"
            " seed_sealed, seed_commitment, fingerprint, response, created_at, wallet, one_round, touched_at, enforces_markets)"
            " VALUES ($1, $2, 'p', $3, $4, 'DE', 'EUR', 2, '', '', $5, '', '', $6, 'platform', false, $6, false)",
            operator, session, GAME, BUILD.build_hash, b"c" * 32, at,
        )  # fmt: skip
        engine, key = Engine(BUILD), seeded_key(f"{operator}-{number}")
        unit = 100 // BUILD.play.cost_units
        spins, answers = [], []
        for n in range(rounds):
            outcome = engine.spin(key, n)
            name = f"{session}-{n}"
            win = outcome.win_units * unit * (1 + double)
            spins.append((
                operator, name, name, session, name, BUILD.build_hash, 1, n, "cash", "base", "", "EUR", 100, win,
                outcome.win_units, b"d" * 32, name, at + timedelta(milliseconds=n),
            ))  # fmt: skip
            found = ["x"] if any(spin.awards for spin in outcome.spins) else []
            body = json.dumps({"outcome": {"features": found}}).encode()
            answers.append((operator, "spin", name, b"f" * 32, 200, body, at))
        await owner.copy_records_to_table(
            "spins", records=spins,
            columns=["operator_id", "spin_id", "round_id", "session_id", "idempotency_key", "build_hash", "mechanic_version", "nonce", "spin_type", "mode", "policy", "currency", "stake_minor", "win_minor", "win_units", "outcome_digest", "telemetry_ref", "created_at"],
        )  # fmt: skip
        await owner.copy_records_to_table(
            "idempotency", records=answers,
            columns=["operator_id", "operation", "key", "fingerprint", "status", "response", "created_at"],
        )  # fmt: skip
    finally:
        await owner.close()


def test_a_cell_that_pays_wrong_is_paged_at_once_and_others_are_not(alone: Service) -> None:
    today = datetime.now(UTC).date()
    noon = datetime(today.year, today.month, today.day, 13, tzinfo=UTC)
    healthy, wrong = "op-sandbox", "op-wrong"
    credentials = alone.add_operator(wrong)

    async def job() -> None:
        for n in range(4, 0, -1):
            await play(alone, healthy, 3000, today - timedelta(days=n))
        await play(alone, wrong, 3000, today - timedelta(days=2))
        async with stored(alone) as store:
            monitor = monitor_of(store)
            written = await monitor.look(store, noon)
            days = {
                (v.cell.operator, v.window[1]): v for v in written if window_days(v) == 1 and v.cell.operator != ALL
            }
            assert {day for _, day in days} == {str(today - timedelta(days=n)) for n in range(1, 5)}
            assert not {v.level for v in written} & {"page", "investigate"}, [v.reasons for v in written]
            verdict = days[healthy, str(today - timedelta(days=1))]
            assert (verdict.n, verdict.exact_null, verdict.theory) == (3000, True, pytest.approx(0.964957505))
            assert set(verdict.p) >= {"rtp", "classes", "feature"}
            # Every window in which something was played, and all operators together, who are no operator.
            assert {(v.cell.operator, window_days(v), v.n) for v in written if v.window[1] == str(today - timedelta(days=1))} == {
                (healthy, 1, 3000), (healthy, 7, 12_000), (healthy, 30, 12_000), (wrong, 7, 3000), (wrong, 30, 3000),
                (ALL, 1, 3000), (ALL, 7, 15_000), (ALL, 30, 15_000),
            }  # fmt: skip
            assert await monitor.look(store, noon) == []  # nothing new was counted

            await play(alone, wrong, 2000, today, hour=13, double=True)
            alarms = await monitor.look(store, noon + timedelta(hours=1))
            assert {(v.cell.operator, v.level) for v in alarms} == {(wrong, "page"), (ALL, "page")}
            assert await monitor.look(store, noon + timedelta(hours=2)) == []  # told once

            # The next day a monitor that begins anew says the same once more, and does not tell of it again.
            again = await monitor_of(store).look(store, noon + timedelta(days=1))
            assert {v.cell.operator for v in again if v.window[1] == str(today) and v.level == "page"} == {wrong, ALL}
            events = await store.connection.fetch("SELECT * FROM events WHERE event_type = 'math_alert'")
            assert [row["operator_id"] for row in events] == [wrong], "once, though three windows show it"
            told = json.loads(events[0]["payload"])
            msgspec.json.decode(events[0]["payload"], type=MathAlert)
            assert (told["level"], told["build_hash"], told["day"]) == ("page", BUILD.build_hash, str(today))
            assert told["rtp"] > 1.5 > told["rtp_certified"]
            largest = "SELECT spin_id FROM spins WHERE operator_id = $1 AND created_at >= $2 ORDER BY win_minor DESC, spin_id LIMIT 5"
            wins = await store.connection.fetch(largest, wrong, datetime.combine(today, datetime.min.time(), UTC))
            assert told["spin_ids"] == [row["spin_id"] for row in wins], "those to be replayed"
            with pytest.raises(asyncpg.PostgresError, match=r"append|change"):
                await store.connection.execute("UPDATE math_verdicts SET level = 'within'")

    run(job())
    mine = sending(alone)("GET", "/monitor/verdicts").json()["verdicts"]
    assert [row["level"] for row in mine] == [row["level"] for row in mine if row["level"] != "page"]
    assert {(row["rounds"], row["stakes"], row["window_days"]) for row in mine} == {
        (3000, "EUR 1", 1),
        (12_000, "EUR 1", 7),
        (12_000, "EUR 1", 30),
    }
    theirs = sending(alone, credentials)("GET", "/monitor/verdicts").json()["verdicts"]
    assert {row["level"] for row in theirs} == {"page"}
    assert theirs[0]["reasons"]


def test_a_cell_that_is_played_again_has_no_old_verdict(alone: Service) -> None:
    """In no window: one that was left out would be told of for ever."""

    async def job() -> None:
        today = datetime.now(UTC).date()
        for days_ago in (25, 1):
            await play(alone, "op-sandbox", 50, today - timedelta(days=days_ago))
        async with stored(alone) as store:
            monitor = monitor_of(store)
            for _ in range(4):  # one look catches up with a week
                await monitor.look(store, datetime(today.year, today.month, today.day, 12, tzinfo=UTC))
            found = {(row["window_days"], row["day"], row["rounds"]) for row in await store.last_verdicts(None)}
            yesterday = today - timedelta(days=1)
            assert found == {(1, yesterday, 50), (7, yesterday, 50), (30, yesterday, 100)}

    run(job())


def test_the_page_of_metrics_shows_verdicts(tmp_path: Path) -> None:
    port = free_port()
    running = Service(tmp_path, workers=1, metrics_port=port, monitor_s=3600)
    running.start()
    try:

        async def job() -> str:
            today = datetime.now(UTC).date()
            await play(running, "op-sandbox", 50, today - timedelta(days=1))
            async with stored(running) as store:
                noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
                # As if nothing had been counted for an hour more than it has to wait.
                begin = datetime.now(UTC) - SLICE - SETTLED_AFTER - timedelta(hours=1)
                verdict, *others = await monitor_of(store).look(store, noon)
                assert [window_days(other) for other in (verdict, *others)] == list(WINDOWS_DAYS)
                await store.connection.execute("DELETE FROM counted_slices WHERE slice >= $1", begin - SLICE)
                await store.connection.execute(
                    "INSERT INTO counted_slices VALUES ($1) ON CONFLICT DO NOTHING", begin - SLICE
                )
                await store.keep_unjudged({(BUILD.build_hash, "base"): "no law"}, noon)
                await store.keep_unjudged({(BUILD.build_hash, "ante"): "no law"}, noon)
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as reply:
                text = await reply.text()
            labels = (
                '{build="lantern_tide/rtp_96",channel="",game="lantern_tide",mode="base",operator="op-sandbox",'
                'stakes="EUR 1",window="1d"}'
            )
            lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("rgs_monitor_"))
            assert float(lines[f"rgs_monitor_rtp{labels}"]) == pytest.approx(verdict.rtp)
            assert float(lines[f"rgs_monitor_rtp_certified{labels}"]) == pytest.approx(verdict.theory)
            assert float(lines[f"rgs_monitor_page{labels}"]) == 0
            assert float(lines["rgs_monitor_lag_seconds"]) == pytest.approx(3600, abs=60)
            unjudged = {name: value for name, value in lines.items() if name.startswith("rgs_monitor_unjudged")}
            assert unjudged == {'rgs_monitor_unjudged{build="lantern_tide/rtp_96",mode="ante"}': "1.0"}
            return text

        assert "rgs_monitor_level" in run(job())
    finally:
        running.stop()
        running.remove()


def test_a_build_with_choices_is_counted_and_not_judged(alone: Service) -> None:
    build = load(games.find("three_tides")).build()
    send = sending(alone)
    opened = {"game_id": "three_tides", "build_hash": build.build_hash}
    for n in range(60):  # until a round is over with its spin; one that asks keeps its session waiting
        assert send("POST", "/sessions", session_body(f"tides-{n}", **opened)).status == 200
        reply = send("POST", "/spins", spin_body(f"tides-{n}", f"tides-{n}", "0.20"))
        assert reply.status == 200, reply.body
        if "awaiting" not in reply.json():
            break

    async def job() -> None:
        async with stored(alone) as store:
            monitor = monitor_of(store)
            assert await monitor.look(store, datetime.now(UTC) + LATER) == []
            (row,) = await store.unjudged_builds()
            assert (row["build"], row["mode"]) == (build.label, "base")
            assert "choices" in row["reason"]

    run(job())


def test_the_supervisor_keeps_one_monitor_and_one_of_several_works(tmp_path: Path) -> None:
    running = Service(tmp_path, workers=1, monitor_s=1)
    running.start()
    try:

        def pid() -> int:
            while not (found := running.pids("rgs_server.monitoring.process")):
                time.sleep(0.1)
            return found[0]

        async def holders() -> list[int]:
            rows = await running.fetch(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 7249004 AND granted"
            )
            return [row["pid"] for row in rows]

        async def held() -> int:
            async with asyncio.timeout(60):
                while len(found := await holders()) != 1:
                    await asyncio.sleep(0.1)
            return found[0]

        first, backend = pid(), run(held())
        os.kill(first, signal.SIGKILL)
        while pid() == first:
            time.sleep(0.1)

        async def other() -> int:
            async with asyncio.timeout(60):
                while (found := await holders()) == [backend] or not found:
                    await asyncio.sleep(0.1)
            return found[0]

        assert run(other()) != backend

        async def kept_out() -> bool:
            async with stored(running) as store:
                return await store.take_monitoring()

        assert run(kept_out()) is False
        assert timedelta(minutes=30) >= SLICE + SETTLED_AFTER
    finally:
        assert running.stop() == 0
        assert not running.pids("rgs_server.monitoring.process")
        running.remove()
