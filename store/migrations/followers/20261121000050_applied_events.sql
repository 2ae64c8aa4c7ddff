-- What a projection has applied, to be compared with the log: block by block of positions and kind by kind of aggregate,
-- how many events and the exclusive or of their digests (`store/src/follow/applied.rs`).
CREATE TABLE applied_events (
    follower       text   NOT NULL,
    block          bigint NOT NULL,
    aggregate_type text   NOT NULL,
    events         bigint NOT NULL,
    digest         bigint NOT NULL,
    PRIMARY KEY (follower, block, aggregate_type)
) WITH (fillfactor = 80);
-- From where on its events are counted; NULL for a follower that has not begun to, as one of an older program.
ALTER TABLE followers ADD COLUMN counted_after bigint;
