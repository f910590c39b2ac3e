"""The wallet of a platform, as we call it: debit, credit, rollback. docs/wallet-api.md is its contract.

Every call names its transaction, and the same transaction moves money once, however often it is sent. An answer is a
verdict only if it is 200 with `status`; everything else leaves open what happened.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import aiohttp
import msgspec
from msgspec import Meta, Struct

from rgs_server import signing
from rgs_server.contract.answers import encode, money
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing

ANSWER_BYTES_MAX = 65_536


class WalletAnswer(Struct, frozen=True):
    """What a wallet answers with 200."""

    status: Literal["accepted", "refused"]
    code: Annotated[str, Meta(max_length=80)] = ""
    detail: Annotated[str, Meta(max_length=500)] = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a call ended; `unknown` may have moved money or not."""

    status: Literal["accepted", "refused", "unknown"]
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wallet:
    """Where an operator's wallet is, and how calls of it are signed."""

    url: str
    key_id: str
    secret: bytes = field(repr=False)


def step_body(step: Any, player_id: str, game_id: str) -> bytes:
    """The request of a step: a row of wallet_steps."""
    spin_id = step["spin_id"]
    body: dict[str, Any] = {
        "txn_id": step["txn_id"],
        "round_id": step["round_id"],
        "spin_id": spin_id,
        "session_id": step["session_id"],
        "player_id": player_id,
        "game_id": game_id,
        "amount": money(int(step["amount_minor"]), step["currency"], step["exponent"]),
    }
    if step["kind"] != "debit":
        body |= {"debit_txn_id": f"debit:{spin_id}", "round_closed": True}
    return encode(body)


class WalletClient:
    """Calls wallets over connections that it keeps. Open and close it in a running loop."""

    def __init__(self, timeout_ms: int, metrics: Metrics, tracing: Tracing) -> None:
        self._tracing = tracing
        self._timeout_ms = timeout_ms
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, wallet: Wallet, operator_id: str, kind: str, body: bytes, traceparent: str | None = None
    ) -> Verdict:
        """One try, counted, as a part of the trace that it belongs to. Never raises for what a wallet or a network can do."""
        span = self._tracing.begin(f"wallet {kind}", traceparent, "client", operator=operator_id)
        started = time.perf_counter()
        verdict = await self._call(wallet, kind, body, traceparent if span is None else span.traceparent)
        if span is not None:
            span.end("" if verdict.status != "unknown" else verdict.reason)
        self._metrics.wallet_called(operator_id, kind, verdict.status, time.perf_counter() - started)
        return verdict

    async def _call(self, wallet: Wallet, kind: str, body: bytes, traceparent: str | None) -> Verdict:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_ms / 1000)
            # No limit over all wallets: those that hang would hold the connections of the others.
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=256)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        url = f"{wallet.url}/{kind}"
        path = url.split("/", 3)
        headers = signing.headers(wallet.key_id, wallet.secret, "POST", f"/{path[3]}", body)
        headers["Content-Type"] = "application/json"
        if traceparent is not None:
            headers["traceparent"] = traceparent
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                raw = await answer.content.read(ANSWER_BYTES_MAX)
                if answer.status != 200:
                    return Verdict("unknown", reason=f"the wallet answered {answer.status}")
                read = _DECODER.decode(raw)
                return Verdict(read.status, read.code, read.detail or read.code)
        except TimeoutError:
            return Verdict("unknown", reason=f"the wallet did not answer within {self._timeout_ms} ms")
        except (aiohttp.ClientError, OSError) as error:
            return Verdict("unknown", reason=f"the wallet cannot be reached: {type(error).__name__}")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Verdict("unknown", reason="the wallet answered what its contract does not know")


_DECODER = msgspec.json.Decoder(WalletAnswer)
