"""Tokens of players: what opens a session, and every way to get in without one that is right."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rgs_server.__main__ import main
from rgs_server.client import Credentials, Reply
from rgs_server.contract.problems import KINDS
from rgs_server.operators import OperatorRefused, set_player_tokens
from rgs_server.player_tokens import acceptable
from service_process import Service, run, session_body

SESSIONS = "/rgs/v1/sessions"
_numbers = itertools.count()


@dataclass
class Platform:
    """Where an operator publishes its keys."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    fetched: int = 0
    url: str = ""


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A server of keys, whose answers tests change."""
    shown = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.fetched += 1
            body = json.dumps({"keys": shown.keys}).encode() if shown.body is None else shown.body
            self.send_response(shown.status)
            self.send_header("Location", shown.url)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shown.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
    yield shown
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Casino:
    """An operator that vouches for its players."""

    service: Service
    credentials: Credentials
    key: Any
    algorithm: str
    kid: str | None

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"sub": "p-1", "geo": "DE", "aud": "studio", "exp": now + 60, "jti": f"jti-{next(_numbers)}"}
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(self, *, signer: Any = None, alg: str = "", headers: dict[str, Any] | None = None, **changes: Any) -> str:
        named = {"kid": self.kid, **(headers or {})}
        return jwt.encode(
            self.claims(**changes),
            signer or self.key,
            alg or self.algorithm,
            headers={name: value for name, value in named.items() if value is not None},
        )

    def open(self, token: str, session_id: str = "", **changes: object) -> Reply:
        body = self.body(token, session_id, **changes)
        return self.service.send("POST", SESSIONS, body, credentials=self.credentials)

    def body(self, token: str, session_id: str = "", **changes: object) -> bytes:
        name = session_id or f"vouched-{next(_numbers)}"
        return session_body(name, self.credentials.operator_id, jwt=token, **changes)


def code(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.json()["code"])


def published(key: Any, kid: str, **members: str) -> dict[str, Any]:
    """The public half of a key as a platform shows it."""
    for algorithm, kind in (
        (jwt.algorithms.OKPAlgorithm, Ed25519PrivateKey),
        (jwt.algorithms.ECAlgorithm, ec.EllipticCurvePrivateKey),
        (jwt.algorithms.RSAAlgorithm, rsa.RSAPrivateKey),
    ):
        if isinstance(key, kind):
            shown: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined]
            return {**shown, "kid": kid, **members}
    raise TypeError(key)


def vouching(service: Service, keys: str, key: Any = None, algorithm: str = "EdDSA", kid: str | None = "k1") -> Casino:
    operator_id = f"op-casino-{next(_numbers)}"
    credentials = service.add_operator(operator_id)
    config = replace(service.config, database_url=service.database_url)
    secret = run(set_player_tokens(config, operator_id, keys, audience="studio", issuer=""))
    return Casino(service, credentials, secret or key, algorithm, kid)


@pytest.fixture
def casino(service: Service, platform: Platform) -> Casino:
    key = Ed25519PrivateKey.generate()
    platform.keys = [published(key, "k1")]
    return vouching(service, platform.url, key)


@pytest.fixture(scope="module")
def sharing(service: Service) -> Casino:
    """An operator that shares a secret with us."""
    return vouching(service, "shared", algorithm="HS256", kid=None)


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def hmac_signed(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """By hand, since the library refuses to take a public key for a secret."""
    text = unsigned({"alg": "HS256", **header}, claims).rstrip(".")
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(text.encode(), secret)
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


# --- Right tokens ----------------------------------------------------------------------------------------


def test_a_token_of_every_kind_of_key(service: Service, platform: Platform) -> None:
    keys: dict[str, tuple[Any, str, dict[str, str]]] = {
        "ed": (Ed25519PrivateKey.generate(), "EdDSA", {}),
        "p256": (ec.generate_private_key(ec.SECP256R1()), "ES256", {}),
        "p384": (ec.generate_private_key(ec.SECP384R1()), "ES384", {}),
        "rsa": (rsa.generate_private_key(65537, 2048), "RS256", {}),
        "pss": (rsa.generate_private_key(65537, 2048), "PS256", {"alg": "PS256"}),
    }
    platform.keys = [published(key, kid, **members) for kid, (key, _, members) in keys.items()]
    casino = vouching(service, platform.url)
    for kid, (key, algorithm, _) in keys.items():
        reply = casino.open(casino.token(signer=key, alg=algorithm, headers={"kid": kid}))
        assert reply.status == 200, (kid, reply.body)
    assert platform.fetched <= 2, "once for each worker"


def test_a_token_of_a_shared_secret(sharing: Casino) -> None:
    assert sharing.open(sharing.token()).status == 200
    assert sharing.open(sharing.token(rg_flags={"self_excluded": False})).status == 200


def test_operators_that_send_no_tokens_need_none(service: Service) -> None:
    for token in ("", "eyJhbGci…", "x.y.z"):
        reply = service.send("POST", SESSIONS, session_body(f"unvouched-{next(_numbers)}", jwt=token))
        assert reply.status == 200, reply.body


def test_a_retry_shows_its_token_again(casino: Casino) -> None:
    """The same session: also when the answer was lost, and when the token has expired since."""
    token = casino.token(exp=int(time.time()) + 1)
    first, again = casino.open(token, "retried"), casino.open(token, "retried")
    time.sleep(1.1)
    late, other = casino.open(token, "retried"), casino.open(casino.token(), "retried")
    assert first.status == 200
    assert {first.body} == {again.body, late.body, other.body}
    assert code(casino.open(casino.token(), "retried", player_id="p-2")) == "IDEMPOTENCY_CONFLICT"


def test_a_session_that_failed_may_be_opened_with_its_token(casino: Casino) -> None:
    token = casino.token()
    assert code(casino.open(token, "mended", game_id="no_such_game")) == "GAME_UNKNOWN"
    assert casino.open(token, "mended").status == 200


# --- Wrong tokens ----------------------------------------------------------------------------------------


def test_no_wrong_token_opens_a_session(casino: Casino) -> None:
    """Each with its code; made with all that an attacker could know, or with the real key."""
    stranger, now = Ed25519PrivateKey.generate(), int(time.time())
    public = casino.key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good, header = casino.claims(), {"kid": "k1"}
    head, _, signature = casino.token().split(".")
    own = published(stranger, "k1")
    invalid = {
        "no signature": unsigned({"alg": "none", **header}, good),
        "the public key as a secret": hmac_signed(header, good, public.public_bytes_raw()),
        "the public key as PEM as a secret": hmac_signed(header, good, pem),
        "the published key as a secret": hmac_signed(header, good, json.dumps(published(casino.key, "k1")).encode()),
        "an empty secret": hmac_signed(header, good, b""),
        "another key under our id": casino.token(signer=stranger),
        "a key that the token brings along": casino.token(signer=stranger, headers={"jwk": own}),
        "keys from elsewhere": casino.token(
            signer=stranger, headers={"jku": "http://127.0.0.1:1/", "x5u": "http://x/"}
        ),
        "altered": f"{head}.{unsigned({}, {**good, 'sub': 'p-2'}).split('.')[1]}.{signature}",
        "no token": "x.y.z",
        "deep": f"{'W1tb' * 1000}.e30.",
        "without geo": casino.token(geo=None),
        "without a player": casino.token(sub=None),
        "without jti": casino.token(jti=None),
        "without end": casino.token(exp=None),
        "without audience": casino.token(aud=None),
        "of another player": casino.token(sub="p-2"),
        "from another country": casino.token(geo="SE"),
        "with a long life": casino.token(exp=now + 3700),
        "without end in sight": casino.token(exp=1e300),
        "with a number for jti": casino.token(jti=7),
        "with an empty jti": casino.token(jti=""),
        "with a long jti": casino.token(jti="x" * 256),
        "with a zero byte in jti": casino.token(jti="x\0y"),
        "not yet": casino.token(nbf=now + 60),
        "with flags that are none": casino.token(rg_flags=[True]),
        "with a flag that is none": casino.token(rg_flags={"self_excluded": "no"}),
        "with an extension that must be known": casino.token(headers={"crit": ["x"], "x": 1}),
    }
    wrong = {name: (token, "PLAYER_TOKEN_INVALID") for name, token in invalid.items()} | {
        "none": ("", "PLAYER_TOKEN_REQUIRED"),
        "for another audience": (casino.token(aud="casino"), "PLAYER_TOKEN_AUDIENCE"),
        "for many audiences": (casino.token(aud=["studio", "casino"]), "PLAYER_TOKEN_AUDIENCE"),
        "expired": (casino.token(exp=now - 10), "PLAYER_TOKEN_EXPIRED"),
        "a key that is not published": (
            casino.token(signer=stranger, headers={"kid": "other"}), "PLAYER_TOKEN_KEY_UNKNOWN"),
        "a path for a key": (casino.token(headers={"kid": "../k1"}), "PLAYER_TOKEN_KEY_UNKNOWN"),
        "no id of a key": (casino.token(headers={"kid": None}), "PLAYER_TOKEN_KEY_UNKNOWN"),
        "of a player who is excluded": (casino.token(rg_flags={"self_excluded": True}), "RG_BLOCKED"),
    }  # fmt: skip
    for name, (token, expected) in wrong.items():
        reply = casino.open(token, "forged")
        assert code(reply) == expected, (name, reply.body)
        assert reply.status == KINDS[expected].status
    assert not run(casino.service.fetch("SELECT FROM sessions WHERE session_id = 'forged'"))
    assert casino.open(casino.token(), "forged").status == 200


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_no_wrong_token_of_a_shared_secret(service: Service, sharing: Casino) -> None:
    stranger, good = Ed25519PrivateKey.generate(), sharing.claims()
    other = vouching(service, "shared", algorithm="HS256", kid=None)
    for name, token in {
        "no signature": unsigned({"alg": "none"}, good),
        "another secret": sharing.token(signer="x" * 43),
        "the secret of another operator": sharing.token(signer=other.key),
        "a key that the token brings along": sharing.token(
            signer=stranger, alg="EdDSA", headers={"jwk": published(stranger, "k1")}
        ),
        "another algorithm": sharing.token(alg="HS384"),
    }.items():
        assert code(sharing.open(token)) == "PLAYER_TOKEN_INVALID", name
    # A token of one operator is nothing to another that happens to have the same ids.
    token = other.token()
    assert code(sharing.open(token)) == "PLAYER_TOKEN_INVALID"
    assert other.open(token).status == 200


def test_a_token_opens_one_session(casino: Casino) -> None:
    token = casino.token()

    async def job() -> list[str]:
        """Twenty sessions at once, over both workers."""

        async def one() -> str:
            async with casino.service.client(casino.credentials) as client:
                return code(await client.send("POST", SESSIONS, casino.body(token)))

        return await asyncio.gather(*(one() for _ in range(20)))

    assert sorted(run(job())) == ["", *["PLAYER_TOKEN_REPLAYED"] * 19]
    again = jwt.decode(token, options={"verify_signature": False})
    assert code(casino.open(casino.token(jti=again["jti"]))) == "PLAYER_TOKEN_REPLAYED"


def test_the_issuer_is_looked_at_where_it_was_agreed(service: Service) -> None:
    credentials = service.add_operator("op-issuer")
    config = replace(service.config, database_url=service.database_url)
    secret = run(set_player_tokens(config, "op-issuer", "shared", audience="studio", issuer="https://casino.example"))
    mine = Casino(service, credentials, secret, "HS256", None)
    assert code(mine.open(mine.token())) == "PLAYER_TOKEN_INVALID"
    assert code(mine.open(mine.token(iss="https://other.example"))) == "PLAYER_TOKEN_INVALID"
    assert mine.open(mine.token(iss="https://casino.example")).status == 200


# --- Published keys --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_keys_that_cannot_sign_tokens_are_left_out(service: Service, platform: Platform) -> None:
    good, short = Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 1024)
    secret = b"published" * 5
    sealing = rsa.generate_private_key(65537, 2048)
    platform.keys = [
        {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()},
        published(short, "short"),
        published(sealing, "sealing", use="enc"),
        published(good, "confused", alg="HS256"),
        {"kty": "OKP", "kid": "broken", "crv": "Ed25519", "x": "AAAA"},
        {"kid": "nothing"},
        7,  # type: ignore[list-item]
        published(good, "k1"),
    ]
    casino = vouching(service, platform.url, good)
    for signer, alg, kid in (
        (secret.decode(), "HS256", "oct"),
        (short, "RS256", "short"),
        (sealing, "RS256", "sealing"),
        (good, "EdDSA", "confused"),
        (good, "EdDSA", "broken"),
    ):
        reply = casino.open(casino.token(signer=signer, alg=alg, headers={"kid": kid}))
        assert code(reply) == "PLAYER_TOKEN_KEY_UNKNOWN", kid
    assert casino.open(casino.token()).status == 200


def test_a_new_key_is_found_and_unknown_ones_are_not_looked_for_all_the_time(
    casino: Casino, platform: Platform
) -> None:
    assert casino.open(casino.token()).status == 200
    for _ in range(20):
        assert code(casino.open(casino.token(headers={"kid": "none"}))) == "PLAYER_TOKEN_KEY_UNKNOWN"
    assert platform.fetched <= 4
    newer = Ed25519PrivateKey.generate()
    platform.keys = [published(newer, "k2"), *platform.keys]
    time.sleep(5.2)
    for _ in range(4):
        assert casino.open(casino.token(signer=newer, headers={"kid": "k2"})).status == 200
        assert casino.open(casino.token()).status == 200


@pytest.mark.parametrize("trouble", ["error", "redirect", "no JSON", "no keys", "large", "silence"])
def test_keys_that_cannot_be_fetched(service: Service, platform: Platform, trouble: str) -> None:
    """At first nobody gets in; once they were there they go on."""
    key = Ed25519PrivateKey.generate()
    platform.keys = [published(key, "k1")]
    if trouble == "silence":
        casino = vouching(service, "http://127.0.0.1:1/jwks.json", key)
    else:
        casino = vouching(service, platform.url, key)
        platform.status = {"error": 500, "redirect": 302}.get(trouble, 200)
        platform.body = {"no JSON": b"<html>", "no keys": b"[]", "large": b" " * 70_000 + b'{"keys": []}'}.get(trouble)
    reply = casino.open(casino.token())
    assert code(reply) == "PLAYER_KEYS_UNAVAILABLE"
    assert reply.json()["retryable"]
    assert platform.fetched <= 1, "a redirect is not followed"


def test_keys_that_were_fetched_outlive_their_server(casino: Casino, platform: Platform) -> None:
    for _ in range(6):
        assert casino.open(casino.token()).status == 200
    platform.status = 500
    for _ in range(6):
        assert code(casino.open(casino.token(headers={"kid": "none"}))) in (
            "PLAYER_TOKEN_KEY_UNKNOWN",
            "PLAYER_KEYS_UNAVAILABLE",  # a worker that has never seen them
        )
        time.sleep(1)
    assert "" in {code(casino.open(casino.token())) for _ in range(6)}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://casino.example/jwks.json", True),
        ("https://casino.example:8443/keys?a=b", True),
        ("http://127.0.0.1:8000/jwks.json", True),
        ("http://[::1]/jwks.json", True),
        ("http://localhost/jwks.json", True),
        ("http://casino.example/jwks.json", False),
        ("http://10.0.0.1/jwks.json", False),
        ("https://user:secret@casino.example/", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("casino.example/jwks.json", False),
        ("https://[bad/", False),
        ("https://casino.example/\n", False),
    ],
)
def test_where_keys_may_be_fetched(url: str, expected: bool) -> None:
    assert acceptable(url) == expected


def test_the_command(service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", service.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(service.config.master_key_path))
    credentials = service.add_operator("op-vouching")
    assert main(["operator", "op-vouching", "--player-keys", "shared", "--player-audience", "studio"]) == 0
    secret = capsys.readouterr().out.split("tokens ")[1].split()[0]
    mine = Casino(service, credentials, secret, "HS256", None)
    assert mine.open(mine.token()).status == 200
    row = run(service.fetch("SELECT secret_sealed FROM player_token_rules WHERE operator_id = 'op-vouching'"))[0]
    assert secret.encode() not in row["secret_sealed"]
    assert main(["operator", "op-vouching", "--player-keys", "http://casino.example/"]) == 2
    assert "no place for keys" in capsys.readouterr().err
    assert main(["operator", "op-vouching", "--player-keys", ""]) == 0
    assert not run(service.fetch("SELECT FROM player_token_rules WHERE operator_id = 'op-vouching'"))
    config = replace(service.config, database_url=service.database_url)
    with pytest.raises(OperatorRefused, match="no operator"):
        run(set_player_tokens(config, "op-nobody", "shared"))
