"""Templates, paths and excerpts: what is written into requests, found in answers, and kept of them."""

import json

import pytest

from modembank.providers.adapters import http_paths
from modembank.providers.adapters.http_excerpts import HIDDEN, excerpt, without
from modembank.providers.adapters.http_paths import PathWrong, decoded, find, word
from modembank.providers.adapters.http_templates import (
    Hole,
    TemplateWrong,
    json_written,
    line_and_column,
    parse,
    parse_json,
)

VALUES = {
    "to": "+447900900123",
    "to_digits": "447900900123",
    "text": 'a "quoted" line\nand {to} \\ é 😀',
    "key": "k-1",
    "valid_for_s": "3600",
    "secret:hook": "s3cret",
}


def filled(template):
    return template.fill(VALUES.__getitem__)


def filled_json(text):
    return parse_json(text).fill(VALUES.__getitem__, json_written)


def test_a_text_is_filled():
    assert filled(parse("to={to}; ttl={valid_for_s}, {secret:hook}")) == "to=+447900900123; ttl=3600, s3cret"
    assert filled(parse("plain")) == "plain"
    assert filled(parse("")) == ""


def test_a_brace_is_written_twice():
    assert filled(parse("{{to}} {{{to}}}")) == "{to} {+447900900123}"
    assert parse("{{a}}{to}").parts == ("{a}", Hole("to"))


def test_what_is_filled_in_is_not_filled_again():
    assert "{to}" in filled(parse("{text}"))


def test_a_document_stays_as_it_is_written_and_is_json_whatever_comes_in():
    text = '{\n  "big": 12345678901234567890123,\n  "to": "{to}", "all": ["<{text}>", "{{x}}"],'
    text += ' "n\\u00e9": "\\u007bto}}"\n}'
    written = filled_json(text)
    assert written.startswith('{\n  "big": 12345678901234567890123,\n')
    found = json.loads(written)
    assert found["to"] == VALUES["to"]
    assert found["all"] == [f"<{VALUES['text']}>", "{x}"]
    assert found["né"] == "{to}"


def test_a_number_is_written_without_quotation_marks():
    assert json.loads(filled_json('[{"ttl": "{number:valid_for_s}", "msisdn":"{number:to_digits}"}]')) == [
        {"ttl": 3600, "msisdn": 447900900123}
    ]
    assert json.loads(parse_json('["{number:to_digits}"]').fill(lambda _: "007", json_written)) == [7]
    assert json.loads(parse_json('["{number:to_digits}"]').fill(lambda _: 'a"b', json_written)) == ['a"b']


def test_strings_with_escapes_are_not_mistaken_for_their_end():
    text = r'{"a\"{b": "\\", "c": "{to}\"{text}"}'
    assert json.loads(filled_json(text)) == {'a"{b': "\\", "c": f'{VALUES["to"]}"{VALUES["text"]}'}


def test_the_names_of_all_holes_are_known():
    assert parse("{to}{key}{secret:a}").names == {"to", "key", "secret:a"}
    assert parse_json('{"a": "{to}", "b": "{number:valid_for_s}"}').names == {"to", "valid_for_s"}


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("to {tu}", 3, "{tu} is not known; there are {to}, {to_digits}"),
        ("to {to", 3, "this { has no }"),
        ("to} me", 2, "this } has no {"),
        ("{}", 0, "{} is not known"),
        ("{ to }", 0, "{ to } is not known"),
        ("{secret:}", 0, "a secret's name has 1 to 64"),
        ("{secret:a/b}", 0, "a secret's name has 1 to 64"),
        ("{number:valid_for_s}", 0, "is a whole value of JSON"),
    ],
)
def test_a_wrong_text_is_refused_with_the_character(text, place, why):
    with pytest.raises(TemplateWrong) as wrong:
        parse(text)
    assert wrong.value.place == place
    assert why in wrong.value.why


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("{", "line 1, column 2", "no JSON: expecting property name"),
        ('{"a": 1,\n "b": }', "line 2, column 7", "no JSON: expecting value"),
        ('{"a": "x"} y', "line 1, column 12", "no JSON: extra data"),
        ('{"a": NaN}', "line 1, column 7", "NaN is no JSON"),
        ('{"a":\n  "hi {tu}"}', "line 2, column 7", "{tu} is not known"),
        ('{"a": "\\"{to"}', "line 1, column 10", "this { has no }"),
        ('{"{to}": 1}', "line 1, column 3", "a name is not filled"),
        ('{"{secret:a}": 1}', "line 1, column 3", "a name is not filled"),
        ('{"a": "{number:text}"}', "line 1, column 8", "is no number; there are {number:to_digits}"),
        ('{"a": "in {number:valid_for_s} s"}', "line 1, column 11", "is a whole value of JSON"),
        ("[" * 100_000, "line 1, column 1", "nested too deep"),
    ],
)
def test_a_wrong_document_is_refused_with_line_and_column(text, where, why):
    with pytest.raises(TemplateWrong) as wrong:
        parse_json(text)
    assert line_and_column(text, wrong.value.place) == where
    assert why in wrong.value.why


