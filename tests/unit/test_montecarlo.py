"""Simulation as a tool: shards, stopping, saving, keeping, and other machines; all to the same bits."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rgs_core import Engine, derive_key, games
from rgs_core.__main__ import main
from rgs_core.errors import SimulationError
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import JackpotWin
from rgs_core.simulation import montecarlo
from rgs_core.simulation.cluster import remote_shard
from rgs_core.simulation.kept_rounds import Keep
from rgs_core.simulation.montecarlo import (
    EDGES_TENTHS,
    SHARD_ROUNDS,
    TABLE_EDGES_TENTHS,
    Simulation,
    Until,
    local_shard,
    restored,
    simulate,
)

BUILD, _ = games.find_build("lantern_tide")
KEY = derive_key(bytes(32), "montecarlo")
ROUNDS = 12 * SHARD_ROUNDS + 12_345


def interrupt_after(shards: int) -> Callable[[int, Callable[[], Simulation]], None]:
    """A progress function that presses Ctrl-C once so many shards are merged."""

    def progress(rounds: int, _: Callable[[], Simulation]) -> None:
        if rounds >= shards * SHARD_ROUNDS:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def whole() -> Simulation:
    return simulate(BUILD, KEY, ROUNDS, threads=2, keep=Keep(Decimal(100)))


def test_a_simulation_is_the_sum_of_its_rounds(whole: Simulation) -> None:
    wins = Engine(BUILD).wins(KEY, 0, ROUNDS)
    stake = BUILD.model.stake_units
    assert whole.totals["win"] == int(wins.sum())
    assert whole.rtp == pytest.approx(wins.mean() / stake)
    assert whole.sd == pytest.approx(wins.std(ddof=1) / stake)
    for edges, counted in ((EDGES_TENTHS, whole.classes), (TABLE_EDGES_TENTHS, whole.distribution)):
        limits = [-1, *(edge * stake // 10 for edge in edges), 10**18]
        expected = [int(((wins > low) & (wins <= high)).sum()) for low, high in itertools.pairwise(limits)]
        assert counted.tolist() == expected
    big = [(int(i), int(wins[i])) for i in (wins >= 100 * stake).nonzero()[0]]
    assert list(whole.kept) == big
    assert len(big) > 50
    end = whole.convergence()[-1]
    assert end.tolist() == pytest.approx([ROUNDS, whole.rtp, whole.sd / ROUNDS**0.5])
    assert whole.finished


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(whole: Simulation, threads: int) -> None:
    assert simulate(BUILD, KEY, ROUNDS, threads=threads, keep=whole.keep) == whole


def test_the_order_in_which_shards_come_changes_nothing(whole: Simulation) -> None:
    """An executor of several threads whose shards are held back for random times."""
    rng = random.Random(3)
    play = local_shard(BUILD, KEY, whole.keep)

    def slowly(first: int, n: int) -> dict[str, Any]:
        time.sleep(rng.random() / 50)
        return play(first, n)

    with ThreadPoolExecutor(4) as executor:
        for together in (1, 2, 3):
            result = simulate(
                BUILD, KEY, ROUNDS, keep=whole.keep, executor=executor, shard=slowly, threads=4, together=together
            )
            assert result == whole


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_what_was_interrupted_goes_on_to_the_same_bits(shards: int) -> None:
    rounds, keep = 80 * SHARD_ROUNDS + 321, Keep(Decimal(100))
    part = simulate(BUILD, KEY, rounds, threads=2, keep=keep, progress=interrupt_after(shards))
    assert not part.finished
    assert shards * SHARD_ROUNDS <= part.rounds < rounds
    saved = restored(BUILD, json.loads(json.dumps(part.state())))
    assert saved == part
    straight = simulate(BUILD, KEY, rounds, threads=2, keep=keep)
    assert simulate(BUILD, KEY, rounds, threads=2, keep=keep, resume=saved) == straight


def test_a_finished_simulation_can_go_on_to_more_rounds(whole: Simulation) -> None:
    """The last shard of the smaller one was cut short; it is played again in full."""
    small = simulate(BUILD, KEY, 2 * SHARD_ROUNDS + 99, threads=2, keep=whole.keep)
    assert simulate(BUILD, KEY, ROUNDS, keep=whole.keep, resume=small) == whole
    tiny = simulate(BUILD, KEY, 99, keep=whole.keep)
    assert simulate(BUILD, KEY, ROUNDS, keep=whole.keep, resume=tiny) == whole
    assert simulate(BUILD, KEY, ROUNDS, keep=whole.keep, resume=whole) == whole
    with pytest.raises(SimulationError, match="cannot be gone on with to"):
        simulate(BUILD, KEY, SHARD_ROUNDS, keep=whole.keep, resume=whole)


def test_a_rule_stops_at_the_same_round_however_it_is_played() -> None:
    until = Until.parse("rtp=0.7%@95")
    one = simulate(BUILD, KEY, 100 * SHARD_ROUNDS, threads=1, until=until)
    assert until.reached(one)
    assert one.rounds < 100 * SHARD_ROUNDS
    assert simulate(BUILD, KEY, 100 * SHARD_ROUNDS, threads=4, until=until) == one
    shorter = simulate(BUILD, KEY, one.rounds - SHARD_ROUNDS, threads=1, until=until)
    assert not until.reached(shorter)
    low, high = one.rtp_interval(0.95)
    assert (high - low) / 2 <= 0.007
    for rule in ("hit_frequency=0.1%@99", "feature_frequency=0.05%@90"):
        result = simulate(BUILD, KEY, 100 * SHARD_ROUNDS, threads=2, until=Until.parse(rule))
        assert result.finished
        assert str(result.until) == rule


@pytest.mark.parametrize("text", ["rtp=0.02", "rtp=0.02%", "sd=1%@99", "rtp=0%@99", "rtp=1%@100", "rtp=..%@99", ""])
def test_a_rule_that_is_none_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"the width is above|is not of the form rtp=0\.02%@99"):
        Until.parse(text)


@pytest.mark.parametrize("text", ["win>500", "500x", "win>=x", "win>=-1x", "win>=0x", "win>=1e9x", "trigger:", "jack"])
def test_what_to_keep_shows_the_form(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not of the form win>=500x .in stakes., jackpot, feature, capped or trigger"
    ):
        Keep.parse(text)


def eventful() -> Build:
    """A game with a jackpot, retriggers and a maximum win that are not rare, and a feature to buy."""
    text = games.find("fossil_coast").read_text("utf-8").replace("win = 5000 ", "win = 20 ")
    text = re.sub(r"out_of = \d+", "out_of = 300", text) + '\n[modes.buy]\ncost = 800\nstart = "dig"\nspins = 3\n'
    return loads(text).build()


def happened(build: Build, outcome: Any, rule: str) -> bool:
    """Whether a round has what a rule looks for, by its record."""
    awards = [award for spin in outcome.spins for award in spin.awards]
    if rule == "jackpot":
        return any(isinstance(award, JackpotWin) for award in awards)
    if rule == "capped":
        return bool(outcome.capped)
    if rule == "feature":
        return len(outcome.spins) > build.play.spins
    return any(award.trigger == rule.removeprefix("trigger:") for award in awards)


@pytest.mark.parametrize("rule", ["jackpot", "capped", "feature", "trigger:Dig", "trigger:Again"])
def test_rounds_in_which_something_happens_are_kept(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, whatever plays them: threads, a saved run that goes on, other machines."""
    build, keep = eventful(), Keep.parse(rule)
    assert str(keep) == rule
    monkeypatch.setattr(montecarlo, "SHARD_ROUNDS", 1000)
    monkeypatch.setattr(montecarlo, "BLOCK_ROUNDS", 300)
    engine = Engine(build)
    outcomes = {nonce: engine.spin(KEY, nonce) for nonce in range(7, 4807)}
    expected = tuple((n, o.win_units) for n, o in outcomes.items() if happened(build, o, rule))
    result = simulate(build, KEY, 4800, first_nonce=7, threads=2, keep=keep)
    assert result.kept == expected != ()
    part = simulate(build, KEY, 2500, first_nonce=7, keep=keep)
    saved = restored(build, json.loads(json.dumps(part.state())))
    assert simulate(build, KEY, 4800, first_nonce=7, keep=keep, resume=saved) == result
    text = games.find("fossil_coast").read_text("utf-8")
    here, _ = games.find_build("fossil_coast")
    sent = pickle.loads(pickle.dumps(remote_shard(text, here, KEY, keep)))
    assert sent(0, 2000) == local_shard(here, KEY, keep)(0, 2000)
    monkeypatch.setattr(montecarlo, "KEPT_MAX", 3)
    assert simulate(build, KEY, 4800, first_nonce=7, threads=2, keep=keep).kept == expected[:3]


