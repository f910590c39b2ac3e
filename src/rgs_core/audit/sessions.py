"""A finished session with every number that was drawn in it, for verifiers that know no game: the page and the script in
docs/verify. The numbers are those of the reference, which has to come to the outcomes that were recorded; and the audit log
has to have held those."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rgs_core import reference
from rgs_core.audit.merkle import included, leaf_hash
from rgs_core.errors import AuditError
from rgs_core.language.model import Build
from rgs_core.reference.words import Draws
from rgs_core.seeds import commitment, derive_key, parse_server_seed

FORMAT = "rgs-session-2"


class RecordingDraws(Draws):
    """Draws that write down each number with its bound."""

    def __init__(self, key: bytes, nonce: int, sub_spin: int) -> None:
        super().__init__(key, 0, nonce, sub_spin)
        self.numbers: list[tuple[int, int]] = []

    def below(self, n: int) -> int:
        value = super().below(n)
        self.numbers.append((n, value))
        return value


def drawn_round(build: Build, key: bytes, nonce: int) -> tuple[dict[str, Any], str, list[list[tuple[int, int]]]]:
    """The outcome of a round, its digest, and for each of its spins the numbers drawn, as (bound, number)."""
    spins: list[RecordingDraws] = []

    def source(sub_spin: int) -> RecordingDraws:
        spins.append(RecordingDraws(key, nonce, sub_spin))
        return spins[-1]

    outcome = reference.play_with(build, source)
    return outcome.as_dict(), outcome.digest(), [spin.numbers for spin in spins]


def session_document(
    records: Sequence[Mapping[str, Any]],
    rounds_played: int,
    log: Mapping[str, Any],
    build_of: Callable[[Mapping[str, Any]], Build],
) -> dict[str, Any]:
    """The document of the verifiers, from the audit records of a closed session.

    Each record has its `leaf` of the audit log, the `position` of that and the `path` from it to the `root` of `log`, whose
    `size` and signed `checkpoint` are there, too. Raises AuditError, KeyError.
    """
    if not records:
        raise AuditError("no round was played in this session")
    first = records[0]
    if first["server_seed"] is None:
        raise AuditError("the seed is not public: the session is open")
    seed = parse_server_seed(first["server_seed"])
    key = derive_key(seed, first["client_seed"])
    rounds = []
    for record in sorted(records, key=lambda record: int(record["nonce"])):
        if any(record[name] != first[name] for name in ("session_id", "server_seed", "client_seed", "seed_commitment")):
            raise AuditError(f"the round of spin '{record['spin_id']}' belongs to another session")
        outcome, digest, draws = drawn_round(build_of(record), key, record["nonce"])
        if digest != record["outcome_digest"]:
            raise AuditError(f"spin '{record['spin_id']}' does not replay: its outcome has another digest")
        path = [bytes.fromhex(value) for value in record["path"]]
        leaf, root = leaf_hash(record["leaf"].encode()), bytes.fromhex(log["root"])
        if not included(leaf, record["position"], log["size"], path, root):
            raise AuditError(f"spin '{record['spin_id']}' is not in the log of that checkpoint")
        rounds.append(
            {
                "nonce": record["nonce"],
                "spin_id": record["spin_id"],
                "outcome": outcome,
                "draws": draws,
                "leaf": record["leaf"],
                "position": record["position"],
                "path": record["path"],
            }
        )
    if commitment(seed) != first["seed_commitment"]:
        raise AuditError("the seed is not the one that was committed to")
    return {
        "format": FORMAT,
        "session_id": first["session_id"],
        "build_hash": first["build_hash"],
        "seed_commitment": first["seed_commitment"],
        "server_seed": first["server_seed"],
        "client_seed": first["client_seed"],
        "rounds_played": rounds_played,
        "log": dict(log),
        "rounds": rounds,
    }
