"""Logging: one JSON object a line on standard error, for people and machines alike.

Modules log as Python does; every line goes through the same processors of structlog, those of libraries too. Lines are written
by a thread, so that a slow reader of standard error does not hold up requests; what it cannot take is dropped and counted.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog

from rgs_server.clock import time_text
from rgs_server.redaction import redact

LINES_MAX = 10_000
"""Lines that wait to be written; more are dropped."""
WRITE_MAX = 1000
"""Lines in one write."""
FLUSH_S = 2.0

Fields = Callable[[], dict[str, str]]
Line = MutableMapping[str, Any]


class BufferedLines(logging.Handler):
    """Makes lines where they are logged, which is where the request is known, and has a thread write them."""

    def __init__(self, stream: TextIO, lines_max: int = LINES_MAX) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(lines_max)
        self.dropped: Callable[[], None] = lambda: None
        """Called for each line that is dropped."""
        self._writer = threading.Thread(target=self._write, name="log writer", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self.dropped()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Writes what waits, as far as the reader takes it in time."""
        if self._writer.is_alive():
            try:
                self._lines.put(None, timeout=FLUSH_S)
            except queue.Full:
                pass
            else:
                self._writer.join(FLUSH_S)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            waiting = [line]
            # What has come meanwhile goes along, so that a burst is few writes.
            while len(waiting) < WRITE_MAX and not self._lines.empty():
                another = self._lines.get()
                if another is None:
                    self._lines.put(None)
                    break
                waiting.append(another)
            try:
                self._stream.write("".join(f"{text}\n" for text in waiting))
                self._stream.flush()
            except (OSError, ValueError):  # the reader is gone; there is nowhere to say so
                continue


def configure_logging(level: str, fields: Fields = dict) -> BufferedLines:
    """Sends all logs of a level (debug, info, warning, error) and above to standard error. `fields`: what a line says of the
    request that is being answered."""
    handler = BufferedLines(sys.stderr)
    handler.setFormatter(json_lines(fields))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    atexit.register(handler.close)
    # Lost connections are reported where they matter, with what is done about them.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
    return handler


def json_lines(fields: Fields) -> logging.Formatter:
    """ts, level, logger, pid, message, what is known of the request, what the caller adds, and the traceback of an error."""

    def named(_: object, __: str, line: Line) -> Line:
        record: logging.LogRecord = line["_record"]
        head = {
            "ts": time_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": os.getpid(),
            "message": line.pop("event"),
            **fields(),
        }
        fault = line.pop("exc_info", None)
        if isinstance(fault, tuple):
            head["traceback"] = logging.Formatter().formatException(fault)
        added = {name: value for name, value in line.items() if not name.startswith("_")}
        return {**head, **added}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[named, redact, structlog.processors.JSONRenderer(serializer=written)],
    )


def written(line: dict[str, Any], **_: Any) -> str:
    """A line as JSON; characters that are no valid Unicode are escaped."""
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:
        return orjson.dumps({n: ascii(v) if isinstance(v, str) else v for n, v in line.items()}, default=str).decode()
