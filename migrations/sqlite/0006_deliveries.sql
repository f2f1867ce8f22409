-- How far each webhook endpoint has come. All times are microseconds since 1970.
CREATE TABLE delivery_cursors (
    endpoint      TEXT    PRIMARY KEY,
    position      INTEGER NOT NULL, -- every event up to here is not for it or has a row in `deliveries`
    failing_since INTEGER,
    nudged        INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX delivery_cursors_nudged ON delivery_cursors (nudged) WHERE nudged = 1;

-- Events on their way to endpoints, and what became of them.
CREATE TABLE deliveries (
    endpoint    TEXT    NOT NULL,
    position    INTEGER NOT NULL, -- of the event
    build       TEXT,
    event_id    TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    tries       INTEGER NOT NULL, -- attempts that count for the schedule
    next_at     INTEGER,          -- none while it waits for an earlier one of its build
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    last_status INTEGER,
    last_error  TEXT,
    PRIMARY KEY (endpoint, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_next ON deliveries (endpoint, next_at) WHERE status = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint, build, position) WHERE status = 'pending';
CREATE INDEX deliveries_unfinished ON deliveries (status) WHERE status <> 'delivered';
CREATE INDEX deliveries_by_status ON deliveries (endpoint, status, position);
CREATE INDEX deliveries_by_age ON deliveries (created_at);

CREATE TABLE delivery_attempts (
    endpoint  TEXT    NOT NULL,
    position  INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    took      INTEGER NOT NULL, -- microseconds
    status    INTEGER,
    error     TEXT,
    message   TEXT,             -- a JSON string
    headers   TEXT    NOT NULL, -- a JSON array of pairs
    body      BLOB    NOT NULL,
    PRIMARY KEY (endpoint, position, number)
) STRICT, WITHOUT ROWID;
