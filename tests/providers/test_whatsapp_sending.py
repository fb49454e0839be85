"""The kind whatsapp against a real server that speaks as the Cloud API does, and as it should not."""

import json

import msgspec
import pytest

from fakes.http_provider import (
    Gate,
    Taken,
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
from modembank.clock import SystemClock
from modembank.errors import InvalidRequest
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers.adapters import whatsapp
from modembank.providers.adapters.whatsapp import Settings, WhatsAppProvider
from modembank.providers.adapters.whatsapp_tables import ERRORS, WINDOW_CLOSED
from modembank.providers.model import Channel, Outbound
from providers.test_whatsapp_calls import inbound, signed

NOT_SENT, REJECTED = AttemptOutcome.NOT_SENT, AttemptOutcome.REJECTED
ACCEPTED, UNKNOWN = AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN
TEXT = "Your code is 481516.\n\nNever tell\tit."
MESSAGE = Outbound(key="key-1", channel=Channel.WHATSAPP, recipient="+447900900123", text=TEXT)
SECRETS = {"wa_token": "EAAG-s3cret-token", "wa_app": "app-s3cret"}
WAMID = "wamid.HBgLNDQ3OTAwOTAwMTIzFQIAERgSQTk"
TAKEN = says(
    {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+447900900123", "wa_id": "447900900123"}],
        "messages": [{"id": WAMID, "message_status": "accepted"}],
    }
)


def fails(code, status="400 Bad Request", details="More of it", **more):
    """Answer as the Graph API does."""
    error = {"message": f"(#{code}) Something", "type": "OAuthException", "code": code, **more}
    error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return says({"error": error | {"fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam"}}, status)


def described(base_url, **changes):
    fields = {"phone_number_id": "106540352242922", "token_secret": "wa_token", "timeout_s": 5, "base_url": base_url}
    settings = msgspec.convert(fields | changes, Settings)
    whatsapp.check(settings)
    return settings


def adapter_for(there, clock=None, sink=None, secrets=SECRETS, **changes):
    means = means_with(clock, sink, **secrets)
    return WhatsAppProvider(described(there.url("/v23.0"), **changes), means)


async def send_to(*acts, gate=None, message=MESSAGE, **changes):
    async with provider(*acts) as there:
        result = await adapter_for(there, **changes).send(message, gate or Gate())
    return result, there


def looks(result, outcome, klass, code):
    assert (result.outcome, result.cause.klass, result.cause.code) == (outcome, klass, code), result
    kept = json.dumps(msgspec.to_builtins(result))
    assert "481516" not in kept
    assert "s3cret" not in kept
    return True


async def test_a_text_is_sent_and_accepted_with_its_id():
    gate = Gate()
    result, there = await send_to(TAKEN, gate=gate)
    assert (result.outcome, result.reference, result.cause, gate.asked) == (ACCEPTED, WAMID, None, 1)
    assert result.evidence["template"] is False
    got = there.requests[0]
    assert (got.method, got.target) == ("POST", "/v23.0/106540352242922/messages")
    assert got.headers["authorization"] == "Bearer EAAG-s3cret-token"
    assert got.json() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+447900900123",
        "type": "text",
        "text": {"preview_url": False, "body": TEXT},
    }


TEMPLATE = {"template": "alert_text", "template_language": "en_GB"}


async def test_a_template_has_the_text_as_its_only_parameter_on_one_line():
    result, there = await send_to(TAKEN, template_use="always", **TEMPLATE)
    assert (result.outcome, result.evidence["template"]) == (ACCEPTED, True)
    sent = there.requests[0].json()
    assert (sent["type"], sent["template"]["name"], sent["template"]["language"]) == (
        "template", "alert_text", {"code": "en_GB"},
    )  # fmt: skip
    assert sent["template"]["components"] == [
        {"type": "body", "parameters": [{"type": "text", "text": "Your code is 481516. Never tell it."}]}
    ]


class Turned(SystemClock):
    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s


