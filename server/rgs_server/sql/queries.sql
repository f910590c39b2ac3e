-- Every statement of the service. A block begins with its name; store.py has a method of that name.

-- name: commit_spins
-- Everything a batch of spins changes, in one statement. A row is taken when its key, spin and round
-- are new and its nonce is the next of its session; the others are left out and answered afterwards.
-- With the rows that are not new taken out, those of a session must follow each other from next_nonce on
-- without a gap: a row fits only if the first one does, or a stale batch could slip in behind a gap.
-- Sessions are locked in key order, so that two workers cannot wait for each other.
-- $1 operator_id $2 session_id $3 spin_id $4 round_id $5 idempotency_key $6 fingerprint $7 nonce
-- $8 spin_type $9 stake_minor $10 win_minor $11 win_units $12 outcome_digest $13 telemetry_ref
-- $14 response $15 event $16 created_at $17 mechanic_version (arrays, but for the last)
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[],
                         $8::text[], $9::numeric[], $10::numeric[], $11::bigint[], $12::bytea[], $13::text[],
                         $14::bytea[], $15::bytea[], $16::timestamptz[])
        AS t(operator_id, session_id, spin_id, round_id, idempotency_key, fingerprint, nonce, spin_type,
             stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, response, event, created_at)
),
locked AS MATERIALIZED (
    SELECT s.operator_id, s.session_id, s.next_nonce, s.currency, s.build_hash
    FROM sessions s
    WHERE (s.operator_id, s.session_id) IN (SELECT i.operator_id, i.session_id FROM input i)
    ORDER BY s.operator_id, s.session_id
    FOR UPDATE
),
fresh AS MATERIALIZED (
    SELECT i.*,
           row_number() OVER (PARTITION BY i.operator_id, i.session_id ORDER BY i.nonce) - 1 AS place,
           min(i.nonce) OVER (PARTITION BY i.operator_id, i.session_id) AS first_nonce
    FROM input i
    WHERE NOT EXISTS (SELECT FROM idempotency k WHERE k.operator_id = i.operator_id AND k.operation = 'spin'
                                                  AND k.key = i.idempotency_key)
      AND NOT EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.spin_id = i.spin_id)
      AND NOT EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.round_id = i.round_id)
),
good AS MATERIALIZED (
    SELECT f.*, l.currency, l.build_hash
    FROM fresh f JOIN locked l USING (operator_id, session_id)
    WHERE f.first_nonce = l.next_nonce AND f.nonce = l.next_nonce + f.place
),
new_spins AS (
    INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce, spin_type,
                       currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at)
    SELECT operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, $17::smallint, nonce, spin_type, currency,
           stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at
    FROM good
),
new_answers AS (
    INSERT INTO idempotency (operator_id, operation, key, fingerprint, status, response, created_at)
    SELECT operator_id, 'spin', idempotency_key, fingerprint, 200, response, created_at FROM good
),
new_transfers AS (
    INSERT INTO transfers (operator_id, spin_id, kind, debit_account, credit_account, currency, amount_minor, created_at)
    SELECT operator_id, spin_id, 'stake', 'platform', 'game', currency, stake_minor, created_at FROM good
    UNION ALL
    SELECT operator_id, spin_id, 'win', 'game', 'platform', currency, win_minor, created_at FROM good WHERE win_minor > 0
),
new_events AS (
    INSERT INTO outbox (event_id, operator_id, event_type, payload, created_at)
    SELECT telemetry_ref, operator_id, 'spin_finished', event, created_at FROM good ORDER BY created_at
),
moved AS (
    UPDATE sessions s SET next_nonce = s.next_nonce + g.spins
    FROM (SELECT operator_id, session_id, count(*) AS spins FROM good GROUP BY operator_id, session_id) g
    WHERE s.operator_id = g.operator_id AND s.session_id = g.session_id
)
SELECT operator_id, spin_id FROM good;

-- name: find_answers
-- What is on record for spins that were not taken: by key, else by spin, else by round.
-- $1 operator_id $2 idempotency_key $3 spin_id $4 round_id (arrays)
SELECT i.place, k.fingerprint, k.status, k.response,
       EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.spin_id = i.spin_id) AS spin_exists,
       EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.round_id = i.round_id) AS round_exists
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
    AS i(operator_id, idempotency_key, spin_id, round_id, place)
LEFT JOIN idempotency k
    ON k.operator_id = i.operator_id AND k.operation = 'spin' AND k.key = i.idempotency_key
