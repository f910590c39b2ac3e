"""Logging: one JSON object a line on standard error, for people and machines alike."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime

import orjson

from rgs_server.clock import time_text


class JsonLines(logging.Formatter):
    """ts, level, logger, pid, message, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": time_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # a string that is no valid Unicode
            return orjson.dumps({**line, "message": ascii(line["message"])}, default=str).decode()


def configure_logging(level: str) -> None:
    """Sends all logs of a level (debug, info, warning, error) and above to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Lost connections are reported where they matter, with what is done about them.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
