"""The operations that are disturbed, and what has to be on record when each has happened once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from crash.fault_rig import PLATFORM, SEAMLESS, Request, Rig

from rgs_core import games
from rgs_core.language.model_file import load

PLAIN = load(games.find("lantern_tide")).build()
ASKING = load(games.find("three_tides")).build()
FUND_MINOR = 10_000


@dataclass
class Scene:
    """A session that is ready for a request, and what a part of it comes to when that was answered with 200."""

    session_id: str
    request: Request
    expected: dict[str, int] = field(default_factory=dict)


Prepare = Callable[[Rig], Awaitable[Scene]]


def spin_request(session_id: str, name: str, operator_id: str = PLATFORM, asking: bool = False) -> Request:
    stake = {"amount": "2.25" if asking else "1.00", "currency": "EUR"}
    body: dict[str, Any] = {
        "spin_id": name, "round_id": f"r-{name}", "session_id": session_id, "stake": stake, "spin_type": "cash",
        "idempotency_key": f"k-{name}",
    }  # fmt: skip
    return Request(operator_id, "/spins", body | ({"mode": "buy"} if asking else {}))


def session_request(rig: Rig, wallet: str, asking: bool = False) -> Request:
    build, session_id = ASKING if asking else PLAIN, f"fault-{next(rig.numbers)}"
    operator_id = SEAMLESS if wallet == "seamless" else PLATFORM
    body = {
        "session_id": session_id, "operator_id": operator_id, "player_id": f"p-{session_id}", "game_id": build.model.id,
        "build_hash": build.build_hash, "geo": "DE", "currency": "EUR", "wallet": wallet,
    }  # fmt: skip
    return Request(operator_id, "/sessions", body)


def transfer_request(session_id: str, name: str, minor: int = FUND_MINOR) -> Request:
    amount = {"amount": f"{minor // 100}.{minor % 100:02}", "currency": "EUR"}
    return Request(PLATFORM, f"/sessions/{session_id}/transfers", {"transfer_id": name, "amount": amount})


def settlement_request(round_id: str) -> Request:
    return Request(PLATFORM, f"/rounds/{round_id}/settlement", {"debit_tx": f"d-{round_id}", "credit_tx": "c"})


def void_request(session_id: str, round_id: str) -> Request:
    return Request(PLATFORM, f"/rounds/{round_id}/void", {"session_id": session_id, "reason": "test"})


def close_request(session_id: str) -> Request:
    return Request(PLATFORM, f"/sessions/{session_id}/close", {})


def choice_request(answer: dict[str, Any], operator_id: str) -> Request:
    asked = answer["awaiting"]
    option = "collect" if "collect" in asked["options"] else asked["options"][0]
    body = {"step": asked["step"], "choice": asked["choice"], "option": option}
    return Request(operator_id, f"/rounds/{answer['round_id']}/choices", body)


async def opened(rig: Rig, wallet: str, asking: bool = False) -> str:
    """A new session, with money where it holds any."""
    session_id = str((await rig.done(session_request(rig, wallet, asking)))["session_id"])
    if wallet == "transfer":
        await rig.done(transfer_request(session_id, f"first-{session_id}"))
    return session_id


async def to_open(rig: Rig) -> Scene:
    request = session_request(rig, "transfer")
    return Scene(request.body["session_id"], request, {"next_nonce": 0, "balance": 0})


async def to_spin(rig: Rig) -> Scene:
    session_id = await opened(rig, "platform")
    return Scene(session_id, spin_request(session_id, session_id), {"spins": 1, "open_rounds": 1})


async def to_spin_transferred(rig: Rig) -> Scene:
    session_id = await opened(rig, "transfer")
    return Scene(session_id, spin_request(session_id, session_id), {"spins": 1, "stake": 100, "open_rounds": 0})


async def to_spin_seamless(rig: Rig) -> Scene:
    session_id = await opened(rig, "seamless")
    request = spin_request(session_id, session_id, SEAMLESS)
    return Scene(session_id, request, {"spins": 1, "debits": 1, "credits": 1, "rollbacks": 0})


async def to_settle(rig: Rig) -> Scene:
    session_id = await opened(rig, "platform")
    await rig.done(spin_request(session_id, session_id))
    return Scene(session_id, settlement_request(f"r-{session_id}"), {"spins": 1, "settled": 1, "open_rounds": 0})


async def to_void(rig: Rig) -> Scene:
    session_id = await opened(rig, "platform")
    await rig.done(spin_request(session_id, session_id))
    expected = {"spins": 1, "voided": 1, "void_stakes": 1, "open_rounds": 0, "game": 0}
    return Scene(session_id, void_request(session_id, f"r-{session_id}"), expected)


async def to_void_unplayed(rig: Rig) -> Scene:
    session_id = await opened(rig, "platform")
    return Scene(session_id, void_request(session_id, f"r-{session_id}"), {"spins": 0, "voided": 1, "void_stakes": 0})


async def to_choose(rig: Rig) -> Scene:
    """The first of the decisions of a round."""
    session_id = await opened(rig, "transfer", asking=True)
    asked = await rig.done(spin_request(session_id, session_id, asking=True))
    return Scene(session_id, choice_request(asked, PLATFORM), {"next_nonce": 1, "choices": 1})


async def asked_last(rig: Rig, wallet: str) -> tuple[str, dict[str, Any]]:
    """A session whose round asks whether what was won is to be collected, which ends it."""
    operator_id = SEAMLESS if wallet == "seamless" else PLATFORM
    while True:
        session_id = await opened(rig, wallet, asking=True)
        answer = await rig.done(spin_request(session_id, session_id, operator_id, asking=True))
        while "awaiting" in answer and "collect" not in answer["awaiting"]["options"]:
            answer = await rig.done(choice_request(answer, operator_id))
        if "awaiting" in answer:
            return session_id, answer


async def to_collect(rig: Rig) -> Scene:
    session_id, asked = await asked_last(rig, "transfer")
    return Scene(session_id, choice_request(asked, PLATFORM), {"spins": 1, "waiting": 0, "wins": 1})


async def to_collect_seamless(rig: Rig) -> Scene:
    session_id, asked = await asked_last(rig, "seamless")
    expected = {"spins": 1, "waiting": 0, "wins": 1, "debits": 1, "credits": 1}
    return Scene(session_id, choice_request(asked, SEAMLESS), expected)


async def to_transfer_in(rig: Rig) -> Scene:
    session_id = await opened(rig, "transfer")
    expected = {"balance": FUND_MINOR + 700, "transfers_in": 2}
    return Scene(session_id, transfer_request(session_id, f"second-{session_id}", 700), expected)


async def to_transfer_out(rig: Rig) -> Scene:
    session_id = await opened(rig, "transfer")
    await rig.done(spin_request(session_id, session_id))
    return Scene(session_id, close_request(session_id), {"closed": 1, "balance": 0, "transfers_out": 1})


async def to_close(rig: Rig) -> Scene:
    session_id = await opened(rig, "platform")
    return Scene(session_id, close_request(session_id), {"closed": 1, "transfers_out": 0})


OPERATIONS: dict[str, Prepare] = {
    "open session": to_open,
    "spin, money at the platform": to_spin,
    "spin, money in the session": to_spin_transferred,
    "spin, wallet": to_spin_seamless,
    "settlement": to_settle,
    "void": to_void,
    "void before the spin": to_void_unplayed,
    "choice": to_choose,
    "last choice": to_collect,
    "last choice, wallet": to_collect_seamless,
    "transfer in": to_transfer_in,
    "transfer out": to_transfer_out,
    "close session": to_close,
}
