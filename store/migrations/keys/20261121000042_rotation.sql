-- Which master key wrapped a key: its name, which is derived from it; NULL where an older program wrapped it.
ALTER TABLE subject_keys ADD COLUMN wrapped_by text;

-- Keys that are nobody's: they stay what they are when the master key is replaced.
CREATE TABLE shop_keys (
    name       text        NOT NULL PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    wrapped_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
