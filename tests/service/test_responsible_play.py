"""Rules of countries and of players on a real database and over HTTP, at times that the test decides."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rgs_server.__main__ import main
from rgs_server.app import create_app
from rgs_server.catalogue import Playable, load_catalogue
from rgs_server.client import Client, Credentials, Reply
from rgs_server.clock import time_text
from rgs_server.markets import read_pack
from rgs_server.master_key import read_master_keys
from rgs_server.operators import Rules
from rgs_server.registry import Registry, RegistryRefused, market_reasons, read_registry
from rgs_server.sealing import Sealer
from rgs_server.service import Service as Worker
from rgs_server.sessions import Rulebook
from service_process import BUILD, GAME, Service, code, free_port, run, session_body, spin_body
from told_events import check

from rgs_core._round import Round
from rgs_core.errors import DrawLimitError

NOW = datetime.now(UTC).replace(microsecond=0)
OPERATOR = "op-regulated"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def credentials(service: Service) -> Credentials:
    found = service.add_operator(OPERATOR, markets=True)
    service.change_operator(OPERATOR, rules=Rules(wallets=["platform", "transfer"], settle_within_s=3600))
    return found


class Clocked:
    """A worker in this process, whose clock stands still until it is set. Two may share the database."""

    def __init__(self, client: Client, set_time: Callable[[datetime], None]) -> None:
        self.client = client
        self.set_time = set_time

    async def send(self, method: str, path: str, body: bytes | dict[str, Any] = b"") -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.send(method, f"/rgs/v1{path}", raw)

    async def spin(self, session: str, **changes: object) -> Reply:
        name = f"regulated-{next(_numbers)}"
        return await self.send("POST", "/spins", spin_body(name, session, **{"amount": "0.20", **changes}))


async def nobody_looks() -> None:
    """The database's clock goes on: it is not to be compared with one that stands still."""


Job = Callable[[Clocked], Coroutine[Any, Any, None]]


@pytest.fixture
def at(service: Service, credentials: Credentials) -> Callable[..., None]:
    """Runs a test's coroutine against a worker with a virtual clock."""

    def play(
        job: Job,
        registry: Registry | None = None,
        unknown_market: str = "strictest",
        catalogue: Mapping[str, Playable] | None = None,
    ) -> None:
        async def whole() -> None:
            now = [NOW]
            config = replace(service.config, sweep_s=3600)
            rules = Rulebook(catalogue or load_catalogue(""), registry or Registry(None), unknown_market)
            sealer = Sealer(*read_master_keys(config.master_key_path))
            worker = Worker(config, service.database_url, rules, sealer, lambda: now[0])
            worker.clock_watch.look = nobody_looks  # type: ignore[method-assign]
            runner = web.AppRunner(create_app(worker), access_log=None)
            await runner.setup()
            port = free_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                async with Client(replace(credentials, url=f"http://127.0.0.1:{port}")) as client:
                    await job(Clocked(client, lambda moment: now.__setitem__(0, moment)))
            finally:
                await runner.cleanup()

        run(whole())

    return play


async def opened(worker: Clocked, **changes: object) -> tuple[str, dict[str, Any]]:
    session = f"regulated-{next(_numbers)}"
    body = session_body(session, OPERATOR, **{"player_id": f"p-{session}", **changes})
    reply = await worker.send("POST", "/sessions", body)
    assert reply.status == 200, reply.body
    return session, reply.json()


async def settled(worker: Clocked, reply: Reply) -> None:
    assert reply.status == 200, reply.body
    path = f"/rounds/{reply.json()['round_id']}/settlement"
    assert (await worker.send("POST", path, {"debit_tx": "d", "credit_tx": "c"})).status == 200


