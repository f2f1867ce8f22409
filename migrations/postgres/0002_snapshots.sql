-- What was folded of long streams, so that it need not be folded again: at most one a stream, and none is missed.
CREATE TABLE snapshots (
    stream         text    COLLATE "C" PRIMARY KEY,
    version        bigint  NOT NULL,
    position       bigint  NOT NULL,
    schema_version integer NOT NULL,
    state          text    NOT NULL -- JSON
);