async def test_the_template_is_used_outside_of_the_window_alone():
    clock, sink = Turned(), Taken()
    async with provider(TAKEN) as there:
        adapter = adapter_for(there, clock, sink, app_secret="wa_app", **TEMPLATE)
        await adapter.send(MESSAGE, Gate())
        await adapter.called(signed(inbound(at=int(clock.now()))))
        await adapter.send(MESSAGE, Gate())
        other = msgspec.structs.replace(MESSAGE, recipient="+447900900999")
        await adapter.send(other, Gate())
        clock.ahead_s = 24 * 3_600 - 60
        await adapter.send(MESSAGE, Gate())
        clock.ahead_s = 24 * 3_600 + 60
        await adapter.send(MESSAGE, Gate())
        await adapter.called(signed(inbound(at=int(clock.now()) - 25 * 3_600, wamid="wamid.late")))
        await adapter.send(MESSAGE, Gate())
    kinds = [got.json()["type"] for got in there.requests]
    assert kinds == ["template", "text", "template", "text", "template", "template"]


async def test_a_window_that_is_closed_although_it_seemed_open_is_answered_with_the_template():
    gate, clock = Gate(), Turned()
    async with provider(fails(WINDOW_CLOSED), TAKEN) as there:
        adapter = adapter_for(there, clock, app_secret="wa_app", **TEMPLATE)
        await adapter.called(signed(inbound(at=int(clock.now()))))
        result = await adapter.send(MESSAGE, gate)
        assert (result.outcome, result.evidence["template"], gate.asked) == (ACCEPTED, True, 1)
        await adapter.send(MESSAGE, Gate())
    assert [got.json()["type"] for got in there.requests] == ["text", "template", "template"]


async def test_a_template_is_never_sent_after_what_may_have_been_taken():
    clock = Turned()
    async with provider(fails(131000, "500 Internal Server Error"), TAKEN) as there:
        adapter = adapter_for(there, clock, app_secret="wa_app", **TEMPLATE)
        await adapter.called(signed(inbound(at=int(clock.now()))))
        result = await adapter.send(MESSAGE, Gate())
    assert (result.outcome, len(there.requests)) == (UNKNOWN, 1)


async def test_without_a_template_a_closed_window_is_final_and_says_the_way_out():
    result, there = await send_to(fails(WINDOW_CLOSED))
    assert looks(result, REJECTED, CauseClass.RECIPIENT, "code_131047")
    assert "name a template in the settings" in result.cause.text
    assert len(there.requests) == 1


# Errors by code


@pytest.mark.parametrize("code", sorted(set(ERRORS)))
@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
async def test_every_code_has_its_class_whatever_the_status(code, status):
    result, there = await send_to(fails(code, status, details=f"bad: {TEXT}"))
    klass = ERRORS[code][0]
    outcome = UNKNOWN if klass is CauseClass.AMBIGUOUS else REJECTED
    assert looks(result, outcome, klass, f"code_{code}")
    assert str(code) in result.cause.text
    assert len(there.requests) == 1, "there is no idempotency key: nothing is repeated"


@pytest.mark.parametrize(
    ("act", "outcome", "klass", "code"),
    [
        (fails(200, "403 Forbidden"), REJECTED, CauseClass.SIM, "code_200"),
        (fails(299, "403 Forbidden"), REJECTED, CauseClass.SIM, "code_299"),
        (fails(100, error_subcode=33), REJECTED, CauseClass.SIM, "code_100"),
        (fails(100, error_subcode=2_494_010), REJECTED, CauseClass.RECIPIENT, "code_100"),
        (fails(999_999), REJECTED, CauseClass.RECIPIENT, "http_400"),
        (fails(999_999, "401 Unauthorized"), REJECTED, CauseClass.SIM, "http_401"),
        (fails(999_999, "429 Too Many Requests"), REJECTED, CauseClass.MODEM, "http_429"),
        (fails(999_999, "500 Internal Server Error"), UNKNOWN, CauseClass.AMBIGUOUS, "http_500"),
        (fails("nonsense"), REJECTED, CauseClass.RECIPIENT, "http_400"),
        (says(b"<html>", "404 Not Found"), REJECTED, CauseClass.SIM, "http_404"),
        (says(b"<html>", "503 Service Unavailable"), UNKNOWN, CauseClass.AMBIGUOUS, "http_503"),
        (says(None, "302 Found", b"Location: http://127.0.0.1:1/"), UNKNOWN, CauseClass.AMBIGUOUS, "http_302"),
        (says(None, "308 Permanent Redirect", b"Location: http://127.0.0.1:1/"), REJECTED, CauseClass.SIM, "http_308"),
        (says(None, "409 Conflict"), UNKNOWN, CauseClass.AMBIGUOUS, "http_409"),
        (says({}), UNKNOWN, CauseClass.AMBIGUOUS, "answer_nonsense"),
        (says({"messages": [{"id": "x" * 201}]}), UNKNOWN, CauseClass.AMBIGUOUS, "answer_nonsense"),
        (says(b"<html>the hotel's network</html>"), UNKNOWN, CauseClass.AMBIGUOUS, "answer_nonsense"),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), UNKNOWN, CauseClass.AMBIGUOUS, "answer_cut"),
        (pours(), UNKNOWN, CauseClass.AMBIGUOUS, "answer_cut"),
        (hangs_up(), UNKNOWN, CauseClass.AMBIGUOUS, "closed"),
        (resets(), UNKNOWN, CauseClass.AMBIGUOUS, "closed"),
        (silent(), UNKNOWN, CauseClass.AMBIGUOUS, "timeout"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n"), UNKNOWN, CauseClass.AMBIGUOUS, "answer_cut"),
    ],
)
async def test_what_follows_from_other_answers_and_from_none(act, outcome, klass, code):
    result, there = await send_to(act, timeout_s=0.3)
    assert looks(result, outcome, klass, code)
    assert len(there.requests) == 1


