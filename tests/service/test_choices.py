"""Rounds in which the player has a choice: asked, decided once, resumed anywhere, ended for those who do not answer."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rgs_server.operators import Rules
from service_process import Send, Service, code, run, sending, session_body, spin_body, wait_for
from wallet_server import WalletServer

from rgs_core import games
from rgs_core.__main__ import main as rgs
from rgs_core.language.model_file import load

GAME = "three_tides"
BUILD = load(games.find(GAME)).build()
_numbers = itertools.count()


class Play:
    """An operator's rounds of the game with the choice, each in a session of its own."""

    def __init__(self, service: Service, operator_id: str, **rules: Any) -> None:
        self.service, self.operator_id = service, operator_id
        self.credentials = service.add_operator(operator_id, reveal_seeds=True)
        service.change_operator(operator_id, rules=Rules(**rules))
        self.send: Send = sending(service, self.credentials)

    def session(self, wallet: str = "platform", player: str = "p-1", fund: str = "") -> str:
        session_id = f"{self.operator_id}-{next(_numbers)}"
        changes = {"player_id": player, "game_id": GAME, "build_hash": BUILD.build_hash, "wallet": wallet}
        opened = self.send("POST", "/sessions", session_body(session_id, self.operator_id, **changes))
        assert opened.status == 200, opened.body
        if fund:
            body = {"transfer_id": session_id, "amount": {"amount": fund, "currency": "EUR"}}
            assert self.send("POST", f"/sessions/{session_id}/transfers", body).status == 200
        return session_id

    def buy(self, session_id: str, name: str | None = None) -> dict[str, Any]:
        """A round of the bought feature, which always asks for the tide."""
        reply = self.send("POST", "/spins", spin_body(name or session_id, session_id, "2.25", mode="buy"))
        assert reply.status == 200, reply.body
        return dict(reply.json())

    def choose(self, round_id: str, step: int, choice: str, option: str) -> Any:
        return self.send("POST", f"/rounds/{round_id}/choices", {"step": step, "choice": choice, "option": option})

    def finish(self, answer: dict[str, Any], tide: str = "spring", gamble: str = "collect") -> dict[str, Any]:
        """Decides until the round is over."""
        while (asked := answer.get("awaiting")) is not None:
            wanted = tide if asked["choice"] == "tide" else gamble
            option = wanted if wanted in asked["options"] else asked["options"][0]
            reply = self.choose(answer["round_id"], asked["step"], asked["choice"], option)
            assert reply.status == 200, reply.body
            answer = reply.json()
        return answer

    def rows(self, sql: str, *values: object) -> list[Any]:
        return run(self.service.fetch(sql, *values))


@pytest.fixture(scope="module")
def play(service: Service) -> Play:
    return Play(service, "op-choices", wallets=["platform", "transfer"])


def test_a_round_asks_and_goes_on(play: Play) -> None:
    session = play.session()
    asked = play.buy(session)
    round_id = asked["round_id"]
    assert asked["outcome"]["win"]["minor"] == 0
    awaiting = asked["awaiting"]
    assert (awaiting["step"], awaiting["choice"]) == (1, "tide")
    assert awaiting["options"] == ["neap", "spring", "storm"]
    assert awaiting["won"]["minor"] >= 20  # three shells pay two stakes
    state = play.send("GET", f"/rounds/{round_id}").json()
    assert (state["state"], state["awaiting"], state["answer"]) == ("awaiting_input", awaiting, asked)
    assert code(play.send("GET", f"/spins/{asked['spin_id']}")) == (409, "ROUND_OPEN")
    done = play.finish(asked)
    assert "awaiting" not in done
    assert done["outcome"]["win"]["minor"] >= 20
    record = play.send("GET", f"/spins/{asked['spin_id']}").json()
    assert (record["answer"], record["win"]) == (done, done["outcome"]["win"])
    assert play.send("GET", f"/rounds/{round_id}").json()["state"] == "completed"


def told(play: Play, round_id: str) -> list[tuple[str, ...]]:
    """What the audit log says of a round: what was offered and what was decided, by whom."""
    sql = "SELECT kind, fact FROM audit_facts WHERE subject = $1 AND operator_id = $2 ORDER BY written_in, fact_id"
    found: list[tuple[str, ...]] = []
    for record in play.rows(sql, round_id, play.operator_id):
        fact = json.loads(record["fact"])
        row = fact["row"]
        assert "response" not in row
        if record["kind"] == "choice":
            found.append((row["made_by"], row["choice"], row["option"]))
        else:
            found.append((fact["change"], row["choice"], *row["options"]))
    return found


