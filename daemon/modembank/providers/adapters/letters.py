"""Mails as they go over the wire: plain text in UTF-8, and nothing in a header that somebody else wrote. No I/O."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

MOST_SUBJECT = 200
"""Characters of a subject."""
BEGINNING = 60
"""Characters of a text that become the subject of a mail without one."""
_POLICY = SMTP.clone(cte_type="7bit")
_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Letter(msgspec.Struct, frozen=True):
    """A mail to be, to one address. Addresses are as ``mail_address`` returns them."""

    id: str
    """As ``message_id`` returns it."""
    sender: str
    to: str
    subject: str
    text: str
    at: float
    """Unix seconds."""
    sender_name: str = ""
    reply_to: str = ""


def message_id(key: str, sender: str) -> str:
    """Return a Message-ID in its angle brackets: the same for the same key and sender, whatever the key is made of."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<{digest[:40]}.modembank@{sender.rpartition('@')[2]}>"


def beginning(text: str) -> str:
    """Return the first words of a text, at most ``BEGINNING`` characters: what a mail without a subject is called."""
    line = one_line(text)
    if len(line) <= BEGINNING:
        return line
    cut = line[:BEGINNING]
    return (cut.rpartition(" ")[0] if " " in cut[BEGINNING // 2 :] else cut) + "…"


def one_line(text: str) -> str:
    """Return a text without line ends and controls, which would begin another header."""
    return _BLANK.sub(" ", _writable(text)).strip()


def octets(letter: Letter) -> bytes:
    """Return the whole mail, lines ended by CRLF and none longer than SMTP carries, with 7-bit octets alone."""
    made = EmailMessage(policy=_POLICY)
    made["From"] = _named(letter.sender_name, letter.sender)
    made["To"] = _named("", letter.to)
    if letter.reply_to:
        made["Reply-To"] = _named("", letter.reply_to)
    made["Subject"] = one_line(letter.subject)[:MOST_SUBJECT]
    made["Date"] = format_datetime(datetime.fromtimestamp(letter.at, UTC))
    made["Message-ID"] = letter.id
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine is to answer
    made.set_content(_body(letter.text))
    whole = made.as_bytes()
    return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def _named(name: str, address: str) -> Address:
    return Address(one_line(name), addr_spec=address)


def _body(text: str) -> str:
    return _CONTROLS.sub("", _ENDS.sub("\n", _writable(text)))


def _writable(text: str) -> str:
    """Return a text without halves of characters, which have no place in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