async def test_how_long_to_wait_is_read():
    result, _ = await send_to(fails(130429))
    assert result.retry_after_s is None
    busy = json.dumps({"error": {"code": 130429}}).encode()
    result, _ = await send_to(says(busy, "400 Bad Request", b"Retry-After: 30"))
    assert (result.cause.klass, result.retry_after_s) == (CauseClass.MODEM, 30)


async def test_nothing_left_where_nothing_could():
    gate = Gate()
    settings = described(f"http://127.0.0.1:{a_port_where_nothing_listens()}/v23.0")
    result = await WhatsAppProvider(settings, means_with(**SECRETS)).send(MESSAGE, gate)
    assert looks(result, NOT_SENT, CauseClass.MODEM, "refused")
    result, there = await send_to(TAKEN, gate=gate, secrets={})
    assert looks(result, NOT_SENT, CauseClass.MODEM, "secret_missing")
    assert (there.connections, gate.asked) == (0, 0)
    result, there = await send_to(TAKEN, gate=Gate(opens=False))
    assert looks(result, NOT_SENT, CauseClass.MODEM, "gate_closed")
    assert there.requests == []


# Settings


async def test_what_it_is_and_when_it_is_not_ready():
    settings = described("https://graph.facebook.com/v23.0", app_secret="wa_app", window=3)
    assert whatsapp.NAME == "whatsapp"
    assert whatsapp.channel(settings) is Channel.WHATSAPP
    adapter = whatsapp.make(settings, means_with(**SECRETS))
    assert (adapter.window, adapter.not_ready(), await adapter.run()) == (3, None, None)
    assert "no secret named wa_token" in whatsapp.make(settings, means_with()).not_ready()
    assert "no secret named wa_app" in whatsapp.make(settings, means_with(wa_token="x")).not_ready()
    inside = described("http://127.0.0.1:8080/v23.0")
    assert "only an admin can allow" in whatsapp.make(inside, means_with(allow_private=False, **SECRETS)).not_ready()


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"base_url": "ftp://x.example"}, "/base_url", "must begin with https://"),
        ({"base_url": "https://x.example/v1?a=b"}, "/base_url", "must end with the version"),
        ({"template_use": "always"}, "/template", "must be named"),
        ({"verify_secret": "wa_verify"}, "/app_secret", "is what the webhook's calls prove"),
    ],
)
def test_wrong_settings_are_refused_with_the_field(changes, pointer, detail):
    with pytest.raises(InvalidRequest) as refused:
        described(**{"base_url": "https://graph.facebook.com/v23.0"} | changes)
    assert refused.value.problems[0].pointer == pointer
    assert detail in refused.value.problems[0].detail


@pytest.mark.parametrize(
    "changes",
    [
        {"phone_number_id": "+15550001234"},
        {"phone_number_id": "1/2"},
        {"token_secret": ""},
        {"token_secret": "EAAG token"},
        {"template": "Alert text"},
        {"template_language": "english"},
        {"template_use": "sometimes"},
        {"window": 0},
        {"token": "EAAG"},
    ],
)
def test_what_types_can_say_is_said_by_them(changes):
    with pytest.raises(msgspec.ValidationError):
        described("https://graph.facebook.com/v23.0", **changes)


def test_settings_survive_being_stored():
    given = described("https://graph.facebook.com/v23.0", **TEMPLATE)
    assert msgspec.json.decode(msgspec.json.encode(given), type=Settings) == given
