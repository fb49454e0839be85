"""Bodies as HTML forms write them (``application/x-www-form-urlencoded``), read as strictly as JSON is."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, Union, get_args, get_origin
from urllib.parse import unquote_to_bytes

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank_web.reading import UnsupportedMediaType, field_problems

FORM = "application/x-www-form-urlencoded"
FORM_LIMIT = 256 * 1024
"""Octets of a form: a text of the most segments, each octet of it percent-encoded, is a third of that."""
MOST_PAIRS = 200
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

T = TypeVar("T")


def check_form_media(headers: Mapping[bytes, bytes]) -> None:
    """Raise UnsupportedMediaType unless the body is declared as a plain form (or not declared at all)."""
    name, _, parameters = headers.get(b"content-type", FORM.encode()).partition(b";")
    if name.strip().lower() != FORM.encode():
        shown = name.decode("latin-1").strip()[:60] or "nothing"
        raise UnsupportedMediaType(why=f"the body must be {FORM}, not {shown}")
    charset = parameters.strip().lower().partition(b"charset=")[2].strip(b' "')
    if charset not in {b"", b"utf-8", b"us-ascii"}:
        raise UnsupportedMediaType(why="the form must be in UTF-8")
    if b"content-encoding" in headers:
        raise UnsupportedMediaType(why="the body must not be compressed")


class FormBody(Generic[T]):
    """Decodes one kind of form.

    A name may come several times where the shape has a list for it, and once everywhere else: which of two values
    counts would depend on who reads them.
    """

    def __init__(self, shape: type[T]) -> None:
        """Prepare for a msgspec Struct that forbids unknown fields."""
        self.shape = shape
        fields: Any = msgspec.structs.fields(shape)  # type: ignore[arg-type]  # T is a Struct
        self._lists = frozenset(field.encode_name for field in fields if _takes_many(field.type))

    def read(self, body: bytes) -> T:
        """Decode; raises InvalidRequest naming every field that is wrong."""
        given: dict[str, Any] = {}
        problems: list[FieldProblem] = []
        for name, value in form_pairs(body):
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name in given:
                problems.append(FieldProblem(f"/{name[:80]}", "is given twice"))
            else:
                given[name] = value
        problems += field_problems(self.shape, given, strict=False)
        if problems:
            raise InvalidRequest(*problems[:50])
        return msgspec.convert(given, self.shape, strict=False)


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return names and values as they were written, decoded; raises InvalidRequest for what is no form."""
    pieces = [piece for piece in body.split(b"&") if piece]
    if len(pieces) > MOST_PAIRS:
        raise InvalidRequest(FieldProblem("", f"has more than {MOST_PAIRS} fields"))
    found = []
    for piece in pieces:
        if _BAD_PERCENT.search(piece):
            raise InvalidRequest(FieldProblem("", "is no form: a % is not followed by two hexadecimal digits"))
        name, _, value = piece.replace(b"+", b" ").partition(b"=")
        try:
            found.append((unquote_to_bytes(name).decode("utf-8"), unquote_to_bytes(value).decode("utf-8")))
        except UnicodeDecodeError:
            raise InvalidRequest(FieldProblem("", "is no form: its text is not UTF-8")) from None
    return found


def _takes_many(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return any(_takes_many(inner) for inner in get_args(annotation))
    return origin in {list, tuple, Sequence}