def test_what_was_offered_and_decided_is_in_the_audit_log(play: Play) -> None:
    asked = play.buy(play.session())
    round_id = asked["round_id"]
    answer = play.choose(round_id, 1, "tide", "spring").json()
    gambles = 0
    while (again := answer.get("awaiting")) is not None:
        gambles += 1
        answer = play.choose(round_id, again["step"], "gamble", "collect").json()
    offers = [("insert", "tide", "neap", "spring", "storm"), ("player", "tide", "spring")]
    if gambles:
        offers += [("update", "gamble", *again_options(play, round_id)), ("player", "gamble", "collect")]
    last = offers[-2] if gambles else offers[0]
    assert told(play, round_id) == [*offers, ("delete", *last[1:])]


def again_options(play: Play, round_id: str) -> list[str]:
    """What the gamble offered, by the first answer to the choice."""
    (row,) = play.rows("SELECT response FROM choices WHERE round_id = $1 AND step = 1", round_id)
    return list(json.loads(row["response"])["awaiting"]["options"])


@pytest.mark.parametrize(("tide", "gamble"), [("neap", "collect"), ("spring", "red"), ("storm", "suit")])
def test_the_round_is_the_one_of_its_policy(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], tide: str, gamble: str
) -> None:
    """Replays of the service and of `rgs replay`, which has the reference beside the engine."""
    for _ in range(3):
        done = play.finish(play.buy(play.session()), tide, gamble)
        replay = play.send("GET", f"/spins/{done['spin_id']}/replay")
        found = replay.json()
        assert found["result"] == "match", found
        policy = found["audit_record"].get("policy", "")
        assert (f"tide={tide}" in policy) == (tide != "neap")
        assert found["outcome"]["spins"][1]["state"] == tide
        gambled = "gamble" in found["outcome"]
        assert gambled == (gamble in policy)
        file = tmp_path / "record.json"
        file.write_bytes(replay.body)
        assert rgs(["replay", str(file)]) == 0
        assert "MATCH" in capsys.readouterr().out


def test_a_step_is_decided_once(play: Play) -> None:
    asked = play.buy(play.session())
    first = play.choose(asked["round_id"], 1, "tide", "storm")
    again = play.choose(asked["round_id"], 1, "tide", "storm")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert code(play.choose(asked["round_id"], 1, "tide", "neap")) == (409, "IDEMPOTENCY_CONFLICT")
    play.finish(first.json())
    after = play.choose(asked["round_id"], 1, "tide", "storm")
    assert after.body == first.body
    assert code(play.choose(asked["round_id"], 99, "tide", "storm")) == (409, "ROUND_ALREADY_CLOSED")


def test_a_spin_that_waits_is_repeated_with_its_first_answer(play: Play) -> None:
    session = play.session()
    body = spin_body(session, session, "2.25", mode="buy")
    first = play.send("POST", "/spins", body)
    assert play.send("POST", "/spins", body).body == first.body
    play.finish(first.json())
    again = play.send("POST", "/spins", body)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    other = json.loads(body) | {"idempotency_key": "another"}
    assert code(play.send("POST", "/spins", other)) == (409, "IDEMPOTENCY_CONFLICT")


def test_one_of_many_decides(play: Play) -> None:
    """Different options at the same moment, on both workers: one is taken, the others learn which."""
    for _ in range(4):
        asked = play.buy(play.session())
        options = ["neap", "spring", "storm"] * 3
        with ThreadPoolExecutor(9) as threads:
            replies = list(threads.map(partial(play.choose, asked["round_id"], 1, "tide"), options))
        taken = {reply.body for reply in replies if reply.status == 200}
        assert len(taken) == 1
        assert sorted(reply.status for reply in replies) == [200] * 3 + [409] * 6
        play.finish(json.loads(taken.pop()))


@pytest.mark.parametrize(
    ("body", "wanted", "detail"),
    [
        ({"step": 2, "choice": "tide", "option": "neap"}, (422, "CHOICE_NOT_OFFERED"), "waits for step 1, not 2"),
        ({"step": 1, "choice": "ebb", "option": "neap"}, (422, "CHOICE_NOT_OFFERED"), "asks for 'tide', not for 'ebb'"),
        ({"step": 1, "choice": "tide", "option": "x"}, (422, "CHOICE_NOT_OFFERED"), "it has: neap, spring, storm"),
        ({"step": 0, "choice": "tide", "option": "neap"}, (400, "VALIDATION_FAILED"), "step"),
        ({"choice": "tide", "option": "neap"}, (400, "VALIDATION_FAILED"), "step"),
    ],
)
def test_what_is_not_asked(play: Play, body: dict[str, Any], wanted: tuple[int, str], detail: str) -> None:
    asked = play.buy(play.session())
    reply = play.send("POST", f"/rounds/{asked['round_id']}/choices", body)
    assert code(reply) == wanted
    assert detail in reply.json()["detail"]
    assert play.finish(asked)


