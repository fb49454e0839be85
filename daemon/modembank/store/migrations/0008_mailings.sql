-- A file of recipients with its texts, imported in the background and sent as one thing. The id is also the batch_id of
-- its messages.
CREATE TABLE mailings (
  id           INTEGER PRIMARY KEY,
  user_id      INTEGER NOT NULL,
  name         TEXT NOT NULL,
  state        INTEGER NOT NULL,             -- MailingState
  phase        INTEGER NOT NULL,             -- ImportPhase: how far the file is
  wish         INTEGER NOT NULL,             -- Wish: what is to become of what was not attempted
  walk         INTEGER,                      -- message up to which the wish is carried out; NULL: it is, for all
  cause        TEXT,                         -- why it failed or was cancelled
  layout       TEXT NOT NULL,                -- JSON: how the file is read
  terms        TEXT NOT NULL,                -- JSON: what its messages have in common
  valid_for_s  INTEGER NOT NULL,             -- of its messages, from their time or from the start
  expires_at   INTEGER NOT NULL,             -- of its messages
  file         TEXT NOT NULL,                -- as the client named it
  octets       INTEGER NOT NULL,
  key          TEXT,                         -- of idempotency
  digest       BLOB NOT NULL,                -- SHA-256 of the file and the fields
  total        INTEGER NOT NULL DEFAULT 0,   -- rows of the file, once it was checked
  rows         INTEGER NOT NULL DEFAULT 0,   -- rows that are imported: where a broken import goes on
  accepted     INTEGER NOT NULL DEFAULT 0,
  refused      INTEGER NOT NULL DEFAULT 0,
  duplicates   INTEGER NOT NULL DEFAULT 0,
  segments     INTEGER NOT NULL DEFAULT 0,   -- of what was accepted
  created_at   INTEGER NOT NULL,
  imported_at  INTEGER,
  started_at   INTEGER,                      -- when its messages might first be sent
  finished_at  INTEGER                       -- or cancelled, or failed
);
CREATE INDEX mailings_user ON mailings (user_id, id);
CREATE INDEX mailings_key ON mailings (user_id, key) WHERE key IS NOT NULL;
CREATE INDEX mailings_open ON mailings (id) WHERE finished_at IS NULL OR walk IS NOT NULL;

-- Rows that gave no message; the first of each mailing, all are counted.
CREATE TABLE mailing_rows (
  mailing_id INTEGER NOT NULL REFERENCES mailings (id) ON DELETE CASCADE,
  line       INTEGER NOT NULL,               -- from 1, the header is one too
  number     TEXT NOT NULL,                  -- as written, bounded
  kind       TEXT NOT NULL,                  -- 'refused', 'duplicate'
  reason     TEXT NOT NULL,
  PRIMARY KEY (mailing_id, line)
) WITHOUT ROWID;

-- Messages of counted batches (MessageFlags.COUNTED) by state: kept right wherever a state changes.
CREATE TABLE batch_counts (
  batch_id INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  PRIMARY KEY (batch_id, state)
) WITHOUT ROWID;

-- Batches whose messages wait (messages.ready = 4) until somebody lets them go.
CREATE TABLE paused_batches (
  batch_id INTEGER PRIMARY KEY,
  going    INTEGER NOT NULL DEFAULT 0        -- 1 while its messages are let go, step by step
);
CREATE INDEX messages_paused ON messages (id) WHERE ready = 4;