ORDER BY i.place;

-- name: load_sessions
-- What is needed to spin in the given sessions.
-- $1 operator_id $2 session_id (arrays)
SELECT s.operator_id, s.session_id, s.player_id, s.game_id, s.build_hash, s.currency, s.exponent, s.client_seed,
       s.seed_sealed, s.next_nonce
FROM sessions s
WHERE (s.operator_id, s.session_id) IN (SELECT * FROM unnest($1::text[], $2::text[]));

-- name: open_session
-- $1 operator_id $2 session_id $3 player_id $4 game_id $5 build_hash $6 geo $7 currency $8 exponent
-- $9 client_seed $10 seed_sealed $11 seed_commitment $12 fingerprint $13 response $14 created_at
INSERT INTO sessions (operator_id, session_id, player_id, game_id, build_hash, geo, currency, exponent,
                      client_seed, seed_sealed, seed_commitment, fingerprint, response, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (operator_id, session_id) DO NOTHING
RETURNING session_id;

-- name: session_answer
-- $1 operator_id $2 session_id
SELECT fingerprint, response FROM sessions WHERE operator_id = $1 AND session_id = $2;

-- name: find_spin
-- The audit record of a spin with what its session knows.
-- $1 operator_id $2 spin_id
SELECT p.*, s.player_id, s.game_id, s.geo, s.exponent, s.client_seed, s.seed_sealed, s.seed_commitment,
       o.reveal_seeds, k.response
FROM spins p
JOIN sessions s USING (operator_id, session_id)
JOIN operators o USING (operator_id)
JOIN idempotency k ON k.operator_id = p.operator_id AND k.operation = 'spin' AND k.key = p.idempotency_key
WHERE p.operator_id = $1 AND p.spin_id = $2;

-- name: find_key
-- A key, and from where its operator may call.
-- $1 key_id
SELECT k.operator_id, k.secret_sealed, k.retired_at,
       ARRAY(SELECT network::text FROM operator_networks n WHERE n.operator_id = k.operator_id) AS networks,
       ARRAY(SELECT common_name FROM operator_certificates c WHERE c.operator_id = k.operator_id) AS certificates
FROM operator_keys k WHERE k.key_id = $1;

-- name: list_games
-- $1 operator_id
SELECT game_id, build_ref, build_hash FROM operator_games WHERE operator_id = $1 ORDER BY game_id, build_ref;

-- name: add_operator
-- $1 operator_id $2 reveal_seeds
INSERT INTO operators (operator_id, reveal_seeds) VALUES ($1, $2)
ON CONFLICT (operator_id) DO UPDATE SET reveal_seeds = excluded.reveal_seeds;

-- name: add_key
-- $1 key_id $2 operator_id $3 secret_sealed
INSERT INTO operator_keys (key_id, operator_id, secret_sealed) VALUES ($1, $2, $3)
ON CONFLICT (key_id) DO UPDATE SET secret_sealed = excluded.secret_sealed
WHERE operator_keys.operator_id = excluded.operator_id AND operator_keys.retired_at IS NULL
RETURNING key_id;

-- name: retire_key
-- $1 key_id $2 operator_id
UPDATE operator_keys SET retired_at = now() WHERE key_id = $1 AND operator_id = $2 AND retired_at IS NULL
RETURNING key_id;

-- name: set_networks
-- $1 operator_id $2 networks (array)
WITH gone AS (DELETE FROM operator_networks WHERE operator_id = $1 AND network <> ALL ($2::cidr[]))
INSERT INTO operator_networks (operator_id, network) SELECT $1, * FROM unnest($2::cidr[]) ON CONFLICT DO NOTHING;

-- name: set_certificates
-- $1 operator_id $2 common_names (array)
WITH gone AS (DELETE FROM operator_certificates WHERE operator_id = $1 AND common_name <> ALL ($2::text[]))
INSERT INTO operator_certificates (operator_id, common_name) SELECT $1, * FROM unnest($2::text[]) ON CONFLICT DO NOTHING;

-- name: add_game
-- $1 operator_id $2 game_id $3 build_ref $4 build_hash
INSERT INTO operator_games (operator_id, game_id, build_ref, build_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (operator_id, game_id, build_ref) DO UPDATE SET build_hash = excluded.build_hash;

-- name: ready
-- Cheapest proof that the database answers.
SELECT 1;
