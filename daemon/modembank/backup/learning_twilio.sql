-- A token that was replaced since the backup, or whose account was removed, opens nothing any more.
UPDATE main.twilio_accounts AS m SET auth_token = o.auth_token FROM old.twilio_accounts o WHERE :later AND o.sid = m.sid;

DELETE FROM main.twilio_accounts WHERE :later AND sid NOT IN (SELECT sid FROM old.twilio_accounts);

DELETE FROM main.twilio_retries WHERE sid NOT IN (SELECT sid FROM main.twilio_accounts);
