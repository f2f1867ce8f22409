-- Requests that may come twice: whose key, what was asked for under it, and what was answered.
CREATE TABLE idempotency (
    scope       text    COLLATE "C" NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    fingerprint bytea   NOT NULL,
    reserved    text    NOT NULL, -- the id of what the request creates
    holder      text    NOT NULL, -- of those who began it, the last
    held_until  bigint  NOT NULL, -- microseconds since 1970
    kept_until  bigint  NOT NULL,
    status      integer,          -- of the answer, as soon as there is one
    headers     text,
    body        bytea,
    PRIMARY KEY (scope, key)
);

CREATE INDEX idempotency_by_age ON idempotency (kept_until);
