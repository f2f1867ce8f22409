-- Requests that may come twice: whose key, what was asked for under it, and what was answered.
CREATE TABLE idempotency (
    scope       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    reserved    TEXT    NOT NULL, -- the id of what the request creates
    holder      TEXT    NOT NULL, -- of those who began it, the last
    held_until  INTEGER NOT NULL, -- microseconds since 1970
    kept_until  INTEGER NOT NULL,
    status      INTEGER,          -- of the answer, as soon as there is one
    headers     TEXT,
    body        BLOB,
    PRIMARY KEY (scope, key)
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (kept_until);
