"""One service for the whole folder; each test opens sessions of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service_process import Service, run, session_body

_numbers = itertools.count()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("service")), workers=2)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


@pytest.fixture
def new_session(service: Service) -> Callable[[], str]:
    """Opens a session of Lantern Tide and returns its id."""

    def make() -> str:
        session_id = f"session-{next(_numbers)}"

        async def job() -> None:
            async with service.client() as client:
                reply = await client.send("POST", "/rgs/v1/sessions", session_body(session_id))
                assert reply.status == 200, reply.body

        run(job())
        return session_id

    return make
