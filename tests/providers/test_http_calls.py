"""Calls of providers: nothing without a proof, and what they bring is read as it is described."""

import base64
import hmac
import json
from urllib.parse import urlencode

import msgspec
import pytest
from twilio.request_validator import RequestValidator

from fakes.http_provider import Taken, call, means_with
from modembank.providers.adapters import http
from modembank.providers.adapters.http import Settings
from modembank.providers.adapters.http_callbacks import MOST_ITEMS, moment_ms
from modembank.providers.model import Arrival, BadCall, NotAuthentic, Receipt, ReceiptStatus

SECRET = "h00k-s3cret"
RECEIPTS = {"receipt_id": "id", "receipt_status": "status", "receipt_detail": "why", "receipt_time": "at"}
ARRIVALS = {
    "arrival_id": "id",
    "arrival_from": "from",
    "arrival_to": "to",
    "arrival_text": "text",
    "arrival_time": "at",
}
BY_HEADER = {"callback_auth": "header", "callback_field": "X-Token"}


def described(**changes):
    fields = {
        "url": "https://api.example.com/send",
        "body": '{"to": "{to}", "text": "{text}"}',
        "callback_secret": "hook",
        "statuses": {"DELIVRD": "delivered", "UNDELIV": "failed", "EXPIRED": "expired", "ENROUTE": "pending"},
        **BY_HEADER,
        **changes,
    }
    settings = msgspec.convert(fields, Settings)
    http.check(settings)
    return settings


async def brought(a_call, sink=None, **changes):
    """Return what a call brought to the sink."""
    sink = sink or Taken()
    adapter = http.make(described(**changes), means_with(None, sink, hook=SECRET))
    reply = await adapter.called(a_call)
    assert reply.status == 200
    return sink.told


def proved(body, **more):
    return call(body, x_token=SECRET, **more)


# Proofs


def signed(body, digest="sha256", encoding="hex", prefix="", secret=SECRET):
    made = hmac.new(secret.encode(), body, digest)
    return prefix + (made.hexdigest() if encoding == "hex" else base64.b64encode(made.digest()).decode())


BODY = json.dumps({"id": "m-1", "status": "DELIVRD"}).encode()
DELIVERED = [Receipt("m-1", ReceiptStatus.DELIVERED)]


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


HMAC = {"callback_auth": "hmac", "callback_field": "X-Signature"}
PROOFS = [
    ({"callback_auth": "query", "callback_field": "t"}, call(BODY, query={"t": SECRET})),
    (BY_HEADER, call(BODY, x_token=SECRET)),
    ({"callback_auth": "basic", "callback_user": "them"}, call(BODY, authorization=basic("them", SECRET))),
    (HMAC, call(BODY, x_signature=signed(BODY))),
    (HMAC, call(BODY, x_signature=signed(BODY).upper())),
    (HMAC | {"callback_prefix": "sha256="}, call(BODY, x_signature=signed(BODY, prefix="sha256="))),
    (HMAC | {"callback_digest": "sha1"}, call(BODY, x_signature=signed(BODY, "sha1"))),
    (
        HMAC | {"callback_digest": "sha1", "callback_encoding": "base64"},
        call(BODY, x_signature=signed(BODY, "sha1", "base64")),
    ),
]


@pytest.mark.parametrize(("how", "a_call"), PROOFS)
async def test_a_call_that_proves_where_it_comes_from_is_taken(how, a_call):
    assert await brought(a_call, **RECEIPTS, **how) == DELIVERED


@pytest.mark.parametrize(("how", "a_call"), PROOFS)
async def test_a_call_that_proves_nothing_brings_nothing(how, a_call):
    sink = Taken()
    wrong = [
        msgspec.structs.replace(a_call, query={}, headers={}),
        msgspec.structs.replace(
            a_call,
            query={name: value[:-1] for name, value in a_call.query.items()},
            headers={name: value[:-2] for name, value in a_call.headers.items()},
        ),
        msgspec.structs.replace(
            a_call, query=dict.fromkeys(a_call.query, "é\ud800"), headers=dict.fromkeys(a_call.headers, "é")
        ),
        msgspec.structs.replace(
            a_call, query=dict.fromkeys(a_call.query, ""), headers=dict.fromkeys(a_call.headers, "")
        ),
    ]
    for each in wrong:
        with pytest.raises(NotAuthentic, match="missing or does not fit"):
            await brought(each, sink, **RECEIPTS, **how)
    assert sink.told == []


@pytest.mark.parametrize("how", [how for how, _ in PROOFS if how["callback_auth"] == "hmac"])
async def test_a_body_that_was_changed_on_the_way_fits_no_signature(how):
    other = BODY.replace(b"m-1", b"m-2")
    digest, encoding = how.get("callback_digest", "sha256"), how.get("callback_encoding", "hex")
    signature = signed(BODY, digest, encoding, how.get("callback_prefix", ""))
    with pytest.raises(NotAuthentic):
        await brought(call(other, x_signature=signature), **RECEIPTS, **how)


