"""Parts of the service without a service: amounts, signatures, seals, settings, master key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from rgs_server import clock, signing
from rgs_server.config import Config, ConfigError, environment_of, read_config
from rgs_server.contract.money import EXPONENTS, format_amount, parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_session, decode_spin
from rgs_server.master_key import MasterKeyError, ensure_master_key, read_master_keys
from rgs_server.sealing import SealBroken, Sealer
from service_process import session_body


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        (b"1.00", "EUR", 100), (b"1", "EUR", 100), (b'"1.00"', "EUR", 100), (b"0.1", "EUR", 10), (b"0", "EUR", 0),
        (b"1.500", "EUR", 150), (b"100", "JPY", 100), (b"100.0", "JPY", 100), (b"1.234", "KWD", 1234),
        (b"0.000000000000000001", "ETH", 1), (b"9.223372036854775808", "ETH", 2**63), (b"0.00000001", "BTC", 1),
    ],
)  # fmt: skip
def test_amounts_are_read_from_their_text(text: bytes, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        (b"1.001", "EUR", "AMOUNT_PRECISION"), (b"0.5", "JPY", "AMOUNT_PRECISION"),
        *[(bad, "EUR", "VALIDATION_FAILED") for bad in (
            b"-1", b"-0", b"+1", b"01", b"1.", b".5", b"1e2", b"NaN", b"Infinity", b"", b'"', b'"1', b'1"', b"null",
            b"true", b"{}", b"[1]", b'" 1"', b"1,00", b"0x1", b"1_0", "١".encode(), b"9" * 40, b"9" * 26,
        )],
        (b"1", "XXX", "VALIDATION_FAILED"), (b"1", "eur", "VALIDATION_FAILED"), (b"1", "", "VALIDATION_FAILED"),
    ],
)  # fmt: skip
def test_other_amounts_are_refused(text: bytes, currency: str, code: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_amount(text, currency)
    assert caught.value.code == code


@given(minor=st.integers(0, 10**27 - 1), currency=st.sampled_from(sorted(EXPONENTS)))
def test_amounts_survive_the_way_there_and_back(minor: int, currency: str) -> None:
    assert parse_amount(format_amount(minor, EXPONENTS[currency]).encode(), currency) == minor


def test_the_golden_signature() -> None:
    body = b'{"spin_id":"spin-1"}'
    text = signing.canonical_string("POST", "/rgs/v1/spins", "2025-10-20T11:22:33.123Z", "n-0001", body)
    assert text.endswith(b"\nb0a1cdfe8e0e3c9c2b66e426a70ba9d8992705c2215a25f19b7c48f5d878a19d")
    signature = signing.sign(b"sandbox-secret", "POST", "/rgs/v1/spins", "2025-10-20T11:22:33.123Z", "n-0001", body)
    assert signature == "f77183424cfe19191ca4b484f5980d83ff4d6f2687fc26bf00b2d1be967a1010"


def test_every_part_of_a_request_is_signed() -> None:
    def headers(**changes: str) -> dict[str, str]:
        return {signing.TIMESTAMP: "2026-01-01T00:00:00.000Z", signing.NONCE: "n", signing.SIGNATURE: "", **changes}

    secret, method, target, body = b"s", "POST", "/a?x=1&y=2", b"{}"
    signature = signing.sign(secret, method, target, "2026-01-01T00:00:00.000Z", "n", body)
    good = headers(**{signing.SIGNATURE: f"v1={signature}"})
    assert signing.verified(secret, good, method, target, body)
    assert signing.verified(secret, good, method, "/a?y=2&x=1", body), "the query is sorted"
    rotated = headers(**{signing.SIGNATURE: f"v1={'0' * 64},v1={signature}"})
    assert signing.verified(secret, rotated, method, target, body), "one of several signatures"
    for wrong in (
        (b"t", good, method, target, body),
        (secret, {**good, signing.TIMESTAMP: "2026-01-01T00:00:00.001Z"}, method, target, body),
        (secret, {**good, signing.NONCE: "m"}, method, target, body),
        (secret, {**good, signing.SIGNATURE: f"v2={signature}"}, method, target, body),
        (secret, {**good, signing.SIGNATURE: ""}, method, target, body),
        (secret, {**good, signing.SIGNATURE: "v1=é"}, method, target, body),
        (secret, good, "GET", target, body),
        (secret, good, method, "/b?x=1&y=2", body),
        (secret, good, method, "/a?x=1&y=3", body),
        (secret, good, method, target, b"{ }"),
    ):
        assert not signing.verified(*wrong)  # type: ignore[arg-type]


def test_times() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 7999, tzinfo=UTC)
    assert clock.time_text(moment) == "2026-01-31T12:00:00.007Z"
    assert signing.skew_seconds("2026-01-31T12:00:01.007Z", moment) == pytest.approx(1, abs=0.01)
    for bad in ("", "2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000+01:00", "x"):
        assert signing.skew_seconds(bad, moment) is None


def test_a_seal_opens_only_with_its_key_and_context() -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(b"secret", "seed:a/b")
    assert sealer.open(sealed, "seed:a/b") == b"secret"
    assert b"secret" not in sealed
    assert sealer.seal(b"secret", "seed:a/b") != sealed
    for other, context, value in (
        (Sealer(b"\x01" * 32), "seed:a/b", sealed),
        (sealer, "seed:a/c", sealed),
        (sealer, "seed:a/b", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (sealer, "seed:a/b", b"\x03" + sealed[1:]),
        (sealer, "seed:a/b", b""),
        (sealer, "seed:a/b", sealed[:5]),
    ):
        with pytest.raises(SealBroken):
            other.open(value, context)


def test_seals_of_older_keys_are_opened() -> None:
    old, new, both = Sealer(b"\x01" * 32), Sealer(b"\x02" * 32), Sealer(b"\x02" * 32, b"\x01" * 32)
    sealed = old.seal(b"secret", "seed:a/b")
    assert both.open(sealed, "seed:a/b") == b"secret"
    assert both.open(both.seal(b"more", "x"), "x") == new.open(both.seal(b"more", "x"), "x") == b"more"
    assert (both.prefix, sealed[:5]) == (new.prefix, old.prefix)
    with pytest.raises(SealBroken, match="none of those given"):
        new.open(sealed, "seed:a/b")


def test_seals_of_the_first_version_are_opened() -> None:
    """They do not tell their key: each is tried."""
    nonce = bytes(range(12))
    sealed = b"\x01" + nonce + AESGCM(b"\x01" * 32).encrypt(nonce, b"secret", b"seed:a/b")
    both = Sealer(b"\x02" * 32, b"\x01" * 32)
    assert both.open(sealed, "seed:a/b") == b"secret"
    assert not sealed.startswith(both.prefix)  # so it is sealed anew
    for other, context, value in (
        (Sealer(b"\x02" * 32), "seed:a/b", sealed),
        (both, "x", sealed),
        (both, "x", b"\x01"),
    ):
        with pytest.raises(SealBroken, match="any of the master keys"):
            other.open(value, context)


def test_settings_come_from_the_environment() -> None:
    assert read_config({}) == Config()
    assert read_config({"RGS_PORT": "9000", "PATH": "x", "RGS_DEBUG": "1"}).port == 9000
    config = Config(port=9001, models_dir="m", log_level="debug")
    assert read_config(environment_of(config)) == config


def test_every_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config({"RGS_PROT": "1", "RGS_PORT": "70000", "RGS_WORKERS": "two", "RGS_LOG_LEVEL": "loud"})
    for part in ("RGS_PROT is unknown", "RGS_PORT='70000'", "from 1 to 65535", "RGS_WORKERS='two'", "RGS_LOG_LEVEL"):
        assert part in str(caught.value)


def test_the_master_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    with pytest.raises(MasterKeyError, match="RGS_MASTER_KEY_FILE"):
        read_master_keys(path)
    ensure_master_key(path)
    key = read_master_keys(path)
    ensure_master_key(path)
    assert read_master_keys(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(f"{'ab' * 32}\n{'cd' * 32}\n")
    assert read_master_keys(path) == (bytes.fromhex("ab" * 32), bytes.fromhex("cd" * 32))
    for bad in ("", "00", "zz" * 32, f"{'ab' * 32} 00"):
        path.write_text(bad)
        with pytest.raises(MasterKeyError, match="64 hex digits"):
            read_master_keys(path)


@given(body=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for decode in (decode_spin, decode_session):
        with pytest.raises(Problem):
            decode(body)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"geo": "Germany"}, "geo: Expected two capital letters, such as SE"),
        ({"channel": "Mobile"}, "channel: Expected at most 32 of a-z, 0-9, _ and -, and not 'all'"),
        ({"channel": "all"}, "channel: Expected at most 32 of a-z, 0-9, _ and -, and not 'all'"),
        ({"channel": "mobile\n"}, "channel: Expected at most 32 of a-z, 0-9, _ and -, and not 'all'"),
    ],
)
def test_what_a_pattern_asks_for_is_said_in_words(change: dict[str, str], detail: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_session(session_body("words", **change))
    assert refused.value.detail == detail
    assert decode_session(session_body("words", channel="mobile_2-x")).channel == "mobile_2-x"
