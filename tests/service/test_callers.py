"""Who may call: keys that change under load, networks, proxies, TLS and certificates of callers."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
from certificates import Authority
from rgs_server.addresses import caller, networks
from rgs_server.client import Client, Credentials, Reply, client_context
from rgs_server.config import Config, ConfigError, read_config
from rgs_server.operators import OperatorRefused, add_operator, change_operator
from rgs_server.tls import server_context
from service_process import Service, run, wait_for

GAMES = "/rgs/v1/games"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Service]:
    """A service with mutual TLS behind a proxy of its own host."""
    folder = tmp_path_factory.mktemp("secured")
    shutil.copy(authority.issue("service"), folder / "service.pem")
    running = Service(
        folder,
        workers=1,
        tls_cert_file=str(folder / "service.pem"),
        tls_client_ca_file=str(authority.path),
        trusted_proxies="127.0.0.0/8",
        key_cache_s=0,
    )
    running.tls = client_context(str(authority.path), str(authority.issue("platform")))
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


def changed(service: Service, operator_id: str, **changes: object) -> None:
    config = replace(service.config, database_url=service.database_url)
    run(change_operator(config, operator_id, **changes))  # type: ignore[arg-type]


def code(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.json()["code"])


# --- Keys ------------------------------------------------------------------------------------------------


def test_changing_keys_under_load_loses_no_request(secured: Service) -> None:
    config = replace(secured.config, database_url=secured.database_url)
    old = secured.add_operator("op-rotating")

    async def job() -> tuple[list[str], str, str]:
        answers: list[str] = []
        using = old
        stopped = False

        async def load() -> None:
            while not stopped:
                credentials = using
                async with Client(credentials, secured.tls) as client:
                    answers.append(code(await client.send("GET", GAMES)))

        tasks = [asyncio.create_task(load()) for _ in range(4)]
        await asyncio.sleep(0.3)
        new = await add_operator(config, "op-rotating", "key-newer", reveal_seeds=False)
        await asyncio.sleep(0.3)
        using = new
        await asyncio.sleep(0.3)
        await change_operator(config, "op-rotating", retire=old.key_id)
        await asyncio.sleep(0.3)
        stopped = True
        await asyncio.gather(*tasks)
        async with Client(old, secured.tls) as client:
            retired = code(await client.send("GET", GAMES))
        async with Client(replace(old, secret="guess"), secured.tls) as client:
            guessed = code(await client.send("GET", GAMES))
        return answers, retired, guessed

    answers, retired, guessed = run(job())
    assert len(answers) > 20
    assert set(answers) == {""}
    assert retired == "KEY_RETIRED"
    assert guessed == "SIGNATURE_INVALID"  # only its owner learns that a key is retired


def test_a_retired_key_is_not_opened_again(secured: Service) -> None:
    config = replace(secured.config, database_url=secured.database_url)
    secured.add_operator("op-retired")
    changed(secured, "op-retired", retire="key-op-retired")
    with pytest.raises(OperatorRefused, match="no live key"):
        changed(secured, "op-retired", retire="key-op-retired")
    with pytest.raises(OperatorRefused, match="choose another id"):
        run(add_operator(config, "op-retired", "key-op-retired", reveal_seeds=False))
    with pytest.raises(OperatorRefused, match="no operator"):
        changed(secured, "op-nobody", networks=[ip_network("10.0.0.0/8")])


# --- Networks --------------------------------------------------------------------------------------------


def through(service: Service, credentials: Credentials, *forwarded: str) -> str:
    async def job() -> Reply:
        async with service.client(credentials) as client:
            headers = {"X-Forwarded-For": ", ".join(forwarded)} if forwarded else None
            return await client.send("GET", GAMES, headers=headers)

    return code(run(job()))


def test_an_operator_calls_from_its_networks_only(secured: Service) -> None:
    mine = secured.add_operator("op-networks")
    changed(secured, "op-networks", networks=[ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])
    assert through(secured, mine, "192.0.2.7") == ""
    assert through(secured, mine, "2001:db8::7") == ""
    assert through(secured, mine, "203.0.113.9, 192.0.2.7") == ""  # what comes first anybody can write
    for forwarded in ((), ("203.0.113.9",), ("192.0.2.7", "203.0.113.9"), ("192.0.2.7", "nonsense"), ("",)):
        assert through(secured, mine, *forwarded) == "FORBIDDEN", forwarded
    changed(secured, "op-networks", networks=[ip_network("127.0.0.0/8")])
    assert through(secured, mine) == ""
    changed(secured, "op-networks", networks=[])
    assert through(secured, mine, "203.0.113.9") == ""


def test_without_trusted_proxies_nobody_says_where_he_is(service: Service) -> None:
    mine = service.add_operator("op-direct")
    changed(service, "op-direct", networks=[ip_network("192.0.2.0/24")])
    assert through(service, mine, "192.0.2.7") == "FORBIDDEN"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["192.0.2.7"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["1.1.1.1", "192.0.2.7,10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["192.0.2.7:1234"], None),
        ("", ["192.0.2.7"], None),
    ],
)
def test_the_address_of_a_caller(peer: str, forwarded: list[str], expected: str | None) -> None:
    found = caller(peer, forwarded, networks("10.0.0.0/8, fd00::/8"))
    assert (str(found) if found else None) == expected


def test_networks_that_are_none_are_named() -> None:
    for text, fault in (("10.0.0.1/8", "has host bits set"), ("here", "'here' is no network"), ("1.2.3.4/33", "/33")):
        with pytest.raises(ConfigError, match="RGS_TRUSTED_PROXIES") as caught:
            read_config({"RGS_TRUSTED_PROXIES": text})
        assert fault in str(caught.value)


# --- TLS -------------------------------------------------------------------------------------------------


def test_answers_over_tls_ask_for_tls(secured: Service, service: Service) -> None:
    assert secured.send("GET", GAMES).headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Strict-Transport-Security" not in service.send("GET", GAMES).headers


def test_without_a_certificate_of_the_authority_there_is_no_connection(
    secured: Service, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    assert secured.credentials is not None
    for certificate in (None, str(stranger.issue("platform"))):
        tls = client_context(str(authority.path), certificate)

        async def job(tls: ssl.SSLContext | None = tls) -> None:
            assert secured.credentials is not None
            async with Client(secured.credentials, tls) as client:
                await client.send("GET", GAMES)

        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            run(job())


def test_an_operator_calls_with_its_certificate_only(secured: Service, authority: Authority) -> None:
    mine = secured.add_operator("op-certificates")
    changed(secured, "op-certificates", certificates=["platform"])
    assert through(secured, mine) == ""

    async def other() -> Reply:
        async with Client(mine, client_context(str(authority.path), str(authority.issue("someone-else")))) as client:
            return await client.send("GET", GAMES)

    refused = run(other())
    assert code(refused) == "FORBIDDEN"
    assert "someone-else" in refused.json()["detail"]


def test_a_plain_connection_has_no_certificate(service: Service) -> None:
    mine = service.add_operator("op-plain")
    changed(service, "op-plain", certificates=["platform"])
    assert code(service.send("GET", GAMES, credentials=mine)) == "FORBIDDEN"


def handshake(service: Service, context: ssl.SSLContext) -> tuple[str | None, int]:
    """The version of TLS that is spoken, and the serial number of the service's certificate."""
    with (
        socket.create_connection(("127.0.0.1", service.config.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        shown = secure.getpeercert()
        assert shown is not None
        return secure.version(), int(str(shown["serialNumber"]), 16)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_versions_of_tls_are_refused(secured: Service, authority: Authority) -> None:
    context = client_context(str(authority.path), str(authority.issue("platform")))
    assert context is not None
    assert handshake(secured, context)[0] == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(secured, context)[0] == "TLSv1.2"
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        handshake(secured, context)


def test_certificates_change_without_a_restart(secured: Service, authority: Authority) -> None:
    context = client_context(str(authority.path), str(authority.issue("platform")))
    assert context is not None
    assert secured.process is not None
    file = Path(secured.config.tls_cert_file)
    before = handshake(secured, context)[1]

    async def job() -> None:
        async with secured.client() as client:  # one connection over both changes
            assert code(await client.send("GET", GAMES)) == ""
            shutil.copy(authority.issue("service"), file)
            secured.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            await asyncio.to_thread(wait_for, lambda: handshake(secured, context)[1] != before)
            assert code(await client.send("GET", GAMES)) == ""
            now = handshake(secured, context)[1]
            file.write_text("nothing of use")
            secured.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            await asyncio.to_thread(wait_for, lambda: "certificates stay as they are" in secured.log_text())
            assert handshake(secured, context)[1] == now
            assert code(await client.send("GET", GAMES)) == ""

    workers = secured.workers()
    run(job())
    assert secured.workers() == workers


def test_certificates_that_do_not_fit_are_named(authority: Authority, tmp_path: Path) -> None:
    good = str(authority.issue("service"))
    for settings, named in (
        ({"tls_key_file": good}, "RGS_TLS_KEY_FILE is set without RGS_TLS_CERT_FILE"),
        ({"tls_cert_file": str(tmp_path / "none.pem")}, "RGS_TLS_CERT_FILE"),
        ({"tls_cert_file": str(authority.path)}, "no usable certificate with its key"),
        ({"tls_cert_file": good, "tls_client_ca_file": str(tmp_path)}, "RGS_TLS_CLIENT_CA_FILE"),
    ):
        with pytest.raises(ConfigError, match=named):
            server_context(Config(**settings))  # type: ignore[arg-type]
    assert server_context(Config()) is None
