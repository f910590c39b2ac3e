"""The console in real Chromium: login, search, a round with its grid, money and verdict, what is under way, RTP.

With RGS_SCREENSHOTS=FOLDER it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
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
    service = Service(Path(tmp_path_factory.mktemp("console")), workers=2)
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


def test_who_may_not_look(browser: playwright.Browser, seen: Seen) -> None:
    assert seen.service.credentials is not None
    url = seen.service.credentials.url
    context = browser.new_context()
    page = context.new_page()
    for path in ("me", "rounds", "round?operator=op-console&spin=seen-1", "open", "rtp"):
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
