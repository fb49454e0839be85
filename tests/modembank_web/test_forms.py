"""Forms are read as strictly as JSON is: bounded, every name once unless a list is wanted, nothing unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.errors import InvalidRequest
from modembank_web.forms import MOST_PAIRS, FormBody, check_form_media
from modembank_web.reading import UnsupportedMediaType


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="pascal"):
    to: str
    body: str = ""
    number: int | None = None
    flag: Literal["true", "false"] | None = None
    url: Sequence[str] = ()
    maybe: list[str] | None = None


FORM = FormBody(Shape)
NAMES = {"to": "To", "body": "Body", "number": "Number", "flag": "Flag", "url": "Url", "maybe": "Maybe"}


def problems(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        FORM.read(body)
    return [(problem.pointer, problem.detail) for problem in refused.value.problems]


def test_fields_are_decoded_and_converted() -> None:
    read = FORM.read(b"To=%2B4479&Body=a+b%0A%C3%A9&Number=5&Flag=true")
    assert read == Shape(to="+4479", body="a b\né", number=5, flag="true")
    assert FORM.read(b"&To=x&&Body=&") == Shape(to="x", body="")


def test_a_name_comes_again_only_where_a_list_is_wanted() -> None:
    assert FORM.read(b"To=x&Url=a&Url=b&Maybe=c") == Shape(to="x", url=["a", "b"], maybe=["c"])
    assert problems(b"To=x&To=y") == [("/To", "is given twice")]


def test_every_wrong_field_is_named() -> None:
    found = problems(b"Number=five&Flag=yes&Other=1")
    assert [pointer for pointer, _ in found] == ["/To", "/Number", "/Flag", "/Other"]
    assert found[0][1] == "is required"
    assert "allowed: true, false" in found[2][1]
    assert "known are: To, Body" in found[3][1]


@pytest.mark.parametrize("body", [b"To=%", b"To=%4", b"To=%zz", b"To=%ff", b"\xff=1", b"To=\xff"])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    ((pointer, detail),) = problems(body)
    assert (pointer, detail[:10]) == ("", "is no form")


def test_many_fields_are_refused() -> None:
    assert "more than" in problems(b"Url=x&" * (MOST_PAIRS + 1))[0][1]


@given(st.fixed_dictionaries({"to": st.text()}, optional={"body": st.text(), "url": st.lists(st.text(), min_size=1)}))
def test_what_the_standard_library_writes_is_read_back(values: dict[str, object]) -> None:
    body = urlencode({NAMES[name]: value for name, value in values.items()}, doseq=True).encode()
    read = FORM.read(body)
    assert {name: list(v) if isinstance(v := getattr(read, name), tuple) else v for name in values} == values


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        FORM.read(body)
    except InvalidRequest as refused:
        found = refused.problems
    else:
        found = ()
    assert all(problem.detail for problem in found)


def test_the_media_type_is_looked_at() -> None:
    check_form_media({})
    check_form_media({b"content-type": b"application/x-www-form-urlencoded; charset=UTF-8"})
    for headers in (
        {b"content-type": b"application/json"},
        {b"content-type": b"multipart/form-data; boundary=x"},
        {b"content-type": b"application/x-www-form-urlencoded; charset=latin1"},
        {b"content-type": b"application/x-www-form-urlencoded", b"content-encoding": b"gzip"},
    ):
        with pytest.raises(UnsupportedMediaType):
            check_form_media(headers)
