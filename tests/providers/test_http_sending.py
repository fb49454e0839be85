"""The kind http against a real server that misbehaves: what is sent, and what became of it, row by row."""

import asyncio
import base64
import ipaddress
import json
import ssl

import msgspec
import pytest

from fakes.endpoints import certificate
from fakes.http_provider import (
    Gate,
    a_port_where_nothing_listens,
    drips,
    hangs_up,
    means_with,
    pours,
    provider,
    raw,
    resets,
    says,
    silent,
)
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.outgoing import EndpointFailed, Requester, Why
from modembank.providers.adapters import http
from modembank.providers.adapters.http import HttpProvider, Settings
from modembank.providers.adapters.http_outcomes import AMBIGUOUS, OTHER, REFUSALS
from modembank.providers.model import Channel, Outbound

NOT_SENT, REJECTED = AttemptOutcome.NOT_SENT, AttemptOutcome.REJECTED
ACCEPTED, UNKNOWN = AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN
TEXT = "Your code is 481516. Never tell it to anybody."
MESSAGE = Outbound(key="key-1", channel=Channel.SMS, recipient="+447900900123", text=TEXT, valid_for_s=3_600)
SECRETS = {"token": "s3cret-t0ken", "account": "AC1"}


def described(url, **changes):
    fields = {
        "url": url,
        "body": '{"to": "{to}", "text": "{text}"}',
        "auth": "bearer",
        "auth_secret": "token",
        "answer_id": "id",
        "answer_code": "error.code",
        "answer_text": "error.message",
        "timeout_s": 5,
        **changes,
    }
    settings = msgspec.convert(fields, Settings)
    http.check(settings)
    return settings


async def send(url, gate=None, requester=None, message=MESSAGE, secrets=SECRETS, allow_private=True, **changes):
    means = means_with(allow_private=allow_private, **secrets)
    adapter = HttpProvider(described(url, **changes), means, requester, pause_s=0.01)
    return await adapter.send(message, gate or Gate())


async def send_to(act, gate=None, **changes):
    async with provider(act) as there:
        result = await send(there.url(), gate, **changes)
    return result, there


def looks(result, outcome, klass, code):
    assert (result.outcome, result.cause.klass, result.cause.code) == (outcome, klass, code), result
    assert result.cause.text
    kept = json.dumps(msgspec.to_builtins(result))
    assert "481516" not in kept
    assert "s3cret" not in kept
    assert all(len(value) <= 500 for value in result.evidence.values() if isinstance(value, str))
    return True


# What is sent


async def test_a_message_is_sent_as_json_and_accepted_with_its_id():
    gate = Gate()
    result, there = await send_to(says({"id": "m-1", "echo": TEXT}, "201 Created"), gate)
    assert (result.outcome, result.reference, result.cause, gate.asked) == (ACCEPTED, "m-1", None, 1)
    assert result.evidence["status"] == 201
    assert TEXT not in str(result)
    got = there.requests[0]
    assert (got.method, got.target, got.json()) == ("POST", "/send", {"to": "+447900900123", "text": TEXT})
    assert got.headers["authorization"] == "Bearer s3cret-t0ken"
    assert got.headers["content-type"] == "application/json"


async def test_a_message_is_sent_as_a_form():
    form = {"To": "{to}", "Body": "{text}", "Ttl": "{valid_for_s}", "Sign": "{secret:account}"}
    result, there = await send_to(
        says({"id": 12}), body="", form=form, auth="basic", auth_user="me", headers={"X-Key": "{key}"}
    )
    assert (result.outcome, result.reference) == (ACCEPTED, "12")
    got = there.requests[0]
    assert got.form == {"To": "+447900900123", "Body": TEXT, "Ttl": "3600", "Sign": "AC1"}
    assert base64.b64decode(got.headers["authorization"].removeprefix("Basic ")) == b"me:s3cret-t0ken"
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert got.headers["x-key"] == "key-1"


async def test_a_message_is_sent_in_the_address():
    message = msgspec.structs.replace(MESSAGE, text="a&b=c #1 é" * 300)
    result, there = await send_to(
        says({"id": "x"}),
        message=message,
        method="GET",
        body="",
        query={"n": "{to_digits}", "t": "{text}"},
        auth="header",
        auth_header="X-Api-Key",
    )
    assert result.outcome is ACCEPTED
    got = there.requests[0]
    assert (got.method, got.body) == ("GET", b"")
    assert got.query == {"n": "447900900123", "t": message.text}
    assert got.headers["x-api-key"] == "s3cret-t0ken"
    assert "content-length" not in got.headers


