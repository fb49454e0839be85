-- A file of recipients with its texts, imported in the background and sent as one thing.
CREATE TABLE mailings (
  id         INTEGER PRIMARY KEY,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  name       TEXT NOT NULL,
  state      INTEGER NOT NULL,               -- MailingState
  created_at INTEGER NOT NULL
);
CREATE INDEX mailings_user ON mailings (user_id, id);
