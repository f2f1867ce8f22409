-- The event log. Positions are dense from 1 and in commit order: see `head`.
CREATE TABLE events (
    position       bigint  PRIMARY KEY,
    stream         text    COLLATE "C" NOT NULL,
    version        bigint  NOT NULL,
    kind           text    NOT NULL,
    schema_version integer NOT NULL,
    payload        text    NOT NULL, -- JSON as it was written: jsonb would reorder it and refuses \u0000
    metadata       text    NOT NULL,
    recorded_at    bigint  NOT NULL, -- microseconds since 1970
    batch          bigint  NOT NULL, -- of the statement that wrote it, so that it can be sent again
    UNIQUE (stream, version)
);

-- The position of the last event, in one row. Whoever appends holds its lock until commit, so positions are
-- given out one batch after another and become visible in their order.
CREATE TABLE head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO head (position) VALUES (0);

-- Stores the appends whose stream is at the expected version, answers the version of the others, and does so
-- for all of them at once. Sent again with the same batch it stores nothing twice and answers the same.
--
-- A function, because its second statement has a younger snapshot than its first: it sees whatever was
-- committed before the lock was had. A single statement would judge by what it saw before it waited.
CREATE FUNCTION append_events(
    of_batch bigint,
    -- one of each an append
    streams text[], expectations bigint[], sizes bigint[], metadatas text[], times bigint[],
    -- one of each an event: the number of its append from 1, its place among that one's from 1, and itself
    owners bigint[], steps bigint[], kinds text[], schema_versions integer[], payloads text[]
)
RETURNS TABLE (append bigint, stored_at bigint, stream_version bigint)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    head_before bigint;
BEGIN
    SELECT position INTO STRICT head_before FROM head FOR UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT a.*,
               coalesce((SELECT version FROM events e WHERE e.stream = a.stream ORDER BY version DESC LIMIT 1), 0)
                   AS actual
        FROM unnest(streams, expectations, sizes, metadatas, times)
             WITH ORDINALITY AS a (stream, expected, size, metadata, recorded_at, number)
    ),
    placed AS (
        SELECT *, head_before + (sum(size) OVER (ORDER BY number))::bigint - size AS before
        FROM asked WHERE actual = expected
    ),
    stored AS (
        INSERT INTO events
            (position, stream, version, kind, schema_version, payload, metadata, recorded_at, batch)
        SELECT p.before + e.step, p.stream, p.expected + e.step,
               e.kind, e.schema_version, e.payload, p.metadata, p.recorded_at, of_batch
        FROM unnest(owners, steps, kinds, schema_versions, payloads)
             AS e (owner, step, kind, schema_version, payload)
        JOIN placed p ON p.number = e.owner
    ),
    moved AS (
        UPDATE head SET position = position + (SELECT sum(size) FROM placed)::bigint
        WHERE EXISTS (SELECT FROM placed)
    )
    SELECT a.number,
           CASE WHEN p.number IS NOT NULL THEN p.before + p.size
                ELSE (SELECT position FROM events e
                      WHERE e.stream = a.stream AND e.version = a.expected + a.size AND e.batch = of_batch)
           END,
           CASE WHEN p.number IS NOT NULL THEN a.actual + a.size ELSE a.actual END
    FROM asked a LEFT JOIN placed p ON p.number = a.number;
END
$$;

-- How far each read model has come. The era counts how often it began again from nothing.
CREATE TABLE checkpoints (
    name     text   PRIMARY KEY,
    era      bigint NOT NULL,
    position bigint NOT NULL
);
INSERT INTO checkpoints (name, era, position) VALUES ('builds', 0, 0);

-- Lists of builds. An id is a ULID: its order is the order of submission. What clients may fill freely is
-- kept as JSON, because text holds no NUL.
CREATE TABLE builds (
    id              text    COLLATE "C" PRIMARY KEY,
    status          text    COLLATE "C" NOT NULL,
    title           text    NOT NULL, -- a JSON string
    project         text    COLLATE "C" NOT NULL,
    labels          text    NOT NULL, -- a JSON object of strings
    tasks_total     bigint  NOT NULL,
    tasks_completed bigint  NOT NULL,
    cost_nano_usd   bigint  NOT NULL,
    submitted_at    bigint  NOT NULL, -- microseconds since 1970
    ended_at        bigint
);

CREATE INDEX builds_by_status ON builds (status, id);
CREATE INDEX builds_by_project ON builds (project, status, id);

-- The labels again, so that a list by label reads an index instead of every build's JSON.
CREATE TABLE build_labels (
    name  text COLLATE "C" NOT NULL, -- a JSON string
    value text COLLATE "C" NOT NULL, -- a JSON string
    id    text COLLATE "C" NOT NULL,
    PRIMARY KEY (name, value, id)
);

CREATE INDEX build_labels_by_build ON build_labels (id, name, value);
