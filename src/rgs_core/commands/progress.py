"""The progress bar of commands that play rounds: on a terminal only, and on its error stream."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def rounds_bar(*, shown: bool) -> Progress:
    """A bar of rounds; tasks have the field `rate`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not shown)


def advance(bar: Progress, task: TaskID, rounds: int) -> None:
    """Shows so many rounds, and how fast they are played."""
    speed = bar.tasks[task].speed
    bar.update(task, completed=rounds, rate=f"{speed / 1e6:.1f} M/s" if speed else "")
