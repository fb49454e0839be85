"""Descriptions of providers: what is wrong is refused with its field and place."""

import msgspec
import pytest

from modembank.errors import InvalidRequest
from modembank.providers.adapters import http
from modembank.providers.adapters.http import Settings, channel, check
from modembank.providers.adapters.http_checks import secrets_of
from modembank.providers.model import Channel

GOOD = {
    "url": "https://api.example.com/v1/messages",
    "body": '{"to": "{to}", "text": "{text}"}',
    "auth": "bearer",
    "auth_secret": "shop_token",
    "answer_id": "id",
}
CALLED = GOOD | {
    "callback_auth": "header",
    "callback_field": "X-Token",
    "callback_secret": "shop_hook",
    "receipt_id": "id",
    "receipt_status": "status",
    "statuses": {"ok": "delivered"},
}


def settings(**changes):
    return msgspec.convert(GOOD | changes, Settings)


def problems(given):
    try:
        check(msgspec.convert(given, Settings))
    except InvalidRequest as error:
        return [(one.pointer, one.detail) for one in error.problems]
    return []


def test_what_is_right_is_taken():
    assert problems(GOOD) == []
    assert problems(CALLED) == []
    get = {"url": "https://sms.example.com/send", "method": "GET", "query": {"n": "{to_digits}", "t": "{text}"}}
    assert problems(get) == []
    assert channel(settings()) is Channel.SMS
    assert channel(settings(channel="email")) is Channel.EMAIL
    assert http.NAME == "http"


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"body": '{"to": "{to}", "text": "{txt}"}'}, "/body", "line 1, column 25: {txt} is not known"),
        ({"body": '{"to": "{to}",\n "text": {text}}'}, "/body", "line 2, column 11: no JSON: "),
        ({"form": {"a/b": "{to"}, "body": ""}, "/form/a~1b", "character 1: this { has no }"),
        ({"query": {"q": "x {nope}"}}, "/query/q", "character 3: {nope} is not known"),
        ({"headers": {"X-Text": "{text}"}}, "/headers/X-Text", "character 1: {text} cannot be here"),
        ({"headers": {"X Text": "a"}}, "/headers/X Text", "is no name of a header"),
        ({"headers": {"X-A": "a\nb"}}, "/headers/X-A", "characters that headers cannot have"),
        ({"headers": {"Host": "a.example"}}, "/headers/Host", "follows from the request itself"),
        ({"auth": "header", "auth_header": "Content-Length"}, "/auth_header", "follows from the request itself"),
        ({"idempotency_header": "Host"}, "/idempotency_header", "follows from the request itself"),
        ({"headers": {"Authorization": "x"}}, "/headers/authorization", "is written by auth = bearer"),
        ({"url": "https://api.example.com/{text}"}, "/url", "character 25: {text} cannot be here"),
        ({"url": "https://{to}/x"}, "/url", "nothing is filled in before the path"),
        ({"url": "https://{secret:host}.example.com/x"}, "/url", "nothing is filled in before the path"),
        ({"url": "ftp://example.com"}, "/url", "must begin with https://"),
        ({"url": "https://example.com:25/"}, "/url", "port 25 is not allowed"),
        ({"url": "http://169.254.169.254/x"}, "/url", "metadata"),
        ({"url": "https://u:p@example.com/"}, "/url", "must not hold a user name"),
        ({"body": '{"to": "{to}"}'}, "/body", "holds no {text}"),
        ({"body": '{"text": "{text}"}'}, "/body", "holds neither {to} nor {to_digits}"),
        ({"body": '["{to_digits}", "{text}"]', "channel": "email"}, "/body", "addresses of e-mail are no numbers"),
        ({"method": "GET"}, "/body", "a GET has none"),
        ({"form": {"a": "{to}"}}, "/form", "only one of them is sent"),
        ({"headers": {"X-Back": "{callback_url}"}}, "/callback_url", "since the request holds {callback_url}"),
        ({"callback_url": "nonsense"}, "/callback_url", "must begin with https://"),
        ({"idempotent": True}, "/idempotent", "needs {key} in the request"),
        ({"idempotency_header": "X Key"}, "/idempotency_header", "is no name of a header"),
        ({"auth_secret": ""}, "/auth_secret", "must name a secret, with auth = bearer"),
        ({"auth": "none"}, "/auth_secret", "is not used with auth = none"),
        ({"auth": "basic"}, "/auth_user", "must be a name without a colon"),
        ({"auth": "basic", "auth_user": "a:b"}, "/auth_user", "must be a name without a colon"),
        ({"auth": "header"}, "/auth_header", "is no name of a header"),
        ({"answer_id": "a..b"}, "/answer_id", "character 3: a name or a number is missing beside the dot"),
        ({"success_path": "ok"}, "/success_values", "must say what is at success_path"),
        ({"success_values": ["1"]}, "/success_path", "must say where success_values are"),
        ({"failure_values": ["1"]}, "/success_path", "must say where failure_values are"),
        (
            {"success_path": "s", "success_values": ["1"], "failure_values": ["2", "1"]},
            "/failure_values",
            "'1' cannot mean taken and not taken",
        ),
        ({"errors": {"21211": "recipient"}}, "/answer_code", "must say where codes such as '21211' are"),
        ({"errors": {"http_999": "recipient"}}, "/answer_code", "must say where codes such as 'http_999' are"),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_right(changes, pointer, detail):
    found = problems(GOOD | changes)
    assert any(at == pointer and detail in why for at, why in found), found


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"callback_auth": "none"}, "/callback_auth", "calls cannot be taken from anybody"),
        ({"callback_secret": ""}, "/callback_secret", "must name a secret"),
        ({"callback_auth": "basic"}, "/callback_user", "must be a name"),
        ({"callback_auth": "query", "callback_field": ""}, "/callback_field", "must name the field"),
        ({"callback_field": ""}, "/callback_field", "is no name of a header"),
        ({"callback_auth": "hmac", "callback_field": ""}, "/callback_field", "is no name of a header"),
        ({"callback_auth": "hmac", "callback_format": "query"}, "/callback_auth", "signs the body"),
        (
            {"callback_auth": "hmac", "callback_signed": "url_and_form", "callback_format": "form"},
            "/callback_url",
            "must be the address that the provider signs",
        ),
        ({"callback_signed": "url_and_form"}, "/callback_format", "must be form"),
        ({"receipt_status": ""}, "/receipt_status", "must be given together with receipt_id"),
        ({"receipt_id": ""}, "/receipt_id", "must be given together with receipt_status"),
        ({"statuses": {}}, "/statuses", "must say which words mean delivered"),
        ({"arrival_text": "text"}, "/arrival_id", "must be given together with arrival_text"),
        ({"arrival_id": "id", "arrival_text": "text"}, "/arrival_from", "must be given together with arrival_id"),
        ({"receipt_list": ".", "callback_format": "form"}, "/receipt_list", "needs callback_format = json"),
    ],
)
def test_a_wrong_field_of_calls_is_named(changes, pointer, detail):
    found = problems(CALLED | changes)
    assert any(at == pointer and detail in why for at, why in found), found


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "DELETE"},
        {"timeout_s": 0},
        {"timeout_s": 121},
        {"window": 0},
        {"window": 65},
        {"auth_secret": "../etc/passwd"},
        {"auth_secret": "two\nlines"},
        {"errors": {"1": "never"}},
        {"statuses": {"ok": "arrived"}},
        {"success_statuses": [100]},
        {"url": ""},
        {"password": "hunter2"},
    ],
)
def test_what_types_can_say_is_said_by_them(changes):
    with pytest.raises(msgspec.ValidationError):
        settings(**changes)


def test_all_problems_are_told_at_once():
    found = problems({"url": "ftp://x.example", "body": "{", "auth": "bearer", "answer_id": "."})
    assert [pointer for pointer, _ in found] == ["/url", "/body", "/body", "/body", "/auth_secret"]


def test_every_field_says_what_it_is():
    for field in msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"].values():
        assert field.get("description") or field.get("allOf") or field.get("$ref"), field


def test_the_secrets_of_all_templates_are_known():
    named = settings(
        url="https://api.example.com/{secret:account}/send",
        headers={"X-A": "{secret:header}"},
        query={"k": "{secret:query}"},
        body='{"to": "{to}", "text": "{text}", "sign": "{secret:body}"}',
        callback_secret="hook",
    )
    assert secrets_of(named) == ("shop_token", "account", "body", "header", "query", "hook")


def test_settings_survive_being_stored():
    given = msgspec.convert(CALLED, Settings)
    assert msgspec.json.decode(msgspec.json.encode(given), type=Settings) == given
