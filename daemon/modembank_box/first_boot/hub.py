"""The hub's token: taken from the boot partition, which others can read, to the data partition, which is root's.

From there it goes to the daemon at each start, as a credential: the daemon presents it once.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from modembank_box import boot_files
from modembank_box.boot_partition import writable
from modembank_box.errors import BoxError
from modembank_box.first_boot.mistakes import Mistake
from modembank_box.first_boot.reading import Read
from modembank_box.places import Places
from modembank_box.states import write_whole

_TOKEN = re.compile(r"(?m)^[ \t]*token[ \t]*=.*$")
TAKEN = "# The token was taken by the box and removed from this file."


def take_token(places: Places, read: Read, hub: Mapping[str, Any]) -> list[Mistake]:
    """Write the hub's table to the data partition and the file without its token; return what went wrong."""
    write_whole(places.data / "box/hub.json", json.dumps(dict(hub)).encode(), 0o600)
    line = read.line("hub.token")
    way_out = "The box has it: remove the line yourself."
    left = _without_token(read)
    if left is None or read.path is None:
        return [Mistake(line, "hub.token", "could not be removed from the file", way_out)]
    try:
        with writable(places):
            boot_files.put(read.path, left.replace("\n", "\r\n").encode())
    except (OSError, BoxError) as error:
        return [Mistake(line, "hub.token", f"could not be removed from the file: {error}", way_out)]
    return []


def hand_over(places: Places) -> None:
    """Lay what was taken where systemd finds it for the daemon (ImportCredential=), which cannot read it here."""
    taken, given = places.data / "box/hub.json", places.root / "run/credstore/modembank.hub.token"
    try:
        content = taken.read_bytes()
    except OSError:
        given.unlink(missing_ok=True)
        return
    given.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(given, content, 0o600)


def _without_token(read: Read) -> str | None:
    """Return the text without its token and otherwise the same; None where that is not so easy."""
    left = _TOKEN.sub(TAKEN, read.text)
    try:
        after = tomllib.loads(left)
    except tomllib.TOMLDecodeError:
        return None
    before = read.content or {}
    wanted = before | {"hub": {name: value for name, value in before["hub"].items() if name != "token"}}
    return left if after == wanted else None