def test_a_session_says_what_its_country_asks_for(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        _, answer = await opened(worker, geo="DE")
        market = answer["market"]
        assert (market["cycle_ms"], market["reminder_min"], market["break_min"]) == (5000, 60, 5)
        assert (market["stake_max"]["minor"], market["enforced"], market["flags"]["autoplay"]) == (100, True, False)
        assert market["clauses"]["stake_caps"] == "GlüStV 2021 § 22a (7)"

    at(job)


def test_rounds_are_not_shorter_than_the_cycle(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="DE")
        await settled(worker, await worker.spin(session))
        worker.set_time(NOW + timedelta(milliseconds=4999))
        fast = await worker.spin(session)
        assert code(fast) == (422, "TOO_FAST")
        assert (fast.json()["retry_after_ms"], fast.headers["Retry-After"]) == (1, "1")
        worker.set_time(NOW + timedelta(milliseconds=5000))
        assert (await worker.spin(session)).status == 200

    at(job)


def test_spins_at_the_same_moment_are_one_round(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="SE")
        replies = await asyncio.gather(*(worker.spin(session) for _ in range(20)))
        assert sorted(code(reply) for reply in replies) == [(200, "")] + [(422, "TOO_FAST")] * 19

    at(job)


def test_stakes_are_capped_by_age(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        gbp = {"geo": "GB", "currency": "GBP"}
        young, _ = await opened(worker, **gbp, rg_flags={"age": 24})
        older, _ = await opened(worker, **gbp, rg_flags={"age": 25})
        unknown, _ = await opened(worker, **gbp)
        for session, most in ((young, "2.00"), (older, "5.00"), (unknown, "2.00")):
            above = f"{float(most) + 0.2:.2f}"
            over = await worker.spin(session, stake={"amount": above, "currency": "GBP"})
            assert code(over) == (422, "STAKE_NOT_ALLOWED")
            assert most in over.json()["detail"]
            assert (await worker.spin(session, stake={"amount": most, "currency": "GBP"})).status == 200
        body = session_body("s-dollars", OPERATOR, geo="GB", currency="USD")
        assert code(await worker.send("POST", "/sessions", body)) == (400, "VALIDATION_FAILED")
        child = session_body("s-child", OPERATOR, geo="GB", currency="GBP", rg_flags={"age": 17})
        assert code(await worker.send("POST", "/sessions", child)) == (403, "RG_BLOCKED")

    at(job)


def test_reminders_and_breaks(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="DE")
        path = f"/sessions/{session}/acknowledgement"
        early = await worker.send("POST", path)
        assert early.json() == {"session_id": session, "reminders": 0, "resumes_at": None}
        worker.set_time(NOW + timedelta(minutes=59))
        await settled(worker, await worker.spin(session))
        worker.set_time(NOW + timedelta(minutes=60))
        for _ in range(2):
            assert code(await worker.spin(session)) == (403, "RG_ACK_REQUIRED")
        acknowledged = await worker.send("POST", path)
        assert acknowledged.json()["resumes_at"] == time_text(NOW + timedelta(minutes=65))
        worker.set_time(NOW + timedelta(minutes=64))
        assert (await worker.send("POST", path)).body == acknowledged.body, "the break does not begin anew"
        assert code(await worker.spin(session)) == (403, "RG_BREAK")
        waits = await worker.spin(session)
        assert code(waits) == (403, "RG_BREAK")
        assert (waits.json()["retry_after_ms"], waits.headers["Retry-After"]) == (60_000, "60")
        worker.set_time(NOW + timedelta(minutes=65))
        assert (await worker.spin(session)).status == 200
        # The platform is told of each once, however often it asks.
        events = await told(worker, session, "rg_event")
        assert [(event["data"]["kind"], event["data"]["reminders"]) for event in events] == [
            ("reminder_due", 1), ("acknowledged", 1), ("break", 1),
        ]  # fmt: skip
        assert events[1]["data"]["resumes_at"] == time_text(NOW + timedelta(minutes=65))

    at(job)


async def told(worker: Clocked, session: str, kind: str) -> list[dict[str, Any]]:
    """Events of a kind in a session, all of which fit their document."""
    events = (await worker.send("GET", f"/sessions/{session}/events")).json()["events"]
    for event in events:
        check(event)
    return [event for event in events if event["type"] == kind]


class Faulty:
    """An engine whose rounds need more numbers than there are."""

    def spin(self, key: bytes, nonce: int) -> Round:
        raise DrawLimitError("the round needs more random words than a sub-spin has; it is refused")


def test_a_round_that_cannot_be_drawn_is_told_once(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="MT")
        for _ in range(2):
            assert code(await worker.spin(session)) == (500, "ROUND_UNPLAYABLE")
        (event,) = await told(worker, session, "technical_error")
        assert (event["data"]["kind"], event["data"]["build_hash"]) == ("round_unplayable", BUILD.build_hash)

    playable = replace(load_catalogue("")[BUILD.build_hash], engine=Faulty())  # type: ignore[arg-type]
    at(job, catalogue={BUILD.build_hash: playable})


def test_the_time_limit_of_a_player(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="MT", rg_flags={"time_limit_min": 30})
        worker.set_time(NOW + timedelta(minutes=29))
        played = await worker.spin(session)
        worker.set_time(NOW + timedelta(minutes=30))
        assert code(await worker.spin(session)) == (403, "RG_LIMIT")
        await settled(worker, played)

    at(job)


def test_a_player_is_blocked_in_the_middle_of_play_and_paid(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="MT", player_id="p-excluded")
        holding, _ = await opened(worker, geo="MT", player_id="p-excluded", wallet="transfer")
        transfer = {"transfer_id": f"t-{holding}", "amount": {"amount": 5, "currency": "EUR"}}
        assert (await worker.send("POST", f"/sessions/{holding}/transfers", transfer)).status == 200
        played = await worker.spin(session)
        flagged = await worker.send("POST", "/players/p-excluded/flags", {"self_excluded": True})
        assert flagged.json() == {"player_id": "p-excluded", "self_excluded": True, "open_sessions": 2}
        assert code(await worker.spin(session)) == (403, "RG_BLOCKED")
        assert code(await worker.spin(holding)) == (403, "RG_BLOCKED")
        body = session_body("s-excluded", OPERATOR, player_id="p-excluded", geo="MT")
        assert code(await worker.send("POST", "/sessions", body)) == (403, "RG_BLOCKED")
        # What was begun ends as ever, and the money goes back.
        await settled(worker, played)
        closed = await worker.send("POST", f"/sessions/{holding}/close")
        assert closed.json()["paid_out"]["amount"]["minor"] == 500
        back = await worker.send("POST", "/players/p-excluded/flags", {"self_excluded": False})
        assert back.json()["open_sessions"] == 1
        assert (await worker.spin(session)).status == 200

    at(job)


def test_countries_without_a_pack(at: Callable[..., None]) -> None:
    async def strict(worker: Clocked) -> None:
        _, answer = await opened(worker, geo="ZZ")
        assert (answer["market"]["cycle_ms"], answer["market"]["stake_max"]["minor"]) == (5000, 100)

    async def refused(worker: Clocked) -> None:
        body = session_body("s-zz", OPERATOR, geo="ZZ")
        assert code(await worker.send("POST", "/sessions", body)) == (403, "GEO_BLOCKED")

    at(strict)
    at(refused, unknown_market="refused")


# --- The registry ------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Files with a private and a public key."""
    private = Ed25519PrivateKey.generate()
    files = tmp_path / "private.pem", tmp_path / "public.pem"
    files[0].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files[1].write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return files


def entry(**changes: object) -> dict[str, object]:
    return {
        "game_id": GAME,
        "country": "SE",
        "rtp_profile": BUILD.profile.name,
        "build_hash": BUILD.build_hash,
        "certificate_id": "lab-7",
        "valid_from": time_text(NOW - timedelta(days=1)),
        "valid_until": time_text(NOW + timedelta(days=1)),
        **changes,
    }


@pytest.fixture
def registry(tmp_path: Path, keys: tuple[Path, Path]) -> Callable[..., Registry]:
    """A signed registry with the given entries."""

    def make(*entries: dict[str, object]) -> Registry:
        file = tmp_path / "registry.json"
        file.write_text(json.dumps({"entries": entries}))
        assert main(["registry", str(file), "--sign", str(keys[0]), "--check", str(keys[1])]) == 0
        return read_registry(str(file), str(keys[1]))

    return make


@pytest.mark.parametrize(
    ("changes", "country", "reasons"),
    [
        ({}, "SE", []),
        ({"country": "*"}, "ES", []),
        ({}, "ES", ["OTHER_COUNTRY"]),
        ({"valid_until": time_text(NOW)}, "SE", ["EXPIRED"]),
        ({"valid_from": time_text(NOW + timedelta(seconds=1))}, "SE", ["NOT_YET_VALID"]),
        ({"revoked_at": time_text(NOW)}, "SE", ["REVOKED"]),
        ({"build_hash": "sha256:" + "0" * 64}, "SE", ["OTHER_BUILD"]),
        ({"build_hash": "sha256:" + "0" * 64, "game_id": "other"}, "SE", ["NOT_CERTIFIED"]),
    ],
)
def test_a_build_is_validated_with_every_reason(
    at: Callable[..., None], registry: Callable[..., Registry], changes: dict[str, object], country: str, reasons: list[str]
) -> None:  # fmt: skip
    async def job(worker: Clocked) -> None:
        body = {"game_id": GAME, "build_hash": BUILD.build_hash, "country": country}
        verdict = (await worker.send("POST", "/builds/validate", body)).json()
        assert ([reason["code"] for reason in verdict["reasons"]], verdict["valid"]) == (reasons, not reasons)
        assert verdict["certificate_id"] == (None if reasons else "lab-7")
        opening = await worker.send("POST", "/sessions", session_body(f"s-{next(_numbers)}-r", OPERATOR, geo=country))
        assert code(opening) == ((403, "BUILD_NOT_CERTIFIED") if reasons else (200, ""))
        if reasons:
            assert opening.json()["detail"] == verdict["reasons"][0]["detail"]

    at(job, registry(entry(**changes)))


def test_builds_that_are_not_there_or_not_offered(at: Callable[..., None]) -> None:
    async def job(worker: Clocked) -> None:
        body = {"game_id": GAME, "build_hash": "sha256:" + "0" * 64, "country": "SE"}
        verdict = (await worker.send("POST", "/builds/validate", body)).json()
        assert [reason["code"] for reason in verdict["reasons"]] == ["UNKNOWN_BUILD"]
        other = next(h for h, p in load_catalogue("").items() if p.build.model.id != GAME)
        verdict = (await worker.send("POST", "/builds/validate", {**body, "build_hash": other})).json()
        assert [reason["code"] for reason in verdict["reasons"]] == ["NOT_OFFERED"]
        assert code(await worker.send("POST", "/builds/validate", {**body, "game_id": "none"})) == (404, "GAME_UNKNOWN")

    at(job)


def test_a_certificate_that_ends_ends_play_but_not_rounds(
    at: Callable[..., None], registry: Callable[..., Registry]
) -> None:
    async def job(worker: Clocked) -> None:
        session, _ = await opened(worker, geo="SE")
        played = await worker.spin(session)
        worker.set_time(NOW + timedelta(days=1))
        assert code(await worker.spin(session)) == (403, "BUILD_NOT_CERTIFIED")
        await settled(worker, played)

    at(job, registry(entry()))


def test_a_country_asks_for_a_least_return() -> None:
    playable = load_catalogue("")[BUILD.build_hash]
    rtp = float(playable.certificate.declared["rtp"])
    text = 'country = "XX"\ntitle = "Test"\nrtp_min = {{ value = {}, clause = "c" }}'
    assert market_reasons(playable, read_pack(text.format(rtp))) == []
    (reason,) = market_reasons(playable, read_pack(text.format(rtp + 1e-6)))
    assert reason.code == "RTP_BELOW_MARKET"


@pytest.mark.parametrize("tamper", ["entry", "signature", "key", "field", "missing"])
def test_a_registry_that_was_touched_is_refused(tmp_path: Path, keys: tuple[Path, Path], tamper: str) -> None:
    file = tmp_path / "registry.json"
    file.write_text(json.dumps({"entries": [entry()]}))
    assert main(["registry", str(file), "--sign", str(keys[0])]) == 0
    signed = json.loads(file.read_text())
    public = keys[1]
    match tamper:
        case "entry":
            signed["entries"][0]["country"] = "*"
        case "signature":
            signed["signature"] = "00" * 64
        case "key":
            other = Ed25519PrivateKey.generate().public_key()
            public = tmp_path / "other.pem"
            public.write_bytes(
                other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
        case "field":
            signed["entries"][0]["win_ratio"] = 0.9
        case "missing":
            public = tmp_path / "none.pem"
    file.write_text(json.dumps(signed))
    with pytest.raises(RegistryRefused):
        read_registry(str(file), str(public))


# --- The catalogue -----------------------------------------------------------------------------------


def test_the_catalogue_comes_in_parts_and_only_when_it_has_changed(service: Service) -> None:
    whole = service.send("GET", "/rgs/v1/games")
    tag = whole.headers["Etag"]
    assert service.send("GET", "/rgs/v1/games", headers={"If-None-Match": tag}).status == 304
    assert service.send("GET", "/rgs/v1/games", headers={"If-None-Match": '"other"'}).status == 200
    rows, cursor = [], ""
    while cursor is not None:
        part = service.send("GET", f"/rgs/v1/games?limit=4&cursor={cursor}").json()
        rows += part["games"]
        cursor = part["next_cursor"]
        assert len(part["games"]) <= 4
    assert rows == whole.json()["games"]
    for limit in ("0", "1001", "9" * 5000, "%C2%B2", "-1", "x"):
        assert code(service.send("GET", f"/rgs/v1/games?limit={limit}")) == (400, "VALIDATION_FAILED"), limit
