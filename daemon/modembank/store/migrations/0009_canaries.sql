-- A canary: the first messages of a mailing go, the rest waits until a person or a rule lets it go on.
ALTER TABLE mailings ADD COLUMN canary TEXT;  -- JSON: what was asked for and how far it is; NULL: none
ALTER TABLE paused_batches ADD COLUMN free_to INTEGER NOT NULL DEFAULT 0;  -- messages up to this id go all the same

-- How many messages of a mailing were in which state, at moments that lie the further apart the longer it takes.
CREATE TABLE mailing_history (
  mailing_id INTEGER NOT NULL REFERENCES mailings (id) ON DELETE CASCADE,
  at         INTEGER NOT NULL,
  counts     TEXT NOT NULL,                   -- JSON: number of each state
  PRIMARY KEY (mailing_id, at)
) WITHOUT ROWID;
