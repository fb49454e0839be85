"""What settings may say, and what is said of those that may not."""

import msgspec
import pytest

from fakes.esmes import settings
from modembank.errors import InvalidRequest
from modembank.modem.outcome import CauseClass
from modembank.providers.adapters import smpp
from modembank.providers.model import Channel


@pytest.mark.parametrize(
    ("wrong", "pointer", "detail"),
    [
        ({"host": "smsc.example:2775"}, "/host", "without a port"),
        ({"host": "[::1]"}, "/host", "brackets"),
        ({"host": "two words"}, "/host", "host name"),
        ({"host": "https://smsc.example"}, "/host", "host name"),
        ({"host": "10.1.2"}, "/host", "IP address"),
        ({"host": "-x.example"}, "/host", "host name"),
        ({"system_id": "böx"}, "/system_id", "printable ASCII"),
        ({"system_id": "a\nb"}, "/system_id", "printable ASCII"),
        ({"system_type": "\0"}, "/system_type", "printable ASCII"),
        ({"address_range": "é"}, "/address_range", "printable ASCII"),
        ({"service_type": "\t"}, "/service_type", "printable ASCII"),
        ({"source": "Bänk"}, "/source", "at most 20"),
        ({"source": "a" * 21}, "/source", "at most 20"),
        ({"tls_name": "smsc.example"}, "/tls_name", "set tls to true"),
        ({"tls_ca_secret": "ca"}, "/tls_ca_secret", "set tls to true"),
        ({"tls": True, "tls_name": "a b"}, "/tls_name", "host name"),
        ({"statuses": {"1024": "account"}}, "/statuses/1024", "hexadecimal"),
        ({"statuses": {"0x0": "account"}}, "/statuses/0x0", "other than 0"),
        ({"statuses": {"0x123456789": "account"}}, "/statuses/0x123456789", "hexadecimal"),
    ],
)
def test_wrong_ones_are_refused_on_their_field(wrong, pointer, detail):
    with pytest.raises(InvalidRequest) as caught:
        settings(**wrong)
    [problem] = caught.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_every_problem_is_named():
    with pytest.raises(InvalidRequest) as caught:
        settings(host="a b", system_type="ä", tls_name="x")
    assert [problem.pointer for problem in caught.value.problems] == ["/host", "/system_type", "/tls_name"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 65536},
        {"system_id": ""},
        {"system_id": "x" * 16},
        {"password_secret": ""},
        {"window": 0},
        {"window": 201},
        {"rate_per_s": 0},
        {"rate_per_s": -1},
        {"response_timeout_s": 0},
        {"enquire_link_s": 0},
        {"source_ton": 256},
        {"bind": "both"},
        {"alphabet": "packed"},
        {"long": "sar"},
        {"receipt_id": "base64"},
        {"utc_offset_minutes": 841},
        {"statuses": {"0x0400": "fatal"}},
        {"password": "secret"},
    ],
)
def test_what_types_can_say_they_say(wrong):
    with pytest.raises(msgspec.ValidationError):
        settings(**wrong)


@pytest.mark.parametrize(
    "host", ["smsc.example", "smsc", "192.0.2.7", "2001:db8::7", "xn--bcher-kva.example", "a_b.test."]
)
def test_hosts(host):
    assert settings(host=host).host == host


@pytest.mark.parametrize(
    ("host", "authority"), [("smsc.example", "smsc.example:2775"), ("2001:db8::7", "[2001:db8::7]:2775")]
)
def test_the_authority_is_for_people(host, authority):
    assert settings(host=host).authority == authority


def test_defaults_are_the_usual():
    found = settings(source="")
    assert (found.port, found.window, found.bind, found.long, found.receipt_id) == (
        2775, 10, "transceiver", "payload", "same",
    )  # fmt: skip
    assert found.validity
    assert not found.tls
    assert found.rate_per_s is None


def test_every_field_is_described():
    schema = msgspec.json.schema(smpp.Settings)
    fields = schema["$defs"]["Settings"]["properties"]
    assert [name for name, field in fields.items() if "description" not in field] == []
    assert not schema["$defs"]["Settings"].get("additionalProperties", True)
    assert [name for name in fields if "password" in name or "secret" in name] == ["tls_ca_secret", "password_secret"]


def test_what_a_status_means():
    found = settings(statuses={"0x0400": "account", "0x45": "recipient", "0x000b": "rest"})
    assert found.meaning(0x400) is CauseClass.SIM
    assert found.meaning(0x45) is CauseClass.RECIPIENT
    assert found.meaning(0x0B) is CauseClass.MODEM
    assert found.meaning(0x44) is None


def test_statuses_may_be_written_in_capitals():
    assert settings(statuses={"0x04AB": "passing"}).meaning(0x4AB) is CauseClass.NETWORK


def test_it_carries_sms_under_its_name():
    assert smpp.NAME == "smpp"
    assert smpp.channel(settings()) is Channel.SMS
