-- Whose build an event is of. What was stored before there were tenants is the default one's.
ALTER TABLE events ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';

-- With the rowid, which is the position, behind it.
CREATE INDEX events_by_tenant ON events (tenant);

ALTER TABLE builds ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE builds ADD COLUMN submitted_by TEXT;

-- Every list is one tenant's. What asks for all of them asks by status.
DROP INDEX builds_by_project;
CREATE INDEX builds_by_tenant ON builds (tenant, id);
CREATE INDEX builds_by_tenant_and_status ON builds (tenant, status, id);
CREATE INDEX builds_by_tenant_and_project ON builds (tenant, project, status, id);
CREATE INDEX builds_by_submitter ON builds (submitted_by, status);

DROP TRIGGER build_labels_of_a_new_build;
DROP TRIGGER build_labels_of_a_changed_build;
DROP TABLE build_labels;

CREATE TABLE build_labels (
    tenant TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (tenant, name, value, id)
) STRICT, WITHOUT ROWID;

INSERT INTO build_labels (tenant, name, value, id)
SELECT b.tenant, l.key, l.value, b.id FROM builds b, json_each(b.labels) l;

CREATE TRIGGER build_labels_of_a_new_build AFTER INSERT ON builds WHEN new.labels <> '{}'
BEGIN
    INSERT INTO build_labels (tenant, name, value, id)
    SELECT new.tenant, key, value, new.id FROM json_each(new.labels);
END;

-- A build keeps its tenant.
CREATE TRIGGER build_labels_of_a_changed_build AFTER UPDATE OF labels ON builds WHEN new.labels <> old.labels
BEGIN
    DELETE FROM build_labels
    WHERE (tenant, name, value, id) IN (SELECT old.tenant, key, value, old.id FROM json_each(old.labels));
    INSERT INTO build_labels (tenant, name, value, id)
    SELECT new.tenant, key, value, new.id FROM json_each(new.labels);
END;

-- API keys. Of the key itself only what it is known again by is kept.
CREATE TABLE api_keys (
    id                  TEXT    PRIMARY KEY, -- a ULID: its order is the order of creation
    prefix              TEXT    NOT NULL UNIQUE,
    digest              BLOB    NOT NULL,    -- SHA-256
    name                TEXT    NOT NULL,
    tenant              TEXT    NOT NULL,
    scopes              TEXT    NOT NULL,    -- with spaces between them
    requests_per_minute INTEGER,
    open_builds         INTEGER,
    created_at          INTEGER NOT NULL,    -- microseconds since 1970, as all times here
    created_by          TEXT    NOT NULL,
    expires_at          INTEGER,
    revoked_at          INTEGER,
    revoked_by          TEXT,
    last_used_at        INTEGER
) STRICT;

CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);
