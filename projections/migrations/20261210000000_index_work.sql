-- The processes that keep a search index: each writes its own row about once a second, for as long as it lives.
CREATE TABLE search_indexes (
    instance          uuid    NOT NULL PRIMARY KEY,
    host              text    NOT NULL,
    pid               bigint  NOT NULL,
    engine            text    NOT NULL,
    -- Of an index that all share, one process is the one that writes.
    shared            boolean NOT NULL,
    writes            boolean NOT NULL,
    -- How far its index is filled; nothing until it is.
    position          bigint,
    -- How far the read models were when it compared some of its index with them last, and how many products differed.
    checked_position  bigint,
    differences       bigint,
    begun_at          timestamptz NOT NULL DEFAULT now(),
    seen_at           timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What somebody asks of them, one thing at a time; it counts for as long as whoever asks is still seen.
CREATE TABLE search_asked (
    one      boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    id       uuid    NOT NULL UNIQUE,
    what     text    NOT NULL CHECK (what IN ('rebuild', 'audit')),
    swap     boolean NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    seen_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- How far each of them is with it, and what came of it.
CREATE TABLE search_answers (
    asked    uuid   NOT NULL REFERENCES search_asked (id) ON DELETE CASCADE,
    instance uuid   NOT NULL,
    stage    text   NOT NULL CHECK (stage IN ('filling', 'comparing', 'done', 'failed')),
    done     bigint NOT NULL,
    total    bigint NOT NULL,
    -- What came of it as JSON; why it failed, as text.
    outcome  text,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asked, instance)
) WITH (fillfactor = 50);
