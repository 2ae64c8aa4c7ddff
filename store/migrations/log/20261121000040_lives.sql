-- Every life of the log. Another one begins when the database is not the one that it was: after a restore, or when a
-- standby was promoted. `position` and `link` are where the log stood then; `database` is what Postgres says of itself,
-- its system identifier and timeline, the database and the table, and NULL where it does not say.
CREATE TABLE log_lives (
    incarnation uuid        NOT NULL CONSTRAINT log_lives_incarnation PRIMARY KEY,
    began_at    timestamptz NOT NULL DEFAULT now(),
    position    bigint      NOT NULL,
    link        bytea       NOT NULL,
    database    text
);
