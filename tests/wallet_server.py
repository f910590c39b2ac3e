"""A platform's wallet for tests: real HTTP, idempotent as docs/wallet-api.md asks, and as unreliable as one wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from typing import Any

from aiohttp import web
from rgs_server import signing


class WalletServer:
    """Keeps players' money in minor units. `faults` says what happens to a call: by player, a list of moods in turn.

    Moods: "ok"; "error" answers 500 and does nothing; "lost" does it and answers 500; "hang" does it and never answers;
    "deaf" does nothing and never answers; "garbage" answers what nobody understands; "refuse"; "slow" takes a
    while; "held" waits for `release`.
    """

    def __init__(self, secret: bytes, balance_minor: int = 1_000_000) -> None:
        self.secret = secret
        self.balances: Counter[str] = Counter()
        self.start_minor = balance_minor
        self.faults: dict[str, list[str]] = {}
        self.always: dict[str, str] = {}
        self.done: dict[str, dict[str, Any]] = {}
        self.moved: dict[str, int] = {}
        self.tombstones: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.traces: dict[str, str | None] = {}
        self.bad_signatures = 0
        self.release = threading.Event()
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> WalletServer:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/wallet/{kind}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/wallet"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        kind, step = request.match_info["kind"], json.loads(body)
        if not signing.verified(self.secret, request.headers, "POST", request.raw_path, body):
            self.bad_signatures += 1
            return web.json_response({}, status=401)
        player = step["player_id"]
        self.calls.append((kind, step["txn_id"]))
        self.traces[step["txn_id"]] = request.headers.get("traceparent")
        moods = self.faults.get(f"{kind}:{player}") or []
        mood = moods.pop(0) if moods else self.always.get(f"{kind}:{player}", "ok")
        if mood == "slow":
            await asyncio.sleep(0.2)
        while mood == "held" and not self.release.is_set():
            await asyncio.sleep(0.01)
        if mood == "deaf":
            await asyncio.sleep(3600)
        if mood == "error":
            return web.json_response({}, status=500)
        if mood == "garbage":
            return web.Response(text="<html>busy</html>")
        answer = {"status": "refused", "code": "LIMIT"} if mood == "refuse" else self.apply(kind, step)
        if mood == "hang":
            await asyncio.sleep(3600)
        if mood == "lost":
            return web.json_response({}, status=500)
        return web.json_response(answer)

    def apply(self, kind: str, step: dict[str, Any]) -> dict[str, Any]:
        """Moves money once for a transaction."""
        txn_id, player, minor = step["txn_id"], step["player_id"], int(step["amount"]["minor"])
        if txn_id in self.done:
            return self.done[txn_id]
        self.balances.setdefault(player, self.start_minor)
        if kind == "debit":
            if txn_id in self.tombstones:
                return {"status": "refused", "code": "TX_TOMBSTONED"}
            if self.balances[player] < minor:
                return {"status": "refused", "code": "INSUFFICIENT_FUNDS"}
            self.balances[player] -= minor
        elif kind == "credit" or step["debit_txn_id"] in self.done:
            self.balances[player] += minor
        self.tombstones |= {step["debit_txn_id"]} if kind == "rollback" else set()
        moves = kind != "rollback" or step["debit_txn_id"] in self.done
        self.moved[txn_id] = minor if moves else 0
        self.done[txn_id] = {"status": "accepted"}
        return self.done[txn_id]
