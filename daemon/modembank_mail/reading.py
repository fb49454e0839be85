"""A mail as it came, and what of it is to be sent. Pure; whatever is in it was written by anybody."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from typing import Literal

import msgspec

from modembank.errors import ModembankError
from modembank_mail.cutting import own_words, tidy, unflowed
from modembank_mail.markup import text_of_html

Subject = Literal["body", "subject", "both"]
MOST_PARTS = 100
"""Parts of a mail that are looked at."""
MOST_NESTED = 50
"""Parts that have parts."""
MOST_TEXT = 64 * 1024
"""Characters of a part that are looked at: no message is so long, and reading markup takes time."""
_ID = re.compile(r"[\x21-\x7e]{1,998}")


class Unusable(ModembankError):
    """A mail that can be no message; the text says why and what would be right."""

    key = "unusable_mail"
    template = "{why}"


class Read(msgspec.Struct, frozen=True):
    """What was found in a mail."""

    text: str
    """Never empty."""
    message_id: str
    """Empty when it has none."""


def read_mail(octets: bytes, subject: Subject, *, cut_quotes: bool) -> Read:
    """Return what of a mail is to be sent. Raises Unusable."""
    if octets.count(b"boundary=") > MOST_NESTED:  # the library takes seconds for thousands
        raise Unusable(why="the mail has parts within parts within parts: send the text alone")
    try:
        mail = message_from_bytes(octets, policy=compat32)
        _refuse_automata(mail)
        title = "" if subject == "body" else " ".join(_decoded(mail.get("Subject", "")).split())
        body = "" if subject == "subject" else _body(mail, cut_quotes=cut_quotes)
    except (RecursionError, MessageError) as error:
        raise Unusable(why="the mail cannot be read: it is nested too deeply, or broken") from error
    text = "\n".join(part for part in (title, body) if part)
    if not text:
        where = {"body": "no text", "subject": "no subject", "both": "neither a subject nor a text"}[subject]
        raise Unusable(why=f"the mail has {where}, so there is nothing to send")
    named = str(mail.get("Message-ID", "")).strip()
    return Read(text, named if _ID.fullmatch(named) else "")


def _refuse_automata(mail: Message) -> None:
    """Machines that answer machines would do so for ever (RFC 3834 5); alerts of machines are welcome."""
    auto = str(mail.get("Auto-Submitted", "")).partition(";")[0].strip().lower()
    if auto == "auto-replied" or mail.get("X-Autoreply") is not None or mail.get("X-Autorespond") is not None:
        raise Unusable(why="automatic replies do not become messages")
    if mail.get_content_type() == "multipart/report":
        raise Unusable(why="reports of mail servers do not become messages")


def _body(mail: Message, *, cut_quotes: bool) -> str:
    part = _part(mail, "text/plain")
    if part is not None:
        text = _decoded_part(part)
        if str(part.get_param("format", "")).lower() == "flowed":
            text = unflowed(text, delsp=str(part.get_param("delsp", "")).lower() == "yes")
    else:
        part = _part(mail, "text/html")
        if part is None:
            return ""
        text = text_of_html(_decoded_part(part), quotes=not cut_quotes)
    return tidy(own_words(text) if cut_quotes else text)


def _part(mail: Message, kind: str) -> Message | None:
    for number, part in enumerate(mail.walk()):
        if number >= MOST_PARTS:
            break
        if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
            return part
    return None


def _decoded_part(part: Message) -> str:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return ""
    text = _text(octets, part.get_content_charset() or "utf-8")[:MOST_TEXT]
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(header: object) -> str:
    """Return a header's words, in whatever letters (RFC 2047)."""
    try:
        found = decode_header(str(header))
    except (MessageError, ValueError):
        return str(header)
    return "".join(part if isinstance(part, str) else _text(part, charset or "utf-8") for part, charset in found)


def _text(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):  # a charset of its own invention, or none of texts
        return octets.decode("utf-8", "replace")
