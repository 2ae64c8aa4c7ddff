-- Who may log in. Personal data is sealed under the account's subject; an e-mail is found by its keyed hash.
CREATE TABLE accounts (
    id                uuid        NOT NULL PRIMARY KEY,
    -- What the log knows the person by, and what seals its personal data: `customer:<customer>`.
    customer          text        NOT NULL UNIQUE,
    role              text        NOT NULL CHECK (role IN ('customer', 'staff', 'admin')),
    permissions       text[]      NOT NULL DEFAULT '{}',
    email_hash        bytea       NOT NULL UNIQUE,
    email             text        NOT NULL,
    name              text,
    phone             text,
    -- A PHC string of argon2id.
    password          text        NOT NULL,
    email_verified_at timestamptz,
    disabled_at       timestamptz,
    created_at        timestamptz NOT NULL
);
CREATE INDEX accounts_of_staff ON accounts (role, id) WHERE role <> 'customer';

CREATE TABLE addresses (
    id         uuid        NOT NULL PRIMARY KEY,
    account    uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    sealed     text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX addresses_by_account ON addresses (account, id);

-- One log-in, and all refresh tokens that came of it.
CREATE TABLE sessions (
    id         uuid        NOT NULL PRIMARY KEY,
    account    uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    hash       bytea       NOT NULL PRIMARY KEY,
    session    uuid        NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- When it was exchanged for the next one.
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);

-- Sessions whose access tokens are no longer good, for as long as one of them could still be.
CREATE TABLE revocations (
    session    uuid        NOT NULL PRIMARY KEY,
    -- By the database's clock: every process asks what is new by it.
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (revoked_at);

-- Tokens that were sent by mail, each good once.
CREATE TABLE mailed_tokens (
    hash       bytea       NOT NULL PRIMARY KEY,
    account    uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    purpose    text        NOT NULL CHECK (purpose IN ('reset', 'verify')),
    expires_at timestamptz NOT NULL,
    UNIQUE (account, purpose)
);

CREATE TABLE second_factors (
    account      uuid        NOT NULL PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    secret       text        NOT NULL,
    confirmed_at timestamptz,
    -- The newest step whose code was taken: a code is good once.
    last_step    bigint      NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    account uuid  NOT NULL REFERENCES second_factors ON DELETE CASCADE,
    hash    bytea NOT NULL,
    PRIMARY KEY (account, hash)
);

-- Failed log-ins, by the keyed hash of what they were tried on.
CREATE TABLE attempts (
    key           bytea       NOT NULL PRIMARY KEY,
    failures      int         NOT NULL,
    last_at       timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX attempts_by_time ON attempts (last_at);

-- What signs tokens; the private half is sealed.
CREATE TABLE signing_keys (
    kid            text        NOT NULL PRIMARY KEY,
    public         bytea       NOT NULL,
    private        bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    signs_from     timestamptz NOT NULL,
    -- NULL for the newest one.
    verifies_until timestamptz
);

-- Messages about accounts that are to be sent: recipient and payload are sealed values of `subject`.
CREATE TABLE outgoing_mail (
    id            uuid        NOT NULL PRIMARY KEY,
    kind          text        NOT NULL,
    subject       text        NOT NULL,
    recipient     text        NOT NULL,
    payload       text        NOT NULL,
    created_at    timestamptz NOT NULL,
    attempts      int         NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL,
    sent_at       timestamptz,
    failed_reason text
);
CREATE INDEX outgoing_mail_due ON outgoing_mail (next_at) WHERE sent_at IS NULL AND failed_reason IS NULL;
CREATE INDEX outgoing_mail_by_subject ON outgoing_mail (subject);
