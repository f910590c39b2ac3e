"""The games in real Chromium: played, verified, resumed, by keyboard, on a phone; files that were changed are refused.

With RGS_SCREENSHOTS=FOLDER it also takes the pictures of the documentation.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rgs_server.__main__ import main
from rgs_server.signed_pages import integrity
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

    def __init__(
        self, browser: playwright.Browser, service: Service, reduced_motion: str = "reduce", **context: object
    ) -> None:
        assert service.credentials is not None
        self.url = service.credentials.url
        self.context = browser.new_context(reduced_motion=reduced_motion, **context)  # type: ignore[arg-type]
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


def test_a_player_verifies_his_session(browser: playwright.Browser, service: Service, tmp_path: Path) -> None:
    """From the last round to RIGHT in three clicks and a file; with one byte changed the verifier says where."""
    with Player(browser, service) as player:
        page = player.page
        player.enter("lantern_tide")
        for _ in range(6):
            assert player.spin() == "ready"
        commitment = page.inner_text("[data-fair='Seed commitment']")
        page.click("#close")
        page.click("#file")
        page.wait_for_selector("#save", timeout=LONG_MS)
        with page.expect_download() as download:
            page.click("#save")
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        with page.expect_popup() as opened:
            page.click("#verify")
        verifier = opened.value
        assert verifier.input_value("#told") == commitment
        verifier.set_input_files("#file", file)
        verifier.wait_for_selector("#said.right")
        assert verifier.inner_text("#said").startswith("RIGHT: 6 rounds, ")
        verifier.screenshot(path=str(Path(SCREENSHOTS) / "verify.png")) if SCREENSHOTS else None
        document = json.loads(file.read_text())
        verifier.fill("#root", document["log"]["root"])
        verifier.wait_for_selector("#said:not(:has-text('checkpoint'))")
        for change, told in (
            (lambda d: d["rounds"][2]["outcome"].update(win_units=999), "round 2 ("),
            (lambda d: d["rounds"][4]["draws"][0][0].__setitem__(1, 0 if d["rounds"][4]["draws"][0][0][1] else 1), "round 4 ("),
            (lambda d: d["log"].update(root="0" * 64), "the root of the log is not the one that you know"),
            (lambda d: d["rounds"].pop(), "rounds are missing"),
        ):  # fmt: skip
            damaged = json.loads(file.read_text())
            change(damaged)
            (tmp_path / "damaged.json").write_text(json.dumps(damaged))
            verifier.set_input_files("#file", tmp_path / "damaged.json")
            verifier.wait_for_selector("#said.wrong")
            assert told in verifier.inner_text("#said")
            verifier.set_input_files("#file", file)
            verifier.wait_for_selector("#said.right")


@pytest.mark.parametrize("skipped", [False, True])
def test_reels_that_turn_stop_at_what_the_service_drew(
    browser: playwright.Browser, service: Service, skipped: bool
) -> None:
    """With animation, until a feature has run too; the button skips what moves, and plays nothing more meanwhile."""
    with Player(browser, service, reduced_motion="no-preference", viewport={"width": 1200, "height": 820}) as player:
        page = player.page
        answers: list[dict[str, Any]] = []
        page.on("response", lambda reply: answers.append(reply.json()) if reply.url.endswith("/spins") else None)
        player.enter("lantern_tide")
        page.select_option("#mode", "buy") if page.locator("#mode option[value=buy]").count() else None
        page.click("#spin")
        page.wait_for_selector(".reel.rolling", timeout=LONG_MS)
        assert page.inner_text("#spin") == "Skip"
        if skipped:  # at once, or the round is over before the next press
            page.evaluate("() => { for (let n = 0; n < 3; n++) document.getElementById('spin').click(); }")
        assert player.settled() == "ready"
        assert page.locator(".reel.rolling").count() == 0
        (answer,) = answers
        last = [scene for scene in answer["scenes"] if "window" in scene][-1]
        said = "reels: " + "; ".join(f"reel {n} {', '.join(reel)}" for n, reel in enumerate(last["window"], start=1))
        assert page.get_attribute("#reels", "aria-label") == said
        assert player.money("win") == answer["win_minor"]
        assert page.locator("#history tr").count() == 2, "one round was played"


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


@pytest.mark.parametrize("name", ["play", "console"])
def test_every_file_of_a_page_is_in_its_signed_list(
    service: Service, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the key that the command prints, the page itself and its loader included."""
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(service.config.master_key_path))
    monkeypatch.delenv("RGS_SCREENSHOTS", raising=False)  # no setting of the service
    assert main(["pages"]) == 0
    printed = capsys.readouterr().out.splitlines()
    key = next(line.split()[-1] for line in printed if line.startswith(f"/{name} "))
    assert service.credentials is not None
    root = f"{service.credentials.url}/{name}"

    def get(path: str) -> bytes:
        with urlopen(root + path, timeout=10) as answer:
            return bytes(answer.read())

    listed = json.loads(get("/manifest.json"))
    signature = base64.b64decode(listed.pop("signature"))
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
    public.verify(signature, json.dumps(listed, separators=(",", ":")).encode())
    with pytest.raises(InvalidSignature):
        public.verify(signature, json.dumps(listed, separators=(",", ":")).replace("sha384-", "sha384-A", 1).encode())
    found = {file["name"]: file["integrity"] for file in (*listed["page"], *listed["files"])}
    assert found.pop("index.html") == integrity(get(""))
    for file, expected in found.items():
        assert expected == integrity(get(f"/assets/{file}")), file
        assert f"  {expected}  {file}" in printed
    page = get("").decode()
    assert f'loader.js" integrity="{found["loader.js"]}"' in page
    assert f'data-key="{key}"' in page
    folder = resources.files("rgs_server")
    there = {file.name for place in ("shared_assets", f"{name}/assets") for file in folder.joinpath(place).iterdir()}
    assert there == found.keys() | {"index.html"}, "a file that nobody loads, or one that is not in the list"


def test_a_killed_worker_loses_no_round(browser: playwright.Browser, service: Service) -> None:
    """The page repeats the same round until it is answered."""
    with Player(browser, service) as player:
        player.enter("lantern_tide")
        for _ in range(3):
            service.kill_workers()
            assert player.spin() == "ready"
        assert player.page.locator("#history tr").count() == 4
        assert player.page.locator(".alert").count() == 0
