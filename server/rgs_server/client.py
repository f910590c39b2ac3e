"""A small signed client: for the sandbox, the command line and the tests."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from rgs_server import signing


def write_private(path: Path, values: Mapping[str, str]) -> None:
    """Writes values as JSON to a file that only its owner reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(values, file, indent=2)


@dataclass(frozen=True)
class Credentials:
    """Where a service is and how to sign for an operator."""

    url: str
    operator_id: str
    key_id: str
    secret: str = field(repr=False)

    def write(self, path: Path) -> None:
        """Writes them to a file that only its owner reads."""
        write_private(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """Raises FileNotFoundError when the sandbox was never started here."""
        return cls(**json.loads(path.read_text("utf-8")))


@dataclass(frozen=True)
class Reply:
    """Status, headers and bytes of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Signs and sends requests; use as `async with Client(credentials) as client`."""

    def __init__(self, credentials: Credentials, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: for services with a certificate of an authority of their own; None: the system's authorities."""
        self.credentials = credentials
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls or True), timeout=aiohttp.ClientTimeout(total=30)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        """One signed request. Raises aiohttp.ClientError when there is no answer."""
        assert self._session is not None
        secret = self.credentials.secret.encode()
        signed = signing.headers(self.credentials.key_id, secret, method, target, body)
        async with self._session.request(
            method,
            f"{self.credentials.url}{target}",
            data=body or None,
            headers={**signed, **(headers or {})},
        ) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def wait_until_ready(self, timeout_s: float = 60) -> None:
        """Waits until /readyz answers 200. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    if (await self.send("GET", "/readyz")).status == 200:
                        return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)


def client_context(ca: str | None, certificate: str | None) -> ssl.SSLContext | None:
    """TLS that trusts an authority, and shows a certificate; None where neither is given. Raises OSError."""
    if ca is None and certificate is None:
        return None
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, password="")
    return context


def curl_line(credentials: Credentials, method: str, target: str, body: bytes) -> str:
    """A curl command with the signature in its headers."""
    signed = signing.headers(credentials.key_id, credentials.secret.encode(), method, target, body)
    parts = ["curl", "-X", method, f"{credentials.url}{target}"]
    for name, value in signed.items():
        parts += ["-H", f"{name}: {value}"]
    if body:
        parts += ["--data-binary", body.decode()]
    return shlex.join(parts)
