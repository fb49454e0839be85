"""Forms made from the schema of settings, and what was filled in read back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.kinds import SETTINGS, TrialSettings
from modembank.errors import FieldProblem, InvalidRequest
from modembank.providers import Limits, Sharing
from modembank_web.pages.provider_fields import (
    SettingField,
    errors_of,
    read_fields,
    setting_fields,
    sharing_fields,
    values_of,
)


def schema_of(shape: Any) -> dict[str, Any]:
    schema = msgspec.json.schema(shape)
    defs = dict(schema["$defs"])
    return dict(defs.pop(shape.__name__)) | {"$defs": defs}


FIELDS = (*setting_fields(schema_of(TrialSettings)), *sharing_fields())


def named(name: str) -> SettingField:
    return next(each for each in FIELDS if each.full_name == name)


def filled(settings: dict[str, Any], sharing: Sharing | None = None, **changes: str) -> dict[str, str]:
    return values_of(FIELDS, settings, sharing or Sharing()) | {
        name.replace("__", "."): value for name, value in changes.items()
    }


def test_each_shape_has_its_field() -> None:
    assert {each.name: each.shape for each in FIELDS if each.prefix == "settings."} == {
        "url": "line", "channel": "choice", "key_secret": "line", "window": "whole", "timeout_s": "number",
        "verify": "check", "sender": "line", "headers": "json", "good": "json",
    }  # fmt: skip
    assert named("settings.url").required
    assert named("settings.url").most == 200
    assert named("settings.window").hint == "Messages at once (1 to 64)."
    assert set(named("settings.channel").options) == {"sms", "email", "whatsapp"}
    assert [each.full_name for each in FIELDS if each.prefix != "settings."] == [
        "sharing.cost", "sharing.automatic", "limits.min_interval_s", "limits.per_minute", "limits.per_hour",
        "limits.per_day", "limits.per_month",
    ]  # fmt: skip
    assert named("sharing.cost").label == "Cost of a segment"
    assert named("settings.key_secret").label == "Key secret"


def test_a_form_that_is_saved_as_it_was_shown_changes_nothing() -> None:
    settings = SETTINGS | {"headers": {"X-A": "ü"}, "good": [200, 201], "verify": False, "sender": "Shop", "window": 9}
    sharing = Sharing(2.5, False, Limits(per_hour=7, min_interval_s=0.5))
    assert read_fields(FIELDS, filled(settings, sharing)) == (settings, sharing)


def test_what_is_as_by_default_is_not_kept() -> None:
    assert read_fields(FIELDS, filled({"url": "https://x"})) == ({"url": "https://x"}, Sharing())


def test_what_is_emptied_is_gone_and_spaces_stay_in_texts() -> None:
    settings = SETTINGS | {"sender": "Shop", "window": 9}
    given_now = filled(settings, settings__sender="", settings__window=" ", settings__url=" https://x ")
    assert read_fields(FIELDS, given_now)[0] == {"url": " https://x ", "key_secret": "trial-key"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("settings.url", "  ", "is needed"),
        ("settings.window", "many", "whole number"),
        ("settings.window", "1.5", "whole number"),
        ("settings.timeout_s", "soon", "such as 0.5"),
        ("settings.timeout_s", "inf", "such as 0.5"),
        ("settings.timeout_s", "nan", "such as 0.5"),
        ("settings.headers", '{"a": }', "is not JSON (line 1, column 7)"),
        ("settings.headers", "[" * 100_000, "nested"),
        ("sharing.cost", "-1", ">= 0"),
        ("limits.per_hour", "-1", ">= 0"),
    ],
)
def test_what_is_no_value_is_told_at_its_field(name: str, value: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_fields(FIELDS, filled(SETTINGS) | {name: value})
    (problem,) = caught.value.problems
    assert problem.pointer == f"/{name}"
    assert words in problem.detail
    assert errors_of(caught.value, FIELDS) == {name: problem.detail}


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_fields(FIELDS, filled(SETTINGS, settings__url="", settings__window="x", sharing__cost="y"))
    assert set(errors_of(caught.value, FIELDS)) == {"settings.url", "settings.window", "sharing.cost"}


def test_what_the_kind_refuses_stands_at_its_field_too() -> None:
    refused = InvalidRequest(
        FieldProblem("/settings/url", "must be https"),
        FieldProblem("/settings/headers/X-A", "is no header"),
        FieldProblem("/settings/gone", "is not known"),
        FieldProblem("/name", "is taken"),
        FieldProblem("/settings", "all of it"),
    )
    assert errors_of(refused, FIELDS) == {
        "settings.url": "must be https",
        "settings.headers": "X-A: is no header",
        "": "is not known; all of it",
        "name": "is taken",
    }


class Odd(msgspec.Struct, frozen=True):
    """Settings with less usual types."""

    text: Annotated[str, msgspec.Meta(max_length=5_000)] = "as it was"
    either: int | str | None = None
    maybe: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=9)] | None, msgspec.Meta(description="Nothing: by itself")
    ] = 5
    word: Literal["a", "b"] | None = None


def test_less_usual_types_have_a_field_too() -> None:
    fields = setting_fields(schema_of(Odd))
    assert [(each.shape, each.nullable) for each in fields] == [
        ("text", False), ("json", True), ("whole", True), ("choice", True),
    ]  # fmt: skip
    assert fields[2].hint == "Nothing: by itself (0 to 9)."
    blank = dict.fromkeys((each.full_name for each in fields), "")
    assert read_fields(fields, blank)[0] == {"text": "", "maybe": None}
    assert read_fields(fields, blank | {"settings.either": '"x"', "settings.maybe": "0"})[0] == {
        "text": "", "either": "x", "maybe": 0,
    }  # fmt: skip


@given(st.dictionaries(st.sampled_from([each.full_name for each in FIELDS]), st.text(max_size=40)))
def test_whatever_is_filled_in_is_read_or_refused(typed: dict[str, str]) -> None:
    refused: dict[str, str] = {}
    settings: dict[str, Any] = {}
    try:
        settings, _ = read_fields(FIELDS, typed)
    except InvalidRequest as error:
        refused = errors_of(error, FIELDS)
    assert set(refused) <= {each.full_name for each in FIELDS}
    assert set(settings) <= set(TrialSettings.__struct_fields__)
