"""Every table of the database has facts in the audit log, or a reason why not; so has every column that changes."""

from __future__ import annotations

from service_process import Service, run

OTHERS = {
    "audit_checkpoints": "of the log itself",
    "audit_facts": "of the log itself",
    "audit_leaves": "of the log itself",
    "audit_nodes": "of the log itself",
    "counted_slices": "sums of spins",
    "dead_events": "events that are due",
    "events": "what spins and facts tell, as operators are told",
    "hour_figures": "sums of spins",
    "idempotency": "answers",
    "lanes": "leases, for seconds",
    "math_counts": "sums of spins",
    "nonces": "of signatures, for minutes",
    "open_rounds": "what is due: spins and round_end tell it",
    "outbox": "events that are due",
    "player_tokens": "of signatures, for minutes",
    "players_in_round": "what is due: spins and round_end tell it",
    "quotas": "of calls a second",
    "rolled_hours": "sums of spins",
    "schema_version": "made with the database",
    "traffic": "what was answered, for a week",
    "unjudged_builds": "what no verdict says",
    "traffic_errors": "what was answered, for a week",
}
"""Tables without facts."""

UNTOLD = {
    "sessions": {"seed_sealed", "next_nonce", "version", "balance_minor", "touched_at", "event_count"},
    "wallet_steps": {"attempts", "next_try_at", "asked_until", "last_error", "traceparent"},
    "webhooks": {"operator_id"},
}
"""Columns whose change alone leaves no fact: seals, and what spins, movements and tries move."""

APPEND_ONLY = {"spins", "ledger", "round_ends", "choices", "builds", "fee_agreements", "closings", "closing_totals", "closing_lines", "invoices", "math_verdicts"}  # fmt: skip
"""Where a trigger refuses changes, there is none to tell."""


def test_no_table_and_no_column_is_forgotten(service: Service) -> None:
    """A new one has facts, or a reason here why not."""
    tables = run(
        service.fetch(
            "SELECT c.relname, t.tgtype, t.tgattr::text, ARRAY(SELECT attname::text FROM pg_attribute a "
            "WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns, "
            "ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum = ANY (t.tgattr)) AS watched "
            "FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgfoid IN (SELECT oid FROM pg_proc "
            "WHERE proname IN ('audit_row', 'audit_spins', 'audit_ledger')) "
            "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
        )
    )
    audited = {row["relname"] for row in tables if row["tgtype"] is not None}
    assert {row["relname"] for row in tables} - audited == OTHERS.keys()
    inserts, updates, deletes = 4, 16, 8
    for table in audited:
        found = [row for row in tables if row["relname"] == table]
        assert any(row["tgtype"] & inserts for row in found), table
        if any(row["tgtype"] & (updates | deletes) for row in found):
            assert any(row["tgtype"] & deletes for row in found), table
            (update,) = [row for row in found if row["tgtype"] & updates]
            watched = set(update["watched"] or update["columns"])
            assert set(update["columns"]) - watched == UNTOLD.get(table, set()), table
        else:
            assert table in APPEND_ONLY, table
