-- Every statement of the service. A block begins with its name; store.py has a method of that name.

-- name: commit_spins
-- Everything a batch of spins changes, in one statement. A row is taken when its key, spin and round are new and its nonce
-- is the next of its session; the others are left out and answered afterwards. Rows of a session are taken all or none
-- (of a player who may have one round at a time, the first): one behind a gap would use the nonce of another.
-- A session is locked as it is read, in key order, so that two workers cannot wait for each other. Where another worker has
-- it, what is read is what that one leaves: whatever makes a spin impossible moves next_nonce or version.
-- $1 operator_id $2 session_id $3 spin_id $4 round_id $5 idempotency_key $6 fingerprint $7 nonce
-- $8 spin_type $9 stake_minor $10 win_minor $11 win_units $12 outcome_digest $13 telemetry_ref
-- $14 response $15 event $16 created_at $17 session_version $18 mode $19 choice $20 options (a JSON list)
-- $21 won_minor $22 choose_by $23 nonce_digest $24 traceparent $25 how many events follow spin_finished (arrays; numbers as one
-- text with commas; a column of NULLs may have no elements)
-- $26 mechanic_version. A row with a choice is of a round that waits for
-- it: its stake is taken, its row in spins comes when it is decided.
-- $27 digest $28 claim (arrays, in order of the digests, each once) $29 seconds: nonces of signatures, of these rows and of
-- requests that are refused. A row whose nonce was taken before by another request is left out; digests of those are answered.
-- Nonces come before sessions in every worker, so that here, too, two cannot wait for each other.
-- Events that follow spin_finished of the rows: $30 operator_id $31 spin_id $32 place $33 event_id $34 event_type $35 payload
-- Of each row among those of its session in the batch: $36 its place, from 0 $37 how many they are $38 what the balance gains
-- and $39 how many events there are up to it, itself included (numbers as above).
-- Parts in brackets are of rounds that go on after their spin. A batch without any is written without them, since a
-- statement's plan is set up with all that it could write.
WITH remembered AS (
    INSERT INTO nonces AS n (digest, claim, expires_at)
    SELECT t.digest, t.claim, now() + make_interval(secs => $29) FROM unnest($27::bytea[], $28::bigint[]) AS t(digest, claim)
    ON CONFLICT (digest) DO UPDATE SET claim = n.claim WHERE n.claim = excluded.claim
    RETURNING digest
),
input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], string_to_array($7, ',')::bigint[],
                         $8::text[], string_to_array($9, ',')::numeric[], string_to_array($10, ',')::numeric[],
                         string_to_array($11, ',')::bigint[], $12::bytea[], $13::text[],
                         $14::bytea[], $15::bytea[], $16::timestamptz[], string_to_array($17, ',')::integer[], $18::text[],
                         $19::text[], $20::text[], string_to_array($21, ',')::numeric[], $22::timestamptz[], $23::bytea[],
                         $24::text[], string_to_array($25, ',')::integer[], string_to_array($36, ',')::integer[],
                         string_to_array($37, ',')::integer[], string_to_array($38, ',')::numeric[], string_to_array($39, ',')::integer[])
        AS t(operator_id, session_id, spin_id, round_id, idempotency_key, fingerprint, nonce, spin_type,
             stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, response, event, created_at,
             session_version, mode, choice, options, won_minor, choose_by, nonce_digest, traceparent, following,
             place, spins, gained_minor, told)
),
fresh AS MATERIALIZED (
    -- What is remembered must not be looked at here: a row that waited for its session is looked at again, and inserts of
    -- the same statement cannot be. That they come first is asked for by their number, which is found once.
    SELECT i.*, s.balance_minor, s.event_count, s.currency, s.exponent, s.build_hash, s.player_id, s.game_id,
           s.settle_within_s, s.one_round, s.wallet
    FROM input i JOIN sessions s USING (operator_id, session_id)
    WHERE (SELECT count(*) FROM remembered) >= 0
      AND i.nonce = s.next_nonce + i.place AND i.session_version = s.version
      AND NOT EXISTS (SELECT FROM idempotency k WHERE k.operator_id = i.operator_id AND k.operation = 'spin'
                                                  AND k.key = i.idempotency_key)
      AND NOT EXISTS (SELECT FROM spins p WHERE p.operator_id = i.operator_id AND p.spin_id = i.spin_id)
      AND NOT EXISTS (SELECT FROM spins p WHERE p.operator_id = i.operator_id AND p.round_id = i.round_id)
      AND NOT EXISTS (SELECT FROM round_ends e WHERE e.operator_id = i.operator_id AND e.round_id = i.round_id)
      -- A stake that was asked for in another session would find its spin played, and never be given back.
      AND NOT EXISTS (SELECT FROM wallet_steps w WHERE w.operator_id = i.operator_id AND w.txn_id = 'debit:' || i.spin_id
                                                   AND w.session_id <> i.session_id)
      AND NOT EXISTS (SELECT FROM wallet_steps w WHERE w.operator_id = i.operator_id AND w.round_id = i.round_id
                                                   AND w.kind = 'debit' AND w.session_id <> i.session_id)
      AND NOT EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.round_id = i.round_id)
      AND NOT EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.spin_id = i.spin_id)
      AND NOT EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.session_id = i.session_id)
      AND NOT (s.one_round AND (i.place > 0 OR EXISTS (
                   SELECT FROM open_rounds r WHERE r.operator_id = s.operator_id AND r.player_id = s.player_id
                                               AND r.game_id = s.game_id) OR EXISTS (
                   SELECT FROM waiting_rounds w WHERE w.operator_id = s.operator_id AND w.player_id = s.player_id
                                                  AND w.game_id = s.game_id)))
      AND (s.wallet <> 'seamless' OR EXISTS (
               SELECT FROM wallet_steps w WHERE w.operator_id = i.operator_id AND w.txn_id = 'debit:' || i.spin_id
                                            AND w.round_id = i.round_id AND w.state = 'accepted'))
    ORDER BY i.operator_id, i.session_id
    FOR UPDATE OF s
),
once AS MATERIALIZED (
    SELECT * FROM fresh WHERE nonce_digest IS NULL OR nonce_digest IN (SELECT r.digest FROM remembered r)
),
good AS MATERIALIZED (
    SELECT o.*,
           CASE wallet WHEN 'transfer' THEN 'session' WHEN 'seamless' THEN 'held' ELSE 'platform' END AS stake_account,
           CASE wallet WHEN 'transfer' THEN 'session' WHEN 'seamless' THEN 'payable' ELSE 'platform' END AS win_account,
           balance_minor + gained_minor AS balance_after, event_count + told AS last_seq
    FROM once o
    WHERE spins = 1 OR one_round
       OR spins = (SELECT count(*) FROM once a WHERE a.operator_id = o.operator_id AND a.session_id = o.session_id)
),
new_spins AS (
    INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce, spin_type, mode,
                       policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at)
    SELECT operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, $26::smallint, nonce, spin_type, mode, '', currency,
           stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at
    FROM good WHERE choice IS NULL
),
-- [
new_waiting AS (
    INSERT INTO waiting_rounds (operator_id, round_id, spin_id, session_id, player_id, game_id, idempotency_key, nonce, spin_type,
                                mode, stake_minor, telemetry_ref, one_round, choice, options, won_minor, created_at, due_at)
    SELECT operator_id, round_id, spin_id, session_id, player_id, game_id, idempotency_key, nonce, spin_type, mode, stake_minor,
           telemetry_ref, one_round, choice, ARRAY(SELECT jsonb_array_elements_text(options::jsonb)), won_minor, created_at, choose_by
    FROM good WHERE choice IS NOT NULL
),
-- ]
new_answers AS (
    INSERT INTO idempotency (operator_id, operation, key, fingerprint, status, response, created_at)
    SELECT operator_id, 'spin', idempotency_key, fingerprint, 200, response, created_at FROM good
),
new_ledger AS (
    INSERT INTO ledger (operator_id, txn_id, kind, session_id, spin_id, debit_account, credit_account, currency, exponent,
                        amount_minor, balance_before_minor, balance_after_minor, created_at)
    SELECT operator_id, 'stake:' || spin_id, 'stake', session_id, spin_id, stake_account, 'game', currency, exponent, stake_minor,
           balance_after - win_minor + stake_minor, balance_after - win_minor, created_at FROM good
    UNION ALL
    SELECT operator_id, 'win:' || spin_id, 'win', session_id, spin_id, 'game', win_account, currency, exponent, win_minor,
           balance_after - win_minor, balance_after, created_at FROM good WHERE win_minor > 0
),
-- [
debits_used AS (
    UPDATE wallet_steps w SET next_try_at = NULL
    FROM good g WHERE g.wallet = 'seamless' AND w.operator_id = g.operator_id AND w.txn_id = 'debit:' || g.spin_id
),
new_credits AS (
    INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent, amount_minor,
                              state, traceparent, next_try_at, created_at)
    SELECT operator_id, 'credit:' || spin_id, 'credit', round_id, spin_id, session_id, currency, exponent, win_minor,
           'pending', traceparent, created_at, created_at
    FROM good WHERE wallet = 'seamless' AND choice IS NULL
),
new_open_rounds AS (
    INSERT INTO open_rounds (operator_id, round_id, spin_id, session_id, player_id, game_id, one_round, due_at)
    SELECT operator_id, round_id, spin_id, session_id, player_id, game_id, one_round,
           created_at + settle_within_s * interval '1 second'
    FROM good WHERE settle_within_s IS NOT NULL AND choice IS NULL
),
new_in_round AS (
    INSERT INTO players_in_round (operator_id, player_id, game_id, round_id)
    SELECT operator_id, player_id, game_id, round_id
    FROM good WHERE one_round AND (choice IS NOT NULL OR settle_within_s IS NOT NULL)
),
-- ]
new_events AS (
    INSERT INTO events (event_id, operator_id, session_id, seq, event_type, payload, created_at, traceparent)
    SELECT telemetry_ref, operator_id, session_id, last_seq - following, 'spin_finished', event, created_at, traceparent
    FROM good WHERE choice IS NULL
    UNION ALL
    SELECT e.event_id, g.operator_id, g.session_id, g.last_seq - g.following + e.place, e.event_type, e.payload, g.created_at,
           g.traceparent
    FROM unnest($30::text[], $31::text[], $32::integer[], $33::text[], $34::text[], $35::bytea[])
        AS e(operator_id, spin_id, place, event_id, event_type, payload)
    JOIN good g USING (operator_id, spin_id) WHERE g.choice IS NULL
),
moved AS (
    UPDATE sessions s SET next_nonce = g.nonce + 1, balance_minor = g.balance_after, event_count = g.last_seq
    FROM good g
    WHERE (g.one_round OR g.place = g.spins - 1) AND s.operator_id = g.operator_id AND s.session_id = g.session_id
)
SELECT operator_id, spin_id, NULL AS replayed FROM good
UNION ALL
SELECT NULL, NULL, u.digest FROM unnest($27::bytea[]) AS u(digest) WHERE u.digest NOT IN (SELECT r.digest FROM remembered r);

