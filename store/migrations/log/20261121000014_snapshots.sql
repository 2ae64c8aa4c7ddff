-- The state of a long stream after one of its events, so that a load reads only what came later. One row a stream; what
-- another program wrote, or is not of this very event, counts for nothing, and all rows may be deleted at any time.
CREATE TABLE snapshots (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    fold           text        NOT NULL,
    sequence       bigint      NOT NULL,
    event_id       uuid        NOT NULL,
    state          json        NOT NULL,
    saved_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (aggregate_type, aggregate_id)
);
