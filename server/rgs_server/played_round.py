"""A round that was played, with whose it is: what its answer, its events and its row are made of."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from rgs_core.language.model import Build
from rgs_core.outcome import Played


class PlayedRound(NamedTuple):
    """Amounts are minor units of the currency; one unit of the game is `unit_minor` of them."""

    build: Build
    outcome: Played
    operator_id: str
    session_id: str
    player_id: str
    game_id: str
    spin_id: str
    round_id: str
    spin_type: str
    mode: str
    nonce: int
    stake_minor: int
    unit_minor: int
    currency: str
    exponent: int
    channel: str
    telemetry_ref: str
    """The id of its event `spin_finished`."""
    created_at: datetime

    @property
    def won_minor(self) -> int:
        """What it has won by now, whether or not it is over."""
        return self.outcome.win_units * self.unit_minor
