"""The script and the page that verify a finished session: both find right what is right, and every damage to it."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rgs_core import Engine, commitment, derive_key, games
from rgs_core.__main__ import main
from rgs_core.audit.merkle import inclusion_spans, leaf_hash, root_of
from rgs_core.audit.sessions import session_document
from rgs_core.errors import AuditError
from rgs_core.language.model_file import load

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs/verify/verify_session.py"
PAGE = ROOT / "server/rgs_server/audit/assets/verify_session.html"
NODE = shutil.which("node")
SEED = bytes(range(32))
CLIENT_SEED = "any wörds"
ROUNDS = 12
GAMES = ("lantern_tide", "salt_codex", "clockwork_aviary", "canopy_rise")
"""Free spins, special symbols, drawn heights, cascades."""


def records(game: str) -> list[dict[str, Any]]:
    """As the service writes them, by the engine."""
    build = load(games.find(game)).build()
    engine = Engine(build)
    found = []
    for nonce in range(ROUNDS):
        outcome = engine.spin(derive_key(SEED, CLIENT_SEED), nonce)
        found.append(
            {
                "build_hash": build.build_hash,
                "mode": "base",
                "seed_commitment": commitment(SEED),
                "server_seed": SEED.hex(),
                "client_seed": CLIENT_SEED,
                "nonce": nonce,
                "win_units": outcome.win_units,
                "outcome_digest": outcome.digest(),
                "spin_id": f"spin-{nonce}",
                "session_id": "s-1",
            }
        )
    return found


def logged(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Records with their places in a log that holds them among others, and that log."""
    leaves: list[str] = []
    for record in found:
        fact = {name: record[name] for name in ("session_id", "spin_id", "nonce", "win_units", "outcome_digest")}
        leaves += [
            json.dumps({"kind": "session", "fact": {}}),
            json.dumps({"kind": "spin", "fact": fact}, ensure_ascii=False),
        ]
    hashes = [leaf_hash(leaf.encode()) for leaf in leaves]

    def path(position: int) -> list[str]:
        return [root_of(hashes[span.first : span.end]).hex() for span in inclusion_spans(position, len(leaves))]

    proofs = [{"leaf": leaves[n], "position": n, "path": path(n)} for n in range(1, len(leaves), 2)]
    log = {"size": len(leaves), "root": root_of(hashes).hex(), "checkpoint": "a signed note"}
    return [record | proof for record, proof in zip(found, proofs, strict=True)], log


def of_log(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int, dict[str, Any]]:
    given, log = logged(found)
    return given, ROUNDS, log


def session(game: str = "lantern_tide") -> dict[str, Any]:
    build = load(games.find(game)).build()
    document: dict[str, Any] = json.loads(json.dumps(session_document(*of_log(records(game)), lambda _: build)))
    return document


def script() -> Any:
    spec = importlib.util.spec_from_file_location("verify_session", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_page(documents: list[dict[str, Any]], told: str = "", root: str = "") -> list[tuple[bool, str]]:
    """What the page says of each document; its own script, run by node."""
    assert NODE is not None
    (code,) = re.findall(r"<script>(.*?)</script>", PAGE.read_text("utf-8"), re.DOTALL)
    ask = (
        "\nconst given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify(given[0].map((text) => verdict(text, given[1], given[2]))));"
    )
    given = json.dumps([[json.dumps(document) for document in documents], told, root])
    done = subprocess.run([NODE, "-e", code + ask], input=given, capture_output=True, text=True, check=True)
    return [(right, text) for right, text in json.loads(done.stdout)]


def rewritten(played: dict[str, Any], *, leaf: bool = False) -> None:
    """Makes another win of a round; with `leaf` what the log is said to hold fits to it."""
    played["outcome"]["win_units"] += 5
    text = json.dumps(played["outcome"], sort_keys=True, separators=(",", ":"))
    if leaf:
        fact, digest = json.loads(played["leaf"]), hashlib.sha256(text.encode()).hexdigest()
        fact["fact"].update(win_units=played["outcome"]["win_units"], outcome_digest=digest)
        played["leaf"] = json.dumps(fact)


def damages() -> Iterator[tuple[str, dict[str, Any]]]:
    """Sessions with something wrong in each."""
    right = session()

    def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        document = copy.deepcopy(right)
        change(document)
        return document

    other = hashlib.sha256(b"other").hexdigest()
    yield "another seed", changed(lambda d: d.update(server_seed=other))
    yield (
        "another seed with its commitment",
        changed(
            lambda d: d.update(server_seed=other, seed_commitment=hashlib.sha256(bytes.fromhex(other)).hexdigest())
        ),
    )
    yield "another client seed", changed(lambda d: d.update(client_seed="others"))
    yield "another commitment", changed(lambda d: d.update(seed_commitment=other))
    yield "a round more was played", changed(lambda d: d.update(rounds_played=ROUNDS + 1))
    for n in range(ROUNDS):
        yield f"round {n} lost", changed(lambda d, n=n: d["rounds"].pop(n))
        yield f"round {n} doubled", changed(lambda d, n=n: d["rounds"].insert(n, d["rounds"][n]))
        yield f"another win of round {n}", changed(lambda d, n=n: d["rounds"][n]["outcome"].update(win_units=7777))
        # A win that was changed together with the leaf that says so.
        yield f"another win of round {n}, alone", changed(lambda d, n=n: rewritten(d["rounds"][n]))
        yield f"another win of round {n} with its leaf", changed(lambda d, n=n: rewritten(d["rounds"][n], leaf=True))
        yield f"another place of round {n}", changed(lambda d, n=n: d["rounds"][n].update(position=2 * n))
        yield f"no path of round {n}", changed(lambda d, n=n: d["rounds"][n].update(path=[]))
        yield f"no numbers of round {n}", changed(lambda d, n=n: d["rounds"][n]["draws"].__setitem__(0, []))
        yield f"no spins of round {n}", changed(lambda d, n=n: d["rounds"][n].update(draws=[]))
        for spin, numbers in enumerate(right["rounds"][n]["draws"]):
            for place, (bound, value) in enumerate(numbers):
                wrong = [bound, (value + 1) % bound if bound > 1 else 1]
                yield (
                    f"number {n}/{spin}/{place}",
                    changed(
                        lambda d, n=n, spin=spin, place=place, wrong=wrong: d["rounds"][n]["draws"][spin].__setitem__(
                            place, wrong
                        )
                    ),
                )
    yield "another session", changed(lambda d: d.update(session_id="s-2"))
    yield "another root", changed(lambda d: d["log"].update(root=other))
    yield "a larger log", changed(lambda d: d["log"].update(size=2 * d["log"]["size"]))
    yield "rounds in another order", changed(lambda d: d["rounds"].reverse())


def test_the_script_is_small_and_needs_nothing() -> None:
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= 100
    assert set(re.findall(r"^import (\w+)", text, re.MULTILINE)) <= sys.stdlib_module_names
    assert "from" not in re.findall(r"^(\w+) ", text, re.MULTILINE)


def test_the_page_loads_nothing() -> None:
    text = PAGE.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"https?://|src=|fetch\(|import\b|XMLHttpRequest|WebSocket", text.replace("script-src", ""))


