-- The words of texts are indexed in shards, each an FTS5 table "search_<corpus>_<shard>" that is made when it is begun:
-- what was redacted is overwritten by rewriting one shard, and a search looks at the newest first. See messages/search.
CREATE TABLE search_shards (
  corpus   TEXT NOT NULL,                    -- 'messages' or 'inbox': the table that is indexed
  shard    INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id  INTEGER NOT NULL,                 -- every row of the corpus from first_id to last_id is in it
  n        INTEGER NOT NULL,                 -- rows
  untidy   INTEGER NOT NULL DEFAULT 0,       -- 1 it is to be rewritten, 2 that has begun
  PRIMARY KEY (corpus, shard)
) WITHOUT ROWID;
