-- Lists of webhook endpoints, folded from their events. An id is a ULID: its order is the order of creation.
CREATE TABLE webhook_endpoints (
    id       text    COLLATE "C" PRIMARY KEY,
    tenant   text    COLLATE "C" NOT NULL,
    version  bigint  NOT NULL, -- of its stream
    build    text    COLLATE "C", -- the one build that it was made for, if it was
    deleted  boolean NOT NULL, -- rows stay, so that nobody who is late stores them again
    endpoint text    NOT NULL  -- JSON
);

CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant, id) WHERE NOT deleted AND build IS NULL;
CREATE INDEX webhook_endpoints_alive ON webhook_endpoints (id) WHERE NOT deleted;

-- What only the sender may know of an endpoint, encrypted.
CREATE TABLE webhook_secrets (
    endpoint text   COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL, -- of the endpoint's stream
    sealed   bytea  NOT NULL
);
