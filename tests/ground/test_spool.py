"""A file on its way to the disk: whole and its owner's alone, or gone; never at the cost of others' room."""

from __future__ import annotations

import hashlib
import os
import shutil
from types import SimpleNamespace

import pytest

from modembank.errors import ModembankError
from modembank.spool import Spool, free_octets


class NoRoom(ModembankError):
    key = "store_full"
    template = "no room: {reason}"


def spool(path, reserve=0):
    return Spool(path, reserve, lambda reason: NoRoom(reason=reason))


@pytest.mark.parametrize("sizes", [[], [1], [1 << 20] * 3, [700_000] * 40])
async def test_what_was_written_is_there_and_told(tmp_path, sizes):
    path = tmp_path / "folder" / "file"
    one, whole = spool(path), b""
    for number, size in enumerate(sizes):
        part = bytes([number]) * size
        whole += part
        await one.write(part)
    await one.end()
    assert path.read_bytes() == whole
    assert one.hash.digest() == hashlib.sha256(whole).digest()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_much_is_not_left_to_the_end_to_be_synced(tmp_path, monkeypatch):
    synced, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), sync(fd)))
    one = spool(tmp_path / "file")
    for _ in range(40):
        await one.write(bytes(1 << 20))
    await one.end()
    assert synced == [16 << 20, 32 << 20, 40 << 20]


async def test_what_is_kept_for_others_is_not_taken_and_the_rest_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    one = spool(tmp_path / "file", reserve=3 << 20)
    await one.write(bytes(2 << 20))
    with pytest.raises(NoRoom, match="kept for messages"):
        await one.write(bytes((2 << 20) + 1))
    one.discard()
    one.discard()
    assert list(tmp_path.iterdir()) == []


def test_room_is_told_of_a_folder_that_has_to_be_made(tmp_path):
    assert free_octets(tmp_path / "not-yet") > 0
