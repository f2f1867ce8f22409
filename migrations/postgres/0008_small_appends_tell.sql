-- Events that fit into a notification are told with it, so that nobody has to read them. Whoever may connect to a
-- database may listen there, and read nothing else perhaps: so they are sealed, with a key that only who may read
-- events may read.
CREATE TABLE notice_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key      bytea NOT NULL CHECK (length(key) = 32)
);

-- Two random UUIDs have 244 random bits.
INSERT INTO notice_key (key)
VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

-- `append_events_of_tenants` that tells what was stored, if that is all that was asked for and little enough: `told`
-- is then the events, sealed, as text.
CREATE FUNCTION append_events_and_tell(
    of_batch bigint, told text,
    -- one of each an append
    streams text[], expectations bigint[], sizes bigint[], metadatas text[], times bigint[], tenants text[],
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
        FROM unnest(streams, expectations, sizes, metadatas, times, tenants)
             WITH ORDINALITY AS a (stream, expected, size, metadata, recorded_at, tenant, number)
    ),
    placed AS (
        SELECT *, head_before + (sum(size) OVER (ORDER BY number))::bigint - size AS before
        FROM asked WHERE actual = expected
    ),
    stored AS (
        INSERT INTO events
            (position, stream, version, kind, schema_version, payload, metadata, recorded_at, batch, tenant)
        SELECT p.before + e.step, p.stream, p.expected + e.step,
               e.kind, e.schema_version, e.payload, p.metadata, p.recorded_at, of_batch, p.tenant
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
    IF head_after = head_before + cardinality(kinds) AND told IS NOT NULL THEN
        -- All of them, in their order: what was sealed is what was stored.
        PERFORM pg_notify('buildwright', head_after || ' 0 0 ' || told);
    ELSIF head_after > head_before THEN
        -- Of the read models this says nothing that anybody does not know.
        PERFORM pg_notify('buildwright', head_after || ' 0 0');
    END IF;
END
$$;
