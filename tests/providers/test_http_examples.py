"""The examples of the documents: they are right, and the box's own Twilio dialect takes what the first one sends."""

import json
import re
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from fakes.boxes import box_on
from fakes.http_provider import Gate, Taken, call, means_with, provider, says, takes_by_key
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers.adapters import http, whatsapp
from modembank.providers.adapters.http import HttpProvider, Settings
from modembank.providers.adapters.http_outcomes import AMBIGUOUS, REFUSALS
from modembank.providers.adapters.whatsapp_tables import ERRORS
from modembank.providers.model import Arrival, Call, Channel, NotAuthentic, Outbound, Receipt, ReceiptStatus
from providers.test_http_calls import signed

DOCS = Path(__file__).resolve().parents[2] / "docs"
HTTP_PAGE = (DOCS / "providers-http.md").read_text("utf-8")
WHATSAPP_PAGE = (DOCS / "providers-whatsapp.md").read_text("utf-8")
TWILIO, GENERIC = (json.loads(one) for one in re.findall(r"```json\n(.*?)```", HTTP_PAGE, re.DOTALL))
TO = "+19990000001"


def named_in_tables(page):
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def test_the_documents_name_every_setting():
    assert set(Settings.__struct_fields__) <= named_in_tables(HTTP_PAGE)
    assert set(whatsapp.Settings.__struct_fields__) <= named_in_tables(WHATSAPP_PAGE)


def numbers_in(page, start):
    rows = [row for row in page.splitlines() if row.startswith("| ") and start in row]
    return {int(one) for row in rows for one in re.findall(r"\b\d{1,6}\b", row.split("|")[1])}


def test_the_documents_name_every_status_and_code():
    assert set(REFUSALS) <= numbers_in(HTTP_PAGE, "**refused**")
    assert set(AMBIGUOUS) <= numbers_in(HTTP_PAGE, "**unknown**")
    may_be = {code for code, (klass, _) in ERRORS.items() if klass is CauseClass.AMBIGUOUS}
    assert set(ERRORS) - may_be <= numbers_in(WHATSAPP_PAGE, "**refused**")
    assert may_be <= numbers_in(WHATSAPP_PAGE, "**unknown**")


@pytest.mark.parametrize("example", [TWILIO, GENERIC])
def test_the_examples_are_right(example):
    http.check(msgspec.convert(example, Settings))


def test_the_example_of_whatsapp_is_right():
    [example] = re.findall(r"```json\n(.*?)```", WHATSAPP_PAGE, re.DOTALL)
    whatsapp.check(msgspec.convert(json.loads(example), whatsapp.Settings))


# The JSON API with keys

MESSAGE = Outbound(key="key-1", channel=Channel.SMS, recipient="+447900900123", text='say "é"', valid_for_s=600)
SECRETS = {"example_key": "k3y-k3y-k3y", "example_hook": "h00k-h00k"}


def generic(url, sink=None):
    settings = msgspec.convert(GENERIC | {"url": url, "timeout_s": 5}, Settings)
    return HttpProvider(settings, means_with(None, sink, **SECRETS), pause_s=0.01)


async def test_the_json_example_sends_and_survives_a_lost_answer():
    def key_of(got):
        return got.headers["idempotency-key"]

    taken = says({"messages": [{"state": "queued", "id": 77}]})
    async with provider(takes_by_key(key_of, says(None, "504 Gateway Timeout")), takes_by_key(key_of, taken)) as there:
        result = await generic(there.url()).send(MESSAGE, Gate())
    assert (result.outcome, result.reference) == (AttemptOutcome.ACCEPTED, "77")
    first, second = there.requests
    assert (first.body, key_of(first)) == (second.body, key_of(second))
    assert (first.headers["x-api-key"], first.headers["x-api-version"]) == ("k3y-k3y-k3y", "2")
    assert first.json() == {
        "recipients": [{"msisdn": 447900900123}],
        "message": 'say "é"',
        "ttl": 600,
        "callback": "https://box.example.com/hooks/providers/example",
    }


async def test_the_json_example_reads_refusals():
    busy = says({"error": {"code": "throttled", "message": "slower", "retry_in": 4}}, "400 Bad Request")
    async with provider(busy, says({"messages": [{"state": "rejected"}]})) as there:
        first = await generic(there.url()).send(MESSAGE, Gate())
        second = await generic(there.url()).send(MESSAGE, Gate())
    assert (first.outcome, first.cause.klass, first.retry_after_s) == (
        AttemptOutcome.REJECTED, CauseClass.MODEM, 4,
    )  # fmt: skip
    assert (second.outcome, second.cause.klass) == (AttemptOutcome.REJECTED, CauseClass.RECIPIENT)


