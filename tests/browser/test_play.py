"""The games in real Chromium: played, verified, resumed, by keyboard, on a phone; files that were changed are refused.

With RGS_SCREENSHOTS=FOLDER it also takes the pictures of the documentation.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_process import Service

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
SCREENSHOTS = os.environ.get("RGS_SCREENSHOTS")
LONG_MS = 60_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("play")), workers=2, play="on")
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Player:
    """A page with the games; asks for nothing from elsewhere, and logs no error."""

    def __init__(self, browser: playwright.Browser, service: Service, **context: object) -> None:
        assert service.credentials is not None
        self.url = service.credentials.url
        self.context = browser.new_context(reduced_motion="reduce", **context)  # type: ignore[arg-type]
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def __enter__(self) -> Player:
        self.page.goto(f"{self.url}/play")
        return self

    def __exit__(self, *_: object) -> None:
        outside = [url for url in self.asked if not url.startswith((self.url, "data:"))]
        self.context.close()
        assert not outside
        assert not self.errors

    def enter(self, game: str) -> None:
        self.page.click(f"[data-game={game}]")
        self.wait("ready")

    def wait(self, *states: str) -> str:
        self.page.wait_for_selector(", ".join(f"body[data-state={s}]" for s in states), timeout=LONG_MS)
        return str(self.page.evaluate("document.body.dataset.state"))

    def spin(self) -> str:
        """Presses the button and waits until the round is over or asks."""
        self.page.click("#spin")
        return self.settled()

    def settled(self) -> str:
        """The state once the round is over or asks."""
        return self.wait("ready", "choosing")

    def finish(self, option: str | None = None) -> None:
        while self.settled() == "choosing":
            wanted = self.page.locator(f"#choice [data-option={option}]") if option else None
            chosen = wanted if wanted is not None and wanted.count() else self.page.locator("#choice button").first
            chosen.click()

    def money(self, name: str) -> int:
        return int(self.page.inner_text(f"#{name}").replace(".", ""))

    def picture(self, name: str) -> None:
        if SCREENSHOTS:
            self.page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def test_a_game_is_played_and_verified(browser: playwright.Browser, service: Service) -> None:
    with Player(browser, service, viewport={"width": 1200, "height": 820}) as player:
        player.page.wait_for_selector("[data-game]")
        assert player.page.locator("[data-game]").count() >= 9
        player.picture("play-hall")
        player.enter("lantern_tide")
        assert player.money("balance") == 100_000
        balance, stake = 100_000, int(float(player.page.input_value("#stake")))
        for _ in range(12):
            assert player.spin() == "ready"
            balance += player.money("win") - stake
            assert player.money("balance") == balance
        rows = player.page.locator("#history tr")
        assert rows.count() == 13
        wins = [int(row.locator("td").nth(2).inner_text().replace(".", "")) for row in rows.all()[1:]]
        assert 100_000 - 12 * stake + sum(wins) == balance
        best = max(range(12), key=lambda i: wins[i])
        player.page.locator("[data-watch]").nth(best).click()
        player.settled()
        banner = player.page.inner_text("#banner")
        assert banner.startswith("MATCH")
        assert re.search(r"\b[0-9a-f]{64}\b", banner)
        assert player.page.locator(".cell").count() == 15
        assert "reel 1" in (player.page.get_attribute("#reels", "aria-label") or "")
        player.picture("play-game")


def test_the_seed_is_shown_at_the_end(browser: playwright.Browser, service: Service) -> None:
    with Player(browser, service) as player:
        player.enter("ember_sevens")
        player.spin()
        commitment = player.page.inner_text("[data-fair='Seed commitment']")
        player.page.click("#close")
        seed = player.page.inner_text("[data-fair='Server seed']")
        assert hashlib.sha256(bytes.fromhex(seed)).hexdigest() == commitment
        assert player.page.is_disabled("#spin")


def test_a_choice_waits_for_the_player_who_comes_back(browser: playwright.Browser, service: Service) -> None:
    with Player(browser, service, viewport={"width": 1200, "height": 820}) as player:
        player.enter("three_tides")
        player.page.select_option("#mode", "buy")
        assert player.spin() == "choosing"
        options = [button.inner_text().lower() for button in player.page.locator("#choice button").all()]
        assert options == ["neap", "spring", "storm"]
        player.picture("play-choice")
        player.page.reload()
        player.wait("choosing")
        assert player.page.locator("#choice button").count() == 3
        player.page.click("[data-option=storm]")
        player.finish("collect")
        assert player.money("balance") == 100_000 - 2250 + player.money("win")
        player.page.locator("[data-watch]").first.click()
        player.settled()
        assert player.page.inner_text("#banner").startswith("MATCH")


def test_by_keyboard_and_ear(browser: playwright.Browser, service: Service) -> None:
    """Tab to a game, Enter, Space to spin; what happened is said."""
    with Player(browser, service) as player:
        player.page.wait_for_selector("[data-game]")
        player.page.keyboard.press("Tab")
        player.page.keyboard.press("Enter")
        player.wait("ready")
        assert player.page.evaluate("document.activeElement.id") == "spin"
        player.page.keyboard.press("Space")
        player.page.wait_for_selector("#live:has-text('Balance')", state="attached", timeout=LONG_MS)
        unnamed = player.page.evaluate(
            "[...document.querySelectorAll('button, select')].filter(e => !e.textContent.trim() && !e.labels?.length).length"
        )
        assert unnamed == 0


@pytest.mark.parametrize("game", ["canopy_rise", "rose_window", "fossil_coast"])
def test_every_kind_of_grid_fits_a_phone(browser: playwright.Browser, service: Service, game: str) -> None:
    with Player(browser, service, viewport={"width": 360, "height": 740}) as player:
        player.enter(game)
        for _ in range(3):
            assert player.spin() == "ready"
        assert player.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        widths = player.page.evaluate(
            "[...document.querySelectorAll('.cell')].map(c => c.getBoundingClientRect().width)"
        )
        assert min(widths) > 20


@pytest.mark.parametrize("file", ["play.js", "manifest.json"])
def test_a_changed_file_is_refused(browser: playwright.Browser, service: Service, file: str) -> None:
    """One byte more in a script, or another hash in the list: the game does not start and says why."""
    assert service.credentials is not None
    page = browser.new_page()

    def change(route: playwright.Route) -> None:
        reply = route.fetch()
        body = reply.text()
        body = body.replace("sha384-", "sha384-A", 1) if file == "manifest.json" else body + "\n"
        route.fulfill(response=reply, body=body)

    page.route(f"**/{file}", change)
    page.goto(f"{service.credentials.url}/play")
    page.wait_for_selector("body[data-state=refused]")
    assert "was changed" in page.inner_text("[role=alert]")
    assert page.locator("[data-game]").count() == 0
    page.close()


def test_a_killed_worker_loses_no_round(browser: playwright.Browser, service: Service) -> None:
    """The page repeats the same round until it is answered."""
    with Player(browser, service) as player:
        player.enter("lantern_tide")
        for _ in range(3):
            service.kill_workers()
            assert player.spin() == "ready"
        assert player.page.locator("#history tr").count() == 4
        assert player.page.locator(".alert").count() == 0
