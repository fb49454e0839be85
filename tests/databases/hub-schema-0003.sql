-- A hub's database of schema 3: boxes, a command, a configuration and a message of the pool under way, and nothing of
-- what later schemas keep.

PRAGMA application_id = 1296189525;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
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
, networks TEXT NOT NULL DEFAULT '[]');
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
CREATE TABLE box (                           -- the store's own notes, under the name that they have everywhere
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
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
INSERT INTO "boxes" VALUES(1,'leeds','b1','Cellar',1795000000000,1795000000000,'k3f9',1,4,1,'birth',1795000000000,60,'',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "boxes" VALUES(2,'leeds','b2','',1795000000000,1795000000000,'zz01',2,9,0,'will',1795000000000,60,'',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "commands" VALUES(1,'019abcde12300001',1,'ping','{}','k3f9','ada',1795000000000,300,'waiting','',NULL,'{}',0,NULL,1795000000000,NULL,NULL,NULL);
CREATE TABLE config_boxes (
  box_id     INTEGER PRIMARY KEY REFERENCES boxes (id) ON DELETE CASCADE,
  ver        INTEGER NOT NULL DEFAULT 0,
  publish_at INTEGER,                      -- NULL: the box has said that it has it
  sent_at    INTEGER,
  told_ver   INTEGER NOT NULL DEFAULT 0,
  told_hash  TEXT NOT NULL DEFAULT '',
  told_state TEXT NOT NULL DEFAULT '',
  told_eff   INTEGER NOT NULL DEFAULT 0,
  told_at    INTEGER,
  errors     TEXT NOT NULL DEFAULT '[]',
  local      TEXT NOT NULL DEFAULT '[]'
);
INSERT INTO "config_boxes" VALUES(1,1,1795000000000,NULL,0,'','',0,NULL,'[]','[]');
CREATE TABLE config_groups (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  pattern    TEXT NOT NULL,                -- of site/name, or of the label behind 'label:'
  created_at INTEGER NOT NULL
);
CREATE TABLE config_revisions (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id INTEGER REFERENCES config_groups (id) ON DELETE CASCADE, -- NULL: a box's own
  box_id   INTEGER REFERENCES boxes (id) ON DELETE CASCADE,
  doc      TEXT NOT NULL,
  actor    TEXT NOT NULL,
  at       INTEGER NOT NULL
);
INSERT INTO "config_revisions" VALUES(1,NULL,1,'{"profile":"lean"}','ada',1795000000000);
CREATE TABLE config_versions (
  box_id    INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  ver       INTEGER NOT NULL,
  doc       TEXT NOT NULL,
  hash      TEXT NOT NULL,
  own_rev   INTEGER,
  group_rev INTEGER,
  actor     TEXT NOT NULL,
  at        INTEGER NOT NULL,
  why       TEXT NOT NULL,
  ended     TEXT NOT NULL DEFAULT '',      -- applied, rejected, rolled_back: the box's word
  ended_at  INTEGER,
  PRIMARY KEY (box_id, ver)
) WITHOUT ROWID;
INSERT INTO "config_versions" VALUES(1,1,'{"profile":"lean"}','ab',1,NULL,'ada',1795000000000,'its own document','',NULL);
CREATE TABLE epochs (
  box_id   INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch    TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (box_id, epoch)
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
CREATE TABLE gaps (
  stream_id INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  why       TEXT NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (stream_id, first)
) WITHOUT ROWID;
CREATE TABLE log_chunks (
  command TEXT NOT NULL REFERENCES commands (id) ON DELETE CASCADE,
  n       INTEGER NOT NULL,
  lines   TEXT NOT NULL,                     -- JSON array
  PRIMARY KEY (command, n)
) WITHOUT ROWID;
CREATE TABLE login_failures (
  aim     TEXT PRIMARY KEY,
  free_at INTEGER NOT NULL
) WITHOUT ROWID;
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
CREATE TABLE pool_keys (
  user_id    INTEGER NOT NULL,
  key        TEXT NOT NULL,
  digest     BLOB NOT NULL,                  -- SHA-256 of the body
  first      INTEGER NOT NULL,               -- its messages: n from first on
  count      INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
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
INSERT INTO "pool_messages" VALUES(1,'m019abcde12300001',1,'ada','+447900900123','Hello',NULL,'amo',1795003600000,1795000000000,'queued','',0,0,0,0,0,NULL);
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
CREATE TABLE quarantine (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  topic   TEXT NOT NULL,
  code    TEXT NOT NULL,
  reason  TEXT NOT NULL,
  octets  INTEGER NOT NULL,                  -- how long it was
  payload BLOB NOT NULL                      -- its beginning
);
CREATE TABLE results (
  stream_id   INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  seq         INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  command     TEXT NOT NULL,                 -- id of a command, or of what else a result can be of
  body        TEXT NOT NULL,                 -- JSON as it came
  PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;
CREATE TABLE rollout_boxes (
  rollout_id INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  box_id     INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  step       INTEGER NOT NULL,
  ver        INTEGER,                      -- of the box, in which it was given; NULL: not yet
  forgiven   INTEGER NOT NULL DEFAULT 0,   -- it had failed when somebody let the roll-out go on
  PRIMARY KEY (rollout_id, box_id)
) WITHOUT ROWID;
CREATE TABLE rollouts (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id      INTEGER NOT NULL REFERENCES config_groups (id) ON DELETE CASCADE,
  revision      INTEGER NOT NULL,
  actor         TEXT NOT NULL,
  at            INTEGER NOT NULL,
  steps         TEXT NOT NULL,             -- JSON array: up to which share of the boxes, in percent
  limit_percent INTEGER NOT NULL,          -- so many of those that have it failed: it stops
  wait_s        INTEGER NOT NULL,          -- for those of a step that say nothing
  state         TEXT NOT NULL,             -- running, paused, stopped, done, aborted
  why           TEXT NOT NULL DEFAULT '',
  step          INTEGER NOT NULL DEFAULT 0,
  step_at       INTEGER NOT NULL,
  ended_at      INTEGER
);
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
CREATE TABLE spans (
  stream_id INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  PRIMARY KEY (stream_id, first)
) WITHOUT ROWID;
CREATE TABLE streams (
  id     INTEGER PRIMARY KEY,
  box_id INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch  TEXT NOT NULL,
  name   TEXT NOT NULL CHECK (name IN ('ev', 'res')),
  acked  INTEGER NOT NULL,                   -- everything up to here is stored, or told of as a gap
  UNIQUE (box_id, epoch, name)
);
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
CREATE TABLE user_usage (
  user_id  INTEGER NOT NULL,
  day      INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  PRIMARY KEY (user_id, day)
) WITHOUT ROWID;
CREATE TABLE users (
  id            INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'sender')),
  password_hash TEXT,
  active        INTEGER NOT NULL DEFAULT 1,
  created_at    INTEGER NOT NULL
, quota_per_day INTEGER NOT NULL DEFAULT 0, quota_per_month INTEGER NOT NULL DEFAULT 0);
INSERT INTO "users" VALUES(1,'ada','admin',NULL,1,1795000000000,0,0);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX streams_box ON streams (box_id, name, id);
CREATE INDEX telemetry_age ON telemetry (step, bucket);
CREATE INDEX commands_box ON commands (box_id, n);
CREATE INDEX commands_due ON commands (resend_at) WHERE resend_at IS NOT NULL;
CREATE INDEX commands_open ON commands (issued_at) WHERE ended_at IS NULL;
CREATE INDEX config_revisions_group ON config_revisions (group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX config_revisions_box ON config_revisions (box_id, id) WHERE box_id IS NOT NULL;
CREATE INDEX config_boxes_due ON config_boxes (publish_at) WHERE publish_at IS NOT NULL;
CREATE INDEX rollouts_open ON rollouts (id) WHERE ended_at IS NULL;
CREATE INDEX pool_messages_state ON pool_messages (state, n);
CREATE INDEX pool_messages_user ON pool_messages (user_id, n);
CREATE INDEX pool_messages_due ON pool_messages (not_after) WHERE state = 'queued';
CREATE INDEX pool_messages_ended ON pool_messages (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX pool_assignments_open ON pool_assignments (box_id) WHERE stage <> 'over';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('commands',1);
INSERT INTO "sqlite_sequence" VALUES('config_revisions',1);
INSERT INTO "sqlite_sequence" VALUES('pool_messages',1);
COMMIT;
