"""Requests that a machine makes up from the contract: none may be answered in a way that it does not describe."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis.strategies import booleans
from rgs_server import signing
from rgs_server.client import Credentials
from rgs_server.contract.openapi import document
from rgs_server.contract.operations import OPERATIONS, Operation
from rgs_server.operators import Rules
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from service_process import BUILD, GAME, Service, session_body, spin_body

from rgs_core import games
from rgs_core.language.model_file import load

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REQUESTS = 40
"""For each operation."""


class Signed(requests.auth.AuthBase):
    """Signs what is really sent."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        key = self._credentials
        request.headers.update(signing.headers(key.key_id, key.secret.encode(), str(request.method), target, raw))
        return request


@pytest.fixture(scope="module")
def mine(service: Service) -> Credentials:
    """An operator of its own, so that the ids of the examples stay free."""
    credentials = service.add_operator("op-fuzz")
    service.change_operator("op-fuzz", rules=Rules(wallets=["platform", "transfer"], settle_within_s=60))
    return credentials


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)
def test_no_request_breaks_the_contract(service: Service, mine: Credentials, operation: Operation) -> None:
    session = f"s-{operation.operation_id}"
    balanced = operation.operation_id == "transferIn"
    opened = json.loads(session_body(session, "op-fuzz")) | ({"wallet": "transfer"} if balanced else {})
    service.send("POST", "/rgs/v1/sessions", json.dumps(opened).encode(), credentials=mine)
    service.send("POST", "/rgs/v1/spins", spin_body("fuzzed", session), credentials=mine)
    if operation.operation_id == "resolveTransaction":
        service.give_up("op-fuzz", session, "given-up")
    if operation.operation_id == "chooseInRound":
        chosen = load(games.find("three_tides")).build()
        opened |= {"session_id": "s-asked", "game_id": "three_tides", "build_hash": chosen.build_hash}
        service.send("POST", "/rgs/v1/sessions", json.dumps(opened).encode(), credentials=mine)
        asking = spin_body("asked", "s-asked", "2.25", mode="buy", round_id="r-asked")
        service.send("POST", "/rgs/v1/spins", asking, credentials=mine)
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document())))
    schema.config.update(base_url=mine.url)
    found = schema[operation.full_path][operation.method]
    known = {
        "spin_id": "fuzzed",
        "round_id": "r-fuzzed",
        "session_id": session,
        "txn_id": "stake:fuzzed",
        "player_id": "p-fuzzed",
    }
    sent = []
    client = json.loads((service.folder / "client.json").read_text())

    @hypothesis.given(case=found.as_strategy(), existing=booleans())
    @hypothesis.settings(
        max_examples=REQUESTS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def fuzz(case: Any, existing: bool) -> None:
        # Half of the requests name what exists, or most would end at an unknown id.
        if existing and isinstance(case.body, dict) and operation.operation_id == "playSpin":
            case.body |= {
                "session_id": session,
                "round_id": f"r-{len(sent)}",
                "stake": {"amount": 1, "currency": "EUR"},
            }
        elif existing and operation.form:
            case.body = {"grant_type": "client_credentials", **client}
        elif existing and operation.operation_id == "openSession" and isinstance(case.body, dict):
            case.body |= {"operator_id": "op-fuzz", "game_id": GAME, "build_hash": BUILD.build_hash}
        elif existing and operation.operation_id == "validateBuild" and isinstance(case.body, dict):
            case.body |= {"game_id": GAME}
        elif existing and case.path_parameters:
            case.path_parameters |= {name: known[name] for name in case.path_parameters}
            if operation.operation_id == "voidRound" and isinstance(case.body, dict):
                case.path_parameters["round_id"] = f"r-{len(sent)}"
                case.body |= {"session_id": session}
            elif operation.operation_id == "transferIn" and isinstance(case.body, dict):
                case.body |= {"amount": {"amount": 1, "currency": "EUR"}, "transfer_id": f"t-{len(sent)}"}
            elif operation.operation_id == "resolveTransaction":
                case.path_parameters["txn_id"] = "credit:given-up"
            elif operation.operation_id == "chooseInRound" and isinstance(case.body, dict):
                case.path_parameters["round_id"] = "r-asked"
                case.body |= {"step": 1, "choice": "tide", "option": "neap"}
            elif operation.operation_id == "settleRound" and isinstance(case.body, dict):
                case.body |= {"debit_tx": "d", "credit_tx": "c"}
        response = case.call(auth=Signed(mine))
        sent.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    fuzz()
    assert 200 in sent
    assert operation.form or 401 not in sent
