"""Receivers of events, as the operator of the service names them."""

from __future__ import annotations

import asyncpg

from rgs_server.clock import system_clock, time_text
from rgs_server.config import Config
from rgs_server.master_key import read_master_keys
from rgs_server.operators import OperatorRefused
from rgs_server.sealing import Sealer
from rgs_server.store import Store
from rgs_server.webhooks import new_secret, secret_context

LAG_MAX = 100_000
"""Waiting events are counted up to so many."""


async def set_webhook(config: Config, operator_id: str, url: str) -> str | None:
    """Names the receiver of an operator, "" for none; returns the new secret that signs. Raises OperatorRefused."""
    if url and not url.startswith(("http://", "https://")):
        raise OperatorRefused(f"--url: '{url}' does not begin with https:// or http://")
    if url.startswith("http://") and config.in_production:
        raise OperatorRefused("--url: events go over https:// in production")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        if not url:
            await store.remove_webhook(operator_id)
            return None
        secret = new_secret()
        sealed = Sealer(*read_master_keys(config.master_key_path)).seal(secret.encode(), secret_context(operator_id))
        await store.set_webhook(operator_id, url, sealed)
        return secret
    except asyncpg.ForeignKeyViolationError:
        raise OperatorRefused(f"no operator '{operator_id}'; open it with --key first") from None
    finally:
        await connection.close()


async def replay_events(config: Config, operator_id: str) -> int:
    """Sends again what was put aside; returns how many."""
    connection = await asyncpg.connect(config.database_url)
    try:
        return await Store(connection).raise_events(operator_id, system_clock())
    finally:
        await connection.close()


async def webhook_state(config: Config, operator_id: str) -> str:
    """What waits for an operator, and what was put aside, in words."""
    connection = await asyncpg.connect(config.database_url)
    try:
        counts = await Store(connection).event_counts(operator_id)
    finally:
        await connection.close()
    where = counts["url"] or "nowhere"
    where += f", gone since {time_text(counts['disabled_at'])}; name it again" if counts["disabled_at"] else ""
    since = f", the oldest of {time_text(counts['oldest_at'])}" if counts["oldest_at"] else ""
    error = f" (last answer: {counts['last_error']})" if counts["last_error"] else ""
    return f"receiver: {where}\nwaiting: {counts['waiting']}{since}{error}\nput aside: {counts['dead']}"


async def bus_state(config: Config, *, off: bool) -> str:
    """What waits for the bus, in words; `off`: nothing is owed to it any more."""
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        if off:
            dropped = await store.close_bus()
            return f"the bus is off; {dropped} events that it had not taken are not sent to it any more"
        if "bus" not in await store.open_sinks():
            return "the bus is off; a service with RGS_NATS_URL turns it on"
        lanes = [row for row in await store.event_lag(LAG_MAX) if row["sink"] == "bus" and row["events"]]
    finally:
        await connection.close()
    lines = [f"{row['operator_id']}: {row['events']} wait since {time_text(row['oldest_at'])}" for row in lanes]
    return "\n".join(["the bus is on", *(lines or ["nothing waits"])])
