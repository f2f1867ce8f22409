-- Whose build an event is of. What was stored before there were tenants is the default one's, and so is what
-- processes of the release before append: they know no other.
ALTER TABLE events ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT 'default';

-- Appends wait while this is made, once, for about a second per million events.
CREATE INDEX events_by_tenant ON events (tenant, position);

-- `append_events` with the tenant of each append.
CREATE FUNCTION append_events_of_tenants(
    of_batch bigint,
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
    IF head_after > head_before THEN
        -- Of the read models this says nothing that anybody does not know.
        PERFORM pg_notify('buildwright', head_after || ' 0 0');
    END IF;
END
$$;

ALTER TABLE builds ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE builds ADD COLUMN submitted_by text COLLATE "C";

-- Every list is one tenant's. What asks for all of them asks by status.
CREATE INDEX builds_by_tenant ON builds (tenant, id);
CREATE INDEX builds_by_tenant_and_status ON builds (tenant, status, id);
CREATE INDEX builds_by_tenant_and_project ON builds (tenant, project, status, id);
CREATE INDEX builds_by_submitter ON builds (submitted_by, status);

ALTER TABLE build_labels ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT 'default';
CREATE INDEX build_labels_by_tenant ON build_labels (tenant, name, value, id);

-- API keys. Of the key itself only what it is known again by is kept.
CREATE TABLE api_keys (
    id                  text   COLLATE "C" PRIMARY KEY, -- a ULID: its order is the order of creation
    prefix              text   COLLATE "C" NOT NULL UNIQUE,
    digest              bytea  NOT NULL,                -- SHA-256
    name                text   NOT NULL,
    tenant              text   COLLATE "C" NOT NULL,
    scopes              text   NOT NULL,                -- with spaces between them
    requests_per_minute bigint,
    open_builds         bigint,
    created_at          bigint NOT NULL,                -- microseconds since 1970, as all times here
    created_by          text   NOT NULL,
    expires_at          bigint,
    revoked_at          bigint,
    revoked_by          text,
    last_used_at        bigint
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);
