-- Alerts: what needs a person, told once, acknowledged, and over by itself. Times are unix milliseconds.

-- A condition that holds, but not for long enough yet.
CREATE TABLE alert_pending (
  kind     TEXT NOT NULL,
  subject  TEXT NOT NULL,                    -- site/name of a box; 'hub'
  topic    TEXT NOT NULL,                    -- which one of the subject's: an issue, a stream; '' where there is one
  box_id   INTEGER REFERENCES boxes (id) ON DELETE CASCADE,
  since_at INTEGER NOT NULL,
  PRIMARY KEY (kind, subject, topic)
) WITHOUT ROWID;
CREATE INDEX alert_pending_box ON alert_pending (box_id) WHERE box_id IS NOT NULL;

CREATE TABLE alerts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT NOT NULL,
  subject     TEXT NOT NULL,
  topic       TEXT NOT NULL,
  box_id      INTEGER REFERENCES boxes (id) ON DELETE CASCADE,
  site        TEXT NOT NULL,                 -- '' for the hub's own
  severity    TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  state       TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'ended')),
  detail      TEXT NOT NULL,                 -- JSON object: the figures when it opened last
  round       INTEGER NOT NULL DEFAULT 1,    -- how often it has opened
  first_at    INTEGER NOT NULL,              -- when it opened for the first time
  since_at    INTEGER NOT NULL,              -- since when the condition holds, of this round
  opened_at   INTEGER NOT NULL,              -- of this round
  clear_at    INTEGER,                       -- since when the condition does not hold any more
  acked_at    INTEGER,
  acked_by    TEXT NOT NULL DEFAULT '',
  note        TEXT NOT NULL DEFAULT '',
  quiet_round INTEGER NOT NULL DEFAULT 0,    -- a round that ended while it was silenced: nobody is told of it
  ended_at    INTEGER
);
CREATE UNIQUE INDEX alerts_one ON alerts (kind, subject, topic) WHERE state <> 'ended';
CREATE INDEX alerts_again ON alerts (kind, subject, topic, ended_at);
CREATE INDEX alerts_state ON alerts (state, opened_at, id);
CREATE INDEX alerts_newest ON alerts (opened_at, id);
CREATE INDEX alerts_box ON alerts (box_id, id) WHERE box_id IS NOT NULL;
CREATE INDEX alerts_ended ON alerts (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE alert_steps (
  alert_id INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  n        INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  what     TEXT NOT NULL,                    -- opened, acknowledged, ended, reopened
  actor    TEXT NOT NULL DEFAULT '',
  note     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (alert_id, n)
) WITHOUT ROWID;

-- Rules that somebody changed; the others are as the program has them.
CREATE TABLE alert_rules (
  kind      TEXT NOT NULL,
  place     TEXT NOT NULL,                   -- '*', 'hub', 'site:NAME', 'group:NAME', 'box:SITE/NAME'
  active    INTEGER NOT NULL,
  severity  TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  hold_s    INTEGER NOT NULL,
  clear_s   INTEGER NOT NULL,
  threshold INTEGER NOT NULL,
  actor     TEXT NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (kind, place)
) WITHOUT ROWID;

CREATE TABLE alert_silences (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT NOT NULL,                    -- '' for every kind
  place    TEXT NOT NULL,
  from_at  INTEGER NOT NULL,
  until_at INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  actor    TEXT NOT NULL,
  made_at  INTEGER NOT NULL
);
CREATE INDEX alert_silences_until ON alert_silences (until_at);

CREATE TABLE alert_channels (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
  means         TEXT NOT NULL CHECK (means IN ('webhook', 'mail')),
  url           TEXT NOT NULL DEFAULT '',
  allow_private INTEGER NOT NULL DEFAULT 0,
  secrets       TEXT NOT NULL DEFAULT '[]',  -- JSON array, newest first
  recipients    TEXT NOT NULL DEFAULT '[]',  -- JSON array of addresses
  least         TEXT NOT NULL CHECK (least IN ('info', 'warning', 'critical')),
  place         TEXT NOT NULL,
  ends          INTEGER NOT NULL,            -- whether it is told what is over
  active        INTEGER NOT NULL DEFAULT 1,
  stopped_why   TEXT,
  since_at      INTEGER NOT NULL,            -- since when it is active
  made_at       INTEGER,                     -- when its last letter was made
  failing_since INTEGER,
  failures      INTEGER NOT NULL DEFAULT 0,
  delivered     INTEGER NOT NULL DEFAULT 0,
  last_at       INTEGER,
  last_error    TEXT,
  created_at    INTEGER NOT NULL
);

-- What a channel is told at once. It is made together with what it tells, and lies here until it is taken.
CREATE TABLE alert_letters (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  channel_id INTEGER NOT NULL REFERENCES alert_channels (id) ON DELETE CASCADE,
  made_at    INTEGER NOT NULL,
  body       TEXT NOT NULL,                  -- JSON object
  opened     INTEGER NOT NULL,
  ended      INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'given_up')),
  tries      INTEGER NOT NULL DEFAULT 0,
  next_at    INTEGER NOT NULL,
  error      TEXT,
  settled_at INTEGER
);
CREATE INDEX alert_letters_channel ON alert_letters (channel_id, id);
CREATE INDEX alert_letters_queued ON alert_letters (channel_id, id) WHERE state = 'queued';

-- Up to which round a channel has been told of an alert, and whether of its end.
CREATE TABLE alert_told (
  channel_id INTEGER NOT NULL REFERENCES alert_channels (id) ON DELETE CASCADE,
  alert_id   INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  round      INTEGER NOT NULL,
  ended      INTEGER NOT NULL,
  PRIMARY KEY (channel_id, alert_id)
) WITHOUT ROWID;
CREATE INDEX alert_told_alert ON alert_told (alert_id);

-- Issues of boxes as their events tell them, in whatever order these come.
CREATE TABLE box_issues (
  box_id      INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  epoch       TEXT NOT NULL,
  issue       TEXT NOT NULL,
  kind        TEXT NOT NULL DEFAULT '',
  severity    TEXT NOT NULL DEFAULT '',
  raised_seq  INTEGER NOT NULL DEFAULT 0,
  cleared_seq INTEGER NOT NULL DEFAULT 0,
  told_at     INTEGER NOT NULL,
  PRIMARY KEY (box_id, epoch, issue)
) WITHOUT ROWID;
CREATE INDEX box_issues_open ON box_issues (box_id) WHERE raised_seq > cleared_seq;

INSERT INTO box_issues (box_id, epoch, issue, kind, severity, raised_seq, cleared_seq, told_at)
SELECT s.box_id, s.epoch, json_extract(e.body, '$.id'),
       coalesce(max(json_extract(e.body, '$.kind')), ''), coalesce(max(json_extract(e.body, '$.severity')), ''),
       max(iif(e.type = 'issue.raised', e.seq, 0)), max(iif(e.type = 'issue.cleared', e.seq, 0)), max(e.received_at)
FROM events e JOIN streams s ON s.id = e.stream_id
WHERE e.type IN ('issue.raised', 'issue.cleared') AND json_type(e.body, '$.id') = 'text'
  AND length(json_extract(e.body, '$.id')) <= 64
GROUP BY s.box_id, s.epoch, json_extract(e.body, '$.id');

CREATE INDEX gaps_at ON gaps (at);
CREATE INDEX quarantine_at ON quarantine (at);
