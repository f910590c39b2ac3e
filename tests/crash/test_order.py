"""Requests that come twice, at the same moment, in another order, or while the clock jumps: each has happened once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time

import pytest
from crash.fault_inspection import inspect
from crash.fault_operations import (
    OPERATIONS,
    asked_last,
    choice_request,
    close_request,
    opened,
    session_request,
    settlement_request,
    spin_request,
    transfer_request,
    void_request,
)
from crash.fault_proxy import Fault, Link
from crash.fault_rig import LATE_S, PLATFORM, SEAMLESS, Request, Rig
from rgs_server.client import Reply

FULL = bool(os.environ.get("CRASH_FULL"))
SEED = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 10**9)))
MOST = 60
"""Operations of prepared statements have fewer messages."""


def places(name: str, few: int, every: int = 1) -> list[int]:
    """At which messages something happens: some, or every so many (CRASH_FULL)."""
    if FULL:
        return list(range(1, MOST, every))
    print(f"CRASH_SEED={SEED}")
    return sorted(random.Random(f"{SEED}/{name}").sample(range(1, MOST), few))


def code(reply: Reply) -> str:
    return "OK" if reply.status == 200 else str(reply.json()["code"])


async def briefly(link: Link, message: bytes) -> bool:
    """So that another worker comes between two messages."""
    await asyncio.sleep(0.05)
    return True


# --- The same request --------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.timeout(600)
def test_the_same_request_at_two_workers(rig: Rig, operation: str) -> None:
    async def job() -> None:
        both = await rig.two_workers()
        for at in places(operation, 3):
            scene = await OPERATIONS[operation](rig)
            both[0].database.arm(at, briefly)
            replies = await asyncio.gather(*(rig.answered(scene.request, worker) for worker in both * 3))
            both[0].database.disarm()
            assert {reply.status for reply in replies} == {200}, replies
            assert len({reply.body for reply in replies}) == 1
            found = await inspect(rig, scene.session_id)
            assert scene.expected.items() <= found.items(), f"{scene.expected} of {found}"

    rig.run(job(), 600)


# --- Two requests, of which the first one is held ----------------------------------------------------


async def spin_and_close(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "transfer")
    return session_id, spin_request(session_id, session_id), close_request(session_id)


async def wallet_spin_and_close(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "seamless")
    close = Request(SEAMLESS, close_request(session_id).path, {})
    return session_id, spin_request(session_id, session_id, SEAMLESS), close


async def spin_and_void(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "platform")
    return session_id, spin_request(session_id, session_id), void_request(session_id, f"r-{session_id}")


async def spin_and_settlement(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "platform")
    return session_id, spin_request(session_id, session_id), settlement_request(f"r-{session_id}")


async def settlement_and_void(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "platform")
    await rig.done(spin_request(session_id, session_id))
    round_id = f"r-{session_id}"
    return session_id, settlement_request(round_id), void_request(session_id, round_id)


async def void_and_settlement(rig: Rig) -> tuple[str, Request, Request]:
    session_id, settlement, void = await settlement_and_void(rig)
    return session_id, void, settlement


async def transfer_and_close(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "transfer")
    return session_id, transfer_request(session_id, f"second-{session_id}", 700), close_request(session_id)


async def choice_and_close(rig: Rig) -> tuple[str, Request, Request]:
    session_id, asked = await asked_last(rig, "transfer")
    return session_id, choice_request(asked, PLATFORM), close_request(session_id)


async def two_spins(rig: Rig) -> tuple[str, Request, Request]:
    session_id = await opened(rig, "transfer")
    return session_id, spin_request(session_id, f"{session_id}-1"), spin_request(session_id, f"{session_id}-2")


RACES = {
    spin_and_close: {("OK", "OK"), ("SESSION_CLOSED", "OK")},
    wallet_spin_and_close: {("OK", "OK"), ("SESSION_CLOSED", "OK"), ("ROUND_ALREADY_CLOSED", "OK")},
    spin_and_void: {("OK", "OK"), ("ROUND_ALREADY_CLOSED", "OK")},
    spin_and_settlement: {("OK", "OK"), ("OK", "ROUND_UNKNOWN")},
    settlement_and_void: {("OK", "ROUND_ALREADY_CLOSED"), ("ROUND_ALREADY_CLOSED", "OK")},
    void_and_settlement: {("OK", "ROUND_ALREADY_CLOSED"), ("ROUND_ALREADY_CLOSED", "OK")},
    transfer_and_close: {("OK", "OK"), ("SESSION_CLOSED", "OK")},
    choice_and_close: {("OK", "OK"), ("OK", "ROUND_OPEN")},
    two_spins: {("OK", "OK")},
}


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
@pytest.mark.timeout(600)
def test_two_requests_at_two_workers(rig: Rig, race: object) -> None:
    """The first one is held at a message while the second one runs, briefly or until it is given up."""

    async def job() -> None:
        both = await rig.two_workers()
        holds: list[tuple[int, Fault]] = [(at, briefly) for at in places(str(race), 4)]
        holds += [(at, rig.delay) for at in places(f"{race}, long", 1)]
        for at, hold in holds:
            session_id, first, second = await race(rig)  # type: ignore[operator]
            both[0].database.arm(at, hold)
            begun = asyncio.create_task(rig.answered(first, both[0]))
            await asyncio.sleep(0.01)
            replies = (await rig.answered(second, both[1]), await begun)[::-1]
            both[0].database.disarm()
            assert (code(replies[0]), code(replies[1])) in RACES[race], replies  # type: ignore[index]
            again = [await rig.answered(first, both[1]), await rig.answered(second, both[0])]
            for before, now in zip(replies, again, strict=True):
                assert before.status != 200 or now.body == before.body
            if hold == rig.delay:
                await asyncio.sleep(LATE_S)  # what was held may be carried out yet
            await inspect(rig, session_id)

    rig.run(job(), 600)


# --- Another order ----------------------------------------------------------------------------------


def test_what_comes_too_early_is_done_when_its_time_has_come(rig: Rig) -> None:
    async def job() -> None:
        opening = session_request(rig, "platform")
        session_id = opening.body["session_id"]
        spin, settlement = spin_request(session_id, session_id), settlement_request(f"r-{session_id}")
        steps = [
            (settlement, "ROUND_UNKNOWN"), (spin, "SESSION_UNKNOWN"), (close_request(session_id), "SESSION_UNKNOWN"),
            (void_request(session_id, f"r-{session_id}"), "SESSION_UNKNOWN"), (opening, "OK"),
            (settlement, "ROUND_UNKNOWN"), (spin, "OK"), (settlement, "OK"), (spin, "OK"),
            (void_request(session_id, f"r-{session_id}"), "ROUND_ALREADY_CLOSED"), (close_request(session_id), "OK"),
            (spin, "OK"), (settlement, "OK"), (spin_request(session_id, f"{session_id}-2"), "SESSION_CLOSED"),
        ]  # fmt: skip
        for request, wanted in steps:
            assert code(await rig.answered(request)) == wanted, request
        found = await inspect(rig, session_id)
        assert {"spins": 1, "settled": 1, "closed": 1, "open_rounds": 0}.items() <= found.items()

    rig.run(job())


def test_money_and_choices_in_another_order(rig: Rig) -> None:
    async def job() -> None:
        session_id, asked = await asked_last(rig, "transfer")
        choice = choice_request(asked, PLATFORM)
        early = Request(PLATFORM, choice.path, choice.body | {"step": choice.body["step"] + 1})
        late = transfer_request(session_id, f"late-{session_id}", 300)
        held = transfer_request(session_id, f"held-{session_id}", 200)
        steps = [
            (early, "CHOICE_NOT_OFFERED"), (close_request(session_id), "ROUND_OPEN"),
            (spin_request(session_id, f"{session_id}-2", asking=True), "ROUND_OPEN"), (late, "OK"), (choice, "OK"),
            (early, "ROUND_ALREADY_CLOSED"), (close_request(session_id), "OK"), (held, "SESSION_CLOSED"),
            (late, "OK"), (choice, "OK"), (close_request(session_id), "OK"),
        ]  # fmt: skip
        for request, wanted in steps:
            assert code(await rig.answered(request)) == wanted, request
        found = await inspect(rig, session_id)
        assert {"spins": 1, "closed": 1, "transfers_in": 2, "transfers_out": 1, "balance": 0}.items() <= found.items()

    rig.run(job())


# --- The clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [4000, -4000])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.timeout(600)
def test_the_clock_jumps(rig: Rig, operation: str, jump_s: int) -> None:
    """In the middle of an operation, and back before it is repeated; a wallet's money may be late by that, but not lost."""

    async def jump(link: Link, message: bytes) -> bool:
        rig.set_clock(jump_s)
        return True

    async def job() -> None:
        # Workers refuse rounds for seconds after each jump.
        for at in places(f"{operation}, {jump_s}", 1, every=6):
            scene = await OPERATIONS[operation](rig)
            rig.workers[0].database.arm(at, jump)
            first = await rig.once(scene.request)
            rig.workers[0].database.disarm()
            rig.set_clock(0)
            last = await rig.answered(scene.request)
            assert first is None or first.status != 200 or first.body == last.body
            found = await inspect(rig, scene.session_id)
            if operation == "spin, wallet" and last.status != 200:
                assert json.loads(last.body)["code"] == "ROUND_ALREADY_CLOSED"
                assert (found["spins"], found["credits"]) == (0, 0)
            else:
                assert last.status == 200, last.body
                assert scene.expected.items() <= found.items(), f"{scene.expected} of {found}"

    rig.run(job(), 600)
