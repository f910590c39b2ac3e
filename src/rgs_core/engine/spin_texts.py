"""The canonical JSON of plain spins, put together from parts that are made once.

Most spins are plain: reels stop, and what they show wins and awards spins. Of such windows, wins and awards a game has few,
so their texts are kept, and the digest of a round is made without its records. What is not kept yet is made by the reader of
records and by the encoder of digests, so there is one form of a round and not two. Which spins are plain says
ext/rgs_core/_round.pyx.
"""

from __future__ import annotations

from typing import TypeVar

from rgs_core import outcome as records
from rgs_core.engine.spin_reader import SpinReader
from rgs_core.engine.tables import Tables

T = TypeVar("T")

KEPT_MAX = 4096
"""Wins, and awards, of one kind of spin: ways and wild multipliers may be many, and memory is not."""
KINDS_MAX = 256
"""States by the multipliers of their features, which may grow."""


class SpinTexts:
    """Parts of plain spins of one state in a feature with one multiplier."""

    def __init__(self, tables: Tables, state: int, multiplier: int) -> None:
        self.tables = tables
        self.table = tables.states[state]
        self.multiplier = multiplier
        self.reels = tables.build.model.reels
        names = self.table.state.strip_sets
        self._strips = tables.build.strips(self.table.state, names[0])
        self._heights = [int(height.values[0]) for height in self.table.heights]
        self.stops: list[dict[int, tuple[bytes, bytes, tuple[str, ...]]]] = [{} for _ in self._strips]
        """Of each reel, by stop: its number, what it shows as JSON, and that as symbols."""
        self.wins: dict[bytes, bytes] = {}
        """JSON by the bytes of the event."""
        self.awards: dict[bytes, tuple[bytes, records.Award]] = {}
        """JSON and record by the bytes of the event."""
        named = {"feature_multiplier": multiplier} if multiplier != 1 else {}
        self.before_stops = b"]," + _members({**named, "state": self.table.state.name}) + b'"stops":['
        self.before_sub_spin = b"]," + _members({"strips": names[0]} if len(names) > 1 else {}) + b'"sub_spin":'

    def stop(self, reel: int, stop: int) -> tuple[bytes, bytes, tuple[str, ...]]:
        """What is kept of a stop, made now."""
        shown = self._strips[reel].window(stop, self._heights[reel])
        made = self.stops[reel][stop] = (b"%d" % stop, _text(list(shown)), shown)
        return made

    def reader(self) -> SpinReader:
        """What reads an event of such a spin."""
        reader = SpinReader(self.tables, self.table)
        reader.begin(0, 0, self.multiplier)
        return reader

    def win(self, event: bytes, reader: SpinReader) -> bytes:
        """The text of a win that was read, kept from now on."""
        (win,) = reader.first_wins
        return _keep(self.wins, event, _text(records.win_json(win)))

    def award(self, event: bytes, reader: SpinReader) -> tuple[bytes, records.Award]:
        """The text and the record of an award that was read, kept from now on."""
        (award,) = reader.awards
        assert isinstance(award, records.FreeSpinsAward)
        return _keep(self.awards, event, (_text(records.award_json(award)), award))


def texts_of(tables: Tables, kind: tuple[int, int]) -> SpinTexts:
    """Those of a state and a multiplier, kept from now on."""
    if len(tables.texts) >= KINDS_MAX:
        tables.texts.clear()
    made = tables.texts[kind] = SpinTexts(tables, *kind)
    return made


def _text(value: object) -> bytes:
    return records.CANONICAL.encode(value).encode("ascii")


def _members(values: dict[str, object]) -> bytes:
    """Members of an object, a comma behind each."""
    return _text(values)[1:-1] + b"," if values else b""


def _keep(kept: dict[bytes, T], event: bytes, made: T) -> T:
    if len(kept) >= KEPT_MAX:
        kept.clear()
    kept[event] = made
    return made
