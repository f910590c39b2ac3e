"""The OpenAPI 3.1 document, made of the types that decode requests and encode answers, and of the operations."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from rgs_core import __version__
from rgs_server import signing
from rgs_server.contract.operations import OPERATIONS, SCOPES, VERSION, Operation
from rgs_server.contract.problems import KINDS, ProblemDocument
from rgs_server.contract.requests import ReportedEvent

Json = dict[str, Any]

MEDIA_TYPE = f"application/vnd.rgs.v{VERSION}+json"
DESCRIPTION = """\
One round is one request, one transaction, one record. Repeat a request with the same key and you get the same bytes.

* **Versions.** `/rgs/v1/…`, or `/rgs/…` with `Accept: application/vnd.rgs.v1+json`; without either, v1. Fields are only
  added; what is removed or narrowed comes with `/rgs/v2`. Skip fields, kinds of features and codes that you do not know.
* **Signatures.** HMAC-SHA256 of `METHOD \\n path \\n sorted query \\n timestamp \\n nonce \\n hex(SHA-256(body))` in four
  headers; see `docs/api.md` for the same in shell. Or OAuth 2.0: an access token in `Authorization: Bearer`.
* **Errors.** `application/problem+json` with `code`, `retryable` and `money_state`; each code has a page.
* **Amounts.** Decimals with the currency's digits, and minor units beside them. Nothing is ever rounded.
"""
FORM = "application/x-www-form-urlencoded"
TRACEPARENT: Json = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C Trace Context; its trace id is that of problems",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "the key, where the body has none; both, if they are equal",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
SIGNING_HEADERS = {
    signing.KEY_ID: "id of the operator's key",
    signing.TIMESTAMP: "RFC 3339 in UTC with milliseconds, within 300 s of the server's clock",
    signing.NONCE: "a new text for each request, also for one that is repeated; at most 255 characters",
    signing.SIGNATURE: "`v1=` and the signature in hex; several, separated by commas, while keys change",
}

REPLAYED = "the answer was given before; its status is 200, or 409 or 425 where the operator has asked for that"


@cache
def document() -> Json:
    """The whole document. Callers do not change it."""
    types = {kind for operation in OPERATIONS for kind in (operation.request, operation.answer) if kind}
    ordered: list[type] = sorted([*types, ProblemDocument, ReportedEvent], key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    paths: Json = {}
    token = next(operation for operation in OPERATIONS if operation.form)
    for operation in OPERATIONS:
        paths.setdefault(operation.full_path, {})[operation.method.lower()] = described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rgs-core",
            "version": __version__,
            "summary": "Remote game server for slot games",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": name, "description": text}
                for name, text in SIGNING_HEADERS.items()
            }
            | {
                "accessToken": {
                    "type": "oauth2",
                    "description": "instead of the signing headers: `Authorization: Bearer`",
                    "flows": {"clientCredentials": {"tokenUrl": token.full_path, "scopes": SCOPES}},
                },
                "client": {"type": "http", "scheme": "basic", "description": "`client_id` and `client_secret`"},
            },
        },
    }


def with_contact(contact: str) -> Json:
    """The document of a service whose operator can be reached at a page or an address (`mailto:`)."""
    if not contact:
        return document()
    address = contact.removeprefix("mailto:")
    known = {"email": address} if contact.startswith("mailto:") else {"url": contact}
    return {**document(), "info": {**document()["info"], "contact": known}}


def described(operation: Operation) -> Json:
    """The operation object (OpenAPI 3.1, section 4.8.10)."""
    answer: Json = {"$ref": f"#/components/schemas/{operation.answer.__name__}"}
    found: Json = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": text,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                **({"example": operation.values[name]} if name in operation.values else {}),
            }
            for name, text in operation.parameters.items()
        ]
        + [
            {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
            for name, text in operation.query.items()
        ],
        "responses": {"200": {"description": operation.answer.__doc__, "content": json_content(answer)}},
        "security": security(operation),
    }
    if operation.versioned:
        found["parameters"].append(TRACEPARENT)
    if operation.operation_id == "playSpin":
        found["parameters"].append(IDEMPOTENCY_KEY)
    if operation.repeatable:
        found["responses"]["200"]["headers"] = {
            "Idempotent-Replayed": {"description": REPLAYED, "schema": {"const": "true"}}
        }
    if operation.request is not None:
        body: Json = {"schema": {"$ref": f"#/components/schemas/{operation.request.__name__}"}}
        found["requestBody"] = {
            "required": True,
            "content": {FORM if operation.form else "application/json": {**body, "example": operation.example}},
        }
    if operation.deprecated_on is not None:
        found["deprecated"] = True
    found["responses"] |= problem_responses(operation.codes, oauth=operation.form)
    return found


def security(operation: Operation) -> list[Json]:
    """Ways to say who calls, any of them."""
    if operation.form:
        return [{"client": []}, {}]
    if not operation.signed:
        return []
    return [{header: [] for header in SIGNING_HEADERS}, {"accessToken": [operation.scope]}]


def json_content(schema: Json) -> Json:
    """An answer in both of its media types."""
    return {"application/json": {"schema": schema}, MEDIA_TYPE: {"schema": schema}}


def problem_responses(codes: list[str], *, oauth: bool) -> Json:
    """A response for each status, with the codes that come under it."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    types = ("application/problem+json", *(("application/json",) if oauth else ()))
    problem = {kind: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}} for kind in types}
    found: Json = {}
    for status, together in sorted(by_status.items()):
        lines = [f"* `{code}`: {KINDS[code].title}" for code in together]
        found[str(status)] = {"description": "\n".join([HTTPStatus(status).phrase, "", *lines]), "content": problem}
        if any(KINDS[code].retryable for code in together):
            seconds = {"description": "seconds to wait, where the code may be repeated", "schema": {"type": "integer"}}
            found[str(status)]["headers"] = {"Retry-After": seconds}
    return found
