"""Reports equal an independent sum over the ledger; months are closed once and trued up; commands of it all."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rgs_server.billing.fees import read_terms, terms_text
from rgs_server.billing.hours import roll_up
from rgs_server.billing.months import Line, MonthRefused, close_month, next_month, report
from rgs_server.operators import Rules
from rgs_server.store import Store
from service_process import BUILD, GAME, Send, Service, code, run, sending, session_body, spin_body, wait_for
from wallet_server import WalletServer

from rgs_core import games
from rgs_core.language.model_file import load

TODAY = datetime.now(UTC).date()
MONTH = TODAY.replace(day=1)
OTHER = load(games.find("ember_sevens")).build()

LEDGER = """
    SELECT s.game_id, p.build_hash, l.currency, (p.created_at AT TIME ZONE 'UTC')::date AS day,
           sum(CASE l.kind WHEN 'stake' THEN l.amount_minor WHEN 'void_stake' THEN -l.amount_minor ELSE 0 END) AS turnover,
           sum(CASE l.kind WHEN 'win' THEN l.amount_minor WHEN 'void_win' THEN -l.amount_minor ELSE 0 END) AS win
    FROM ledger l
    JOIN spins p ON p.operator_id = l.operator_id AND p.spin_id = l.spin_id
    JOIN sessions s ON s.operator_id = l.operator_id AND s.session_id = l.session_id
    WHERE l.operator_id = $1 AND l.kind IN ('stake', 'win', 'void_stake', 'void_win')
    GROUP BY 1, 2, 3, 4
