-- The tables of the bare scripts and of the peers: a row for each job, a row for each webhook owed.
CREATE TABLE jobs (
    id           text PRIMARY KEY,
    state        text NOT NULL,
    type         text NOT NULL,
    payload      text NOT NULL,
    callback_url text NOT NULL,
    result       text,
    attempt      integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
) WITH (fillfactor = 80);

CREATE TABLE deliveries (
    id          text PRIMARY KEY,
    job_id      text NOT NULL,
    url         text NOT NULL,
    body        text NOT NULL,
    state       text NOT NULL,
    attempt     integer NOT NULL DEFAULT 0,
    status      integer,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
) WITH (fillfactor = 80);
