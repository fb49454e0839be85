-- What of the box the hub owns: the newest configuration that it was given, and the last one that proved itself.
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

-- Each key of a SIM that is the hub's now.
CREATE TABLE fleet_owned (
  sim        INTEGER NOT NULL,
  key        TEXT NOT NULL,               -- label, paused, limits.per_day and the like
  site       TEXT NOT NULL,               -- JSON: what the site had, and gets back
  wanted     TEXT,                        -- JSON: what the site wants instead; NULL: nothing else
  wanted_ver INTEGER NOT NULL DEFAULT 0,  -- which version was the newest then
  PRIMARY KEY (sim, key)
) WITHOUT ROWID;
