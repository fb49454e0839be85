-- The hub's database. Times are unix milliseconds. The tables of accounts and of the audit log are the box's own, word
-- for word: the same code reads them.

CREATE TABLE box (                           -- the store's own notes, under the name that they have everywhere
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
  id            INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'sender')),
  password_hash TEXT,
  active        INTEGER NOT NULL DEFAULT 1,
  created_at    INTEGER NOT NULL
);
ALTER TABLE users ADD COLUMN quota_per_day INTEGER NOT NULL DEFAULT 0;    -- segments in a day of the box; 0: none
ALTER TABLE users ADD COLUMN quota_per_month INTEGER NOT NULL DEFAULT 0;

CREATE TABLE api_keys (
  id            INTEGER PRIMARY KEY,
  user_id       INTEGER NOT NULL REFERENCES users (id),
  public_id     TEXT NOT NULL UNIQUE,
  secret_sha256 BLOB NOT NULL,
  label         TEXT NOT NULL DEFAULT '',
  scopes        TEXT NOT NULL,               -- JSON array
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER
);
ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]';      -- JSON array of networks it may be used from

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

CREATE TABLE login_failures (
  aim     TEXT PRIMARY KEY,
  free_at INTEGER NOT NULL
) WITHOUT ROWID;

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

-- One row for each box that was ever heard of.
CREATE TABLE boxes (
  id           INTEGER PRIMARY KEY,
  site         TEXT NOT NULL,
  box          TEXT NOT NULL,
  label        TEXT NOT NULL DEFAULT '',     -- where it stands, as its birth says
  first_at     INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,             -- when anything of it came last
  epoch        TEXT NOT NULL DEFAULT '',     -- presence: of the newest connection that is known
  boot         INTEGER NOT NULL DEFAULT -1,
  conn         INTEGER NOT NULL DEFAULT -1,
  online       INTEGER NOT NULL DEFAULT 0,
  why          TEXT NOT NULL DEFAULT '',
  presence_at  INTEGER,
  period_s     INTEGER NOT NULL DEFAULT 60,  -- between two reports, by the profile that its birth names
  version      TEXT NOT NULL DEFAULT '',
  skew_ms      INTEGER,                      -- its clock is behind ours by so much; NULL: it does not know the time
  problems     INTEGER NOT NULL DEFAULT 0,   -- open issues and modems in error, as last reported
  birth        TEXT,                         -- JSON as it came
  birth_at     INTEGER,
  tele         TEXT,
  tele_at      INTEGER,
  tele_epoch   TEXT,
  tele_seq     INTEGER,
  modems       TEXT,
  modems_at    INTEGER,
  modems_epoch TEXT,
  modems_seq   INTEGER,
  reported     TEXT,                         -- the configuration that it has
  ota          TEXT,
  UNIQUE (site, box)
);

-- Which epochs a box has had: what comes late of an old one does not count for the present.
CREATE TABLE epochs (
  box_id   INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch    TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (box_id, epoch)
) WITHOUT ROWID;

-- A lossless stream of one box in one epoch. Newer epochs have greater ids.
CREATE TABLE streams (
  id     INTEGER PRIMARY KEY,
  box_id INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch  TEXT NOT NULL,
  name   TEXT NOT NULL CHECK (name IN ('ev', 'res')),
  acked  INTEGER NOT NULL,                   -- everything up to here is stored, or told of as a gap
  UNIQUE (box_id, epoch, name)
);
CREATE INDEX streams_box ON streams (box_id, name, id);

-- What is stored beyond acked: stretches that do not touch.
CREATE TABLE spans (
  stream_id INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  PRIMARY KEY (stream_id, first)
) WITHOUT ROWID;

CREATE TABLE gaps (
  stream_id INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  why       TEXT NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (stream_id, first)
) WITHOUT ROWID;

CREATE TABLE events (
  stream_id   INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  seq         INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  at          INTEGER,                       -- by the box's clock; NULL: that was not set
  boot        INTEGER NOT NULL,
  type        TEXT NOT NULL,
  severity    TEXT NOT NULL,
  subject     TEXT NOT NULL,
  body        TEXT NOT NULL,                 -- JSON object
  PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;

CREATE TABLE results (
  stream_id   INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  seq         INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  command     TEXT NOT NULL,                 -- id of a command, or of what else a result can be of
  body        TEXT NOT NULL,                 -- JSON as it came
  PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;

-- Telemetry by stretches of time: step in seconds (300, 3600, 86400), bucket = unix seconds at its beginning.
CREATE TABLE telemetry (
  box_id    INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  step      INTEGER NOT NULL,
  bucket    INTEGER NOT NULL,
  reports   INTEGER NOT NULL,
  ready     INTEGER NOT NULL,                -- modems that can send: least and most
  ready_max INTEGER NOT NULL,
  waiting   INTEGER NOT NULL,                -- messages that wait: most
  sent      INTEGER NOT NULL,                -- growth of the box's totals
  delivered INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  received  INTEGER NOT NULL,
  cpu       REAL,                            -- load by processor: most
  mem       REAL,                            -- part in use: most
  disk      REAL,                            -- room left, in 10^9 octets: least
  temp      REAL,                            -- most
  PRIMARY KEY (box_id, step, bucket)
) WITHOUT ROWID;
CREATE INDEX telemetry_age ON telemetry (step, bucket);

-- This row is the truth about a command; what the broker has of it is only on its way.
CREATE TABLE commands (
  n           INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  box_id      INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  verb        TEXT NOT NULL,
  args        TEXT NOT NULL,                 -- JSON object
  epoch       TEXT NOT NULL,
  actor       TEXT NOT NULL,
  issued_at   INTEGER NOT NULL,
  ttl_s       INTEGER NOT NULL,
  state       TEXT NOT NULL,                 -- waiting, sent, and those of a result
  code        TEXT NOT NULL DEFAULT '',
  percent     INTEGER,
  data        TEXT NOT NULL DEFAULT '{}',
  sends       INTEGER NOT NULL DEFAULT 0,
  sent_at     INTEGER,
  resend_at   INTEGER,                       -- NULL: the box has it, or it has ended
  accepted_at INTEGER,
  running_at  INTEGER,
  ended_at    INTEGER
);
CREATE INDEX commands_box ON commands (box_id, n);
CREATE INDEX commands_due ON commands (resend_at) WHERE resend_at IS NOT NULL;
CREATE INDEX commands_open ON commands (issued_at) WHERE ended_at IS NULL;

-- Lines of a box's log that a command asked for, in pieces.
CREATE TABLE log_chunks (
  command TEXT NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
  n       INTEGER NOT NULL,
  lines   TEXT NOT NULL,                     -- JSON array
  PRIMARY KEY (command, n)
) WITHOUT ROWID;

-- What could not be read, with the topic that it came on.
CREATE TABLE quarantine (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  topic   TEXT NOT NULL,
  code    TEXT NOT NULL,
  reason  TEXT NOT NULL,
  octets  INTEGER NOT NULL,                  -- how long it was
  payload BLOB NOT NULL                      -- its beginning
);
