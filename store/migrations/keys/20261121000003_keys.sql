-- Keys that personal data is sealed under, each wrapped by the master key. Losing a row forgets its subject.
CREATE TABLE subject_keys (
    subject    text        NOT NULL PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