def test_other_machines_play_the_mode() -> None:
    text = games.find("clockwork_aviary").read_text("utf-8")
    for label in ("clockwork_aviary@buy", "clockwork_aviary@ante"):
        build, _ = games.find_build(label)
        assert remote_shard(text, build, KEY, None)(0, 500) == local_shard(build, KEY, None)(0, 500)


@pytest.mark.parametrize(
    ("game", "rule", "message"),
    [
        ("ember_sevens", "feature", "no state beside the paid spin"),
        ("ember_sevens", "jackpot", "ember_sevens has no jackpot trigger"),
        ("ember_sevens", "capped", "no maximum win .caps.win."),
        ("ember_sevens", "trigger:Dig", "no trigger 'Dig'; it has none"),
        ("fossil_coast", "trigger:Dog", "no trigger 'Dog'; its triggers are Dig, Grand, Again"),
    ],
)
def test_what_no_round_can_have_is_refused(game: str, rule: str, message: str) -> None:
    build, _ = games.find_build(game)
    with pytest.raises(ValueError, match=message):
        simulate(build, KEY, 10, keep=Keep.parse(rule))


def test_standard_errors(whole: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a mean of independent rounds; the command prints them, in JSON too."""
    assert whole.rtp_error == pytest.approx(whole.sd / whole.rounds**0.5)
    low, high = whole.rtp_interval(0.95)
    assert high - low == pytest.approx(2 * 1.959964 * whole.rtp_error, rel=1e-6)
    hits = np.repeat([1.0, 0.0], [whole.totals["hits"], whole.rounds - whole.totals["hits"]])
    assert whole.frequency_error(whole.totals["hits"]) == pytest.approx(hits.std() / whole.rounds**0.5)
    assert main(["simulate", "lantern_tide", "--spins", "50000"]) == 0
    out = capsys.readouterr().out
    assert main(["simulate", "lantern_tide", "--spins", "50000", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert "standard error" in out
    for name in ("rtp", "hit_frequency", "feature_frequency"):
        assert f"{figures[f'{name}_standard_error'] * 100:.6f} %" in out
    assert f"{figures['volatility_index']:.6f}" in out


def test_no_more_than_some_are_kept(monkeypatch: pytest.MonkeyPatch, whole: Simulation) -> None:
    monkeypatch.setattr(montecarlo, "KEPT_MAX", 7)
    assert simulate(BUILD, KEY, ROUNDS, threads=2, keep=whole.keep).kept == whole.kept[:7]


def test_a_saved_simulation_of_something_else_is_refused(whole: Simulation) -> None:
    state = json.loads(json.dumps(whole.state()))
    other, _ = games.find_build("lantern_tide/rtp_94")
    with pytest.raises(SimulationError, match=r"it is of build sha256:.*rtp_96.*not of sha256:.*rtp_94"):
        restored(other, state)
    for broken in ({**state, "format": 9}, {**state, "totals": {**state["totals"], "win": 1}}, {"format": 1}, {}):
        with pytest.raises(SimulationError, match=r"format is 9|contradict each other|no saved simulation"):
            restored(BUILD, broken)
    with pytest.raises(SimulationError, match="another key id"):
        simulate(BUILD, derive_key(bytes(32), "x"), ROUNDS, keep=whole.keep, resume=whole)
    with pytest.raises(SimulationError, match="another first nonce: 0, not 5"):
        simulate(BUILD, KEY, ROUNDS, first_nonce=5, keep=whole.keep, resume=whole)
    with pytest.raises(SimulationError, match="another keep"):
        simulate(BUILD, KEY, ROUNDS, resume=whole)
    with pytest.raises(SimulationError, match="another build"):
        simulate(BUILD, KEY, ROUNDS, keep=whole.keep, resume=replace(whole, build=other))


def test_nothing_done_is_an_interruption() -> None:
    def shard(first: int, n: int) -> dict[str, Any]:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        simulate(BUILD, KEY, 1000, executor=executor, shard=shard)


# --- The command -----------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_was_done_and_resume_goes_on(tmp_path: Path) -> None:
    """A real process, a real signal; the sum of both parts is that of one run."""
    file = tmp_path / "run.json"
    rounds = "2e8"
    command = [sys.executable, "-m", "rgs_core", "simulate", "ember_sevens", "--spins", rounds, "--seed", "s"]
    process = subprocess.Popen(
        [*command, "--save", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # It plays when it has used more time than it takes to start, however busy the machine is.
    ticks = os.sysconf("SC_CLK_TCK")
    while sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) < 2 * ticks:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, (out, error)
    assert f"go on with --resume {file}" in error
    assert "RTP" in out
    done = json.loads(file.read_text())
    assert not done["finished"]
    resumed = subprocess.run(
        [sys.executable, "-m", "rgs_core", "simulate", "ember_sevens", "--seed", "s", "--resume", str(file), "--json"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    straight = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(resumed.stdout) == json.loads(straight.stdout)
    assert json.loads(file.read_text())["finished"]
    assert os.listdir(tmp_path) == ["run.json"]


def test_kept_rounds_can_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "lantern_tide", "--spins", "3e6", "--keep", "win>=150x", "--json"]) == 0
    kept = json.loads(capsys.readouterr().out)["kept"]
    assert kept
    assert main(["spin", "lantern_tide", "--nonce", str(kept[0]["nonce"]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["win_units"] == kept[0]["win_units"]
    assert main(["simulate", "lantern_tide", "--spins", "3e6", "--keep", "win>=150x"]) == 0
    assert f"rgs spin lantern_tide --nonce {kept[0]['nonce']}" in capsys.readouterr().out
    assert main(["simulate", "lantern_tide", "--spins", "1000", "--keep", "win>=60000x"]) == 0
    assert "no round to keep: win>=60000x" in capsys.readouterr().out


def test_files_that_cannot_be_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    assert main(["simulate", "ember_sevens", "--spins", "1000", "--save", str(file)]) == 0
    capsys.readouterr()
    for arguments, message in (
        (["--seed", "other"], "another seed"),
        (["--first-nonce", "5"], "--first-nonce cannot change"),
        (["--keep", "win>=5x"], "--keep cannot change"),
    ):
        assert main(["simulate", "ember_sevens", "--resume", str(file), *arguments]) == 2
        assert message in capsys.readouterr().err
    assert main(["simulate", "lantern_tide", "--resume", str(file)]) == 2
    assert "it is of build" in capsys.readouterr().err
    file.write_text("{")
    assert main(["simulate", "ember_sevens", "--resume", str(file)]) == 2
    assert f"{file} cannot be gone on with" in capsys.readouterr().err
    assert main(["simulate", "ember_sevens", "--resume", str(tmp_path / "none.json")]) == 2
    assert "a run with --save FILE writes one" in capsys.readouterr().err
    assert main(["simulate", "ember_sevens", "--save", str(tmp_path / "no/run.json")]) == 2
    assert "no folder for" in capsys.readouterr().err


def test_a_rule_that_is_not_reached_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "ember_sevens", "--until", "rtp=0.01%@99", "--spins", "1e6"]) == 1
    assert "rtp=0.01%@99 was not reached in 1,000,000 rounds" in capsys.readouterr().err


# --- Other machines --------------------------------------------------------------------------------


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Any:
    """A scheduler and two workers, processes of their own: (address, workers)."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    folder = str(tmp_path)
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", f"{folder}/scheduler.json"],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    file = tmp_path / "scheduler.json"
    for _ in range(200):
        if file.exists() and file.read_text().strip().endswith("}"):
            break
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    command += ["--no-dashboard", "--local-directory", folder]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    workers = [subprocess.Popen(command, cwd=folder, env=environment, **quiet) for _ in range(2)]
    from distributed import Client

    with Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in [*workers, scheduler]:
        process.kill()
        process.wait(10)


def test_a_cluster_gives_the_same_bits_even_when_a_worker_is_killed(dask_cluster: Any) -> None:
    from rgs_core.simulation.cluster import Cluster, remote_shard

    address, workers = dask_cluster
    rounds = 400 * SHARD_ROUNDS + 777
    keep = Keep(Decimal(300))
    path = games.find("lantern_tide")
    killed = []

    def kill_one(done: int, _: Callable[[], Simulation]) -> None:
        if not killed and done > rounds // 4:
            workers[0].send_signal(signal.SIGKILL)
            killed.append(done)

    with Cluster(address) as cluster:
        assert cluster.threads == 2
        result = simulate(
            BUILD, KEY, rounds, keep=keep, executor=cluster.executor, threads=2, together=16, progress=kill_one,
            shard=remote_shard(path.read_text("utf-8"), BUILD, KEY, keep),
        )  # fmt: skip
    assert killed
    assert workers[0].wait(10) == -signal.SIGKILL
    assert result == simulate(BUILD, KEY, rounds, keep=keep, threads=2)


def test_the_command_on_a_cluster(dask_cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    address, _ = dask_cluster
    arguments = ["simulate", "ember_sevens", "--spins", "3e6", "--json"]
    assert main(arguments) == 0
    here = json.loads(capsys.readouterr().out)
    assert main([*arguments, "--cluster", address]) == 0
    assert json.loads(capsys.readouterr().out) == here


def test_no_cluster_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import rgs_core.simulation.cluster

    real = rgs_core.simulation.cluster.Cluster
    monkeypatch.setattr("rgs_core.commands.simulate.Cluster", lambda address: real(address, timeout_s=0.5))
    assert main(["simulate", "ember_sevens", "--spins", "1000", "--cluster", "tcp://127.0.0.1:9"]) == 2
    assert "no Dask scheduler at tcp://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nonsense", "", "foo://x", "tcp://host"])