def test_what_cannot_be_at_a_place_is_told_apart_from_what_is_not_known():
    with pytest.raises(TemplateWrong, match=r"\{text\} cannot be here; there are \{to\}, \{secret:NAME\}"):
        parse("{text}", ("to",))


DOCUMENT = {"messages": [{"id": 7, "ok": True, "x.y": "dotted"}, {"id": "b"}], "0": "zero", "none": None, "f": 2.0}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("messages.0.id", "7"),
        ("messages.1.id", "b"),
        ("messages.0.ok", "true"),
        (r"messages.0.x\.y", "dotted"),
        ("0", "zero"),
        ("f", "2"),
        ("messages.2.id", None),
        ("messages.-1.id", None),
        ("messages.first", None),
        ("messages", None),
        ("messages.0.id.more", None),
        ("none", None),
        ("absent", None),
        ("", None),
    ],
)
def test_a_path_leads_to_a_word_or_nowhere(path, found):
    assert word(DOCUMENT, path) == found


def test_the_document_itself_has_a_path():
    assert find([1, 2], ".") == [1, 2]
    assert word("all", ".") == "all"


def test_a_field_of_a_form_may_have_dots():
    assert word({"hub.mode": "subscribe"}, "hub.mode") == "subscribe"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (".a", "character 1"),
        ("a..b", "character 3"),
        ("a.", "character 3"),
        ("a\\b", "character 2"),
        ("a\\", "character 2"),
    ],
)
def test_a_wrong_path_is_refused_with_the_character(path, why):
    with pytest.raises(PathWrong, match=why):
        http_paths.parse(path)


@pytest.mark.parametrize("octets", [b"", b"<html>", b'{"a": ', b"\xff\xfe", b"[" * 100_000, b"{'a': 1}"])
def test_what_is_no_document_is_none(octets):
    assert decoded(octets) is None


TEXT = "Your code is 481516, Zoë. Never tell it to anybody."


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": "bad", "body": TEXT}}),
        json.dumps({"error": {"message": "bad", "body": TEXT}}, ensure_ascii=False),
        json.dumps({"body": TEXT})[:40],
        "bad: " + TEXT[5:40],
        "bad+" + TEXT.replace(" ", "+"),
        "bad: Your%20code%20is%20481516%2C%20Zo%C3%AB.%20Never%20tell%20it",
    ],
)
def test_an_excerpt_has_nothing_of_the_text(body):
    found = excerpt(body.encode(), [TEXT])
    assert "481516" not in found
    assert "Never" not in found
    assert HIDDEN in found


def test_an_excerpt_is_short_and_one_line_and_keeps_the_rest():
    found = excerpt(b'{"code": 21211, "message": "no\\nsuch\\u0007 number"}', [TEXT])
    assert found == '{"code": 21211, "message": "no\\nsuch\\u0007 number"}'
    assert excerpt(b"a\r\n\tb\x00c \xff", []) == "a b c \ufffd"
    assert len(excerpt(b"x" * 60_000, [TEXT])) == 500
    assert excerpt(b"", [TEXT]) == ""


def test_a_short_text_is_hidden_where_it_stands_alone():
    assert without('{"text": "ok", "token": "looks"}', ["ok"]) == '{"text": "[hidden]", "token": "looks"}'
    assert without("key=s3cret&x=1", ["s3cret"]) == "key=[hidden]&x=1"
