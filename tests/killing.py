"""Players that go on while processes are killed, for tests. Seconds and random moments come from the environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import aiohttp
from rgs_server.client import Client
from service_process import Service, run, spin_body, wait_for

SECONDS = float(os.environ.get("CRASH_SECONDS", "6"))
SEED = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 10**9)))
SESSIONS = 16
PLAYERS = 32


class Load:
    """Players that repeat a spin under the same key until it is answered with 200."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.acknowledged: dict[str, tuple[bytes, bytes]] = {}
        self.different: list[str] = []
        self.refused: list[tuple[str, int, bytes]] = []
        self.retries = 0
        self.stopping = False

    async def player(self, client: Client, number: int) -> None:
        for n in range(10**6):
            if self.stopping:
                return
            name = f"p{number}-{n}"
            body = spin_body(name, f"s{(number + n) % SESSIONS}")
            answer = await self.until_answered(client, name, body)
            # Some acknowledged spins are asked for again, as a platform does whose answer was lost.
            if answer is not None and n % 5 == 0:
                again = await self.until_answered(client, name, body)
                if again is not None and again != answer:
                    self.different.append(name)

    async def until_answered(self, client: Client, name: str, body: bytes) -> bytes | None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                reply = await client.send("POST", "/rgs/v1/spins", body)
                if reply.status == 200:
                    self.acknowledged[name] = (body, reply.body)
                    return reply.body
                if reply.status < 500:
                    self.refused.append((name, reply.status, reply.body))
                    return None
            self.retries += 1
            await asyncio.sleep(0.02)

    async def run(self, chaos: asyncio.Task[None]) -> None:
        async with self.service.client() as client:
            players = [asyncio.create_task(self.player(client, n)) for n in range(PLAYERS)]
            await chaos
            self.stopping = True
            await asyncio.wait_for(asyncio.gather(*players), 60)


def kill(pid: int) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for_postgres(service: Service) -> None:
    def answers() -> bool:
        try:
            return bool(run(service.fetch("SELECT 1")))
        except Exception:
            return False

    wait_for(answers, service.log_text)
