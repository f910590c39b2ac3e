"""Digests of plain rounds are made without records, and are those of the records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rgs_core import Engine, _round, games
from rgs_core.engine import spin_texts

KEY = bytes(range(32))


@contextmanager
def without_records(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rounds whose records would be made fail."""
    with monkeypatch.context() as patch:
        patch.setattr(_round, "SpinReader", None)
        yield


def test_a_plain_round_is_told_without_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, scatters and the free spins that they win, for which no record is made."""
    engine = Engine(games.find_build("lantern_tide")[0])
    expected = [
        (o.digest(), o.window, o.paid_spin_units, o.awards) for o in (engine.spin(KEY, n).outcome for n in range(3000))
    ]
    assert any(awards for _, _, _, awards in expected)
    with without_records(monkeypatch):
        for nonce, told in enumerate(expected):
            played = engine.spin(KEY, nonce)
            assert (played.digest(), played.window, played.paid_spin_units, played.awards) == told


@pytest.mark.parametrize("name", ["canopy_rise", "fossil_coast", "salt_codex"])
def test_other_rounds_have_their_records_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(games.find_build(name)[0])
    plain = 0
    for nonce in range(200):
        told, outcome = engine.spin(KEY, nonce), engine.spin(KEY, nonce).outcome
        assert (told.digest(), told.window, told.paid_spin_units) == (
            outcome.digest(),
            outcome.window,
            outcome.paid_spin_units,
        )
        assert told.awards == outcome.awards
        with without_records(monkeypatch):
            try:
                engine.spin(KEY, nonce).digest()
                plain += 1
            except TypeError:
                pass
    assert plain < 200


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was thrown away is made again."""
    monkeypatch.setattr(spin_texts, "KEPT_MAX", 2)
    monkeypatch.setattr(spin_texts, "KINDS_MAX", 1)
    engine = Engine(games.find_build("lantern_tide")[0])
    for nonce in range(1500):
        assert engine.spin(KEY, nonce).digest() == engine.spin(KEY, nonce).outcome.digest()


def test_a_round_that_no_engine_played() -> None:
    nothing = _round.Round.__new__(_round.Round)
    for ask in (nothing.digest, lambda: nothing.window, lambda: nothing.paid_spin_units, lambda: nothing.awards):
        with pytest.raises(ValueError, match="no engine played"):
            ask()