async def test_places_in_the_path_are_encoded():
    async with provider(says({"id": "x"})) as there:
        await send(there.url("/{secret:account}/{to}/{key}"), secrets=SECRETS | {"account": "a/b"})
    assert there.requests[0].target == "/a%2Fb/%2B447900900123/key-1"


async def test_an_email_has_a_subject_and_own_headers_win():
    message = Outbound("k", Channel.EMAIL, "a@example.com", TEXT, "Hello")
    _, there = await send_to(
        says({"id": "x"}),
        message=message,
        channel="email",
        method="PUT",
        body='{"to": "{to}", "s": "{subject}", "t": "{text}"}',
        headers={"Content-Type": "application/vnd.mail+json", "User-Agent": "ours"},
    )
    got = there.requests[0]
    assert (got.method, got.json()) == ("PUT", {"to": "a@example.com", "s": "Hello", "t": TEXT})
    assert (got.headers["content-type"], got.headers["user-agent"]) == ("application/vnd.mail+json", "ours")


async def test_a_secret_that_changed_is_used_from_the_next_message_on():
    secrets = dict(SECRETS)
    async with provider(says({"id": "x"})) as there:
        means = means_with()
        means = msgspec.structs.replace(means, secret=secrets.__getitem__)
        adapter = HttpProvider(described(there.url()), means)
        await adapter.send(MESSAGE, Gate())
        secrets["token"] = "another"
        await adapter.send(MESSAGE, Gate())
    assert [got.headers["authorization"] for got in there.requests] == ["Bearer s3cret-t0ken", "Bearer another"]


# Nothing left the box


async def test_a_missing_secret_sends_nothing_and_is_said():
    gate = Gate()
    async with provider(says({"id": "x"})) as there:
        result = await send(there.url(), gate, secrets={})
        adapter = http.make(described(there.url()), means_with())
        assert "no secret named token" in adapter.not_ready()
        assert http.make(described(there.url()), means_with(**SECRETS)).not_ready() is None
        private = http.make(described(there.url()), means_with(allow_private=False, **SECRETS))
        assert "which only an admin can allow" in private.not_ready()
    assert looks(result, NOT_SENT, CauseClass.MODEM, "secret_missing")
    assert (there.connections, gate.asked) == (0, 0)


async def test_a_port_where_nothing_listens():
    gate = Gate()
    result = await send(f"http://127.0.0.1:{a_port_where_nothing_listens()}/", gate)
    assert looks(result, NOT_SENT, CauseClass.MODEM, "refused")
    assert gate.asked == 0


async def test_a_name_that_leads_nowhere():
    async def resolve(host, port):
        raise EndpointFailed(Why.NAME, f"there is no host named {host}")

    result = await send("https://api.example.com/", requester=Requester(resolve))
    assert looks(result, NOT_SENT, CauseClass.MODEM, "name")


async def test_s11_a_name_that_leads_inside():
    async def resolve(host, port):
        return (ipaddress.ip_address("192.168.1.1"),)

    result = await send("https://api.example.com/", requester=Requester(resolve), allow_private=False)
    assert looks(result, NOT_SENT, CauseClass.MODEM, "address_refused")
    assert "api.example.com leads to 192.168.1.1" in result.cause.text


async def test_no_way_to_connect_in_time():
    async def resolve(host, port):
        await asyncio.Event().wait()

    result = await send("https://api.example.com/", requester=Requester(resolve), connect_timeout_s=0.1)
    assert looks(result, NOT_SENT, CauseClass.MODEM, "timeout")


async def test_a_certificate_that_is_not_trusted(tmp_path):
    cert, key = certificate(tmp_path, "api.example.com")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)

    async def resolve(host, port):
        return (ipaddress.ip_address("127.0.0.1"),)

    async with provider(says({"id": "x"}), tls=serving) as there:
        result = await send(f"https://api.example.com:{there.port}/", requester=Requester(resolve))
    assert looks(result, NOT_SENT, CauseClass.MODEM, "tls")
    assert there.requests == []


async def test_a_gate_that_stays_shut():
    result, there = await send_to(says({"id": "x"}), Gate(opens=False))
    assert looks(result, NOT_SENT, CauseClass.MODEM, "gate_closed")
    assert there.requests == []


