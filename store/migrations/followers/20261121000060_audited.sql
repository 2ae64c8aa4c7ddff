-- What comparing projections with the log, over and over, has come to: up to where, and which blocks of positions differ
-- (`store/src/follow/auditor.rs`).
ALTER TABLE followers ADD COLUMN audited_to bigint;
CREATE TABLE differing_blocks (
    follower text   NOT NULL,
    block    bigint NOT NULL,
    PRIMARY KEY (follower, block)
);
