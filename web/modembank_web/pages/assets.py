"""What pages load besides themselves: made once, named by its content, kept by browsers for a year.

The style sheet and the script are kept as one file for each thing they are about, and served as one.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from modembank.errors import NotFound
from modembank_web.answer import Answer
from modembank_web.operation import Access, Call, Operation

FOLDER = "/ui/assets/"
_FILES = resources.files("modembank_web") / "static" / "ui"
_FOR_EVER = b"public, max-age=31536000, immutable"
_CSS, _JS, _SVG = b"text/css; charset=utf-8", b"text/javascript; charset=utf-8", b"image/svg+xml"


class Asset(msgspec.Struct, frozen=True):
    """One file as it is served."""

    name: str
    media: bytes
    content: bytes
    packed: bytes


class Assets:
    """All files, read when the first is asked for."""

    def path(self, name: str) -> str:
        """Return where a file is served: ``app.css`` as ``/ui/assets/app.0123abcd.css``."""
        return FOLDER + self._served[name].name

    @property
    def packed_octets(self) -> int:
        """How much a first visit loads of all files together."""
        return sum(len(one.packed) for one in self._served.values())

    async def answer(self, call: Call) -> Answer:
        """Answer a file; raises NotFound, also for an older content's name."""
        asset = self._by_name.get(call.path("name"))
        if asset is None:
            raise NotFound(what="file", which=repr(call.path("name")[:100]))
        vary = (b"vary", b"accept-encoding")
        if b"gzip" in call.headers.get(b"accept-encoding", b""):
            extra = ((b"content-encoding", b"gzip"), vary)
            return Answer(asset.packed, 200, asset.media, extra, cache=_FOR_EVER)
        return Answer(asset.content, 200, asset.media, (vary,), cache=_FOR_EVER)

    @cached_property
    def _served(self) -> dict[str, Asset]:
        css, js = _FILES / "css", _FILES / "js"
        parts = [css / name for name in ("tokens.css", "base.css", "layout.css")]
        return {
            "app.css": _asset("app.css", _CSS, _joined([*parts, *_of(css / "components"), *_of(css / "pages")])),
            "app.js": _asset("app.js", _JS, _joined(_of(js))),
            "theme.js": _asset("theme.js", _JS, (_FILES / "theme.js").read_bytes()),
            "htmx.js": _asset("htmx.js", _JS, (_FILES / "htmx-2.0.11.min.js").read_bytes()),
            "icon.svg": _asset("icon.svg", _SVG, (_FILES / "icon.svg").read_bytes()),
        }

    @cached_property
    def _by_name(self) -> dict[str, Asset]:
        return {asset.name: asset for asset in self._served.values()}


def _of(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():  # no page has a style of its own: git keeps no empty folder
        return []
    return sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.name)


def _joined(files: list[Traversable]) -> bytes:
    return b"\n".join(file.read_bytes() for file in files)


def _asset(name: str, media: bytes, content: bytes) -> Asset:
    stem, _, kind = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:10]
    return Asset(f"{stem}.{digest}.{kind}", media, content, gzip.compress(content, 9, mtime=0))


ASSETS = Assets()
ASSET = Operation(
    "asset",
    "GET",
    f"{FOLDER}{{name}}",
    "Pages",
    "",
    "",
    ASSETS.answer,
    (),
    Access.OPEN,
    parameters={"name": ("", "")},
)
