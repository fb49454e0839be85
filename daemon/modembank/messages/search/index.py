"""The index of words, written inside transactions of the store.

Accepting writes nothing here. Rows are indexed later, a batch at a time; the newest are not indexed but looked through
(``looking``). A shard holds no texts: to take one out of it, the text itself is needed, so ``remove`` is called before
the row loses it. FTS5 then notes that the words are gone, and they are found no more; their octets go when the shard is
rewritten, in bounded steps (``tidy_step``): SQLite before 3.42 has no other way.

Whose a row is (which never changes) is a word of its own, in a column beside the text, so that a search among
everybody's messages goes straight to those of one user.

A shard that FTS5 finds damaged must never fail what else is in the transaction: it is dropped with all behind it, and
made anew from the texts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from modembank.messages.search.corpora import INBOX, MESSAGES, TOKENIZER, Corpus, Shard, shards, watermark

_MERGE_PAGES = 64
"""Pages (of 4 kB) merged beside each batch: about twice what a batch makes, so that merging keeps up."""
_TIDY_PAGES = 250
"""Pages rewritten in one step: what the writer's thread does in some ten milliseconds."""
_SETTINGS = (
    ("automerge", 0),  # merging is ours, in bounded steps
    ("crisismerge", 1_000),
    ("usermerge", 16),
)
_WHO = "'u' || coalesce(user_id, 0)"
_log = structlog.get_logger()


class Sizes(msgspec.Struct, frozen=True):
    """Rows indexed at once, the newest rows that are left alone meanwhile, and the rows of a full shard.

    Ids are handed out a little before their rows are written; the newest rows are left alone so that none comes to lie
    below what is indexed.
    """

    batch: int = 1_000
    left: int = 500
    shard: int = 250_000


def is_due(conn: sqlite3.Connection, corpus: Corpus, sizes: Sizes) -> bool:
    """Return whether there are enough rows for a batch."""
    return _row_at(conn, corpus, watermark(conn, corpus), sizes.batch + sizes.left - 1) is not None


def add_batch(conn: sqlite3.Connection, corpus: Corpus, sizes: Sizes) -> bool:
    """Index the next batch, the oldest first; False when it is not due."""
    if not is_due(conn, corpus, sizes):
        return False
    known = shards(conn, corpus)
    after = known[0].last_id if known else 0
    last = _row_at(conn, corpus, after, sizes.batch - 1)
    shard = known[0] if known and known[0].n < sizes.shard else _begun(conn, corpus, known, after)
    full = shard.n + sizes.batch >= sizes.shard
    with _sound_or_dropped(conn, corpus.table, shard.number):
        conn.execute(
            f"INSERT INTO {shard.table} (rowid, text, who)"  # noqa: S608 - constants and numbers
            f" SELECT id, text, {_WHO} FROM {corpus.table} NOT INDEXED WHERE id > ? AND id <= ? AND text <> ''",
            (after, last),
        )
        _merge(conn, shard.table, _MERGE_PAGES)
        conn.execute(
            "UPDATE search_shards SET last_id = ?, n = n + ?, untidy = iif(?, 1, untidy)"
            " WHERE corpus = ? AND shard = ?",
            (last, sizes.batch, full, corpus.table, shard.number),
        )
    return True


def remove(conn: sqlite3.Connection, corpus: Corpus, row_id: int) -> None:
    """Let a row be found no more, before its text is changed or taken away."""
    shard = _shard_of(conn, corpus, row_id)
    words = _words_of(conn, corpus, row_id)
    if shard is None or words is None:
        return
    table = shard.table
    with _sound_or_dropped(conn, corpus.table, shard.number):
        conn.execute(f"INSERT INTO {table} ({table}, rowid, text, who) VALUES ('delete', ?, ?, ?)", (row_id, *words))  # noqa: S608 - a constant and a number
        conn.execute("UPDATE search_shards SET untidy = 1 WHERE corpus = ? AND shard = ?", (corpus.table, shard.number))


def put(conn: sqlite3.Connection, corpus: Corpus, row_id: int) -> None:
    """Let a row that was removed be found by the text that it has now; where it is not indexed yet, do nothing."""
    shard = _shard_of(conn, corpus, row_id)
    words = _words_of(conn, corpus, row_id)
    if shard is not None and words is not None:
        with _sound_or_dropped(conn, corpus.table, shard.number):
            conn.execute(f"INSERT INTO {shard.table} (rowid, text, who) VALUES (?, ?, ?)", (row_id, *words))  # noqa: S608 - a constant and a number


