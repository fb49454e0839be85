-- Numbers that want no messages of this box. A row stays when one changes its mind: which was last must be known after
-- a restore.
CREATE TABLE opt_outs (
  number     TEXT PRIMARY KEY,               -- as recipients are stored
  state      INTEGER NOT NULL,               -- 1 opted out, 0 opted in again
  changed_at INTEGER NOT NULL,
  source     TEXT NOT NULL,                  -- 'keyword', 'review', 'api', 'import'
  keyword    TEXT,
  inbox_id   INTEGER,                        -- the message that said so
  note       TEXT NOT NULL DEFAULT '',
  by         TEXT NOT NULL DEFAULT ''        -- the user who did, when it was one
) WITHOUT ROWID;
CREATE INDEX opt_outs_changed ON opt_outs (changed_at, number);

-- Inbound messages that may have meant it; a person decides.
CREATE TABLE opt_out_reviews (
  inbox_id   INTEGER PRIMARY KEY,
  number     TEXT NOT NULL,
  keyword    TEXT NOT NULL,                  -- what it looks like
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  decision   TEXT,                           -- 'opt_out', 'dismiss'
  by         TEXT
);
CREATE INDEX opt_out_reviews_open ON opt_out_reviews (inbox_id) WHERE decided_at IS NULL;