@pytest.mark.parametrize("game", GAMES)
def test_right_sessions_are_found_right(game: str) -> None:
    document = session(game)
    found, drawn = script().faults(document, commitment(SEED), document["log"]["root"])
    assert (found, drawn) == ([], sum(len(s) for r in document["rounds"] for s in r["draws"]))
    if NODE:
        ((right, text),) = by_page([document], commitment(SEED), document["log"]["root"])
        assert (right, text) == (True, f"RIGHT: {ROUNDS} rounds, {drawn} numbers drawn anew")


def test_every_damage_is_found_by_both() -> None:
    damaged = dict(damages())
    assert len(damaged) > 100
    faults = script().faults
    missed = [name for name, document in damaged.items() if not faults(document)[0]]
    assert not missed
    if NODE:
        said = by_page(list(damaged.values()))
        assert not [name for name, (right, _) in zip(damaged, said, strict=True) if right]


def test_another_commitment_than_was_told() -> None:
    document = session()
    assert script().faults(document, "0" * 64)[0] == ["the commitment is not the one that you were told"]
    if NODE:
        assert by_page([document], "0" * 64) == [(False, "the commitment is not the one that you were told")]


def test_a_log_that_was_written_anew_has_another_root() -> None:
    """All of a session may be made to fit, but for what somebody else has kept."""
    document = session()
    kept = document["log"]["root"]
    found = records("lantern_tide")
    found[3]["win_units"] += 5
    document["rounds"][3]["outcome"]["win_units"] += 5
    text = json.dumps(document["rounds"][3]["outcome"], sort_keys=True, separators=(",", ":"))
    found[3]["outcome_digest"] = hashlib.sha256(text.encode()).hexdigest()
    given, document["log"] = logged(found)
    for played, record in zip(document["rounds"], given, strict=True):
        played.update({name: record[name] for name in ("leaf", "position", "path")})
    assert script().faults(document)[0] == [], "nothing in the file tells"
    assert script().faults(document, None, kept)[0] == ["the root of the log is not the one that you know"]
    if NODE:
        assert by_page([document], "", kept) == [(False, "the root of the log is not the one that you know")]


def test_the_commands_together(tmp_path: Path) -> None:
    given, out = tmp_path / "records.json", tmp_path / "session.json"
    rounds, played, log = of_log(records("lantern_tide"))
    given.write_text(json.dumps({"rounds_played": played, "records": rounds}))
    assert main(["audit", "session", str(given), "--out", str(out)]) == 2, "without a log"
    given.write_text(json.dumps({"rounds_played": played, "log": log, "records": rounds}))
    assert main(["audit", "session", str(given), "--out", str(out), "--key", "log+00000000+AAAA"]) == 2, "no such key"
    assert main(["audit", "session", str(given), "--out", str(out)]) == 0
    command = [sys.executable, "-I", str(SCRIPT), str(out)]
    done = subprocess.run([*command, commitment(SEED)], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:16]) == (0, f"RIGHT: {ROUNDS} rounds")
    document = json.loads(out.read_text())
    document["rounds"][3]["draws"][0][2][1] += 1
    out.write_text(json.dumps(document))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "round 3 (spin-3), spin 0: number 2 does not follow" in done.stdout


def test_what_is_no_finished_session(tmp_path: Path) -> None:
    build = load(games.find("lantern_tide")).build()
    right, _, log = of_log(records("lantern_tide"))
    for change, message in (
        ({"server_seed": None}, "is open"),
        ({"outcome_digest": "0" * 64}, "does not replay"),
        ({"seed_commitment": "0" * 64}, "committed"),
    ):
        with pytest.raises(AuditError, match=message):
            session_document([{**record, **change} for record in right], ROUNDS, log, lambda _: build)
    with pytest.raises(AuditError, match="another session"):
        session_document([right[0], {**right[1], "session_id": "s-2"}], 2, log, lambda _: build)
    with pytest.raises(AuditError, match="no round"):
        session_document([], 0, log, lambda _: build)
    with pytest.raises(AuditError, match="'spin-0' is not in the log"):
        session_document(right, ROUNDS, {**log, "root": "0" * 64}, lambda _: build)
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    assert main(["audit", "session", str(empty), "--out", str(tmp_path / "x")]) == 2
