"""Who acts, and on which database. A command that changes something names its person to the database, for the audit log.

The database writes down its role and this name with every fact. The name is a hint and no proof: whoever has the password of
the role can give another. What is done by the service itself has no name.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit

from rgs_server.config import Config, ConfigError
from rgs_server.postgres import url_of_running

NAME_MAX = 63
"""Bytes that PostgreSQL keeps of an application_name."""


def with_database(config: Config) -> Config:
    """Settings that name a database: without one the embedded database of a service that runs on the same data folder.

    Raises ConfigError.
    """
    if config.database_url:
        return config
    url = url_of_running(config.data_path)
    if url is None:
        raise ConfigError(
            f"set RGS_DATABASE_URL to the database of the service, or RGS_DATA_DIR to the folder of one that runs with its own; "
            f"none runs in {config.data_path}"
        )
    return replace(config, database_url=url)


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
