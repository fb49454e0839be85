"""Files that wait until their owner has decided what to send: each under a token, with what was said of it so far.

They lie beside the files of mailings, with a note of JSON each. All functions touch the disk: run them in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from modembank.durable import sync
from modembank.ids import random_token
from modembank.mailings.model import Table
from modembank.mailings.requests import MailingRequest, Received

PREFIX = "draft-"
NOTE = ".json"
KEPT_MS = 86_400_000
"""A day after it came, a draft is deleted."""
MOST = 5
"""Drafts of one user; the oldest gives way."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what is to be done with it as far as its owner has said."""

    id: str
    user_id: int
    file: str
    """As the client calls it."""
    octets: int
    digest: bytes
    created_at: int
    """Unix milliseconds."""
    table: Table
    request: MailingRequest = MailingRequest()
    mailing: str | None = None
    """The mailing that became of it; then its file is gone."""

    @property
    def name(self) -> str:
        """Its file's name in the folder."""
        return PREFIX + self.id

    def expires_at(self) -> int:
        """Return when it is deleted."""
        return self.created_at + KEPT_MS


def keep(folder: Path, draft: Draft, token: str) -> None:
    """Make a received file a draft, durably."""
    (folder / token).rename(folder / draft.name)
    write(folder, draft)


def write(folder: Path, draft: Draft) -> None:
    """Note a draft as it is now, durably; its file must be there before."""
    note = folder / (draft.name + NOTE)
    fresh = note.with_suffix(f".{random_token(6)}.new")  # two may note one draft at once
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(draft))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(note)
    sync(folder)


def read(folder: Path, draft: str) -> Draft | None:
    """Return a draft, or None when there is none; what is not as it was written counts as none."""
    if not _TOKEN.fullmatch(draft):
        return None
    try:
        return msgspec.json.decode((folder / (PREFIX + draft + NOTE)).read_bytes(), type=Draft)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def all_of(folder: Path) -> list[Draft]:
    """Return all drafts, the newest first."""
    if not folder.is_dir():
        return []
    names = [path.name for path in folder.glob(f"{PREFIX}*{NOTE}")]
    found = [read(folder, name.removeprefix(PREFIX).removesuffix(NOTE)) for name in names]
    return sorted((one for one in found if one is not None), key=lambda one: one.created_at, reverse=True)


def lend(folder: Path, draft: Draft, token: str) -> Received:
    """Give a draft's file a second name, for what takes files away; raises FileNotFoundError."""
    os.link(folder / draft.name, folder / token)
    return Received(token, draft.file, draft.octets, draft.digest)


def delete(folder: Path, draft: Draft) -> None:
    """Forget one."""
    (folder / draft.name).unlink(missing_ok=True)
    (folder / (draft.name + NOTE)).unlink(missing_ok=True)


def sweep(folder: Path, now: int) -> Collection[str]:
    """Delete those that are a day old; return the names of the files that are still needed."""
    needed: set[str] = set()
    for draft in all_of(folder):
        if draft.expires_at() <= now:
            delete(folder, draft)
        else:
            needed |= {draft.name, draft.name + NOTE}
    return needed
