"""The load generator of the benches: connections that a server closes, and an early end."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bench_spins import Load

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CONNECTIONS = 4


class Server:
    """Answers requests in two parts. With the first of all it closes the connections that had none, and, if
    `closes_busy_ones`, that one too."""

    def __init__(self) -> None:
        self.closes_busy_ones = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self.lock = threading.Lock()
        self.requests = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # one that was closed here takes no answer
            while connection.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST:
                with self.lock:
                    self.requests += 1
                    number = self.requests
                    if number == 1:
                        self.close_others(connection)
                if number == 2:
                    time.sleep(0.5)  # what is due meanwhile goes over another connection
                connection.sendall(ANSWER[:30])
                time.sleep(0.01)
                connection.sendall(ANSWER[30:])

    def close_others(self, busy: socket.socket) -> None:
        for connection in list(self.connections):  # others come meanwhile
            if connection is not busy or self.closes_busy_ones:
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path, itertools.repeat(REQUEST))


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_idle_connections_that_the_server_closes_are_opened_again(load: Load, server: Server) -> None:
    cell = load.run(server.port, CONNECTIONS, 1.6, rate=5)
    # 8 are due; one more where the end of the load is seen late.
    assert cell.latencies.get_total_count() in (8, 9)
    assert cell.refused == 0
    assert len(server.connections) == 2 * CONNECTIONS - 1


def test_a_connection_that_is_closed_with_a_request_under_way_is_an_error(load: Load, server: Server) -> None:
    server.closes_busy_ones = True
    with pytest.raises(RuntimeError, match="with a request under way"):
        load.run(server.port, CONNECTIONS, 1.6, rate=5)


def test_a_load_that_is_stopped_waits_for_its_answers(load: Load, server: Server) -> None:
    running = load.start(load.prepare(1000), server.port, CONNECTIONS, 60, 5)
    while server.requests < 2 and running.process.poll() is None:
        time.sleep(0.01)
    running.stop()  # the second answer is under way for half a second
    cell = running.cell()
    assert cell.latencies.get_total_count() == server.requests < 10
    assert cell.ms(100) > 400
