"""TLS of the workers: certificate and key, and where it is asked for, certificates of callers (mutual TLS).

TLS 1.2 and newer. Files are read again on SIGHUP: new connections get the new certificate, open ones go on. Authorities
for callers are added then; to take one away, restart the workers.
"""

from __future__ import annotations

import ssl
from typing import Any

from rgs_server.config import Config, ConfigError

STRICT_TRANSPORT = "max-age=31536000"
"""Strict-Transport-Security (RFC 6797) of every answer over TLS: a year."""


def server_context(config: Config) -> ssl.SSLContext | None:
    """The context to serve with, None without a certificate. Raises ConfigError naming the setting."""
    if not config.tls_cert_file:
        for name in ("tls_key_file", "tls_client_ca_file"):
            if getattr(config, name):
                raise ConfigError(f"RGS_{name.upper()} is set without RGS_TLS_CERT_FILE")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if config.tls_client_ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
    load_files(context, config)
    return context


def load_files(context: ssl.SSLContext, config: Config) -> None:
    """Reads certificate, key and authorities into a context. Raises ConfigError naming the setting."""
    try:
        context.load_cert_chain(config.tls_cert_file, config.tls_key_file or None, password="")
    except (OSError, ssl.SSLError) as error:
        names = f"RGS_TLS_CERT_FILE={config.tls_cert_file}, RGS_TLS_KEY_FILE={config.tls_key_file}"
        raise ConfigError(f"{names}: no usable certificate with its key ({error})") from None
    if config.tls_client_ca_file:
        try:
            context.load_verify_locations(config.tls_client_ca_file)
        except (OSError, ssl.SSLError) as error:
            path = config.tls_client_ca_file
            raise ConfigError(f"RGS_TLS_CLIENT_CA_FILE={path}: no usable certificates ({error})") from None


def common_name(certificate: dict[str, Any] | None) -> str | None:
    """The common name in the certificate of a caller, as `ssl.SSLSocket.getpeercert` gives it; None without one."""
    for relative in (certificate or {}).get("subject", ()):
        for name, value in relative:
            if name == "commonName":
                return str(value)
    return None
