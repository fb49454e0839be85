-- Enrolment: tokens with which boxes get their first certificate, every certificate that was given, and boxes that are
-- shut out. What a broker refuses is written from here into a file; what the hub refuses is looked up here.
CREATE TABLE enrolment_tokens (
  n            INTEGER PRIMARY KEY AUTOINCREMENT,
  digest       BLOB NOT NULL UNIQUE,         -- SHA-256 of the secret
  site         TEXT NOT NULL,
  box          TEXT NOT NULL,                -- empty: what the box calls itself
  actor        TEXT NOT NULL,                -- the user's name, as it was then
  made_at      INTEGER NOT NULL,             -- unix ms
  ends_at      INTEGER NOT NULL,
  used_at      INTEGER,
  used_by      TEXT NOT NULL DEFAULT '',     -- the name that the box got
  serial       TEXT,                         -- the certificate that it was given: the same again for the same key
  withdrawn_at INTEGER
);

CREATE TABLE certificates (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  serial     TEXT NOT NULL UNIQUE,           -- hexadecimal digits
  site       TEXT NOT NULL,
  box        TEXT NOT NULL,
  key_digest BLOB NOT NULL UNIQUE,           -- SHA-256 of the public key: a key has one certificate
  pem        TEXT NOT NULL,
  issued_at  INTEGER NOT NULL,               -- unix ms
  ends_at    INTEGER NOT NULL,
  how        TEXT NOT NULL,                  -- 'token', 'renewal'
  revoked_at INTEGER,
  revoked_by TEXT NOT NULL DEFAULT '',
  why        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX certificates_box ON certificates (site, box, n);
CREATE INDEX certificates_revoked ON certificates (revoked_at) WHERE revoked_at IS NOT NULL;

-- What these say is put into quarantine, and they are told nothing. A new token for the name lets it in again.
CREATE TABLE shut_out (
  site  TEXT NOT NULL,
  box   TEXT NOT NULL,
  at    INTEGER NOT NULL,                    -- unix ms
  actor TEXT NOT NULL,
  why   TEXT NOT NULL,
  PRIMARY KEY (site, box)
) WITHOUT ROWID;

-- The revocation list that was written last: number and date only grow.
CREATE TABLE revocation_list (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL,
  dated  INTEGER NOT NULL                    -- unix s
);
