"""Where checkpoints go, apart from the database: a place that takes each name once and gives nothing up."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path, PurePosixPath
from typing import Protocol


class AlreadyWritten(Exception):
    """The place holds something else under that name."""


class WriteOnce(Protocol):
    """A place for files that are never changed."""

    async def put(self, name: str, body: bytes) -> None:
        """Writes a file, durable when this returns. The same bytes again are fine. Raises AlreadyWritten, OSError."""


class WriteOnceFolder:
    """A folder, best one that another machine keeps or that its file system makes append-only.

    A file appears whole or not at all: it is written beside its place, and linked there only if the name is free.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, body: bytes) -> None:
        await asyncio.to_thread(self._put, name, body)

    def _put(self, name: str, body: bytes) -> None:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise ValueError(f"'{name}' is no name in a folder")
        path = self._folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                if path.read_bytes() != body:
                    raise AlreadyWritten(f"{path} holds something else") from None
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
