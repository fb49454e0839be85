"""The webhook of WhatsApp's Cloud API: the address is confirmed, calls are signed, statuses and messages are taken."""

import hashlib
import hmac
import json

import msgspec
import pytest

from fakes.http_provider import Taken, call, means_with
from modembank.providers.adapters import whatsapp
from modembank.providers.adapters.http_callbacks import MOST_ITEMS
from modembank.providers.adapters.whatsapp import MOST_WRITERS, Settings, WhatsAppProvider
from modembank.providers.model import Arrival, BadCall, NotAuthentic, Receipt, ReceiptStatus

NUMBER_ID = "106540352242922"
APP_SECRET = "app-s3cret"
SECRETS = {"wa_token": "t", "wa_app": APP_SECRET, "wa_verify": "v3rify-me"}
AT = 1_795_183_500


def signed(body, secret=APP_SECRET):
    """A call as Meta makes it."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), octets, hashlib.sha256).hexdigest()
    return call(octets, x_hub_signature_256=signature)


def news(number_id=NUMBER_ID, field="messages", **value):
    metadata = {"display_phone_number": "15550001234", "phone_number_id": number_id}
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": field}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}


def inbound(at=AT, wamid="wamid.in", **content):
    message = {"from": "447900900123", "id": wamid, "timestamp": str(at)}
    contacts = [{"profile": {"name": "Zoë"}, "wa_id": "447900900123"}]
    return news(contacts=contacts, messages=[message | (content or {"type": "text", "text": {"body": "yes"}})])


def told(status, *errors, at=AT, wamid="wamid.out"):
    entry = {"id": wamid, "status": status, "timestamp": str(at), "recipient_id": "447900900123"}
    return news(statuses=[entry | ({"errors": list(errors)} if errors else {})])


def adapter_with(sink=None, secrets=SECRETS, **changes):
    fields = {
        "phone_number_id": NUMBER_ID,
        "token_secret": "wa_token",
        "app_secret": "wa_app",
        "verify_secret": "wa_verify",
        **changes,
    }
    settings = msgspec.convert(fields, Settings)
    whatsapp.check(settings)
    return WhatsAppProvider(settings, means_with(None, sink, **secrets))


async def brought(*bodies):
    sink = Taken()
    adapter = adapter_with(sink)
    for body in bodies:
        reply = await adapter.called(signed(body))
        assert (reply.status, reply.body) == (200, "")
    return sink.told


# The address is confirmed


def asked(**query):
    given = {"hub.mode": "subscribe", "hub.verify_token": "v3rify-me", "hub.challenge": "1158201444"}
    named = {f"hub.{name}": value for name, value in query.items()}
    return call(method="GET", query={name: one for name, one in (given | named).items() if one is not None})


async def test_the_address_is_confirmed_with_the_challenge():
    reply = await adapter_with().called(asked())
    assert (reply.status, reply.body, reply.media_type) == (200, "1158201444", "text/plain")


@pytest.mark.parametrize("token", [None, "", "v3rify", "v3rify-me ", "é"])
async def test_the_address_is_not_confirmed_to_anybody_else(token):
    with pytest.raises(NotAuthentic, match=r"hub\.verify_token"):
        await adapter_with().called(asked(verify_token=token))


@pytest.mark.parametrize(
    "query",
    [{"mode": "unsubscribe"}, {"mode": None}, {"challenge": ""}, {"challenge": "x" * 201}, {"challenge": "a\nb"}],
)
async def test_a_confirmation_that_makes_no_sense_is_refused(query):
    with pytest.raises(BadCall, match=r"hub\.mode must be subscribe"):
        await adapter_with().called(asked(**query))


async def test_without_secrets_nothing_is_possible():
    for one in (asked(verify_token=""), call(method="GET"), signed(told("read"), ""), call(b"{}")):
        with pytest.raises(NotAuthentic, match="are not set"):
            await adapter_with(app_secret="", verify_secret="").called(one)
        with pytest.raises(NotAuthentic, match="no secret named"):
            await adapter_with(secrets={"wa_token": "t"}).called(one)
        with pytest.raises(NotAuthentic):
            await adapter_with(secrets=dict.fromkeys(SECRETS, "")).called(one)


# Calls are signed


async def test_what_is_not_signed_by_the_app_brings_nothing():
    sink = Taken()
    adapter = adapter_with(sink)
    good = signed(inbound())
    for headers in (
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha256=zz"},
        {"x-hub-signature-256": good.headers["x-hub-signature-256"].removeprefix("sha256=")},
        {"x-hub-signature-256": good.headers["x-hub-signature-256"][:-2]},
        {"x-hub-signature": good.headers["x-hub-signature-256"]},
        signed(inbound(), "another").headers,
        signed(told("read")).headers,
    ):
        with pytest.raises(NotAuthentic, match="X-Hub-Signature-256"):
            await adapter.called(msgspec.structs.replace(good, headers=headers))
    with pytest.raises(NotAuthentic):
        await adapter.called(msgspec.structs.replace(good, body=good.body.replace(b"yes", b"no!")))
    assert sink.told == []


async def test_the_signature_is_over_the_octets_as_they_came():
    body = b'{"object": "whatsapp_business_account",  "entry": [], "x": "\\u00e4 \xc3\xa4"}'
    assert await brought(body) == []


# Statuses


@pytest.mark.parametrize(
    ("status", "means", "detail"),
    [
        ("sent", ReceiptStatus.PENDING, ""),
        ("delivered", ReceiptStatus.DELIVERED, ""),
        ("read", ReceiptStatus.DELIVERED, "read"),
        ("played", ReceiptStatus.DELIVERED, "played"),
        ("failed", ReceiptStatus.FAILED, ""),
    ],
)
async def test_a_status_is_a_receipt(status, means, detail):
    assert await brought(told(status)) == [Receipt("wamid.out", means, detail, AT * 1000)]


async def test_a_failure_says_why():
    details = {"error_data": {"details": "Message failed to send because more than 24 hours have passed"}}
    error = {"code": 131047, "title": "Re-engagement message", "message": "Re-engagement message", **details}
    [receipt] = await brought(told("failed", error))
    assert (receipt.status, receipt.detail) == (
        ReceiptStatus.FAILED,
        "131047: Message failed to send because more than 24 hours have passed",
    )
    [receipt] = await brought(told("failed", {"code": 131026, "title": "Message undeliverable"}))
    assert receipt.detail == "131026: Message undeliverable"
    [receipt] = await brought(told("failed", {"code": 131026, "title": "x" * 500}))
    assert len(receipt.detail) == 200
    [receipt] = await brought(told("failed", {"code": 131043, "title": "Message expired"}))
    assert receipt.status is ReceiptStatus.EXPIRED


async def test_a_status_that_nobody_knows_is_passed_over():
    assert await brought(told("deleted"), told("warning")) == []


async def test_doubled_statuses_are_told_as_they_come():
    assert [one.status for one in await brought(told("read"), told("delivered"), told("read"))] == [
        ReceiptStatus.DELIVERED
    ] * 3


# Messages


async def test_a_text_is_an_arrival_and_twice_is_once():
    assert await brought(inbound(), inbound()) == [
        Arrival("wamid.in", "+447900900123", "yes", AT * 1000, "+15550001234")
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"type": "text", "text": {"body": "two\nlines 😀"}}, "two\nlines 😀"),
        ({"type": "text"}, ""),
        ({"type": "button", "button": {"text": "Stop", "payload": "p"}}, "Stop"),
        ({"type": "interactive", "interactive": {"button_reply": {"id": "1", "title": "Yes"}}}, "Yes"),
        ({"type": "interactive", "interactive": {"list_reply": {"id": "1", "title": "Tuesday"}}}, "Tuesday"),
        ({"type": "interactive", "interactive": {"nfm_reply": {}}}, "[interactive]"),
        ({"type": "reaction", "reaction": {"message_id": "wamid.out", "emoji": "👍"}}, "[reaction 👍]"),
        ({"type": "reaction", "reaction": {"message_id": "wamid.out"}}, "[reaction taken back]"),
        ({"type": "image", "image": {"id": "1", "caption": "my meter"}}, "[image] my meter"),
        ({"type": "image", "image": {"id": "1"}}, "[image]"),
        ({"type": "audio", "audio": {"id": "1", "voice": True}}, "[audio]"),
        ({"type": "location", "location": {"latitude": 1.5, "longitude": 2}}, "[location]"),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, "[unsupported]"),
        ({"type": "k" * 100}, "[" + "k" * 40 + "]"),
        ({"text": {"body": "no type"}}, "[unknown]"),
    ],
)
async def test_other_types_are_told_in_a_few_words(content, text):
    [arrival] = await brought(inbound(**content))
    assert arrival.text == text


async def test_a_sender_without_a_number_is_passed_over():
    body = inbound()
    del body["entry"][0]["changes"][0]["value"]["messages"][0]["from"]
    assert await brought(body) == []


async def test_other_numbers_and_other_news_of_the_app_are_passed_over():
    other = news("999", messages=[{"from": "1", "id": "x", "type": "text", "text": {"body": "not ours"}}])
    quality = news(field="phone_number_quality_update", messages=[{"id": "x"}])
    both = inbound()
    both["entry"] += other["entry"] + told("delivered")["entry"]
    assert [type(one) for one in await brought(other, quality, both)] == [Arrival, Receipt]


# What makes no sense


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "object must be"),
        (b"<xml/>", "object must be"),
        (b"[]", "object must be"),
        ({"object": "page", "entry": []}, "object must be"),
        (news(statuses=[{"status": "read"}]), "a status has no id"),
        (news(statuses=[{"id": "x"}]), "a status has no id or no status"),
        (news(statuses=["read"]), "a status has no id"),
        (news(messages=[{"from": "1", "type": "text"}]), "a message has no id"),
        (news(statuses=[{"id": "x", "status": "read"}] * (MOST_ITEMS + 1)), "at most 1000 come in one call"),
    ],
)
async def test_a_signed_call_that_makes_no_sense_is_told_why(body, why):
    with pytest.raises(BadCall) as bad:
        await brought(body)
    assert why in str(bad.value)


@pytest.mark.parametrize(
    "body",
    [
        {"object": "whatsapp_business_account"},
        {"object": "whatsapp_business_account", "entry": {"changes": []}},
        {"object": "whatsapp_business_account", "entry": [None, 1, {"changes": [None, {"field": "messages"}]}]},
        news(statuses={}, messages="none"),
        news(),
    ],
)
async def test_a_signed_call_with_nothing_in_it_is_harmless(body):
    assert await brought(body) == []


async def test_only_so_many_writers_are_remembered():
    adapter = adapter_with()
    for n in range(MOST_WRITERS + 5):
        adapter._note(f"+{n}", None)
    assert len(adapter._wrote) == MOST_WRITERS
    assert not adapter._may_be_free("+0")
    assert adapter._may_be_free(f"+{MOST_WRITERS}")
