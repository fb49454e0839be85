-- Times are unix milliseconds. Row ids of messages, batches, inbox and inbound_pdus come from one sequence
-- (epoch << 40 | n).

CREATE TABLE box (
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

-- Segments per SIM and minute (bucket = unix minute); folded to hours (bucket = first minute of the hour) when old.
CREATE TABLE sim_usage (
  bucket   INTEGER NOT NULL,
  sim_id   INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (bucket, sim_id)
) WITHOUT ROWID;

-- Kept only for SIMs with a limit on distinct recipients.
CREATE TABLE sim_recipients (
  sim_id    INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  last_at   INTEGER NOT NULL,
  PRIMARY KEY (sim_id, recipient)
) WITHOUT ROWID;

-- A route is what a message may leave through: '{}' any SIM, {"sims": [...]}, {"pool": "label"}.
CREATE TABLE routes (
  id   INTEGER PRIMARY KEY,
  spec TEXT NOT NULL UNIQUE                  -- canonical JSON
);

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
CREATE INDEX messages_ready ON messages (route_id, rank, id) WHERE ready = 1;
CREATE INDEX messages_timed ON messages (not_before) WHERE ready = 2;
CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_reference ON messages (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX messages_batch ON messages (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX messages_problem ON messages (state, id) WHERE state BETWEEN 60 AND 79;

CREATE TABLE state_counts (
  state INTEGER PRIMARY KEY,
  n     INTEGER NOT NULL
) WITHOUT ROWID;

-- The write-ahead journal of sending: tiny, appended before Ctrl-Z, folded into attempts and messages soon after.
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
CREATE INDEX attempts_awaiting ON attempts (sim_id, tp_mr) WHERE awaiting = 1;
CREATE INDEX attempts_open ON attempts (message_id) WHERE outcome IS NULL;

CREATE TABLE orphan_reports (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  tp_mr       INTEGER NOT NULL,
  recipient   TEXT NOT NULL,
  status      INTEGER NOT NULL,
  discharged_at INTEGER,
  received_at INTEGER NOT NULL,
  pdu         TEXT NOT NULL
);
CREATE INDEX orphan_reports_key ON orphan_reports (sim_id, tp_mr);

CREATE TABLE idempotency_keys (
  user_id     INTEGER NOT NULL,
  key         TEXT NOT NULL,
  body_sha256 BLOB NOT NULL,
  status      INTEGER NOT NULL,
  response    BLOB NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Every PDU that came from a modem, once: the physical ledger ("written, then deleted").
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
CREATE INDEX inbound_pdus_undeleted ON inbound_pdus (sim_id, fingerprint) WHERE deleted_at IS NULL;

-- Long messages of which parts came. One waits (inbox_id NULL), is shown incomplete, or is complete and remembered for a
-- while, so that a part which the network repeats is known.
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
CREATE INDEX inbound_groups_open ON inbound_groups (sim_id, sender, reference, total) WHERE remembered IS NULL;
CREATE INDEX inbound_groups_complete ON inbound_groups (sim_id, sender, reference, total) WHERE remembered IS NOT NULL;
CREATE INDEX inbound_groups_waiting ON inbound_groups (last_at) WHERE inbox_id IS NULL;
CREATE INDEX inbound_groups_shown ON inbound_groups (last_at) WHERE inbox_id IS NOT NULL;

-- The parts of a group, until it is complete.
CREATE TABLE inbound_parts (
  group_id    INTEGER NOT NULL REFERENCES inbound_groups (id) ON DELETE CASCADE,
  part        INTEGER NOT NULL,              -- from 1
  pdu         TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (group_id, part)
) WITHOUT ROWID;

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
);
CREATE INDEX inbox_sender ON inbox (sender, id);

CREATE TABLE quarantine (
  id          INTEGER PRIMARY KEY,
  sim_id      INTEGER NOT NULL,
  slot        TEXT NOT NULL,
  raw         TEXT NOT NULL,                 -- what came, hex where it was hex, bounded
  reason      TEXT NOT NULL,
  received_at INTEGER NOT NULL
);
