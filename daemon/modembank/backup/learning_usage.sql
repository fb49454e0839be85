-- What users had accepted counts against their quotas, also where the messages stay behind.
INSERT INTO user_usage (user_id, day, segments)
SELECT user_id, day, segments FROM old.user_usage WHERE user_id IN (SELECT id FROM same_user)
ON CONFLICT (user_id, day) DO UPDATE SET segments = max(segments, excluded.segments);
