-- The whole schema. Amounts are minor units of the currency; times are UTC.
--
-- Keys begin with the column that tells rows apart, not with operator_id, which thousands of rows share:
-- a plan that was made while a table was empty could pick any index that begins with operator_id and
-- would then read all rows of the operator for every spin.

-- Platforms that call the service.
CREATE TABLE operators (
    operator_id   text PRIMARY KEY,
    reveal_seeds  boolean NOT NULL DEFAULT false,   -- sandbox only: replay shows seeds of open sessions
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Signing keys; the secret is sealed under the master key with context "key:" and the key id.
CREATE TABLE operator_keys (
    key_id         text PRIMARY KEY,
    operator_id    text NOT NULL REFERENCES operators,
    secret_sealed  bytea NOT NULL,
    retired_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- Networks from which an operator calls; none: from anywhere.
CREATE TABLE operator_networks (
    operator_id  text NOT NULL REFERENCES operators,
    network      cidr NOT NULL,
    PRIMARY KEY (operator_id, network)
);

-- Common names of the certificates with which an operator calls; none: any that the service trusts, or none.
CREATE TABLE operator_certificates (
    operator_id  text NOT NULL REFERENCES operators,
    common_name  text NOT NULL,
    PRIMARY KEY (operator_id, common_name)
);

-- Which build an operator may offer, under which names of its own.
CREATE TABLE operator_games (
    operator_id  text NOT NULL REFERENCES operators,
    game_id      text NOT NULL,                      -- the platform's name of the game
    build_ref    text NOT NULL,                      -- the platform's name of the build, mostly its hash
    build_hash   text NOT NULL CHECK (build_hash ~ '^sha256:[0-9a-f]{64}$'),
    PRIMARY KEY (operator_id, game_id, build_ref)
);

-- A player's session with one build and one seed. next_nonce is the number of spins played so far:
-- nonces have no gaps, so a session shows that no outcome was thrown away.
CREATE TABLE sessions (
    operator_id      text NOT NULL REFERENCES operators,
    session_id       text NOT NULL,
    player_id        text NOT NULL,
    game_id          text NOT NULL,
    build_hash       text NOT NULL,
    geo              text NOT NULL,
    currency         text NOT NULL,
    exponent         smallint NOT NULL CHECK (exponent BETWEEN 0 AND 18),
    client_seed      text NOT NULL,
    seed_sealed      bytea NOT NULL,                 -- context "seed:" operator "/" session
    seed_commitment  bytea NOT NULL CHECK (length(seed_commitment) = 32),
    next_nonce       bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0),
    fingerprint      bytea NOT NULL,                 -- of the request that opened it
    response         bytea NOT NULL,                 -- the bytes that were answered
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (session_id, operator_id)
);

-- One paid spin with all its free spins: the audit record. Written once.
CREATE TABLE spins (
    operator_id       text NOT NULL,
    spin_id           text NOT NULL,
    round_id          text NOT NULL,
    session_id        text NOT NULL,
    idempotency_key   text NOT NULL,
    build_hash        text NOT NULL,
    mechanic_version  smallint NOT NULL,
    nonce             bigint NOT NULL CHECK (nonce >= 0),
    spin_type         text NOT NULL CHECK (spin_type IN ('cash')),
    currency          text NOT NULL,
    stake_minor       numeric(38, 0) NOT NULL CHECK (stake_minor > 0),
    win_minor         numeric(38, 0) NOT NULL CHECK (win_minor >= 0),
    win_units         bigint NOT NULL CHECK (win_units >= 0),
    outcome_digest    bytea NOT NULL CHECK (length(outcome_digest) = 32),
    telemetry_ref     text NOT NULL,
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (spin_id, operator_id),
    UNIQUE (round_id, operator_id),
    UNIQUE (session_id, operator_id, nonce),         -- an outcome is used once
    FOREIGN KEY (session_id, operator_id) REFERENCES sessions
);

-- What was answered to a money step, byte for byte.
CREATE TABLE idempotency (
    operator_id  text NOT NULL,
    operation    text NOT NULL CHECK (operation IN ('spin')),
    key          text NOT NULL,
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32),
    status       smallint NOT NULL,
    response     bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (key, operator_id, operation)
);

-- Double entry: each row moves an amount from one account to another, so all accounts add up to zero.
CREATE TABLE transfers (
    operator_id     text NOT NULL,
    spin_id         text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('stake', 'win')),
    debit_account   text NOT NULL,                   -- what the amount is taken from
    credit_account  text NOT NULL CHECK (credit_account <> debit_account),
    currency        text NOT NULL,
    amount_minor    numeric(38, 0) NOT NULL CHECK (amount_minor > 0),
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (spin_id, operator_id, kind),
    FOREIGN KEY (spin_id, operator_id) REFERENCES spins
);

-- Events to be delivered. Identity order is not commit order: a relay deletes what it has delivered.
CREATE TABLE outbox (
    event_seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text NOT NULL UNIQUE,
    operator_id  text NOT NULL,
    event_type   text NOT NULL,
    payload      bytea NOT NULL,
    created_at   timestamptz NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER spins_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON spins
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER idempotency_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
