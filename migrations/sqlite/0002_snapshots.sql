-- What was folded of long streams, so that it need not be folded again: at most one a stream, and none is missed.
CREATE TABLE snapshots (
    stream         TEXT    PRIMARY KEY,
    version        INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    state          TEXT    NOT NULL -- JSON
) STRICT;
