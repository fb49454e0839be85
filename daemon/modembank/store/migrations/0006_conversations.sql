-- Whose an inbound message is: the user who last wrote to its sender; NULL: nobody did, it is the admins'.
ALTER TABLE inbox ADD COLUMN user_id INTEGER;
ALTER TABLE inbox ADD COLUMN hidden INTEGER;  -- InboxHiding
UPDATE inbox SET user_id = (SELECT nullif(user_id, 0) FROM messages m WHERE m.recipient = inbox.sender
  AND m.id < inbox.id ORDER BY m.id DESC LIMIT 1);
CREATE INDEX inbox_user ON inbox (user_id, id);
CREATE INDEX messages_user ON messages (user_id, id);
CREATE INDEX messages_open ON messages (state, id) WHERE state < 50;

-- Numbers from which something came, each once for each user whose it was.
CREATE TABLE conversations (
  number     TEXT NOT NULL,
  user_id    INTEGER NOT NULL,               -- 0: nobody's
  last_inbox INTEGER NOT NULL,               -- the newest that was not deleted
  read_up_to INTEGER NOT NULL DEFAULT 0,     -- inbox id
  unread     INTEGER NOT NULL DEFAULT 0,     -- messages that came after it
  PRIMARY KEY (number, user_id)
) WITHOUT ROWID;
CREATE INDEX conversations_user ON conversations (user_id, last_inbox);
CREATE INDEX conversations_last ON conversations (last_inbox);
-- What came before there were conversations counts as read.
INSERT INTO conversations (number, user_id, last_inbox, read_up_to)
SELECT sender, COALESCE(user_id, 0), max(id), max(id) FROM inbox GROUP BY sender, COALESCE(user_id, 0);
