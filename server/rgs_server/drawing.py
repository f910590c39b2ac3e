"""A spin is drawn: what may be played is checked, the round is played, and all that it writes is made."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import orjson

from rgs_core.errors import RgsError
from rgs_core.outcome import Played
from rgs_server import answers, happenings
from rgs_server.clock import Clock
from rgs_server.contract.money import format_amount
from rgs_server.contract.problems import Problem
from rgs_server.kept_sessions import KeptSessions, Session
from rgs_server.pending import Pending
from rgs_server.play_limits import check_limits, check_mode
from rgs_server.played_round import PlayedRound
from rgs_server.sessions import Rulebook
from rgs_server.store import SpinRow

log = logging.getLogger("rgs.spins")

DIGITS_AT_ONCE = 256


class SessionMoved(Exception):
    """What is kept of a session may be out of date: read it again before anything is refused for it."""


class DebitFirst(Exception):
    """The stake has to be taken at the platform's wallet before anything is drawn."""

    def __init__(self, session: Session) -> None:
        self.session = session


class Drawn(NamedTuple):
    """A spin that was played and not written yet, with what was kept of its session then."""

    pending: Pending
    row: SpinRow
    session: Session

    @property
    def ends(self) -> bool:
        """Whether its round is over with its spin."""
        return self.row.choice is None and not self.session.seamless and not self.session.settles


