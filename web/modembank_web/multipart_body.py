"""Forms with a file in them (RFC 7578): fields are small and few, the file is written away as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from email.message import Message
from typing import Generic, Protocol, TypeVar

from litestar.types import Receive
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from modembank.errors import FieldProblem, InvalidRequest
from modembank_web.reading import BodyTooLarge, BodyTooSlow, ClientGone, UnsupportedMediaType

MEDIA = "multipart/form-data"
FILE_FIELD = "file"
FIELDS_OCTETS = 262_144
"""Of all fields but the file."""
MOST_PARTS = 64
CHUNK_WAIT_S = 30.0
"""How long a client may send nothing."""
WHOLE_WAIT_S = 1_800.0

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Sink(Protocol[T_co]):
    """Where a file goes."""

    async def write(self, octets: bytes) -> None:
        """Take some of it."""

    async def received(self) -> T_co:
        """Return it whole."""

    def discard(self) -> None:
        """Forget it."""


async def read_form(
    receive: Receive, headers: Mapping[bytes, bytes], open_file: Callable[[str], Sink[T]], limit: int
) -> tuple[dict[str, str], T]:
    """Return the fields, and the file as its sink gives it; ``limit`` is for the whole body in octets.

    Raises UnsupportedMediaType, InvalidRequest, BodyTooLarge, BodyTooSlow, ClientGone, and what the sink raises; then
    nothing is left of the file.
    """
    boundary = _boundary(headers)
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit=limit)
    form: _Form[T] = _Form(open_file)
    try:
        async with asyncio.timeout(WHOLE_WAIT_S):
            with PushMultipartParser(boundary, max_segment_count=MOST_PARTS, max_header_size=4_096) as parser:
                async for chunk in pieces(receive, limit):
                    for event in parser.parse(chunk):
                        await form.take(event)
        return form.fields, await form.file()
    except MultipartError as error:
        raise InvalidRequest(FieldProblem("", f"is no form that can be read: {error}")) from error
    except TimeoutError:
        raise BodyTooSlow(seconds=round(WHOLE_WAIT_S)) from None
    finally:
        form.close()


class _Form(Generic[T]):
    """Gathers the parts of one form."""

    def __init__(self, open_file: Callable[[str], Sink[T]]) -> None:
        self.fields: dict[str, str] = {}
        self._open_file = open_file
        self._sink: Sink[T] | None = None
        self._whole = False
        self._name = ""
        self._value = bytearray()
        self._octets = 0

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """Take what the parser says: a part begins, some of it, it ends."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self._name == FILE_FIELD:
            assert self._sink is not None
            await self._sink.write(bytes(event))
        else:
            self._octets += len(event)
            if self._octets > FIELDS_OCTETS:
                raise BodyTooLarge(limit=FIELDS_OCTETS)
            self._value += event

    async def file(self) -> T:
        """Return the file; raises InvalidRequest when there is none."""
        if self._sink is None:
            raise InvalidRequest(FieldProblem(f"/{FILE_FIELD}", "is required: the file to read"))
        received = await self._sink.received()
        self._whole = True
        return received

    def close(self) -> None:
        """Forget a file that is not to be used."""
        if self._sink is not None and not self._whole:
            self._sink.discard()

    def _begin(self, part: MultipartSegment) -> None:
        self._name, self._value = part.name, bytearray()
        if self._name in self.fields or (self._name == FILE_FIELD and self._sink is not None):
            raise InvalidRequest(FieldProblem(f"/{_escaped(self._name)}", "is given twice"))
        if self._name == FILE_FIELD:
            self._sink = self._open_file(_plain_name(part.filename or FILE_FIELD))

    def _end(self) -> None:
        if self._name == FILE_FIELD:
            return
        try:
            self.fields[self._name] = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest(FieldProblem(f"/{_escaped(self._name)}", "is not UTF-8 text")) from None


async def pieces(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Yield a body as it comes; raises BodyTooLarge, BodyTooSlow, ClientGone."""
    size, more = 0, True
    while more:
        try:
            async with asyncio.timeout(CHUNK_WAIT_S):
                event = await receive()
        except TimeoutError:
            raise BodyTooSlow(seconds=round(CHUNK_WAIT_S)) from None
        if event["type"] != "http.request":
            raise ClientGone
        size += len(event["body"])
        if size > limit:
            raise BodyTooLarge(limit=limit)
        if event["body"]:
            yield event["body"]
        more = event["more_body"]


def _boundary(headers: Mapping[bytes, bytes]) -> str:
    if b"content-encoding" in headers:
        raise UnsupportedMediaType(why="the body must not be compressed")
    parsed = Message()
    parsed["content-type"] = headers.get(b"content-type", b"").decode("latin-1")
    boundary = parsed.get_param("boundary")
    if parsed.get_content_type() != MEDIA or not isinstance(boundary, str) or not 1 <= len(boundary) <= 70:
        raise UnsupportedMediaType(why=f"the body must be {MEDIA} with a boundary")
    return boundary


def _plain_name(name: str) -> str:
    """Return the last part of a file's name, without what cannot be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:200] or FILE_FIELD


def _escaped(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901), bounded."""
    return name[:80].replace("~", "~0").replace("/", "~1")
