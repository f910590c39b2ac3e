"""POST /rgs/v1/sessions without HTTP: a player's session with one build and one committed seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import orjson
from msgspec import UNSET

from rgs_core.seeds import commitment, new_server_seed
from rgs_server import answers, happenings
from rgs_server.audit.critical_files import FileWatch
from rgs_server.catalogue import Playable
from rgs_server.clock import time_text
from rgs_server.contract.answers import BuildReason, BuildVerdict, MarketRules, SessionAnswer, encode, money
from rgs_server.contract.events import SessionOpened
from rgs_server.contract.money import exponent_of
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SessionRequest, decode_build, decode_session
from rgs_server.markets import Market, market_of, packs
from rgs_server.registry import Reason, Registry, market_reasons
from rgs_server.sealing import Sealer
from rgs_server.store import Store


@dataclass(slots=True)
class Rulebook:
    """What may be played where. `unknown_market`: what becomes of countries without a pack; `files`: whether the code and
    the models are what they were.

    All handlers and lanes of a worker share one, and look at it anew whenever they need it: rule_files.py puts a whole new
    catalogue or registry in place of the old one, and changes neither.
    """

    catalogue: Mapping[str, Playable]
    registry: Registry
    unknown_market: str
    packs: Mapping[str, Market] = field(default_factory=packs)
    files: FileWatch | None = None

    def market_of(self, country: str) -> Market | None:
        """The rules of a country; None where it has none here."""
        return market_of(country, self.unknown_market, self.packs)


def seed_context(operator_id: str, session_id: str) -> str:
    """What a sealed seed is bound to."""
    return f"seed:{operator_id}/{session_id}"


async def open_session(
    store: Store, sealer: Sealer, rules: Rulebook, operator_id: str, body: bytes, now: datetime
) -> tuple[bytes, bool]:
    """Opens a session: (answer, whether it was given before). Raises Problem.

    The same session_id with the same request gets the same bytes; with another request a conflict.
    """
    request = decode_session(body)
    if request.operator_id != operator_id:
        raise Problem("FORBIDDEN", f"this key belongs to '{operator_id}', the request names '{request.operator_id}'")
    fingerprint = fingerprint_of(request)
    stored = await store.session_answer(operator_id, request.session_id)
    if stored is None:
        async with store.connection.transaction():
            answer = await _new_session(store, sealer, rules, operator_id, request, fingerprint, now)
        if answer is not None:
            return answer, False
        stored = await store.session_answer(operator_id, request.session_id)  # opened at the same time
    assert stored is not None
    if stored["fingerprint"] != fingerprint:
        raise Problem("IDEMPOTENCY_CONFLICT", f"session '{request.session_id}' was opened with another request")
    return stored["response"], True


async def _new_session(
    store: Store,
    sealer: Sealer,
    rules: Rulebook,
    operator_id: str,
    request: SessionRequest,
    fingerprint: bytes,
    created_at: datetime,
) -> bytes | None:
    """The answer of a session that was written; None when another request wrote it first."""
    terms = await store.session_terms(operator_id, request.player_id)
    assert terms is not None
    flags = request.rg_flags
    if flags.self_excluded or terms["blocked"]:
        raise Problem("RG_BLOCKED", "the player is self-excluded")
    exponent = exponent_of(request.currency)
    wallets = terms["wallets"]
    wallet = request.wallet or wallets[0]
    if wallet not in wallets:
        raise Problem("WALLET_MISMATCH", f"wallet '{wallet}' is not open to you; yours: {', '.join(wallets)}")
    playable = await _chosen(store, rules.catalogue, operator_id, request)
    market = rules.market_of(request.geo)
    enforced = terms["enforces_markets"]
    if enforced:
        _check_market(market, request)
    found = rules.registry.reasons(playable, request.geo, created_at)
    found += market_reasons(playable, market) if market is not None and enforced else []
    if found:
        raise Problem("BUILD_NOT_CERTIFIED", "; ".join(reason.detail for reason in found))
    waiting = await store.open_rounds_of(operator_id, request.player_id, request.game_id)
    seed = new_server_seed()
    build = playable.build
    response = encode(
        SessionAnswer(
            session_id=request.session_id,
            operator_id=operator_id,
            player_id=request.player_id,
            game_id=request.game_id,
            build_hash=build.build_hash,
            rtp_profile=build.profile.name,
            currency=request.currency,
            stake_step_minor=build.model.stake_units,
            seed_commitment=commitment(seed),
            client_seed=request.client_seed,
            created_at=time_text(created_at),
            open_rounds=[answers.open_round(row) for row in waiting],
            wallet=wallet,
            market=None if market is None else market_rules(market, enforced, request.currency, exponent, flags.age),
        )
    )
    written = await store.open_session(
        operator_id,
        request.session_id,
        request.player_id,
        request.game_id,
        build.build_hash,
        request.geo,
        request.currency,
        exponent,
        request.client_seed,
        sealer.seal(seed, seed_context(operator_id, request.session_id)),
        bytes.fromhex(commitment(seed)),
        fingerprint,
        response,
        created_at,
        wallet,
        enforced and market is not None and market.one_round,
        flags.age,
        flags.time_limit_min,
        request.channel,
    )
    if not written:
        return None
    opened = SessionOpened(
        happenings.event_id_of("opened", operator_id, request.session_id),
        time_text(created_at),
        request.session_id,
        request.player_id,
        request.game_id,
        operator_id,
        build.build_hash,
        request.currency,
        request.geo,
        wallet,
        request.channel or UNSET,
    )
    await store.add_events([happenings.row_of(opened, operator_id, request.session_id, created_at)])
    return response


def _check_market(market: Market | None, request: SessionRequest) -> None:
    """Raises Problem where a player may not play in the country of the session."""
    if market is None:
        raise Problem("GEO_BLOCKED", f"there is no market '{request.geo}' here")
    age = request.rg_flags.age
    if age is not None and age < market.age_min:
        raise Problem("RG_BLOCKED", f"players in {market.title} are {market.age_min} at least")
    if not market.takes(request.currency):
        known = ", ".join(sorted({cap.currency for cap in market.stake_caps}))
        raise Problem("VALIDATION_FAILED", f"currency: stakes in {market.title} are capped in {known}")


def market_rules(market: Market, enforced: bool, currency: str, exponent: int, age: int | None) -> MarketRules:
    """The rules of a market for one player."""
    most = market.stake_max_minor(currency, age)
    return MarketRules(
        country=market.country,
        enforced=enforced,
        cycle_ms=market.cycle_ms,
        reminder_min=market.reminder_min,
        break_min=market.break_min,
        stake_max=None if most is None else money(most, currency, exponent),
        one_round=market.one_round,
        flags=dict(market.flags),
        notices=list(market.notices),
        clauses=dict(market.clauses),
        unverified=market.unverified,
    )


async def validate(store: Store, rules: Rulebook, operator_id: str, body: bytes, now: datetime) -> bytes:
    """Whether a build may be played in a country, with every reason why not. Raises Problem."""
    request = decode_build(body)
    offered = [game for game in await store.list_games(operator_id) if game["game_id"] == request.game_id]
    if not offered:
        raise Problem("GAME_UNKNOWN", f"no game '{request.game_id}'; GET /rgs/v1/games lists yours")
    mine = [game["build_hash"] for game in offered if request.build_hash in (game["build_ref"], game["build_hash"])]
    build_hash = mine[0] if mine else request.build_hash
    playable = rules.catalogue.get(build_hash)
    market = rules.market_of(request.country)
    found: list[Reason] = []
    if playable is None:
        found.append(Reason("UNKNOWN_BUILD", "no build with this hash is in the catalogue"))
    elif not mine:
        found.append(Reason("NOT_OFFERED", f"the build is not offered as '{request.game_id}'"))
    if market is None:
        found.append(Reason("NO_MARKET", f"there is no market '{request.country}' here"))
    if playable is not None:
        found += rules.registry.reasons(playable, request.country, now)
        found += market_reasons(playable, market) if market is not None else []
    certificate = rules.registry.certificate_of(build_hash, request.country, now)
    return encode(
        BuildVerdict(
            game_id=request.game_id,
            build_hash=build_hash,
            country=request.country,
            valid=not found,
            reasons=[BuildReason(reason.code, reason.detail) for reason in found],
            rtp_profile=None if playable is None else playable.build.profile.name,
            certificate_id=None if certificate is None else certificate.certificate_id,
            valid_until=None if certificate is None else time_text(certificate.valid_until),
        )
    )


async def _chosen(
    store: Store, catalogue: Mapping[str, Playable], operator_id: str, request: SessionRequest
) -> Playable:
    """The build that the operator may offer under this game and build name. Raises Problem."""
    offered = [game for game in await store.list_games(operator_id) if game["game_id"] == request.game_id]
    if not offered:
        raise Problem("GAME_UNKNOWN", f"no game '{request.game_id}'; GET /rgs/v1/games lists yours")
    for game in offered:
        if game["build_ref"] == request.build_hash and game["build_hash"] in catalogue:
            return catalogue[game["build_hash"]]
    raise Problem("BUILD_NOT_CERTIFIED", f"build '{request.build_hash}' is not certified for '{request.game_id}'")


def fingerprint_of(request: SessionRequest) -> bytes:
    """SHA-256 of the parsed request without its token, which is renewed between retries."""
    fields = msgspec.to_builtins(request)
    del fields["jwt"]
    if fields["wallet"] is None:
        del fields["wallet"]  # as before there were several
    return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()
