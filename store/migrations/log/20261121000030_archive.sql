-- Closed streams that were put away: their events lie in files, and here is what proves and finds them.
CREATE TABLE archive_files (
    file           integer     NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT archive_files_number PRIMARY KEY,
    sha256         bytea       NOT NULL CONSTRAINT archive_files_content UNIQUE,
    first_position bigint      NOT NULL,
    last_position  bigint      NOT NULL,
    events         bigint      NOT NULL,
    archived_at    timestamptz NOT NULL DEFAULT now()
);

-- The columns stand by size, so that none is padded.
CREATE TABLE archived_events (
    position       bigint  NOT NULL CONSTRAINT archived_events_position PRIMARY KEY,
    sequence       bigint  NOT NULL,
    file           integer NOT NULL,
    -- Where in the file the block begins that holds it, in bytes.
    place          integer NOT NULL,
    digest         bytea   NOT NULL,
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL
);
-- Without the sequence an entry is shared by all events of a stream, and a tenth of the size.
CREATE INDEX archived_events_stream ON archived_events (aggregate_type, aggregate_id);

-- The key of the stream holds for events that were put away too. Whoever does not know of them sees an empty stream and
-- would begin it again; whoever knows goes on behind them. So the first of a stream is the only one to look at.
CREATE FUNCTION begins_no_archived_stream() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM archived_events
               WHERE aggregate_type = NEW.aggregate_type AND aggregate_id = NEW.aggregate_id) THEN
        RAISE unique_violation USING CONSTRAINT = 'events_stream',
            MESSAGE = format('the stream %s-%s was archived', NEW.aggregate_type, NEW.aggregate_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER events_of_no_archived_stream BEFORE INSERT ON events
    FOR EACH ROW WHEN (NEW.sequence = 1) EXECUTE FUNCTION begins_no_archived_stream();
-- Nobody pays for it until the first stream is put away.
ALTER TABLE events DISABLE TRIGGER events_of_no_archived_stream;