async def test_the_json_example_takes_calls():
    sink = Taken()
    body = {
        "receipts": [{"id": 77, "state": "undeliverable", "reason": "absent", "at": 1_795_183_500}],
        "inbound": [{"id": "i-1", "from": "447900900123", "to": "447900900001", "text": "yes", "at": 1_795_183_501}],
    }
    octets = json.dumps(body).encode()
    signature = signed(octets, prefix="sha256=", secret=SECRETS["example_hook"])
    await generic("https://sms.example.net/", sink).called(call(octets, x_signature=signature))
    assert sink.told == [
        Receipt("77", ReceiptStatus.FAILED, "absent", 1_795_183_500_000),
        Arrival("i-1", "+447900900123", "yes", 1_795_183_501_000, "+447900900001"),
    ]


# Another box is the provider, by its Twilio dialect


@asynccontextmanager
async def another_box(tmp_path):
    """A box with an account, and the adapter whose provider it is; its calls come in over a real socket."""
    sink = Taken()
    adapters: list[HttpProvider] = []

    async def take(talk):
        got = talk.got
        reply = await adapters[0].called(Call(got.method, got.query, got.headers, got.body, "127.0.0.1"))
        await says(reply.body.encode(), f"{reply.status} OK", b"content-type: text/xml")(talk)

    async with provider(take) as hooks, box_on(tmp_path, modems=1) as box:
        await box.app.accounts.add_user(LOCAL_ADMIN, "branch", Role.SENDER)
        hook = hooks.url("/hooks/providers/twilio")
        wanted = {"user": "branch", "allow_private": True, "sms_url": hook}
        account = (await box.client.post("/api/v1/twilio-accounts", json=wanted)).json()
        changes = {
            "url": f"{box.daemon.url}/2010-04-01/Accounts/{account['sid']}/Messages.json",
            "auth_user": account["sid"],
            "form": TWILIO["form"] | {"From": box.bank.cards[0].msisdn},
            "callback_url": hook,
        }
        settings = msgspec.convert(TWILIO | changes, Settings)
        http.check(settings)
        adapters.append(HttpProvider(settings, means_with(None, sink, twilio_token=account["auth_token"])))
        yield box, adapters[0], sink, hooks


def to(recipient, text="hello from the branch", key="key-1"):
    return Outbound(key=key, channel=Channel.SMS, recipient=recipient, text=text)


async def test_another_box_is_a_provider(tmp_path):
    async with another_box(tmp_path) as (box, adapter, sink, hooks):
        result = await adapter.send(to(TO), Gate())
        assert result.outcome is AttemptOutcome.ACCEPTED, result
        assert result.reference.startswith("SM")

        def delivered():
            return [one for one in sink.told if one == Receipt(result.reference, ReceiptStatus.DELIVERED)]

        await box.until(delivered)
        assert box.seen() == [TO]

        box.bank.network.inject(box.bank.cards[0].msisdn, "an answer 😀", TO)
        await box.until(lambda: any(isinstance(one, Arrival) for one in sink.told))
        [arrival] = [one for one in sink.told if isinstance(one, Arrival)]
        assert (arrival.sender, arrival.to, arrival.text) == (TO, box.bank.cards[0].msisdn, "an answer 😀")
        assert arrival.key.startswith("SM")

        signed_call = hooks.requests[-1]
        forged = Call("POST", {}, signed_call.headers, signed_call.body + b"&Body=no", "127.0.0.1")
        with pytest.raises(NotAuthentic):
            await adapter.called(forged)


async def test_another_box_refuses_and_is_understood(tmp_path):
    async with another_box(tmp_path) as (box, adapter, _, _):
        result = await adapter.send(to("+10"), Gate())
        assert (result.outcome, result.cause.klass, result.cause.code) == (
            AttemptOutcome.REJECTED, CauseClass.RECIPIENT, "code_21211",
        )  # fmt: skip
        result = await adapter.send(to(TO, "x" * 1_601), Gate())
        assert (result.cause.klass, result.cause.code) == (CauseClass.RECIPIENT, "code_21617")
        wrong = HttpProvider(adapter._settings, means_with(twilio_token="0" * 32))
        result = await wrong.send(to(TO), Gate())
        assert (result.outcome, result.cause.klass, result.cause.code) == (
            AttemptOutcome.REJECTED, CauseClass.SIM, "code_20003",
        )  # fmt: skip
        assert box.seen() == []
