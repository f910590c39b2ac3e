"""The gate for the contract: what adds passes, what takes away or narrows is named. Each mutation proves that it bites."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rgs_server.__main__ import main
from rgs_server.contract.compatibility import broken_promises
from rgs_server.contract.openapi import document

Json = dict[str, Any]
SPINS = "/rgs/v1/spins"


def schemas(doc: Json) -> Json:
    return doc["components"]["schemas"]  # type: ignore[no-any-return]


def properties(doc: Json, name: str) -> Json:
    return schemas(doc)[name]["properties"]  # type: ignore[no-any-return]


def play(doc: Json) -> Json:
    return doc["paths"][SPINS]["post"]  # type: ignore[no-any-return]


def rename(doc: Json) -> None:
    fields = properties(doc, "SpinAnswer")
    fields["spin"] = fields.pop("spin_id")
    schemas(doc)["SpinAnswer"]["required"].remove("spin_id")


BREAKING: dict[str, tuple[Callable[[Json], Any], str]] = {
    "an operation": (lambda d: d["paths"].pop("/rgs/v1/games"), "GET /rgs/v1/games is gone"),
    "a method": (lambda d: d["paths"][SPINS].pop("post"), f"POST {SPINS} is gone"),
    "a field of an answer": (lambda d: properties(d, "SpinAnswer").pop("nonce"), "nonce is gone"),
    "a field in the depth": (lambda d: properties(d, "Money").pop("minor"), "minor is gone"),
    "a field renamed": (rename, "spin_id is gone"),
    "an answer's field may be missing": (
        lambda d: schemas(d)["SpinAnswer"]["required"].remove("nonce"), "nonce may be missing now"),
    "another type": (lambda d: properties(d, "SpinAnswer").update(nonce={"type": "string"}), "may be string now"),
    "null where none was": (
        lambda d: properties(d, "SessionAnswer").update(client_seed={"type": ["string", "null"]}), "may be null now"),
    "a kind of feature": (
        lambda d: properties(d, "SpinOutcome")["features"]["items"]["anyOf"].pop(), "is gone"),
    "a status": (lambda d: play(d)["responses"].pop("409"), "answers no 409 any more"),
    "a media type": (
        lambda d: play(d)["responses"]["200"]["content"].pop("application/vnd.rgs.v1+json"), "is not answered as"),
    "a header": (lambda d: play(d)["responses"]["200"].pop("headers"), "header Idempotent-Replayed is gone"),
    "a field of a request": (lambda d: properties(d, "SpinRequest").pop("spin_type"), "spin_type is gone"),
    "a new duty": (lambda d: schemas(d)["SpinRequest"]["required"].append("spin_type"), "spin_type is required now"),
    "a new field that is needed": (
        lambda d: (properties(d, "SpinRequest").update(mode={"type": "string"}),
                   schemas(d)["SpinRequest"]["required"].append("mode")), "mode is required now"),
    "a new header that is needed": (
        lambda d: play(d)["parameters"].append({"name": "X", "in": "header", "required": True, "schema": {}}),
        "parameter X is required now"),
    "a parameter": (lambda d: play(d)["parameters"].pop(), "parameter Idempotency-Key is gone"),
    "shorter ids": (lambda d: properties(d, "SpinRequest")["spin_id"].update(maxLength=64), "maxLength fell to 64"),
    "longer ids": (lambda d: properties(d, "SpinRequest")["spin_id"].update(minLength=2), "minLength rose to 2"),
    "another pattern": (lambda d: properties(d, "SpinRequest")["spin_id"].update(pattern="^s"), "another pattern"),
    "fewer values": (
        lambda d: properties(d, "Stake")["currency"]["enum"].remove("EUR"), "does not take EUR any more"),
    "values where any was taken": (
        lambda d: properties(d, "SessionRequest")["geo"].update(enum=["DE"]), "does not take other values any more"),
    "a way to write amounts": (lambda d: properties(d, "Stake")["amount"]["anyOf"].pop(0), "number is gone"),
    "an optional value": (
        lambda d: properties(d, "SpinRequest")["idempotency_key"].update(anyOf=[{"type": "string"}]), "null is gone"),
    "another security": (lambda d: play(d).update(security=[]), "secured in another way"),
    "a way to say who calls": (lambda d: play(d)["security"].pop(0), "secured in another way"),
    "security where none was": (
        lambda d: d["paths"]["/healthz"]["get"].update(security=[{"accessToken": ["read"]}]), "secured in another way"),
    "no body": (lambda d: play(d).pop("requestBody"), "takes no body any more"),
    "a body where none was": (
        lambda d: d["paths"]["/rgs/v1/games"]["get"].update(requestBody={"required": True, "content": {}}),
        "needs a body now"),
}  # fmt: skip

ADDING: dict[str, Callable[[Json], Any]] = {
    "an operation": lambda d: d["paths"].update({"/rgs/v1/more": {"get": {"responses": {}}}}),
    "a field of an answer": lambda d: properties(d, "SpinAnswer").update(more={"type": "string"}),
    "an optional field of a request": lambda d: properties(d, "SpinRequest").update(mode={"type": "string"}),
    "a promise that a field is there": lambda d: schemas(d)["ReplayAnswer"]["required"].append("checks"),
    "longer ids": lambda d: properties(d, "SpinRequest")["spin_id"].update(maxLength=300),
    "a value that is taken": lambda d: properties(d, "SpinRequest")["spin_type"]["enum"].append("free"),
    "a kind of feature": lambda d: properties(d, "SpinOutcome")["features"]["items"]["anyOf"].append(
        {"$ref": "#/components/schemas/Health"}
    ),
    "a status": lambda d: play(d)["responses"].update({"418": {"content": {}}}),
    "an optional header": lambda d: play(d)["parameters"].append({"name": "X", "in": "header", "schema": {}}),
    "a way to say who calls": lambda d: play(d)["security"].append({"other": []}),
    "other words": lambda d: play(d).update(description="Draws."),
}


def test_the_same_contract_breaks_nothing() -> None:
    assert broken_promises(document(), copy.deepcopy(document())) == []


@pytest.mark.parametrize("name", BREAKING)
def test_taking_away_is_named(name: str) -> None:
    mutate, sentence = BREAKING[name]
    new = copy.deepcopy(document())
    mutate(new)
    assert any(sentence in promise for promise in broken_promises(document(), new)), broken_promises(document(), new)


@pytest.mark.parametrize("name", ADDING)
def test_adding_passes(name: str) -> None:
    new = copy.deepcopy(document())
    ADDING[name](new)
    assert broken_promises(document(), new) == []


def test_the_command_fails_and_does_not_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promised = copy.deepcopy(document())
    properties(promised, "SpinAnswer")["luck"] = {"type": "integer"}
    file = tmp_path / "released.json"
    file.write_text(json.dumps(promised))
    before = file.read_text()
    assert main(["openapi", "--against", str(file)]) == 1
    assert main(["openapi", "--write", str(file)]) == 1
    assert file.read_text() == before
    assert "luck is gone" in capsys.readouterr().err


def test_the_command_writes_what_only_adds(tmp_path: Path) -> None:
    promised = copy.deepcopy(document())
    del promised["paths"]["/rgs/v1/games"]
    file = tmp_path / "released.json"
    file.write_text(json.dumps(promised))
    assert main(["openapi", "--write", str(file)]) == 0
    assert json.loads(file.read_text()) == document()
    assert main(["openapi", "--against", str(file)]) == 0
