-- Messages for the pool of all boxes. A row of pool_messages is the truth about a message, and pool_assignments about
-- whose it is; what brokers and boxes have of them is only on its way.
CREATE TABLE pool_messages (
  n           INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  user_id     INTEGER NOT NULL,
  actor       TEXT NOT NULL,                 -- the user's name, as it was then
  recipient   TEXT NOT NULL,
  text        TEXT NOT NULL,
  reference   TEXT,                          -- the caller's own name for it
  dup         TEXT NOT NULL,                 -- 'amo' at most once, 'alo' at least once
  not_after   INTEGER NOT NULL,              -- unix ms
  accepted_at INTEGER NOT NULL,
  state       TEXT NOT NULL,
  code        TEXT NOT NULL DEFAULT '',      -- why
  fence       INTEGER NOT NULL DEFAULT 0,    -- of the latest assignment
  maybe_dup   INTEGER NOT NULL DEFAULT 0,    -- assigned anew although it may have been sent
  went_by     INTEGER NOT NULL DEFAULT 0,    -- the fence by which it was first known to be sent
  cancel      INTEGER NOT NULL DEFAULT 0,    -- somebody wants it back
  conflicts   INTEGER NOT NULL DEFAULT 0,    -- duplicates that were measured
  ended_at    INTEGER
);
CREATE INDEX pool_messages_state ON pool_messages (state, n);
CREATE INDEX pool_messages_user ON pool_messages (user_id, n);
CREATE INDEX pool_messages_due ON pool_messages (not_after) WHERE state = 'queued';
CREATE INDEX pool_messages_ended ON pool_messages (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE pool_assignments (
  message TEXT NOT NULL REFERENCES pool_messages (id) ON DELETE CASCADE,
  fence   INTEGER NOT NULL,
  box_id  INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch   TEXT NOT NULL,                     -- which life of the box
  run     TEXT NOT NULL,                     -- the credit that it was given for: which start of the box's program,
  up      REAL NOT NULL,                     -- and when in it
  lease_s INTEGER NOT NULL,
  life    TEXT NOT NULL,                     -- which start of the hub dead_at is a time of
  dead_at REAL NOT NULL,                     -- monotonic seconds from which on nothing of it begins
  stage   TEXT NOT NULL,                     -- 'offered', 'accepted', 'over'
  code    TEXT NOT NULL DEFAULT '',
  went    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (message, fence)
) WITHOUT ROWID;
CREATE INDEX pool_assignments_open ON pool_assignments (box_id) WHERE stage <> 'over';

-- A message's way, step by step.
CREATE TABLE pool_steps (
  message TEXT NOT NULL REFERENCES pool_messages (id) ON DELETE CASCADE,
  n       INTEGER NOT NULL,
  at      INTEGER NOT NULL,                  -- unix ms
  what    TEXT NOT NULL,                     -- a state, or a box's word
  fence   INTEGER NOT NULL,
  box_id  INTEGER,
  code    TEXT NOT NULL,
  PRIMARY KEY (message, n)
) WITHOUT ROWID;

-- Requests with an Idempotency-Key, so that repeating one gives the same messages.
CREATE TABLE pool_keys (
  user_id    INTEGER NOT NULL,
  key        TEXT NOT NULL,
  digest     BLOB NOT NULL,                  -- SHA-256 of the body
  first      INTEGER NOT NULL,               -- its messages: n from first on
  count      INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
