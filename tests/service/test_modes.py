"""Rounds in other modes than the base one: ante bets and bonus buys, as far as they are certified and allowed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from own_models import add_model
from rgs_server.catalogue import load_catalogue
from service_process import Service, code, session_body, spin_body

from rgs_core import games
from rgs_core.__main__ import main as rgs
from rgs_core.errors import CertificateError, JackpotError
from rgs_core.language.model_file import load

GAME = "clockwork_aviary"
BUILD = load(games.find(GAME)).build("rtp_96")
SPINS = "/rgs/v1/spins"


@pytest.fixture(scope="module")
def session(service: Service) -> str:
    body = session_body("modes", game_id=GAME, build_hash=BUILD.build_hash)
    assert service.send("POST", "/rgs/v1/sessions", body).status == 200
    return "modes"


def test_the_catalogue_lists_certified_modes(service: Service) -> None:
    rows = service.send("GET", "/rgs/v1/games").json()["games"]
    mine = next(row for row in rows if row["build_hash"] == BUILD.build_hash)
    assert [(row["mode"], row["stake_step_minor"], row["buys_feature"]) for row in mine["modes"]] == [
        ("ante", 25, False),
        ("buy", 1200, True),
    ]
    assert all(0.9 < row["rtp"] < 1 for row in mine["modes"])
    assert next(row for row in rows if row["model"] == "lantern_tide")["modes"] == []


def test_rounds_in_every_mode_are_played_and_replayed(
    service: Service, session: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, (mode, amount, spins) in enumerate([("base", "0.20", 1), ("ante", "0.50", 1), ("buy", "24.00", 10)]):
        body = spin_body(f"mode-{n}", session, amount, mode=mode)
        reply = service.send("POST", SPINS, body)
        assert reply.status == 200, reply.body
        answer = reply.json()
        again = service.send("POST", SPINS, body)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (reply.body, "true")
        if mode != "base":
            other = service.send("POST", SPINS, spin_body(f"mode-{n}", session, amount))
            assert code(other) == (409, "IDEMPOTENCY_CONFLICT")
        assert service.send("GET", f"{SPINS}/mode-{n}").json()["mode"] == mode
        replay = service.send("GET", f"{SPINS}/mode-{n}/replay")
        found: dict[str, Any] = replay.json()
        assert (found["result"], found["audit_record"]["mode"]) == ("match", mode)
        assert len(found["outcome"]["spins"]) >= spins
        units = BUILD.model.build("rtp_96", mode).play.cost_units
        unit_minor = answer["stake"]["minor"] // units
        assert answer["outcome"]["win"]["minor"] == found["outcome"]["win_units"] * unit_minor
        record = tmp_path / f"{mode}.json"
        record.write_bytes(replay.body)
        assert rgs(["replay", str(record)]) == 0
        assert "MATCH" in capsys.readouterr().out


def test_a_base_round_is_the_same_with_and_without_its_mode(service: Service, session: str) -> None:
    reply = service.send("POST", SPINS, spin_body("plain", session, "0.20"))
    again = service.send("POST", SPINS, spin_body("plain", session, "0.20", mode="base"))
    assert (again.body, again.headers["Idempotent-Replayed"]) == (reply.body, "true")


@pytest.mark.parametrize(
    ("mode", "amount", "wanted", "detail"),
    [
        ("super", "1.00", "MODE_NOT_ALLOWED", "mode 'super' is not certified; base, ante, buy can be played"),
        ("ante", "0.20", "STAKE_NOT_ALLOWED", "clockwork_aviary/rtp_96@ante takes multiples of 0.25 EUR"),
        ("buy", "20.00", "STAKE_NOT_ALLOWED", "multiples of 12.00 EUR"),
        ("b" * 33, "1.00", "VALIDATION_FAILED", "mode"),
    ],
)
def test_what_is_no_mode_here(service: Service, session: str, mode: str, amount: str, wanted: str, detail: str) -> None:
    reply = service.send("POST", SPINS, spin_body(f"no-{mode}-{amount}", session, amount, mode=mode))
    assert code(reply)[1] == wanted
    assert detail in reply.body.decode()


def test_some_markets_forbid_bonus_buys(service: Service) -> None:
    credentials = service.add_operator("op-modes", markets=True)
    body = session_body("british", "op-modes", game_id=GAME, build_hash=BUILD.build_hash, geo="GB", currency="GBP")
    assert service.send("POST", "/rgs/v1/sessions", body, credentials=credentials).status == 200

    def played(mode: str, amount: str) -> Any:
        stake = {"amount": amount, "currency": "GBP"}
        return service.send(
            "POST", SPINS, spin_body(f"gb-{mode}", "british", mode=mode, stake=stake), credentials=credentials
        )

    reply = played("buy", "12.00")
    assert code(reply) == (422, "MODE_NOT_ALLOWED")
    assert "cannot be bought in Great Britain" in json.loads(reply.body)["detail"]
    assert played("ante", "0.25").status == 200


def test_no_pool_is_promised_in_production(tmp_path: Path) -> None:
    """A jackpot whose pool nobody keeps would pay nothing."""
    served = load_catalogue("", in_production=True).values()
    assert served
    assert not [one.build.label for one in served if one.build.model.jackpots_won]
    assert [one for one in load_catalogue("").values() if one.build.model.jackpots_won], "sandboxes may try them"
    add_model(tmp_path, "own_fossils", "fossil_coast")
    assert len(load_catalogue(str(tmp_path))) > len(load_catalogue(""))
    with pytest.raises(JackpotError, match=r"own_fossils/rtp_\d+ .* has jackpots \(grand\)"):
        load_catalogue(str(tmp_path), in_production=True)


def test_only_certified_modes_are_loaded(tmp_path: Path) -> None:
    """A mode without a certificate is not offered; one with the certificate of something else stops the start."""
    source = games.find(GAME)
    (tmp_path / "certificates").mkdir()
    shutil.copy(source, tmp_path)
    for name in ("rtp_96", "rtp_94", "rtp_96.buy"):
        shutil.copy(source.parent / "certificates" / f"{GAME}.{name}.toml", tmp_path / "certificates")
    mine = load_catalogue(str(tmp_path))[BUILD.build_hash]
    assert [played.build.mode for played in mine.modes] == ["base", "buy"]
    certificates = tmp_path / "certificates"
    shutil.copy(certificates / f"{GAME}.rtp_96.toml", certificates / f"{GAME}.rtp_96.ante.toml")
    with pytest.raises(CertificateError, match="in mode 'base', but clockwork_aviary/rtp_96@ante"):
        load_catalogue(str(tmp_path))