-- name: find_answers
-- What is on record for spins that were not taken: by key, else by spin, else by round.
-- $1 operator_id $2 idempotency_key $3 spin_id $4 round_id $5 session_id (arrays)
SELECT i.place, k.fingerprint, k.status, k.response,
       EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.spin_id = i.spin_id)
           OR EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.spin_id = i.spin_id) AS spin_exists,
       EXISTS (SELECT FROM spins s WHERE s.operator_id = i.operator_id AND s.round_id = i.round_id)
           OR EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = i.operator_id AND w.round_id = i.round_id) AS round_exists,
       EXISTS (SELECT FROM round_ends e WHERE e.operator_id = i.operator_id AND e.round_id = i.round_id) AS round_ended,
       (SELECT min(r.round_id) FROM sessions s
        JOIN open_rounds r ON r.operator_id = s.operator_id AND r.player_id = s.player_id AND r.game_id = s.game_id
        WHERE s.operator_id = i.operator_id AND s.session_id = i.session_id AND s.one_round) AS open_round,
       (SELECT min(w.round_id) FROM sessions s
        JOIN waiting_rounds w ON w.operator_id = s.operator_id
            AND (w.session_id = s.session_id OR s.one_round AND w.player_id = s.player_id AND w.game_id = s.game_id)
        WHERE s.operator_id = i.operator_id AND s.session_id = i.session_id) AS waiting_round,
       (SELECT w.state FROM wallet_steps w
        WHERE w.operator_id = i.operator_id AND w.txn_id = 'debit:' || i.spin_id) AS debit_state,
       EXISTS (SELECT FROM wallet_steps w WHERE w.operator_id = i.operator_id AND w.txn_id = 'debit:' || i.spin_id
                                            AND w.session_id <> i.session_id)
       OR EXISTS (SELECT FROM wallet_steps w WHERE w.operator_id = i.operator_id AND w.round_id = i.round_id
                                               AND w.kind = 'debit' AND w.session_id <> i.session_id) AS debit_elsewhere
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS i(operator_id, idempotency_key, spin_id, round_id, session_id, place)
LEFT JOIN idempotency k
    ON k.operator_id = i.operator_id AND k.operation = 'spin' AND k.key = i.idempotency_key
ORDER BY i.place;

-- name: load_sessions
-- What is needed to spin in the given sessions.
-- $1 operator_id $2 session_id (arrays)
SELECT s.operator_id, s.session_id, s.player_id, s.game_id, s.build_hash, s.currency, s.exponent, s.client_seed,
       s.seed_sealed, s.channel, s.next_nonce, s.version, s.balance_minor, s.closed_at, s.wallet,
       s.settle_within_s IS NOT NULL AS settles,
       s.geo, s.created_at, s.enforces_markets, s.age, s.time_limit_min, s.blocked, s.acknowledged, s.acknowledged_at,
       (SELECT w.round_id FROM waiting_rounds w WHERE w.operator_id = s.operator_id AND w.session_id = s.session_id)
           AS waiting_round,
       (SELECT o.choose_within_s FROM operators o WHERE o.operator_id = s.operator_id) AS choose_within_s,
       (SELECT p.created_at FROM spins p WHERE p.operator_id = s.operator_id AND p.session_id = s.session_id
                                           AND p.nonce = s.next_nonce - 1) AS last_round_at
FROM sessions s
WHERE (s.operator_id, s.session_id) IN (SELECT * FROM unnest($1::text[], $2::text[]));

-- name: open_session
-- $1 operator_id $2 session_id $3 player_id $4 game_id $5 build_hash $6 geo $7 currency $8 exponent
-- $9 client_seed $10 seed_sealed $11 seed_commitment $12 fingerprint $13 response $14 created_at $15 wallet
-- $16 one_round $17 age $18 time_limit_min $19 channel
INSERT INTO sessions (operator_id, session_id, player_id, game_id, build_hash, geo, currency, exponent,
                      client_seed, seed_sealed, seed_commitment, fingerprint, response, created_at, wallet,
                      balance_minor, settle_within_s, one_round, touched_at, age, time_limit_min, enforces_markets,
                      channel, blocked)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, CASE $15 WHEN 'transfer' THEN 0 END,
       CASE $15 WHEN 'platform' THEN settle_within_s END, one_round OR $16, $14, $17, $18, enforces_markets,
       $19,
       EXISTS (SELECT FROM player_flags f WHERE f.operator_id = $1 AND f.player_id = $3 AND f.self_excluded)
FROM operators WHERE operator_id = $1
ON CONFLICT (operator_id, session_id) DO NOTHING
RETURNING session_id;

-- name: session_answer
-- $1 operator_id $2 session_id
SELECT fingerprint, response FROM sessions WHERE operator_id = $1 AND session_id = $2;

-- name: find_spin
-- The audit record of a spin with what its session knows.
-- $1 operator_id $2 spin_id
SELECT p.*, s.player_id, s.game_id, s.geo, s.exponent, s.client_seed, s.seed_sealed, s.seed_commitment,
       o.reveal_seeds OR s.closed_at IS NOT NULL AS seed_is_public,
       coalesce((SELECT c.response FROM choices c WHERE c.operator_id = p.operator_id AND c.round_id = p.round_id
                 ORDER BY c.step DESC LIMIT 1), k.response) AS response
FROM spins p
JOIN sessions s USING (operator_id, session_id)
JOIN operators o USING (operator_id)
JOIN idempotency k ON k.operator_id = p.operator_id AND k.operation = 'spin' AND k.key = p.idempotency_key
WHERE p.operator_id = $1 AND p.spin_id = $2;

-- name: list_spins
-- $1 operator_id $2 session_id $3 from_nonce $4 most
SELECT p.*, s.player_id, s.game_id, s.exponent,
       coalesce((SELECT c.response FROM choices c WHERE c.operator_id = p.operator_id AND c.round_id = p.round_id
                 ORDER BY c.step DESC LIMIT 1), k.response) AS response
FROM spins p
JOIN sessions s USING (operator_id, session_id)
JOIN idempotency k ON k.operator_id = p.operator_id AND k.operation = 'spin' AND k.key = p.idempotency_key
WHERE p.operator_id = $1 AND p.session_id = $2 AND p.nonce >= $3
ORDER BY p.nonce LIMIT $4;

-- name: find_spin_of_round
-- The id of the spin that played a round.
-- $1 operator_id $2 round_id
SELECT spin_id FROM spins WHERE operator_id = $1 AND round_id = $2;

-- name: unknown_builds
-- Those of some builds that were never served before.
-- $1 build_hash (array)
SELECT * FROM unnest($1::text[]) AS t(build_hash) WHERE NOT EXISTS (SELECT FROM builds b WHERE b.build_hash = t.build_hash);

-- name: add_builds
-- In the order of their hashes, so that two workers that start cannot wait for each other.
-- $1 build_hash $2 model $3 profile $4 source (arrays) $5 mechanic_version $6 first_seen_at
INSERT INTO builds (build_hash, model, profile, source, mechanic_version, first_seen_at)
SELECT t.*, $5, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t(build_hash, model, profile, source)
ORDER BY build_hash
ON CONFLICT (build_hash) DO NOTHING;

-- name: find_build
-- $1 build_hash
SELECT * FROM builds WHERE build_hash = $1;

-- name: find_session
-- $1 operator_id $2 session_id
SELECT * FROM sessions WHERE operator_id = $1 AND session_id = $2;

-- name: open_rounds_of
-- Rounds of a player in a game that wait for a choice or for their settlement, oldest first; so many that the answer stays
-- small.
-- $1 operator_id $2 player_id $3 game_id
SELECT r.round_id, r.spin_id, r.session_id, r.due_at, p.stake_minor, p.win_minor, p.currency, s.exponent, p.created_at,
       NULL::integer AS step, NULL::text AS choice, NULL::text[] AS options, NULL::numeric AS won_minor
FROM open_rounds r
JOIN spins p USING (operator_id, spin_id)
JOIN sessions s ON s.operator_id = p.operator_id AND s.session_id = p.session_id
WHERE r.operator_id = $1 AND r.player_id = $2 AND r.game_id = $3
UNION ALL
SELECT w.round_id, w.spin_id, w.session_id, w.due_at, w.stake_minor, 0, s.currency, s.exponent, w.created_at,
       cardinality(w.decisions) + 1, w.choice, w.options, w.won_minor
FROM waiting_rounds w
JOIN sessions s USING (operator_id, session_id)
WHERE w.operator_id = $1 AND w.player_id = $2 AND w.game_id = $3
ORDER BY created_at LIMIT 100;

-- name: find_round
-- A round with how it ended; also one that was voided without having been played, or whose debit was asked for.
-- $1 operator_id $2 round_id
SELECT coalesce(p.round_id, w.round_id, e.round_id, d.round_id) AS round_id, s.session_id,
       coalesce(p.spin_id, w.spin_id, d.spin_id) AS spin_id, p.spin_id IS NOT NULL AS played,
       coalesce(p.stake_minor, w.stake_minor, d.amount_minor) AS stake_minor,
       p.win_minor, coalesce(p.created_at, w.created_at) AS played_at, s.currency, s.exponent, s.wallet, r.due_at,
       cardinality(w.decisions) + 1 AS step, w.choice, w.options, w.won_minor, w.due_at AS choose_by,
       (SELECT count(*) FROM choices c WHERE c.operator_id = asked.operator_id AND c.round_id = asked.round_id) AS choices_made,
       coalesce((SELECT c.response FROM choices c WHERE c.operator_id = asked.operator_id AND c.round_id = asked.round_id
                 ORDER BY c.step DESC LIMIT 1), k.response) AS answer,
       e.ending, e.debit_tx, e.credit_tx, e.reason, coalesce(e.created_at, c.ended_at, b.ended_at) AS ended_at,
       d.txn_id AS debit_step, d.state AS debit_state, d.last_error AS debit_error,
       c.txn_id AS credit_step, c.state AS credit_state
FROM (SELECT $1::text AS operator_id, $2::text AS round_id) asked
LEFT JOIN spins p USING (operator_id, round_id)
LEFT JOIN round_ends e USING (operator_id, round_id)
LEFT JOIN open_rounds r USING (operator_id, round_id)
LEFT JOIN waiting_rounds w USING (operator_id, round_id)
LEFT JOIN idempotency k ON k.operator_id = asked.operator_id AND k.operation = 'spin'
                       AND k.key = coalesce(p.idempotency_key, w.idempotency_key)
LEFT JOIN wallet_steps d ON d.operator_id = asked.operator_id AND d.round_id = asked.round_id AND d.kind = 'debit'
LEFT JOIN wallet_steps c ON c.operator_id = asked.operator_id AND c.round_id = asked.round_id AND c.kind = 'credit'
LEFT JOIN wallet_steps b ON b.operator_id = asked.operator_id AND b.round_id = asked.round_id AND b.kind = 'rollback'
JOIN sessions s ON s.operator_id = asked.operator_id
               AND s.session_id = coalesce(p.session_id, w.session_id, e.session_id, d.session_id);

-- name: lock_waiting_round
-- $1 operator_id $2 round_id
SELECT w.*, o.choose_within_s FROM waiting_rounds w JOIN operators o USING (operator_id)
WHERE w.operator_id = $1 AND w.round_id = $2 FOR UPDATE OF w;

-- name: waiting_round
-- $1 operator_id $2 round_id
SELECT * FROM waiting_rounds WHERE operator_id = $1 AND round_id = $2;

-- name: overdue_choices
-- Rounds that are to be decided for their players.
-- $1 now $2 most
SELECT operator_id, round_id FROM waiting_rounds WHERE due_at <= $1 ORDER BY due_at LIMIT $2;

