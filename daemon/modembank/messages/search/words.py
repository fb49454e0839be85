"""What a person asks for, as the index is asked: words that all must be there, "a phrase", and the beginn* of a word.

Everything else is literal: each piece is handed to FTS5 in quotes, so that nothing in it is ever its syntax.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import NoReturn

from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages.search.corpora import TOKENIZER

MOST_CHARACTERS = 200
MOST_PIECES = 20
SHORTEST_PREFIX = 2
"""Letters; what begins with one letter is nearly everything."""
_PIECE = re.compile(r'"([^"]*)"(\*?)|(\S+)')
_AS_QUOTES = str.maketrans({**dict.fromkeys("“”„", '"'), "\0": " "})  # FTS5 reads up to the first NUL


def match_of(wanted: str) -> str:
    """Return an FTS5 expression; raises InvalidRequest, at ``/q``, for what cannot be looked for."""
    if len(wanted) > MOST_CHARACTERS:
        _refuse(f"may have {MOST_CHARACTERS} characters at most")
    try:
        wanted.encode()
    except UnicodeEncodeError:
        _refuse("is no text")
    pieces = [_piece(found) for found in _PIECE.finditer(wanted.translate(_AS_QUOTES))]
    tokens = _tokens(text for text, _ in pieces)
    asked = [(*piece, of_it) for piece, of_it in zip(pieces, tokens, strict=True) if of_it]
    if not asked:
        _refuse("needs a word or a number to look for: signs alone are not found")
    if len(asked) > MOST_PIECES:
        _refuse(f"may have {MOST_PIECES} words at most")
    for _, prefix, of_it in asked:
        if prefix and len(of_it[-1]) < SHORTEST_PREFIX:
            _refuse(f"needs {SHORTEST_PREFIX} letters or more before *, and has {of_it[-1]!a}")
    return " AND ".join(_quoted(text) + ("*" if prefix else "") for text, prefix, _ in asked)


def matching(rows: Iterable[tuple[int, str]], match: str) -> list[int]:
    """Return the ids of those rows that match, the greatest first; the rows come by ascending ids."""
    with closing(_scratch()) as conn:
        conn.executemany("INSERT INTO t (rowid, text) VALUES (?, ?)", rows)
        return [row[0] for row in conn.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rowid DESC", (match,))]


def _piece(found: re.Match[str]) -> tuple[str, bool]:
    phrase, star, word = found.groups()
    if phrase is not None:
        return phrase, bool(star)
    return word, word.endswith("*")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _tokens(texts: Iterable[str]) -> Sequence[Sequence[str]]:
    """Return the words of each text as the index sees them: only its tokenizer knows."""
    given = list(texts)
    found: list[list[str]] = [[] for _ in given]
    with closing(_scratch()) as conn:
        conn.executemany("INSERT INTO t (rowid, text) VALUES (?, ?)", enumerate(given, 1))
        conn.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
        for term, row in conn.execute("SELECT term, doc FROM v ORDER BY doc, offset"):
            found[row - 1].append(term)
    return found


def _scratch() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    conn.execute(f"CREATE VIRTUAL TABLE t USING fts5(text, content = '', columnsize = 0, {TOKENIZER})")
    conn.execute("BEGIN")
    return conn


def _refuse(detail: str) -> NoReturn:
    raise InvalidRequest(FieldProblem("/q", detail))