def test_rounds_that_are_not_there(play: Play, service: Service) -> None:
    assert code(play.choose("none", 1, "tide", "neap")) == (404, "ROUND_UNKNOWN")
    asked = play.buy(play.session())
    stranger = sending(service, service.add_operator("op-choices-stranger"))
    body = {"step": 1, "choice": "tide", "option": "neap"}
    assert code(stranger("POST", f"/rounds/{asked['round_id']}/choices", body)) == (404, "ROUND_UNKNOWN")
    play.finish(asked)


def test_nothing_else_begins_before_it_is_decided(play: Play) -> None:
    session = play.session()
    asked = play.buy(session)
    spin = spin_body(f"{session}-next", session, "0.10")
    refused = play.send("POST", "/spins", spin)
    assert code(refused) == (409, "ROUND_OPEN")
    assert asked["round_id"] in refused.json()["detail"]
    assert code(play.send("POST", f"/sessions/{session}/close")) == (409, "ROUND_OPEN")
    void = {"session_id": session, "reason": "no debit"}
    assert code(play.send("POST", f"/rounds/{asked['round_id']}/void", void)) == (409, "ROUND_OPEN")
    settlement = {"debit_tx": "a", "credit_tx": "b"}
    assert code(play.send("POST", f"/rounds/{asked['round_id']}/settlement", settlement)) == (409, "ROUND_OPEN")
    waiting = play.send("GET", f"/sessions/{session}").json()["open_rounds"]
    assert [(row["round_id"], row["state"]) for row in waiting] == [(asked["round_id"], "awaiting_input")]
    assert waiting[0]["awaiting"] == asked["awaiting"]
    play.finish(asked)
    assert play.send("GET", f"/sessions/{session}").json()["open_rounds"] == []
    after = play.send("POST", "/spins", spin)
    assert (after.status, after.json()["nonce"]) == (200, 1)
    play.finish(after.json())


def test_a_new_session_shows_what_waits(play: Play) -> None:
    player = f"p-{next(_numbers)}"
    asked = play.buy(play.session(player=player))
    opened = session_body(
        f"resumed-{player}", "op-choices", player_id=player, game_id=GAME, build_hash=BUILD.build_hash
    )
    rounds = play.send("POST", "/sessions", opened).json()["open_rounds"]
    assert [(row["round_id"], row["awaiting"]) for row in rounds] == [(asked["round_id"], asked["awaiting"])]
    play.finish(asked)


def test_the_money_of_a_session(play: Play) -> None:
    """The stake leaves the balance with the spin, the win comes with the last decision."""
    session = play.session("transfer", fund="10.00")
    asked = play.buy(session)
    assert asked["balance"]["minor"] == 775
    done = play.finish(asked, "storm", "red")
    won = done["outcome"]["win"]["minor"]
    assert done["balance"]["minor"] == 775 + won
    held = play.send("GET", f"/sessions/{session}").json()["balance"]["minor"]
    assert held == 775 + won
    rows = play.rows("SELECT * FROM ledger WHERE session_id = $1 ORDER BY created_at, txn_id", session)
    moved = {row["kind"]: (int(row["balance_before_minor"]), int(row["balance_after_minor"])) for row in rows}
    assert moved["stake"] == (1000, 775)
    assert ("win" in moved) == (won > 0)
    if won:
        assert moved["win"] == (775, 775 + won)
    closed = play.send("POST", f"/sessions/{session}/close").json()
    assert (closed["paid_out"] or {"amount": {"minor": 0}})["amount"]["minor"] == 775 + won
    assert closed["rounds"] == 1


def test_events_are_written_at_the_end(play: Play) -> None:
    asked = play.buy(play.session())
    sql = "SELECT payload FROM events WHERE event_id = $1"
    assert not play.rows(sql, asked["telemetry_ref"])
    done = play.finish(asked)
    (row,) = play.rows(sql, asked["telemetry_ref"])
    event = json.loads(row["payload"])
    assert (event["type"], event["mode"], round(event["win"] * 100)) == (
        "spin_finished",
        "buy",
        done["outcome"]["win"]["minor"],
    )