-- name: find_choice
-- $1 operator_id $2 round_id $3 step
SELECT * FROM choices WHERE operator_id = $1 AND round_id = $2 AND step = $3;

-- name: find_waiting_spin
-- The round of a spin that waits for a choice.
-- $1 operator_id $2 spin_id
SELECT round_id, choice FROM waiting_rounds WHERE operator_id = $1 AND spin_id = $2;

-- name: add_choice
-- $1 operator_id $2 round_id $3 step $4 choice $5 option $6 made_by $7 response $8 created_at
INSERT INTO choices (operator_id, round_id, step, choice, option, made_by, response, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ask_next
-- The round waits for another choice, and for as long again.
-- $1 operator_id $2 round_id $3 decisions $4 choice $5 options $6 won_minor $7 due_at
UPDATE waiting_rounds SET decisions = $3, choice = $4, options = $5, won_minor = $6, due_at = $7
WHERE operator_id = $1 AND round_id = $2;

-- name: finish_round
-- A round is decided: all that a spin writes and that its first answer did not, but for its events. In a transaction that has
-- the session (`change_session`).
-- $1 operator_id $2 round_id $3 policy $4 win_minor $5 win_units $6 outcome_digest $7 created_at $8 mechanic_version
-- $9 traceparent
WITH gone AS (
    DELETE FROM waiting_rounds WHERE operator_id = $1 AND round_id = $2 RETURNING *
),
round AS MATERIALIZED (
    SELECT g.*, s.build_hash, s.currency, s.exponent, s.wallet, s.settle_within_s, s.balance_minor
    FROM gone g JOIN sessions s USING (operator_id, session_id)
),
new_spin AS (
    INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce, spin_type, mode,
                       policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at)
    SELECT operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, $8::smallint, nonce, spin_type, mode, $3, currency,
           stake_minor, $4, $5, $6, telemetry_ref, $7 FROM round
),
paid AS (
    UPDATE sessions s SET balance_minor = s.balance_minor + $4 FROM round r
    WHERE s.operator_id = r.operator_id AND s.session_id = r.session_id AND r.balance_minor IS NOT NULL
),
booked AS (
    INSERT INTO ledger (operator_id, txn_id, kind, session_id, spin_id, debit_account, credit_account, currency, exponent,
                        amount_minor, balance_before_minor, balance_after_minor, created_at)
    SELECT operator_id, 'win:' || spin_id, 'win', session_id, spin_id, 'game',
           CASE wallet WHEN 'transfer' THEN 'session' WHEN 'seamless' THEN 'payable' ELSE 'platform' END, currency, exponent, $4,
           balance_minor, balance_minor + $4, $7
    FROM round WHERE $4::numeric > 0
),
due AS (
    INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent, amount_minor,
                              state, traceparent, next_try_at, created_at)
    SELECT operator_id, 'credit:' || spin_id, 'credit', round_id, spin_id, session_id, currency, exponent, $4, 'pending', $9, $7, $7
    FROM round WHERE wallet = 'seamless'
),
no_more_in_round AS (
    DELETE FROM players_in_round p USING round r
    WHERE p.operator_id = r.operator_id AND p.round_id = r.round_id AND r.settle_within_s IS NULL
)
INSERT INTO open_rounds (operator_id, round_id, spin_id, session_id, player_id, game_id, one_round, due_at)
SELECT operator_id, round_id, spin_id, session_id, player_id, game_id, one_round, $7 + settle_within_s * interval '1 second'
FROM round WHERE settle_within_s IS NOT NULL;

-- name: settle_round
-- Whatever ended the round first stands.
-- $1 operator_id $2 round_id $3 debit_tx $4 credit_tx $5 created_at
WITH ended AS (
    INSERT INTO round_ends (operator_id, round_id, session_id, spin_id, ending, debit_tx, credit_tx, created_at)
    SELECT operator_id, round_id, session_id, spin_id, 'settled', $3, $4, $5
    FROM spins WHERE operator_id = $1 AND round_id = $2
    ON CONFLICT (round_id, operator_id) DO NOTHING
    RETURNING round_id
),
closed AS (
    DELETE FROM open_rounds WHERE operator_id = $1 AND round_id IN (SELECT round_id FROM ended)
),
no_more_in_round AS (
    DELETE FROM players_in_round WHERE operator_id = $1 AND round_id IN (SELECT round_id FROM ended)
)
SELECT round_id FROM ended;

-- name: change_session
-- Locks a session and makes workers read it again before they play; spins that are being written come before
-- or after what follows in this transaction.
-- $1 operator_id $2 session_id
UPDATE sessions SET version = version + 1 WHERE operator_id = $1 AND session_id = $2 RETURNING *;

-- name: lock_session
-- $1 operator_id $2 session_id
SELECT FROM sessions WHERE operator_id = $1 AND session_id = $2 FOR UPDATE;

-- name: void_round
-- Takes the money of a round back, or says that a round which is not there shall never be played.
-- $1 operator_id $2 round_id $3 session_id $4 reason $5 created_at
WITH ended AS (
    INSERT INTO round_ends (operator_id, round_id, session_id, spin_id, ending, reason, created_at)
    SELECT $1, $2, $3, (SELECT spin_id FROM spins WHERE operator_id = $1 AND round_id = $2), 'voided', $4, $5
    ON CONFLICT (round_id, operator_id) DO NOTHING
    RETURNING round_id, spin_id
),
closed AS (
    DELETE FROM open_rounds WHERE operator_id = $1 AND round_id IN (SELECT round_id FROM ended)
),
no_more_in_round AS (
    DELETE FROM players_in_round WHERE operator_id = $1 AND round_id IN (SELECT round_id FROM ended)
)
INSERT INTO ledger (operator_id, txn_id, kind, session_id, spin_id, debit_account, credit_account, currency, exponent,
                    amount_minor, created_at)
SELECT l.operator_id, 'void_' || l.txn_id, 'void_' || l.kind, l.session_id, l.spin_id, l.credit_account, l.debit_account,
       l.currency, l.exponent, l.amount_minor, $5
FROM ended e JOIN ledger l ON l.operator_id = $1 AND l.txn_id IN ('stake:' || e.spin_id, 'win:' || e.spin_id);

-- name: count_endings
-- Settled and voided rounds of an operator since a time: an operator that voids what wins shops for outcomes.
-- $1 operator_id $2 since
SELECT e.ending, p.currency, s.exponent, count(*) AS rounds, sum(p.stake_minor) AS stake_minor,
       sum(p.win_minor) AS win_minor
FROM round_ends e
JOIN spins p USING (operator_id, spin_id)
JOIN sessions s ON s.operator_id = e.operator_id AND s.session_id = e.session_id
WHERE e.operator_id = $1 AND e.created_at >= $2
GROUP BY e.ending, p.currency, s.exponent ORDER BY p.currency, e.ending;

-- name: transfer_in
-- The same id twice at once breaks the key of the ledger; the second is then answered with the first.
-- $1 operator_id $2 session_id $3 transfer_id $4 amount_minor $5 created_at
WITH moved AS (
    UPDATE sessions SET balance_minor = balance_minor + $4, version = version + 1, touched_at = $5
    WHERE operator_id = $1 AND session_id = $2 AND wallet = 'transfer' AND closed_at IS NULL
      AND NOT EXISTS (SELECT FROM ledger WHERE operator_id = $1 AND txn_id = 'in:' || $3)
    RETURNING *
)
INSERT INTO ledger (operator_id, txn_id, kind, session_id, debit_account, credit_account, currency, exponent,
                    amount_minor, balance_before_minor, balance_after_minor, created_at)
SELECT operator_id, 'in:' || $3, 'in', session_id, 'platform', 'session', currency, exponent, $4::numeric,
       balance_minor - $4, balance_minor, $5
FROM moved
RETURNING txn_id;

-- name: close_session
-- Pays out what a session holds, once.
-- $1 operator_id $2 session_id $3 created_at $4 reason
WITH old AS (
    SELECT operator_id, session_id, balance_minor FROM sessions
    WHERE operator_id = $1 AND session_id = $2 AND closed_at IS NULL FOR UPDATE
),
waiting AS (
    SELECT FROM waiting_rounds WHERE operator_id = $1 AND session_id = $2
),
closed AS (
    UPDATE sessions s SET closed_at = $3, close_reason = $4, version = s.version + 1,
                          balance_minor = s.balance_minor - old.balance_minor
    FROM old WHERE s.operator_id = old.operator_id AND s.session_id = old.session_id AND NOT EXISTS (SELECT FROM waiting)
    RETURNING s.*, old.balance_minor AS paid_minor
),
paid AS (
    INSERT INTO ledger (operator_id, txn_id, kind, session_id, debit_account, credit_account, currency, exponent,
                        amount_minor, balance_before_minor, balance_after_minor, created_at)
    SELECT operator_id, 'out:' || session_id, 'out', session_id, 'session', 'platform', currency, exponent, paid_minor,
           paid_minor, 0, $3
    FROM closed WHERE paid_minor > 0
)
SELECT * FROM closed;

-- name: find_transaction
-- $1 operator_id $2 txn_id
SELECT l.*, p.round_id FROM ledger l LEFT JOIN spins p USING (operator_id, spin_id)
WHERE l.operator_id = $1 AND l.txn_id = $2;

-- name: moved_with
-- What moved between an operator and us from $2 until before $3, by the operator's names of transactions. Not certain:
-- steps of a debit that we gave up without knowing whether it was made.
-- $1 operator_id $2 since $3 until
SELECT w.txn_id, w.amount_minor, w.currency, w.exponent, w.ended_at AS moved_at,
       CASE w.state WHEN 'accepted' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'rolled_back' END AS status,
       w.state = 'refused' OR EXISTS (SELECT FROM ledger l WHERE l.operator_id = w.operator_id AND l.txn_id = w.txn_id)
           AND w.state = 'accepted' AS certain
FROM wallet_steps w
WHERE w.operator_id = $1 AND w.ended_at >= $2 AND w.ended_at < $3 AND w.state <> 'failed' AND w.amount_minor > 0
UNION ALL
SELECT l.txn_id, l.amount_minor, l.currency, l.exponent, l.created_at, 'posted', true
FROM ledger l
WHERE l.operator_id = $1 AND l.created_at >= $2 AND l.created_at < $3 AND l.kind IN ('in', 'out')
UNION ALL
SELECT t.txn_id, t.amount_minor, p.currency, s.exponent, e.created_at, 'posted', true
FROM round_ends e
JOIN spins p USING (operator_id, spin_id)
JOIN sessions s ON s.operator_id = e.operator_id AND s.session_id = e.session_id
CROSS JOIN LATERAL (VALUES (e.debit_tx, p.stake_minor), (e.credit_tx, p.win_minor)) AS t(txn_id, amount_minor)
WHERE e.operator_id = $1 AND e.created_at >= $2 AND e.created_at < $3 AND e.ending = 'settled' AND t.txn_id IS NOT NULL;

-- name: begin_debit
-- Writes down that a stake is going to be asked for, unless it was, or the round has another spin.
-- $1 operator_id $2 session_id $3 spin_id $4 round_id $5 amount_minor $6 fingerprint $7 created_at $8 due_at
-- $9 asked_until $10 traceparent
INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent, amount_minor,
                          fingerprint, state, attempts, next_try_at, created_at, asked_until, traceparent)
