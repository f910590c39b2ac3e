"""What the simulator has found, as short as it was shrunk to."""

from __future__ import annotations

import dataclasses

import pytest
from simulation.histories import (
    BUY,
    TIDES,
    Author,
    Block,
    Close,
    Fault,
    History,
    Open,
    Settle,
    Spin,
    Step,
    Terms,
    TransferIn,
)
from simulation.simulator import Simulator

ALL = Terms(("platform", "transfer", "seamless"), True, False)


def opened(session: str, wallet: str) -> Step:
    return Step((Open(0, session, "p1", wallet, "EUR", ""),), (0,))


def spin(number: int, session: str) -> Spin:
    return Spin(0, f"k{number}", f"spin{number}", f"r{number}", session, 20, "EUR")


SETTLEMENT = Settle(0, "r1", "d", "c")
TRANSFER = TransferIn(0, "s1", "t1", 300, "EUR")

HISTORIES = {
    "a seamless session that another worker closed": (
        opened("s1", "seamless"),
        Step((spin(1, "s1"),), (0,)),
        Step((Close(0, "s1"),), (1,)),
        Step((spin(2, "s1"),), (0,)),
    ),
    "a player whom another worker blocked, and a wallet that does not answer": (
        opened("s1", "seamless"),
        Step((spin(1, "s1"),), (0,)),
        Step((Block(0, "p1", True),), (1,)),
        Step((spin(2, "s1"),), (0,), moods=("lost", "hang", "error")),
    ),
    "the same settlement twice at once": (
        opened("s1", "platform"),
        Step((spin(1, "s1"),), (0,)),
        Step((SETTLEMENT, SETTLEMENT), (0, 1)),
    ),
    "the same transfer twice at once": (opened("s1", "transfer"), Step((TRANSFER, TRANSFER), (0, 1))),
    "a spin in another session than its debit was asked for in": (
        opened("s1", "seamless"),
        opened("s2", "platform"),
        Step((spin(1, "s1"),), (0,), Fault("crash", 6, True, 0)),
        Step((Spin(0, "k1", "spin1", "r1", "s2", 20, "EUR"),), (0,)),
    ),
    "a player of one round at a time who spins in two sessions at once, and one spin asks for a choice": (
        Step((Open(0, "s1", "p1", "platform", "EUR", "", TIDES),), (0,)),
        Step((Open(0, "s2", "p1", "platform", "EUR", "", TIDES),), (0,)),
        Step((Spin(0, "k1", "spin1", "r1", "s1", 225, "EUR", BUY), spin(2, "s2")), (0, 0)),
    ),
    "a captured spin, and at the same time the same spin from the platform": (
        opened("s1", "platform"),
        Step((Spin(0, "k1", "spin1", "r1", "s1", 15, "EUR", nonce="n1"),), (0,)),
        Step(
            (
                Spin(0, "k1", "spin1", "r1", "s1", 15, "EUR", nonce="n1"),
                Spin(0, "k1", "spin1", "r1", "s1", 15, "EUR", nonce="n2"),
            ),
            (0, 0),
        ),
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_was_found_stays_mended(simulator: Simulator, name: str) -> None:
    terms = dataclasses.replace(ALL, one_round="one round" in name)
    failure = simulator.play(History(0, (terms,), HISTORIES[name]))
    assert failure is None, failure.report()


def test_the_same_seed_gives_the_same_history(simulator: Simulator) -> None:
    """Message by message, whatever was played before."""

    def told(seed: int) -> list[object]:
        before = simulator.messages
        assert simulator.play(Author(seed).history()) is None
        played = simulator.last
        wins = [{name: played_round.win for name, played_round in model.rounds.items()} for model in played.models]
        return [simulator.messages - before, simulator.loop.now_s, wins]

    seeds = range(20)
    first = [told(seed) for seed in seeds]
    assert [told(seed) for seed in reversed(seeds)] == first[::-1]
