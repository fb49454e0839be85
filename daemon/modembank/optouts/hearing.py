"""Hearing an opt-out in what came in: inside the transaction that puts the message into the inbox."""

from __future__ import annotations

import re
import sqlite3

import msgspec

from modembank.optouts.keywords import Keywords, Meaning
from modembank.optouts.model import Change, Source
from modembank.optouts.rows import is_out
from modembank.optouts.writing import ask, change

_NUMBER = re.compile(r"\+[0-9]{7,20}")
_MAY_BE_NUMBER = re.compile(r"[0-9]{7,20}")
"""Without country code, and the box knows no region to complete it with."""


class Inbound(msgspec.Struct, frozen=True):
    """An inbound message; ``number`` as recipients are stored, ``at`` unix milliseconds."""

    id: int
    number: str
    text: str
    whole: bool
    """No part of it is missing."""
    owner: int | None
    at: int


def hear(conn: sqlite3.Connection, keywords: Keywords, message: Inbound) -> Change | None:
    """Do what an inbound message asks for, and return what has changed; None: nothing has.

    Short codes and sender names are not heard: nobody writes to a name, and a service does not change its mind.
    """
    known = _NUMBER.fullmatch(message.number) is not None
    if not known and not _MAY_BE_NUMBER.fullmatch(message.number):
        return None
    heard = keywords.hear(message.text)
    if heard.meaning is Meaning.NOTHING:
        return None
    if heard.meaning is not Meaning.REVIEW and message.whole and known:
        wanted = Change(
            message.number,
            heard.meaning is Meaning.STOP,
            message.at,
            Source.KEYWORD,
            keyword=heard.keyword,
            inbox_id=message.id,
            owner=message.owner,
        )
        return wanted if change(conn, wanted) else None
    if heard.meaning is not Meaning.START and not is_out(conn, message.number):
        ask(conn, message.id, message.number, heard.keyword, message.at, message.owner)
    return None
