-- The append-only log. The first seven columns are those of postgres-es, so that it can read the table unchanged.
CREATE TABLE events (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    position       bigint      NOT NULL CHECK (position >= 1),
    event_id       uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    digest         bytea       NOT NULL,
    CONSTRAINT events_stream PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_position UNIQUE (position)
);
-- json stays in the row's own text; compressing it costs more than it saves at this size.
ALTER TABLE events ALTER COLUMN payload SET STORAGE MAIN, ALTER COLUMN metadata SET STORAGE MAIN;

-- One row: the last position handed out, the chain link after it, and which life of the log this is.
CREATE TABLE log_head (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position    bigint  NOT NULL,
    link        bytea   NOT NULL,
    incarnation uuid    NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, link, incarnation) VALUES (0, decode(repeat('00', 32), 'hex'), gen_random_uuid());

-- One link a batch: sha256(previous link || last position || digests in order).
CREATE TABLE log_links (
    last_position bigint NOT NULL CONSTRAINT log_links_position PRIMARY KEY,
    link          bytea  NOT NULL
);

-- The first answer to every command, without bodies: a repeat gets it again.
CREATE TABLE commands (
    command_id     uuid        NOT NULL CONSTRAINT commands_id PRIMARY KEY,
    fingerprint    bytea       NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    version        bigint      NOT NULL,
    position       bigint      NOT NULL,
    events         integer     NOT NULL,
    refusal        json,
    recorded_at    timestamptz NOT NULL,
    expires_at     timestamptz
);
CREATE INDEX commands_expiry ON commands (expires_at) WHERE expires_at IS NOT NULL;

-- Wake-up calls of process managers.
CREATE TABLE timers (
    timer_id       uuid        NOT NULL PRIMARY KEY,
    manager        text        NOT NULL,
    instance       text        NOT NULL,
    correlation_id uuid        NOT NULL,
    input          json        NOT NULL,
    due_at         timestamptz NOT NULL,
    fired_at       timestamptz
);
CREATE INDEX timers_due ON timers (due_at) WHERE fired_at IS NULL;
