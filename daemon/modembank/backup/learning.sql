-- What the former database (attached as old) knows and the backup (main) does not; see learning.py.

-- SIMs that came since; and which is which, since a box that was set up anew numbers them otherwise.
INSERT INTO sims (iccid, imsi, msisdn, operator, label, limits, paused_reason, paused_at, slot, first_seen_at, last_seen_at)
SELECT iccid, imsi, msisdn, operator, label, limits, paused_reason, paused_at, slot, first_seen_at, last_seen_at
FROM old.sims WHERE iccid NOT LIKE 'merged:%' AND iccid NOT IN (SELECT iccid FROM main.sims);

CREATE TEMP TABLE same_sim AS SELECT o.id AS old_id, m.id AS id FROM old.sims o JOIN main.sims m USING (iccid);

-- What they sent. Where one side has folded its minutes to an hour, both count: rather too much than too little.
INSERT INTO sim_usage (bucket, sim_id, segments, last_at)
SELECT u.bucket, s.id, u.segments, u.last_at FROM old.sim_usage u JOIN same_sim s ON s.old_id = u.sim_id WHERE true
ON CONFLICT (bucket, sim_id) DO UPDATE
SET segments = max(segments, excluded.segments), last_at = max(last_at, excluded.last_at);

INSERT INTO sim_recipients (sim_id, recipient, last_at)
SELECT s.id, r.recipient, r.last_at FROM old.sim_recipients r JOIN same_sim s ON s.old_id = r.sim_id WHERE true
ON CONFLICT (sim_id, recipient) DO UPDATE SET last_at = max(last_at, excluded.last_at);

-- Messages of the backup of which it has something new to tell: the same ones, not others that a box which was set up
-- anew gave the same ids to.
CREATE TEMP TABLE known AS
SELECT m.id AS id FROM main.messages m JOIN old.messages o ON o.id = m.id
WHERE o.created_at = m.created_at AND o.user_id = m.user_id AND o.recipient = m.recipient
  AND (o.text = m.text OR o.flags & :redacted)  -- or it was redacted since
  AND o.state >= m.state AND o.tries >= m.tries
  AND (o.state > m.state OR o.tries > m.tries
    OR m.id IN (SELECT message_id FROM old.journal) OR m.id IN (SELECT message_id FROM main.journal))
  AND NOT EXISTS (
    SELECT 1 FROM old.attempts a WHERE a.message_id = m.id AND a.sim_id NOT IN (SELECT old_id FROM same_sim));

CREATE UNIQUE INDEX temp.known_id ON known (id);

UPDATE main.messages AS m SET (state, ready, tries, cause, not_before, sent_at, settled_at, sim_id) = (
  SELECT state, ready, tries, cause, not_before, sent_at, settled_at,
    (SELECT s.id FROM same_sim s WHERE s.old_id = o.sim_id)
  FROM old.messages o WHERE o.id = m.id)
WHERE id IN (SELECT id FROM known);

-- What was redacted or deleted since (MessageFlags) must not come back with the backup.
UPDATE main.messages SET text = '', flags = flags | :redacted
WHERE id IN (SELECT o.id FROM old.messages o JOIN main.messages m USING (id, created_at, user_id, recipient)
  WHERE o.flags & :redacted AND m.state >= :sent);
UPDATE main.messages SET reference = NULL, cause = NULL, flags = flags | :hidden
WHERE id IN (SELECT o.id FROM old.messages o JOIN main.messages m USING (id, created_at, user_id, recipient)
  WHERE o.flags & :hidden AND m.state >= :sent);

DELETE FROM main.attempts WHERE message_id IN (SELECT id FROM known);

INSERT INTO main.attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr, cause, evidence,
  awaiting, report_status, report_at)
SELECT a.message_id, a.segment, a.n, s.id, a.slot, a.started_at, a.finished_at, a.outcome, a.tp_mr, a.cause, a.evidence,
  a.awaiting, a.report_status, a.report_at
FROM known k JOIN old.attempts a ON a.message_id = k.id JOIN same_sim s ON s.old_id = a.sim_id;

-- Its journal of these messages takes the place of the backup's, and delivery reports are anybody's: the fold settles and
-- books them. Attempts at other messages are booked here.
DELETE FROM main.journal WHERE message_id IN (SELECT id FROM known);

INSERT INTO main.journal (kind, message_id, segment, n, sim_id, at, body)
SELECT j.kind, j.message_id, j.segment, j.n, s.id, j.at, j.body
FROM old.journal j JOIN same_sim s ON s.old_id = j.sim_id
WHERE j.kind = :report OR j.message_id IN (SELECT id FROM known) ORDER BY j.id;

INSERT INTO sim_usage (bucket, sim_id, segments, last_at)
SELECT j.at / 60000, s.id, count(*), max(j.at) FROM old.journal j JOIN same_sim s ON s.old_id = j.sim_id
WHERE j.kind = :intent AND j.message_id NOT IN (SELECT id FROM known) GROUP BY 1, 2
ON CONFLICT (bucket, sim_id) DO UPDATE
SET segments = segments + excluded.segments, last_at = max(last_at, excluded.last_at);

-- The counters follow the states; that of all messages ever accepted stays.
DELETE FROM state_counts WHERE state <> :accepted_ever;

INSERT INTO state_counts (state, n) SELECT state, count(*) FROM messages GROUP BY state;

DELETE FROM batch_counts;

INSERT INTO batch_counts (batch_id, state, n)
SELECT batch_id, state, count(*) FROM messages WHERE flags & :counted AND batch_id IS NOT NULL GROUP BY batch_id, state;
