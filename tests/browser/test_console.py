"""The console in real Chromium: login, search, a round with its grid, money and verdict, what is under way, RTP.

With RGS_SCREENSHOTS=FOLDER it also takes the pictures of the documentation.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
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
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import public_keys
from rgs_server.clock import system_clock, time_text
from rgs_server.console.people import FAILURES_MAX, add_person
from rgs_server.operators import Rules
from rgs_server.store import Store
from service_process import BUILD, GAME, Send, Service, run, sending, session_body, spin_body

from rgs_core import Engine, derive_key, games
from rgs_core.__main__ import main as rgs
from rgs_core.language.model_file import load
from rgs_core.monitor.exact_sum import Stakes, rtp_band
from rgs_core.monitor.null_law import exact_null
from rgs_core.sheet.sheet import Sheet

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


def test_rounds_of_a_time_are_found(page: playwright.Page, seen: Seen) -> None:
    """From a moment on, and before another: the end is not included."""
    times = run(seen.service.fetch("SELECT created_at FROM spins WHERE session_id = 's-looked-at' ORDER BY created_at"))
    moments = [time_text(row["created_at"]) for row in times]
    cut = next(n for n in range(15, 40) if moments[n] != moments[n - 1])
    for since, until, count in ((moments[cut], "", 40 - cut), ("", moments[cut], cut), (moments[cut], moments[cut], 0)):
        page.goto(page.url.split("#")[0] + "#rounds")
        page.wait_for_selector("body[data-state=rounds-shown]")
        page.fill("form input[name=since]", since)
        page.fill("form input[name=until]", until)
        page.click("form button")
        page.wait_for_url("**#rounds?*")
        page.wait_for_selector(f"#found:has-text('{'seen' if count else 'Nothing is found'}')")
        page.wait_for_selector("body[data-state=rounds-shown]")
        assert rows(page) == count, (since, until)


def test_a_time_that_is_none_is_said(page: playwright.Page) -> None:
    page.fill("form input[name=since]", "yesterday")
    page.click("form button")
    page.wait_for_selector("[role=alert]:has-text(\"since: 'yesterday' is not a time\")")


FROM_CELLS = """[...document.querySelector('.drawn').querySelectorAll('.path')].map(path => {
  const scale = path.getScreenCTM(), box = path.getBoundingClientRect();
  return Math.max(...[...path.firstChild.points].map(p => {
    const [x, y] = [p.x * scale.a + scale.e, p.y * scale.d + scale.f];
    return Math.min(...[...document.querySelector('.drawn').querySelectorAll('.cell.wins')].map(cell => {
      const its = cell.getBoundingClientRect();
      return Math.hypot(its.x + its.width / 2 - x, its.y + its.height / 2 - y);
    }));
  }));
})"""
"""Of each line how far its points are from the middle of a winning cell, in pixels."""


def test_a_round_is_drawn_with_its_money_and_verdict(page: playwright.Page, seen: Seen) -> None:
    wins = [int(spin["outcome"]["win"]["minor"]) for spin in seen.spins]  # type: ignore[index]
    for best in sorted(range(1, 40), key=lambda n: -wins[n]):
        page.goto(f"{page.url.split('#')[0]}#rounds")
        page.wait_for_selector("body[data-state=rounds-shown]")
        page.goto(f"{page.url.split('#')[0]}#round?operator=op-console&spin=seen-{best}")
        page.wait_for_selector("body[data-state=round]")
        if page.locator(".drawn").first.locator(".path").count():
            break  # the most that was won on lines with the first spin
    assert page.inner_text("#verdict") == "MATCH"
    assert page.locator(".grid").first.locator(".cell").count() == 15
    assert page.locator(".cell.wins").count() >= 2
    # Each win on a line has its path through the middle of its cells; one that is pressed is shown alone.
    lined = [win for win in page.locator("ul.wins").first.locator("button").all() if " on line " in win.inner_text()]
    assert lined
    paths = page.locator(".drawn").first.locator(".path polyline")
    assert paths.count() == len(lined)
    far = page.evaluate(FROM_CELLS)
    assert len(far) == len(lined)
    assert max(far) < 2
    lined[0].click()
    assert lined[0].get_attribute("aria-pressed") == "true"
    page.mouse.move(0, 0)
    assert page.locator(".drawn").first.locator(".path.shown").count() == 1
    assert page.locator(".drawn").first.locator(".path:visible").count() == 1
    shown = page.locator(".drawn").first.locator(".cell.shown").count()
    assert f"{shown} x " in lined[0].inner_text()
    lined[0].click()
    page.mouse.move(0, 0)
    assert page.locator(".drawn").first.locator(".path:visible").count() == len(lined)
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


def test_a_round_is_proved_to_be_in_the_log(
    page: playwright.Page, seen: Seen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = logged(page, "seen-3", "MATCH")
    (signed,) = run(seen.service.fetch("SELECT root, note FROM audit_checkpoints ORDER BY tree_size DESC LIMIT 1"))
    assert signed["note"].splitlines()[0] in told
    assert "leaf " in told
    # The proof can be taken along, and is verified without the service; a changed one is not.
    with page.expect_download() as download:
        page.click("#proof")
    taken = tmp_path / download.value.suggested_filename
    download.value.save_as(taken)
    key = run(public_key_of(seen.service))
    verify = ["audit", "proof", str(taken), "--key", key]
    assert rgs(verify) == 0
    assert "PROVED" in capsys.readouterr().out
    taken.write_text(taken.read_text().replace("seen-3", "seen-4"))
    assert rgs(verify) == 1


async def public_key_of(service: Service) -> str:
    async with stored(service) as store:
        return str((await public_keys(AuditStore(store.connection)))[0])


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


def test_what_is_under_way(page: playwright.Page, seen: Seen) -> None:
    page.click("nav a[href='#open']")
    page.wait_for_selector("body[data-state=open-shown]")
    text = page.inner_text("main")
    assert "credit:given-up" in text
    assert "nobody tries any more" in text
    assert "r-seen-0" in text
    assert "settlement" in text
    assert "none: they are kept" in text
    sinks = page.locator("section.card", has_text="Events").locator("tbody tr")
    assert [sink.locator("td").nth(1).inner_text() for sink in sinks.all() if "op-console" in sink.inner_text()] == [
        "webhook"
    ]
    run(seen.service.fetch("INSERT INTO sinks (sink) VALUES ('bus')"))
    page.reload()
    page.wait_for_selector("body[data-state=open-shown]")
    told = [sink.locator("td").nth(1).inner_text() for sink in sinks.all() if "op-console" in sink.inner_text()]
    assert told == ["bus", "webhook"], "each for itself"
    run(seen.service.fetch("DELETE FROM sinks WHERE sink = 'bus'"))


def test_verdicts_and_rtp_of_the_monitor(page: playwright.Page, seen: Seen) -> None:
    page.click("nav a[href='#rtp']")
    page.wait_for_selector("body[data-state=rtp-shown]")
    assert "Nothing is judged yet" in page.locator("#verdicts").inner_text()
    assert "No day of the last 30 is judged yet" in page.inner_text("main")

    async def job() -> None:
        async with stored(seen.service) as store:
            assert await monitor_of(store).look(store, datetime.now(UTC) + timedelta(days=2))
            tides = load(games.find("three_tides")).build()
            await store.keep_unjudged({(tides.build_hash, "base"): "its players choose"}, datetime.now(UTC))

    run(job())
    page.reload()
    page.wait_for_selector("body[data-state=rtp-shown]")
    row = page.locator("#verdicts tbody tr")
    assert [one.locator("td").nth(6).inner_text() for one in row.all()] == ["1", "7", "30"]
    row = row.first
    assert row.locator("td").first.inner_text() in ("insufficient", "info", "investigate")  # 40 rounds by chance
    for text in ("op-console", "lantern_tide/rtp_96", "EUR 1", "40", "96.50 %"):
        assert text in row.inner_text(), text
    assert "three_tides/rtp_95: its players choose" in page.locator("#verdicts").inner_text()
    # The picture is that of the verdict: its RTP, in its exact band.
    kept = run(seen.service.fetch("SELECT verdict FROM math_verdicts WHERE kind = 'day' ORDER BY window_days"))[0]
    verdict = json.loads(kept["verdict"])
    card = page.locator("section.card[aria-label*=lantern_tide]")
    assert "40 rounds of one day" in card.inner_text()
    (shown,) = re.findall(r"· ([\d.]+) % · certified", card.inner_text())
    assert float(shown) == pytest.approx(100 * verdict["rtp"], abs=0.006)
    assert "certified 96.50 %" in card.inner_text()
    low, high = verdict["band"]
    assert ("inside" if low <= verdict["rtp"] <= high else "outside") + " the band" in card.inner_text()
    band = card.locator("svg.chart .band").get_attribute("points")
    edges = sorted({float(point.split(",")[1]) for point in str(band).split()})
    theory = float(card.locator("svg.chart .theory").get_attribute("y1") or 0)
    assert len(edges) == 2
    centre = verdict["theory"]
    reach = 1.15 * max(abs(verdict["rtp"] - centre), min(high - centre, 0.6), min(centre - low, 0.6))
    drawn = (theory - edges[0]) / (edges[1] - theory)
    assert drawn == pytest.approx(min(high - centre, reach) / min(centre - low, reach), rel=0.01)
    picture(page, "console-verdicts")


def test_thirty_days_are_drawn(page: playwright.Page, seen: Seen) -> None:
    async def job() -> None:
        async with stored(seen.service) as store:
            row, *_ = await store.connection.fetch("SELECT * FROM math_verdicts WHERE kind = 'day'")
            found, today = json.loads(row["verdict"]), row["day"]
            law = exact_null(Sheet.of(BUILD))
            wins = Engine(BUILD).wins(derive_key(bytes(32), "thirty days"), 0, 150_000).reshape(30, 5000).sum(axis=1)
            for days_ago in reversed(range(30)):
                rounds = 5000 * (30 - days_ago)
                rtp = float(wins[: 30 - days_ago].sum()) / BUILD.play.cost_units / rounds
                band = rtp_band(law, Stakes.of({10**18: rounds}))
                verdict = {**found, "n": rounds, "rtp": rtp, "band": band}
                await store.add_verdict(
                    "", GAME, BUILD.build_hash, "base", "all", "cash", "EUR", "day", today - timedelta(days=days_ago), 30, rounds,
                    "within", json.dumps(verdict), row["judged_at"],
                )  # fmt: skip

    run(job())
    page.click("nav a[href='#rtp']")
    page.wait_for_selector("body[data-state=rtp-shown]")
    card = page.locator("section.card[aria-label*=lantern_tide]")
    assert card.locator("svg.chart circle").count() == 30, "of each day that with most rounds"
    assert "150,000 rounds of 30 days" in card.inner_text()
    assert card.locator("svg.chart .band").count() == 1
    card.scroll_into_view_if_needed()
    picture(page, "console-rtp")


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
    for path in (
        "me",
        "rounds",
        "round?operator=op-console&spin=seen-1",
        "proof?operator=op-console&spin=seen-1",
        "open",
        "rtp",
        "traffic",
    ):
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
