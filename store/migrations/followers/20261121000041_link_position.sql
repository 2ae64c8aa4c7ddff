-- Where the chain has the checkpoint's link: at the end of the batch that holds its position. NULL in rows that an older
-- program wrote, whose link is at the position itself.
ALTER TABLE followers ADD COLUMN link_position bigint;
