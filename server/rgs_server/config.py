"""Settings: one field, one environment variable. The only place that reads the environment.

An unknown RGS_* variable refuses to start, so that a typing mistake is not a silent default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from rgs_server.addresses import networks

NOT_OURS = {"RGS_DEBUG", "RGS_SIMD"}
"""RGS_ variables of the build and of the core, not of the service."""


EMBEDDED = "embedded"
ACTOR_MAX = 40
NATS_SCHEMES = ("nats://", "tls://", "ws://", "wss://")


class ConfigError(Exception):
    """A setting is unknown, malformed or out of range."""


@dataclass(frozen=True)
class Config:
    """Settings of the service; docs/operations.md lists them."""

    mode: str = "development"  # development or production, which refuses what is only for trying out
    actor: str = ""  # whose acts commands are, in the audit log; empty: of the user of the operating system
    database_url: str = ""  # empty: an embedded PostgreSQL in data_dir
    owner_database_url: str = ""  # as the owner of the tables, to make them; empty: database_url
    data_dir: str = ".rgs"  # embedded database, sandbox credentials and master key
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2  # processes that share the port
    tls_cert_file: str = ""  # certificate chain (PEM); empty: plain HTTP
    tls_key_file: str = ""  # its private key, where it is not in the same file
    tls_client_ca_file: str = ""  # authorities of callers (PEM); set: no connection without a certificate of theirs
    trusted_proxies: str = ""  # networks whose X-Forwarded-For is believed, separated by commas
    models_dir: str = ""  # further model files, with certificates/; the shipped games are always there
    registry_file: str = ""  # signed registry of certified builds; empty: every build of the catalogue, everywhere
    registry_key_file: str = ""  # ed25519 public key (PEM) of who signs it
    markets_dir: str = ""  # further market packs, in place of those of the package where both have a country
    unknown_market: str = "strictest"  # rules of a country without a pack: strictest of all, or refused
    master_key_file: str = ""  # 64 hex digits; default: data_dir/master.key, made when missing
    batch_max: int = 256  # spins in one commit
    commit_lanes: int = 1  # commits at the same time, per worker
    queue_max: int = 4096  # spins waiting per worker before 503
    commit_timeout_ms: int = 5000  # of one statement of the database, and of all tries of one spin
    body_bytes_max: int = 65536
    body_timeout_ms: int = 10000  # for a body to come after its head
    signature_window_s: int = 300  # age of a request's timestamp
    in_flight_max: int = 4096  # requests being answered, per worker; more are 503 at once
    operator_in_flight_max: int = 1024  # of one operator that has no bound of its own; more are 429
    key_cache_s: int = 30  # how long a worker trusts a key it has read
    play: str = "off"  # on: the games in a browser under /play, with play money; sandboxes only
    report_url: str = ""  # database that reports are read from, such as a standby; empty: the one of the service
    token_issuer: str = "rgs-core"  # `iss` and `aud` of access tokens
    token_lifetime_s: int = 600  # of access tokens
    session_cache_max: int = 50000  # sessions per worker
    wallet_timeout_ms: int = 2000  # of one call of a platform's wallet
    wallet_tries: int = 3  # of a debit, before it is rolled back
    webhook_timeout_ms: int = 5000  # of one delivery of an event
    nats_url: str = (
        ""  # events go to a NATS JetStream too: nats:// or tls://; `embedded`: to one of our own in data_dir
    )
    nats_credentials_file: str = ""  # of the account there (.creds)
    nats_ca_file: str = ""  # authority of its certificate (PEM), where the system does not know it
    events_days: int = 30  # events are kept for so long, for receivers that miss some
    sweep_s: int = 5  # between looks for rounds left unsettled and balances left behind
    audit_place: str = (
        ""  # folder or s3://bucket/prefix for checkpoints, each written once; empty: in the database alone
    )
    audit_keep_days: int = 3650  # for which a bucket locks them
    files_digest: str = ""  # of the critical files, as `rgs-server audit files` prints it; empty: of those at the start
    files_found: str = ""  # the same of those that the supervisor found; set by it, for its workers
    rehash_s: int = 86400  # between looks whether critical files have changed
    checkpoint_s: int = 10  # between checkpoints of a log that grows
    monitor_s: int = 60  # between looks of the math monitor; 0: no monitor
    drain_timeout_ms: int = 10000  # for open requests at SIGTERM
    log_level: str = "info"  # debug, info, warning or error
    log_slow_ms: int = 1000  # requests that take longer are logged
    traces_url: str = ""  # OTLP/HTTP receiver of spans (extra "telemetry"); empty: none are made
    contact: str = ""  # where platforms report trouble: https://… or mailto:…
    incident_file: str = ""  # text of an incident, shown by GET /status while it is there
    metrics_host: str = "127.0.0.1"  # address of the page of metrics: whoever reaches it may read it
    metrics_port: int = 0  # of the supervisor; 0: no page

    @property
    def in_production(self) -> bool:
        return self.mode == "production"

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).resolve()

    @property
    def master_key_path(self) -> Path:
        return Path(self.master_key_file) if self.master_key_file else self.data_path / "master.key"


CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "mode": ("development", "production"),
    "play": ("off", "on"),
    "unknown_market": ("strictest", "refused"),
}

LIMITS: dict[str, tuple[int, int]] = {
    "port": (1, 65535),
    "workers": (1, 256),
    "batch_max": (1, 4096),
    "commit_lanes": (1, 64),
    "queue_max": (1, 1_000_000),
    "commit_timeout_ms": (100, 600_000),
    "body_bytes_max": (1024, 16 * 1024 * 1024),
    "body_timeout_ms": (100, 600_000),
    "signature_window_s": (1, 86_400),
    "in_flight_max": (1, 1_000_000),
    "operator_in_flight_max": (1, 1_000_000),
    "key_cache_s": (0, 3600),
    "token_lifetime_s": (10, 86_400),
    "session_cache_max": (1, 10_000_000),
    "wallet_timeout_ms": (50, 60_000),
    "wallet_tries": (1, 10),
    "webhook_timeout_ms": (50, 60_000),
    "events_days": (1, 3650),
    "sweep_s": (1, 3600),
    "audit_keep_days": (1, 36_500),
    "checkpoint_s": (1, 3600),
    "rehash_s": (1, 86_400),
    "monitor_s": (0, 86_400),
    "drain_timeout_ms": (0, 600_000),
    "log_slow_ms": (1, 600_000),
    "metrics_port": (0, 65535),
}


def read_config(environment: Mapping[str, str] = os.environ) -> Config:
    """The settings in RGS_* variables. Raises ConfigError with every problem found."""
    known = {f"RGS_{field.name.upper()}": field for field in fields(Config)}
    problems: list[str] = []
    values: dict[str, str | int] = {}
    for name, text in environment.items():
        if not name.startswith("RGS_") or name in NOT_OURS:
            continue
        field = known.get(name)
        if field is None:
            problems.append(f"{name} is unknown; known: {', '.join(known)}")
        elif field.type == "int":
            low, high = LIMITS[field.name]
            if not text.isdigit() or not low <= int(text) <= high:
                problems.append(f"{name}={text!r} is not a whole number from {low} to {high}")
            else:
                values[field.name] = int(text)
        elif field.name == "trusted_proxies":
            try:
                networks(text)
            except ValueError as error:
                problems.append(f"{name}: {error}")
            values[field.name] = text
        elif field.name == "actor" and not (len(text) <= ACTOR_MAX and text.isascii() and text.isprintable()):
            problems.append(f"{name} is no name of at most {ACTOR_MAX} printable ASCII characters")
        elif field.name == "contact" and text and not text.startswith(("https://", "mailto:")):
            problems.append(f"{name}={text!r} is no page (https://…) and no address (mailto:…)")
        elif field.name == "nats_url" and text not in ("", EMBEDDED) and not text.startswith(NATS_SCHEMES):
            problems.append(f"{name} is neither '{EMBEDDED}' nor an address like tls://nats.example:4222")
        elif field.name in CHOICES and text not in CHOICES[field.name]:
            problems.append(f"{name}={text!r} is not one of {', '.join(CHOICES[field.name])}")
        else:
            values[field.name] = text
    if values.get("play") == "on" and values.get("mode") == "production":
        problems.append("RGS_PLAY=on is for sandboxes: in production players come through their platform")
    if problems:
        raise ConfigError("\n".join(problems))
    return Config(**values)  # type: ignore[arg-type]


def environment_of(config: Config) -> dict[str, str]:
    """The variables that make another process read the same settings."""
    return {f"RGS_{field.name.upper()}": str(getattr(config, field.name)) for field in fields(Config)}
