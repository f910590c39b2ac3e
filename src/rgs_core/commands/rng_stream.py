"""rgs rng-stream: raw words of the generator for any battery of tests."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from rgs_core._rng import STREAM_OUTCOME, STREAM_STATISTICS, keystream
from rgs_core.commands.arguments import OK, add_seed, chosen_key, count, nonce
from rgs_core.engine.simd import chosen

HELP = "write raw 32-bit words of the generator to standard output, for a battery of tests"
EXAMPLES = """\
  rgs rng-stream | dieharder -g 200 -a
  rgs rng-stream --bytes 1e8 | ent
  rgs rng-stream --rounds | RNG_test stdin32      (the words that rounds are drawn from)"""

BLOCKS = 1 << 14
"""Blocks written at a time: 1 MiB."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_seed(parser)
    parser.add_argument("--bytes", type=count, metavar="N", help="how much (default: until the reader goes away)")
    parser.add_argument(
        "--rounds",
        action="store_true",
        help="the first block of each round, nonce after nonce, as outcomes use them; "
        "default: one nonce, block after block, of the stream for statistics",
    )
    parser.add_argument("--first-nonce", type=nonce, default=0, metavar="N", help="nonce to begin with (default: 0)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Words are little endian on every machine."""
    if sys.stdout.isatty():
        raise ValueError("raw bytes are not for a terminal; pipe them: rgs rng-stream | ent")
    key, simd, left = chosen_key(args), chosen(), args.bytes
    stream = STREAM_OUTCOME if args.rounds else STREAM_STATISTICS
    number, counter = args.first_nonce, 0
    while left is None or left > 0:
        if args.rounds:
            blocks = min(BLOCKS, 2**64 - number)
            words = keystream(key, 0, stream, number, blocks, by_nonce=True, simd=simd)
            number = (number + blocks) % 2**64
        else:
            words = keystream(key, counter, stream, number, BLOCKS, simd=simd)
            counter += BLOCKS
            if counter == 2**32:
                counter, number = 0, (number + 1) % 2**64
        if sys.byteorder == "big":
            words.byteswap()
        data = memoryview(words).cast("B")
        if left is not None:
            data = data[: min(left, len(data))]
            left -= len(data)
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return OK
