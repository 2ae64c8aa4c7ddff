-- Who follows the log, how far it has come, and who may move it.
CREATE TABLE followers (
    name             text        NOT NULL PRIMARY KEY,
    incarnation      uuid,
    position         bigint      NOT NULL DEFAULT 0,
    link             bytea,
    holder           uuid,
    fence            bigint      NOT NULL DEFAULT 0,
    lease_expires_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);

-- Streams that a follower could not take; they wait while it goes on.
CREATE TABLE parked_streams (
    follower       text        NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    first_position bigint      NOT NULL,
    reason         text        NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower, aggregate_type, aggregate_id)
);
