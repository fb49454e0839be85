"""The certificate and the key that the daemon takes, and how the next start knows that they are still right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from modembank_box.places import Places
from modembank_box.states import read_state, write_state, write_whole


class Served:
    """Lays them where the daemon finds them.

    To judge a certificate takes a slow computer many seconds, in which there would be no pages. So what was judged is
    remembered together with a digest of the files that it was judged by, and laid again while they are the same; a look
    at names and dates follows while the daemon runs.
    """

    def __init__(self, places: Places) -> None:
        """Use the box's places; nothing is read or written yet."""
        self.own = places.boot / "tls.crt", places.boot / "tls.key"
        self.kept = places.data / "tls/box.crt", places.data / "tls/box.key"
        self._certificate, self._key = places.run / "tls.crt", places.root / "run/credstore/modembank.tls.key"
        self._state = places.state("certificate")
        self._memory = places.data / "tls/judged.json"

    def put(self, certificate: bytes, key: bytes, told: Mapping[str, Any]) -> str:
        """Lay both, and tell of them; return what the daemon has to do: "", "reload", or "restart".

        ``told`` is the state ``certificate``; its ``own`` says whether they are the owner's.
        """
        to_do = self._lay(certificate, key)
        write_state(self._state, told)
        memory = {"of": self._digest(), "told": dict(told)}
        if read_state(self._memory) != memory:
            write_whole(self._memory, json.dumps(memory).encode(), 0o600)
        return to_do

    def put_again(self) -> bool:
        """Lay what was judged before, if the files are those of then; else return False. Raises OSError."""
        memory = read_state(self._memory)
        told = memory.get("told")
        if not isinstance(told, dict) or memory.get("of") != self._digest():
            return False
        certificate, key = self.own if told.get("own") else self.kept
        self._lay(certificate.read_bytes(), key.read_bytes())
        write_state(self._state, told)
        return True

    def _lay(self, certificate: bytes, key: bytes) -> str:
        former, former_key = content(self._certificate), content(self._key)
        self._certificate.parent.mkdir(parents=True, exist_ok=True)
        self._key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if former_key != key:
            write_whole(self._key, key, 0o600)
        if former != certificate:
            write_whole(self._certificate, certificate)
        return "restart" if former_key != key else "reload" if former != certificate else ""

    def _digest(self) -> str:
        """Return what is another when one of the files is, or is there and was not."""
        found = [content(path) if path.is_file() else None for path in (*self.own, *self.kept)]
        return sha256(b"".join(b"-" if one is None else b"%d:%b" % (len(one), one) for one in found)).hexdigest()


def content(path: Path) -> bytes:
    """Return what is in a file; nothing where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