def test_settling_begins_when_it_is_decided(service: Service) -> None:
    play = Play(service, "op-choices-settles", settle_within_s=3600, one_round=True)
    player = "p-one"
    asked = play.buy(play.session(player=player))
    other = play.session(player=player)
    blocked = play.send("POST", "/spins", spin_body(other, other, "0.10"))
    assert code(blocked) == (409, "ROUND_OPEN")  # one round of a player in a game, also while he chooses
    done = play.finish(asked)
    path = f"/rounds/{asked['round_id']}"
    assert play.send("GET", path).json()["state"] == "open"
    assert code(play.send("POST", "/spins", spin_body(other, other, "0.10"))) == (409, "ROUND_OPEN")
    settled = play.send("POST", f"{path}/settlement", {"debit_tx": "d", "credit_tx": "c"})
    assert settled.json()["win"] == done["outcome"]["win"]
    assert settled.json()["state"] == "completed"
    spun = play.send("POST", "/spins", spin_body(other, other, "0.10"))
    assert spun.status == 200


def test_a_seamless_wallet_pays_at_the_end(service: Service) -> None:
    play = Play(service, "op-choices-seamless", wallets=["seamless"])
    with WalletServer(play.credentials.secret.encode()) as wallet:
        service.change_operator(play.operator_id, wallet=(wallet.url, play.credentials.key_id))
        asked = play.buy(play.session("seamless", "p-w"), "seamless-1")
        assert wallet.balances["p-w"] == wallet.start_minor - 225
        time.sleep(0.3)
        assert ("credit", "credit:seamless-1") not in wallet.calls
        done = play.finish(asked)
        won = done["outcome"]["win"]["minor"]
        wait_for(lambda: ("credit", "credit:seamless-1") in wallet.calls)
        assert wallet.balances["p-w"] == wallet.start_minor - 225 + won
        wait_for(lambda: play.send("GET", "/rounds/r-seamless-1").json()["state"] == "completed")
    assert (
        sum(
            row["s"]
            for row in play.rows(
                "SELECT sum(amount_minor) s FROM ledger WHERE kind = 'debit' AND operator_id = $1", play.operator_id
            )
        )
        == 225
    )


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that sweeps every second."""
    running = Service(Path(tmp_path_factory.mktemp("hasty")), workers=2, sweep_s=1)
    running.start()
    yield running
    running.stop()
    running.remove()


def test_time_decides_for_those_who_do_not(hasty: Service) -> None:
    """With the first option and without a gamble, once, also after a worker was killed; and the operator is told."""
    play = Play(hasty, "op-choices-late", wallets=["transfer"], choose_within_s=2)
    session = play.session("transfer", fund="10.00")
    asked = play.buy(session)
    hasty.kill_workers()
    path = f"/rounds/{asked['round_id']}"
    wait_for(lambda: play.send("GET", path).json()["state"] == "completed", hasty.log_text)
    record = play.send("GET", f"/spins/{asked['spin_id']}").json()
    won = record["win"]["minor"]
    assert play.send("GET", f"/sessions/{session}").json()["balance"]["minor"] == 775 + won
    sql = "SELECT step, choice, option, made_by FROM choices WHERE round_id = $1 ORDER BY step"
    first, *rest = [tuple(row) for row in play.rows(sql, asked["round_id"])]
    assert first == (1, "tide", "neap", "time")
    assert rest in ([], [(2, "gamble", "collect", "time")])
    assert ("time", "tide", "neap") in told(play, asked["round_id"])
    late = play.choose(asked["round_id"], 1, "tide", "storm")
    assert code(late) == (409, "IDEMPOTENCY_CONFLICT")
    assert "for the player, who had not decided in time" in late.json()["detail"]
    events = play.rows("SELECT event_type, payload FROM events WHERE operator_id = $1", play.operator_id)
    ended = [json.loads(row["payload"]) for row in events if row["event_type"] == "round_autoclosed"]
    assert [event["decided"][0] for event in ended] == ["tide=neap"]
    assert play.send("GET", f"/spins/{asked['spin_id']}/replay").json()["result"] == "match"


def test_a_choice_survives_the_worker_that_asked(hasty: Service) -> None:
    play = Play(hasty, "op-choices-killed", wallets=["platform"])
    session = play.session()
    asked = play.buy(session)
    hasty.kill_workers()
    first = play.choose(asked["round_id"], 1, "tide", "storm")
    assert first.status == 200, first.body
    hasty.kill_workers()
    assert play.choose(asked["round_id"], 1, "tide", "storm").body == first.body
    done = play.finish(first.json())
    assert play.send("GET", f"/spins/{done['spin_id']}/replay").json()["result"] == "match"
