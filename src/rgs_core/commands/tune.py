"""rgs tune: a new profile whose exact figures meet targets, as near to an old one as can be."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rgs_core import games
from rgs_core.commands.arguments import OK, add_game, add_json, chosen_build, count, written
from rgs_core.errors import TuningError
from rgs_core.exact.analysis import analyse
from rgs_core.language.model import BASE_MODE, Build
from rgs_core.language.model_file import load
from rgs_core.language.profile_text import check_name, profile_text, with_profile
from rgs_core.tuning.figures import NAMES, Figures, parse_target, show
from rgs_core.tuning.strips import tune_strips
from rgs_core.tuning.tuner import MOST, played_sets
from rgs_core.tuning.weights import Tuned, shares, tune_weights

HELP = "find stop weights or strips whose exact RTP, hit frequency, deviation or bonus odds meet targets"
EXAMPLES = """\
  rgs tune lantern_tide --target rtp=94.00% --out rtp_94_00
  rgs tune my_game.toml --target rtp=92..92.5% --target hit=28% --target sd=6..8 --out low --write
  rgs tune lantern_tide --target rtp=95.00% --keep moon --keep free --out rtp_95   (moons and free spins as they are)
  rgs tune my_game.toml --target feature=1/150 --method strips --out rare"""


ORDER = "each reel from stop 0 on: K:5 is one stop of weight 5, K*2:5 are two of weight 5 each, K is one of weight 1"


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="FIGURE=VALUE",
        help=f"what to meet, once a figure: {', '.join(NAMES)}; rtp=94.00%% is met by what rounds to it, "
        "sd=6..8 by all from 6 to 8, feature=1/150 are the odds of free spins",
    )
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="WHAT",
        help="strips, SET.REEL (from 1), a symbol, or SET.SYMBOL that must stay as they are; several, or with commas",
    )
    parser.add_argument(
        "--method", choices=("weights", "strips"), default="weights", help="what changes (default: %(default)s)"
    )
    parser.add_argument(
        "--by",
        choices=("auto", "stop", "symbol"),
        default="auto",
        help="weights for every stop on its own, or by the symbols in view, which is faster (default: by size)",
    )
    parser.add_argument(
        "--most",
        type=count,
        default=MOST,
        metavar="N",
        help="a stop becomes at most N times as likely, or as rare (default: %(default)s)",
    )
    parser.add_argument("--out", required=True, metavar="NAME", help="name of the new profile")
    parser.add_argument("--write", action="store_true", help="add the new profile to the model file")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    build, path = chosen_build(args)
    check_name(build, args.out)
    targets = [parse_target(text) for text in args.target]
    keep = [what for entry in args.keep for what in entry.split(",") if what]
    with Console(stderr=True).status(f"tuning {build.label}") as status:

        def progress(text: str) -> None:
            status.update(f"tuning {build.label}: {text}")

        if args.method == "strips":
            tuned = tune_strips(build, targets, keep=keep, most=args.most, progress=progress)
        else:
            tuned = tune_weights(build, targets, keep=keep, most=args.most, grain=args.by, progress=progress)
        mode = "" if build.mode == BASE_MODE else f" in mode '{build.mode}'"
        remarks = [f"{build.profile.name} tuned to {_wanted(tuned)}{mode}"]
        if not all(strip.uniform for strips in tuned.strips.values() for strip in strips):
            remarks.append(ORDER)
        addition = profile_text(args.out, tuned.strips, remarks)
        progress("checking the new profile both ways")
        text, new = with_profile(path.read_text("utf-8"), args.out, addition, str(path))
        new = new.model.build(args.out, build.mode)
        checked(new, tuned)
        others = other_modes(build, new, tuned)
        if args.write:
            _write(path, text, new)
    if args.json:
        print(json.dumps(as_json(tuned, new, addition, others, path if args.write else None), indent=2))
        return OK
    draw(console, tuned, new, others)
    console.print(addition, markup=False, highlight=False, soft_wrap=True)
    if args.write:
        console.print(f"added {new.label} to {path}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"next:  rgs certify {path} --profile {args.out} --write\n       rgs verify {path} --profile {args.out}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print("nothing was written; --write adds it to the model file", highlight=False)
    return OK


def checked(new: Build, tuned: Tuned) -> None:
    """Analyses the build that was read back, in the mode that was tuned.

    Raises TuningError when its figures do not meet the targets, AnalysisError when the ways of the analysis differ.
    """
    analysis = analyse(new)
    cycle = analysis.cycle
    if cycle is None:
        raise TuningError(f"{new.label} has no exact figures: {analysis.cycle_skipped}")
    figures = Figures.of(cycle, analysis.law)
    off = [target.text for target in tuned.targets if not target.met(figures)]
    if off:
        raise TuningError(f"{new.label} as read back does not meet {', '.join(off)}; this is a defect, report it")


Rtp = float | None


def other_modes(old: Build, new: Build, tuned: Tuned) -> dict[str, tuple[Rtp, Rtp]]:
    """RTP before and after of the other modes that play a strip set that changed; None where it has no exact value."""
    changed = {name for name, strips in tuned.strips.items() if strips != old.profile.strips[name]}
    pairs = [(before, after) for before, after in zip(games.modes(old), games.modes(new), strict=True)]
    return {
        before.mode: (_rtp(before), _rtp(after))
        for before, after in pairs
        if before.mode != old.mode and changed & set(played_sets(before))
    }


def _rtp(build: Build) -> Rtp:
    rtp = analyse(build).rtp
    return None if rtp is None else float(rtp)


def _write(path: Path, text: str, new: Build) -> None:
    """Puts the longer text in the place of the file, whole or not at all, and reads it again."""
    target = path.resolve()
    with written(str(target)) as temporary:
        temporary.write_text(text, "utf-8")
        shutil.copymode(target, temporary)
    if load(target).build(new.profile.name).build_hash != new.build_hash:
        raise TuningError(f"{target} changed while it was written; look at it")


def _wanted(tuned: Tuned) -> str:
    return ", ".join(target.text for target in tuned.targets)


def draw(console: Console, tuned: Tuned, new: Build, others: dict[str, tuple[Rtp, Rtp]]) -> None:
    """Figures before and after, then what changed on each reel."""
    table = Table("figure", "before", "after", "target", "", title=f"{tuned.build.label} → {new.label}",
                  title_justify="left")  # fmt: skip
    targets = {target.name: target for target in tuned.targets}
    titles = {"rtp": "RTP", "hit": "hit frequency", "sd": "standard deviation", "feature": "free spins start"}
    for name in NAMES:
        if name == "feature" and not tuned.before.feature and not tuned.after.feature:
            continue
        target = targets.get(name)
        range_text = f"{target.text}: {target.show(target.low)} to {target.show(target.high)}" if target else ""
        table.add_row(
            titles[name],
            show(name, tuned.before.value(name)),
            show(name, tuned.after.value(name)),
            range_text,
            "[green]met[/green]" if target else "",
        )
    for mode, rtps in others.items():
        before, after = ("simulated only" if rtp is None else show("rtp", rtp) for rtp in rtps)
        table.add_row(f"RTP of mode '{mode}'", before, after, "", "[yellow]moved along[/yellow]")
    console.print(table)
    rows = changes(tuned)
    if not rows:
        console.print("The starting profile meets the targets; nothing changed.", highlight=False)
        return
    reels = tuned.build.model.reels
    for key, symbols in rows.items():
        shown = Table("symbol", *(f"reel {reel + 1}" for reel in range(reels)), title_justify="left",
                      title=f"{key}: share of each symbol in the stops, % before → after")  # fmt: skip
        for symbol, cells in symbols.items():
            shown.add_row(symbol, *(_cell(cell) for cell in cells))
        console.print(shown)
    least = "" if tuned.least_divergence is None else f" (before rounding {tuned.least_divergence:.6f})"
    console.print(
        f"KL divergence from the old reels {tuned.divergence:.6f} nats{least}; by {tuned.grain}, "
        f"{tuned.measured:,} exact calculations",
        highlight=False,
    )


Cell = tuple[float, float] | None


def changes(tuned: Tuned) -> dict[str, dict[str, list[Cell]]]:
    """By strip set and symbol: the share on each reel before and after, None where the reel has it on no stop.
    Sets that did not change are left out."""
    found: dict[str, dict[str, list[Cell]]] = {}
    for key, old in tuned.build.profile.strips.items():
        new = tuned.strips[key]
        if new == old:
            continue
        pairs = [(shares(a), shares(b)) for a, b in zip(old, new, strict=True)]
        found[key] = {
            symbol: [
                (float(a.get(symbol, 0)), float(b.get(symbol, 0))) if symbol in a or symbol in b else None
                for a, b in pairs
            ]
            for symbol in tuned.build.model.symbols
            if any(symbol in a or symbol in b for a, b in pairs)
        }
    return found


def _cell(cell: Cell) -> str:
    if cell is None:
        return "·"
    before, after = cell
    if before == after:
        return f"[dim]{100 * before:.2f}[/dim]"
    return f"{100 * before:.2f} → {100 * after:.2f}"


def as_json(
    tuned: Tuned, new: Build, addition: str, others: dict[str, tuple[Rtp, Rtp]], path: Path | None
) -> dict[str, object]:
    """Everything that is shown, for machines."""
    return {
        "game": new.model.id,
        "start": tuned.build.profile.name,
        "profile": new.profile.name,
        "mode": new.mode,
        "build_hash": new.build_hash,
        "targets": {
            t.name: {"text": t.text, "low": float(t.low), "high": float(t.high), "met": True} for t in tuned.targets
        },
        "before": {name: tuned.before.value(name) for name in NAMES},
        "after": {name: tuned.after.value(name) for name in NAMES},
        "rtp_exact": str(tuned.after.rtp) if tuned.after.exact else None,
        "other_modes": {mode: {"before": before, "after": after} for mode, (before, after) in others.items()},
        "divergence": tuned.divergence,
        "least_divergence": tuned.least_divergence,
        "changes": changes(tuned),
        "toml": addition,
        "written": None if path is None else str(path),
    }
