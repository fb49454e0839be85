"""What From may name, and what a message is refused for before it is one."""

import asyncio
from dataclasses import dataclass

import pytest

from fakes.shops import row_of
from modembank.config import SendingConfig
from modembank.decency import RecipientsConfig
from modembank.messages import Admission
from modembank.messages.permitted import Permitted
from modembank.twilio import Code, Refused
from modembank.twilio.sending import check_destination, route_of


class NoSims:
    """A box without SIMs."""

    def all(self):
        return ()


@dataclass
class Card:
    iccid: str
    msisdn: str | None = None
    label: str = ""
    slot: str | None = None


CARDS = [
    Card("8901", "+15550000001", "shop", "slot-01"),
    Card("8902", "+15550000002", "shop", "slot-02"),
    Card("8903", None, "alone", "slot-03"),
]


def number(written: str) -> str | None:
    digits = "".join(char for char in written if char.isdigit())
    return f"+{digits}" if written.startswith("+") and digits else None


@pytest.mark.parametrize(
    ("sender", "route"),
    [
        (None, {}),
        ("+15550000002", {"sim": "8902"}),
        ("+1 555 000 0002", {"sim": "8902"}),
        ("8903", {"sim": "8903"}),
        ("slot-03", {"sim": "8903"}),
        ("alone", {"sim": "8903"}),
        ("shop", {"pool": "shop"}),
    ],
)
def test_a_sender_is_a_sim_or_a_pool(sender, route):
    assert route_of(CARDS, sender, number) == route


def test_an_unknown_sender_is_told_what_there_is():
    with pytest.raises(Refused, match=r"\+15550000001, \+15550000002, alone, shop") as refused:
        route_of(CARDS, "+15550000009", number)
    assert refused.value.fields["code"] == Code.NOT_OUR_FROM
    with pytest.raises(Refused, match="leave From out") as refused:
        route_of([Card("8901")], "Nobody", number)
    assert refused.value.fields["code"] == Code.INVALID_FROM


async def test_what_is_kept_of_a_message_is_kept_with_it(shop):
    plain = await shop.send()
    named = await shop.send(sender="+447900900001", status_callback="https://example.com/s")
    assert (plain.from_, named.from_) == (None, "+447900900001")
    rows = await shop.box.store.fetch_all("SELECT message_id, status_callback, sender, reply FROM twilio_messages")
    assert rows == [(row_of(named.sid), "https://example.com/s", "+447900900001", 0)]


@pytest.mark.parametrize(
    ("fields", "code", "name"),
    [
        ({"to": "12"}, Code.INVALID_TO, "To"),
        ({"body": "x" * 1601}, Code.BODY_TOO_LONG, "Body"),
        ({"body": "щ" * 1600}, Code.BODY_TOO_LONG, "Body"),
        ({"body": "\x00"}, Code.INVALID_PARAMETER, "Body"),
        ({"validity_s": 0}, Code.INVALID_PARAMETER, "ValidityPeriod"),
        ({"status_callback": "http://127.0.0.1:25/"}, Code.INVALID_PARAMETER, "StatusCallback"),
    ],
)
async def test_refusals_name_the_field_and_the_code(shop, fields, code, name):
    from modembank.errors import InvalidRequest

    with pytest.raises(InvalidRequest) as refused:
        await shop.send(**{"to": "+447900900123", "body": "x", **fields})
    assert refused.value.fields.get("code", Code.INVALID_PARAMETER) == code
    assert refused.value.problems[0].pointer == f"/{name}"
    assert await shop.outbox() == []


async def test_s11_a_client_cannot_make_the_box_post_into_its_own_network(shop):
    await shop.patch(sms_url=None, status_callback=None, allow_private=False)
    for url in ("http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/", "http://192.168.1.1/"):
        with pytest.raises(Refused) as refused:
            await shop.send(status_callback=url)
        assert refused.value.problems[0].pointer == "/StatusCallback"
    sent = await shop.send(status_callback="http://rebound.example/")  # where names lead is seen when it is posted
    await shop.happen(row_of(sent.sid))
    while (await shop.view()).last_at is None:
        await asyncio.sleep(0)
    assert (await shop.view()).last_status is None
    assert shop.desk.tried == []


@pytest.mark.parametrize(
    ("rules", "to", "code"),
    [
        ({"blocked_prefixes": ("+4479",)}, "+447900900123", Code.BARRED_TO),
        ({"allowed_prefixes": ("+49",)}, "+447900900123", Code.BARRED_TO),
        ({}, "+449012345678", Code.PREMIUM_TO),
    ],
)
def test_what_is_not_permitted_has_a_code_of_its_own(rules, to, code):
    admission = Admission(NoSims(), SendingConfig(), permitted=Permitted(RecipientsConfig(**rules)))
    with pytest.raises(Refused) as refused:
        check_destination(admission, to)
    assert refused.value.fields["code"] == code
    assert refused.value.problems[0].pointer == "/To"
    check_destination(admission, "12")  # no number at all is seen when it is accepted
    check_destination(admission, "+493012345678")


async def test_a_number_at_a_premium_rate_is_refused_as_such(shop):
    with pytest.raises(Refused) as refused:
        await shop.send(to="+449012345678")
    assert refused.value.fields["code"] == Code.PREMIUM_TO
    assert await shop.outbox() == []
