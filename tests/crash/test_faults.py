"""Every operation is disturbed at each of its messages, and has happened once when its platform has asked long enough.

A case prepares a session, arms a proxy for the N-th message between worker and database, or worker and wallet, and sends one
request. Then the platform repeats it until the answer is final. What was acknowledged has to be answered again with the same
bytes; the ledger, the rows and the wallet have to show the operation once; nothing may be left under way.

The short form takes a few N of each operation and fault, other ones every time (CRASH_SEED). CRASH_FULL=1 takes all of them:
N = 1, 2, ... until an operation is over before the fault comes.
"""

from __future__ import annotations

import asyncio
import os
import random
import time

import pytest
from crash.fault_inspection import UNDER_WAY, inspect
from crash.fault_operations import OPERATIONS, Scene
from crash.fault_proxy import Fault, FaultProxy, Link
from crash.fault_rig import ANSWER_S, Rig

FULL = bool(os.environ.get("CRASH_FULL"))
SEED = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 10**9)))
MOST = 400
"""No operation has so many messages; one that never ends must not be swept for ever."""
KILLS = ("kill worker", "kill postgres")
FAULTS = ("kill worker", "kill postgres", "drop", "half open", "delay")
SLOW = ("half open", "delay")
"""Until somebody's patience is over."""
AT_WALLET = ("spin, wallet", "last choice, wallet")


async def never(link: Link, message: bytes) -> bool:
    return True


async def over(rig: Rig, scene: Scene, proxy: FaultProxy) -> None:
    """Waits until a round is over at the wallet too, or the fault has come."""
    until = time.monotonic() + ANSWER_S
    while not proxy.happened and await rig.fetch(UNDER_WAY, scene.session_id):
        assert time.monotonic() < until, "a round without any fault is not over"
        await asyncio.sleep(0.005)


async def disturb(rig: Rig, operation: str, place: str, at: int, fault: Fault) -> bool:
    """One case; whether the fault came before all was over. At 0 it comes as soon as the operation is acknowledged."""
    scene = await OPERATIONS[operation](rig)
    await inspect(rig, scene.session_id) if operation != "open session" else None
    proxy = rig.wallet if place == "wallet" else rig.workers[0].database
    proxy.arm(at, fault)
    first = await rig.once(scene.request)
    if at and first is not None and first.status == 200:
        await over(rig, scene, proxy)
    happened = proxy.disarm()
    if at == 0 and fault == rig.kill_postgres:
        rig.crash_postgres()
    if (happened or at == 0) and fault == rig.kill_worker:
        await rig.replace_worker()
    last = await rig.answered(scene.request)
    acknowledged = first is not None and first.status == 200
    if acknowledged:
        assert (last.status, last.body) == (200, first.body), "an acknowledged answer has changed"
    found = await inspect(rig, scene.session_id)
    if last.status != 200:
        # Of a spin at a wallet nothing may become, but then it is known, and the stake is back.
        assert operation == "spin, wallet", last.body
        assert last.json()["code"] == "ROUND_ALREADY_CLOSED", last.body
        assert (found["spins"], found["credits"]) == (0, 0)
    else:
        assert scene.expected.items() <= found.items(), f"{scene.expected} of {found}"
    return happened


async def count(rig: Rig, operation: str, place: str) -> int:
    """How many messages an operation has, without a fault."""
    scene = await OPERATIONS[operation](rig)
    proxy = rig.wallet if place == "wallet" else rig.workers[0].database
    proxy.arm(MOST, never)
    await rig.done(scene.request)
    await over(rig, scene, proxy)
    proxy.disarm()
    await inspect(rig, scene.session_id)
    return proxy.passed


CASES = [(operation, "database", fault) for operation in OPERATIONS for fault in FAULTS]
CASES += [(operation, "wallet", fault) for operation in AT_WALLET for fault in FAULTS]


@pytest.mark.parametrize(("operation", "place", "fault"), CASES)
@pytest.mark.timeout(3600 if FULL else 120)
def test_an_operation_happens_once(rig: Rig, operation: str, place: str, fault: str) -> None:
    async def sweep() -> None:
        if fault in KILLS:
            await disturb(rig, operation, place, 0, rig.faults()[fault])
        if FULL:
            at = 1
            while await disturb(rig, operation, place, at, rig.faults()[fault]):
                at += 1
                assert at < MOST
            print(f"{operation}, {place}, {fault}: {at - 1} places")
            return
        messages = await count(rig, operation, place)
        rng = random.Random(f"{SEED}/{operation}/{place}/{fault}")
        few = 1 if fault in SLOW else 2
        places = sorted(rng.sample(range(1, messages + 1), min(few, messages)))
        for at in places:
            print(f"CRASH_SEED={SEED}: message {at} of {messages}")
            await disturb(rig, operation, place, at, rig.faults()[fault])

    rig.run(sweep(), 3600)


@pytest.mark.parametrize("operation", ["void", "choice", "transfer out"])
def test_a_transaction_whose_client_is_gone_lets_its_session_go(rig: Rig, operation: str) -> None:
    """The session is locked and nobody will ever commit: the database has to find out, the kernel of the proxy does not."""

    async def job() -> None:
        scene = await OPERATIONS[operation](rig)
        rig.workers[0].database.arm(b"COMMIT", rig.go_silent)
        assert (await rig.once(scene.request)) is not None
        assert rig.workers[0].database.disarm()
        assert (await rig.answered(scene.request)).status == 200
        assert scene.expected.items() <= (await inspect(rig, scene.session_id)).items()

    rig.run(job())