async def test_a_signature_under_another_secret_or_without_its_prefix_fits_not():
    for signature in (signed(BODY, secret="other"), signed(BODY)):
        with pytest.raises(NotAuthentic):
            await brought(call(BODY, x_signature=signature), **RECEIPTS, **HMAC, callback_prefix="sha256=")


async def test_basic_wants_the_user_too():
    for given in (basic("me", SECRET), "Basic %%%", f"Bearer {SECRET}", basic("them", "")):
        with pytest.raises(NotAuthentic):
            await brought(call(BODY, authorization=given), **RECEIPTS, callback_auth="basic", callback_user="them")


async def test_without_a_proof_that_is_set_nothing_is_possible():
    adapter = http.make(described(callback_auth="none", callback_secret=""), means_with())
    with pytest.raises(NotAuthentic, match="callback_auth and its secret are not set"):
        await adapter.called(proved(BODY))


async def test_without_the_secret_nothing_is_possible():
    with pytest.raises(NotAuthentic, match="no secret named hook"):
        await http.make(described(**RECEIPTS), means_with()).called(call(BODY, x_token=""))
    with pytest.raises(NotAuthentic):
        await http.make(described(**RECEIPTS), means_with(hook="")).called(call(BODY, x_token=""))


async def test_the_official_library_and_the_box_agree_on_a_signature():
    url = "https://box.example.com/hooks/providers/twilio"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "ErrorMessage": "é & ö"}
    twilio = {
        "callback_auth": "hmac",
        "callback_field": "X-Twilio-Signature",
        "callback_digest": "sha1",
        "callback_encoding": "base64",
        "callback_signed": "url_and_form",
        "callback_url": url,
        "callback_format": "form",
        "receipt_id": "MessageSid",
        "receipt_status": "MessageStatus",
        "statuses": {"delivered": "delivered"},
    }
    signature = RequestValidator(SECRET).compute_signature(url, form)
    body = urlencode(form).encode()
    told = await brought(call(body, x_twilio_signature=signature), **twilio)
    assert told == [Receipt("SM1", ReceiptStatus.DELIVERED)]
    for other in (body.replace(b"SM1", b"SM2"), b"\xff", b"&".join([b"a=1"] * 300)):
        with pytest.raises(NotAuthentic):
            await brought(call(other, x_twilio_signature=signature), **twilio)


# Receipts


@pytest.mark.parametrize(
    ("word", "status", "detail"),
    [
        ("DELIVRD", ReceiptStatus.DELIVERED, "E0"),
        ("UNDELIV", ReceiptStatus.FAILED, "E0"),
        ("EXPIRED", ReceiptStatus.EXPIRED, "E0"),
        ("ENROUTE", ReceiptStatus.PENDING, "E0"),
        ("ODDITY", ReceiptStatus.PENDING, "E0"),
    ],
)
async def test_a_status_is_read_by_the_table_and_an_unlisted_one_settles_nothing(word, status, detail):
    body = {"id": "m-1", "status": word, "why": "E0", "at": "2026-11-20T14:05:00Z"}
    assert await brought(proved(body), **RECEIPTS) == [Receipt("m-1", status, detail, 1_795_183_500_000)]


async def test_an_unlisted_word_is_kept_for_people():
    told = await brought(proved({"id": "m-1", "status": "ODDITY"}), **RECEIPTS)
    assert told == [Receipt("m-1", ReceiptStatus.PENDING, "ODDITY")]


async def test_a_list_of_receipts_comes_in_one_call_and_twice_is_harmless():
    body = {"data": {"reports": [{"id": n, "status": "DELIVRD"} for n in range(3)]}}
    sink = Taken()
    for _ in range(2):
        await brought(proved(body), sink, **RECEIPTS, receipt_list="data.reports")
    assert [one.reference for one in sink.told] == ["0", "1", "2"] * 2


async def test_a_list_can_be_the_document_itself():
    told = await brought(proved([{"id": "a", "status": "UNDELIV"}]), **RECEIPTS, receipt_list=".")
    assert told == [Receipt("a", ReceiptStatus.FAILED)]


async def test_a_call_can_be_a_form_or_an_address():
    fields = {"id": "m-1", "status": "DELIVRD"}
    body = urlencode(fields).encode()
    assert await brought(proved(body), **RECEIPTS, callback_format="form") == DELIVERED
    got = call(b"", "GET", query=fields | {"t": SECRET})
    how = {"callback_auth": "query", "callback_field": "t", "callback_format": "query"}
    assert await brought(got, **RECEIPTS, **how) == DELIVERED


