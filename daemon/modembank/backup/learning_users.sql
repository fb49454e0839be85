-- Who was put out since the backup stays out. :later is whether the former database went on from the backup; where that is
-- not known, what is stricter counts.
CREATE TEMP TABLE same_user AS
SELECT o.id AS id, o.role AS role, o.active AS active, o.password_hash AS password_hash
FROM old.users o JOIN main.users m USING (id, name, created_at);

UPDATE main.api_keys AS k SET revoked_at = coalesce(revoked_at,
  (SELECT o.revoked_at FROM old.api_keys o WHERE o.public_id = k.public_id AND o.secret_sha256 = k.secret_sha256));

UPDATE main.users SET active = 0 WHERE id IN (SELECT id FROM same_user WHERE active = 0);

UPDATE main.users SET role = 'sender' WHERE :later AND id IN (SELECT id FROM same_user WHERE role = 'sender');

-- The password that somebody knows who should not is the older one.
UPDATE main.users AS m SET password_hash = (SELECT password_hash FROM same_user s WHERE s.id = m.id)
WHERE :later AND id IN (SELECT id FROM same_user WHERE password_hash IS NOT NULL);
