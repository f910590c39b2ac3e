"""The Merkle tree of an append-only log (RFC 6962, section 2.1; proofs as RFC 9162, section 2.1, verifies them).

A tree over n leaves is cut at the largest power of two below n, again and again. So it consists of *full* subtrees, which
hold 2^level leaves and never change, and of the few nodes that join them at the right. `Node` names a full subtree. Who
keeps their hashes answers every proof with a logarithmic number of look-ups: functions here say which nodes a hash
needs, and join what was found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Node(NamedTuple):
    """A full subtree: leaves [number << level, (number + 1) << level)."""

    level: int
    number: int


class Span(NamedTuple):
    """Leaves [first, end) that are a subtree of some tree, full or the right edge of it."""

    first: int
    end: int


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of the bytes of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees beside each other."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def full_nodes(span: Span) -> list[Node]:
    """The full subtrees that a span consists of, from the left: as few as there can be."""
    nodes = []
    first, end = span
    while first < end:
        level = (end - first).bit_length() - 1
        if first:  # no larger than its place allows
            level = min(level, (first & -first).bit_length() - 1)
        nodes.append(Node(level, first >> level))
        first += 1 << level
    return nodes


def joined(hashes: Sequence[bytes]) -> bytes:
    """The hash of a span from those of its full subtrees, from the left, whose sizes fall."""
    if not hashes:
        return EMPTY_ROOT
    joint = hashes[-1]
    for left in reversed(hashes[:-1]):
        joint = node_hash(left, joint)
    return joint


class Frontier:
    """The full subtrees of a growing tree, which are all that appending needs."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """`hashes` are those of `full_nodes(Span(0, size))`."""
        self.size = size
        self._hashes = list(hashes)
        if len(self._hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees, not {len(self._hashes)}")

    def extend(self, leaves: Sequence[bytes], lowest: int = 0) -> list[tuple[Node, bytes]]:
        """Takes the hashes of the next leaves; returns the full subtrees that they complete, from level `lowest` up."""
        completed: list[tuple[Node, bytes]] = []
        levels = [level for level in reversed(range(self.size.bit_length())) if self.size >> level & 1]
        waiting = dict(zip(levels, self._hashes, strict=True))  # left halves, for their right ones
        level, first, row = 0, self.size, list(leaves)
        self.size += len(row)
        while row:
            if level >= lowest:
                completed += [(Node(level, number), value) for number, value in enumerate(row, first)]
            if first & 1:
                row.insert(0, waiting.pop(level))
            if len(row) & 1:
                waiting[level] = row.pop()
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
            level, first = level + 1, first >> 1
        self._hashes = [waiting[n] for n in sorted(waiting, reverse=True)]
        return completed

    @property
    def root(self) -> bytes:
        return joined(self._hashes)

    @property
    def hashes(self) -> list[bytes]:
        """Hashes of the full subtrees, from the left."""
        return list(self._hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over hashes of leaves."""
    frontier = Frontier()
    frontier.extend(list(leaves))
    return frontier.root


def _cut(span: Span) -> tuple[Span, Span]:
    """A span of at least two leaves in two, at the largest power of two below its size."""
    middle = span.first + (1 << (span.end - span.first - 1).bit_length() - 1)
    return Span(span.first, middle), Span(middle, span.end)


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose hashes prove that a leaf is in a tree, from the leaf up: PATH of RFC 6962, section 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans = []
    span = Span(0, size)
    while span.end - span.first > 1:
        left, right = _cut(span)
        span, other = (left, right) if index < left.end else (right, left)
        spans.append(other)
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """The subtrees whose hashes prove that a tree has grown out of a smaller one: PROOF of RFC 6962, section 2.1.2."""
    if not 0 < first <= second:
        raise ValueError(f"no proof that a tree of {second} leaves has grown out of one of {first}")
    spans: list[Span] = []
    span = Span(0, second)
    while span.end != first:
        left, right = _cut(span)
        span, other = (left, right) if first <= left.end else (right, left)
        spans.append(other)
    if span.first:  # the smaller tree ends within: its last part is not its root
        spans.append(span)
    return spans[::-1]


def later_spans(first: int, second: int) -> list[Span]:
    """The largest subtrees of a tree behind its first leaves, from the left: with their hashes and the full subtrees of
    the smaller tree its root follows (`grown_root`)."""
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} leaves is not later than one of {first}")
    spans: list[Span] = []

    def visit(span: Span) -> None:
        if span.first >= first:
            spans.append(span)
        elif span.end > first:
            for part in _cut(span):
                visit(part)

    if second:
        visit(Span(0, second))
    return spans


def hashes_of(spans: Iterable[Span], lookup: Callable[[Node], bytes]) -> list[bytes]:
    """The hash of each span, from those of full subtrees."""
    return [joined([lookup(node) for node in full_nodes(span)]) for span in spans]


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that the leaf with this hash is in the tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, joint = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            joint = node_hash(sibling, joint)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            joint = node_hash(joint, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and joint == root


def consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a path proves that the second tree has grown out of the first (RFC 9162, section 2.1.4.2).

    The empty tree is the beginning of every tree, without a proof.
    """
    if first == second or first == 0:
        return not path and first_root == (second_root if first == second else EMPTY_ROOT)
    if not 0 < first < second or not path:
        return False
    parts = [first_root, *path] if first & (first - 1) == 0 else list(path)
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, part)
        place, last = place >> 1, last >> 1
    return last == 0 and (old, new) == (first_root, second_root)


def grown_root(frontier: Frontier, size: int, later: Sequence[bytes]) -> bytes | None:
    """The root of a tree that begins with the leaves of another one, from the hashes of its `later_spans`; None when their
    number does not fit."""
    if size < frontier.size or len(later) != len(later_spans(frontier.size, size)):
        return None
    earlier_hashes, later_hashes = iter(frontier.hashes), iter(later)

    def root(span: Span) -> bytes:
        if span.end <= frontier.size:
            return next(earlier_hashes)
        if span.first >= frontier.size:
            return next(later_hashes)
        left, right = _cut(span)
        return node_hash(root(left), root(right))

    return frontier.root if size == frontier.size else root(Span(0, size))
