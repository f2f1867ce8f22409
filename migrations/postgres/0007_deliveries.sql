-- How far each webhook endpoint has come. All times are microseconds since 1970.
CREATE TABLE delivery_cursors (
    endpoint      text    COLLATE "C" PRIMARY KEY,
    position      bigint  NOT NULL, -- every event up to here is not for it or has a row in `deliveries`
    failing_since bigint,
    nudged        boolean NOT NULL DEFAULT false
);

CREATE INDEX delivery_cursors_nudged ON delivery_cursors (endpoint) WHERE nudged;

-- Events on their way to endpoints, and what became of them.
CREATE TABLE deliveries (
    endpoint    text   COLLATE "C" NOT NULL,
    position    bigint NOT NULL, -- of the event
    build       text   COLLATE "C",
    event_id    text   NOT NULL,
    event_type  text   NOT NULL,
    status      text   COLLATE "C" NOT NULL,
    attempts    bigint NOT NULL,
    tries       bigint NOT NULL, -- attempts that count for the schedule
    next_at     bigint,          -- none while it waits for an earlier one of its build
    created_at  bigint NOT NULL,
    ended_at    bigint,
    last_status bigint,
    last_error  text,
    PRIMARY KEY (endpoint, position)
);

CREATE INDEX deliveries_next ON deliveries (endpoint, next_at) WHERE status = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint, build, position) WHERE status = 'pending';
CREATE INDEX deliveries_unfinished ON deliveries (status) WHERE status <> 'delivered';
CREATE INDEX deliveries_by_status ON deliveries (endpoint, status, position);
CREATE INDEX deliveries_by_age ON deliveries (created_at);

CREATE TABLE delivery_attempts (
    endpoint  text   COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    number    bigint NOT NULL,
    at        bigint NOT NULL,
    took      bigint NOT NULL, -- microseconds
    status    bigint,
    error     text,
    message   text,            -- a JSON string: text holds no NUL
    headers   text   NOT NULL, -- a JSON array of pairs
    body      bytea  NOT NULL,
    PRIMARY KEY (endpoint, position, number)
);
