-- Passwords, sessions, quotas, where keys may be used from, and the record of who changed what.

ALTER TABLE users ADD COLUMN quota_per_day INTEGER NOT NULL DEFAULT 0;    -- segments in a day of the box; 0: none
ALTER TABLE users ADD COLUMN quota_per_month INTEGER NOT NULL DEFAULT 0;

ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]';      -- JSON array of networks it may be used from

-- Segments accepted per user and day of the box (yyyymmdd); they are not given back.
CREATE TABLE user_usage (
  user_id  INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  PRIMARY KEY (user_id, day)
) WITHOUT ROWID;

CREATE TABLE sessions (
  id           INTEGER PRIMARY KEY,
  public_id    TEXT NOT NULL UNIQUE,
  token_sha256 BLOB NOT NULL UNIQUE,
  user_id      INTEGER NOT NULL REFERENCES users (id),
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  source       TEXT NOT NULL DEFAULT '',     -- the address it was begun from
  agent        TEXT NOT NULL DEFAULT ''      -- the browser, as it names itself
);
CREATE INDEX sessions_user ON sessions (user_id);

-- How much of what a login may cost has been spent, by what it was aimed at: 'user:<hash of the name>',
-- 'from:<address>', 'box'. Each try moves free_at on; what lies in the past is forgotten.
CREATE TABLE login_failures (
  aim     TEXT PRIMARY KEY,
  free_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Who changed what, oldest first. Each hash covers the one before: a row that is changed or deleted shows.
-- The table box has the last one's hash ('audit_head'), so that a missing end shows as well.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,                     -- the user's name, as it was then
  user_id INTEGER NOT NULL,
  source  TEXT NOT NULL,                     -- where from: an address, 'local'
  action  TEXT NOT NULL,                     -- noun.verb
  subject TEXT NOT NULL,                     -- what it was done to
  detail  TEXT NOT NULL,                     -- canonical JSON object
  hash    BLOB NOT NULL                      -- SHA-256
);
