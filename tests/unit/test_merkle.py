"""The tree of the audit log: published vectors, and every proof of every small tree."""

from __future__ import annotations

import hashlib

import pytest

from rgs_core.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    Span,
    consistency_spans,
    consistent,
    full_nodes,
    grown_root,
    hashes_of,
    included,
    inclusion_spans,
    later_spans,
    leaf_hash,
    node_hash,
    root_of,
)

# The leaves, roots and proofs of the reference implementation of RFC 6962.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SIZES = 34


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[Node, bytes], list[Frontier]]:
    """A tree with all of its full subtrees, and its frontiers at every size."""
    frontier, nodes = Frontier(), {}
    stages = [Frontier()]
    for leaf in leaves:
        nodes.update(frontier.extend([leaf_hash(leaf)]))
        stages.append(Frontier(frontier.size, frontier.hashes))
    return frontier, nodes, stages


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH, word for word as in RFC 6962."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


NUMBERED = [bytes([n]) * n for n in range(SIZES)]
TREES = [by_definition(NUMBERED[:size]) for size in range(SIZES + 1)]
_, NODES, STAGES = grown(NUMBERED)


def test_many_leaves_at_once_are_the_same_as_one_after_the_other() -> None:
    for first in range(SIZES + 1):
        for last in range(first, SIZES + 1):
            frontier = Frontier(first, STAGES[first].hashes)
            completed = frontier.extend([leaf_hash(leaf) for leaf in NUMBERED[first:last]], lowest=2)
            assert (frontier.size, frontier.hashes) == (last, STAGES[last].hashes)
            new = {n for n in NODES if n.level >= 2 and first < (n.number + 1) << n.level <= last}
            assert dict(completed) == {n: NODES[n] for n in new}
            assert len(completed) == len(new)


def test_published_roots_and_proofs() -> None:
    _, nodes, stages = grown(LEAVES)
    assert [stage.root.hex() for stage in stages] == ROOTS
    for (index, size), path in PATHS.items():
        assert [h.hex() for h in hashes_of(inclusion_spans(index, size), nodes.__getitem__)] == path
    for (first, second), path in CONSISTENCY.items():
        assert [h.hex() for h in hashes_of(consistency_spans(first, second), nodes.__getitem__)] == path


def test_roots_are_those_of_the_definition() -> None:
    assert [stage.root for stage in STAGES] == TREES
    assert root_of(map(leaf_hash, NUMBERED)) == TREES[-1]
    assert TREES[0] == EMPTY_ROOT


def test_full_subtrees_cover_their_span_and_are_the_largest() -> None:
    for end in range(SIZES + 1):
        for first in range(end + 1):
            nodes = full_nodes(Span(first, end))
            places = [leaf for n in nodes for leaf in range(n.number << n.level, (n.number + 1) << n.level)]
            assert places == list(range(first, end))
            pairs = {(node.level, node.number >> 1) for node in nodes}
            assert len(pairs) == len(nodes), "two halves of a larger one"


def test_every_inclusion_proof_holds_and_no_other() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            path = hashes_of(inclusion_spans(index, size), NODES.__getitem__)
            leaf = leaf_hash(NUMBERED[index])
            assert included(leaf, index, size, path, TREES[size])
            assert not included(leaf_hash(b"other"), index, size, path, TREES[size])
            assert not included(leaf, index, size, [*path, TREES[1]], TREES[size])
            assert not included(leaf, index, size, path[:-1], TREES[size]) or not path
            assert not any(included(leaf, other, size, path, TREES[size]) for other in range(size) if other != index)
            for place in range(len(path)):
                changed = [*path]
                changed[place] = TREES[1][::-1]
                assert not included(leaf, index, size, changed, TREES[size])


def test_every_consistency_proof_holds_and_no_other() -> None:
    for second in range(1, SIZES + 1):
        for first in range(1, second + 1):
            path = hashes_of(consistency_spans(first, second), NODES.__getitem__)
            assert consistent(first, second, TREES[first], TREES[second], path)
            assert not consistent(first, second, TREES[0], TREES[second], path)
            assert not consistent(first, second, TREES[first], TREES[0], path)
            assert not consistent(first, second, TREES[first], TREES[second], [*path, TREES[1]])
            if path:
                assert not consistent(first, second, TREES[first], TREES[second], path[:-1])
                assert not consistent(first, second, TREES[first], TREES[second], path[1:])


def test_a_grown_root_follows_from_what_was_there_and_what_came_later() -> None:
    for size in range(SIZES + 1):
        for first in range(size + 1):
            later = hashes_of(later_spans(first, size), NODES.__getitem__)
            assert grown_root(STAGES[first], size, later) == TREES[size]
            assert grown_root(STAGES[first], size, [*later, TREES[1]]) is None


@pytest.mark.parametrize("index", [-1, 5])
def test_leaves_that_are_not_there(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_spans(index, 5)
    assert not included(TREES[1], index, 5, [], TREES[5])


@pytest.mark.parametrize(("first", "second"), [(0, 5), (6, 5)])
def test_trees_that_did_not_grow(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="grown out"):
        consistency_spans(first, second)


def test_a_frontier_needs_its_subtrees() -> None:
    with pytest.raises(ValueError, match="2 full subtrees"):
        Frontier(5, [TREES[1]])
