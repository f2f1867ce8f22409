-- Whoever appends tells the others in the same transaction, so that they know of it as soon as it is committed.
-- Transactions that notify are committed one after the other; appends are anyway, because of `head`.
--
-- As before but for what comes after RETURN QUERY.
CREATE OR REPLACE FUNCTION append_events(
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
    head_after  bigint;
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
    SELECT position INTO STRICT head_after FROM head;
    IF head_after > head_before THEN
        -- Of the read models this says nothing that anybody does not know.
        PERFORM pg_notify('buildwright', head_after || ' 0 0');
    END IF;
END
$$;