def is_untidy(conn: sqlite3.Connection) -> bool:
    """Return whether a shard is to be rewritten."""
    return conn.execute("SELECT 1 FROM search_shards WHERE untidy > 0").fetchone() is not None


def tidy_step(conn: sqlite3.Connection) -> bool:
    """Rewrite a bounded part of a shard that is full or of which rows were removed; False when there is none.

    What is removed while a shard is being rewritten has it rewritten again.
    """
    row = conn.execute("SELECT corpus, shard, untidy FROM search_shards WHERE untidy > 0 LIMIT 1").fetchone()
    if row is None:
        return False
    corpus, number, untidy = row
    with _sound_or_dropped(conn, corpus, number):
        # A negative number of pages begins to merge all there is into one (sqlite.org/fts5.html, 6.9).
        changed = _merge(conn, f"search_{corpus}_{number}", -_TIDY_PAGES if untidy == 1 else _TIDY_PAGES)
        now = 2 if changed or untidy == 1 else 0
        conn.execute("UPDATE search_shards SET untidy = ? WHERE corpus = ? AND shard = ?", (now, corpus, number))
    return True


def forget_all(conn: sqlite3.Connection) -> None:
    """Drop the whole index: it is made anew from the texts."""
    for corpus in (MESSAGES, INBOX):
        _drop(conn, corpus.table, 0)


@contextmanager
def _sound_or_dropped(conn: sqlite3.Connection, corpus: str, number: int) -> Iterator[None]:
    """Drop a shard, and those behind it, when FTS5 finds it damaged; what the block was to do is then not needed."""
    try:
        yield
        # FTS5 gathers what is written until a savepoint or the commit, which is too late to learn of damage.
        conn.execute("SAVEPOINT indexed")
        conn.execute("RELEASE indexed")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_CORRUPT_VTAB:
            raise
        _log.error("search_index_damaged", corpus=corpus, shard=number, error=str(error))
        _drop(conn, corpus, number)


def _drop(conn: sqlite3.Connection, corpus: str, first: int) -> None:
    found = conn.execute("SELECT shard FROM search_shards WHERE corpus = ? AND shard >= ?", (corpus, first)).fetchall()
    for (number,) in found:
        conn.execute(f"DROP TABLE search_{corpus}_{number}")
    conn.execute("DELETE FROM search_shards WHERE corpus = ? AND shard >= ?", (corpus, first))


def _begun(conn: sqlite3.Connection, corpus: Corpus, known: list[Shard], after: int) -> Shard:
    number = known[0].number + 1 if known else 1
    shard = Shard(corpus, number, after + 1, after, 0)
    table = shard.table
    # Without content and sizes, since the texts are in their own table; prefixes of two and three letters are indexed.
    conn.execute(
        f"CREATE VIRTUAL TABLE {table} USING fts5(text, who, content = '', columnsize = 0, prefix = '2 3', {TOKENIZER})"
    )
    for name, value in _SETTINGS:
        conn.execute(f"INSERT INTO {table} ({table}, rank) VALUES (?, ?)", (name, value))  # noqa: S608 - a constant and a number
    conn.execute(
        "INSERT INTO search_shards (corpus, shard, first_id, last_id, n) VALUES (?, ?, ?, ?, 0)",
        (corpus.table, number, shard.first_id, shard.last_id),
    )
    return shard


def _merge(conn: sqlite3.Connection, table: str, pages: int) -> bool:
    """Merge so many pages; return whether there was anything to merge (sqlite.org/fts5.html, 6.9)."""
    before = conn.total_changes
    conn.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (pages,))  # noqa: S608 - a constant and a number
    return conn.total_changes - before >= 2


def _row_at(conn: sqlite3.Connection, corpus: Corpus, after: int, offset: int) -> int | None:
    query = f"SELECT id FROM {corpus.table} NOT INDEXED WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"  # noqa: S608 - a constant
    row = conn.execute(query, (after, offset)).fetchone()
    return None if row is None else int(row[0])


def _shard_of(conn: sqlite3.Connection, corpus: Corpus, row_id: int) -> Shard | None:
    return next((each for each in shards(conn, corpus) if each.first_id <= row_id <= each.last_id), None)


def _words_of(conn: sqlite3.Connection, corpus: Corpus, row_id: int) -> tuple[str, str] | None:
    """Return what of a row is indexed; None when it has no text."""
    query = f"SELECT text, {_WHO} FROM {corpus.table} WHERE id = ? AND text <> ''"  # noqa: S608 - constants
    row: tuple[str, str] | None = conn.execute(query, (row_id,)).fetchone()
    return row
