-- Statements of the audit log; audit/audit_store.py has a method for each.

-- name: take_turn
-- Whether this transaction is the one that sequences. Its statements find rows by their keys: plans are made while tables are
-- small, and kept, as to plan takes longer than to sequence. It does not wait for the disk: what the database forgets when it dies is sequenced again.
-- $1 advisory lock
SELECT pg_try_advisory_xact_lock($1), set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
       set_config('synchronous_commit', 'off', true);

-- name: last_leaf
-- and whether it was written in a transaction that this database has not reached: then the database was restored from a
-- dump, in which transactions count from the beginning.
SELECT position + leaves - 1 AS position, written_in::text, fact_id, sequenced_at,
       written_in >= pg_snapshot_xmax(pg_current_snapshot()) AS of_another_database
FROM audit_leaves l ORDER BY l.position DESC LIMIT 1;

-- name: sequence_facts
-- Gives the facts that follow a given one the positions from $1 on. Of transactions that may still run, none are taken: what
-- they are about to write belongs before what began later. What a row tells gets its positions together.
-- $1 first position $2 sequenced_at $3 written_in and $4 fact_id of the last fact $5 so many, and the rest of the last row
-- $6 whether they are all of another database, where nothing runs any more
WITH next AS (
    SELECT f, coalesce(cardinality(f.subjects), 1) AS leaves FROM audit_facts f
    WHERE (f.written_in, f.fact_id) > ($3::text::xid8, $4::bigint)
      AND (f.written_in < pg_snapshot_xmin(pg_current_snapshot()) OR $6::boolean)
      AND NOT EXISTS (SELECT FROM audit_leaves l WHERE l.written_in = f.written_in AND l.fact_id = f.fact_id)
    ORDER BY f.written_in, f.fact_id LIMIT $5
),
taken AS MATERIALIZED (
    SELECT t.*, audit_common($2::timestamptz, f) AS common, uuid_send((f).salt) AS salt
    FROM (
        SELECT f, leaves, $1::bigint + sum(leaves) OVER (ORDER BY (f).written_in, (f).fact_id)::bigint - leaves AS first FROM next
    ) t
    WHERE first < $1 + $5
)
INSERT INTO audit_leaves (position, leaves, written_in, fact_id, sequenced_at, leaf_hashes)
SELECT first, leaves, (f).written_in, (f).fact_id, $2::timestamptz, CASE WHEN (f).subjects IS NULL
           THEN audit_hash(audit_leaf(first, common, (f).operator_id, (f).subject, (f).salt::text, (f).fact))
               ELSE (SELECT string_agg(audit_hash(audit_leaf(first + u.n - 1, common, u.operator_id, u.subject, audit_salt(salt, u.n),
                     CASE (f).kind
                         WHEN 'spin' THEN (SELECT audit_spin(p) FROM spins p
                                           WHERE p.spin_id = u.subject AND p.operator_id = u.operator_id)
                         ELSE (SELECT audit_movement(l) FROM ledger l WHERE l.txn_id = u.subject AND l.operator_id = u.operator_id)
                     END)), '' ORDER BY u.n)
                 FROM unnest((f).operator_ids, (f).subjects) WITH ORDINALITY AS u(operator_id, subject, n))
       END
FROM taken
RETURNING position, leaf_hashes;

-- name: waiting_since
-- When the oldest fact behind the last leaf was written; NULL where none waits.
SELECT min(f.written_at) FROM audit_facts f
LEFT JOIN (SELECT written_in, fact_id FROM audit_leaves ORDER BY position DESC LIMIT 1) last ON true
WHERE (f.written_in, f.fact_id) > (coalesce(last.written_in, '0'), coalesce(last.fact_id, 0));

-- name: add_nodes
-- $1 level $2 number $3 hash (arrays)
INSERT INTO audit_nodes (level, number, hash) SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]);

-- name: find_nodes
-- $1 level $2 number (arrays)
SELECT level, number, hash FROM audit_nodes
WHERE (level, number) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]));

-- name: leaf_hashes
-- Those of whole rows.
-- $1 first position $2 end (arrays)
SELECT DISTINCT l.position, l.leaf_hashes FROM unnest($1::bigint[], $2::bigint[]) AS t(first, until)
JOIN audit_leaves l ON l.position < t.until
                   AND l.position >= (SELECT max(b.position) FROM audit_leaves b WHERE b.position <= t.first);

