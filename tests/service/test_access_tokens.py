"""Access tokens (OAuth 2.0 client credentials): how they are got, what they open, and every way to forge one."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rgs_server.__main__ import main
from rgs_server.client import Reply
from rgs_server.contract.problems import KINDS
from rgs_server.master_key import read_master_keys
from rgs_server.operators import OperatorRefused, add_client, change_operator
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.token_keys import KeyUnknown, TokenKey, change_token_keys, context_of
from service_process import Service, run, session_body, spin_body

GAMES = "/rgs/v1/games"
TOKEN = "/rgs/v1/oauth/token"
KEYS = "/.well-known/jwks.json"
FORM = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Workers that look at keys and clients again after a second."""
    running = Service(tmp_path_factory.mktemp("quick"), workers=2, key_cache_s=1)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


@dataclass(frozen=True)
class Client:
    """A client and its secret."""

    service: Service
    client_id: str
    secret: str

    @property
    def basic(self) -> dict[str, str]:
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def token(self, **fields: str) -> str:
        reply = ask(self.service, {**FORM, **fields}, self.basic)
        assert reply.status == 200, reply.body
        return str(reply.json()["access_token"])


async def send(
    service: Service, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Reply:
    """A request that is not signed."""
    assert service.credentials is not None
    url = f"{service.credentials.url}{target}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body or None, headers=headers) as answer,
    ):
        return Reply(answer.status, dict(answer.headers), await answer.read())


def ask(service: Service, form: dict[str, str] | str, headers: dict[str, str] | None = None) -> Reply:
    """A request for a token."""
    body = form if isinstance(form, str) else urlencode(form)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return run(send(service, "POST", TOKEN, body.encode(), {**kind, **(headers or {})}))


def call(service: Service, token: str, method: str = "GET", target: str = GAMES, body: bytes = b"") -> Reply:
    return run(send(service, method, target, body, {"Authorization": f"Bearer {token}"}))


def code(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.json()["code"])


def opened(service: Service, operator_id: str, client_id: str, *scopes: str) -> Client:
    """A new operator with a client."""
    service.add_operator(operator_id)
    config = replace(service.config, database_url=service.database_url)
    return Client(service, client_id, run(add_client(config, operator_id, client_id, scopes or ("play", "read"))))


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return opened(service, "op-tokens", "backend: 100% of it")


def sealer_of(service: Service) -> Sealer:
    return Sealer(*read_master_keys(service.config.master_key_path))


def signing_key(service: Service) -> TokenKey:
    """The key that signs now, as only the service should know it."""
    rows = run(service.fetch("SELECT * FROM token_keys WHERE retired_at IS NULL ORDER BY created_at DESC LIMIT 1"))
    return TokenKey.of(sealer_of(service).open(rows[0]["private_sealed"], context_of(rows[0]["kid"])))


# --- Getting a token -------------------------------------------------------------------------------------


def test_a_token_opens_what_a_signature_opens(client: Client) -> None:
    service = client.service
    token = client.token()
    session = session_body("by-token", "op-tokens")
    assert call(service, token, "POST", "/rgs/v1/sessions", session).status == 200
    played = call(service, token, "POST", "/rgs/v1/spins", spin_body("by-token", "by-token"))
    again = call(service, token, "POST", "/rgs/v1/spins", spin_body("by-token", "by-token"))
    assert (played.status, again.body, again.headers["Idempotent-Replayed"]) == (200, played.body, "true")
    assert call(service, token, target="/rgs/v1/spins/by-token").json()["operator_id"] == "op-tokens"