SELECT $1, 'debit:' || $3, 'debit', $4, $3, $2, currency, exponent, $5, $6, 'pending', 1, $8, $7, $9, $10
FROM sessions WHERE operator_id = $1 AND session_id = $2 AND closed_at IS NULL
ON CONFLICT DO NOTHING RETURNING txn_id;

-- name: claim_debit
-- A debit that nobody asks for any more, for one worker.
-- $1 operator_id $2 txn_id $3 now $4 asked_until
UPDATE wallet_steps SET asked_until = $4, attempts = attempts + 1
WHERE operator_id = $1 AND txn_id = $2 AND kind = 'debit' AND state = 'pending' AND asked_until <= $3 RETURNING txn_id;

-- name: keep_debit
-- $1 operator_id $2 txn_id $3 asked_until
UPDATE wallet_steps SET asked_until = $3, attempts = attempts + 1
WHERE operator_id = $1 AND txn_id = $2 AND kind = 'debit' AND state = 'pending';

-- name: accept_step
-- The wallet took it; what was accepted, abandoned or refused before stays so.
-- $1 operator_id $2 txn_id $3 ended_at
WITH done AS (
    UPDATE wallet_steps SET state = 'accepted', ended_at = $3, last_error = NULL,
                            next_try_at = CASE kind WHEN 'debit' THEN next_try_at END  -- somebody has to draw
    WHERE operator_id = $1 AND txn_id = $2 AND state IN ('pending', 'failed')
    RETURNING *
),
booked AS (
    INSERT INTO ledger (operator_id, txn_id, kind, session_id, spin_id, debit_account, credit_account, currency, exponent,
                        amount_minor, created_at)
    SELECT operator_id, txn_id, kind, session_id, spin_id,
           CASE kind WHEN 'debit' THEN 'platform' WHEN 'credit' THEN 'payable' ELSE 'held' END,
           CASE kind WHEN 'debit' THEN 'held' ELSE 'platform' END, currency, exponent, amount_minor, $3
    FROM done d WHERE amount_minor > 0 AND (kind <> 'rollback' OR EXISTS (
        SELECT FROM ledger l WHERE l.operator_id = d.operator_id AND l.txn_id = 'debit:' || d.spin_id))
)
SELECT kind FROM done;

-- name: refuse_debit
-- $1 operator_id $2 txn_id $3 ended_at $4 last_error
UPDATE wallet_steps SET state = 'refused', ended_at = $3, last_error = $4, next_try_at = NULL
WHERE operator_id = $1 AND txn_id = $2 AND kind = 'debit' AND state = 'pending';

-- name: abandon_debit
-- In a transaction that has the session (`change_session`), so that no spin is being written on this debit.
-- $1 operator_id $2 txn_id $3 ended_at $4 last_error
WITH gone AS (
    UPDATE wallet_steps w SET state = 'abandoned', ended_at = $3, last_error = $4, next_try_at = NULL
    WHERE w.operator_id = $1 AND w.txn_id = $2 AND w.kind = 'debit' AND w.state IN ('pending', 'accepted')
      AND NOT EXISTS (SELECT FROM spins p WHERE p.operator_id = w.operator_id AND p.spin_id = w.spin_id)
      AND NOT EXISTS (SELECT FROM waiting_rounds r WHERE r.operator_id = w.operator_id AND r.spin_id = w.spin_id)
    RETURNING *
)
INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent, amount_minor,
                          state, traceparent, next_try_at, created_at)
SELECT operator_id, 'rollback:' || spin_id, 'rollback', round_id, spin_id, session_id, currency, exponent, amount_minor,
       'pending', traceparent, $3, $3
FROM gone RETURNING txn_id;

-- name: overdue_debits
-- Debits of which nothing became in time.
-- $1 now $2 most
SELECT operator_id, txn_id, session_id FROM wallet_steps
WHERE next_try_at <= $1 AND kind = 'debit' ORDER BY next_try_at LIMIT $2;

-- name: claim_steps
-- Credits and rollbacks that are due, for one worker; due again when it has not answered by $3.
-- $1 now $2 most $3 lease_until $4 operators whose wallets are asked enough already
UPDATE wallet_steps w SET attempts = w.attempts + 1, next_try_at = $3
FROM (
    SELECT operator_id, txn_id FROM wallet_steps
    WHERE next_try_at <= $1 AND kind <> 'debit' AND state = 'pending' AND operator_id <> ALL ($4::text[])
    ORDER BY next_try_at LIMIT $2 FOR UPDATE SKIP LOCKED
) due,
sessions s
WHERE w.operator_id = due.operator_id AND w.txn_id = due.txn_id
  AND s.operator_id = w.operator_id AND s.session_id = w.session_id
RETURNING w.*, s.player_id, s.game_id;

-- name: postpone_step
-- $1 operator_id $2 txn_id $3 next_try_at $4 last_error
UPDATE wallet_steps SET next_try_at = $3, last_error = $4
WHERE operator_id = $1 AND txn_id = $2 AND state = 'pending';

-- name: fail_step
-- Nobody tries any more by himself.
-- $1 operator_id $2 txn_id $3 ended_at $4 last_error
UPDATE wallet_steps SET state = 'failed', ended_at = $3, last_error = $4, next_try_at = NULL
WHERE operator_id = $1 AND txn_id = $2 AND state = 'pending';

-- name: find_step
-- $1 operator_id $2 txn_id
SELECT * FROM wallet_steps WHERE operator_id = $1 AND txn_id = $2;

-- name: lock_step
-- $1 operator_id $2 txn_id
SELECT * FROM wallet_steps WHERE operator_id = $1 AND txn_id = $2 FOR UPDATE;

-- name: find_resolution
-- The last one of a step.
-- $1 operator_id $2 txn_id
SELECT * FROM resolutions WHERE operator_id = $1 AND txn_id = $2 ORDER BY proposed_at DESC LIMIT 1;

-- name: propose_resolution
-- $1 operator_id $2 txn_id $3 resolution $4 reason $5 proposed_by $6 proposed_person $7 proposed_at
INSERT INTO resolutions (operator_id, txn_id, resolution, reason, proposed_by, proposed_person, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: confirm_resolution
-- $1 operator_id $2 txn_id $3 confirmed_by $4 confirmed_person $5 confirmed_at
UPDATE resolutions SET confirmed_by = $3, confirmed_person = $4, confirmed_at = $5
WHERE operator_id = $1 AND txn_id = $2 AND confirmed_at IS NULL
  AND proposed_at = (SELECT max(proposed_at) FROM resolutions WHERE operator_id = $1 AND txn_id = $2);

-- name: try_step_again
-- $1 operator_id $2 txn_id $3 next_try_at
UPDATE wallet_steps SET state = 'pending', ended_at = NULL, next_try_at = $3
WHERE operator_id = $1 AND txn_id = $2 AND state = 'failed';

-- name: unfinished_steps
-- What is under way or failed, oldest first.
-- $1 operator_id $2 most
SELECT * FROM wallet_steps WHERE operator_id = $1 AND (next_try_at IS NOT NULL OR state = 'failed')
ORDER BY created_at LIMIT $2;

-- name: wallet_of
-- $1 operator_id
SELECT w.url, w.key_id, k.secret_sealed FROM operator_wallets w JOIN operator_keys k USING (key_id)
WHERE w.operator_id = $1;

-- name: set_wallet
-- $1 operator_id $2 url $3 key_id
INSERT INTO operator_wallets (operator_id, url, key_id) SELECT $1, $2, key_id FROM operator_keys
WHERE key_id = $3 AND operator_id = $1 AND retired_at IS NULL
ON CONFLICT (operator_id) DO UPDATE SET url = excluded.url, key_id = excluded.key_id
RETURNING operator_id;

-- name: overdue_rounds
-- Rounds to be reported as unsettled; another worker takes others. With their sessions, which are then told of; what somebody
-- else has in hand comes later, since he may want what we have.
-- $1 now $2 most
SELECT r.*, p.stake_minor, p.win_minor, p.currency, s.exponent, s.build_hash
FROM open_rounds r
JOIN spins p USING (operator_id, spin_id)
JOIN sessions s ON s.operator_id = r.operator_id AND s.session_id = r.session_id
WHERE r.reported_at IS NULL AND r.due_at <= $1
ORDER BY r.due_at LIMIT $2 FOR UPDATE OF r, s SKIP LOCKED;

-- name: report_rounds
-- $1 now $2 operator_id $3 round_id (arrays)
UPDATE open_rounds SET reported_at = $1
WHERE (operator_id, round_id) IN (SELECT * FROM unnest($2::text[], $3::text[]));

-- name: lock_sessions
-- Sessions that are told of, in key order, until the end of the transaction.
-- $1 operator_id $2 session_id (arrays)
SELECT FROM sessions WHERE (operator_id, session_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY operator_id, session_id FOR UPDATE;

-- name: add_events
-- Numbers the events of each session and writes them, but for those that were told before. In a transaction that has the
-- sessions (`lock_sessions`): what another one told before it had to let them go is seen here.
-- $1 event_id $2 operator_id $3 session_id (NULL: of none) $4 event_type $5 payload $6 created_at $7 traceparent (arrays)
WITH input AS MATERIALIZED (
    SELECT i.*, s.event_count + row_number() OVER (PARTITION BY i.operator_id, i.session_id ORDER BY i.place) AS seq
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::text[]) WITH ORDINALITY
        AS i(event_id, operator_id, session_id, event_type, payload, created_at, traceparent, place)
    LEFT JOIN sessions s USING (operator_id, session_id)
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.event_id = i.event_id)
),
counted AS (
    UPDATE sessions s SET event_count = i.seq
    FROM (SELECT operator_id, session_id, max(seq) AS seq FROM input WHERE session_id IS NOT NULL
          GROUP BY operator_id, session_id) i
    WHERE s.operator_id = i.operator_id AND s.session_id = i.session_id
)
INSERT INTO events (event_id, operator_id, session_id, seq, event_type, payload, created_at, traceparent)
SELECT event_id, operator_id, session_id, CASE WHEN session_id IS NOT NULL THEN seq END, event_type, payload, created_at,
       traceparent
FROM input ORDER BY place
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id;

-- name: event_payloads
-- $1 event_id (array)
SELECT event_id, payload FROM events WHERE event_id = ANY ($1::text[]);

-- name: reported_spins
-- What a platform's report of a spin is compared with; build_refs are the platform's names of the build.
-- $1 operator_id $2 spin_id (array)
SELECT p.spin_id, p.round_id, p.session_id, p.stake_minor, p.win_minor, p.currency, p.spin_type, s.exponent, s.player_id,
       s.game_id, p.build_hash,
       ARRAY(SELECT g.build_ref FROM operator_games g
             WHERE g.operator_id = p.operator_id AND g.game_id = s.game_id AND g.build_hash = p.build_hash) AS build_refs
FROM spins p JOIN sessions s USING (operator_id, session_id)
WHERE p.operator_id = $1 AND p.spin_id = ANY ($2::text[]);

-- name: list_events
-- $1 operator_id $2 session_id $3 after_seq $4 most
SELECT * FROM events WHERE operator_id = $1 AND session_id = $2 AND seq > $3 ORDER BY seq LIMIT $4;