-- name: find_spin_leaf
-- $1 operator_id $2 spin_id
SELECT position, leaf FROM audit_log
WHERE written_in = (SELECT written_in FROM spins WHERE operator_id = $1 AND spin_id = $2)
  AND kind = 'spin' AND operator_id = $1 AND subject = $2;

-- name: find_ledger_leaf
-- $1 operator_id $2 txn_id
SELECT position, leaf FROM audit_log
WHERE written_in = (SELECT written_in FROM ledger WHERE operator_id = $1 AND txn_id = $2)
  AND kind = 'ledger' AND operator_id = $1 AND subject = $2;

-- name: read_leaves
-- kind is NULL where the fact was erased.
-- $1 first position $2 end
SELECT position, leaf_hash, kind, leaf FROM audit_log
WHERE first >= (SELECT max(position) FROM audit_leaves WHERE position <= $1) AND first < $2 AND position >= $1 AND position < $2
ORDER BY position;

-- name: position_at
-- Of the first leaf that was sequenced at a time or later; NULL where there is none.
-- $1 time
SELECT min(position) FROM audit_leaves WHERE sequenced_at >= $1;

-- name: last_checkpoint
SELECT tree_size, made_at, root, note FROM audit_checkpoints ORDER BY tree_size DESC, made_at DESC LIMIT 1;

-- name: add_checkpoint
-- What is signed is published: it waits for the disk.
-- $1 tree_size $2 made_at $3 root $4 note
WITH durable AS (SELECT set_config('synchronous_commit', 'on', true))
INSERT INTO audit_checkpoints (tree_size, made_at, root, note) SELECT $1, $2, $3, $4 FROM durable;

-- name: list_keys
-- The newest first, which signs.
SELECT name, public_key, private_sealed FROM audit_keys ORDER BY created_at DESC;

-- name: add_key
-- $1 name $2 public_key $3 private_sealed
INSERT INTO audit_keys (name, public_key, private_sealed) VALUES ($1, $2, $3);

-- name: add_fact
-- With whose act it is.
-- $1 kind $2 operator_id (empty: of the service itself) $3 subject $4 fact
INSERT INTO audit_facts (kind, operator_id, subject, fact) VALUES ($1, $2, $3, ($4::jsonb || audit_actor())::text);

-- name: wait_for_registry
-- $1 lock
SELECT pg_advisory_xact_lock($1);

-- name: tell_registry
-- The fact of a registry, unless it is the one that was told of last: every worker reads it, one tells it.
-- $1 digest of the file $2 fact
INSERT INTO audit_facts (kind, operator_id, subject, fact)
SELECT 'registry', '', $1, $2
WHERE $1 IS DISTINCT FROM (SELECT subject FROM audit_facts WHERE kind = 'registry' ORDER BY written_in DESC, fact_id DESC LIMIT 1);

-- name: set_retention
-- $1 keep_days
INSERT INTO audit_retention (keep_days) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET keep_days = excluded.keep_days;

-- name: keep_forever
DELETE FROM audit_retention;

-- name: place_hold
-- $1 hold_id $2 operator_id $3 since $4 until $5 reason
INSERT INTO audit_holds (hold_id, operator_id, since, until, reason) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING hold_id;

-- name: release_hold
-- $1 hold_id
UPDATE audit_holds SET released_at = now() WHERE hold_id = $1 AND released_at IS NULL RETURNING hold_id;

-- name: list_holds
SELECT * FROM audit_holds ORDER BY placed_at, hold_id;

-- name: erase_expired
-- Some facts whose time is over; returns how many. Their leaves stay, as hashes, and that they were erased is a fact itself.
-- $1 most rows
WITH gone AS (
    DELETE FROM audit_facts WHERE (written_in, fact_id) IN (
        SELECT f.written_in, f.fact_id FROM audit_facts f
        WHERE f.written_at < now() - (SELECT keep_days FROM audit_retention) * interval '1 day' AND audit_expired(f)
        LIMIT $1)
    RETURNING coalesce(cardinality(subjects), 1) AS facts
),
told AS (
    INSERT INTO audit_facts (kind, operator_id, subject, fact)
    SELECT 'erasure', '', '', (jsonb_build_object('facts', sum(facts)) || audit_actor())::text FROM gone HAVING count(*) > 0
)
SELECT coalesce(sum(facts), 0) FROM gone;