def test_the_answer_is_that_of_the_standard(client: Client) -> None:
    """RFC 6749, section 5.1: names, types, and that it is stored nowhere; RFC 9068: what the token says."""
    for form, headers in (
        (FORM, client.basic),
        ({**FORM, "client_id": client.client_id, "client_secret": client.secret}, {}),
        ({**FORM, "client_id": client.client_id}, client.basic),
    ):
        reply = ask(client.service, form, headers)
        assert reply.status == 200, reply.body
        assert (reply.headers["Cache-Control"], reply.headers["Pragma"]) == ("no-store", "no-cache")
        answer = reply.json()
        assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 600, "play read")
    published = run(send(client.service, "GET", KEYS)).json()
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(answer["access_token"])["kid"]]
    claims = jwt.decode(answer["access_token"], key, algorithms=["EdDSA"], audience="rgs-core", issuer="rgs-core")
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (client.client_id, client.client_id, "play read")
    assert claims["exp"] - claims["iat"] == 600
    assert jwt.get_unverified_header(answer["access_token"])["typ"] == "at+jwt"


REFUSED: list[tuple[dict[str, str] | str, str, str, str]] = [
    (FORM, "wrong secret", "CLIENT_INVALID", "invalid_client"),
    (FORM, "no such client", "CLIENT_INVALID", "invalid_client"),
    (FORM, "no client", "CLIENT_INVALID", "invalid_client"),
    (FORM, "no base64", "CLIENT_INVALID", "invalid_client"),
    (FORM, "digest", "CLIENT_INVALID", "invalid_client"),
    ({**FORM, "client_id": "x\0", "client_secret": "y"}, "no client", "CLIENT_INVALID", "invalid_client"),
    ({"grant_type": "password"}, "", "GRANT_UNSUPPORTED", "unsupported_grant_type"),
    ({}, "", "VALIDATION_FAILED", "invalid_request"),
    ({**FORM, "client_secret": "x"}, "", "VALIDATION_FAILED", "invalid_request"),
    ({**FORM, "client_id": "another"}, "", "VALIDATION_FAILED", "invalid_request"),
    ("grant_type=client_credentials&grant_type=client_credentials", "", "VALIDATION_FAILED", "invalid_request"),
    ("grant_type=client_credentials&x=%ff", "", "VALIDATION_FAILED", "invalid_request"),
    ("&".join(f"f{n}=1" for n in range(30)), "", "VALIDATION_FAILED", "invalid_request"),
    ({**FORM, "scope": "admin"}, "", "SCOPE_INVALID", "invalid_scope"),
    ({**FORM, "scope": "play  read"}, "", "SCOPE_INVALID", "invalid_scope"),
]


@pytest.mark.parametrize(("form", "how", "expected", "error"), REFUSED)
def test_requests_that_get_no_token(
    client: Client, form: dict[str, str] | str, how: str, expected: str, error: str
) -> None:
    """RFC 6749, section 5.2, beside our own code."""
    headers = {
        "": client.basic,
        "wrong secret": replace(client, secret="guess").basic,
        "no such client": replace(client, client_id="nobody").basic,
        "no client": {},
        "no base64": {"Authorization": "Basic ???"},
        "digest": {"Authorization": 'Digest username="x"'},
    }[how]
    reply = ask(client.service, form, headers)
    document = reply.json()
    assert (reply.status, document["code"], document["error"]) == (KINDS[expected].status, expected, error)
    assert document["error_description"] == document["detail"]
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.headers["Cache-Control"] == "no-store"
    if reply.status == 401:
        assert reply.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_token_is_asked_for_with_a_form(client: Client) -> None:
    headers = {**client.basic, "Content-Type": "application/json"}
    reply = run(send(client.service, "POST", TOKEN, json.dumps(FORM).encode(), headers))
    assert code(reply) == "VALIDATION_FAILED"


def test_secrets_are_not_kept(client: Client) -> None:
    row = run(client.service.fetch("SELECT c::text AS all FROM oauth_clients c WHERE client_id = $1", client.client_id))
    assert client.secret not in row[0]["all"]
    assert client.secret.encode().hex() not in row[0]["all"]
    assert client.secret not in client.service.log_text()


def test_clients_belong_to_one_operator(service: Service, client: Client) -> None:
    config = replace(service.config, database_url=service.database_url)
    for operator_id, scopes, message in (
        ("op-sandbox", ["play"], "another operator's"),
        ("op-nobody", ["play"], "no operator"),
        ("op-tokens", ["everything"], "no scope 'everything'"),
        ("op-tokens", [], "scopes are"),
    ):
        name = client.client_id if operator_id == "op-sandbox" else "fresh"
        with pytest.raises(OperatorRefused, match=message):
            run(add_client(config, operator_id, name, scopes))


