"""rgs spin: play one round of a seed and draw it."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.markup import escape

from rgs_core.commands.arguments import (
    OK,
    add_game,
    add_json,
    add_policy,
    add_seed,
    chosen_build,
    chosen_key,
    chosen_server_seed,
    nonce,
)
from rgs_core.commands.drawing import draw_callback_note, draw_round
from rgs_core.engine.playing import player
from rgs_core.language.model import BASE_MODE
from rgs_core.seeds import commitment

HELP = "play round NONCE of a seed and draw it"
EXAMPLES = """\
  rgs spin lantern_tide --nonce 7
  rgs spin ember_sevens --profile rtp_93 --seed demo --nonce 12 --json > record.json   (rgs replay reads it)
  rgs spin lantern_tide --server-seed 00…00 --client-seed me --nonce 3"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_policy(parser)
    add_seed(parser)
    parser.add_argument("--nonce", type=nonce, default=0, help="number of the round (default: %(default)s)")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    build, _ = chosen_build(args)
    outcome = player(build).spin(chosen_key(args), args.nonce)
    if args.json:
        seed = chosen_server_seed(args)
        record = {
            "game": build.model.id,
            "profile": build.profile.name,
            **({} if build.mode == BASE_MODE else {"mode": build.mode}),
            **({"policy": build.policy} if build.policy else {}),
            "build_hash": build.build_hash,
            **({"callbacks": dict(build.model.callbacks)} if build.model.callbacks else {}),
            "server_seed": seed.hex(),
            "seed_commitment": commitment(seed),
            "client_seed": args.client_seed,
            "nonce": args.nonce,
            "outcome_digest": outcome.digest(),
        }
        print(json.dumps({**record, **outcome.as_dict()}, indent=2))
        return OK
    console.print(f"[bold]{escape(build.model.title)}[/bold] {build.label}, round {args.nonce}")
    draw_round(console, build, outcome)
    draw_callback_note(console, build)
    return OK
