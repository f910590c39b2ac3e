-- What the role of the workers may do, which is in the setting rgs.worker: all that the service does, and nothing to what
-- was written for good. The owner of the tables runs it at every start.
DO $$
DECLARE
    worker text := current_setting('rgs.worker');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), worker);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), worker);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON spins, ledger, round_ends, idempotency, choices, builds FROM %I', worker);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON resolutions, hour_figures, rolled_hours, math_verdicts, counted_slices FROM %I', worker);
    EXECUTE format('GRANT UPDATE (confirmed_by, confirmed_person, confirmed_at) ON resolutions TO %I', worker);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_facts, audit_leaves, audit_nodes, audit_checkpoints FROM %I', worker);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_keys, audit_retention, audit_holds FROM %I', worker);
    EXECUTE format('GRANT UPDATE (private_sealed) ON audit_keys TO %I', worker);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_version, fee_agreements, closings, closing_totals, closing_lines, invoices, console_people FROM %I', worker);
END $$;