"""
"""Turnover and wins by the ledger alone, which the reports do not read."""


class Played:
    """An operator with rounds of two games in three currencies, some of them voided."""

    def __init__(self, service: Service, operator_id: str, rounds: int = 20) -> None:
        self.service, self.operator_id = service, operator_id
        self.credentials = service.add_operator(operator_id)
        service.change_operator(operator_id, rules=Rules(settle_within_s=3600, wallets=["platform", "transfer"]))
        self.send: Send = sending(service, self.credentials)
        self.voided = 0
        for game, build, currency, amount, wallet in (
            (GAME, BUILD, "EUR", "1.00", "platform"),
            (GAME, BUILD, "JPY", "100", "platform"),
            (GAME, BUILD, "ETH", "0.000000000000000020", "platform"),
            ("ember_sevens", OTHER, "EUR", "2.50", "transfer"),
        ):
            session = f"{operator_id}-{game}-{currency}"
            opened = {"game_id": game, "build_hash": build.build_hash, "currency": currency, "wallet": wallet}
            assert self.send("POST", "/sessions", session_body(session, operator_id, **opened)).status == 200
            if wallet == "transfer":
                money = {"transfer_id": session, "amount": {"amount": "500", "currency": currency}}
                assert self.send("POST", f"/sessions/{session}/transfers", money).status == 200
            for n in range(rounds):
                name = f"{session}-{n}"
                stake = {"amount": amount, "currency": currency}
                reply = self.send("POST", "/spins", spin_body(name, session, stake=stake))
                assert reply.status == 200, reply.body
                if n % 5 == 1 and wallet == "platform":
                    self.void(session, name)

    def void(self, session: str, name: str) -> None:
        body = {"session_id": session, "reason": "no debit"}
        assert self.send("POST", f"/rounds/r-{name}/void", body).status == 200
        self.voided += 1

    def rows(self, sql: str, *values: object) -> list[Any]:
        return run(self.service.fetch(sql, *values))

    def agree(self, terms: str, month: date = MONTH, name: str = "first") -> None:
        import tomllib

        read_terms(terms)
        job = lambda store: store.add_agreement(self.operator_id, name, month, terms_text(tomllib.loads(terms)), now(0))  # noqa: E731
        run(with_store(self.service, job))

    def close(self, month: date, moment: datetime) -> tuple[list[Line], bool]:
        return run(with_store(self.service, lambda store: close_month(store, self.operator_id, month, moment)))

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RGS_")}
        environment |= {"RGS_DATABASE_URL": self.service.database_url}
        return subprocess.run(
            [sys.executable, "-m", "rgs_server", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


async def with_store(service: Service, job: Any) -> Any:
    connection = await asyncpg.connect(service.database_url)
    try:
        return await job(Store(connection))
    finally:
        await connection.close()


def now(months: int) -> datetime:
    """A moment in the month that is so many months on."""
    month = MONTH
    for _ in range(months):
        month = next_month(month)
    return datetime(month.year, month.month, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def played(service: Service) -> Played:
    return Played(service, "op-billing")


FEES = 'kind = "turnover"\n[[tiers.EUR]]\nrate = "0.01"\n[[tiers.JPY]]\nrate = "0.013"\n[[tiers.ETH]]\nrate = "0.07"'


def minor(text: str) -> int:
    return int(text.replace(".", ""))


Report = dict[tuple[str, ...], tuple[int, int]]
"""Turnover and gross gaming revenue in minor units by game, build, currency and day."""


def reported(send: Send) -> Report:
    return {
        (row["game_id"], row["build_hash"], row["currency"], row["day"]): (minor(row["turnover"]), minor(row["ggr"]))
        for row in send("GET", "/reports/days").json()["rows"]
    }


def of_ledger(service: Service, operator_id: str) -> Report:
    return {
        (row["game_id"], row["build_hash"], row["currency"], str(row["day"])): (
            int(row["turnover"]),
            int(row["turnover"] - row["win"]),
        )
        for row in run(service.fetch(LEDGER, operator_id))
    }


def test_reports_equal_the_ledger(played: Played) -> None:
    """To the minor unit, in currencies of 0, 2 and 18 decimals."""
    answer = played.send("GET", "/reports/days").json()
    found = reported(played.send)
    assert found == of_ledger(played.service, played.operator_id)
    assert len({currency for _, _, currency, _ in found}) == 3
    spins = defaultdict(int)
    for row in answer["rows"]:
        spins["all"] += row["spins_total"]
        spins["eligible"] += row["eligible_spins"]
        assert row["netwin"] == row["ggr"]
    assert spins == {"all": 80, "eligible": 80 - played.voided}


def test_reports_of_every_wallet_and_of_choices_equal_the_ledger(service: Service) -> None:
    """Money that we move at the platform's wallet, stakes that it did not take, rounds that wait for their players."""
    operator_id = "op-billing-every"
    credentials = service.add_operator(operator_id)
    send = sending(service, credentials)
    tides = load(games.find("three_tides")).build()
    with WalletServer(credentials.secret.encode()) as wallet:
        rules = Rules(wallets=["seamless", "platform"])
        service.change_operator(operator_id, rules=rules, wallet=(wallet.url, credentials.key_id))
        for player in ("p-pays", "p-broke"):
            assert send("POST", "/sessions", session_body(player, operator_id, player_id=player)).status == 200
        wallet.always["debit:p-broke"] = "refuse"
        for n in range(15):
            assert send("POST", "/spins", spin_body(f"pays-{n}", "p-pays")).status == 200
        assert code(send("POST", "/spins", spin_body("broke", "p-broke"))) == (422, "WALLET_REFUSED")
        opened = {"game_id": "three_tides", "build_hash": tides.build_hash, "wallet": "platform"}
        assert send("POST", "/sessions", session_body("tides", operator_id, **opened)).status == 200
        for n in range(4):
            answer = send("POST", "/spins", spin_body(f"tide-{n}", "tides", "2.25", mode="buy")).json()
            while (asked := answer.get("awaiting")) is not None:
                if n == 3:
                    break  # nobody has decided this one yet: it is reported when it is over
                choice = {"step": asked["step"], "choice": asked["choice"], "option": asked["options"][0]}
                answer = send("POST", f"/rounds/{answer['round_id']}/choices", choice).json()
        found = reported(send)
        assert found == of_ledger(service, operator_id)
        turnover = {key[0]: stakes for key, (stakes, _) in found.items()}
        assert turnover == {GAME: 15 * 100, "three_tides": 3 * 225}


def test_sums_of_hours_change_nothing(tmp_path: Path) -> None:
    """Reports before and after the hours are summed up, and what is voided after that."""
    service = Service(tmp_path, workers=1)
    service.start()
    try:
        sum_up(service)
    finally:
        service.stop()
        service.remove()


