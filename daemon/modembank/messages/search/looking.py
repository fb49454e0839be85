"""Looking for words, newest first: through what is not indexed yet, then shard by shard, and never for long."""

from __future__ import annotations

import sqlite3
import time

import msgspec

from modembank.messages.search.corpora import Corpus, Shard, shards, watermark
from modembank.messages.search.words import matching

TAIL_LIMIT = 4_000
"""Rows looked through that are not indexed; usually all there are."""
HITS_LIMIT = 300
"""Hits looked at for one page, of which some may not be wanted: each may lie on another page of the file."""
LOOK_S = 0.25
"""After so long a page ends with the shard in hand: common words that never meet take time to tell so."""


class Hunt(msgspec.Struct, frozen=True):
    """What to look for where: ``match`` is of ``match_of``, ``fits`` an SQL expression on the corpus's columns."""

    corpus: Corpus
    match: str
    fits: str
    values: tuple[object, ...]
    user_id: int | None = None
    """Whose rows alone are looked for, which ``fits`` must say as well; None: anybody's."""

    @property
    def in_shard(self) -> str:
        """The expression with whose rows they are to be."""
        text = f"text : ({self.match})"
        return text if self.user_id is None else f"{text} AND who : u{self.user_id}"


def hunt(conn: sqlite3.Connection, wanted: Hunt, before: int, needs: int) -> tuple[list[int], int]:
    """Return up to ``needs`` ids below ``before``, and the row down to which all was seen; 0: to the end."""
    known = shards(conn, wanted.corpus)
    water = known[0].last_id if known else 0
    found = _in_tail(conn, wanted, water, before)[:needs] if before > water + 1 else []
    if len(found) == needs:
        return found, found[-1]
    until = time.monotonic() + LOOK_S
    hits_left = max(HITS_LIMIT, needs)
    for shard in known:
        if shard.first_id >= before:
            continue
        hits = _in_shard(conn, wanted, shard, before, hits_left)
        for row, fits in hits:
            if fits:
                found.append(row)
                if len(found) == needs:
                    return found, row
        if len(hits) == hits_left:
            return found, hits[-1][0]
        hits_left -= len(hits)
        if time.monotonic() >= until and shard is not known[-1]:
            return found, shard.first_id
    return found, 0


def unsearched(conn: sqlite3.Connection, corpus: Corpus) -> int:
    """Return how many rows no search looks at yet, since they are still to be indexed."""
    if _edge(conn, corpus) <= watermark(conn, corpus):
        return 0
    total: int = conn.execute(corpus.total).fetchone()[0]
    return max(1, total - sum(shard.n for shard in shards(conn, corpus)) - TAIL_LIMIT)


def _edge(conn: sqlite3.Connection, corpus: Corpus) -> int:
    """Return the row above which the tail lies that is looked through; 0: all of it."""
    query = f"SELECT id FROM {corpus.table} NOT INDEXED ORDER BY id DESC LIMIT 1 OFFSET ?"  # noqa: S608 - a constant
    row = conn.execute(query, (TAIL_LIMIT,)).fetchone()
    return 0 if row is None else int(row[0])


def _in_tail(conn: sqlite3.Connection, wanted: Hunt, water: int, before: int) -> list[int]:
    rows = conn.execute(
        f"SELECT id, text FROM {wanted.corpus.table} NOT INDEXED"  # noqa: S608 - constants
        f" WHERE id > ? AND id < ? AND text <> '' AND {wanted.fits} ORDER BY id",
        (max(water, _edge(conn, wanted.corpus)), before, *wanted.values),
    )
    return matching(rows, wanted.match)


def _in_shard(conn: sqlite3.Connection, wanted: Hunt, shard: Shard, before: int, most: int) -> list[tuple[int, bool]]:
    return conn.execute(
        f"SELECT hit.row, {wanted.fits} FROM"  # noqa: S608 - constants and numbers
        f" (SELECT rowid AS row FROM {shard.table} WHERE {shard.table} MATCH ? AND rowid < ?"
        " ORDER BY rowid DESC LIMIT ?)"
        f" AS hit CROSS JOIN {wanted.corpus.table} ON id = hit.row ORDER BY hit.row DESC",
        (*wanted.values, wanted.in_shard, before, most),
    ).fetchall()
