"""Whether a player may begin a round now: flags, breaks, reminders, cycle times, caps of stakes.

All of it is asked before a new stake, and nothing of it ever keeps a round that was begun from being settled or paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rgs_server.catalogue import Playable
from rgs_server.contract.money import format_amount
from rgs_server.contract.problems import Problem
from rgs_server.markets import Market


@dataclass(slots=True)
class PlayerLimits:
    """What binds the player of a session. `market`: None where the operator enforces its rules itself."""

    market: Market | None
    opened_at: datetime
    age: int | None = None
    time_limit_min: int | None = None
    blocked: bool = False
    acknowledged: int = 0  # reminders
    acknowledged_at: datetime | None = None
    last_round_at: datetime | None = None

    def reminders(self, now: datetime) -> int:
        """How many reminders are due so far; 0 where the market asks for none."""
        every_min = 0 if self.market is None else self.market.reminder_min
        return reminders_due(self.opened_at, every_min, now) if every_min else 0


def check_limits(limits: PlayerLimits, now: datetime, stake_minor: int, currency: str, exponent: int) -> None:
    """Raises Problem when no round may begin."""
    if limits.blocked:
        raise Problem("RG_BLOCKED", "the player is blocked")
    minutes = limits.time_limit_min
    if minutes is not None and now >= limits.opened_at + timedelta(minutes=minutes):
        raise Problem("RG_LIMIT", f"the session has lasted {minutes} min, the player's limit; it takes no more stakes")
    market = limits.market
    if market is None:
        return
    if market.reminder_min:
        _check_reminder(limits, market, now)
    if market.cycle_ms and limits.last_round_at is not None:
        wait = limits.last_round_at + timedelta(milliseconds=market.cycle_ms) - now
        if wait > timedelta():
            wait_ms = -(-wait // timedelta(milliseconds=1))
            raise Problem(
                "TOO_FAST", f"a round takes {market.cycle_ms} ms at least in {market.title}", retry_after_ms=wait_ms
            )
    most = market.stake_max_minor(currency, limits.age)
    if most is not None and stake_minor > most:
        shown = f"{format_amount(most, exponent)} {currency}"
        raise Problem("STAKE_NOT_ALLOWED", f"stakes in {market.title} are at most {shown} for this player")


def check_mode(limits: PlayerLimits, playable: Playable) -> None:
    """Raises Problem when the market forbids the mode."""
    market = limits.market
    if market is not None and playable.buys_feature and not market.flags["bonus_buy"]:
        raise Problem("MODE_NOT_ALLOWED", f"features cannot be bought in {market.title}")


def _check_reminder(limits: PlayerLimits, market: Market, now: datetime) -> None:
    due = reminders_due(limits.opened_at, market.reminder_min, now)
    if limits.acknowledged < due:
        raise Problem(
            "RG_ACK_REQUIRED",
            f"the player has to be reminded after {due * market.reminder_min} min; "
            "POST /rgs/v1/sessions/{session_id}/acknowledgement when that was done",
        )
    if limits.acknowledged and limits.acknowledged_at is not None:
        wait = limits.acknowledged_at + timedelta(minutes=market.break_min) - now
        if wait > timedelta():
            wait_ms = -(-wait // timedelta(milliseconds=1))
            raise Problem("RG_BREAK", f"a break of {market.break_min} min after the reminder", retry_after_ms=wait_ms)


def reminders_due(opened_at: datetime, reminder_min: int, now: datetime) -> int:
    """How many reminders a session has had to show so far."""
    return (now - opened_at) // timedelta(minutes=reminder_min)
