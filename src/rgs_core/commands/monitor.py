"""rgs monitor: do played rounds agree with the certified law? Verdicts of every cell, from events."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rgs_core import games
from rgs_core.certified.certificate import load_certificate
from rgs_core.commands.arguments import OFF, OK, add_json, count
from rgs_core.language.model import Build
from rgs_core.language.model_file import load
from rgs_core.monitor.counts import AMOUNT_DIGITS, rolled_up
from rgs_core.monitor.null_law import NullLaw, certificate_null, exact_null
from rgs_core.monitor.reading import WINDOW_DAYS_MAX, CountedEvents, EventsError, read_csv, read_events
from rgs_core.monitor.verdicts import Verdict, judge
from rgs_core.sheet.sheet import Sheet

HELP = "judge played rounds by the certified law: verdicts of every cell; exit 1 on a page"
EXAMPLES = """\
  rgs monitor events.jsonl                     (spin_finished, one a line)
  rgs monitor spins.csv --window 7 --json
  rgs monitor events.jsonl --over channel,operator
  zcat export.jsonl.gz | rgs monitor -         (docs/live-math.md explains the table)"""

STYLES = {"page": "bold red", "investigate": "yellow", "info": "cyan", "within": "green", "insufficient": "dim"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("events", metavar="EVENTS", help="JSON lines of spin_finished, a .csv with its fields, or -")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="model file beside the shipped games; again for more",
    )
    parser.add_argument("--window", type=count, default=1, metavar="DAYS", help="days of a window (default: 1)")
    parser.add_argument(
        "--over", default="", metavar="FIELDS", help="merge cells over stakes, channel, operator (comma-separated)"
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if args.window > WINDOW_DAYS_MAX:
        raise ValueError(f"a window has at most {WINDOW_DAYS_MAX} days")
    counted = read(args.events)
    wanted = {(cell.build_hash, cell.mode) for cell in counted.days}
    nulls = nulls_of(wanted, [Path(name) for name in args.model])
    days = rolled_up(counted.days, [name for name in args.over.split(",") if name])
    verdicts = judge(days, nulls, windows=(args.window,), names=counted.names)
    paged = any(verdict.level == "page" for verdict in verdicts)
    if args.json:
        print(
            json.dumps({"ok": not paged, "repeated_events": counted.repeated, "verdicts": [v.row() for v in verdicts]})
        )
        return OFF if paged else OK
    draw(verdicts, console)
    if counted.repeated:
        console.print(f"{counted.repeated:,} events came more than once and are counted once.")
    return OFF if paged else OK


def read(name: str) -> CountedEvents:
    """Events of a file, or of standard input. Raises EventsError."""
    lines: Iterable[str]
    with nullcontext(sys.stdin) if name == "-" else Path(name).open(encoding="utf-8") as lines:
        return read_csv(lines, name) if name.endswith(".csv") else read_events(lines, name)


def nulls_of(wanted: set[tuple[str, str]], files: list[Path]) -> Mapping[tuple[str, str], NullLaw]:
    """The null of each (build_hash, mode). Raises EventsError for one that no model file has."""
    found: dict[tuple[str, str], NullLaw] = {}
    for path in [*files, *games.shipped().values()]:
        if found.keys() == wanted:
            break
        for profile in games.builds(load(path)):
            for build in games.modes(profile):
                key = (build.build_hash, build.mode)
                if key in wanted and key not in found:
                    found[key] = null_law(build, path)
    for build_hash, mode in sorted(wanted - found.keys()):
        raise EventsError(f"no build {build_hash} with mode '{mode}' is known; give its model file with --model")
    return found


def null_law(build: Build, path: Path) -> NullLaw:
    """The exact null of a build, or that of its certificate where it has no exact law."""
    sheet = Sheet.of(build)
    if sheet.law is not None:
        return exact_null(sheet)
    return certificate_null(build, load_certificate(games.certificate_path(path, build)))


def draw(verdicts: list[Verdict], console: Console) -> None:
    """A table of all cells, and under it why those stand out that do."""
    table = Table("cell", "level", "rounds", "RTP", "95 % band", "theory", "p-values", "ln E")
    for v in verdicts:
        band = "-" if v.band is None else f"{v.band[0]:.2%} – {v.band[1]:.2%}"
        p = " ".join(f"{name} {value:.2g}" for name, value in v.p.items())
        evidence = " ".join(f"{name} {e.log_e:.1f}" for name, e in v.evidence.items())
        level = f"[{STYLES[v.level]}]{v.level}[/]"
        table.add_row(str(v.cell), level, f"{v.n:,}", f"{v.rtp:.2%}", band, f"{v.theory:.2%}", p, evidence)
    console.print(table)
    for v in verdicts:
        marked = "" if v.exact_null else " Its law is estimated by simulation."
        if v.level == "insufficient":
            drift = f"{v.detectable_drift:.1%}" if math.isfinite(v.detectable_drift) else "anything"
            console.print(f"{v.cell}: too few rounds; the RTP would have to be off by {drift} to be seen.{marked}")
        elif v.reasons:
            console.print(f"{v.cell}: {v.level}: {'; '.join(v.reasons)}.{marked}")
        for stake, win, n in v.impossible[:5]:
            scale = 10**AMOUNT_DIGITS
            console.print(f"  impossible: {n:,} x win {win / scale:g} for stake {stake / scale:g}")
    if verdicts:
        console.print(f"A page is an impossible win, or ln E of at least {verdicts[0].log_threshold:.1f}.")
