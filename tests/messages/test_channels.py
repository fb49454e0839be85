"""Channels and providers in requests: who is meant, what cannot be, and the errors that have names of their own."""

from dataclasses import dataclass

import msgspec
import pytest

from fakes.outboxes import START
from fakes.senders import NUMBER, Directory, NamedSim
from modembank.config import SendingConfig
from modembank.errors import InvalidRequest
from modembank.messages import Admission, SubmitRequest, UnknownProvider
from modembank.messages.admission import MAX_PROVIDERS
from modembank.messages.channels import MOST_CHARACTERS, MOST_SUBJECT
from modembank.messages.model import MessageFlags
from modembank.messages.requests import AllProvidersDisabled, NoProviderAvailable, ProviderDisabled
from modembank.messages.routes import sims_spec
from modembank.providers import Channel

MAIL = "someone@clinic.example"


@dataclass
class Known:
    id: int
    name: str
    channel: Channel = Channel.SMS
    why: str | None = None
    paused_reason: str | None = None

    def not_ready(self):
        return self.why


class Shelf:
    def __init__(self, *known):
        self.known = known

    def named(self, name):
        return next((each for each in self.known if each.name == name), None)

    def of(self, channel):
        return [each for each in self.known if each.channel is channel]


SIMS = Directory(
    (NamedSim(1, "8944000000000000001", "shop", "slot-1"), NamedSim(2, "8944000000000000002", "shop", "slot-2"))
)


def check(*known, **fields):
    desk = Admission(SIMS, SendingConfig(), "GB", providers=Shelf(*known))
    return desk.check(SubmitRequest(**({"to": NUMBER, "text": "hi"} | fields)), START)


def stages(admitted):
    return msgspec.json.decode(admitted.route)["stages"]


def problems(*known, **fields):
    with pytest.raises(InvalidRequest) as refused:
        check(*known, **fields)
    return [each.pointer for each in refused.value.problems]


ALPHA, BETA = Known(-1, "alpha"), Known(-2, "beta")
MAILER, WHATS = Known(-3, "mailer", Channel.EMAIL), Known(-4, "whats", Channel.WHATSAPP)


def test_named_providers_make_stages_in_their_order():
    admitted = check(ALPHA, BETA, providers=["beta", "slot-1", "shop", "alpha"])
    assert stages(admitted) == [{"providers": [2]}, {"sims": [1, 2]}, {"providers": [1]}]


def test_the_bank_has_a_name():
    assert stages(check(ALPHA, providers=["alpha", "bank"])) == [{"providers": [1]}, {"bank": True}]
    assert stages(check(ALPHA, providers=["bank"])) == [{"bank": True}]
    assert stages(check(providers=["bank", "slot-1"])) == [{"bank": True}]


def test_sims_alone_are_what_they_were():
    assert check(ALPHA, providers=["slot-1", "slot-2"]).route == sims_spec((1, 2))


def test_an_empty_list_names_nobody():
    assert check(ALPHA, providers=[]).route == "{}"
    assert check(MAILER, providers=[], channel="email", to=MAIL).route == '{"channel":"email"}'


def test_a_provider_hides_a_sim_of_the_same_name():
    assert stages(check(Known(-9, "shop"), providers=["shop"])) == [{"providers": [9]}]


def test_unknown_names_are_told_with_their_place():
    with pytest.raises(UnknownProvider) as refused:
        check(ALPHA, providers=["alpha", "gamma"])
    assert [each.pointer for each in refused.value.problems] == ["/providers/1"]
    assert "no provider, SIM or pool" in str(refused.value)


def test_the_only_one_named_is_of_no_use():
    with pytest.raises(ProviderDisabled, match="alpha takes nothing now: no session"):
        check(Known(-1, "alpha", why="no session"), providers=["alpha"])


def test_all_that_are_named_are_of_no_use():
    with pytest.raises(AllProvidersDisabled, match=r"alpha: off; beta: away"):
        check(Known(-1, "alpha", why="off"), Known(-2, "beta", why="away"), providers=["alpha", "beta"])


