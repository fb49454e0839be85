-- Inbound content that was taken away since must not come back with the backup.
CREATE TEMP TABLE taken_away AS
SELECT m.id AS id, o.hidden AS hidden, m.hidden AS before
FROM old.inbox o JOIN main.inbox m USING (id, sender, received_at) WHERE o.hidden IS NOT NULL;

UPDATE main.inbox AS m SET text = '', octets = NULL, hidden = max(coalesce(m.hidden, t.hidden), t.hidden)
FROM taken_away t WHERE t.id = m.id;

-- Nor with the parts of a message that was not shown yet.
CREATE TEMP TABLE taken_parts AS
SELECT m.id AS id FROM old.inbound_groups o JOIN main.inbound_groups m USING (id, sender, reference, total)
WHERE m.inbox_id IS NULL AND o.inbox_id IN (SELECT id FROM old.inbox WHERE hidden IS NOT NULL);

DELETE FROM main.inbound_parts WHERE group_id IN (SELECT id FROM taken_parts);

DELETE FROM main.inbound_groups WHERE id IN (SELECT id FROM taken_parts);
