"""Books of random models of every word: they add up, and name the cells that the reference removes and holds."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from random_models import loaded, rich_model_texts

from rgs_core import reference
from rgs_core.books.events import Narrator
from rgs_core.errors import BooksError
from rgs_core.language.model import BASE_MODE
from rgs_core.reference import spins

Places = list[tuple[int, int]]


@given(text=rich_model_texts(), key=st.binary(min_size=32, max_size=32))
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
def test_books_tell_what_the_reference_does(text: str, key: bytes) -> None:
    note(f"key {key.hex()}\n{text}")
    model = loaded(text)
    removed: list[Places] = []
    held: list[Places] = []
    fall, lay = spins.fall_and_refill, spins.lay_held

    def falling(grid: Any, cells: Any, *rest: Any) -> None:
        removed.append(sorted(cells))
        fall(grid, cells, *rest)

    def laying(grid: Any, memory: Any) -> None:
        held.append(sorted(memory.held))
        lay(grid, memory)

    with patch.object(spins, "fall_and_refill", falling), patch.object(spins, "lay_held", laying):
        for mode in (BASE_MODE, *model.modes):
            build = model.build(mode=mode)
            try:
                narrator = Narrator(build, padding=False)
            except BooksError:
                assume(False)
            for nonce in range(6):
                removed.clear()
                held.clear()
                outcome = reference.play(build, key, nonce)
                book = narrator.book(1, outcome)
                events = book["events"]
                tumbles = [event["explodingSymbols"] for event in events if event["type"] == "tumbleBoard"]
                assert [_places(cells) for cells in tumbles] == removed
                reveals = [event for event in events if event["type"] == "reveal"]
                assert [_places(event.get("held", [])) for event in reveals] == held
                assert book["payoutMultiplier"] * model.stake_units == 100 * outcome.win_units
                multiplier = 1
                exempt = {spin.feature_multiplier for spin in outcome.spins}
                for event in events:
                    if event["type"] == "updateGlobalMult":
                        multiplier = event["globalMult"]
                    elif event["type"] == "winInfo":
                        assert all(win["meta"]["globalMult"] in {multiplier, *exempt} for win in event["wins"])


def _places(cells: list[dict[str, int]]) -> Places:
    return [(cell["reel"], cell["row"]) for cell in cells]