def sum_up(service: Service) -> None:
    played = Played(service, "op-billing")
    before = played.send("GET", "/reports/days").json()
    later = datetime.now(UTC) + timedelta(hours=3)
    # The service sums up, too: while it does, nobody else may.
    wait_for(lambda: run(with_store(service, lambda store: roll_up(store, later))) >= 1)
    assert run(with_store(service, lambda store: roll_up(store, later))) == 0
    assert played.rows("SELECT FROM hour_figures WHERE operator_id = 'op-billing'")
    assert played.send("GET", "/reports/days").json() == before
    played.void(f"op-billing-{GAME}-JPY", f"op-billing-{GAME}-JPY-0")
    test_reports_equal_the_ledger(played)


def test_other_operators_are_not_in_it(service: Service, played: Played) -> None:
    stranger = sending(service, service.add_operator("op-billing-none"))
    assert stranger("GET", "/reports/days").json()["rows"] == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("first=2026-13-01", "first: '2026-13-01' is not a day"),
        ("last=yesterday", "last: 'yesterday' is not a day"),
        ("first=2026-02-02&last=2026-02-01", "is no period"),
        ("first=2025-01-01&last=2026-02-01", "is no period of 1 to 92 days"),
    ],
)
def test_what_is_no_period(played: Played, query: str, detail: str) -> None:
    reply = played.send("GET", f"/reports/days?{query}")
    assert code(reply) == (400, "VALIDATION_FAILED")
    assert detail in reply.json()["detail"]


def test_months_are_closed_once_and_trued_up(service: Service) -> None:
    played = Played(service, "op-closing", rounds=10)
    played.agree(FEES)
    with pytest.raises(MonthRefused, match="is not over"):
        played.close(MONTH, now(0))
    lines, before = played.close(MONTH, now(1))
    assert not before
    assert {line.kind for line in lines} == {"fee"}
    turnover = defaultdict(int)
    for row in played.rows(LEDGER, "op-closing"):
        turnover[row["currency"]] += int(row["turnover"])
    fees = defaultdict(int)
    for line in lines:
        fees[line.row.currency] += line.row.royalty_due_minor
    rates = {"EUR": 10, "JPY": 13, "ETH": 70}
    assert fees == {currency: round(amount * rates[currency] / 1000) for currency, amount in turnover.items()}
    again, before = played.close(MONTH, now(1))
    assert (again, before) == (lines, True)
    (closed,) = facts(service, "closing", "op-closing")
    assert closed["row"]["month"] == MONTH.isoformat()
    told = defaultdict(int)
    for fact in facts(service, "closing_line", "op-closing"):
        told[fact["row"]["currency"]] += fact["row"]["royalty_due_minor"]
    assert told == fees
    assert {fact["row"]["currency"] for fact in facts(service, "closing_total", "op-closing")} == set(fees)
    # A round of the closed month is voided: the month stays as it is, the next one says what changed.
    played.void(f"op-closing-{GAME}-EUR", f"op-closing-{GAME}-EUR-0")
    assert played.close(MONTH, now(1))[0] == lines
    following, _ = played.close(next_month(MONTH), now(2))
    (line,) = following
    assert (line.kind, line.about, line.row.figures.turnover_minor, line.row.figures.spins_total) == (
        "true_up",
        MONTH,
        -100,
        0,
    )
    assert line.row.royalty_due_minor == -1
    with pytest.raises(MonthRefused, match="months are closed in their order"):
        played.close(next_month(next_month(next_month(MONTH))), now(4))
    assert played.close(next_month(next_month(MONTH)), now(3))[0] == []  # nothing more to true up
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        run(service.fetch("DELETE FROM closing_lines WHERE operator_id = 'op-closing'"))


def test_a_report_shows_the_fees_so_far(service: Service) -> None:
    played = Played(service, "op-so-far", rounds=5)
    played.agree(FEES)
    rows = run(with_store(service, lambda store: report(store, "op-so-far", MONTH, TODAY + timedelta(days=1))))
    lines, _ = played.close(MONTH, now(1))
    assert sum(row.royalty_due_minor for row in rows) == sum(line.row.royalty_due_minor for line in lines) > 0