# Inbound messages


async def test_an_inbound_message_is_brought_once():
    body = {"id": 9, "from": "447900900123", "to": "447900900001", "text": "yes\n😀", "at": 1_795_183_500}
    sink = Taken()
    for _ in range(2):
        await brought(proved(body), sink, **ARRIVALS, number_format="digits")
    assert sink.told == [Arrival("9", "+447900900123", "yes\n😀", 1_795_183_500_000, "+447900900001")]


@pytest.mark.parametrize(
    ("changes", "written", "read"),
    [
        ({}, "447900900123", "447900900123"),
        ({}, "+447900900123", "+447900900123"),
        ({"number_format": "digits"}, "+447900900123", "+447900900123"),
        ({"number_format": "digits"}, "85100", "85100"),
        ({"number_format": "digits"}, "Shop", "Shop"),
        ({"number_format": "digits"}, "07900900123", "07900900123"),
        ({"number_format": "digits", "channel": "email"}, "447900900123", "447900900123"),
    ],
)
async def test_numbers_get_their_plus_where_the_provider_leaves_it_out(changes, written, read):
    [told] = await brought(proved({"id": "1", "from": written, "text": ""}), **ARRIVALS, **changes)
    assert (told.sender, told.text, told.to, told.sent_at_ms) == (read, "", "", None)


async def test_both_kinds_come_in_one_call():
    body = {"dlr": [{"id": "m-1", "status": "DELIVRD"}], "mo": [{"id": "i-1", "from": "+1", "text": "hi"}]}
    told = await brought(proved(body), **RECEIPTS, **ARRIVALS, receipt_list="dlr", arrival_list="mo")
    assert told == [*DELIVERED, Arrival("i-1", "+1", "hi")]


async def test_a_long_text_is_bounded():
    [told] = await brought(proved({"id": "1", "from": "+1", "text": "x" * 100_000}), **ARRIVALS)
    assert len(told.text) == 20_000


# What makes no sense


@pytest.mark.parametrize(
    ("body", "changes", "why"),
    [
        (b"<xml/>", RECEIPTS, "the body is no JSON"),
        (b"", RECEIPTS, "the body is no JSON"),
        (b"\xff", RECEIPTS | {"callback_format": "form"}, "the body is no form"),
        (b"&".join([b"a=1"] * 300), RECEIPTS | {"callback_format": "form"}, "at most 200 fields"),
        ({"status": "DELIVRD"}, RECEIPTS, "nothing is at id (receipt_id)"),
        ({"id": "m-1"}, RECEIPTS, "nothing is at id (receipt_id)"),
        ({"id": "1", "from": "+1"}, ARRIVALS, "nothing is at id (arrival_id)"),
        ({}, RECEIPTS | ARRIVALS, "nothing is at id (receipt_id) nor at id (arrival_id)"),
        ({"all": []}, RECEIPTS | {"receipt_list": "all"}, "this call brings neither a receipt nor a message"),
        ({"all": [{}] * (MOST_ITEMS + 1)}, RECEIPTS | {"receipt_list": "all"}, "at most 1000 come in one call"),
        ({"all": {"id": "a"}}, RECEIPTS | {"receipt_list": "all"}, "brings neither"),
    ],
)
async def test_an_authentic_call_that_makes_no_sense_is_told_which_field(body, changes, why):
    with pytest.raises(BadCall) as bad:
        await brought(proved(body), **changes)
    assert why in str(bad.value)


async def test_a_sink_that_fails_is_not_answered_as_if_it_had_taken_it():
    class Full(Taken):
        async def receipt(self, receipt):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        await brought(proved(BODY), Full(), **RECEIPTS)


async def test_a_call_is_answered_as_the_provider_wants_it():
    settings = described(**RECEIPTS, callback_answer="<Response/>", callback_answer_type="text/xml")
    reply = await http.make(settings, means_with(hook=SECRET)).called(proved(BODY))
    assert (reply.status, reply.body, reply.media_type) == (200, "<Response/>", "text/xml")


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("1795183500", 1_795_183_500_000),
        ("1795183500123", 1_795_183_500_123),
        ("1795183500.5", 1_795_183_500_500),
        ("2026-11-20T14:05:00Z", 1_795_183_500_000),
        ("2026-11-20T15:05:00+01:00", 1_795_183_500_000),
        ("2026-11-20 14:05:00", 1_795_183_500_000),
        ("Fri, 20 Nov 2026 14:05:00 GMT", 1_795_183_500_000),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("1e300", None),
        ("Fri, 99 Nov 99999 14:05:00 GMT", None),
    ],
)
def test_a_time_is_read_as_providers_write_it(written, ms):
    assert moment_ms(written) == ms
