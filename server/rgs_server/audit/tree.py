"""The stored tree: hashes of full subtrees, of which those below `STORED_LEVEL` are made of their leaves."""

from __future__ import annotations

from collections.abc import Sequence

from rgs_core.audit.merkle import Frontier, Span, full_nodes, hashes_of, joined, root_of
from rgs_server.audit.audit_store import AuditStore

STORED_LEVEL = 4
"""As in the table audit_nodes: a row for every 16 leaves and above, so that there are 8 times fewer than leaves."""


class LogBroken(Exception):
    """The stored log is not what was signed: something was changed or lost in the database."""


async def span_hashes(store: AuditStore, spans: Sequence[Span]) -> list[bytes]:
    """The hash of each span, by two queries. Raises LogBroken."""
    nodes = {node for span in spans for node in full_nodes(span)}
    found = await store.find_nodes([node for node in nodes if node.level >= STORED_LEVEL])
    small = {node: Span(node.number << node.level, (node.number + 1) << node.level) for node in nodes - found.keys()}
    leaves = await store.leaf_hashes(list(small.values()))
    for node, span in small.items():
        if node.level >= STORED_LEVEL:
            raise LogBroken(f"the subtree of leaves {span.first} to {span.end} is missing")
        try:
            found[node] = root_of(leaves[position] for position in range(*span))
        except KeyError as missing:
            raise LogBroken(f"leaf {missing} is missing") from None
    return hashes_of(spans, found.__getitem__)


async def frontier_at(store: AuditStore, size: int) -> Frontier:
    """The frontier of the first leaves. Raises LogBroken."""
    nodes = full_nodes(Span(0, size))
    spans = [Span(node.number << node.level, (node.number + 1) << node.level) for node in nodes]
    return Frontier(size, await span_hashes(store, spans))


async def root_at(store: AuditStore, size: int) -> bytes:
    """The root of the first leaves. Raises LogBroken."""
    return joined((await frontier_at(store, size)).hashes)
