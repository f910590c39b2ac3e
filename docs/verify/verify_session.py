#!/usr/bin/env python3
"""Verifies a finished session offline: python verify_session.py session.json [COMMITMENT [ROOT]]

COMMITMENT is what you were told before the first spin, ROOT that of a checkpoint of the log which you have from others.
Proved is that every number drawn follows from the committed seed, your client seed and the number of the round, that no
round was left out, and that each outcome is the one that the log has held since it was played. What a game makes of its
numbers is said by its model: `rgs replay` plays rounds anew. docs/rng.md specifies every step; Python 3.8 is enough.
"""

import hashlib
import hmac
import json
import struct
import sys

MASK = 0xFFFFFFFF
LOGGED = ("session_id", "spin_id", "nonce", "outcome_digest", "win_units")


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
        state = [*struct.unpack("<12I", b"expand 32-byte k" + key), counter, 0, nonce & MASK, nonce >> 32]
        x = list(state)
        for turn in [0, 1] * 10:
            for a in range(4):
                quarter(x, a, (a + turn) % 4 + 4, (a + 2 * turn) % 4 + 8, (a + 3 * turn) % 4 + 12)
        yield from ((v + s) & MASK for v, s in zip(x, state))  # noqa: B905 - Python 3.8


def below(n, source):
    """An integer below n, each equally likely (section 4)."""
    while True:
        product = next(source) * n
        if (product & MASK) >= 2**32 % n:
            return product >> 32


def root_of(leaf, place, last, path):
    """The root to which a path leads from a leaf (RFC 9162, section 2.1.3.2); last: the place of the last leaf."""
    joint = hashlib.sha256(b"\0" + leaf).digest()
    for sibling in map(bytes.fromhex, path):
        right = place & 1 or place == last
        joint = hashlib.sha256(b"\1" + (sibling + joint if right else joint + sibling)).digest()
        while right and place and not place & 1:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    return joint.hex() if last == 0 else None


def faults(session, told=None, root=None):
    """Everything that is wrong with a session; and how many numbers were drawn anew."""
    seed, log, found, drawn = bytes.fromhex(session["server_seed"]), session["log"], [], 0
    commitment = hashlib.sha256(seed).hexdigest()
    if commitment != session["seed_commitment"] or len(seed) != 32:
        found.append("the server seed is not the one that was committed to")
    if told is not None and commitment != told.lower():
        found.append("the commitment is not the one that you were told")
    if root is not None and log["root"] != root.lower():
        found.append("the root of the log is not the one that you know")
    key = hmac.new(seed, b"rgs-rng-1|" + session["client_seed"].encode(), hashlib.sha256).digest()
    if [played["nonce"] for played in session["rounds"]] != list(range(session["rounds_played"])):
        found.append("rounds are missing, doubled or out of order: their numbers do not count from 0 on")
    for played in session["rounds"]:
        name, outcome, draws = f"round {played['nonce']} ({played['spin_id']})", played["outcome"], played["draws"]
        if len(draws) != len(outcome["spins"]) or not any(draws[:1]):
            found.append(f"{name}: not as many spins with numbers as in the outcome")
        for sub_spin, numbers in enumerate(draws):
            source = words(key, played["nonce"], sub_spin)
            for place, (n, value) in enumerate(numbers):
                drawn += 1
                if not 1 <= n <= 2**31 or below(n, source) != value:
                    found.append(f"{name}, spin {sub_spin}: number {place} does not follow from the seeds")
                    break
        digest = hashlib.sha256(json.dumps(outcome, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        said = [session["session_id"], played["spin_id"], played["nonce"], digest, outcome["win_units"]]
        fact = json.loads(played["leaf"])["fact"]
        if said != [fact[what] for what in LOGGED]:
            found.append(f"{name}: the outcome is not the one that was logged")
        if root_of(played["leaf"].encode(), played["position"], log["size"] - 1, played["path"]) != log["root"]:
            found.append(f"{name}: it is not in the log")
    return found, drawn


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    wrong, checked = faults(document, *sys.argv[2:4])
    print("\n".join(wrong) or f"RIGHT: {len(document['rounds'])} rounds, {checked} numbers drawn anew")
    print(f"Compare with what you know: {document['seed_commitment']} (commitment), {document['log']['root']} (root)")
    sys.exit(1 if wrong else 0)
