"""What a client sends, read strictly: bounded bodies, JSON without surprises, and problems that name their field."""

from __future__ import annotations

import asyncio
import enum
import json
import re
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive

from modembank.errors import FieldProblem, InvalidRequest, ModembankError

BODY_LIMIT = 10_000_000
"""Octets of one request's body; a file of recipients is another matter."""
BODY_WAIT_S = 30.0
"""How long a client may take to send the rest of a body that has begun."""
QUERY_LIMIT = 8_192

T = TypeVar("T")

_PATH = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_BYTE = re.compile(r"(?P<what>.*) \(byte (?P<byte>\d+)\)")
_NOT_UTF8 = "is not JSON: its text is not UTF-8"
_TOO_DEEP = "is nested too deeply"
_read, _write, _compact = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode, msgspec.json.format
_BOM = b"\xef\xbb\xbf"


class BodyTooLarge(ModembankError):
    """The request's body exceeds what this operation takes."""

    key = "payload_too_large"
    template = "the body is larger than {limit} octets"


class UnsupportedMediaType(ModembankError):
    """The body is not in a form this operation reads."""

    key = "unsupported_media_type"
    template = "{why}"


class BodyTooSlow(ModembankError):
    """The body did not arrive in time."""

    key = "request_timeout"
    template = "the body did not arrive within {seconds} seconds"


class ClientGone(ModembankError):
    """The client closed the connection before its request was complete."""

    key = "client_gone"
    template = "the connection was closed before the body was complete"


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit: int = BODY_LIMIT) -> bytes:
    """Return the whole body; raises BodyTooLarge, BodyTooSlow, ClientGone."""
    declared = headers.get(b"content-length")
    if declared is not None and len(declared) > 3 and int(declared) > limit:
        raise BodyTooLarge(limit=limit)
    event = await receive()
    if event["type"] == "http.request" and not event["more_body"]:
        body = event["body"]
        if len(body) > limit:
            raise BodyTooLarge(limit=limit)
        return body
    first = event["body"] if event["type"] == "http.request" else None
    if first is None:
        raise ClientGone
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            return await _rest(receive, first, limit)
    except TimeoutError:
        raise BodyTooSlow(seconds=round(BODY_WAIT_S)) from None


async def _rest(receive: Receive, first: bytes, limit: int) -> bytes:
    chunks, size = [first], len(first)
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientGone
        size += len(event["body"])
        if size > limit:
            raise BodyTooLarge(limit=limit)
        chunks.append(event["body"])
        if not event["more_body"]:
            return b"".join(chunks)


def check_json_media(headers: Mapping[bytes, bytes]) -> None:
    """Raise UnsupportedMediaType unless the body is declared as plain JSON (or not declared at all)."""
    media = headers.get(b"content-type", b"application/json")
    if media != b"application/json":
        name = media.partition(b";")[0].strip().lower()
        if name != b"application/json":
            shown = name.decode("latin-1")[:60] or "nothing"
            raise UnsupportedMediaType(why=f"the body must be application/json, not {shown}")
    if b"content-encoding" in headers:
        raise UnsupportedMediaType(why="the body must not be compressed")


class JsonBody(Generic[T]):
    """Decodes one kind of JSON body; a shape that does not forbid unknown fields is one that others may extend."""

    def __init__(self, shape: type[T]) -> None:
        """Prepare the decoder of a msgspec Struct."""
        self.shape = shape
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes) -> T:
        """Decode; raises InvalidRequest naming every field that is wrong, or line and column of a syntax error."""
        try:
            value = self._decode(body)
            _refuse_repeated_names(body)
        except msgspec.ValidationError as error:
            raise self._explained(body, str(error)) from error
        except msgspec.DecodeError as error:
            raise _syntax_problem(body, str(error)) from error
        except UnicodeDecodeError as error:
            raise _whole(_NOT_UTF8) from error
        except RecursionError as error:
            raise _whole(_TOO_DEEP) from error
        return value

    def _explained(self, body: bytes, first: str) -> InvalidRequest:
        try:
            given = _read(body)
        except (msgspec.ValidationError, UnicodeDecodeError, RecursionError):  # a number without end, or worse
            return InvalidRequest(FieldProblem(*_place_and_words(first)))
        except msgspec.DecodeError as error:
            return _syntax_problem(body, str(error))
        if not isinstance(given, dict):
            return InvalidRequest(FieldProblem("", "must be a JSON object"))
        tolerant = not self.shape.__struct_config__.forbid_unknown_fields  # type: ignore[attr-defined]
        return InvalidRequest(
            *(field_problems(self.shape, given, tolerant=tolerant) or [FieldProblem(*_place_and_words(first))])
        )


