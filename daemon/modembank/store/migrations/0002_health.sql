-- What needs a person (docs/health.md), and messages that wait for one's decision.

-- One row for each time that something was wrong; cleared_at NULL while it is.
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
CREATE UNIQUE INDEX issues_open ON issues (kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX issues_cleared ON issues (cleared_at) WHERE cleared_at IS NOT NULL;

-- messages.ready = 3: held after an outage or a restore, until somebody decides (docs/promise.md).
CREATE INDEX messages_held ON messages (rank, id) WHERE ready = 3;

-- Times in which nothing could be sent, one row for each route on which something waited; the newest are kept.
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

-- state_counts.state = 0: all messages ever accepted, counted where they are accepted and nowhere else. The sum of the
-- other rows must equal it: accepted = terminal + open.
INSERT INTO state_counts (state, n) SELECT 0, COALESCE(sum(n), 0) FROM state_counts;

-- When the service centre had the message that an unclaimed report speaks of, by its clock; NULL when it is no time.
ALTER TABLE orphan_reports ADD COLUMN submitted_at INTEGER;
