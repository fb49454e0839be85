-- Whoever takes messages beside the bank. Wherever a row names a SIM (messages, attempts, journal, sim_usage, inbox),
-- a negative number is a provider: -id.
CREATE TABLE providers (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  kind       TEXT NOT NULL,
  channel    TEXT NOT NULL,
  settings   TEXT NOT NULL,                  -- JSON of its kind; secrets are named, never here
  sharing    TEXT NOT NULL,                  -- JSON: cost, limits, whether it is used unasked
  enabled    INTEGER NOT NULL,
  why        TEXT,                           -- it is not enabled
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  removed_at INTEGER                         -- its messages still name it
);
CREATE UNIQUE INDEX providers_name ON providers (name) WHERE removed_at IS NULL;

-- Which providers take which messages, in order: the first that fits a message counts.
CREATE TABLE routing_rules (
  place INTEGER PRIMARY KEY,
  rule  TEXT NOT NULL                        -- JSON
);

-- By what a provider calls a message in its receipts.
CREATE TABLE provider_references (
  provider_id INTEGER NOT NULL,
  reference   TEXT NOT NULL,
  message_id  INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  PRIMARY KEY (provider_id, reference)
) WITHOUT ROWID;

-- Receipts that came before it was known what they belong to.
CREATE TABLE orphan_receipts (
  id          INTEGER PRIMARY KEY,
  provider_id INTEGER NOT NULL,
  reference   TEXT NOT NULL,
  body        TEXT NOT NULL,                 -- JSON
  received_at INTEGER NOT NULL
);
CREATE INDEX orphan_receipts_key ON orphan_receipts (provider_id, reference);

-- What came in through a provider, by the key that it gave it: twice the same is one message.
CREATE TABLE provider_arrivals (
  provider_id INTEGER NOT NULL,
  key         TEXT NOT NULL,
  inbox_id    INTEGER NOT NULL,
  PRIMARY KEY (provider_id, key)
) WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN subject TEXT; -- of an e-mail
