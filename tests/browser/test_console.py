"""The console in real Chromium: login, search, a round with its grid, money and verdict, what is under way, RTP.

With RGS_SCREENSHOTS=FOLDER it also takes the pictures of the documentation.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from monitored import monitor_of, stored
from rgs_server.clock import system_clock
from rgs_server.console.people import FAILURES_MAX, add_person
from rgs_server.operators import Rules
from rgs_server.store import Store
from service_process import Send, Service, run, sending, session_body, spin_body

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
SCREENSHOTS = os.environ.get("RGS_SCREENSHOTS")


@dataclass
class Seen:
    """A service with rounds to look at, and somebody who may."""

    service: Service
    send: Send
    password: str
    spins: list[dict[str, object]]


def let_in(service: Service, name: str) -> str:
    async def job() -> str:
        connection = await asyncpg.connect(service.database_url)
        try:
            password = await add_person(Store(connection), name, system_clock())
            assert password is not None
            return password
        finally:
            await connection.close()

    return run(job())


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    service = Service(Path(tmp_path_factory.mktemp("console")), workers=2, checkpoint_s=1)
    service.start()
    credentials = service.add_operator("op-console")
    service.change_operator("op-console", rules=Rules(settle_within_s=3600, wallets=["platform", "transfer"]))
    send = sending(service, credentials)
    assert send("POST", "/sessions", session_body("s-looked-at", "op-console", player_id="p-looked-at")).status == 200
    spins = []
    for n in range(40):
        reply = send("POST", "/spins", spin_body(f"seen-{n}", "s-looked-at"))
        assert reply.status == 200, reply.body
        spins.append(reply.json())
        settlement = {"debit_tx": f"d-{n}", "credit_tx": f"c-{n}"}
        if n:
            assert send("POST", f"/rounds/r-seen-{n}/settlement", settlement).status == 200
    service.give_up("op-console", "s-looked-at", "given-up")
    yield Seen(service, send, let_in(service, "ada"), spins)
    service.stop()
    service.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: playwright.Browser, seen: Seen) -> Iterator[playwright.Page]:
    """The console, logged in; nothing is asked for from elsewhere, and no error is logged."""
    assert seen.service.credentials is not None
    url = seen.service.credentials.url
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.goto(f"{url}/console")
    log_in(found, "ada", seen.password)
    found.wait_for_selector("body[data-state=rounds-shown]")
    yield found
    context.close()
    assert not [one for one in asked if not one.startswith((url, "data:"))]
    assert not errors


def log_in(page: playwright.Page, name: str, password: str) -> None:
    page.wait_for_selector("body[data-state=login]")
    page.fill("#name", name)
    page.fill("#password", password)
    page.keyboard.press("Enter")


def picture(page: playwright.Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def rows(page: playwright.Page) -> int:
    return int(page.locator("#found tbody tr").count())


def test_rounds_are_found(page: playwright.Page) -> None:
    assert rows(page) == 40
    for field, value, count in (
        ("id", "seen-7", 1),
        ("id", "r-seen-7", 1),
        ("session", "s-looked-at", 40),
        ("player", "p-looked-at", 40),
        ("id", "Seen-7", 0),
        ("since", "2999-01-01T00:00:00.000Z", 0),
    ):
        page.goto(page.url.split("#")[0] + "#rounds")
        page.wait_for_selector("body[data-state=rounds-shown]")
        page.fill(f"form input[name={field}]", value)
        page.click("form button")
        page.wait_for_selector(f"#found:has-text('{'seen' if count else 'Nothing is found'}')")
        page.wait_for_selector("body[data-state=rounds-shown]")
        assert rows(page) == count, (field, value)


def test_a_time_that_is_none_is_said(page: playwright.Page) -> None:
    page.fill("form input[name=since]", "yesterday")
    page.click("form button")
    page.wait_for_selector("[role=alert]:has-text(\"since: 'yesterday' is not a time\")")


def test_a_round_is_drawn_with_its_money_and_verdict(page: playwright.Page, seen: Seen) -> None:
    wins = [int(spin["outcome"]["win"]["minor"]) for spin in seen.spins]  # type: ignore[index]
    best = max(range(1, 40), key=lambda n: wins[n])
    page.goto(f"{page.url.split('#')[0]}#round?operator=op-console&spin=seen-{best}")
    page.wait_for_selector("body[data-state=round]")
    assert page.inner_text("#verdict") == "MATCH"
    assert page.locator(".grid").first.locator(".cell").count() == 15
    assert page.locator(".cell.wins").count() >= 2
    told = page.inner_text("ol.timeline")
    assert "stake 1.00 EUR" in told
    assert f"win {wins[best] / 100:.2f} EUR" in told
    assert "settled" in told
    assert f"debit d-{best}" in told
    record = page.inner_text("[aria-label=record]")
    assert str(seen.spins[best]["build_hash"]) in record
    picture(page, "console-round")


def logged(page: playwright.Page, spin: str, verdict: str) -> str:
    """The words of the audit log about a spin, once its verdict is as expected."""
    for _ in range(30):
        page.goto(f"{page.url.split('#')[0]}#rounds")
        page.wait_for_selector("body[data-state=rounds-shown]")
        page.goto(f"{page.url.split('#')[0]}#round?operator=op-console&spin={spin}")
        page.wait_for_selector("body[data-state=round]")
        if page.inner_text("#logged") == verdict:
            break
        page.wait_for_timeout(500)
    assert page.inner_text("#logged") == verdict
    return page.inner_text("[aria-label='audit log']")


def test_a_round_is_proved_to_be_in_the_log(page: playwright.Page, seen: Seen) -> None:
    told = logged(page, "seen-3", "MATCH")
    (signed,) = run(seen.service.fetch("SELECT root, note FROM audit_checkpoints ORDER BY tree_size DESC LIMIT 1"))
    assert signed["note"].splitlines()[0] in told
    assert "leaf " in told


def test_a_round_that_was_changed_in_the_database_is_shown_as_such(page: playwright.Page, seen: Seen) -> None:
    """By somebody who owns the tables and takes the trigger away."""
    logged(page, "seen-5", "MATCH")

    async def change(minor: int) -> None:
        connection = await asyncpg.connect(seen.service.database_url)
        async with connection.transaction():
            await connection.execute("ALTER TABLE spins DISABLE TRIGGER USER")
            sql = "UPDATE spins SET stake_minor = $1 WHERE operator_id = 'op-console' AND spin_id = 'seen-5'"
            await connection.execute(sql, minor)
            await connection.execute("ALTER TABLE spins ENABLE TRIGGER USER")
        await connection.close()

    run(change(99))
    try:
        assert "is not the one that was logged" in logged(page, "seen-5", "MISMATCH")
    finally:
        run(change(100))
    logged(page, "seen-5", "MATCH")


def test_the_page_that_verifies_a_session(browser: playwright.Browser, seen: Seen) -> None:
    """Its own script runs under its policy, and it asks for nothing."""
    assert seen.service.credentials is not None
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{seen.service.credentials.url}/verify")
    page.set_input_files("#file", files=[{"name": "s.json", "mimeType": "application/json", "buffer": b"{}"}])
    page.wait_for_selector("#said.wrong")
    assert page.evaluate("getComputedStyle(document.querySelector('#said')).fontWeight") == "600"
    assert len(asked) == 1
    assert not errors
    page.close()


def test_what_is_under_way(page: playwright.Page) -> None:
    page.click("nav a[href='#open']")
    page.wait_for_selector("body[data-state=open-shown]")
    text = page.inner_text("main")
    assert "credit:given-up" in text
    assert "nobody tries any more" in text
    assert "r-seen-0" in text
    assert "settlement" in text
    assert "none: they are kept" in text


def test_the_rtp_is_drawn_in_its_band(page: playwright.Page) -> None:
    page.click("nav a[href='#rtp']")
    page.wait_for_selector("body[data-state=rtp-shown]")
    card = page.locator("section.card[aria-label*=lantern_tide]")
    assert "lantern_tide/rtp_96" in card.inner_text()
    assert "40 rounds" in card.inner_text()
    assert "certified 96.496 %" in card.inner_text()
    assert card.locator("svg.chart .band").count() == 1
    picture(page, "console-rtp")


def test_verdicts_of_the_monitor(page: playwright.Page, seen: Seen) -> None:
    page.click("nav a[href='#rtp']")
    page.wait_for_selector("body[data-state=rtp-shown]")
    assert "Nothing is judged yet" in page.locator("#verdicts").inner_text()

    async def job() -> None:
        async with stored(seen.service) as store:
            assert await monitor_of(store).look(store, datetime.now(UTC) + timedelta(days=2))

    run(job())
    page.reload()
    page.wait_for_selector("body[data-state=rtp-shown]")
    row = page.locator("#verdicts tbody tr")
    assert row.count() == 1
    assert row.locator("td").first.inner_text() in ("insufficient", "info", "investigate")  # 40 rounds by chance
    for text in ("op-console", "lantern_tide/rtp_96", "EUR 1", "40", "96.50 %"):
        assert text in row.inner_text(), text
    picture(page, "console-verdicts")


def test_latency_and_errors_are_drawn(page: playwright.Page, seen: Seen) -> None:
    page.click("nav a[href='#traffic']")
    page.wait_for_selector("body[data-state=traffic-shown]")

    async def job() -> None:
        async with stored(seen.service) as store:
            for minutes in (11, 6, 1):
                counts = [100, 300, 200, 50, *[0] * 10, 2, *[0] * 7, 1.5]
                row = (datetime.now(UTC) - timedelta(minutes=minutes), "w", ["playSpin"], ["2xx"], [json.dumps(counts)])
                await store.add_minute(*row, ["playSpin"], ["OVERLOADED"], [3], datetime(2026, 1, 1, tzinfo=UTC))

    run(job())
    page.reload()
    page.wait_for_selector("body[data-state=traffic-shown]")
    assert page.locator("section[aria-label='latency of spins'] svg.chart polyline").count() == 2
    assert page.locator("section[aria-label='requests'] svg.chart").count() == 1
    assert "OVERLOADED" in page.locator("section[aria-label='errors']").inner_text()
    picture(page, "console-traffic")


def test_who_may_not_look(browser: playwright.Browser, seen: Seen) -> None:
    assert seen.service.credentials is not None
    url = seen.service.credentials.url
    context = browser.new_context()
    page = context.new_page()
    for path in ("me", "rounds", "round?operator=op-console&spin=seen-1", "open", "rtp", "traffic"):
        reply = page.request.get(f"{url}/console/api/{path}")
        assert (reply.status, reply.json()["code"]) == (401, "LOGIN_REQUIRED")
    page.goto(f"{url}/console")
    log_in(page, "ada", "wrong")
    page.wait_for_selector("[role=alert]:has-text('wrong')")
    log_in(page, "nobody", seen.password)
    page.wait_for_selector("[role=alert]:has-text('wrong')")
    log_in(page, "ada", seen.password)
    page.wait_for_selector("body[data-state=rounds-shown]")
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/console")
    for forged in (cookie["value"][:-4] + "AAAA", "", "e30=", "x" * 500):
        reply = page.request.get(f"{url}/console/api/me", headers={"Cookie": f"rgs-console={forged}"})
        assert reply.json()["code"] == "LOGIN_REQUIRED", forged
    page.click("#logout")
    page.wait_for_selector("body[data-state=login]")
    assert context.cookies() == []
    context.close()


def test_guessing_is_slowed_down_and_leaving_ends_it(browser: playwright.Browser, seen: Seen) -> None:
    assert seen.service.credentials is not None
    url = seen.service.credentials.url
    context = browser.new_context()
    page = context.new_page()
    body = {"name": "grace", "password": "x"}
    codes = [page.request.post(f"{url}/console/api/login", data=body).json()["code"] for _ in range(4 * FAILURES_MAX)]
    assert "RATE_LIMITED" in codes
    password = let_in(seen.service, "joan")
    assert page.request.post(f"{url}/console/api/login", data={"name": "joan", "password": password}).status == 200
    assert page.request.get(f"{url}/console/api/me").json()["person"] == "joan"
    run(seen.service.fetch("UPDATE console_people SET retired_at = now() WHERE name = 'joan'"))
    assert page.request.get(f"{url}/console/api/me").json()["code"] == "LOGIN_REQUIRED"
    context.close()


@contextmanager
def older_transaction(service: Service) -> Iterator[None]:
    """One that stays open: nothing behind it gets its place in the log."""
    begun, done = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(service.database_url)
        async with connection.transaction():
            await connection.execute("SELECT pg_current_xact_id()")
            begun.set()
            while not done.is_set():
                await asyncio.sleep(0.05)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_round_that_is_not_signed_yet(page: playwright.Page, seen: Seen) -> None:
    with older_transaction(seen.service):
        assert seen.send("POST", "/sessions", session_body("s-held", "op-console", player_id="p-held")).status == 200
        assert seen.send("POST", "/spins", spin_body("held", "s-held")).status == 200
        assert "not sequenced yet" in logged(page, "held", "NOT SIGNED")
    logged(page, "held", "MATCH")
