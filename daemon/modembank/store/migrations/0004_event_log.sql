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
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  url           TEXT NOT NULL,
  events        TEXT NOT NULL,               -- JSON array of kinds, 'noun.*' and '*'
  secrets       TEXT NOT NULL,               -- JSON array of {secret, until}, newest first: it signs with all of them
  label         TEXT NOT NULL DEFAULT '',
  all_users     INTEGER NOT NULL DEFAULT 0,  -- hears of everybody's, as long as its user is an admin
  allow_private INTEGER NOT NULL DEFAULT 0,
  active        INTEGER NOT NULL DEFAULT 1,
  stopped_why   TEXT,                        -- why the box itself made it inactive
  place         INTEGER NOT NULL,            -- the event up to which it has been told
  failing_since INTEGER,                     -- while its circuit is open
  failures      INTEGER NOT NULL DEFAULT 0,  -- in a row
  next_try_at   INTEGER,
  delivered     INTEGER NOT NULL DEFAULT 0,  -- events, ever
  given_up      INTEGER NOT NULL DEFAULT 0,
  given_up_at   INTEGER,                     -- when an event was given up last
  last_status   INTEGER,
  last_error    TEXT,
  last_at       INTEGER,
  created_at    INTEGER NOT NULL
);
CREATE INDEX webhooks_user ON webhooks (user_id);

-- Events that an endpoint refused while it took others.
CREATE TABLE webhook_retries (
  webhook_id INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_id   INTEGER NOT NULL,
  first_at   INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
) WITHOUT ROWID;
