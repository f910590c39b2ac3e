"""Decoding and validating one request: msgspec against its peers, in one run.

Prints medians and ratios to msgspec. `--tiny` runs each once, so that it does not rot.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import jsonschema_rs
import msgspec
import orjson
import pydantic
from rgs_server.contract.openapi import document
from rgs_server.contract.operations import SPIN_EXAMPLE
from rgs_server.contract.requests import decode_spin

BODY = orjson.dumps(SPIN_EXAMPLE)
Id = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Stake(pydantic.BaseModel):
    amount: Annotated[str, pydantic.StringConstraints(pattern=r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,30})?$")] | float
    currency: str


class Spin(pydantic.BaseModel):
    spin_id: Id
    round_id: Id
    session_id: Id
    stake: Stake
    spin_type: str = "cash"
    idempotency_key: Id | None = None


def contenders() -> dict[str, Callable[[], Any]]:
    """Ways to decode the same body, by name; the first is the baseline."""
    schema = {"$ref": "#/components/schemas/SpinRequest", "components": document()["components"]}
    validator = jsonschema_rs.validator_for(schema)

    def with_schema() -> Any:
        value = orjson.loads(BODY)
        validator.validate(value)
        return value

    return {
        "msgspec": lambda: decode_spin(BODY),
        "orjson + jsonschema-rs": with_schema,
        "pydantic": lambda: Spin.model_validate_json(BODY),
        "orjson alone (no validation)": lambda: orjson.loads(BODY),
    }


def main(tiny: bool) -> None:
    loops, rounds = (10, 1) if tiny else (20_000, 11)
    times: dict[str, list[float]] = {name: [] for name in contenders()}
    for _ in range(rounds):
        for name, decode in contenders().items():
            begin = time.perf_counter()
            for _ in range(loops):
                decode()
            times[name].append((time.perf_counter() - begin) / loops)
    base = statistics.median(times["msgspec"])
    print(f"msgspec {msgspec.__version__}, one spin request of {len(BODY)} bytes, median of {rounds} runs")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:30} {middle * 1e6:7.2f} us  {middle / base:5.2f}x")


if __name__ == "__main__":
    main("--tiny" in sys.argv)