# --- What a token does not open --------------------------------------------------------------------------


def test_scopes(service: Service, client: Client) -> None:
    reading, playing = client.token(scope="read"), client.token(scope="play")
    assert code(call(service, reading)) == ""
    refused = call(service, playing)
    assert code(refused) == "SCOPE_MISSING"
    challenge = refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="read"' in challenge
    refused = call(service, reading, "POST", "/rgs/v1/spins", spin_body("no-scope", "by-token"))
    assert code(refused) == "SCOPE_MISSING"
    narrow = opened(service, "op-narrow", "narrow", "read")
    assert code(ask(service, {**FORM, "scope": "play"}, narrow.basic)) == "SCOPE_INVALID"


def test_a_token_is_good_for_its_operator_only(service: Service, client: Client) -> None:
    other = opened(service, "op-tokens-other", "other")
    token = other.token()
    session = session_body("of-another", "op-tokens")
    assert code(call(service, token, "POST", "/rgs/v1/sessions", session)) == "FORBIDDEN"
    test_a_token_opens_what_a_signature_opens(client)
    assert code(call(service, token, target="/rgs/v1/spins/by-token")) == "SPIN_UNKNOWN"


def test_networks_hold_for_tokens(quick: Service) -> None:
    away = opened(quick, "op-away", "away")
    token = away.token()
    assert code(call(quick, token)) == ""
    config = replace(quick.config, database_url=quick.database_url)
    run(change_operator(config, "op-away", networks=[ip_network("192.0.2.0/24")]))
    time.sleep(1.2)
    assert code(call(quick, token)) == "FORBIDDEN"
    refused = ask(quick, FORM, away.basic)
    assert (code(refused), refused.json()["error"]) == ("FORBIDDEN", "unauthorized_client")


def test_a_request_proves_itself_in_one_way(service: Service, client: Client) -> None:
    assert service.credentials is not None
    reply = service.send("GET", GAMES, headers={"Authorization": f"Bearer {client.token()}"})
    assert code(reply) == "SIGNATURE_INVALID"
    # Another scheme, as a proxy may add it, is none of ours.
    assert service.send("GET", GAMES, headers={"Authorization": "Basic eDp5"}).status == 200
    assert code(run(send(service, "GET", GAMES, headers={"Authorization": "Basic eDp5"}))) == "SIGNATURE_INVALID"


