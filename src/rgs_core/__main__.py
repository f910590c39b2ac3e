"""The command `rgs`: the math designer's and the auditor's tool. No network, no database."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console

from rgs_core import __version__
from rgs_core.commands import (
    audit,
    certify,
    check,
    export,
    import_reels,
    monitor,
    new,
    parsheet,
    replay,
    rng_stream,
    simulate,
    spin,
    tune,
    verify,
)
from rgs_core.commands.arguments import INTERRUPTED, OFF, OK, USAGE
from rgs_core.errors import RgsError

COMMANDS = {
    "new": new,
    "check": check,
    "parsheet": parsheet,
    "simulate": simulate,
    "verify": verify,
    "spin": spin,
    "replay": replay,
    "monitor": monitor,
    "certify": certify,
    "tune": tune,
    "import": import_reels,
    "export": export,
    "rng-stream": rng_stream,
    "audit": audit,
}

EXIT_CODES = f"""\
exit codes:
  {OK}    fine
  {OFF}    something is off: a figure differs from its certificate, a replay does not match
  {USAGE}    wrong arguments, or a file that cannot be used; the message says which and why
  {INTERRUPTED}  interrupted with Ctrl-C"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="rgs",
        description="Slot mathematics as data: exact figures, simulation, replay.",
        epilog=f"{EXIT_CODES}\n\n'rgs COMMAND --help' shows examples of each command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"rgs {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
            epilog=f"examples:\n{module.EXAMPLES}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.configure(command)
    return root


class Terminal(Console):
    """A console that leaves a vanished reader to `main` (rich would exit with 1)."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def unreadable(error: OSError) -> str:
    """What the system said of a file, for people: the file first, then why, then what to do."""
    if error.filename is None or error.strerror is None:
        return str(error)
    file = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename)
    remedies = {
        FileNotFoundError: "check the path; names of files are relative to the folder you are in",
        PermissionError: "ask for the right to use it, or name another file",
        IsADirectoryError: "name a file, not a folder",
        NotADirectoryError: "a part of the path is a file; check it",
    }
    remedy = remedies.get(type(error))
    return f"{file}: {error.strerror}" + ("" if remedy is None else f"; {remedy}")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    args = parser().parse_args(arguments)
    console = Terminal(width=None if sys.stdout.isatty() else 120)
    try:
        return int(COMMANDS[args.command].run(args, console))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing is wrong. Keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        print(f"rgs {args.command}: {unreadable(error)}", file=sys.stderr)
        return USAGE
    except (RgsError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        print(f"rgs {args.command}: {error}", file=sys.stderr)
        return USAGE
    except KeyError as error:
        print(f"rgs {args.command}: {error.args[0]}", file=sys.stderr)
        return USAGE


if __name__ == "__main__":
    sys.exit(main())
