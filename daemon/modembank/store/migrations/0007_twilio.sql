-- Users that speak the Twilio dialect. The token must be readable: it signs what is posted to the client.
CREATE TABLE twilio_accounts (
  sid             TEXT PRIMARY KEY,          -- 'AC' and 32 hexadecimal digits
  user_id         INTEGER NOT NULL UNIQUE REFERENCES users (id),
  auth_token      TEXT NOT NULL,
  sms_url         TEXT,                      -- inbound messages are posted there, the answer is TwiML
  status_callback TEXT,                      -- where a message does not name its own
  allow_private   INTEGER NOT NULL DEFAULT 0,
  place           INTEGER NOT NULL,          -- the event up to which it has been told, or which waits to be tried again
  failing_since   INTEGER,                   -- while one of its endpoints takes nothing
  given_up        INTEGER NOT NULL DEFAULT 0, -- events, ever
  given_up_at     INTEGER,                   -- when an event was given up last
  last_at         INTEGER,
  last_status     INTEGER,
  last_error      TEXT,
  created_at      INTEGER NOT NULL
) WITHOUT ROWID;

-- What that dialect knows of a message and nobody else needs; only of messages of which there is something to know.
CREATE TABLE twilio_messages (
  message_id      INTEGER PRIMARY KEY,
  status_callback TEXT,
  sender          TEXT,                      -- From, as it was asked for
  reply           INTEGER NOT NULL DEFAULT 0 -- it answers an inbound message
);

-- Events that an endpoint has not taken, until it does or three days have passed.
CREATE TABLE twilio_retries (
  sid      TEXT NOT NULL REFERENCES twilio_accounts (sid) ON DELETE CASCADE,
  event_id INTEGER NOT NULL,
  subject  INTEGER NOT NULL,                 -- the message: what is told of it is told in order
  url      TEXT NOT NULL,                    -- where it is told, as far as is known
  first_at INTEGER NOT NULL,
  tries    INTEGER NOT NULL,
  next_at  INTEGER NOT NULL,
  PRIMARY KEY (sid, event_id)
) WITHOUT ROWID;
CREATE INDEX twilio_retries_due ON twilio_retries (sid, next_at, event_id, subject, url);
CREATE INDEX twilio_retries_subject ON twilio_retries (sid, subject);
