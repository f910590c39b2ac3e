"""What a lane keeps of the sessions that play in it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from rgs_core.seeds import derive_key
from rgs_server.catalogue import Playable
from rgs_server.pending import Pending
from rgs_server.play_limits import PlayerLimits
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.sessions import Rulebook, seed_context
from rgs_server.store import Store

log = logging.getLogger("rgs.spins")

SHARED_READS = 8
"""Spins in a row that nobody else played between, after which a session is taken to be this worker's alone."""

SessionKey = tuple[str, str]
"""operator_id, session_id"""


@dataclass(slots=True)
class Session:
    """What a lane keeps of a session. `next_nonce` may lag behind other workers; the commit finds out."""

    player_id: str = field(repr=False)
    game_id: str
    playable: Playable
    build_label: str
    key: bytes = field(repr=False)
    currency: str
    exponent: int
    next_nonce: int
    version: int
    balance_minor: int | None
    closed: bool
    seamless: bool
    settles: bool
    """The platform ends its rounds."""
    geo: str
    channel: str
    limits: PlayerLimits
    waiting_round: str | None
    choose_within: timedelta
    unwritten: int = 0
    """Spins that were drawn and are not on record yet: nonce, balance and the rest are as they are to be after them."""
    moved: bool = False
    """Something may have changed elsewhere: nothing more is drawn before it is read again."""
    shared: int = 0
    """Above 0: another worker played it lately. It is read before each spin, which costs less than to draw in vain."""
    told: str = ""
    """The last event that a refused round has caused."""


class KeptSessions:
    """Sessions by operator and id; those that were not played for longest make room."""

    def __init__(self, rules: Rulebook, sealer: Sealer, most: int) -> None:
        self._rules, self._sealer, self._most = rules, sealer, most
        self._sessions: OrderedDict[SessionKey, Session] = OrderedDict()
        self.unplayable: set[SessionKey] = set()
        """Of the last batch: sessions whose build or seed this worker does not have."""
        self.just_read: set[SessionKey] = set()
        """Of the batch that is being drawn: sessions that cannot have moved since anybody looked."""

    def get(self, key: SessionKey) -> Session | None:
        return self._sessions.get(key)

    async def load(self, store: Store, batch: Sequence[Pending]) -> None:
        """Reads the sessions of a batch that are not kept, or are at rest and may have moved."""
        kept = self._sessions
        missing = {
            p.session_key
            for p in batch
            if (session := kept.get(p.session_key)) is None
            or ((session.moved or session.shared) and not session.unwritten)
        }
        self.unplayable.clear()
        self.just_read = missing
        if missing:
            operators, sessions = zip(*sorted(missing), strict=True)
            records = await store.load_sessions(list(operators), list(sessions))
            before = {key: kept.pop(key, None) for key in missing}
            for record in records:
                self.keep(record, before[record["operator_id"], record["session_id"]])
        for pending in batch:
            if pending.session_key in self._sessions:
                self._sessions.move_to_end(pending.session_key)
        while len(self._sessions) > max(self._most, len(batch)):
            self._sessions.popitem(last=False)

    def keep(self, record: asyncpg.Record, before: Session | None) -> None:
        """Keeps a session as it was read; what never changes is taken from what was kept before."""
        operator_id, session_id = record["operator_id"], record["session_id"]
        playable = self._rules.catalogue.get(record["build_hash"])
        if playable is None:
            log.error("session %s needs build %s, which is not loaded", session_id, record["build_hash"])
            self.unplayable.add((operator_id, session_id))
            return
        shared = 0
        if before is not None:
            key = before.key
            shared = SHARED_READS if record["next_nonce"] != before.next_nonce else max(0, before.shared - 1)
        else:
            try:
                seed = self._sealer.open(record["seed_sealed"], seed_context(operator_id, session_id))
            except SealBroken as error:
                log.error("%s", error)
                self.unplayable.add((operator_id, session_id))
                return
            key = derive_key(seed, record["client_seed"])
        self._sessions[operator_id, session_id] = Session(
            player_id=record["player_id"],
            game_id=record["game_id"],
            playable=playable,
            key=key,
            build_label=playable.build.label,
            currency=record["currency"],
            exponent=record["exponent"],
            next_nonce=record["next_nonce"],
            version=record["version"],
            balance_minor=None if record["balance_minor"] is None else int(record["balance_minor"]),
            closed=record["closed_at"] is not None,
            seamless=record["wallet"] == "seamless",
            settles=record["settles"],
            geo=record["geo"],
            channel=record["channel"],
            waiting_round=record["waiting_round"],
            choose_within=timedelta(seconds=record["choose_within_s"]),
            shared=shared,
            limits=PlayerLimits(
                self._rules.market_of(record["geo"]) if record["enforces_markets"] else None,
                record["created_at"],
                record["age"],
                record["time_limit_min"],
                record["blocked"],
                record["acknowledged"],
                record["acknowledged_at"],
                record["last_round_at"],
            ),
        )

    def forget(self, batch: Sequence[Pending]) -> None:
        for pending in batch:
            self._sessions.pop(pending.session_key, None)

    def forget_all(self) -> None:
        self._sessions.clear()

    def of(self, keys: Collection[SessionKey]) -> Iterator[Session]:
        """Those of the keys that are kept."""
        return (self._sessions[key] for key in keys if key in self._sessions)
