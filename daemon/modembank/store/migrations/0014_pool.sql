-- Messages that the hub lent to this box out of the pool of its fleet, and tombstones of those that it gave back.
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
CREATE INDEX fleet_pool_open ON fleet_pool (stage) WHERE stage IN ('held', 'queued', 'started', 'sent', 'unknown');