def test_the_commands(service: Service, tmp_path: Path) -> None:
    played = Played(service, "op-cli", rounds=5)
    assert "nothing is agreed" in played.cli("fees", "op-cli").stdout
    terms = tmp_path / "terms.toml"
    terms.write_text(FEES.replace("0.07", "7"))
    month = f"{MONTH:%Y-%m}"
    agree = ("fees", "op-cli", "--terms", str(terms), "--agreement", "a-1", "--from", month)
    refused = played.cli(*agree)
    assert (refused.returncode, "tiers.ETH[0].rate: 7 is more than all" in refused.stderr) == (2, True)
    terms.write_text(FEES)
    assert "a-1  from" in played.cli(*agree).stdout
    assert "is an agreement already" in played.cli(*agree).stderr
    days = ("--from", str(MONTH), "--to", str(TODAY))
    assert "ember_sevens" in played.cli("report", "op-cli", *days).stdout
    out = tmp_path / "report.csv"
    assert played.cli("report", "op-cli", *days, "--out", str(out)).returncode == 0
    with out.open() as file:
        found = list(csv.DictReader(file))
    assert {row["currency"] for row in found} == {"EUR", "JPY", "ETH"}
    assert "is not over" in played.cli("close-month", "op-cli", month).stderr
    assert "is not closed" in played.cli("invoice", "op-cli", month, "--currency", "EUR").stderr
    lines, _ = played.close(MONTH, now(1))
    rates = tmp_path / "rates.csv"
    rates.write_text("currency,rate,date,source\nJPY,0.0061,2026-01-31,ECB\nETH,2500,2026-01-31,desk\n")
    assert "no rate of ETH" in played.cli("invoice", "op-cli", month, "--currency", "EUR").stderr
    invoice = played.cli("invoice", "op-cli", month, "--currency", "EUR", "--rates", str(rates))
    assert invoice.returncode == 0, invoice.stderr
    euro = sum(line.row.royalty_due_minor for line in lines if line.row.currency == "EUR")
    yen = sum(line.row.royalty_due_minor for line in lines if line.row.currency == "JPY")
    first = euro + round(yen * 0.61)
    assert invoice.stdout.splitlines()[-1] == f"invoice 1 of op-cli for {month}: {first / 100:.2f} EUR"
    assert "2026-01-31, ECB" in invoice.stdout
    # The same rates are the same invoice; others are the true-up of it.
    command = ("invoice", "op-cli", month, "--currency", "EUR", "--rates", str(rates))
    assert f"for {month}, as it was made before: {first / 100:.2f} EUR" in played.cli(*command).stdout
    rates.write_text("currency,rate,date,source\nJPY,0.0065,2026-03-31,ECB\nETH,2500,2026-01-31,desk\n")
    second = euro + round(yen * 0.65)
    assert played.cli(*command).stdout.splitlines()[-2:] == [
        f"invoice 2 of op-cli for {month}: {second / 100:.2f} EUR",
        f"true-up of invoice 1: {(second - first) / 100:.2f} EUR",
    ]
    told = facts(service, "invoice", "op-cli")
    assert [int(fact["row"]["total_minor"]) for fact in told] == [first, second]
    assert [int(fact["row"]["true_up_minor"]) for fact in told] == [0, second - first]
    assert told[0]["by"].endswith(": rgs-server invoice")
    assert {"rate": "61/10000", "day": "2026-01-31", "source": "ECB"}.items() <= next(
        fee for fee in json.loads(told[0]["row"]["fees"]) if fee["currency"] == "JPY"
    ).items()
    (agreed,) = facts(service, "fee_agreement", "op-cli")
    assert (agreed["change"], agreed["row"]["agreement_id"]) == ("insert", "a-1")


def facts(service: Service, kind: str, operator_id: str) -> list[dict[str, Any]]:
    """Of the audit log."""
    sql = "SELECT fact FROM audit_facts WHERE kind = $1 AND operator_id = $2 ORDER BY written_in, fact_id"
    return [json.loads(row["fact"]) for row in run(service.fetch(sql, kind, operator_id))]


def test_workers_cannot_change_what_is_owed(service: Service) -> None:
    granted = json.loads(
        run(
            service.fetch(
                "SELECT json_agg(table_name || ':' || privilege_type) AS found FROM information_schema.role_table_grants"
                " WHERE grantee <> grantor AND table_name IN ('closings', 'closing_lines', 'closing_totals', 'fee_agreements', 'invoices')"
            )
        )[0]["found"]
    )
    assert {name.split(":")[1] for name in granted} == {"SELECT"}
