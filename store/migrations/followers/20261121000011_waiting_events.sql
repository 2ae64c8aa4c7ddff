-- Events of instances that a reactor cannot serve for now; they wait, in order, while it goes on with the others.
CREATE TABLE waiting_events (
    follower text        NOT NULL,
    lane     text        NOT NULL,
    position bigint      NOT NULL,
    reason   text        NOT NULL,
    since    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower, lane, position)
);
