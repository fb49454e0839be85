-- The box in a fleet: which life of it this is, how far the hub has what the box tells, and what the hub had done.
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

-- What became of commands, for the hub; kept until it has acknowledged them.
CREATE TABLE fleet_results (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  command TEXT NOT NULL,
  verb    TEXT NOT NULL,
  state   TEXT NOT NULL,
  code    TEXT NOT NULL DEFAULT '',
  data    TEXT NOT NULL DEFAULT '{}'
);

-- Every command that was taken, so that none is carried out twice.
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
