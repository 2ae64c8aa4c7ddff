-- Events that a follower goes on without, because somebody said so: what was set aside with them is a read model's stream,
-- or another follower's lane. They are known by their ids: after a restore another event may stand at the same position.
CREATE TABLE skipped_events (
    follower   text        NOT NULL,
    event_id   uuid        NOT NULL,
    position   bigint      NOT NULL,
    aside      text        NOT NULL,
    reason     text,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower, event_id, aside)
);

-- Lanes of reactors that somebody has seen to: the process that runs the reactor looks at them within a second.
CREATE TABLE asked_lanes (
    follower text NOT NULL,
    lane     text NOT NULL,
    PRIMARY KEY (follower, lane)
);

-- How often what waits at the head of a lane was tried again, and when the last try began.
ALTER TABLE waiting_events ADD COLUMN tries int NOT NULL DEFAULT 0, ADD COLUMN tried_at timestamptz;