def test_an_address_that_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "ember_sevens", "--spins", "1000", f"--cluster={address}"]) == 2
    assert "no address of a scheduler, as tcp://" in capsys.readouterr().err


@pytest.mark.parametrize("shards", [1, 2])
def test_a_saved_run_of_whole_shards_goes_on(shards: int, whole: Simulation) -> None:
    small = simulate(BUILD, KEY, shards * SHARD_ROUNDS, keep=whole.keep)
    assert simulate(BUILD, KEY, ROUNDS, keep=whole.keep, resume=restored(BUILD, small.state())) == whole


@pytest.mark.parametrize(
    "change",
    [{"hits": 0}, {"win_squared": 1}, {"features": "x"}, {"features": -1}, {"parts": [{}, {}]}],
)
def test_a_state_that_was_changed_is_refused(change: dict[str, Any], whole: Simulation) -> None:
    state = json.loads(json.dumps(whole.state()))
    with pytest.raises(SimulationError, match=r"contradict each other|no saved simulation"):
        restored(BUILD, {**state, "totals": {**state["totals"], **change}})
    with pytest.raises(SimulationError, match="no saved simulation"):
        restored(BUILD, {**state, "until": 5})


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "ember_sevens", "--spins", "1000", "--save", str(tmp_path)]) == 2
    assert "is a folder; name a file" in capsys.readouterr().err


def test_a_worker_with_another_version_is_refused() -> None:
    from rgs_core.simulation.cluster import play_remote_shard

    with pytest.raises(SimulationError, match="install the same rgs-core"):
        play_remote_shard(games.find("lantern_tide").read_text("utf-8"), "rtp_96", "base", "sha256:0", KEY, None, 0, 10)
