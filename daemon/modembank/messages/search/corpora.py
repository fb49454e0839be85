"""What is searched: tables with an id and a text, and the shards in which their words are indexed."""

from __future__ import annotations

import sqlite3

import msgspec

TOKENIZER = "tokenize = 'unicode61 remove_diacritics 2'"
"""Words are runs of letters and digits, without case and accents (sqlite.org/fts5.html, 4.3.1)."""


class Corpus(msgspec.Struct, frozen=True):
    """A table whose column ``text`` is searched; rows are added with ever greater ids, and never removed."""

    table: str
    total: str
    """SQL that counts its rows, cheaply."""


MESSAGES = Corpus("messages", "SELECT coalesce(max(n), 0) FROM state_counts WHERE state = 0")
INBOX = Corpus("inbox", "SELECT count(*) FROM inbox")


class Shard(msgspec.Struct, frozen=True):
    """A run of rows that is indexed in a table of its own."""

    corpus: Corpus
    number: int
    first_id: int
    last_id: int
    n: int

    @property
    def table(self) -> str:
        """The FTS5 table's name."""
        return f"search_{self.corpus.table}_{self.number}"


def shards(conn: sqlite3.Connection, corpus: Corpus) -> list[Shard]:
    """Return all shards of a corpus, the newest first."""
    query = "SELECT shard, first_id, last_id, n FROM search_shards WHERE corpus = ? ORDER BY shard DESC"
    return [Shard(corpus, *row) for row in conn.execute(query, (corpus.table,))]


def watermark(conn: sqlite3.Connection, corpus: Corpus) -> int:
    """Return the id down from which all rows are indexed; 0: none is."""
    query = "SELECT max(last_id) FROM search_shards WHERE corpus = ?"
    return conn.execute(query, (corpus.table,)).fetchone()[0] or 0
