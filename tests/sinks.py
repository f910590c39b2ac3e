"""Where events go, for tests: a receiver of webhooks, and readers of the embedded bus."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any

import nats
from rgs_server.bus import STREAM
from service_process import Service, run


class ReceiverServer:
    """Takes events on a port of its own, checks signatures as the standard has them, and answers with `status`."""

    def __init__(self) -> None:
        self.secret = ""
        self.status = 204
        self.pause_s = 0.0
        self.events: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.status  # once: what is answered is what was done
                receiver.take({name.lower(): value for name, value in self.headers.items()}, body, status)
                time.sleep(receiver.pause_s)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes, status: int) -> None:
        event = json.loads(body)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 60
        if headers["webhook-signature"] != f"v1,{expected}" or event["id"] != headers["webhook-id"] or not fresh:
            self.wrong.append(headers["webhook-id"])
        elif status < 300:
            self.events.append(event)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        assert self.wrong == []


def bus_url(own: Service) -> str:
    """The address of the embedded bus, with its password, as workers have it."""
    environment = Path(f"/proc/{own.workers()[0]}/environ").read_bytes().split(b"\0")
    return next(entry for entry in environment if entry.startswith(b"RGS_NATS_URL=")).decode().split("=", 1)[1]


def published(own: Service, filtered: str) -> list[tuple[str, dict[str, Any]]]:
    """(subject, event) of all that the stream holds under a subject."""

    async def job() -> list[tuple[str, dict[str, Any]]]:
        client = await nats.connect(bus_url(own))
        try:
            subscription = await client.jetstream().subscribe(filtered, stream=STREAM, ordered_consumer=True)
            found = []
            while True:
                try:
                    message = await subscription.next_msg(timeout=0.5)
                except TimeoutError:
                    return found
                assert message.headers is not None
                event = json.loads(message.data)
                assert message.headers["Nats-Msg-Id"] == event["id"]
                found.append((message.subject, event))
        finally:
            await client.close()

    return run(job())


def owed(own: Service, operator_id: str, sink: str = "bus") -> int:
    sql = "SELECT count(*) FROM outbox WHERE operator_id = $1 AND sink = $2"
    return int(run(own.fetch(sql, operator_id, sink))[0][0])
