-- Lists of webhook endpoints, folded from their events. An id is a ULID: its order is the order of creation.
CREATE TABLE webhook_endpoints (
    id       TEXT    PRIMARY KEY,
    tenant   TEXT    NOT NULL,
    version  INTEGER NOT NULL, -- of its stream
    build    TEXT,             -- the one build that it was made for, if it was
    deleted  INTEGER NOT NULL, -- 0 or 1: rows stay, so that nobody who is late stores them again
    endpoint TEXT    NOT NULL  -- JSON
) STRICT;

CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant, id) WHERE deleted = 0 AND build IS NULL;
CREATE INDEX webhook_endpoints_alive ON webhook_endpoints (id) WHERE deleted = 0;

-- What only the sender may know of an endpoint, encrypted.
CREATE TABLE webhook_secrets (
    endpoint TEXT    PRIMARY KEY,
    version  INTEGER NOT NULL, -- of the endpoint's stream
    sealed   BLOB    NOT NULL
) STRICT;