def test_one_of_use_among_them_is_enough():
    assert stages(check(Known(-1, "alpha", why="off"), BETA, providers=["alpha", "beta"]))
    assert stages(check(Known(-1, "alpha", why="off"), providers=["alpha", "bank"])), "the bank can be waited for"


def test_nobody_is_named_and_nobody_is_there():
    for channel, to in (("email", MAIL), ("whatsapp", NUMBER)):
        with pytest.raises(NoProviderAvailable, match="none is configured"):
            check(ALPHA, channel=channel, to=to)
    with pytest.raises(NoProviderAvailable, match="mailer: wrong password"):
        check(Known(-3, "mailer", Channel.EMAIL, why="wrong password"), channel="email", to=MAIL)
    assert check(Known(-1, "alpha", why="off")).route == "{}", "the bank waits for its modems"


def test_a_mistake_is_told_before_what_is_of_no_use():
    assert problems(Known(-1, "alpha", why="off"), providers=["alpha"], priority=99) == ["/priority"]


def test_one_that_carries_something_else():
    assert problems(MAILER, providers=["mailer"]) == ["/providers/0"]
    assert problems(MAILER, providers=["mailer", "slot-1"], channel="email", to=MAIL) == ["/providers/1"]
    assert problems(MAILER, channel="email", to=MAIL, sim="slot-1") == ["/sim"]
    assert problems(MAILER, channel="email", to=MAIL, pool="shop") == ["/pool"]


def test_mail():
    admitted = check(
        MAILER, channel="email", to=[MAIL, " Other@CLINIC.example "], subject="Your visit", text="ж" * 5000
    )
    assert admitted.recipients == (MAIL, "Other@clinic.example")
    assert (admitted.subject, admitted.segments, admitted.route) == ("Your visit", 1, '{"channel":"email"}')
    assert admitted.flags & MessageFlags.EMAIL


def test_whatsapp():
    admitted = check(WHATS, channel="whatsapp", to="07911 000001")
    assert admitted.recipients == ("+447911000001",)
    assert admitted.flags & MessageFlags.WHATSAPP


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"channel": "email", "to": NUMBER}, ["/to"]),
        (
            {"channel": "email", "to": [MAIL, "someone@", "@clinic.example", "a b@clinic.example"]},
            ["/to/1", "/to/2", "/to/3"],
        ),
        ({"channel": "whatsapp", "to": "12345"}, ["/to"]),
        ({"channel": "whatsapp", "to": MAIL}, ["/to"]),
        ({"to": MAIL}, ["/to"]),
        ({"subject": "x"}, ["/subject"]),
        ({"channel": "whatsapp", "subject": "x"}, ["/subject"]),
        ({"channel": "email", "to": MAIL, "subject": ""}, ["/subject"]),
        ({"channel": "email", "to": MAIL, "subject": "x" * (MOST_SUBJECT + 1)}, ["/subject"]),
        ({"channel": "email", "to": MAIL, "subject": "x\r\nBcc: all"}, ["/subject"]),
        ({"channel": "email", "to": MAIL, "text": "  "}, ["/text"]),
        ({"channel": "email", "to": MAIL, "text": "a\0b"}, ["/text"]),
        ({"channel": "email", "to": MAIL, "text": "x" * (MOST_CHARACTERS[Channel.EMAIL] + 1)}, ["/text"]),
        ({"channel": "whatsapp", "text": "x" * (MOST_CHARACTERS[Channel.WHATSAPP] + 1)}, ["/text"]),
        (
            {"channel": "whatsapp", "flash": True, "encoding": "gsm7", "max_segments": 2},
            ["/flash", "/max_segments", "/encoding"],
        ),
        ({"providers": ["slot-1"] * (MAX_PROVIDERS + 1)}, ["/providers"]),
    ],
)
def test_what_a_channel_does_not_know_is_named(fields, pointers):
    assert problems(ALPHA, MAILER, WHATS, **fields) == pointers


def test_parts_of_a_request_may_be_good():
    admitted = check(MAILER, channel="email", to=[MAIL, "nobody"], partial=True)
    assert admitted.recipients == (MAIL,)
    assert [each.at for each in admitted.refused] == [1]