# It may have been taken


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (hangs_up(), "closed"),
        (resets(), "closed"),
        (silent(), "timeout"),
        (drips(b"HTTP/1.1 "), "timeout"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n"), "answer_cut"),
        (raw(b"220 mail.example ESMTP\r\n\r\n"), "protocol"),
        (raw(TEXT.encode() + b"\r\n\r\n"), "protocol"),
        (raw(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"id": "m'), "answer_cut"),
        (pours(), "answer_cut"),
        (says(b"<html>Log in to the hotel's network</html>"), "answer_nonsense"),
        (says(b""), "answer_nonsense"),
        (says({"id": None}), "answer_nonsense"),
        (says({"id": ["m-1"]}), "answer_nonsense"),
        (says({"id": "m" * 201}), "answer_nonsense"),
        (says(b'{"id": "m-1"'), "answer_nonsense"),
        (says(b"\x1f\x8b\x08\x00compressed"), "answer_nonsense"),
        (says({"error": {"message": TEXT}}, "500 Internal Server Error"), "http_500"),
        (says(None, "502 Bad Gateway"), "http_502"),
        (says(None, "503 Service Unavailable", b"Retry-After: 10"), "http_503"),
        (says(None, "504 Gateway Timeout"), "http_504"),
        (says({"error": {"code": "E7"}}, "500 Internal Server Error"), "code_E7"),
        (says(None, "599 Odd"), "http_599"),
        (drips(b"HTTP/1.1 500 Oops\r\n\r\n"), "http_500"),
    ],
)
async def test_what_may_have_been_taken_is_unknown(act, code):
    gate = Gate()
    result, there = await send_to(act, gate, timeout_s=0.3)
    assert looks(result, UNKNOWN, CauseClass.AMBIGUOUS, code)
    assert result.retry_after_s is None
    assert (len(there.requests), gate.asked) == (1, 1), "it is never repeated by itself"


@pytest.mark.parametrize("status", sorted(AMBIGUOUS))
async def test_statuses_that_say_neither_yes_nor_no(status):
    async with provider(says({"id": "x"})) as inner:
        where = f"Location: {inner.url()}".encode()
        result, _ = await send_to(says(None, f"{status} Odd", where))
    assert looks(result, UNKNOWN, CauseClass.AMBIGUOUS, f"http_{status}")
    assert inner.connections == 0


async def test_a_cancelled_send_is_for_the_caller_to_book():
    async with provider(silent()) as there:
        task = asyncio.create_task(send(there.url()))
        async with asyncio.timeout(5):
            while not there.requests:
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# It was certainly not taken


@pytest.mark.parametrize("status", sorted(REFUSALS))
async def test_statuses_that_say_no(status):
    async with provider(says({"id": "x"})) as inner:
        where = f"Location: {inner.url()}".encode()
        result, _ = await send_to(says(None, f"{status} No", where, b"Retry-After: 7"))
    klass = REFUSALS[status][0]
    assert looks(result, REJECTED, CauseClass.RECIPIENT if klass is OTHER else klass, f"http_{status}")
    assert result.retry_after_s == (7 if klass in {CauseClass.NETWORK, CauseClass.MODEM} else None)
    assert inner.connections == 0


async def test_a_status_of_400_to_499_that_nobody_knows_is_a_refusal():
    result, _ = await send_to(says(None, "460 Odd"), other_errors="account")
    assert looks(result, REJECTED, CauseClass.SIM, "http_460")


async def test_a_refusal_whose_answer_is_cut_is_one():
    result, _ = await send_to(raw(b'HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{"error": {"co'))
    assert looks(result, REJECTED, CauseClass.RECIPIENT, "http_400")


@pytest.mark.parametrize(
    ("word", "klass"),
    [
        ("recipient", CauseClass.RECIPIENT),
        ("account", CauseClass.SIM),
        ("later", CauseClass.NETWORK),
        ("busy", CauseClass.MODEM),
    ],
)
@pytest.mark.parametrize("status", ["400 Bad Request", "200 OK", "503 Service Unavailable"])
async def test_the_table_of_errors_says_what_a_code_means(word, klass, status):
    """Whatever the status: the provider said that it refuses it, in its own words."""
    answer = {"ok": False, "error": {"code": 21211, "message": f"bad: {TEXT}"}}
    shape = {"success_path": "ok", "success_values": ["true"]}
    result, _ = await send_to(says(answer, status), errors={"21211": word}, **shape)
    assert looks(result, REJECTED, klass, "code_21211")
    assert "bad: [hidden]" in result.cause.text


async def test_a_status_can_be_in_the_table_of_errors_too():
    result, _ = await send_to(says(None, "409 Conflict"), errors={"http_409": "recipient"})
    assert looks(result, REJECTED, CauseClass.RECIPIENT, "http_409")
    result, _ = await send_to(says(None, "503 Busy", b"Retry-After: 3"), errors={"http_503": "busy"})
    assert looks(result, REJECTED, CauseClass.MODEM, "http_503")
    assert result.retry_after_s == 3


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_an_admin_who_knows_the_provider_may_say_that_500_means_not_taken(code):
    result, _ = await send_to(says(None, f"{code} Oops", b"Retry-After: 5"), server_errors="not_taken")
    assert looks(result, REJECTED, CauseClass.NETWORK, f"http_{code}")
    assert result.retry_after_s == 5


async def test_that_says_nothing_of_a_connection_that_broke():
    result, _ = await send_to(hangs_up(), server_errors="not_taken")
    assert looks(result, UNKNOWN, CauseClass.AMBIGUOUS, "closed")


@pytest.mark.parametrize(
    ("asked", "headers", "seconds"),
    [
        ({"error": {"wait": 12}}, (b"Retry-After: 90",), 12),
        ({"error": {"wait": "2.5"}}, (), 2.5),
        ({"error": {"wait": "soon"}}, (b"Retry-After: 90",), 90),
        ({"error": {"wait": -1}}, (), None),
        ({"error": {"wait": 1e9}}, (), 86_400),
        ({}, (b"Retry-After: nonsense",), None),
    ],
)
async def test_how_long_to_wait_is_read(asked, headers, seconds):
    act = says(asked, "429 Too Many Requests", *headers)
    result, _ = await send_to(act, answer_retry_after="error.wait")
    assert looks(result, REJECTED, CauseClass.MODEM, "http_429")
    assert result.retry_after_s == seconds


# What success looks like is described


async def test_where_nothing_is_described_the_status_alone_counts():
    for act in (says(b"OK 1701", "202 Accepted"), pours(), raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut")):
        result, _ = await send_to(act, answer_id="")
        assert (result.outcome, result.reference) == (ACCEPTED, None)


NESTED = {
    "success_path": "messages.0.status",
    "success_values": ["0"],
    "failure_values": ["2", "3"],
    "answer_id": "messages.0.id",
    "answer_code": "messages.0.status",
    "answer_text": "messages.0.words",
    "errors": {"1": "busy"},
}


@pytest.mark.parametrize(
    ("entry", "outcome", "klass", "code"),
    [
        ({"status": "0", "id": "a"}, ACCEPTED, None, None),
        ({"status": 0, "id": "a"}, ACCEPTED, None, None),
        ({"status": "1", "words": "throttled"}, REJECTED, CauseClass.MODEM, "code_1"),
        ({"status": "2", "words": "missing"}, REJECTED, CauseClass.RECIPIENT, "code_2"),
        ({"status": "9"}, UNKNOWN, CauseClass.AMBIGUOUS, "answer_unlisted"),
        ({}, UNKNOWN, CauseClass.AMBIGUOUS, "answer_nonsense"),
        ({"id": "a"}, UNKNOWN, CauseClass.AMBIGUOUS, "answer_nonsense"),
    ],
)
async def test_a_status_within_the_answer_counts(entry, outcome, klass, code):
    result, _ = await send_to(says({"messages": [entry]}), **NESTED)
    if outcome is ACCEPTED:
        assert (result.outcome, result.reference) == (ACCEPTED, "a")
    else:
        assert looks(result, outcome, klass, code)


async def test_what_was_taken_without_an_id_is_taken():
    result, _ = await send_to(says({"messages": [{"status": "0"}]}), **NESTED)
    assert (result.outcome, result.reference) == (ACCEPTED, None)
    assert "no id" in result.evidence["no_id"]


async def test_statuses_that_mean_taken_can_be_listed():
    result, _ = await send_to(says({"id": "x"}, "409 Conflict"), success_statuses=[201, 409])
    assert (result.outcome, result.reference) == (ACCEPTED, "x")
    result, _ = await send_to(says({"id": "x"}), success_statuses=[201, 409])
    assert looks(result, UNKNOWN, CauseClass.AMBIGUOUS, "http_200")


async def test_odd_codes_are_kept_as_keys():
    result, _ = await send_to(says({"error": {"code": "Bad number!\n" * 20}}, "400 Bad Request"))
    assert result.cause.code.startswith("code_Bad_number_")
    assert len(result.cause.code) <= 70


async def test_the_answer_is_kept_without_text_and_secrets():
    act = says({"error": {"code": 5, "said": TEXT, "with": "Bearer s3cret-t0ken"}}, "400 Bad Request")
    result, _ = await send_to(act)
    assert result.evidence["answer"] == '{"error": {"code": 5, "said": "[hidden]", "with": "Bearer [hidden]"}}'
    assert result.evidence["status"] == 400


async def test_there_is_nothing_to_hold():
    adapter = http.make(described("https://api.example.com/", window=7), means_with(**SECRETS))
    assert await adapter.run() is None
    assert adapter.window == 7
