-- What happened, for whoever follows it (server-sent events, webhooks): written in the transaction of the change itself.
-- The newest row always stays, so that an id never comes twice.
CREATE TABLE event_log (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  kind    TEXT NOT NULL,                     -- 'message.delivered', 'issue.raised', …
  user_id INTEGER,                           -- whose it is; NULL: the box's
  subject INTEGER,                           -- row id of what it is about
  body    TEXT                               -- JSON object: what is not read from the subject's row
);

CREATE TABLE webhooks (
  id            INTEGER PRIMARY KEY,
  user_id       INTEGER NOT NULL REFERENCES users (id),
  url           TEXT NOT NULL,
  events        TEXT NOT NULL,               -- JSON array of kinds and 'noun.*'
  secrets       TEXT NOT NULL,               -- JSON array, newest first: it signs with all of them while one is replaced
  label         TEXT NOT NULL DEFAULT '',
  allow_private INTEGER NOT NULL DEFAULT 0,
  active        INTEGER NOT NULL DEFAULT 1,
  place         INTEGER NOT NULL,            -- the event up to which it has been told
  failing_since INTEGER,                     -- while its circuit is open
  failures      INTEGER NOT NULL DEFAULT 0,  -- in a row
  next_try_at   INTEGER,
  last_status   INTEGER,
  last_error    TEXT,
  last_at       INTEGER,
  created_at    INTEGER NOT NULL
);

-- Events that an endpoint refused while it took others.
CREATE TABLE webhook_retries (
  webhook_id INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_id   INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
) WITHOUT ROWID;
CREATE INDEX webhook_retries_due ON webhook_retries (next_at);