class Drawing:
    """Draws spins of the sessions that a lane keeps."""

    def __init__(self, rules: Rulebook, sessions: KeptSessions, clock: Clock) -> None:
        self._rules, self._sessions, self._clock = rules, sessions, clock
        self._random_digits = random_digits()

    def draw(self, pending: Pending, session: Session | None) -> Drawn:
        """Plays the next spin of a session. Raises Problem, SessionMoved or DebitFirst before any draw."""
        request = pending.request
        if session is None and pending.session_key in self._sessions.unplayable:
            raise Problem("BUILD_UNAVAILABLE", "this worker cannot play the session's build; repeat the same request")
        if session is None:
            raise Problem("SESSION_UNKNOWN", f"no session '{request.session_id}'; open it with POST /rgs/v1/sessions")
        if session.closed:
            raise Problem("SESSION_CLOSED", f"session '{request.session_id}' was closed; open a new one")
        if request.stake.currency != session.currency:
            raise Problem("STAKE_NOT_ALLOWED", f"the session plays in {session.currency}, not {request.stake.currency}")
        playable = session.playable.in_mode(request.mode)
        if playable is None:
            known = ", ".join(other.build.mode for other in session.playable.modes)
            raise Problem("MODE_NOT_ALLOWED", f"mode '{request.mode}' is not certified; {known} can be played")
        check_mode(session.limits, playable)
        build = playable.build
        unit_minor, rest = divmod(pending.stake_minor, build.play.cost_units)
        if rest or unit_minor == 0:
            step = format_amount(build.play.cost_units, session.exponent)
            raise Problem("STAKE_NOT_ALLOWED", f"{build.label} takes multiples of {step} {session.currency}")
        created_at = self._clock()
        # Nobody is refused for what may be different by now.
        certain = pending.session_key in self._sessions.just_read and not session.unwritten
        if session.waiting_round is not None:
            if not certain:
                raise SessionMoved
            raise waits_for_choice(session.waiting_round)
        try:
            self._check_play(session, created_at, pending.stake_minor)
        except Problem:
            if not certain:
                raise SessionMoved from None
            raise
        balance_minor = session.balance_minor
        if balance_minor is not None:
            balance_minor -= pending.stake_minor
            if balance_minor < 0:
                if not certain:
                    raise SessionMoved
                held = format_amount(balance_minor + pending.stake_minor, session.exponent)
                raise Problem("INSUFFICIENT_FUNDS", f"the session holds {held} {session.currency}")
        if session.seamless and not pending.debited:
            if not certain:
                raise SessionMoved  # another worker may have blocked the player: such a stake is not even asked for
            raise DebitFirst(session)
        nonce = session.next_nonce
        asked = None
        try:
            if playable.staged is None:
                outcome: Played = playable.engine.spin(session.key, nonce)
            else:
                outcome, question = playable.staged.play(session.key, nonce, ())
                if question is not None:
                    asked = answers.Asked(1, *question, created_at + session.choose_within)
        except RgsError as error:
            log.error("round %d cannot be played: %s", nonce, error, extra=pending.names())
            raise Problem(
                "ROUND_UNPLAYABLE", "the next round of this session cannot be drawn; open a new session"
            ) from error
        # The time in ms, then chance: what follows each other stands together in the index.
        event_id = f"evt-{int(created_at.timestamp() * 1000):012x}{next(self._random_digits)}"
        played = PlayedRound(
            build=build,
            outcome=outcome,
            operator_id=pending.operator_id,
            session_id=request.session_id,
            player_id=session.player_id,
            game_id=session.game_id,
            spin_id=request.spin_id,
            round_id=request.round_id,
            spin_type=request.spin_type,
            mode=request.mode,
            nonce=nonce,
            stake_minor=pending.stake_minor,
            unit_minor=unit_minor,
            currency=session.currency,
            exponent=session.exponent,
            channel=session.channel,
            telemetry_ref=event_id,
            created_at=created_at,
        )
        won_minor = played.won_minor
        win_minor = won_minor if asked is None else 0  # nothing is paid before the round is over
        if balance_minor is not None:
            balance_minor += win_minor
        following = [] if asked is not None else happenings.feature_events(played)
        row = SpinRow(
            operator_id=pending.operator_id,
            session_id=request.session_id,
            spin_id=request.spin_id,
            round_id=request.round_id,
            idempotency_key=pending.idempotency_key,
            fingerprint=pending.fingerprint,
            nonce=nonce,
            spin_type=request.spin_type,
            mode=request.mode,
            stake_minor=pending.stake_minor,
            win_minor=win_minor,
            win_units=outcome.win_units,
            choice=None if asked is None else asked.choice,
            options=None if asked is None else orjson.dumps(asked.options).decode(),
            won_minor=won_minor,
            choose_by=None if asked is None else asked.choose_by,
            outcome_digest=bytes.fromhex(outcome.digest()),
            telemetry_ref=event_id,
            response=answers.spin_answer(played, balance_minor, asked),
            event=happenings.spin_finished(played, win_minor, feature=bool(following)),
            created_at=created_at,
            session_version=session.version,
            nonce_digest=None if pending.nonce is None else pending.nonce.digest,
            traceparent=None if pending.context is None else pending.context.traceparent,
            following=following,
        )
        session.unwritten += 1
        session.next_nonce = nonce + 1
        session.balance_minor = balance_minor
        session.limits.last_round_at = created_at
        session.waiting_round = None if asked is None else request.round_id
        return Drawn(pending, row, session)

    def _check_play(self, session: Session, now: datetime, stake_minor: int) -> None:
        """Raises Problem where no round may begin: the build, the player, the market."""
        if self._rules.files is not None:
            self._rules.files.require_unchanged()
        build_hash = session.playable.build.build_hash
        if not self._rules.registry.allows(build_hash, session.geo, now):
            reasons = self._rules.registry.reasons(session.playable, session.geo, now)
            raise Problem("BUILD_NOT_CERTIFIED", "; ".join(reason.detail for reason in reasons))
        market = session.limits.market
        if session.unwritten and market is not None and market.cycle_ms:
            raise Problem("TOO_FAST", "another round of the session is being written", retry_after_ms=market.cycle_ms)
        check_limits(session.limits, now, stake_minor, session.currency, session.exponent)


def random_digits() -> Iterator[str]:
    """Of 80 random bits each, without end. The kernel is asked for many at once: a call costs more than the rest."""
    while True:
        digits = os.urandom(10 * DIGITS_AT_ONCE).hex()
        for start in range(0, 20 * DIGITS_AT_ONCE, 20):
            yield digits[start : start + 20]


def waits_for_choice(round_id: str) -> Problem:
    """The session plays on when a round is decided."""
    return Problem("ROUND_OPEN", f"round '{round_id}' waits for a choice: POST /rgs/v1/rounds/{{round_id}}/choices")
