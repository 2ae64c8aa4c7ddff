-- Mailed tokens that a newer one has followed. The newest lies in mailed_tokens, where an older program looks for it; all of them
-- are good until one is used.
CREATE TABLE earlier_mailed_tokens (
    hash       bytea       NOT NULL PRIMARY KEY,
    account    uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    purpose    text        NOT NULL CHECK (purpose IN ('reset', 'verify')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX earlier_mailed_tokens_by_account ON earlier_mailed_tokens (account, purpose);

-- From where an account's owner has shown who they are: a keyed hash of its e-mail and the network address.
CREATE TABLE known_origins (
    key     bytea       NOT NULL PRIMARY KEY,
    account uuid        NOT NULL REFERENCES accounts ON DELETE CASCADE,
    seen_at timestamptz NOT NULL
);
CREATE INDEX known_origins_by_account ON known_origins (account, seen_at);
CREATE INDEX known_origins_by_time ON known_origins (seen_at);
