-- Who opted out, or in again, since the backup: of each number the later change counts, and of two at once the opt-out.
INSERT INTO opt_outs (number, state, changed_at, source, keyword, inbox_id, note, by)
SELECT number, state, changed_at, source, keyword, inbox_id, note, by FROM old.opt_outs WHERE true
ON CONFLICT (number) DO UPDATE
SET state = excluded.state, changed_at = excluded.changed_at, source = excluded.source, keyword = excluded.keyword,
  inbox_id = excluded.inbox_id, note = excluded.note, by = excluded.by
WHERE excluded.changed_at > changed_at OR (excluded.changed_at = changed_at AND excluded.state > state);

-- What may have meant it, also where the message itself stays behind: somebody may still ask its sender.
INSERT INTO opt_out_reviews (inbox_id, number, keyword, created_at, decided_at, decision, by)
SELECT inbox_id, number, keyword, created_at, decided_at, decision, by FROM old.opt_out_reviews WHERE true
ON CONFLICT (inbox_id) DO UPDATE
SET decided_at = excluded.decided_at, decision = excluded.decision, by = excluded.by
WHERE decided_at IS NULL AND excluded.created_at = created_at AND excluded.number = number;
