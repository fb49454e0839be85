-- The configuration that boxes are to have. Groups are named by a pattern; documents are kept as people wrote them.
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
CREATE INDEX config_revisions_group ON config_revisions (group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX config_revisions_box ON config_revisions (box_id, id) WHERE box_id IS NOT NULL;

-- What a box was to have: its own document over its group's.
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

-- How each box stands: its newest version (0: none of ours), and what it reported last.
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
CREATE INDEX config_boxes_due ON config_boxes (publish_at) WHERE publish_at IS NOT NULL;

-- A revision of a group's document on its way to the boxes, in steps.
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
CREATE INDEX rollouts_open ON rollouts (id) WHERE ended_at IS NULL;

CREATE TABLE rollout_boxes (
  rollout_id INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  box_id     INTEGER NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
  step       INTEGER NOT NULL,
  ver        INTEGER,                      -- of the box, in which it was given; NULL: not yet
  forgiven   INTEGER NOT NULL DEFAULT 0,   -- it had failed when somebody let the roll-out go on
  PRIMARY KEY (rollout_id, box_id)
) WITHOUT ROWID;
