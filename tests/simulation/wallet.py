"""The wallets of the platforms in a simulation: in the process, with books of their own, and as moody as a history says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict

from rgs_server.wallet_api import Verdict, Wallet
from simulation.wire import Link, silence

START_MINOR = 2000
HANG_S = 2.0


class WalletBook:
    """One operator's players, idempotent as docs/wallet-api.md asks of it. Amounts in minor units."""

    def __init__(self) -> None:
        self.net: Counter[str] = Counter()
        self.done: dict[str, Verdict] = {}
        self.rolled_back: set[str] = set()
        self.heard: dict[str, set[str]] = defaultdict(set)  # what was ever answered of a spin's debit

    def holds(self, spin_id: str) -> bool:
        """Whether the stake of a spin is taken."""
        verdict = self.done.get(f"debit:{spin_id}")
        return verdict is not None and verdict.status == "accepted" and f"debit:{spin_id}" not in self.rolled_back

    def do(self, kind: str, body: dict[str, object], *, unwilling: bool) -> Verdict:
        """Moves the money of a transaction, once."""
        txn_id, player_id = str(body["txn_id"]), str(body["player_id"])
        amount = int(body["amount"]["minor"])  # type: ignore[index]
        if txn_id in self.done:
            return self.done[txn_id]
        verdict = Verdict("accepted")
        if kind == "debit":
            if txn_id in self.rolled_back:
                verdict = Verdict("refused", "ROLLED_BACK")
            elif START_MINOR + self.net[player_id] < amount:
                verdict = Verdict("refused", "INSUFFICIENT_FUNDS")
            elif unwilling:
                verdict = Verdict("refused", "LIMIT")
            else:
                self.net[player_id] -= amount
        elif kind == "credit":
            self.net[player_id] += amount
        else:
            debit = str(body["debit_txn_id"])
            taken = self.done.get(debit)
            if taken is not None and taken.status == "accepted" and debit not in self.rolled_back:
                self.net[player_id] += amount
            self.rolled_back.add(debit)
        self.done[txn_id] = verdict
        return verdict


class MoodyWallets:
    """In the place of `WalletClient`. `moods` is shared by all workers and used up call by call; then all is accepted.

    accept; refuse a debit; lost: done, and nobody hears of it; error: not done; hang: done, and the caller gives up.
    """

    def __init__(self, link: Link, books: dict[str, WalletBook], moods: list[str]) -> None:
        self._link = link
        self._books = books
        self._moods = moods

    async def close(self) -> None:
        """Nothing is open."""

    async def call(
        self, wallet: Wallet, operator_id: str, kind: str, body: bytes, traceparent: str | None = None
    ) -> Verdict:
        if self._link.dead:
            await silence()
        mood = self._moods.pop(0) if self._moods else "accept"
        asked = json.loads(body)
        book = self._books[wallet.url]
        verdict = Verdict("unknown", reason=f"the wallet's mood is {mood}")
        if mood != "error":
            done = book.do(kind, asked, unwilling=mood == "refuse")
            if mood in ("accept", "refuse"):
                verdict = done
        if mood == "hang":
            await asyncio.sleep(HANG_S)
        if self._link.dead:
            await silence()
        if kind == "debit":
            book.heard[asked["spin_id"]].add(verdict.status)
        return verdict