def field_problems(
    shape: type[Any], given: Mapping[str, object], *, strict: bool = True, tolerant: bool = False
) -> list[FieldProblem]:
    """Return what is wrong with the fields of an object that is to become ``shape``: missing, unknown, or mistyped.

    ``tolerant`` passes over unknown ones.
    """
    known = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    problems = [
        FieldProblem(f"/{name}", "is required") for name, f in known.items() if f.required and name not in given
    ]
    for name, value in given.items():
        field = known.get(name)
        if field is None:
            if tolerant:
                continue
            problems.append(FieldProblem(f"/{_escaped(name)}", f"is not known; known are: {', '.join(known)}"))
            continue
        try:
            msgspec.convert(value, field.type, strict=strict)
        except msgspec.ValidationError as error:
            inner, words = _place_and_words(str(error))
            problems.append(FieldProblem(f"/{name}{inner}", words + _allowed(field.type, inner, words)))
        if len(problems) >= 50:
            break
    return problems


def _allowed(annotation: object, inner: str, words: str) -> str:
    """Return the values that a choice has, or the names that an object has, when another one was given.

    ``inner`` is the pointer to it within what the annotation is of.
    """
    if words.startswith("invalid enum value"):
        values = [value for shape in _meant(annotation, inner) for value in _choices(shape)]
        return f"; allowed: {', '.join(values)}" if values else ""
    if words.startswith("object contains unknown field"):
        names = [name for shape in _meant(annotation, inner) for name in _fields(shape)]
        return f"; known are: {', '.join(names)}" if names else ""
    return ""


def _meant(annotation: object, inner: str) -> list[object]:
    """Return the types that what a pointer leads to may have."""
    shapes = _shapes(annotation)
    for name in inner.split("/"):
        deeper = [fields[name].type for shape in shapes if name in (fields := _fields(shape))]
        shapes = [shape for found in deeper for shape in _shapes(found)] or shapes
    return shapes


def _shapes(annotation: object) -> list[object]:
    """Return a type and all that it is made of: of ``Sequence[Literal[...]] | None`` the Literal too."""
    if get_origin(annotation) is Literal:
        return [annotation]
    return [annotation, *(shape for part in get_args(annotation) for shape in _shapes(part))]


def _fields(shape: object) -> Mapping[str, msgspec.structs.FieldInfo]:
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return {field.encode_name: field for field in msgspec.structs.fields(shape)}
    return {}


def _choices(shape: object) -> list[str]:
    if get_origin(shape) is Literal:
        return [str(value) for value in get_args(shape)]
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return [str(member.value) for member in shape]
    return []


def read_query(query: bytes, shape: type[T]) -> T:
    """Decode a query string into a Struct; raises InvalidRequest for unknown, repeated and mistyped parameters."""
    if not query:
        return msgspec.convert({}, shape)
    if len(query) > QUERY_LIMIT:
        raise InvalidRequest(FieldProblem("", f"the query is longer than {QUERY_LIMIT} octets"))
    given: dict[str, object] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in given:
            raise InvalidRequest(FieldProblem(f"/{_escaped(name)}", "is given twice"))
        given[name] = value
    problems = field_problems(shape, given, strict=False)
    if problems:
        raise InvalidRequest(*problems)
    return msgspec.convert(given, shape, strict=False)


def _refuse_repeated_names(body: bytes) -> None:
    """Refuse a name given twice in one object: which one counts would depend on who reads it (RFC 8259 clause 4).

    Most bodies are the same octets when written again without spaces, which is found out five times faster than by
    looking at every name.
    """
    if _compact(body, indent=-1) != _write(_read(body)):
        json.loads(body, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(FieldProblem(f"/{_escaped(repeated)}", "is given twice"))
    return found


def _syntax_problem(body: bytes, message: str) -> InvalidRequest:
    if not body.strip():
        return _whole("a JSON body is needed")
    if body.startswith(_BOM):
        return _whole("is not JSON: it starts with a byte order mark")
    found = _BYTE.fullmatch(message)
    offset = int(found["byte"]) if found else len(body)
    what = (found["what"] if found else message).removeprefix("JSON is malformed: ")
    if what == "Input data was truncated":
        what = "it ends too early"
    before = body[:offset]
    line, column = before.count(b"\n") + 1, offset - before.rfind(b"\n")
    return _whole(f"is not JSON: {what} (line {line}, column {column})")


def _whole(detail: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("", detail))


def _place_and_words(message: str) -> tuple[str, str]:
    """Return the JSON pointer behind msgspec's path (``$[3]`` is ``/3``) and its sentence in ours."""
    found = _PATH.fullmatch(message)
    if found is None:  # the pattern matches any text
        return "", message
    pointer = "".join(f"/{name}" for name in re.findall(r"[\w-]+", found["path"] or ""))
    words = found["what"].replace("`", "")
    return pointer, words[:1].lower() + words[1:300]


def _escaped(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901), bounded."""
    return name[:80].replace("~", "~0").replace("/", "~1")
