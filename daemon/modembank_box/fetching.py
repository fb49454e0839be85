"""Fetching an update by HTTPS: what is there already is not fetched again, and what was interrupted goes on."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.orders import LARGEST_BUNDLE
from modembank_box.progress import free_octets
from modembank_box.states import read_state, write_whole

SPARE = 256 << 20
"""Octets that stay free for messages."""
_PIECE = 1 << 20
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Fetch:
    """``address`` into a file in ``folder``."""

    address: str
    folder: Path
    largest: int = LARGEST_BUNDLE
    spare: int = SPARE

    @property
    def file(self) -> Path:
        """Where it goes; whole once fetch() returned true."""
        return self.folder / "fetched.raucb"

    def fetch(self) -> bool:
        """Return whether there is something new, and then all of it. Raises BoxError; a next call goes on."""
        known = read_state(self._notes)
        if known.get("whole") is True and self.file.exists():
            return True  # the power went before anything was done with it
        part = self.file.stat().st_size if self.file.exists() else 0
        headers = {"User-Agent": "modembank-box"}
        tag = str(known.get("tag", ""))
        if tag and part:
            headers |= {"Range": f"bytes={part}-", "If-Range": tag}
        elif known.get("done"):
            headers |= {"If-None-Match": str(known["done"])}
        request = urllib.request.Request(self.address, headers=headers)  # noqa: S310 - https only, by the settings
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=ssl.create_default_context()), _Https()
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                self._take(answer, part if answer.status == 206 else 0)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return False
                if error.code == 416:  # the server has less than we have
                    self.forget()
                message = f"{self.address} answers {error.code}"
                raise BoxError(message) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            message = f"{self.address} cannot be fetched: {error}"
            raise BoxError(message) from error
        return True

    def forget(self) -> None:
        """Remove what was fetched; what was whole is not fetched a second time."""
        known = read_state(self._notes)
        self.file.unlink(missing_ok=True)
        self._note(done=str(known.get("tag" if known.get("whole") is True else "done", "")))

    def _take(self, answer: http.client.HTTPResponse, part: int) -> None:
        length = answer.headers.get("Content-Length")
        if length is None or not length.isdigit():
            message = f"{self.address} does not say how large it is"
            raise BoxError(message)
        whole = part + int(length)
        if whole > self.largest:
            message = f"{self.address} is larger than {self.largest} octets"
            raise BoxError(message)
        if free_octets(self.folder) < int(length) + self.spare:
            message = f"there is no room for {self.address}: {int(length) + self.spare >> 20} MiB are needed"
            raise BoxError(message)
        tag = answer.headers.get("ETag", "")
        tag = "" if tag.startswith("W/") else tag[:200]
        self._note(tag)
        opened = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.truncate(part)
            file.seek(part)
            while part < whole and (piece := answer.read(min(_PIECE, whole - part))):
                file.write(piece)
                part += len(piece)
            file.flush()
            os.fsync(file.fileno())
        if part < whole:
            message = f"{self.address} ended after {part} of {whole} octets"
            raise BoxError(message)
        self._note(tag, whole=True)

    @property
    def _notes(self) -> Path:
        return self.folder / "fetched.json"

    def _note(self, tag: str = "", done: str = "", *, whole: bool = False) -> None:
        write_whole(self._notes, json.dumps({"tag": tag, "done": done, "whole": whole}).encode() + b"\n", 0o600)


class _Https(urllib.request.HTTPRedirectHandler):
    """Follows to HTTPS only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if not newurl.startswith("https://"):
            raise urllib.error.HTTPError(newurl, code, "leads away from https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
