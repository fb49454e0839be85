"""Bodies and queries read strictly: what is wrong is named by its field, or by line and column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.types import HTTPReceiveMessage

from modembank.accounts import Scope
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages import SubmitRequest
from modembank_web.api.v1.messages import MessagesQuery
from modembank_web.reading import (
    BODY_LIMIT,
    BodyTooLarge,
    ClientGone,
    JsonBody,
    UnsupportedMediaType,
    check_json_media,
    read_body,
    read_query,
)

SUBMIT = JsonBody(SubmitRequest)
GOOD = {"to": "+447900900123", "text": "hello"}


def problems(body: bytes | dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        SUBMIT.read(body if isinstance(body, bytes) else json.dumps(body).encode())
    return [(problem.pointer, problem.detail) for problem in caught.value.problems]


def test_a_good_body() -> None:
    assert SUBMIT.read(json.dumps(GOOD).encode()) == SubmitRequest(to="+447900900123", text="hello")
    many = SUBMIT.read(b' {"to" : ["1","2"],\n"text":"\\u00e9\\"a\\":1", "priority":9}')
    assert (list(many.to), many.text, many.priority) == (["1", "2"], 'é"a":1', 9)


def test_every_wrong_field_is_named_not_only_the_first() -> None:
    found = dict(problems({"to": ["1", 2], "priority": "high", "flash": 1, "colour": "red", "a/b~c": 0}))
    assert set(found) == {"/text", "/to/1", "/priority", "/flash", "/colour", "/a~1b~0c"}
    assert found["/text"] == "is required"
    assert found["/to/1"] == "expected str, got int"
    assert found["/colour"].startswith("is not known; known are: to, text, channel, subject, reference")


def test_a_wrong_choice_is_answered_with_the_right_ones() -> None:
    found = dict(problems({**GOOD, "encoding": "latin1", "on_unknown": "drop"}))
    assert found["/encoding"] == "invalid enum value 'latin1'; allowed: auto, gsm7, ucs2"
    assert found["/on_unknown"] == "invalid enum value 'drop'; allowed: hold, resend"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """An object within another."""

    depth: int = 0
    colours: Sequence[Literal["red", "green"]] | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """What has choices and names further inside."""

    inner: Inner
    scopes: Sequence[Scope] = ()


def test_what_is_allowed_is_told_of_inner_fields_too() -> None:
    with pytest.raises(InvalidRequest) as caught:
        JsonBody(Outer).read(b'{"inner":{"width":1},"scopes":["messages:send","root"]}')
    found = {problem.pointer: problem.detail for problem in caught.value.problems}
    assert found["/inner"] == "object contains unknown field width; known are: depth, colours"
    assert found["/scopes/1"] == f"invalid enum value 'root'; allowed: {', '.join(scope.value for scope in Scope)}"
    with pytest.raises(InvalidRequest) as caught:
        JsonBody(Outer).read(b'{"inner":{"colours":["red","blue"]}}')
    assert caught.value.problems[0].detail == "invalid enum value 'blue'; allowed: red, green"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "a JSON body is needed"),
        (b" \n ", "a JSON body is needed"),
        (b'{"to":"1",}', "is not JSON: trailing comma in object (line 1, column 11)"),
        (b'{\n  "to": "1",\n  text: 2}', "is not JSON: object keys must be strings (line 3, column 3)"),
        (b'{"to":"1"', "is not JSON: it ends too early (line 1, column 10)"),
        (b'{"to":"1","priority":NaN}', "is not JSON: invalid character (line 1, column 22)"),
        (b'{"to":"1","priority":Infinity}', "is not JSON: invalid character (line 1, column 22)"),
        (b'{"to":"\xff"}', "is not JSON: its text is not UTF-8"),
        (b'\xef\xbb\xbf{"to":"1"}', "is not JSON: it starts with a byte order mark"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"7", "must be a JSON object"),
    ],
)
def test_what_is_no_json_object(body: bytes, detail: str) -> None:
    assert problems(body) == [("", detail)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"to":"1","to":"2","text":"x"}',
        b'{"to":"1","text":"x","t\\u006f":"2"}',
        b'{"text":"x","to":"1","text":"x"}',
        b'{"to":"1", "text":"\xc3\xa9", "to":"1"}',
    ],
)
def test_a_name_given_twice_is_refused_however_it_is_written(body: bytes) -> None:
    assert [detail for _, detail in problems(body)] == ["is given twice"]


@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
@pytest.mark.parametrize("shape", [b'{"to":%b,"text":"x"}', b'{"to":"1","text":"x","deep":%b}', b"%b"])
def test_deep_json_is_only_refused(shape: bytes, depth: int) -> None:
    for nest in (b"[" * depth + b"]" * depth, b"[" * depth, b'{"a":' * depth):
        assert problems(shape % nest)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1.5", b"-0.5e0", b"9" * 5000, b"1e-400"])
def test_numbers_out_of_all_bounds(number: bytes) -> None:
    assert problems(b'{"to":"1","text":"x","priority":' + number + b"}")[0][0] == "/priority"


def test_lone_surrogates_do_not_come_in() -> None:
    assert problems(b'{"to":"1","text":"\\ud800"}')[0][0] == ""


@given(st.binary(max_size=200))
def test_any_octets_are_only_refused(body: bytes) -> None:
    assert problems(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from([field.encode_name for field in msgspec.structs.fields(SubmitRequest)]) | st.text(max_size=5)


@given(st.dictionaries(_NAMES, _JSON, max_size=6))
def test_any_object_is_read_or_refused_with_pointers_into_it(given_object: dict[str, Any]) -> None:
    body = json.dumps(given_object).encode()
    found: tuple[FieldProblem, ...] = ()
    try:
        SUBMIT.read(body)
    except InvalidRequest as refusal:
        found = refusal.problems
    assert all(problem.detail for problem in found)
    assert all(problem.pointer == "" or problem.pointer.startswith("/") for problem in found)


@given(st.text(max_size=60).filter(lambda text: text.isprintable()), st.integers(0, 9), st.booleans())
def test_what_any_client_writes_is_read_back(text: str, priority: int, ascii_only: bool) -> None:
    body = json.dumps({**GOOD, "text": text, "priority": priority}, ensure_ascii=ascii_only).encode()
    assert SUBMIT.read(body) == SubmitRequest(to=GOOD["to"], text=text, priority=priority)


class Chunks:
    """What a server hands out of a body, piece by piece."""

    def __init__(self, *chunks: bytes, cut: bool = False) -> None:
        last = len(chunks) - 1
        self.events: list[Any] = [
            {"type": "http.request", "body": chunk, "more_body": cut or number < last}
            for number, chunk in enumerate(chunks)
        ]
        self.events.append({"type": "http.disconnect"})

    async def __call__(self) -> HTTPReceiveMessage:
        event: HTTPReceiveMessage = self.events.pop(0)
        return event


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_body(Chunks(b"ab", b"", b"cd"), {}) == b"abcd"
    assert await read_body(Chunks(b""), {}) == b""


async def test_a_body_is_bounded_by_what_comes_not_by_what_is_declared() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(Chunks(b"x" * 600, b"x" * 600), {b"content-length": b"10"}, limit=1000)
    with pytest.raises(BodyTooLarge):
        await read_body(Chunks(b"x" * 1001), {}, limit=1000)
    declared = Chunks(b"x")
    with pytest.raises(BodyTooLarge):
        await read_body(declared, {b"content-length": str(BODY_LIMIT + 1).encode()})
    assert len(declared.events) == 2  # refused before a single octet was taken


async def test_a_client_that_goes_away_is_noticed() -> None:
    with pytest.raises(ClientGone):
        await read_body(Chunks(b"half", cut=True), {})
    with pytest.raises(ClientGone):
        await read_body(Chunks(), {})


@pytest.mark.parametrize("media", [b"application/json", b"application/json; charset=utf-8", b"Application/JSON"])
def test_media_types_that_are_json(media: bytes) -> None:
    check_json_media({b"content-type": media})
    check_json_media({})


@pytest.mark.parametrize(
    "headers",
    [
        {b"content-type": b"application/x-www-form-urlencoded"},
        {b"content-type": b"text/plain"},
        {b"content-type": b""},
        {b"content-type": b"\xff\xfe"},
        {b"content-type": b"application/json", b"content-encoding": b"gzip"},
    ],
)
def test_media_types_that_are_not(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_json_media(headers)


def test_a_query_is_read_by_its_shape() -> None:
    query = read_query(b"status=sent&since=2026-11-20T00:00:00Z&limit=7&to=%2B4479", MessagesQuery)
    assert (query.status, query.limit, query.to) == ("sent", 7, "+4479")
    assert query.since == datetime.fromisoformat("2026-11-20T00:00:00+00:00")
    assert read_query(b"", MessagesQuery).limit == 50


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        (b"limit=0", ["/limit"]),
        (b"limit=501", ["/limit"]),
        (b"limit=ten&since=yesterday&page=2", ["/limit", "/since", "/page"]),
        (b"limit=1&limit=2", ["/limit"]),
        (b"since=2026-11-20T00:00:00", ["/since"]),
        (b"x=%00%ff", ["/x"]),
        (b"a=" + b"b" * 9000, [""]),
    ],
)
def test_a_wrong_query_names_its_parameters(query: bytes, pointers: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_query(query, MessagesQuery)
    assert [problem.pointer for problem in caught.value.problems] == pointers


@given(st.binary(max_size=100))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    try:
        found = read_query(query, MessagesQuery)
    except InvalidRequest:
        return
    assert 1 <= found.limit <= 500
