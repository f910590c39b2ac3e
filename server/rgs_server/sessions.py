"""POST /rgs/v1/sessions without HTTP: a player's session with one build and one committed seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
import orjson

from rgs_core.seeds import commitment, new_server_seed
from rgs_server import answers
from rgs_server.catalogue import Playable
from rgs_server.clock import system_clock, time_text
from rgs_server.contract.answers import SessionAnswer, encode
from rgs_server.contract.money import exponent_of
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SessionRequest, decode_session
from rgs_server.sealing import Sealer
from rgs_server.store import Store


def seed_context(operator_id: str, session_id: str) -> str:
    """What a sealed seed is bound to."""
    return f"seed:{operator_id}/{session_id}"


async def open_session(
    store: Store, sealer: Sealer, catalogue: Mapping[str, Playable], operator_id: str, body: bytes
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
        answer = await _new_session(store, sealer, catalogue, operator_id, request, fingerprint)
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
    catalogue: Mapping[str, Playable],
    operator_id: str,
    request: SessionRequest,
    fingerprint: bytes,
) -> bytes | None:
    """The answer of a session that was written; None when another request wrote it first."""
    if request.rg_flags.self_excluded:
        raise Problem("RG_BLOCKED", "the player is self-excluded")
    exponent = exponent_of(request.currency)
    wallets = await store.operator_wallets(operator_id)
    wallet = request.wallet or wallets[0]
    if wallet not in wallets:
        raise Problem("WALLET_MISMATCH", f"wallet '{wallet}' is not open to you; yours: {', '.join(wallets)}")
    playable = await _chosen(store, catalogue, operator_id, request)
    waiting = await store.open_rounds_of(operator_id, request.player_id, request.game_id)
    seed = new_server_seed()
    created_at = system_clock()
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
    )
    return response if written else None


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
