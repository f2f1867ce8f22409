-- The event log. The rowid is the position: dense from 1 and in commit order, because one writer gives it out.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    payload        TEXT    NOT NULL,
    metadata       TEXT    NOT NULL,
    recorded_at    INTEGER NOT NULL, -- microseconds since 1970
    UNIQUE (stream, version)
) STRICT;

-- How far each read model has come.
CREATE TABLE checkpoints (
    name     TEXT    PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists of builds. An id is a ULID: its order is the order of submission.
CREATE TABLE builds (
    id              TEXT    PRIMARY KEY,
    status          TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    project         TEXT    NOT NULL,
    labels          TEXT    NOT NULL, -- a JSON object of strings
    tasks_total     INTEGER NOT NULL,
    tasks_completed INTEGER NOT NULL,
    cost_nano_usd   INTEGER NOT NULL,
    submitted_at    INTEGER NOT NULL, -- microseconds since 1970
    ended_at        INTEGER
) STRICT;

CREATE INDEX builds_by_status ON builds (status, id);
CREATE INDEX builds_by_project ON builds (project, status, id);

-- The labels again, so that a list by label reads an index instead of every build's JSON.
CREATE TABLE build_labels (
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (name, value, id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER build_labels_of_a_new_build AFTER INSERT ON builds WHEN new.labels <> '{}'
BEGIN
    INSERT INTO build_labels (name, value, id) SELECT key, value, new.id FROM json_each(new.labels);
END;

CREATE TRIGGER build_labels_of_a_changed_build AFTER UPDATE OF labels ON builds WHEN new.labels <> old.labels
BEGIN
    DELETE FROM build_labels
    WHERE (name, value, id) IN (SELECT key, value, old.id FROM json_each(old.labels));
    INSERT INTO build_labels (name, value, id) SELECT key, value, new.id FROM json_each(new.labels);
END;