# --- Forged, altered and old tokens ----------------------------------------------------------------------


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def forgeries(service: Service, client: Client) -> dict[str, tuple[str, str]]:
    """Tokens that must be refused, with the code; made with all that an attacker could know, or with the real key."""
    key = signing_key(service)
    kid, stranger = key.jwk.kid, Ed25519PrivateKey.generate()
    good = jwt.decode(client.token(), options={"verify_signature": False})
    header = {"kid": kid, "typ": "at+jwt"}
    raw = key.private.public_key().public_bytes_raw()
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def made(claims: dict[str, Any], signer: Any = key.private, alg: str = "EdDSA", **headers: Any) -> str:
        named = {name: value for name, value in {**header, **headers}.items() if value is not None}
        return jwt.encode(claims, signer, alg, headers=named)

    def hmac_signed(secret: bytes) -> str:
        """By hand, since the library refuses to take a public key for a secret."""
        text = unsigned({"alg": "HS256", **header}, good).rstrip(".")
        mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(text.encode(), secret)
        return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    head, body, signature = made(good).split(".")
    richer = unsigned({}, {**good, "scope": "play read admin"}).split(".")[1]
    own = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(stranger.public_key()))
    refused = {
        "no signature": unsigned({"alg": "none", **header}, good),
        "no signature, in capitals": unsigned({"alg": "NONE", **header}, good),
        "the public key as a secret": hmac_signed(raw),
        "the public key as PEM as a secret": hmac_signed(pem),
        "an empty secret": hmac_signed(b""),
        "another key under our id": made(good, stranger),
        "a key that the token brings along": made(good, stranger, jwk=own),
        "a key from elsewhere": made(good, stranger, jku="http://127.0.0.1:1/keys"),
        "altered": f"{head}.{richer}.{signature}",
        "cut": f"{head}.{body}.{signature[:-8]}",
        "without its signature": f"{head}.{body}.",
        "of another kind": made(good, typ="JWT"),
        "of no kind": made(good, typ=None),
        "for another audience": made({**good, "aud": "rgs-other"}),
        "for many audiences": made({**good, "aud": ["rgs-core", "rgs-other"]}),
        "for nobody": made({k: v for k, v in good.items() if k != "aud"}),
        "of another issuer": made({**good, "iss": "rgs-other"}),
        "without end": made({k: v for k, v in good.items() if k != "exp"}),
        "without a client": made({k: v for k, v in good.items() if k != "client_id"}),
        "of a client that is none": made({**good, "client_id": "nobody"}),
        "not yet": made({**good, "nbf": int(time.time()) + 600}),
        "issued later": made({**good, "iat": int(time.time()) + 600}),
        "with an extension that must be known": made(good, crit=["x"], x=1),
        "nothing": "",
        "no token": "x.y.z",
        "too long": made({**good, "more": "x" * 5000}),
        "without the id of a key": made(good, kid=None),
    }
    return {name: (token, "TOKEN_INVALID") for name, token in refused.items()} | {
        "a key that is not ours": (made(good, stranger, kid="other"), "TOKEN_KEY_UNKNOWN"),
        "a path for a key": (made(good, stranger, kid="../../dev/null"), "TOKEN_KEY_UNKNOWN"),
        "a statement for a key": (made(good, stranger, kid="' OR ''='"), "TOKEN_KEY_UNKNOWN"),
        "expired": (made({**good, "exp": int(time.time()) - 1}), "TOKEN_EXPIRED"),
    }


def test_no_forged_token_is_taken(service: Service, client: Client) -> None:
    for name, (token, expected) in forgeries(service, client).items():
        for _ in range(2):  # nor the second time, when something may be kept
            reply = call(service, token)
            assert code(reply) == expected, (name, reply.body)
            assert reply.status == 401
            assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    assert call(service, client.token()).status == 200


def test_a_verified_token_still_expires(service: Service, client: Client) -> None:
    claims = jwt.decode(client.token(), options={"verify_signature": False})
    key = signing_key(service)
    soon = {**claims, "exp": int(time.time()) + 2}
    token = jwt.encode(soon, key.private, "EdDSA", headers={"kid": key.jwk.kid, "typ": "at+jwt"})
    assert {code(call(service, token)) for _ in range(6)} == {""}
    time.sleep(2.2)
    assert {code(call(service, token)) for _ in range(6)} == {"TOKEN_EXPIRED"}


def test_bytes_beyond_ascii_in_a_token(service: Service) -> None:
    assert code(call(service, "é" * 20)) == "TOKEN_INVALID"


def test_a_retired_client_ends_with_its_tokens(quick: Service) -> None:
    gone = opened(quick, "op-gone", "gone")
    token = gone.token()
    assert call(quick, token).status == 200
    config = replace(quick.config, database_url=quick.database_url)
    run(change_operator(config, "op-gone", retire_client="gone"))
    time.sleep(1.2)
    assert {code(call(quick, token)) for _ in range(4)} == {"TOKEN_INVALID"}
    assert code(ask(quick, FORM, gone.basic)) == "CLIENT_INVALID"
    with pytest.raises(OperatorRefused, match="no live client"):
        run(change_operator(config, "op-gone", retire_client="gone"))
    with pytest.raises(OperatorRefused, match="retired"):
        run(add_client(config, "op-gone", "gone", ["play"]))


# --- Keys ------------------------------------------------------------------------------------------------


