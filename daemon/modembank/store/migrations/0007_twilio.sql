-- Users that speak the Twilio dialect. The token must be readable: it signs what is posted to the client.
CREATE TABLE twilio_accounts (
  sid             TEXT PRIMARY KEY,          -- 'AC' and 32 hexadecimal digits
  user_id         INTEGER NOT NULL UNIQUE REFERENCES users (id),
  auth_token      TEXT NOT NULL,
  sms_url         TEXT,                      -- inbound messages are posted there, the answer is TwiML
  status_callback TEXT,                      -- where a message does not name its own
  allow_private   INTEGER NOT NULL DEFAULT 0,
  place           INTEGER NOT NULL,          -- the event up to which it has been told
  created_at      INTEGER NOT NULL
) WITHOUT ROWID;

-- What that dialect knows of a message and nobody else needs.
CREATE TABLE twilio_messages (
  message_id      INTEGER PRIMARY KEY,
  sid             TEXT NOT NULL,
  status_callback TEXT,
  sender          TEXT                       -- From, as it was asked for
);
