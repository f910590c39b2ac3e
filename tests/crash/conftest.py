"""One rig for all that is done to it; every case has sessions of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crash.fault_rig import Rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("faults")) as running:
        yield running
