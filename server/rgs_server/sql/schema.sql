-- The whole schema. Amounts are minor units of the currency; times are UTC.
--
-- Keys begin with the column that tells rows apart, not with operator_id, which thousands of rows share:
-- a plan that was made while a table was empty could pick any index that begins with operator_id and
-- would then read all rows of the operator for every spin.

-- Platforms that call the service.
CREATE TABLE operators (
    operator_id   text PRIMARY KEY,
    reveal_seeds  boolean NOT NULL DEFAULT false,   -- sandbox only: replay shows seeds of open sessions
    wallets       text[] NOT NULL DEFAULT '{platform}'   -- who may hold the player's money; the first is the usual one
                  CHECK (cardinality(wallets) > 0 AND wallets <@ '{platform,transfer,seamless}'),
    settle_within_s  integer CHECK (settle_within_s > 0),   -- rounds wait so long for their settlement; NULL: for none
    one_round     boolean NOT NULL DEFAULT false,   -- a player has one open round in a game
    enforces_markets boolean NOT NULL DEFAULT true, -- whether rules of countries bind here, or at the platform alone
    idle_close_s  integer CHECK (idle_close_s > 0), -- sessions with a balance are closed after so long without a spin
    choose_within_s  integer NOT NULL DEFAULT 86400 CHECK (choose_within_s > 0), -- then choices are made for the player
    duplicate_status  smallint NOT NULL DEFAULT 200 CHECK (duplicate_status IN (200, 409, 425)), -- of repeated answers
    conflict_status   smallint NOT NULL DEFAULT 409 CHECK (conflict_status IN (409, 422)),       -- of keys used otherwise
    plain_signatures  boolean NOT NULL DEFAULT false,  -- takes HMAC-SHA256 of the body alone; never in production
    rate_per_s     double precision CHECK (rate_per_s > 0),  -- calls a second over all workers; NULL: no limit
    burst          integer CHECK (burst > 0),                -- calls at once after a pause; NULL: those of a second
    in_flight_max  integer CHECK (in_flight_max > 0),        -- calls at the same time, per worker; NULL: as set for all
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- Signing keys; the secret is sealed under the master key with context "key:" and the key id.
CREATE TABLE operator_keys (
    key_id         text PRIMARY KEY,
    operator_id    text NOT NULL REFERENCES operators,
    secret_sealed  bytea NOT NULL,
    person         text,                             -- whose it is; NULL: nobody's but its own
    retired_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- Where the wallet of an operator is, and with which of the operator's keys we sign what we send to it.
CREATE TABLE operator_wallets (
    operator_id  text PRIMARY KEY REFERENCES operators,
    url          text NOT NULL CHECK (url ~ '^https?://'),
    key_id       text NOT NULL REFERENCES operator_keys
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

-- What platforms tell of their players.
CREATE TABLE player_flags (
    operator_id    text NOT NULL REFERENCES operators,
    player_id      text NOT NULL,
    self_excluded  boolean NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (player_id, operator_id)
);

-- Origins of pages from which browsers may call for an operator; none: from no page.
CREATE TABLE operator_origins (
    operator_id  text NOT NULL REFERENCES operators,
    origin       text NOT NULL,
    PRIMARY KEY (origin, operator_id)
);

-- Which build an operator may offer, under which names of its own.
CREATE TABLE operator_games (
    operator_id  text NOT NULL REFERENCES operators,
    game_id      text NOT NULL,                      -- the platform's name of the game
    build_ref    text NOT NULL,                      -- the platform's name of the build, mostly its hash
    build_hash   text NOT NULL CHECK (build_hash ~ '^sha256:[0-9a-f]{64}$'),
    PRIMARY KEY (operator_id, game_id, build_ref)
);

-- Builds that were ever served, with the text of their model file: what rebuilds their rounds when the file is gone.
-- Written once; whoever reads a row checks that its model has this hash.
CREATE TABLE builds (
    build_hash        text PRIMARY KEY CHECK (build_hash ~ '^sha256:[0-9a-f]{64}$'),
    model             text NOT NULL,                 -- id of the model
    profile           text NOT NULL,
    mechanic_version  smallint NOT NULL,             -- under which the hash was made
    source            text NOT NULL,                 -- the model file (TOML)
    first_seen_at     timestamptz NOT NULL
);

-- A player's session with one build and one seed. next_nonce is the number of spins played so far:
-- nonces have no gaps, so a session shows that no outcome was thrown away. version counts the changes by
-- anything but spins: a worker that knows an older version has to read the session again before it plays.
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
    channel          text NOT NULL DEFAULT '',       -- how the player plays, as the platform says; empty: it does not
    seed_sealed      bytea NOT NULL,                 -- context "seed:" operator "/" session
    seed_commitment  bytea NOT NULL CHECK (length(seed_commitment) = 32),
    next_nonce       bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0),
    version          integer NOT NULL DEFAULT 0,
    event_count      bigint NOT NULL DEFAULT 0,      -- of its events; the last one has this seq
    wallet           text NOT NULL CHECK (wallet IN ('platform', 'transfer', 'seamless')),
    balance_minor    numeric(38, 0) CHECK (balance_minor >= 0),   -- what was transferred in and not yet out
    settle_within_s  integer,
    one_round        boolean NOT NULL,
    enforces_markets boolean NOT NULL,
    age              smallint,
    time_limit_min   integer,
    blocked          boolean NOT NULL DEFAULT false,
    acknowledged     integer NOT NULL DEFAULT 0,     -- reminders of the time
    acknowledged_at  timestamptz,
    touched_at       timestamptz NOT NULL,           -- when it was opened or money was last transferred in
    closed_at        timestamptz,
    close_reason     text CHECK (close_reason IN ('asked', 'idle')),
    fingerprint      bytea NOT NULL,                 -- of the request that opened it
    response         bytea NOT NULL,                 -- the bytes that were answered
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (session_id, operator_id),
    CHECK ((wallet = 'transfer') = (balance_minor IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (close_reason IS NULL)),
    CHECK (closed_at IS NULL OR coalesce(balance_minor, 0) = 0)   -- a closed session holds nobody's money
) WITH (fillfactor = 50);   -- every spin writes its session anew: where the page has room, no index is touched, nothing grows
CREATE INDEX sessions_of_player ON sessions (player_id, operator_id);
CREATE INDEX sessions_with_money ON sessions (operator_id) WHERE balance_minor > 0;

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
    mode              text NOT NULL,                 -- of the game: base, an ante bet, a bonus buy
    policy            text NOT NULL,                 -- what the player decided, as replays read it; '': nothing, or the usual
    currency          text NOT NULL,
    stake_minor       numeric(38, 0) NOT NULL CHECK (stake_minor > 0),
    win_minor         numeric(38, 0) NOT NULL CHECK (win_minor >= 0),
    win_units         bigint NOT NULL CHECK (win_units >= 0),
    outcome_digest    bytea NOT NULL CHECK (length(outcome_digest) = 32),
    telemetry_ref     text NOT NULL,
    created_at        timestamptz NOT NULL,
    written_in        xid8 NOT NULL DEFAULT pg_current_xact_id(),   -- finds its fact in the audit log
    PRIMARY KEY (spin_id, operator_id),
    UNIQUE (round_id, operator_id),
    UNIQUE (session_id, operator_id, nonce)          -- an outcome is used once
);
CREATE INDEX spins_by_time ON spins USING brin (created_at) WITH (autosummarize = on, pages_per_range = 32);

-- Rounds that wait for a choice of their player. Their stake is taken and their outcome sealed; what is not decided yet is
-- the policy by which it is played on. A round leaves this table when it gets its row in spins.
CREATE TABLE waiting_rounds (
    operator_id      text NOT NULL,
    round_id         text NOT NULL,
    spin_id          text NOT NULL,
    session_id       text NOT NULL,
    player_id        text NOT NULL,
    game_id          text NOT NULL,
    idempotency_key  text NOT NULL,
    nonce            bigint NOT NULL,
    spin_type        text NOT NULL,
    mode             text NOT NULL,
    stake_minor      numeric(38, 0) NOT NULL CHECK (stake_minor > 0),
    telemetry_ref    text NOT NULL,
    one_round        boolean NOT NULL,
    decisions        text[] NOT NULL DEFAULT '{}',   -- choice=option, in the order in which they were made
    choice           text NOT NULL,                  -- what is asked now
    options          text[] NOT NULL CHECK (cardinality(options) > 0),
    won_minor        numeric(38, 0) NOT NULL CHECK (won_minor >= 0),   -- so far; nothing of it is paid yet
    created_at       timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,           -- when it is decided for the player
    PRIMARY KEY (round_id, operator_id),
    UNIQUE (spin_id, operator_id),
    UNIQUE (session_id, operator_id),                -- a session plays on when it is decided
    FOREIGN KEY (session_id, operator_id) REFERENCES sessions
);
CREATE INDEX waiting_rounds_of_player ON waiting_rounds (player_id, game_id, operator_id);
CREATE INDEX waiting_rounds_due ON waiting_rounds (due_at);

-- What players decided, or time for them, and what was answered.
CREATE TABLE choices (
    operator_id  text NOT NULL,
    round_id     text NOT NULL,
    step         integer NOT NULL CHECK (step > 0),
    choice       text NOT NULL,
    option       text NOT NULL,
    made_by      text NOT NULL CHECK (made_by IN ('player', 'time')),
    response     bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (round_id, operator_id, step)
);

-- Rounds whose money the platform has not settled, of operators that settle.
CREATE TABLE open_rounds (
    operator_id  text NOT NULL,
    round_id     text NOT NULL,
    spin_id      text NOT NULL,
    session_id   text NOT NULL,
    player_id    text NOT NULL,
    game_id      text NOT NULL,
    one_round    boolean NOT NULL,
    due_at       timestamptz NOT NULL,
    reported_at  timestamptz,                        -- when the event round_unsettled was written
    PRIMARY KEY (round_id, operator_id)
);
CREATE INDEX unreported_rounds ON open_rounds (due_at) WHERE reported_at IS NULL;
CREATE INDEX rounds_of_player ON open_rounds (player_id, game_id, operator_id);

-- Players who may have one round at a time in a game, with theirs, whether it waits for a choice or for its settlement: the
-- key keeps two workers, or two sessions in one statement, from giving a player two.
CREATE TABLE players_in_round (
    operator_id  text NOT NULL,
    player_id    text NOT NULL,
    game_id      text NOT NULL,
    round_id     text NOT NULL,
    PRIMARY KEY (player_id, game_id, operator_id),
    UNIQUE (round_id, operator_id)
);

-- How the money of a round ended at the platform. A round without spin was voided before it was played:
-- it can never be played.
CREATE TABLE round_ends (
    operator_id  text NOT NULL,
    round_id     text NOT NULL,
    session_id   text NOT NULL,
    spin_id      text,
    ending       text NOT NULL CHECK (ending IN ('settled', 'voided')),
    debit_tx     text,
    credit_tx    text,
    reason       text,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (round_id, operator_id),
    FOREIGN KEY (session_id, operator_id) REFERENCES sessions,
    FOREIGN KEY (spin_id, operator_id) REFERENCES spins,
    CHECK ((ending = 'settled') = (debit_tx IS NOT NULL)),
    CHECK ((ending = 'voided') = (reason IS NOT NULL)),
    CHECK (ending = 'voided' OR spin_id IS NOT NULL)
);
CREATE INDEX round_ends_of_operator ON round_ends (created_at, operator_id);
CREATE INDEX voided_rounds ON round_ends (created_at, operator_id) WHERE ending = 'voided';

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

-- What we ask of the operator's wallet, of sessions whose money we move there. A debit is asked for before the draw and
-- has to be accepted; a credit is written with the outcome, also of 0, and asked for until it is accepted; a debit of
-- which nothing became is abandoned and rolled back until that is accepted. next_try_at: when somebody has to look at it.
CREATE TABLE wallet_steps (
    operator_id   text NOT NULL,
    txn_id        text NOT NULL,                     -- the kind, a colon, and the spin
    kind          text NOT NULL CHECK (kind IN ('debit', 'credit', 'rollback')),
    round_id      text NOT NULL,
    spin_id       text NOT NULL,
    session_id    text NOT NULL,
    currency      text NOT NULL,
    exponent      smallint NOT NULL,
    amount_minor  numeric(38, 0) NOT NULL CHECK (amount_minor >= 0),
    fingerprint   bytea,                             -- of the spin's request, where it is a debit
    state         text NOT NULL CHECK (state IN ('pending', 'accepted', 'refused', 'abandoned', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,
    next_try_at   timestamptz,
    asked_until   timestamptz,                       -- of a debit: until then a worker asks for it, and nobody else
    last_error    text,
    traceparent   text,                              -- the platform's trace that it belongs to
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    PRIMARY KEY (txn_id, operator_id),
    UNIQUE (round_id, operator_id, kind),
    FOREIGN KEY (session_id, operator_id) REFERENCES sessions,
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK (state <> 'refused' OR kind = 'debit'),
    CHECK (state <> 'abandoned' OR kind = 'debit'),
    CHECK (state <> 'failed' OR kind <> 'debit'),
    CHECK (state <> 'pending' OR next_try_at IS NOT NULL)    -- nothing is forgotten
);
CREATE INDEX steps_due ON wallet_steps (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX steps_by_end ON wallet_steps USING brin (ended_at) WITH (autosummarize = on);
CREATE INDEX steps_failed ON wallet_steps (created_at) WHERE state = 'failed';

-- Failed steps that two persons have closed by hand, or that one has proposed to, with the keys or clients by which they
-- called. A key or client that nobody was named for is a person of its own, by its id.
CREATE TABLE resolutions (
    operator_id   text NOT NULL,
    txn_id        text NOT NULL,
    resolution    text NOT NULL CHECK (resolution IN ('paid', 'retry')),
    reason        text NOT NULL,
    proposed_by   text NOT NULL,
    proposed_person   text NOT NULL,
    proposed_at   timestamptz NOT NULL,
    confirmed_by  text CHECK (confirmed_by <> proposed_by),
    confirmed_person  text CHECK (confirmed_person <> proposed_person),
    confirmed_at  timestamptz,
    PRIMARY KEY (txn_id, operator_id, proposed_at),
    FOREIGN KEY (txn_id, operator_id) REFERENCES wallet_steps,
    CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CHECK ((confirmed_by IS NULL) = (confirmed_person IS NULL))
);

-- Double entry: each row moves an amount from one account to another, so all accounts add up to zero.
-- Accounts: platform (the player's money there), session (what was transferred in), game; held (debits whose spin was
-- not drawn yet) and payable (wins that the wallet has not taken yet). Balances are those of the session's account,
-- before and after; the platform's are not known here.
CREATE TABLE ledger (
    operator_id           text NOT NULL,
    txn_id                text NOT NULL,             -- the kind, a colon, and what caused it
    kind                  text NOT NULL CHECK (kind IN ('stake', 'win', 'void_stake', 'void_win', 'in', 'out', 'debit', 'credit', 'rollback')),
    session_id            text NOT NULL,
    spin_id               text,
    debit_account         text NOT NULL,             -- what the amount is taken from
    credit_account        text NOT NULL CHECK (credit_account <> debit_account),
    currency              text NOT NULL,
    exponent              smallint NOT NULL,
    amount_minor          numeric(38, 0) NOT NULL CHECK (amount_minor > 0),
    balance_before_minor  numeric(38, 0) CHECK (balance_before_minor >= 0),
    balance_after_minor   numeric(38, 0) CHECK (balance_after_minor >= 0),
    created_at            timestamptz NOT NULL,
    written_in            xid8 NOT NULL DEFAULT pg_current_xact_id(),   -- finds its fact in the audit log
    PRIMARY KEY (txn_id, operator_id),
    CHECK (spin_id IS NOT NULL OR kind IN ('in', 'out')),
    CHECK (balance_after_minor - balance_before_minor
           = CASE WHEN credit_account = 'session' THEN amount_minor ELSE -amount_minor END),
    CHECK ((balance_after_minor IS NULL) = ('session' NOT IN (debit_account, credit_account)))
);

CREATE INDEX ledger_by_time ON ledger USING brin (created_at) WITH (autosummarize = on);

-- Spins and movements of money are of sessions that are there. A foreign key says the same, and looks at each row by itself;
-- this looks once for all rows of a statement. It is as strong because sessions stay, under their names.
CREATE FUNCTION require_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing text;
BEGIN
    SELECT n.session_id INTO missing FROM written n
    WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.session_id = n.session_id AND s.operator_id = n.operator_id) LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = format('%s: there is no session %s', TG_TABLE_NAME, missing);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER spins_of_sessions AFTER INSERT ON spins REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION require_sessions();
CREATE TRIGGER ledger_of_sessions AFTER INSERT ON ledger REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION require_sessions();

-- What happened, as it is told. Written in the transaction of what it tells of, kept for RGS_EVENTS_DAYS at least, so that
-- receivers can ask for what they miss. seq counts the events of a session without gaps, in the order in which they were
-- committed: whoever writes one has the session's row.
CREATE TABLE events (
    event_seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text NOT NULL UNIQUE,               -- receivers tell repeated deliveries by it
    operator_id  text NOT NULL,
    session_id   text,                               -- NULL: of no session
    seq          bigint CHECK (seq > 0),
    event_type   text NOT NULL,
    payload      bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    traceparent  text,                               -- the platform's trace that it belongs to
    UNIQUE (session_id, operator_id, seq),
    CHECK ((session_id IS NULL) = (seq IS NULL))
);

-- Where events go: `webhook`, and `bus` where there is one.
CREATE TABLE sinks (
    sink  text PRIMARY KEY CHECK (sink IN ('webhook', 'bus'))
);
INSERT INTO sinks (sink) VALUES ('webhook');

-- Events that a sink has not taken yet. Identity order is not commit order, so nothing remembers how far a sink has come:
-- rows that are there are due, and a relay deletes what was taken. No reference to events: it would be checked for each spin.
CREATE TABLE outbox (
    operator_id  text NOT NULL,
    sink         text NOT NULL,
    event_seq    bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT '-infinity',
    last_error   text,
    PRIMARY KEY (operator_id, sink, event_seq)
);

-- Whoever writes an event owes it to every sink; but a platform is not told what it has told itself.
CREATE FUNCTION owe_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (operator_id, sink, event_seq, created_at)
    SELECT n.operator_id, k.sink, n.event_seq, n.created_at FROM written n CROSS JOIN sinks k
    WHERE k.sink <> 'webhook' OR n.event_type <> 'platform_event';
    RETURN NULL;
END $$;
CREATE TRIGGER events_owed AFTER INSERT ON events
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION owe_events();

-- Events that a sink has not taken for days, put aside until somebody sends them again.
CREATE TABLE dead_events (
    operator_id  text NOT NULL,
    sink         text NOT NULL,
    event_seq    bigint NOT NULL,
    died_at      timestamptz NOT NULL,
    last_error   text NOT NULL,
    PRIMARY KEY (operator_id, sink, event_seq)
);

-- Where operators take their events; the secret is sealed with context "webhook:" operator.
CREATE TABLE webhooks (
    operator_id    text PRIMARY KEY REFERENCES operators,
    url            text NOT NULL CHECK (url ~ '^https?://'),
    secret_sealed  bytea NOT NULL,
    disabled_at    timestamptz                       -- the receiver said that it is gone
);

-- One worker at a time has the lane of an operator to a sink, until lease_until. A sink that takes nothing is left alone
-- until resumes_at, longer with each failure.
CREATE TABLE lanes (
    operator_id  text NOT NULL REFERENCES operators,
    sink         text NOT NULL,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity',
    resumes_at   timestamptz NOT NULL DEFAULT '-infinity',
    failures     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (operator_id, sink)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE FUNCTION refuse_renaming() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keep their names and are never deleted', TG_TABLE_NAME;
END $$;
CREATE TRIGGER sessions_stay BEFORE DELETE OR UPDATE OF operator_id, session_id ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_renaming();

CREATE TRIGGER spins_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON spins
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER idempotency_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER builds_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON builds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER round_ends_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON round_ends
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_unchanged BEFORE UPDATE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER choices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON choices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Clients of operators, which get access tokens. Secrets are 256 random bits, so their SHA-256 keeps them.
CREATE TABLE oauth_clients (
    client_id      text PRIMARY KEY,
    operator_id    text NOT NULL REFERENCES operators,
    secret_digest  bytea NOT NULL CHECK (length(secret_digest) = 32),
    scopes         text[] NOT NULL,
    person         text,                             -- whose it is; NULL: nobody's but its own
    retired_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- Keys that sign access tokens; the private half is sealed with context "token-key:" and the id.
CREATE TABLE token_keys (
    kid             text PRIMARY KEY,
    private_sealed  bytea NOT NULL,
    retired_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How an operator signs tokens of its players; without a row it sends none.
CREATE TABLE player_token_rules (
    operator_id    text PRIMARY KEY REFERENCES operators,
    audience       text NOT NULL,
    issuer         text,                             -- NULL: any
    jwks_url       text,                             -- where its public keys are, or
    secret_sealed  bytea,                            -- what both share; context "player-tokens:" operator
    CHECK ((jwks_url IS NULL) <> (secret_sealed IS NULL))
);

-- Tokens of players that have opened a session, for as long as they would be good.
CREATE TABLE player_tokens (
    operator_id  text NOT NULL,
    jti          text NOT NULL,
    session_id   text NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (jti, operator_id)
);

-- Nonces of signed requests while their timestamps could still be right. Not logged: it must cost little, and what
-- is lost with a crash of the database is the memory of minutes.
CREATE UNLOGGED TABLE nonces (
    digest      bytea PRIMARY KEY CHECK (length(digest) = 16),  -- SHA-256 of operator, zero byte and nonce, its first half
    claim       bigint NOT NULL,                                -- of the request that wrote it
    expires_at  timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Calls that an operator may still make, of those whose rate is limited. Not logged: after a crash all buckets are full.
CREATE UNLOGGED TABLE quotas (
    operator_id  text PRIMARY KEY,
    tokens       double precision NOT NULL,
    granted      double precision NOT NULL,   -- whole tokens that the last request for some was given
    counted_at   timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What is known of an operator when a call of it comes in.
CREATE VIEW operator_rules AS
SELECT o.operator_id, o.rate_per_s, o.burst, o.in_flight_max, o.plain_signatures, o.duplicate_status, o.conflict_status,
       ARRAY(SELECT origin FROM operator_origins g WHERE g.operator_id = o.operator_id) AS origins,
       ARRAY(SELECT network::text FROM operator_networks n WHERE n.operator_id = o.operator_id) AS networks,
       ARRAY(SELECT common_name FROM operator_certificates c WHERE c.operator_id = o.operator_id) AS certificates
FROM operators o;

-- Sums of the rounds of whole hours, whatever became of them later, so that reports need not read them again; an hour is
-- summed up once, when all of its rounds are written.
CREATE TABLE rolled_hours (
    hour  timestamptz PRIMARY KEY
);
CREATE TABLE hour_figures (
    operator_id  text NOT NULL,
    game_id      text NOT NULL,
    build_hash   text NOT NULL,
    currency     text NOT NULL,
    exponent     smallint NOT NULL,
    hour         timestamptz NOT NULL REFERENCES rolled_hours,
    spins        bigint NOT NULL,
    stake_minor  numeric NOT NULL,
    win_minor    numeric NOT NULL,
    PRIMARY KEY (hour, operator_id, game_id, build_hash, currency)
);
CREATE TRIGGER hour_figures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hour_figures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What operators pay, from a month on until the next agreement; `terms` is JSON as rgs_server.billing.fees reads it.
CREATE TABLE fee_agreements (
    operator_id   text NOT NULL REFERENCES operators,
    agreement_id  text NOT NULL,
    valid_from    date NOT NULL CHECK (extract(day FROM valid_from) = 1),
    terms         text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (agreement_id, operator_id),
    UNIQUE (operator_id, valid_from)
);

-- Months that are closed, with what each currency came to. `carried_minor`: a loss that the next month begins with.
CREATE TABLE closings (
    operator_id  text NOT NULL REFERENCES operators,
    month        date NOT NULL CHECK (extract(day FROM month) = 1),
    closed_at    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, month)
);
CREATE TABLE closing_totals (
    operator_id    text NOT NULL,
    month          date NOT NULL,
    currency       text NOT NULL,
    agreement_id   text NOT NULL,
    fee_minor      numeric(38, 0) NOT NULL CHECK (fee_minor >= 0),
    carried_minor  numeric(38, 0) NOT NULL CHECK (carried_minor <= 0),
    PRIMARY KEY (operator_id, month, currency),
    FOREIGN KEY (operator_id, month) REFERENCES closings,
    FOREIGN KEY (agreement_id, operator_id) REFERENCES fee_agreements
);

-- Lines of closed months; those about an earlier month are what has changed in it since (true-ups).
CREATE TABLE closing_lines (
    operator_id            text NOT NULL,
    month                  date NOT NULL,
    about                  date NOT NULL CHECK (about <= month),
    game_id                text NOT NULL,
    build_hash             text NOT NULL,
    currency               text NOT NULL,
    exponent               smallint NOT NULL,
    spins_total            bigint NOT NULL,
    eligible_spins         bigint NOT NULL,
    turnover_minor         numeric(38, 0) NOT NULL,
    win_minor              numeric(38, 0) NOT NULL,
    jackpot_contrib_minor  numeric(38, 0) NOT NULL,
    bonus_cost_minor       numeric(38, 0) NOT NULL,
    royalty_due_minor      numeric(38, 0) NOT NULL,
    PRIMARY KEY (operator_id, month, about, game_id, build_hash, currency),
    FOREIGN KEY (operator_id, month) REFERENCES closings
);
-- Invoices of closed months in one currency, by a table of rates. One that is made again with other rates is a true-up of the
-- one before. `fees` is JSON: each amount with its rate and the source of that.
CREATE TABLE invoices (
    operator_id    text NOT NULL,
    month          date NOT NULL,
    currency       text NOT NULL,
    number         integer NOT NULL CHECK (number > 0),     -- of the invoices of this month in this currency
    exponent       smallint NOT NULL,
    total_minor    numeric(38, 0) NOT NULL,
    true_up_minor  numeric(38, 0) NOT NULL,                 -- less what the one before came to; of the first one 0
    fees           text NOT NULL,
    issued_at      timestamptz NOT NULL,
    PRIMARY KEY (operator_id, month, currency, number),
    FOREIGN KEY (operator_id, month) REFERENCES closings,
    CHECK (number > 1 OR true_up_minor = 0)
);
CREATE TRIGGER invoices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fee_agreements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fee_agreements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER closings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER closing_totals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closing_totals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER closing_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closing_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Rounds as live math monitoring counts them: by day, by what they were, by stake and win. A slice of time is counted once,
-- when all of its rounds are written; a round that is voided later goes from one status to the other on its own day, so a
-- row may fall. All of it can be counted again from spins and round_ends.
CREATE TABLE counted_slices (
    slice  timestamptz PRIMARY KEY
);
CREATE TABLE math_counts (
    day          date NOT NULL,
    operator_id  text NOT NULL,
    game_id      text NOT NULL,
    build_hash   text NOT NULL,
    mode         text NOT NULL,
    channel      text NOT NULL,
    spin_type    text NOT NULL,
    currency     text NOT NULL,
    exponent     smallint NOT NULL,
    stake_minor  numeric(38, 0) NOT NULL,
    win_minor    numeric(38, 0) NOT NULL,
    status       text NOT NULL CHECK (status IN ('normal', 'retried', 'recovered', 'voided')),
    feature      boolean NOT NULL,                   -- whether the round triggered anything
    rounds       bigint NOT NULL,
    PRIMARY KEY (day, operator_id, build_hash, game_id, mode, channel, spin_type, currency, stake_minor, win_minor, status,
                 feature)
);

-- Builds whose rounds are counted and not judged, and why.
CREATE TABLE unjudged_builds (
    build_hash  text NOT NULL,
    mode        text NOT NULL,
    reason      text NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (build_hash, mode)
);

-- What the monitor found of a cell of rounds: once a day when the day is over (day), and when it had to be told at once
-- (alarm). `verdict` is JSON as rgs_core.monitor.verdicts has it.
CREATE TABLE math_verdicts (
    verdict_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operator_id  text NOT NULL,                      -- empty: all operators together
    game_id      text NOT NULL,
    build_hash   text NOT NULL,
    mode         text NOT NULL,
    channel      text NOT NULL,                      -- all: all channels together
    spin_type    text NOT NULL,
    stakes       text NOT NULL,                      -- the bucket of the stake, such as EUR 0.5; EUR: all stakes together
    kind         text NOT NULL CHECK (kind IN ('day', 'alarm')),
    day          date NOT NULL,
    window_days  smallint NOT NULL,                  -- that were judged; day is the last of them
    rounds       bigint NOT NULL,
    level        text NOT NULL CHECK (level IN ('insufficient', 'within', 'info', 'investigate', 'page')),
    verdict      text NOT NULL,
    judged_at    timestamptz NOT NULL
);
CREATE INDEX verdicts_of_cell ON math_verdicts (operator_id, build_hash, game_id, mode, channel, spin_type, stakes, window_days,
                                               verdict_id DESC);
CREATE INDEX verdicts_of_day ON math_verdicts (day) WHERE kind = 'day';
CREATE TRIGGER math_verdicts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON math_verdicts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What workers have answered, written every minute, kept for a week. `counts`: JSON, requests by bucket of their duration, then seconds.
CREATE TABLE traffic (
    at         timestamptz NOT NULL,                  -- the end of the time that it is about
    worker     text NOT NULL,
    operation  text NOT NULL,
    class      text NOT NULL,
    counts     text NOT NULL,
    PRIMARY KEY (at, worker, operation, class)
);
CREATE TABLE traffic_errors (
    at         timestamptz NOT NULL,                  -- the end of the time that it is about
    worker     text NOT NULL,
    operation  text NOT NULL,
    code       text NOT NULL,
    errors     bigint NOT NULL,
    PRIMARY KEY (at, worker, operation, code)
);

-- People who look at the console; passwords are made for them and kept as scrypt.
CREATE TABLE console_people (
    name             text PRIMARY KEY,
    salt             bytea NOT NULL CHECK (length(salt) = 16),
    password_digest  bytea NOT NULL CHECK (length(password_digest) = 32),
    retired_at       timestamptz,
    created_at       timestamptz NOT NULL
);

-- A round with what its session knows, as lists show it.
CREATE VIEW shown_spins AS
SELECT p.operator_id, p.spin_id, p.round_id, p.session_id, p.mode, p.nonce, p.currency, p.stake_minor, p.win_minor, p.created_at,
       s.player_id, s.game_id, s.exponent
FROM spins p JOIN sessions s USING (operator_id, session_id);
