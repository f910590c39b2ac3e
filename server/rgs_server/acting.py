"""Who acts, as the audit log says it: a command that changes something names its person to the database.

The database writes down its role and this name with every fact. The name is a hint and no proof: whoever has the password of
the role can give another. What is done by the service itself has no name.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit

from rgs_server.config import Config

NAME_MAX = 63
"""Bytes that PostgreSQL keeps of an application_name."""


def person_acting(config: Config) -> str:
    """The name in RGS_ACTOR, or that of the user of this process."""
    if config.actor:
        return config.actor
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def acting(config: Config, command: str) -> Config:
    """Settings with which a command of a person reaches the database; a name that a URL has already is left."""
    name = f"{person_acting(config)}: rgs-server {command}"[:NAME_MAX]
    return replace(
        config,
        database_url=named(config.database_url, name),
        owner_database_url=named(config.owner_database_url, name),
        report_url=named(config.report_url, name),
    )


def named(url: str, name: str) -> str:
    """The URL of a database with the name under which it is used."""
    if not url or "application_name" in parse_qs(urlsplit(url).query):
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}application_name={quote(name)}"