-- name: forget_events
-- Deletes what is old and was taken, the oldest first; returns how many.
-- $1 before $2 most
WITH gone AS (
    DELETE FROM events WHERE event_seq IN (
        SELECT e.event_seq FROM events e
        WHERE e.created_at < $1
          AND NOT EXISTS (SELECT FROM outbox o, sinks k WHERE o.operator_id = e.operator_id AND o.sink = k.sink AND o.event_seq = e.event_seq)
          AND NOT EXISTS (SELECT FROM dead_events d, sinks k WHERE d.operator_id = e.operator_id AND d.sink = k.sink AND d.event_seq = e.event_seq)
        ORDER BY e.event_seq LIMIT $2)
    RETURNING event_seq
)
SELECT count(*) FROM gone;

-- name: idle_sessions
-- Sessions that hold money and have had neither a spin nor a transfer for so long as their operator allows.
-- $1 now $2 most
SELECT s.operator_id, s.session_id
FROM sessions s JOIN operators o USING (operator_id)
WHERE s.balance_minor > 0 AND s.touched_at <= $1::timestamptz - o.idle_close_s * interval '1 second'
  AND NOT EXISTS (SELECT FROM spins p WHERE p.operator_id = s.operator_id AND p.session_id = s.session_id
                                        AND p.nonce = s.next_nonce - 1
                                        AND p.created_at > $1::timestamptz - o.idle_close_s * interval '1 second')
  AND NOT EXISTS (SELECT FROM waiting_rounds w WHERE w.operator_id = s.operator_id AND w.session_id = s.session_id)
LIMIT $2;

-- name: find_key
-- A key, and what is known of its operator.
-- $1 key_id
SELECT k.secret_sealed, k.person, k.retired_at, r.*
FROM operator_keys k JOIN operator_rules r USING (operator_id) WHERE k.key_id = $1;

-- name: list_games
-- $1 operator_id
SELECT game_id, build_ref, build_hash FROM operator_games WHERE operator_id = $1 ORDER BY game_id, build_ref;

-- name: add_operator
-- $1 operator_id $2 reveal_seeds
INSERT INTO operators (operator_id, reveal_seeds) VALUES ($1, $2)
ON CONFLICT (operator_id) DO UPDATE SET reveal_seeds = excluded.reveal_seeds;

-- name: session_terms
-- What binds a new session of a player.
-- $1 operator_id $2 player_id
SELECT o.wallets, o.enforces_markets,
       EXISTS (SELECT FROM player_flags f WHERE f.operator_id = $1 AND f.player_id = $2 AND f.self_excluded) AS blocked
FROM operators o WHERE o.operator_id = $1;

