"""Sids: how that API names accounts and messages.

A message's sid is made from the account's and the message's row, and read back: nothing has to be stored for it. It is
``SM``, 14 digits of the account's sid (so that two boxes do not name two messages alike), 2 digits for the kind, and
16 for the row id; all hexadecimal.
"""

from __future__ import annotations

import enum
import re
import secrets

_ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
_MESSAGE = re.compile(r"SM(?P<account>[0-9a-f]{14})(?P<kind>[0-9a-f]{2})(?P<row>[0-7][0-9a-f]{15})")


class Kind(enum.IntEnum):
    """Which of the two tables a message is in."""

    OUTBOUND = 1
    INBOUND = 2


def new_account_sid() -> str:
    """Return a random sid of an account."""
    return f"AC{secrets.token_hex(16)}"


def new_token() -> str:
    """Return a random auth token: 128 bits, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_account_sid(text: str) -> bool:
    """Whether a text has the form of an account's sid."""
    return _ACCOUNT.fullmatch(text) is not None


def message_sid(account: str, kind: Kind, row_id: int) -> str:
    """Return the sid under which an account knows a message."""
    return f"SM{account[2:16]}{kind:02x}{row_id:016x}"


def read_message_sid(account: str, sid: str) -> tuple[Kind, int] | None:
    """Return what a sid names, or None when it is none that ``message_sid`` made for this account."""
    found = _MESSAGE.fullmatch(sid)
    if found is None or found["account"] != account[2:16] or int(found["kind"], 16) not in set(Kind):
        return None
    return Kind(int(found["kind"], 16)), int(found["row"], 16)
