"""Market packs, and what they let a player do when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from rgs_server.contract.problems import Problem
from rgs_server.markets import FLAGS, Market, StakeCap, market_of, packs, read_pack, read_packs, strictest
from rgs_server.play_limits import PlayerLimits, check_limits

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, MILLISECOND = timedelta(minutes=1), timedelta(milliseconds=1)


def refused(limits: PlayerLimits, now: datetime, stake_minor: int = 1, currency: str = "EUR") -> tuple[str, int | None]:
    """Code and time to wait; an empty code where a round may begin."""
    try:
        check_limits(limits, now, stake_minor, currency, 2)
    except Problem as problem:
        return problem.code, problem.retry_after_ms
    return "", None


def market(text: str) -> Market:
    return read_pack(f'country = "XX"\ntitle = "Test"\n{text}')


@pytest.mark.parametrize("country", packs())
def test_every_rule_of_a_pack_has_its_clause(country: str) -> None:
    pack = packs()[country]
    ruled = {name for name in ("cycle_ms", "reminder_min", "break_min", "one_round", "rtp_min", "stake_caps", "notices")
             if getattr(pack, name)} | {name for name in FLAGS if not pack.flags[name]}  # fmt: skip
    assert ruled <= pack.clauses.keys()
    assert all(pack.clauses.values())


def test_rules_say_whether_they_were_compared_with_their_text() -> None:
    """The list in docs/operations.md is the one of the packs."""
    found = market("cycle_ms = { value = 1, clause = 'c', read = 'the text' }\nrtp_min = { value = 0.9, clause = 'd' }")
    assert (found.read, found.unverified) == ({"cycle_ms": "the text"}, ["rtp_min"])
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")
    for country, pack in packs().items():
        read, unverified = (
            ", ".join(f"`{name}`" for name in names) or "–" for names in (sorted(pack.read), pack.unverified)
        )
        assert f"| {country} | {read} | {unverified} |" in text, f"| {country} | {read} | {unverified} |"
    assert market_of("ZZ", "strictest").unverified  # type: ignore[union-attr]


def test_every_file_is_a_pack_of_its_name() -> None:
    files = {file.name for file in resources.files("rgs_server.markets").iterdir() if file.name.endswith(".toml")}
    assert files == {f"{country}.toml" for country in packs()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cycle_ms = 2500", "cycle_ms: a rule is"),
        ("cycle_ms = { value = 2500 }", "cycle_ms: a rule is"),
        ("cycle_ms = { value = 2500, clause = '' }", "cycle_ms: a rule is"),
        ("cycle = { value = 2500, clause = 'c' }", "unknown rules: cycle"),
    ],
)
def test_packs_that_are_wrong(text: str, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        market(text)


@pytest.mark.parametrize(
    ("country", "cycle_ms"), [("GB", 2500), ("DE", 5000), ("SE", 3000), ("ES", 3000), ("CA", 2500)]
)
def test_cycle_times_to_the_millisecond(country: str, cycle_ms: int) -> None:
    limits = PlayerLimits(packs()[country], START, last_round_at=START + MINUTE)
    due = START + MINUTE + cycle_ms * MILLISECOND
    assert refused(limits, due - MILLISECOND) == ("TOO_FAST", 1)
    assert refused(limits, START + MINUTE) == ("TOO_FAST", cycle_ms)
    assert refused(limits, due) == ("", None)


@pytest.mark.parametrize(
    ("country", "currency", "age", "most"),
    [
        ("GB", "GBP", 24, 200),
        ("GB", "GBP", None, 200),
        ("GB", "GBP", 25, 500),
        ("DE", "EUR", 25, 100),
        ("DE", "EUR", None, 100),
        ("MT", "EUR", None, None),
    ],
)
def test_stake_caps_to_the_minor_unit(country: str, currency: str, age: int | None, most: int | None) -> None:
    limits = PlayerLimits(packs()[country], START, age=age)
    if most is None:
        assert refused(limits, START, 10**9, currency) == ("", None)
    else:
        assert refused(limits, START, most, currency) == ("", None)
        assert refused(limits, START, most + 1, currency) == ("STAKE_NOT_ALLOWED", None)


def test_reminders_have_to_be_acknowledged_and_breaks_taken() -> None:
    limits = PlayerLimits(packs()["DE"], START)
    hour = 60 * MINUTE
    assert refused(limits, START + hour - MILLISECOND) == ("", None)
    assert refused(limits, START + hour) == ("RG_ACK_REQUIRED", None)
    limits.acknowledged, limits.acknowledged_at = 1, START + hour + 2 * MINUTE
    assert refused(limits, START + hour + 2 * MINUTE) == ("RG_BREAK", 5 * 60_000)
    assert refused(limits, START + hour + 7 * MINUTE - MILLISECOND) == ("RG_BREAK", 1)
    assert refused(limits, START + hour + 7 * MINUTE) == ("", None)
    assert refused(limits, START + 2 * hour) == ("RG_ACK_REQUIRED", None)


def test_limits_of_the_player_bind_where_no_market_does() -> None:
    limits = PlayerLimits(None, START, time_limit_min=30)
    assert refused(limits, START + 30 * MINUTE - MILLISECOND) == ("", None)
    assert refused(limits, START + 30 * MINUTE) == ("RG_LIMIT", None)
    assert refused(PlayerLimits(None, START, blocked=True), START) == ("RG_BLOCKED", None)


def test_an_unknown_country_gets_the_strictest_of_everything() -> None:
    unknown = market_of("ZZ", "strictest")
    assert unknown is not None
    for pack in packs().values():
        assert unknown.cycle_ms >= pack.cycle_ms
        assert unknown.break_min >= pack.break_min
        assert unknown.rtp_min >= pack.rtp_min
        assert unknown.age_min >= pack.age_min
        assert not pack.reminder_min or 0 < unknown.reminder_min <= pack.reminder_min
        assert all(pack.flags[name] or not unknown.flags[name] for name in FLAGS)
        for currency in ("EUR", "GBP"):
            most = pack.stake_max_minor(currency, None)
            assert most is None or (unknown.stake_max_minor(currency, None) or 0) <= most
    assert market_of("ZZ", "refused") is None
    assert market_of("SE", "refused") is packs()["SE"]


def test_caps_of_several_ages() -> None:
    caps = (StakeCap("EUR", 500), StakeCap("EUR", 100, 21), StakeCap("EUR", 200, 25))
    merged = strictest([market("")])
    assert merged.stake_caps == ()
    pack = Market(**{name: getattr(merged, name) for name in merged.__slots__} | {"stake_caps": caps})
    assert [pack.stake_max_minor("EUR", age) for age in (20, 21, 24, 25, None)] == [100, 200, 200, 500, 100]
    assert (pack.takes("EUR"), pack.takes("USD")) == (True, False)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("XX.toml", "country = 'SE'\ntitle = 'x'", r"XX.toml: the pack of SE is named SE.toml"),
        ("SE.toml", "country = 'SE'", r"SE.toml: 'title'"),
        ("SE.toml", "country = ", r"SE.toml: Invalid value"),
    ],
)
def test_a_folder_of_packs_is_read_whole_or_not_at_all(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / "NO.toml").write_text("country = 'NO'\ntitle = 'Norway'")
    assert read_packs(str(tmp_path)).keys() == {*packs(), "NO"}
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_packs(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_packs(str(tmp_path / "none"))