-- name: set_player_flags
-- $1 operator_id $2 player_id $3 self_excluded $4 now
WITH flagged AS (
    INSERT INTO player_flags (operator_id, player_id, self_excluded, updated_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (player_id, operator_id) DO UPDATE SET self_excluded = excluded.self_excluded, updated_at = $4
),
changed AS (
    UPDATE sessions SET blocked = $3, version = version + 1
    WHERE operator_id = $1 AND player_id = $2 AND closed_at IS NULL
    RETURNING session_id
)
SELECT count(*) AS sessions FROM changed;

-- name: acknowledge
-- $1 operator_id $2 session_id $3 reminders $4 now
UPDATE sessions SET acknowledged = $3, acknowledged_at = $4 WHERE operator_id = $1 AND session_id = $2;

-- name: set_rules
-- How the money of an operator's sessions moves; of those to come.
-- $1 operator_id $2 wallets $3 settle_within_s $4 one_round $5 idle_close_s $6 enforces_markets $7 choose_within_s
UPDATE operators SET wallets = coalesce($2, wallets), settle_within_s = CASE WHEN $3 = 0 THEN NULL ELSE coalesce($3, settle_within_s) END,
                     one_round = coalesce($4, one_round), idle_close_s = CASE WHEN $5 = 0 THEN NULL ELSE coalesce($5, idle_close_s) END,
                     enforces_markets = coalesce($6, enforces_markets), choose_within_s = coalesce($7, choose_within_s)
WHERE operator_id = $1 RETURNING operator_id;

-- name: add_key
-- $1 key_id $2 operator_id $3 secret_sealed $4 person (NULL: as before)
INSERT INTO operator_keys (key_id, operator_id, secret_sealed, person) VALUES ($1, $2, $3, $4)
ON CONFLICT (key_id) DO UPDATE SET secret_sealed = excluded.secret_sealed,
                                   person = coalesce(excluded.person, operator_keys.person)
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

-- name: find_client
-- $1 client_id
SELECT c.secret_digest, c.scopes, c.person, c.retired_at, r.*
FROM oauth_clients c JOIN operator_rules r USING (operator_id) WHERE c.client_id = $1;

-- name: add_client
-- $1 client_id $2 operator_id $3 secret_digest $4 scopes $5 person (NULL: as before)
INSERT INTO oauth_clients (client_id, operator_id, secret_digest, scopes, person) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (client_id) DO UPDATE SET secret_digest = excluded.secret_digest, scopes = excluded.scopes,
                                      person = coalesce(excluded.person, oauth_clients.person)
WHERE oauth_clients.operator_id = excluded.operator_id AND oauth_clients.retired_at IS NULL
RETURNING client_id;

-- name: retire_client
-- $1 client_id $2 operator_id
UPDATE oauth_clients SET retired_at = now() WHERE client_id = $1 AND operator_id = $2 AND retired_at IS NULL
RETURNING client_id;

-- name: live_token_keys
-- The newest first.
SELECT kid, private_sealed, extract(epoch FROM clock_timestamp() - created_at)::double precision AS age_s
FROM token_keys WHERE retired_at IS NULL ORDER BY created_at DESC, kid;

-- name: add_token_key
-- $1 kid $2 private_sealed
INSERT INTO token_keys (kid, private_sealed) VALUES ($1, $2);

-- name: retire_token_key
-- $1 kid
UPDATE token_keys SET retired_at = now() WHERE kid = $1 AND retired_at IS NULL RETURNING kid;

-- name: retire_old_token_keys
-- $1 how many of the newest stay
UPDATE token_keys SET retired_at = now()
WHERE retired_at IS NULL AND kid NOT IN (
    SELECT k.kid FROM token_keys k WHERE k.retired_at IS NULL ORDER BY k.created_at DESC, k.kid LIMIT $1)
RETURNING kid;

-- name: find_player_rule
-- $1 operator_id
SELECT audience, issuer, jwks_url, secret_sealed FROM player_token_rules WHERE operator_id = $1;

-- name: set_player_rule
-- $1 operator_id $2 audience $3 issuer $4 jwks_url $5 secret_sealed
INSERT INTO player_token_rules (operator_id, audience, issuer, jwks_url, secret_sealed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (operator_id) DO UPDATE SET audience = excluded.audience, issuer = excluded.issuer,
    jwks_url = excluded.jwks_url, secret_sealed = excluded.secret_sealed;

-- name: drop_player_rule
-- $1 operator_id
DELETE FROM player_token_rules WHERE operator_id = $1;

-- name: use_player_token
-- Nothing where the token was used for another session; the same one may show it again.
-- $1 operator_id $2 jti $3 session_id $4 expires_at
INSERT INTO player_tokens AS t (operator_id, jti, session_id, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (jti, operator_id) DO UPDATE SET session_id = t.session_id WHERE t.session_id = excluded.session_id
RETURNING jti;

-- name: sweep_player_tokens
-- $1 advisory lock, so that one worker sweeps at a time
WITH turn AS (SELECT pg_try_advisory_xact_lock($1) AS mine)
DELETE FROM player_tokens USING turn WHERE mine AND expires_at < now();

-- name: set_origins
-- $1 operator_id $2 origins (array)
WITH gone AS (DELETE FROM operator_origins WHERE operator_id = $1 AND origin <> ALL ($2::text[]))
INSERT INTO operator_origins (operator_id, origin) SELECT $1, * FROM unnest($2::text[]) ON CONFLICT DO NOTHING;

-- name: knows_origin
-- Whether it is one of any operator: a preflight does not say whose.
-- $1 origin
SELECT EXISTS (SELECT FROM operator_origins WHERE origin = $1);

-- name: set_plain_signatures
-- $1 operator_id $2 taken
UPDATE operators SET plain_signatures = $2 WHERE operator_id = $1 RETURNING operator_id;

-- name: set_statuses
-- $1 operator_id $2 duplicate_status $3 conflict_status (NULL: as before)
UPDATE operators SET duplicate_status = coalesce($2, duplicate_status), conflict_status = coalesce($3, conflict_status)
WHERE operator_id = $1 RETURNING operator_id;

-- name: plain_operators
SELECT operator_id FROM operators WHERE plain_signatures ORDER BY operator_id;

-- name: set_quota
-- NULL leaves what is there, 0 takes the limit away.
-- $1 operator_id $2 rate_per_s $3 burst $4 in_flight_max
UPDATE operators
SET rate_per_s = nullif(coalesce($2::double precision, rate_per_s), 0), burst = nullif(coalesce($3::integer, burst), 0),
    in_flight_max = nullif(coalesce($4::integer, in_flight_max), 0)
WHERE operator_id = $1 RETURNING operator_id;

-- name: take_tokens
-- Up to so many whole tokens of an operator's bucket, which fills with time.
-- $1 operator_id $2 rate_per_s $3 most in the bucket $4 wanted
INSERT INTO quotas AS q (operator_id, tokens, granted, counted_at)
VALUES ($1, $3::double precision - least($4::double precision, $3), least($4, $3), clock_timestamp())
ON CONFLICT (operator_id) DO UPDATE SET (tokens, granted, counted_at) = (
    SELECT filled.tokens - taken.tokens, taken.tokens, clock.now
    FROM (SELECT greatest(clock_timestamp(), q.counted_at) AS now) AS clock,
         LATERAL (SELECT least($3, q.tokens + $2::double precision * extract(epoch FROM clock.now - q.counted_at))
                  AS tokens) AS filled,
         LATERAL (SELECT least($4, floor(filled.tokens)) AS tokens) AS taken)
RETURNING granted, tokens;

-- name: remember_nonces
-- Those of a batch that are new, or that the same request wrote before and did not hear of.
-- $1 digest $2 claim (arrays, each digest once) $3 seconds that they are kept
INSERT INTO nonces AS n (digest, claim, expires_at)
SELECT t.digest, t.claim, now() + make_interval(secs => $3) FROM unnest($1::bytea[], $2::bigint[]) AS t(digest, claim)
ON CONFLICT (digest) DO UPDATE SET claim = n.claim WHERE n.claim = excluded.claim
RETURNING digest;

-- name: sweep_nonces
-- $1 advisory lock, so that one worker sweeps at a time
WITH turn AS (SELECT pg_try_advisory_xact_lock($1) AS mine)
DELETE FROM nonces USING turn WHERE mine AND expires_at < now();

-- name: ready
-- Cheapest proof that the database answers.
SELECT 1;

-- name: database_time
SELECT clock_timestamp();

-- name: service_state
-- Of how many operators wallets and receivers are late, and how many have one.
-- $1 steps before that are late $2 events before that are late $3 steps looked at, at most
SELECT (SELECT count(*) FROM operator_wallets) AS wallets,
       (SELECT count(DISTINCT operator_id)
        FROM (SELECT operator_id, created_at FROM wallet_steps WHERE next_try_at IS NOT NULL ORDER BY next_try_at LIMIT $3) due
        WHERE created_at < $1) AS wallets_late,
       (SELECT count(*) FROM webhooks WHERE disabled_at IS NULL) AS events,
       (SELECT count(*) FROM webhooks w
        WHERE disabled_at IS NULL
          AND (SELECT o.created_at FROM outbox o WHERE o.operator_id = w.operator_id AND o.sink = 'webhook'
               ORDER BY o.event_seq LIMIT 1) < $2) AS events_late;

-- name: observed_state
-- What operations watches: (metric, label, value). Counts and searches stop at $1 rows, so that they cost little however bad
-- it is. Identity order of events is nearly that of time. The hour that is summed up next is that of next_hour; before the first
-- one no more than $1 sessions are looked at, which lie nearly in the order in which they were opened, so the lag may come out
-- too short then, but never too long.
-- $1 rows $2 how long after its end an hour is to be summed up
WITH owing AS (
    -- Sinks that take events of an operator: his receiver, and the bus.
    SELECT operator_id, 'webhook' AS sink FROM webhooks WHERE disabled_at IS NULL
    UNION ALL
    SELECT o.operator_id, k.sink FROM operators o CROSS JOIN sinks k WHERE k.sink <> 'webhook'
)
SELECT 'rgs_wallet_steps' AS metric, 'unfinished' AS label, count(*)::float8 AS value
FROM (SELECT FROM wallet_steps WHERE next_try_at IS NOT NULL LIMIT $1) unfinished
UNION ALL
SELECT 'rgs_wallet_steps', 'failed', count(*) FROM (SELECT FROM wallet_steps WHERE state = 'failed' LIMIT $1) failed
UNION ALL
SELECT 'rgs_wallet_step_age_seconds', '', coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
FROM (SELECT created_at FROM wallet_steps WHERE next_try_at IS NOT NULL ORDER BY next_try_at LIMIT $1) unfinished
UNION ALL
SELECT 'rgs_outbox_events', o.operator_id, sum(waiting.events)
FROM owing o
CROSS JOIN LATERAL (SELECT count(*) AS events
                    FROM (SELECT FROM outbox d WHERE d.operator_id = o.operator_id AND d.sink = o.sink LIMIT $1) counted) waiting
GROUP BY o.operator_id
UNION ALL
SELECT 'rgs_outbox_lag_seconds', o.operator_id,
       max(coalesce((SELECT extract(epoch FROM clock_timestamp() - d.created_at) FROM outbox d
                     WHERE d.operator_id = o.operator_id AND d.sink = o.sink ORDER BY d.event_seq LIMIT 1), 0))
FROM owing o GROUP BY o.operator_id
UNION ALL
SELECT 'rgs_dead_events', o.operator_id, (SELECT count(*) FROM (SELECT FROM dead_events d
                                                                WHERE d.operator_id = o.operator_id LIMIT $1) counted)
FROM owing o GROUP BY o.operator_id
UNION ALL
SELECT 'rgs_waiting_rounds', 'choice', count(*) FROM (SELECT FROM waiting_rounds LIMIT $1) counted
UNION ALL
SELECT 'rgs_waiting_rounds', 'settlement', count(*) FROM (SELECT FROM open_rounds WHERE reported_at IS NULL LIMIT $1) counted
UNION ALL
SELECT 'rgs_waiting_rounds', 'late_settlement', count(*)
FROM (SELECT FROM open_rounds WHERE reported_at IS NOT NULL LIMIT $1) counted
UNION ALL
SELECT 'rgs_audit_checkpoint_age_seconds', '', extract(epoch FROM clock_timestamp() - c.made_at)
FROM (SELECT made_at FROM audit_checkpoints ORDER BY tree_size DESC, made_at DESC LIMIT 1) c
UNION ALL
SELECT 'rgs_audit_unsequenced_age_seconds', '', coalesce((
    SELECT extract(epoch FROM clock_timestamp() - f.written_at) FROM audit_facts f
    WHERE (f.written_in, f.fact_id) > (coalesce(l.written_in, '0'), coalesce(l.fact_id, 0)) ORDER BY f.written_in, f.fact_id LIMIT 1), 0)
FROM (VALUES (true)) always LEFT JOIN (SELECT written_in, fact_id FROM audit_leaves ORDER BY position DESC LIMIT 1) l ON true
UNION ALL
SELECT 'rgs_roll_up_lag_seconds', '', greatest(0, extract(epoch FROM clock_timestamp() - next.hour - interval '1 hour' - $2::interval))
FROM (SELECT coalesce((SELECT max(hour) + interval '1 hour' FROM rolled_hours),
                      (SELECT date_trunc('hour', min(created_at), 'UTC')
                       FROM (SELECT created_at FROM sessions LIMIT $1) first)) AS hour) next;

-- name: take_lanes
-- Lanes to a sink with something due that nobody has, for one worker. The LIMIT keeps the search one of single rows, a few for
-- each operator: written as an EXISTS it would be a join, which reads all that is owed while a sink is away.
-- $1 sink $2 now $3 lease_until $4 operators whose lanes it has
INSERT INTO lanes AS l (operator_id, sink, lease_until)
SELECT o.operator_id, $1, $3 FROM operators o
CROSS JOIN LATERAL (SELECT FROM outbox d WHERE d.operator_id = o.operator_id AND d.sink = $1 AND d.next_try_at <= $2
                    ORDER BY d.event_seq LIMIT 1) due
WHERE o.operator_id <> ALL ($4::text[])
  AND ($1 <> 'webhook' OR EXISTS (SELECT FROM webhooks w WHERE w.operator_id = o.operator_id AND w.disabled_at IS NULL))
  AND NOT EXISTS (SELECT FROM lanes x WHERE x.operator_id = o.operator_id AND x.sink = $1
                                        AND (x.lease_until > $2 OR x.resumes_at > $2))
ON CONFLICT (operator_id, sink) DO UPDATE SET lease_until = excluded.lease_until
WHERE l.lease_until <= $2 AND l.resumes_at <= $2
RETURNING l.operator_id, l.failures;

-- name: receiver_of
-- $1 operator_id
SELECT url, secret_sealed FROM webhooks WHERE operator_id = $1 AND disabled_at IS NULL;

-- name: due_events
-- $1 sink $2 operator_id $3 now $4 most
SELECT e.*, d.attempts, d.created_at AS owed_since FROM outbox d JOIN events e USING (event_seq)
WHERE d.operator_id = $2 AND d.sink = $1 AND d.next_try_at <= $3
ORDER BY d.event_seq LIMIT $4;

-- name: keep_lane
-- $1 sink $2 operator_id $3 lease_until
UPDATE lanes SET lease_until = $3 WHERE operator_id = $2 AND sink = $1;

-- name: leave_lane
-- $1 sink $2 operator_id $3 resumes_at $4 failures
UPDATE lanes SET lease_until = '-infinity', resumes_at = $3, failures = $4 WHERE operator_id = $2 AND sink = $1;

-- name: events_delivered
-- Each row is found by its whole key, whatever the planner believes of the size of the table: in one that was empty a while
-- ago it would read all that is owed to the sink, and compare.
-- $1 sink $2 operator_id $3 event_seq (array)
DELETE FROM outbox WHERE ctid = ANY (ARRAY(
    SELECT (SELECT o.ctid FROM outbox o WHERE o.operator_id = $2 AND o.sink = $1 AND o.event_seq = taken.event_seq)
    FROM unnest($3::bigint[]) AS taken (event_seq)));

-- name: postpone_events
-- $1 sink $2 operator_id $3 event_seq $4 next_try_at $5 last_error (arrays)
WITH again AS MATERIALIZED (
    SELECT (SELECT o.ctid FROM outbox o WHERE o.operator_id = $2 AND o.sink = $1 AND o.event_seq = a.event_seq) AS place, a.*
    FROM unnest($3::bigint[], $4::timestamptz[], $5::text[]) AS a (event_seq, next_try_at, last_error)
)
UPDATE outbox o SET attempts = attempts + 1, next_try_at = again.next_try_at, last_error = again.last_error
FROM again WHERE o.ctid = again.place;

-- name: bury_event
-- $1 sink $2 operator_id $3 event_seq $4 died_at $5 last_error
WITH gone AS (DELETE FROM outbox WHERE operator_id = $2 AND sink = $1 AND event_seq = $3 RETURNING *)
INSERT INTO dead_events (operator_id, sink, event_seq, died_at, last_error)
SELECT operator_id, sink, event_seq, $4, $5 FROM gone;

-- name: raise_events
-- Puts what was put aside back, to be sent at once; returns how many.
-- $1 operator_id $2 now
WITH raised AS (DELETE FROM dead_events WHERE operator_id = $1 RETURNING *),
again AS (
    INSERT INTO outbox (operator_id, sink, event_seq, created_at)
    SELECT operator_id, sink, event_seq, $2 FROM raised RETURNING event_seq
),
told AS (
    INSERT INTO audit_facts (kind, operator_id, subject, fact)
    SELECT 'replay', $1, 'webhook', (jsonb_build_object('events', count(*)) || audit_actor())::text FROM again HAVING count(*) > 0
)
SELECT count(*) FROM again;

-- name: disable_webhook
-- $1 operator_id $2 disabled_at
UPDATE webhooks SET disabled_at = $2 WHERE operator_id = $1;

-- name: set_webhook
-- A receiver that is named is tried at once.
-- $1 operator_id $2 url $3 secret_sealed (NULL: as before)
WITH at_once AS (UPDATE lanes SET resumes_at = '-infinity', failures = 0 WHERE operator_id = $1 AND sink = 'webhook')
INSERT INTO webhooks (operator_id, url, secret_sealed) VALUES ($1, $2, $3)
ON CONFLICT (operator_id) DO UPDATE SET url = excluded.url, disabled_at = NULL, secret_sealed = excluded.secret_sealed;

-- name: remove_webhook
-- $1 operator_id
DELETE FROM webhooks WHERE operator_id = $1;

-- name: open_bus
INSERT INTO sinks (sink) VALUES ('bus') ON CONFLICT DO NOTHING;

-- name: close_bus
-- Nothing is owed to the bus any more; returns how many events it had not taken.
WITH closed AS (DELETE FROM sinks WHERE sink = 'bus'),
dropped AS (DELETE FROM outbox WHERE sink = 'bus' RETURNING event_seq),
forgotten AS (DELETE FROM dead_events WHERE sink = 'bus')
SELECT count(*) FROM dropped;

-- name: open_sinks
SELECT sink FROM sinks ORDER BY sink;

-- name: event_counts
-- What waits for an operator's receiver, since when, and what was put aside.
-- $1 operator_id
SELECT (SELECT url FROM webhooks WHERE operator_id = $1) AS url,
       (SELECT disabled_at FROM webhooks WHERE operator_id = $1) AS disabled_at,
       (SELECT count(*) FROM outbox WHERE operator_id = $1 AND sink = 'webhook') AS waiting,
       (SELECT min(created_at) FROM outbox WHERE operator_id = $1 AND sink = 'webhook') AS oldest_at,
       (SELECT last_error FROM outbox WHERE operator_id = $1 AND sink = 'webhook' AND last_error IS NOT NULL
        ORDER BY event_seq LIMIT 1) AS last_error,
       (SELECT count(*) FROM dead_events WHERE operator_id = $1 AND sink = 'webhook') AS dead;

-- name: event_lag
-- What waits in each lane that is served: how many events, $1 at most, the time of the oldest, and how many were put aside.
SELECT o.operator_id, k.sink, waiting.events, waiting.oldest_at, aside.events AS dead
FROM operators o CROSS JOIN sinks k
CROSS JOIN LATERAL (SELECT count(*) AS events, min(created_at) AS oldest_at
                    FROM (SELECT d.created_at FROM outbox d WHERE d.operator_id = o.operator_id AND d.sink = k.sink
                          ORDER BY d.event_seq LIMIT $1) first_ones) waiting
CROSS JOIN LATERAL (SELECT count(*) AS events
                    FROM (SELECT FROM dead_events d WHERE d.operator_id = o.operator_id AND d.sink = k.sink LIMIT $1) first_ones) aside
WHERE k.sink <> 'webhook' OR EXISTS (SELECT FROM webhooks w WHERE w.operator_id = o.operator_id AND w.disabled_at IS NULL)
ORDER BY o.operator_id, k.sink;

-- name: seals_of_other_keys
-- Secrets that are sealed under another key than the one whose seals begin with $1.
-- $1 prefix $2 most
SELECT * FROM (
    SELECT 'sessions' AS place, operator_id, session_id AS name, 'seed:' || operator_id || '/' || session_id AS context,
           seed_sealed AS sealed FROM sessions
    UNION ALL SELECT 'operator_keys', operator_id, key_id, 'key:' || key_id, secret_sealed FROM operator_keys
    UNION ALL SELECT 'webhooks', operator_id, operator_id, 'webhook:' || operator_id, secret_sealed FROM webhooks
    UNION ALL SELECT 'token_keys', '', kid, 'token-key:' || kid, private_sealed FROM token_keys
    UNION ALL SELECT 'audit_keys', '', name, 'audit-key:' || name, private_sealed FROM audit_keys
    UNION ALL SELECT 'player_token_rules', operator_id, operator_id, 'player-tokens:' || operator_id, secret_sealed
              FROM player_token_rules WHERE secret_sealed IS NOT NULL
) s WHERE substr(sealed, 1, length($1::bytea)) <> $1::bytea LIMIT $2;

-- name: reseal
-- What was changed since it was read stays as it is now.
-- $1 place $2 operator_id $3 name $4 sealed before $5 sealed now (arrays)
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
        AS t(place, operator_id, name, before, after)
),
seeds AS (
    UPDATE sessions s SET seed_sealed = i.after FROM input i
    WHERE i.place = 'sessions' AND s.operator_id = i.operator_id AND s.session_id = i.name AND s.seed_sealed = i.before
),
keys AS (
    UPDATE operator_keys k SET secret_sealed = i.after FROM input i
    WHERE i.place = 'operator_keys' AND k.key_id = i.name AND k.secret_sealed = i.before
),
hooks AS (
    UPDATE webhooks w SET secret_sealed = i.after FROM input i
    WHERE i.place = 'webhooks' AND w.operator_id = i.operator_id AND w.secret_sealed = i.before
),
signers AS (
    UPDATE token_keys t SET private_sealed = i.after FROM input i
    WHERE i.place = 'token_keys' AND t.kid = i.name AND t.private_sealed = i.before
),
logs AS (
    UPDATE audit_keys a SET private_sealed = i.after FROM input i
    WHERE i.place = 'audit_keys' AND a.name = i.name AND a.private_sealed = i.before
)
UPDATE player_token_rules r SET secret_sealed = i.after FROM input i
WHERE i.place = 'player_token_rules' AND r.operator_id = i.operator_id AND r.secret_sealed = i.before;

-- name: report_days
-- Rounds by day with their money; voided ones are counted and have none. Whole hours come from their sums, and only what is
-- younger from the rounds.
-- $1 since $2 until $3 operator_id (NULL: all)
WITH rolled AS MATERIALIZED (
    SELECT coalesce(max(hour) + interval '1 hour', '-infinity') AS until FROM rolled_hours
),
parts AS (
    SELECT operator_id, game_id, build_hash, currency, exponent, hour AS moment, spins, spins AS eligible, stake_minor, win_minor
    FROM hour_figures WHERE hour >= $1 AND hour < $2 AND ($3::text IS NULL OR operator_id = $3)
    UNION ALL
    SELECT p.operator_id, s.game_id, p.build_hash, p.currency, s.exponent, p.created_at, 1, 1, p.stake_minor, p.win_minor
    FROM spins p JOIN sessions s USING (operator_id, session_id)
    WHERE p.created_at >= $1 AND p.created_at >= (SELECT until FROM rolled) AND p.created_at < $2
      AND ($3::text IS NULL OR p.operator_id = $3)
    UNION ALL
    SELECT p.operator_id, s.game_id, p.build_hash, p.currency, s.exponent, p.created_at, 0, -1, -p.stake_minor, -p.win_minor
    FROM round_ends e JOIN spins p USING (operator_id, spin_id)
    JOIN sessions s ON s.operator_id = p.operator_id AND s.session_id = p.session_id
    WHERE e.ending = 'voided' AND e.created_at >= $1 AND p.created_at >= $1 AND p.created_at < $2
      AND ($3::text IS NULL OR e.operator_id = $3)
)
SELECT operator_id, game_id, build_hash, currency, exponent, (moment AT TIME ZONE 'UTC')::date AS day,
       sum(spins)::bigint AS spins_total, sum(eligible)::bigint AS eligible_spins, sum(stake_minor) AS turnover_minor,
       sum(win_minor) AS win_minor
FROM parts
GROUP BY operator_id, game_id, build_hash, currency, exponent, day
ORDER BY operator_id, day, game_id, build_hash, currency;

-- name: next_hour
-- The hour that is summed up next: the one after the last, or that of the first session.
SELECT coalesce((SELECT max(hour) + interval '1 hour' FROM rolled_hours),
                (SELECT date_trunc('hour', min(created_at), 'UTC') FROM sessions)) AS hour;

-- name: roll_up_hour
-- Sums of an hour whose rounds are all written; nothing where another worker does it.
-- $1 hour $2 advisory lock
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock($2) AS mine
),
done AS (
    INSERT INTO rolled_hours (hour) SELECT $1 FROM turn WHERE mine ON CONFLICT DO NOTHING RETURNING hour
),
summed AS (
    INSERT INTO hour_figures (operator_id, game_id, build_hash, currency, exponent, hour, spins, stake_minor, win_minor)
    SELECT p.operator_id, s.game_id, p.build_hash, p.currency, s.exponent, $1, count(*), sum(p.stake_minor), sum(p.win_minor)
    FROM spins p JOIN sessions s USING (operator_id, session_id)
    WHERE p.created_at >= $1 AND p.created_at < $1::timestamptz + interval '1 hour' AND EXISTS (SELECT FROM done)
    GROUP BY p.operator_id, s.game_id, p.build_hash, p.currency, s.exponent
)
SELECT hour FROM done;

-- name: add_minute
-- What a worker has answered since it said so last; deletes what is old.
-- $1 at $2 worker $3 operation $4 class $5 counts (arrays) $6 operation $7 code $8 errors (arrays) $9 kept since
WITH gone AS (DELETE FROM traffic WHERE at < $9),
gone_errors AS (DELETE FROM traffic_errors WHERE at < $9),
added AS (
    INSERT INTO traffic (at, worker, operation, class, counts)
    SELECT $1, $2, t.operation, t.class, t.counts
    FROM unnest($3::text[], $4::text[], $5::text[]) AS t(operation, class, counts)
)
INSERT INTO traffic_errors (at, worker, operation, code, errors)
SELECT $1, $2, t.operation, t.code, t.errors
FROM unnest($6::text[], $7::text[], $8::bigint[]) AS t(operation, code, errors);

-- name: traffic
-- $1 since $2 length of a bin
SELECT date_bin($2::interval, at, timestamptz '2000-01-01 00:00:00Z') AS bin, operation, class, counts
FROM traffic WHERE at >= $1;

-- name: traffic_errors
-- $1 since
SELECT operation, code, sum(errors)::bigint AS errors FROM traffic_errors WHERE at >= $1
GROUP BY operation, code ORDER BY 3 DESC, 1, 2 LIMIT 50;

-- name: take_monitoring
-- Whether this connection monitors until it ends.
-- $1 advisory lock
SELECT pg_try_advisory_lock($1);

-- name: next_slice
-- The slice that is counted next: the one after the last, or that of the first session.
-- $1 length of a slice
SELECT coalesce((SELECT max(slice) + $1::interval FROM counted_slices),
                (SELECT date_bin($1::interval, min(created_at), timestamptz '2000-01-01 00:00:00Z') FROM sessions)) AS slice;

-- name: last_slice
SELECT max(slice) FROM counted_slices;

-- name: count_slice
-- Counts the rounds of a slice of time, and the voids in it of rounds that were counted before. Returns the days whose counts
-- have changed; nothing where another process does it. Rounds of which a step at the wallet took more than one attempt are
-- retried; those whose credit has not been taken by now are recovered, when they are. Returns them, too.
-- $1 begin $2 length
WITH done AS (
    INSERT INTO counted_slices (slice) VALUES ($1) ON CONFLICT DO NOTHING RETURNING slice
),
played AS (
    SELECT p.*, 1 AS rounds,
           coalesce((SELECT CASE WHEN bool_or(w.kind = 'credit' AND w.state IN ('pending', 'failed')) THEN 'recovered'
                                 WHEN bool_or(w.attempts > 1) THEN 'retried' END
                     FROM wallet_steps w
                     WHERE w.operator_id = p.operator_id AND w.round_id = p.round_id), 'normal') AS status
    FROM spins p
    WHERE p.created_at >= $1 AND p.created_at < $1::timestamptz + $2::interval AND EXISTS (SELECT FROM done)
    UNION ALL
    -- Only rounds whose money the platform moves are voided; they have no steps at a wallet.
    SELECT p.*, moved.rounds, moved.status
    FROM round_ends e
    JOIN spins p ON p.operator_id = e.operator_id AND p.spin_id = e.spin_id
    CROSS JOIN (VALUES (-1, 'normal'), (1, 'voided')) AS moved(rounds, status)
    WHERE e.ending = 'voided' AND e.created_at >= $1 AND e.created_at < $1::timestamptz + $2::interval
      AND EXISTS (SELECT FROM done)
),
counted AS (
    INSERT INTO math_counts AS c (day, operator_id, game_id, build_hash, mode, channel, spin_type, currency, exponent,
                                  stake_minor, win_minor, status, feature, rounds)
    SELECT (p.created_at AT TIME ZONE 'UTC')::date, p.operator_id, s.game_id, p.build_hash, p.mode, s.channel, p.spin_type, p.currency,
           s.exponent, p.stake_minor, p.win_minor, p.status,
           convert_from(k.response, 'UTF8')::jsonb #> '{outcome,features}' <> '[]'::jsonb, sum(p.rounds)
    FROM played p
    JOIN sessions s USING (operator_id, session_id)
    JOIN idempotency k ON k.operator_id = p.operator_id AND k.operation = 'spin' AND k.key = p.idempotency_key
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
    ON CONFLICT (day, operator_id, build_hash, game_id, mode, channel, spin_type, currency, stake_minor, win_minor, status, feature)
    DO UPDATE SET rounds = c.rounds + excluded.rounds
    RETURNING c.day
)
SELECT DISTINCT day, NULL AS status, NULL AS operator_id, NULL AS spin_id, NULL AS round_id, NULL AS session_id,
       NULL AS player_id, NULL AS game_id, NULL AS build_hash
FROM counted
UNION ALL
SELECT NULL, p.status, p.operator_id, p.spin_id, p.round_id, p.session_id, s.player_id, s.game_id, p.build_hash
FROM played p JOIN sessions s USING (operator_id, session_id) WHERE p.status IN ('retried', 'recovered');

-- name: math_counts
-- $1 first day
SELECT * FROM math_counts WHERE day >= $1 AND rounds <> 0;

-- name: add_verdict
-- $1 operator_id $2 game_id $3 build_hash $4 mode $5 channel $6 spin_type $7 stakes $8 kind $9 day $10 window_days $11 rounds
-- $12 level $13 verdict $14 judged_at
INSERT INTO math_verdicts (operator_id, game_id, build_hash, mode, channel, spin_type, stakes, kind, day, window_days, rounds,
                           level, verdict, judged_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: last_judged_day
SELECT max(day) FROM math_verdicts WHERE kind = 'day';

-- name: last_verdicts
-- The last one of each cell and window.
-- $1 operator_id (NULL: of all, and of their sums)
SELECT DISTINCT ON (operator_id, build_hash, game_id, mode, channel, spin_type, stakes, window_days) *
FROM math_verdicts WHERE $1::text IS NULL OR operator_id = $1
ORDER BY operator_id, build_hash, game_id, mode, channel, spin_type, stakes, window_days, verdict_id DESC;

-- name: widest_verdicts
-- Of each build, mode, kind of money and currency the verdict of each day that holds most rounds: over the most operators, stakes
-- and channels, and the longest window.
-- $1 first day
SELECT DISTINCT ON (build_hash, mode, spin_type, currency, day) *
FROM (SELECT *, split_part(stakes, ' ', 1) AS currency FROM math_verdicts WHERE kind = 'day' AND day >= $1) v
ORDER BY build_hash, mode, spin_type, currency, day, rounds DESC, verdict_id;

-- name: largest_wins
-- Spins of a cell that won most in some days, in stakes: those to be replayed when it stands out.
-- $1 operator_id (NULL: all) $2 build_hash $3 mode $4 channel (NULL: all) $5 spin_type $6 currency $7 since $8 until $9 most
SELECT p.operator_id, p.spin_id
FROM spins p JOIN sessions s USING (operator_id, session_id)
WHERE p.created_at >= $7 AND p.created_at < $8 AND p.build_hash = $2 AND p.mode = $3 AND p.spin_type = $5 AND p.currency = $6
  AND ($1::text IS NULL OR p.operator_id = $1) AND ($4::text IS NULL OR s.channel = $4)
ORDER BY p.win_minor::numeric / p.stake_minor DESC, p.spin_id LIMIT $9;

-- name: keep_unjudged
-- The builds of now in place of those before.
-- $1 build_hash $2 mode $3 reason (arrays) $4 since
WITH now AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS t(build_hash, mode, reason)),
gone AS (DELETE FROM unjudged_builds u WHERE NOT EXISTS (SELECT FROM now n WHERE n.build_hash = u.build_hash AND n.mode = u.mode))
INSERT INTO unjudged_builds (build_hash, mode, reason, since) SELECT build_hash, mode, reason, $4 FROM now
ON CONFLICT (build_hash, mode) DO UPDATE SET reason = excluded.reason;

-- name: unjudged_builds
SELECT b.model || '/' || b.profile AS build, u.mode, u.reason, u.since
FROM unjudged_builds u JOIN builds b USING (build_hash) ORDER BY 1, 2;

-- name: observed_math
-- What metrics show of the last verdict of each cell and window.
SELECT v.operator_id, v.game_id, b.model || '/' || b.profile AS build, v.mode, v.channel, v.stakes, v.window_days, v.level,
       (v.verdict::jsonb ->> 'rtp')::float8 AS rtp, (v.verdict::jsonb ->> 'theory')::float8 AS rtp_certified
FROM (SELECT DISTINCT ON (operator_id, build_hash, game_id, mode, channel, spin_type, stakes, window_days) *
      FROM math_verdicts
      ORDER BY operator_id, build_hash, game_id, mode, channel, spin_type, stakes, window_days, verdict_id DESC) v
JOIN builds b USING (build_hash);

-- name: add_agreement
-- $1 operator_id $2 agreement_id $3 valid_from $4 terms $5 created_at
INSERT INTO fee_agreements (operator_id, agreement_id, valid_from, terms, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: agreement_of
-- $1 operator_id $2 month
SELECT * FROM fee_agreements WHERE operator_id = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1;

-- name: agreements
-- $1 operator_id
SELECT * FROM fee_agreements WHERE operator_id = $1 ORDER BY valid_from;

-- name: carried_into
-- Losses that a month begins with: those of the month before, where it was closed.
-- $1 operator_id $2 month
SELECT currency, carried_minor FROM closing_totals
WHERE operator_id = $1 AND month = ($2::date - interval '1 month')::date AND carried_minor < 0;

-- name: last_invoice
-- $1 operator_id $2 month $3 currency
SELECT * FROM invoices WHERE operator_id = $1 AND month = $2 AND currency = $3 ORDER BY number DESC LIMIT 1;

-- name: add_invoice
-- $1 operator_id $2 month $3 currency $4 number $5 exponent $6 total_minor $7 true_up_minor $8 fees $9 issued_at
INSERT INTO invoices (operator_id, month, currency, number, exponent, total_minor, true_up_minor, fees, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: closed_months
-- $1 operator_id
SELECT month FROM closings WHERE operator_id = $1 ORDER BY month;

-- name: close_month
-- $1 operator_id $2 month $3 closed_at
INSERT INTO closings (operator_id, month, closed_at) VALUES ($1, $2, $3);

-- name: add_closing_totals
-- $1 operator_id $2 month $3 currency $4 agreement_id $5 fee_minor $6 carried_minor (the last four arrays)
INSERT INTO closing_totals (operator_id, month, currency, agreement_id, fee_minor, carried_minor)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::numeric[], $6::numeric[]);

-- name: add_closing_lines
-- $1 operator_id $2 month $3 about $4 game_id $5 build_hash $6 currency $7 exponent $8 spins_total $9 eligible_spins
-- $10 turnover_minor $11 win_minor $12 jackpot_contrib_minor $13 bonus_cost_minor $14 royalty_due_minor (arrays)
INSERT INTO closing_lines (operator_id, month, about, game_id, build_hash, currency, exponent, spins_total, eligible_spins,
                           turnover_minor, win_minor, jackpot_contrib_minor, bonus_cost_minor, royalty_due_minor)
SELECT * FROM unnest($1::text[], $2::date[], $3::date[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::bigint[],
                     $9::bigint[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[]);

-- name: closing_lines
-- $1 operator_id $2 month
SELECT * FROM closing_lines WHERE operator_id = $1 AND month = $2 ORDER BY about DESC, game_id, build_hash, currency;

-- name: lines_about
-- $1 operator_id $2 about
SELECT * FROM closing_lines WHERE operator_id = $1 AND about = $2;

-- name: find_person
-- $1 name
SELECT * FROM console_people WHERE name = $1;

-- name: add_person
-- $1 name $2 salt $3 password_digest $4 created_at
INSERT INTO console_people (name, salt, password_digest, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET salt = excluded.salt, password_digest = excluded.password_digest
WHERE console_people.retired_at IS NULL
RETURNING name;

-- name: retire_person
-- $1 name
UPDATE console_people SET retired_at = now() WHERE name = $1 AND retired_at IS NULL RETURNING name;

-- name: shown_by_id
-- $1 id of a spin or a round $2 most
SELECT * FROM shown_spins WHERE spin_id = $1
UNION SELECT * FROM shown_spins WHERE round_id = $1
ORDER BY created_at DESC LIMIT $2;

-- name: shown_of_session
-- $1 session_id $2 most
SELECT * FROM shown_spins WHERE session_id = $1 ORDER BY nonce DESC LIMIT $2;

-- name: shown_of_player
-- $1 player_id $2 most
SELECT * FROM shown_spins WHERE player_id = $1 ORDER BY created_at DESC LIMIT $2;

-- name: shown_by_time
-- $1 since $2 until $3 most
SELECT * FROM shown_spins WHERE created_at >= $1 AND created_at < $2 ORDER BY created_at DESC LIMIT $3;

-- name: timeline
-- What happened to a round, in time: money, steps at the wallet, decisions, its end, its event.
-- $1 operator_id $2 round_id $3 spin_id
SELECT l.created_at AS at, l.kind AS what, l.debit_account || ' to ' || l.credit_account || ', ' || l.txn_id AS detail, l.amount_minor
FROM ledger l WHERE l.operator_id = $1 AND l.txn_id IN (
    'stake:' || $3::text, 'win:' || $3, 'void_stake:' || $3, 'void_win:' || $3, 'debit:' || $3, 'credit:' || $3, 'rollback:' || $3)
UNION ALL
SELECT w.created_at, w.kind || ' asked for', 'at the wallet: ' || w.state || ', ' || w.attempts || ' tries'
           || coalesce(', ' || w.last_error, ''), w.amount_minor
FROM wallet_steps w WHERE w.operator_id = $1 AND w.round_id = $2
UNION ALL
SELECT c.created_at, 'decision ' || c.step, c.choice || ': ' || c.option || ', by the ' || c.made_by, NULL
FROM choices c WHERE c.operator_id = $1 AND c.round_id = $2
UNION ALL
SELECT e.created_at, e.ending, coalesce(e.reason, 'debit ' || e.debit_tx || coalesce(', credit ' || e.credit_tx, '')), NULL
FROM round_ends e WHERE e.operator_id = $1 AND e.round_id = $2
UNION ALL
SELECT r.due_at, 'settlement due', CASE WHEN r.reported_at IS NULL THEN 'not reported' ELSE 'reported' END, NULL
FROM open_rounds r WHERE r.operator_id = $1 AND r.round_id = $2
UNION ALL
SELECT p.created_at, 'played', 'outcome sealed as nonce ' || p.nonce, NULL
FROM spins p WHERE p.operator_id = $1 AND p.spin_id = $3
ORDER BY at, what;

-- name: unfinished_everywhere
-- $1 most
SELECT * FROM wallet_steps WHERE next_try_at IS NOT NULL AND NOT (kind = 'debit' AND state = 'accepted') OR state = 'failed'
ORDER BY created_at LIMIT $1;

-- name: waiting_everywhere
-- Rounds that wait for a choice or a settlement, the first to be due first.
-- $1 most
SELECT operator_id, round_id, spin_id, session_id, 'choice: ' || choice AS waits_for, due_at FROM waiting_rounds
UNION ALL
SELECT operator_id, round_id, spin_id, session_id, 'settlement', due_at FROM open_rounds
ORDER BY due_at LIMIT $1;

-- name: events_everywhere
-- What waits for each sink of each operator, and what was put aside.
SELECT o.operator_id, k.sink, w.url, w.disabled_at, x.waiting, x.oldest_at, x.last_error, y.dead
FROM operators o
CROSS JOIN sinks k
LEFT JOIN webhooks w ON k.sink = 'webhook' AND w.operator_id = o.operator_id
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(b.created_at) AS oldest_at, max(b.last_error) AS last_error
    FROM outbox b WHERE b.operator_id = o.operator_id AND b.sink = k.sink) x
CROSS JOIN LATERAL (
    SELECT count(*) AS dead FROM dead_events d WHERE d.operator_id = o.operator_id AND d.sink = k.sink) y
WHERE x.waiting > 0 OR y.dead > 0 OR w.operator_id IS NOT NULL OR k.sink <> 'webhook'
ORDER BY o.operator_id, k.sink;
