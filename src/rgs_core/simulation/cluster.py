"""Simulation on other machines: the same shards on Dask distributed, merged to the same bits.

A shard is sent as the text of the model file, profile, mode and a range of nonces; the worker compiles
the build once, checks its hash, and returns integers. A shard whose worker dies is played by another.
Workers need rgs-core installed, in a version that gives the same build hash. The key travels to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache, partial
from typing import Any

from rgs_core.errors import SimulationError
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.simulation.kept_rounds import Keep
from rgs_core.simulation.montecarlo import Shard, local_shard


class Cluster:
    """A connection to a Dask scheduler; use it as a context.

    `address` as Dask has it: "tcp://host:8786", or "tls://..." with Dask's own configuration.
    Raises SimulationError when Dask is not installed or nobody answers.
    """

    def __init__(self, address: str, timeout_s: float = 10.0) -> None:
        if re.fullmatch(r"(tcp|tls|ws|wss)://[^\s/]+:\d+", address) is None:
            raise SimulationError(f"'{address}' is no address of a scheduler, as tcp://10.0.0.7:8786")
        try:
            from distributed import Client
        except ImportError:
            raise SimulationError("a cluster needs Dask: pip install 'rgs-core[cluster]'") from None
        try:
            self._client = Client(address, timeout=timeout_s, set_as_default=False)  # type: ignore[no-untyped-call]
        except Exception as error:  # Dask raises many kinds for an address that leads nowhere
            raise SimulationError(f"no Dask scheduler at {address}: {error}") from None
        self.threads = sum(self._client.nthreads().values())  # type: ignore[no-untyped-call]
        if self.threads == 0:
            self._client.close()  # type: ignore[no-untyped-call]
            raise SimulationError(f"the scheduler at {address} has no workers")

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    @property
    def executor(self) -> Executor:
        """The workers as an executor of the standard library."""
        return self._client.get_executor(retries=3)  # type: ignore[no-untyped-call,no-any-return]


def remote_shard(model_text: str, build: Build, key: bytes, keep: Keep | None) -> Shard:
    """A shard function that can be sent to another machine."""
    return partial(play_remote_shard, model_text, build.profile.name, build.mode, build.build_hash, key, keep)


def play_remote_shard(
    model_text: str, profile: str, mode: str, build_hash: str, key: bytes, keep: Keep | None, first: int, n: int
) -> dict[str, Any]:
    """Runs on a worker. Raises SimulationError when the worker's build is another."""
    return _compiled(model_text, profile, mode, build_hash, key, keep)(first, n)


@lru_cache(maxsize=8)
def _compiled(
    model_text: str, profile: str, mode: str, build_hash: str, key: bytes, keep: Keep | None
) -> Callable[[int, int], dict[str, Any]]:
    build = loads(model_text).build(profile, mode)
    if build.build_hash != build_hash:
        raise SimulationError(f"this worker builds {build.build_hash}, not {build_hash}: install the same rgs-core")
    return local_shard(build, key, keep)