def published(service: Service) -> list[str]:
    return [key["kid"] for key in run(send(service, "GET", KEYS)).json()["keys"]]


def test_changing_the_key_loses_no_request(quick: Service) -> None:
    user = opened(quick, "op-load", "load")
    config = replace(quick.config, database_url=quick.database_url)
    old = user.token()
    before = published(quick)

    async def job() -> list[str]:
        answers: list[str] = []
        stopped = False
        basic = {**user.basic, "Content-Type": "application/x-www-form-urlencoded"}

        async def load() -> None:
            while not stopped:
                asked = await send(quick, "POST", TOKEN, urlencode(FORM).encode(), basic)
                answers.append(code(asked))
                for token in (old, asked.json().get("access_token")):
                    answers.append(code(await send(quick, "GET", GAMES, headers={"Authorization": f"Bearer {token}"})))

        tasks = [asyncio.create_task(load()) for _ in range(3)]
        await asyncio.sleep(0.5)
        await change_token_keys(config, rotate=True)
        await asyncio.sleep(4)
        stopped = True
        await asyncio.gather(*tasks)
        return answers

    answers = run(job())
    assert len(answers) > 30
    assert set(answers) == {""}
    now = published(quick)
    assert now[1:] == before[:1]
    new = user.token()
    assert jwt.get_unverified_header(new)["kid"] == now[0]
    # A second change takes the key of the old token away.
    run(change_token_keys(config, rotate=True))
    time.sleep(1.2)
    assert len(published(quick)) == 2
    assert {code(call(quick, old)) for _ in range(4)} == {"TOKEN_KEY_UNKNOWN"}
    assert {code(call(quick, new)) for _ in range(4)} == {""}


def test_a_key_that_leaked_is_retired_at_once(quick: Service) -> None:
    user = opened(quick, "op-leak", "leak")
    config = replace(quick.config, database_url=quick.database_url)
    token = user.token()
    assert call(quick, token).status == 200
    for kid in published(quick):
        live, retired = run(change_token_keys(config, retire=kid))
        assert kid in retired
        assert kid not in live
        assert live, "something must sign"
    time.sleep(1.2)
    assert {code(call(quick, token)) for _ in range(4)} == {"TOKEN_KEY_UNKNOWN"}
    assert call(quick, user.token()).status == 200
    with pytest.raises(KeyUnknown, match="no live key"):
        run(change_token_keys(config, retire=kid))


def test_private_keys_are_sealed(service: Service) -> None:
    raw = signing_key(service).private.private_bytes_raw()
    for row in run(service.fetch("SELECT * FROM token_keys")):
        assert raw not in row["private_sealed"]
        with pytest.raises(SealBroken):
            Sealer(bytes(32)).open(row["private_sealed"], context_of(row["kid"]))
        with pytest.raises(SealBroken):
            sealer_of(service).open(row["private_sealed"], context_of("another"))
    (shown,) = {frozenset(key) for key in run(send(service, "GET", KEYS)).json()["keys"]}
    assert "d" not in shown


def test_the_commands(
    quick: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", quick.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(quick.config.master_key_path))
    quick.add_operator("op-commands")
    assert main(["operator", "op-commands", "--client", "commands", "--scopes", "read"]) == 0
    shown = capsys.readouterr().out
    assert "scopes read" in shown
    user = Client(quick, "commands", shown.split("secret ")[1].split()[0])
    assert call(quick, user.token()).status == 200
    assert main(["keys"]) == 0
    first = capsys.readouterr().out.split()
    assert first[1] == "signs"
    assert main(["keys", "--rotate"]) == 0
    assert f"{first[0]}  published" in capsys.readouterr().out
    assert main(["keys", "--retire", first[0]]) == 0
    assert f"{first[0]}  retired" in capsys.readouterr().out
    assert main(["keys", "--retire", first[0]]) == 2
    assert main(["operator", "op-commands", "--retire-client", "commands"]) == 0
    assert main(["operator", "op-commands", "--client", "more", "--scopes", "all"]) == 2
    assert "scopes are play, read" in capsys.readouterr().err
