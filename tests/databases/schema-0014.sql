-- A database of schema 14: that of schema 12 migrated by the release before providers, of a box that a hub owns a key of and lent a
-- message to, and nothing of what later schemas keep.

PRAGMA application_id = 1296191051;
PRAGMA user_version = 14;
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
INSERT INTO "api_keys" VALUES(1,1,'old0key0',X'0000000000000000000000000000000000000000000000000000000000000000','test','["admin"]',1767225600000,NULL,NULL,'[]');
CREATE TABLE attempts (
  message_id    INTEGER NOT NULL,
  segment       INTEGER NOT NULL,            -- from 1
  n             INTEGER NOT NULL,            -- from 1: which try of this segment
  sim_id        INTEGER NOT NULL,
  slot          TEXT NOT NULL,
  started_at    INTEGER NOT NULL,
  finished_at   INTEGER,
  outcome       INTEGER,                     -- AttemptOutcome; NULL while in flight
  tp_mr         INTEGER,
  cause         TEXT,
  evidence      TEXT,                        -- JSON
  awaiting      INTEGER,                     -- 1 while a delivery report may still come
  report_status INTEGER,                     -- TP-ST
  report_at     INTEGER,
  PRIMARY KEY (message_id, segment, n)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(6,1,1,1,'slot-01',1767225706000,1767225707000,30,NULL,'cms_332: network timeout',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(7,1,1,1,'slot-01',1767225707000,1767225708000,20,57,NULL,'{"concat":9}',1,NULL,NULL);
INSERT INTO "attempts" VALUES(8,1,1,1,'slot-01',1767225708000,1767225709000,20,58,NULL,NULL,1,NULL,NULL);
INSERT INTO "attempts" VALUES(9,1,1,1,'slot-01',1767225709000,1767225710000,40,NULL,'interrupted: the daemon stopped while it was being sent',NULL,1,NULL,NULL);
INSERT INTO "attempts" VALUES(10,1,1,1,'slot-01',1767225710000,1767225711000,20,60,NULL,NULL,NULL,70,1767225730000);
INSERT INTO "attempts" VALUES(12,1,1,1,'slot-01',1767225712000,1767225713000,30,NULL,'cms_1: unassigned number',NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(14,1,1,1,'slot-01',1767225714000,1767225715000,20,64,NULL,NULL,NULL,0,1767225731000);
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
CREATE TABLE batch_counts (
  batch_id INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  PRIMARY KEY (batch_id, state)
) WITHOUT ROWID;
CREATE TABLE box (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "box" VALUES('epoch','0');
INSERT INTO "box" VALUES('last_id','40');
CREATE TABLE conversations (
  number     TEXT NOT NULL,
  user_id    INTEGER NOT NULL,               -- 0: nobody's
  last_inbox INTEGER NOT NULL,               -- the newest that was not deleted
  read_up_to INTEGER NOT NULL DEFAULT 0,     -- inbox id
  unread     INTEGER NOT NULL DEFAULT 0,     -- messages that came after it
  PRIMARY KEY (number, user_id)
) WITHOUT ROWID;
INSERT INTO "conversations" VALUES('+447700900200',0,31,31,0);
CREATE TABLE event_log (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  kind    TEXT NOT NULL,                     -- 'message.delivered', 'issue.raised', …
  user_id INTEGER,                           -- whose it is; NULL: the box's
  subject INTEGER,                           -- row id of what it is about
  body    TEXT                               -- JSON object: what is not read from the subject's row
);
INSERT INTO "event_log" VALUES(1,1793000000000,'message.delivered',1,9,NULL);
INSERT INTO "event_log" VALUES(2,1793000000001,'modem.registered',NULL,NULL,'{"slot": "slot-01", "state": "registered", "before": "searching", "reason": "", "detail": ""}');
INSERT INTO "event_log" VALUES(3,1793000000002,'message.unknown',1,4,NULL);
CREATE TABLE fleet_commands (
  id          TEXT NOT NULL,
  signed      INTEGER NOT NULL,              -- ids of unsigned commands are another's to choose
  verb        TEXT NOT NULL,
  digest      BLOB NOT NULL,
  issuer      TEXT NOT NULL,
  args        TEXT NOT NULL,
  issued_at   REAL NOT NULL,
  ends_at     REAL NOT NULL,                 -- unix seconds, by the hub's clock
  received_at INTEGER NOT NULL,
  state       TEXT NOT NULL,                 -- 'accepted', 'running', or how it ended
  code        TEXT NOT NULL DEFAULT '',
  data        TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (id, signed)
) WITHOUT ROWID;
INSERT INTO "fleet_commands" VALUES('cmd-000001',1,'sim.pause',X'0000000000000000000000000000000000000000000000000000000000000000','anna@hub','{}',1767225600.0,1767225900.0,1767225600000,'done','','{}');
CREATE TABLE fleet_life (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  epoch       TEXT NOT NULL,                 -- random for each generation of the database
  store_epoch INTEGER NOT NULL,              -- of which generation it is
  starts      INTEGER NOT NULL,              -- of the daemon in this epoch
  secret      BLOB NOT NULL,                 -- what pseudonyms are made with
  ev_base     INTEGER NOT NULL,              -- the first event of this epoch
  ev_acked    INTEGER NOT NULL,              -- the hub has all up to this one
  res_base    INTEGER NOT NULL,
  res_acked   INTEGER NOT NULL,
  acked_at    INTEGER,                       -- when it acknowledged last
  horizon     REAL NOT NULL DEFAULT 0        -- commands issued before are forgotten: one that comes is a replay
);
INSERT INTO "fleet_life" VALUES(1,'k3f9abcd',0,3,X'0000000000000000000000000000000000000000000000000000000000000000',1,2,1,1,1767225600000,0.0);
CREATE TABLE fleet_owned (
  sim        INTEGER NOT NULL,
  key        TEXT NOT NULL,               -- label, paused, limits.per_day and the like
  site       TEXT NOT NULL,               -- JSON: what the site had, and gets back
  wanted     TEXT,                        -- JSON: what the site wants instead; NULL: nothing else
  wanted_ver INTEGER NOT NULL DEFAULT 0,  -- which version was the newest then
  PRIMARY KEY (sim, key)
) WITHOUT ROWID;
INSERT INTO "fleet_owned" VALUES(1,'label','""',NULL,0);
CREATE TABLE fleet_pool (
  id         TEXT PRIMARY KEY,               -- the hub's
  fence      INTEGER NOT NULL,               -- of the latest assignment that is known
  stage      TEXT NOT NULL,
  code       TEXT NOT NULL,                  -- why
  epoch      TEXT NOT NULL,                  -- in which life of the box
  run        TEXT NOT NULL,                  -- in which start of the daemon
  until      REAL NOT NULL,                  -- seconds of that run's uptime before which it may begin
  not_after  REAL NOT NULL,                  -- unix seconds
  accepted   INTEGER NOT NULL,               -- the result that said so
  message_id INTEGER,                        -- in the box's own queue
  recipient  TEXT NOT NULL,                  -- empty once it is there, or was given back
  text       TEXT NOT NULL,
  issuer     TEXT NOT NULL,
  at         INTEGER NOT NULL                -- of the latest change, unix ms
) WITHOUT ROWID;
INSERT INTO "fleet_pool" VALUES('pm_1',2,'sent','','e1','r1',60.0,1767400000.0,5,7,'','','ops',1767300001000);
CREATE TABLE fleet_results (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  command TEXT NOT NULL,
  verb    TEXT NOT NULL,
  state   TEXT NOT NULL,
  code    TEXT NOT NULL DEFAULT '',
  data    TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO "fleet_results" VALUES(2,1767225600000,'cmd-000001','sim.pause','done','','{}');
CREATE TABLE fleet_shadow (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  ver      INTEGER NOT NULL,
  hash     TEXT NOT NULL,
  doc      TEXT NOT NULL,                 -- JSON object
  issuer   TEXT NOT NULL,                 -- who made it, by the hub's word
  state    TEXT NOT NULL,                 -- on its way, or applied, rejected, rolled_back
  errors   TEXT NOT NULL DEFAULT '[]',    -- JSON array of path, code, detail
  good_ver INTEGER NOT NULL DEFAULT 0,    -- 0: nothing is the hub's
  good_doc TEXT NOT NULL DEFAULT '{}'
);
INSERT INTO "fleet_shadow" VALUES(1,3,'aa','{"sims":{}}','ops','applied','[]',3,'{"sims":{}}');
CREATE TABLE idempotency_keys (
  user_id     INTEGER NOT NULL,
  key         TEXT NOT NULL,
  body_sha256 BLOB NOT NULL,
  status      INTEGER NOT NULL,
  response    BLOB NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
INSERT INTO "idempotency_keys" VALUES(1,'order-14',X'0000000000000000000000000000000000000000000000000000000000000000',202,X'5B31342C5B222B343437373030393030303134225D2C22717565756564222C312C2267736D37222C31355D',1767225600000);
CREATE TABLE inbound_groups (
  id         INTEGER PRIMARY KEY,            -- in the order in which they were begun
  sim_id     INTEGER NOT NULL,
  sender     TEXT NOT NULL,
  reference  INTEGER NOT NULL,               -- 16-bit references are stored plus 65536
  total      INTEGER NOT NULL,
  inbox_id   INTEGER,                        -- the message as which it is shown
  last_at    INTEGER NOT NULL,               -- when its latest part came
  remembered TEXT                            -- once complete: digests of its parts, with spaces between
);
INSERT INTO "inbound_groups" VALUES(1,1,'+447700900201',7,2,NULL,1767225600000,NULL);
CREATE TABLE inbound_parts (
  group_id    INTEGER NOT NULL REFERENCES inbound_groups (id) ON DELETE CASCADE,
  part        INTEGER NOT NULL,              -- from 1
  pdu         TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (group_id, part)
) WITHOUT ROWID;
INSERT INTO "inbound_parts" VALUES(1,2,'0792',1767225600000);
CREATE TABLE inbound_pdus (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  slot        TEXT NOT NULL,
  memory      TEXT,                          -- 'SM', 'ME', 'SR'; NULL when it came by +CMT / +CDS
  slot_index  INTEGER,
  pdu         TEXT NOT NULL,                 -- hex
  fingerprint BLOB NOT NULL,                 -- of memory, index and pdu
  received_at INTEGER NOT NULL,
  deleted_at  INTEGER                        -- when the modem confirmed that the slot is free
);
INSERT INTO "inbound_pdus" VALUES(30,1,'slot-01','SM',3,'0791',X'746869727479',1767225600000,1767225600010);
INSERT INTO "inbound_pdus" VALUES(33,1,'slot-01','SR',1,'0006',X'7468697274792D7468726565',1767225804000,NULL);
CREATE TABLE inbox (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  sender      TEXT NOT NULL,
  kind        TEXT NOT NULL,                 -- ContentKind
  text        TEXT NOT NULL,
  octets      BLOB,                          -- content that is not text, as it came
  parts       INTEGER NOT NULL,
  missing     TEXT NOT NULL DEFAULT '[]',    -- JSON array of part numbers that never came
  sent_at     INTEGER,                       -- the service centre's time stamp, when it was one
  received_at INTEGER NOT NULL
, user_id INTEGER, hidden INTEGER);
INSERT INTO "inbox" VALUES(31,1,'+447700900200','text','thank you; it''s fine',NULL,1,'[]',1767225600000,1767225600000,NULL,NULL);
CREATE TABLE issues (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,                  -- the check that found it
  subject    TEXT NOT NULL,                  -- slot, ICCID, or empty for the box
  severity   TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  summary    TEXT NOT NULL,                  -- one sentence
  evidence   TEXT NOT NULL DEFAULT '{}',     -- JSON object
  remedied   TEXT NOT NULL DEFAULT '[]',     -- JSON array: who ran which remedy, when, and what it did
  raised_at  INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,               -- when summary, severity or evidence last changed
  cleared_at INTEGER
);
INSERT INTO "issues" VALUES(1,'modem_missing','left','warning','no port /dev/ttyUSB0','{}','[]',1767225700000,1767225700000,NULL);
INSERT INTO "issues" VALUES(2,'no_network','left','critical','no network for 300 s','{}','[]',1767225600000,1767225700000,1767225800000);
CREATE TABLE journal (
  id         INTEGER PRIMARY KEY,
  kind       INTEGER NOT NULL,               -- JournalKind
  message_id INTEGER NOT NULL,
  segment    INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  sim_id     INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  body       TEXT NOT NULL                   -- JSON
);
INSERT INTO "journal" VALUES(1,1,4,1,1,1,1767225800000,'{"slot":"slot-01"}');
INSERT INTO "journal" VALUES(2,1,5,1,1,1,1767225801000,'{"slot":"slot-01"}');
INSERT INTO "journal" VALUES(3,2,5,1,1,1,1767225802000,'{"o":20,"mr":55,"ev":"{\"prompt_s\":0.01}"}');
INSERT INTO "journal" VALUES(4,1,7,2,1,1,1767225803000,'{"slot":"slot-01","concat":9}');
INSERT INTO "journal" VALUES(5,3,0,33,0,1,1767225804000,'{"tp_mr":58,"recipient":"+447700900008","status":0,"submitted_at":1767225709000,"discharged_at":1767225720000,"received_at":1767225804000,"pdu":"00"}');
CREATE TABLE login_failures (
  aim     TEXT PRIMARY KEY,
  free_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE mailing_history (
  mailing_id INTEGER NOT NULL REFERENCES mailings (id) ON DELETE CASCADE,
  at         INTEGER NOT NULL,
  counts     TEXT NOT NULL,                   -- JSON: number of each state
  PRIMARY KEY (mailing_id, at)
) WITHOUT ROWID;
CREATE TABLE mailing_rows (
  mailing_id INTEGER NOT NULL REFERENCES mailings (id) ON DELETE CASCADE,
  line       INTEGER NOT NULL,               -- from 1, the header is one too
  number     TEXT NOT NULL,                  -- as written, bounded
  kind       TEXT NOT NULL,                  -- 'refused', 'duplicate'
  reason     TEXT NOT NULL,
  PRIMARY KEY (mailing_id, line)
) WITHOUT ROWID;
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
, canary TEXT);
CREATE TABLE messages (
  id            INTEGER PRIMARY KEY,
  batch_id      INTEGER,
  user_id       INTEGER NOT NULL,
  recipient     TEXT NOT NULL,
  text          TEXT NOT NULL,
  encoding      INTEGER NOT NULL,            -- Encoding
  segments      INTEGER NOT NULL,
  flags         INTEGER NOT NULL,            -- MessageFlags
  route_id      INTEGER NOT NULL,
  rank          INTEGER NOT NULL,            -- 9 - priority: smaller goes first
  state         INTEGER NOT NULL,            -- MessageState
  ready         INTEGER,                     -- 1 may be dispatched, 2 waits for not_before, NULL neither
  not_before    INTEGER,
  expires_at    INTEGER NOT NULL,
  window        TEXT,                        -- 'HH:MM-HH:MM' local to the box, or NULL
  on_unknown    INTEGER NOT NULL,            -- OnUnknown
  reference     TEXT,
  created_at    INTEGER NOT NULL,
  tries         INTEGER NOT NULL DEFAULT 0,  -- how many times the message went to a modem
  sim_id        INTEGER,                     -- the SIM that sent (or last tried) it
  cause         TEXT,                        -- why it is in its state, a stable key with detail
  sent_at       INTEGER,
  settled_at    INTEGER
);
INSERT INTO "messages" VALUES(1,NULL,1,'+447700900001','message 1',1,1,1,1,4,10,1,NULL,4102444800000,NULL,0,NULL,1767225601000,0,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(2,NULL,1,'+447700900002','message 2',1,1,1,1,4,20,2,4102444799000,4102444800000,NULL,0,NULL,1767225602000,0,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(3,NULL,2,'+447700900003','message 3',1,1,1,1,4,30,1,NULL,4102444800000,'08:00-20:00',0,'order-3',1767225603000,0,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(4,NULL,1,'+447700900004','message 4',1,1,1,1,4,30,1,NULL,4102444800000,NULL,0,NULL,1767225604000,0,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(5,NULL,1,'+447700900005','message 5',1,1,1,1,4,30,1,NULL,4102444800000,NULL,0,NULL,1767225605000,0,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(6,NULL,1,'+447700900006','message 6',1,1,1,1,4,40,2,1767226000000,4102444800000,NULL,0,NULL,1767225606000,1,1,'cms_332: network timeout',NULL,NULL);
INSERT INTO "messages" VALUES(7,NULL,1,'+447700900007','message 7',1,2,1,1,4,40,1,NULL,4102444800000,NULL,1,NULL,1767225607000,1,1,NULL,NULL,NULL);
INSERT INTO "messages" VALUES(8,NULL,1,'+447700900008','message 8',1,1,1,1,4,50,NULL,NULL,1767398400000,NULL,0,NULL,1767225608000,1,1,NULL,1767225709000,NULL);
INSERT INTO "messages" VALUES(9,NULL,1,'+447700900009','message 9',1,1,1,1,4,60,NULL,NULL,1767398400000,NULL,0,NULL,1767225609000,1,1,'interrupted: the daemon stopped while it was being sent',NULL,NULL);
INSERT INTO "messages" VALUES(10,NULL,1,'+447700900010','message 10',1,1,1,1,4,70,NULL,NULL,1767398400000,NULL,0,NULL,1767225610000,1,1,'report_46: validity period expired',1767225711000,1767225730000);
INSERT INTO "messages" VALUES(11,NULL,1,'+447700900011','message 11',1,1,1,1,4,72,NULL,NULL,1767398400000,NULL,0,NULL,1767225611000,0,NULL,'expired: its validity ended',NULL,1767425600000);
INSERT INTO "messages" VALUES(12,NULL,1,'+447700900012','message 12',1,1,1,1,4,74,NULL,NULL,1767398400000,NULL,0,NULL,1767225612000,1,1,'cms_1: unassigned number',NULL,1767225740000);
INSERT INTO "messages" VALUES(13,NULL,1,'+447700900013','message 13',1,1,1,1,4,76,NULL,NULL,1767398400000,NULL,0,NULL,1767225613000,0,NULL,'cancelled: by alice',NULL,1767225650000);
INSERT INTO "messages" VALUES(14,15,1,'+447700900014','message 14',1,1,1,1,4,80,NULL,NULL,1767398400000,NULL,0,NULL,1767225614000,1,1,NULL,1767225715000,1767225731000);
CREATE TABLE opt_out_reviews (
  inbox_id   INTEGER PRIMARY KEY,
  number     TEXT NOT NULL,
  keyword    TEXT NOT NULL,                  -- what it looks like
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  decision   TEXT,                           -- 'opt_out', 'dismiss'
  by         TEXT
);
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
INSERT INTO "opt_outs" VALUES('+447900900199',1,1793000000000,'keyword','STOP',NULL,'','');
CREATE TABLE orphan_reports (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  tp_mr       INTEGER NOT NULL,
  recipient   TEXT NOT NULL,
  status      INTEGER NOT NULL,
  discharged_at INTEGER,
  received_at INTEGER NOT NULL,
  pdu         TEXT NOT NULL
, submitted_at INTEGER);
INSERT INTO "orphan_reports" VALUES(1,1,99,'+447700900099',0,1767225600000,1767225600000,'00',NULL);
CREATE TABLE outages (
  id        INTEGER PRIMARY KEY,
  route_id  INTEGER,                         -- NULL: every route
  kind      TEXT NOT NULL,                   -- OutageKind
  since     INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  judged_at INTEGER,                         -- NULL while what waited through it is being looked through
  held      INTEGER NOT NULL DEFAULT 0,
  expired   INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "outages" VALUES(1,NULL,'down',1767225600000,1767229200000,1767229260000,0,1);
CREATE TABLE paused_batches (
  batch_id INTEGER PRIMARY KEY,
  going    INTEGER NOT NULL DEFAULT 0        -- 1 while its messages are let go, step by step
, free_to INTEGER NOT NULL DEFAULT 0);
CREATE TABLE quarantine (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  slot        TEXT NOT NULL,
  raw         TEXT NOT NULL,                 -- what came, hex where it was hex, bounded
  reason      TEXT NOT NULL,
  received_at INTEGER NOT NULL
);
INSERT INTO "quarantine" VALUES(1,1,'slot-01','zz','not hex',1767225600000);
CREATE TABLE routes (
  id   INTEGER PRIMARY KEY,
  spec TEXT NOT NULL UNIQUE                  -- canonical JSON
);
INSERT INTO "routes" VALUES(1,'{}');
INSERT INTO "routes" VALUES(2,'{"pool":"main"}');
CREATE TABLE search_shards (
  corpus   TEXT NOT NULL,                    -- 'messages' or 'inbox': the table that is indexed
  shard    INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id  INTEGER NOT NULL,                 -- every row of the corpus from first_id to last_id is in it
  n        INTEGER NOT NULL,                 -- rows
  untidy   INTEGER NOT NULL DEFAULT 0,       -- 1 it is to be rewritten, 2 that has begun
  PRIMARY KEY (corpus, shard)
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
CREATE TABLE sim_recipients (
  sim_id    INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  last_at   INTEGER NOT NULL,
  PRIMARY KEY (sim_id, recipient)
) WITHOUT ROWID;
INSERT INTO "sim_recipients" VALUES(2,'',0);
INSERT INTO "sim_recipients" VALUES(2,'+447700900001',1767225600000);
CREATE TABLE sim_usage (
  bucket   INTEGER NOT NULL,
  sim_id   INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (bucket, sim_id)
) WITHOUT ROWID;
INSERT INTO "sim_usage" VALUES(29453761,1,7,1767225714000);
CREATE TABLE sims (
  id            INTEGER PRIMARY KEY,
  iccid         TEXT NOT NULL UNIQUE,        -- or 'imsi:<imsi>' when the modem cannot tell the ICCID
  imsi          TEXT,
  msisdn        TEXT,
  operator      TEXT,
  label         TEXT NOT NULL DEFAULT '',
  limits        TEXT NOT NULL DEFAULT '{}',  -- JSON object: only the keys that differ from the box's defaults
  paused_reason TEXT,
  paused_at     INTEGER,
  slot          TEXT,                        -- where it was last seen
  first_seen_at INTEGER NOT NULL,
  last_seen_at  INTEGER NOT NULL
);
INSERT INTO "sims" VALUES(1,'8944100000000000001','234100000000001',NULL,NULL,'main','{}',NULL,NULL,'slot-01',1767225600000,1767225600000);
INSERT INTO "sims" VALUES(2,'imsi:234100000000002','234100000000002',NULL,NULL,'','{"per_day": 50}','no credit',1767225600000,'slot-02',1767225600000,1767225600000);
CREATE TABLE state_counts (
  state INTEGER PRIMARY KEY,
  n     INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "state_counts" VALUES(0,14);
INSERT INTO "state_counts" VALUES(10,1);
INSERT INTO "state_counts" VALUES(20,1);
INSERT INTO "state_counts" VALUES(30,3);
INSERT INTO "state_counts" VALUES(40,2);
INSERT INTO "state_counts" VALUES(50,1);
INSERT INTO "state_counts" VALUES(60,1);
INSERT INTO "state_counts" VALUES(70,1);
INSERT INTO "state_counts" VALUES(72,1);
INSERT INTO "state_counts" VALUES(74,1);
INSERT INTO "state_counts" VALUES(76,1);
INSERT INTO "state_counts" VALUES(80,1);
CREATE TABLE twilio_accounts (
  sid             TEXT PRIMARY KEY,          -- 'AC' and 32 hexadecimal digits
  user_id         INTEGER NOT NULL UNIQUE REFERENCES users (id),
  auth_token      TEXT NOT NULL,
  sms_url         TEXT,                      -- inbound messages are posted there, the answer is TwiML
  status_callback TEXT,                      -- where a message does not name its own
  allow_private   INTEGER NOT NULL DEFAULT 0,
  place           INTEGER NOT NULL,          -- the event up to which it has been told, or which waits to be tried again
  failing_since   INTEGER,                   -- while one of its endpoints takes nothing
  given_up        INTEGER NOT NULL DEFAULT 0, -- events, ever
  given_up_at     INTEGER,                   -- when an event was given up last
  last_at         INTEGER,
  last_status     INTEGER,
  last_error      TEXT,
  created_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE twilio_messages (
  message_id      INTEGER PRIMARY KEY,
  status_callback TEXT,
  sender          TEXT,                      -- From, as it was asked for
  reply           INTEGER NOT NULL DEFAULT 0 -- it answers an inbound message
);
CREATE TABLE twilio_retries (
  sid      TEXT NOT NULL REFERENCES twilio_accounts (sid) ON DELETE CASCADE,
  event_id INTEGER NOT NULL,
  subject  INTEGER NOT NULL,                 -- the message: what is told of it is told in order
  url      TEXT NOT NULL,                    -- where it is told, as far as is known
  first_at INTEGER NOT NULL,
  tries    INTEGER NOT NULL,
  next_at  INTEGER NOT NULL,
  PRIMARY KEY (sid, event_id)
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
INSERT INTO "users" VALUES(1,'alice','admin',NULL,1,1767225600000,0,0);
INSERT INTO "users" VALUES(2,'bob','sender',NULL,1,1767225600000,0,0);
CREATE TABLE webhook_retries (
  webhook_id INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_id   INTEGER NOT NULL,
  first_at   INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
) WITHOUT ROWID;
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
INSERT INTO "webhooks" VALUES(1,1,'https://shop.example.com/sms','["message.*"]','[]','',0,0,1,NULL,1,NULL,0,NULL,0,0,NULL,NULL,NULL,NULL,1793000000000);
CREATE INDEX messages_ready ON messages (route_id, rank, id) WHERE ready = 1;
CREATE INDEX messages_timed ON messages (not_before) WHERE ready = 2;
CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_reference ON messages (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX messages_batch ON messages (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX messages_problem ON messages (state, id) WHERE state BETWEEN 60 AND 79;
CREATE INDEX attempts_awaiting ON attempts (sim_id, tp_mr) WHERE awaiting = 1;
CREATE INDEX attempts_open ON attempts (message_id) WHERE outcome IS NULL;
CREATE INDEX orphan_reports_key ON orphan_reports (sim_id, tp_mr);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CREATE INDEX inbound_pdus_undeleted ON inbound_pdus (sim_id, fingerprint) WHERE deleted_at IS NULL;
CREATE INDEX inbound_groups_open ON inbound_groups (sim_id, sender, reference, total) WHERE remembered IS NULL;
CREATE INDEX inbound_groups_complete ON inbound_groups (sim_id, sender, reference, total) WHERE remembered IS NOT NULL;
CREATE INDEX inbound_groups_waiting ON inbound_groups (last_at) WHERE inbox_id IS NULL;
CREATE INDEX inbound_groups_shown ON inbound_groups (last_at) WHERE inbox_id IS NOT NULL;
CREATE INDEX inbox_sender ON inbox (sender, id);
CREATE UNIQUE INDEX issues_open ON issues (kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX issues_cleared ON issues (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX messages_held ON messages (rank, id) WHERE ready = 3;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX webhooks_user ON webhooks (user_id);
CREATE INDEX opt_out_reviews_open ON opt_out_reviews (inbox_id) WHERE decided_at IS NULL;
CREATE INDEX inbox_user ON inbox (user_id, id);
CREATE INDEX messages_user ON messages (user_id, id);
CREATE INDEX conversations_user ON conversations (user_id, last_inbox);
CREATE INDEX conversations_last ON conversations (last_inbox);
CREATE INDEX twilio_retries_due ON twilio_retries (sid, next_at, event_id, subject, url);
CREATE INDEX twilio_retries_subject ON twilio_retries (sid, subject);
CREATE INDEX mailings_user ON mailings (user_id, id);
CREATE INDEX mailings_key ON mailings (user_id, key) WHERE key IS NOT NULL;
CREATE INDEX mailings_open ON mailings (id) WHERE finished_at IS NULL OR walk IS NOT NULL;
CREATE INDEX messages_paused ON messages (id) WHERE ready = 4;
CREATE INDEX messages_waiting ON messages (state, id) WHERE state < 50 AND (state <> 30 OR ready IS NOT 1);
CREATE INDEX opt_outs_state ON opt_outs (state, changed_at, number);
CREATE INDEX fleet_pool_open ON fleet_pool (stage) WHERE stage IN ('held', 'queued', 'started', 'sent', 'unknown');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('webhooks',1);
INSERT INTO "sqlite_sequence" VALUES('fleet_results',2);
COMMIT;
