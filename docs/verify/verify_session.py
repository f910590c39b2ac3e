#!/usr/bin/env python3
"""Verifies a finished session offline: python verify_session.py session.json [COMMITMENT]

COMMITMENT is what you were told before the first spin. Nothing but Python 3.8 is needed; docs/rng.md specifies every step.
Proved is that every number that was drawn follows from the committed seed, your client seed and the number of the round, that
no round was left out, and that each outcome is the one whose digest was recorded. What a game makes of its numbers is said by
its model: `rgs replay` plays the rounds anew by the rules.
"""

import hashlib
import hmac
import json
import struct
import sys

MASK = 0xFFFFFFFF


def quarter(x, a, b, c, d):
    """The quarter round of ChaCha (RFC 8439, section 2.1)."""
    for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & MASK
        mixed = x[r] ^ x[p]
        x[r] = (mixed << turn | mixed >> (32 - turn)) & MASK


def words(key, nonce, sub_spin):
    """The words of a sub-spin, block after block (docs/rng.md, section 3)."""
    for block in range(2048):
        counter = (block >> 8 << 28) | (sub_spin << 8) | (block & 255)
        constants = struct.unpack("<4I", b"expand 32-byte k")
        state = [*constants, *struct.unpack("<8I", key), counter, 0, nonce & MASK, nonce >> 32]
        x = list(state)
        for _ in range(10):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
                quarter(x, a, b, c, d)
            for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(x, a, b, c, d)
        yield from ((v + s) & MASK for v, s in zip(x, state))  # noqa: B905 - Python 3.8


def below(n, source):
    """An integer below n, each equally likely (section 4)."""
    while True:
        product = next(source) * n
        if (product & MASK) >= 2**32 % n:
            return product >> 32


def digest(outcome):
    return hashlib.sha256(json.dumps(outcome, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def faults(session, told=None):
    """Everything that is wrong with a session; and how many numbers were drawn anew."""
    seed = bytes.fromhex(session["server_seed"])
    found, drawn = [], 0
    if len(seed) != 32:
        found.append("the server seed does not have 32 bytes")
    commitment = hashlib.sha256(seed).hexdigest()
    if commitment != session["seed_commitment"]:
        found.append("the server seed is not the one that was committed to")
    if told is not None and commitment != told.lower():
        found.append("the commitment is not the one that you were told")
    key = hmac.new(seed, b"rgs-rng-1|" + session["client_seed"].encode(), hashlib.sha256).digest()
    nonces = [played["nonce"] for played in session["rounds"]]
    if nonces != list(range(session["rounds_played"])):
        found.append("rounds are missing, doubled or out of order: their numbers do not count from 0 on")
    for played in session["rounds"]:
        name = f"round {played['nonce']} ({played['spin_id']})"
        if len(played["draws"]) != len(played["outcome"]["spins"]):
            found.append(f"{name}: not as many spins with numbers as in the outcome")
        if not any(played["draws"][:1]):
            found.append(f"{name}: no number was drawn for the paid spin")
        for sub_spin, numbers in enumerate(played["draws"]):
            source = words(key, played["nonce"], sub_spin)
            for place, (n, value) in enumerate(numbers):
                drawn += 1
                if not 1 <= n <= 2**31 or below(n, source) != value:
                    found.append(f"{name}, spin {sub_spin}: number {place} does not follow from the seeds")
                    break
        if digest(played["outcome"]) != played["outcome_digest"]:
            found.append(f"{name}: the outcome is not the one that was recorded")
    return found, drawn


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    wrong, checked = faults(document, sys.argv[2] if len(sys.argv) > 2 else None)
    print("\n".join(wrong) or f"RIGHT: {len(document['rounds'])} rounds, {checked} numbers drawn anew")
    if len(sys.argv) < 3:
        print(f"Compare with what you were told before the first spin: {document['seed_commitment']}")
    sys.exit(1 if wrong else 0)
