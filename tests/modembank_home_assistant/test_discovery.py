"""The device document: its structure, against the keys that Home Assistant's own schemas know.

``tests/vectors/home_assistant_keys.json`` is what ``make home-assistant`` reads off the ``homeassistant`` package, and
compares again; that target also has those schemas judge these documents, and Home Assistant itself live with a box.
"""

import json
import re
from pathlib import Path

import pytest

from fakes.home_documents import TOPICS, documents, modems
from modembank.modem import ModemState
from modembank_fleet.wire import MOST_OCTETS
from modembank_home_assistant.discovery import (
    NOTICE,
    ORIGIN,
    Shown,
    ShownModem,
    components_of,
    document,
    of_a_modem,
    without,
)
from modembank_home_assistant.topics import Topics, key_of

KNOWN = json.loads((Path(__file__).parents[1] / "vectors" / "home_assistant_keys.json").read_text())
DOCUMENTS = documents()
TOPIC = re.compile(r"[^+#\0]+")


@pytest.fixture(params=DOCUMENTS)
def made(request):
    return DOCUMENTS[request.param]


def test_the_document_has_what_is_wanted_and_nothing_that_is_not_known(made):
    for part, keys in ((made, "document"), (made["device"], "device"), (made["origin"], "origin")):
        assert set(KNOWN[keys]["required"]) <= part.keys() <= set(KNOWN[keys]["known"])
    assert made["origin"]["name"] == ORIGIN
    assert made["device"]["identifiers"]


def test_each_component_has_what_its_platform_wants_and_nothing_that_it_does_not_know(made):
    for name, component in made["components"].items():
        platform, given = component["platform"], component.keys() - {"platform"}
        keys = KNOWN["platforms"][platform]
        if given:
            assert set(keys["required"]) | {"unique_id", "name", "qos"} <= given <= set(keys["known"]), name
            assert component["qos"] == 1


def test_identifiers_are_unique_and_stay_the_same_while_modems_come_and_go(made):
    ids = [each["unique_id"] for each in made["components"].values() if "unique_id" in each]
    assert len(set(ids)) == len(ids)
    small, large = (document(TOPICS, Shown("1", False, True, modems(count)))["components"] for count in (2, 5))
    assert small.items() <= large.items()
    newer = document(TOPICS, Shown("2", False, True, modems(2)))["components"]
    assert newer == small, "a new version makes no new entities"


def test_topics_are_topics_and_below_the_boxs_own_name(made):
    for component in made["components"].values():
        for key in ("state_topic", "command_topic", "json_attributes_topic"):
            if key in component:
                assert TOPIC.fullmatch(component[key])
                assert re.match(r"(modembank/box-1|site/sms/modembank)/", component[key])
    own = [each["state_topic"] for each in DOCUMENTS["elsewhere"]["components"].values() if "state_topic" in each]
    assert all(topic.startswith("site/sms/modembank/") for topic in own)


def test_it_fits_into_a_packet_also_for_a_large_bank(made):
    assert len(json.dumps(made).encode()) < MOST_OCTETS


def test_slots_with_other_letters_have_keys_of_their_own():
    slots = ("slot-01", "usb-1-1.4", "usb-1-1_4", "usb-1-1:4", "läuft +/#", "")
    keys = [key_of(slot) for slot in slots]
    assert len(set(keys)) == len(slots)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in keys)
    assert keys[0] == "slot-01"
    assert key_of("usb-1-1.4") == "usb-1-1_4_18fadb88", "it stays what it is for ever: entities are named by it"


def test_what_goes_stands_first_with_its_platform_alone():
    one = document(TOPICS, Shown("1", False, True, modems(1)))
    two = document(TOPICS, Shown("1", False, True, modems(2)))["components"]
    gone = {key: component for key, component in two.items() if key not in one["components"]}
    said = without(one, gone)["components"]
    assert list(said)[:4] == list(gone)
    assert all(said[key] == {"platform": gone[key]["platform"]} for key in gone)
    assert all(key.startswith(of_a_modem("slot-02")) for key in gone)


def test_what_was_said_is_read_again_and_marks_of_what_went_are_not(made):
    found = components_of(json.dumps(made).encode())
    assert found == {key: component for key, component in made["components"].items() if len(component) > 1}


FOREIGN = b'{"origin": {"name": "zigbee2mqtt"}, "components": {"a": {"platform": "sensor", "name": "x"}}}'
ODD = (b'"a b": {"platform": "x", "y": 1}', b'"c": {"platform": 7, "y": 1}', b'"d": []', b'"e": {"y": 1, "z": 2}')
OURS = b'{"origin": {"name": "Modembank"}, "components": {%s}}'


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"null", b"[]", b"\xff", b"[" * 9999, FOREIGN, *(OURS % odd for odd in ODD)]
)
def test_what_is_no_document_of_the_boxs_says_nothing(payload):
    assert components_of(payload) == {}


def test_states_are_those_that_modems_have():
    component = DOCUMENTS["whole"]["components"]["modem_slot-01_state"]
    assert component["options"] == [state.value for state in ModemState]


def test_a_notification_is_json_with_an_id():
    """As Home Assistant's own templates would fill it in; ``make home-assistant`` has them do it."""
    filled = NOTICE.replace("{{ now().timestamp() }}", "1.5").replace("{{ value | to_json }}", json.dumps('a "b"\n'))
    assert json.loads(filled) == {"id": "1.5", "message": 'a "b"\n'}


def test_commands_are_known_by_their_topics():
    assert TOPICS.commanded("modembank/box-1/cmd/notify/on-call") == ("notify", "on-call")
    assert TOPICS.commanded("modembank/box-1/cmd/") == ("",)
    assert TOPICS.commanded("modembank/box-1/cmd") is None
    assert TOPICS.commanded("modembank/box-2/cmd/notify/on-call") is None
    assert Topics("h", "a/b", "n").document == "h/device/n/config"


def test_a_box_is_called_by_its_name():
    assert DOCUMENTS["whole"]["device"]["name"] == "Modembank box-1"
    assert DOCUMENTS["elsewhere"]["device"]["name"] == ORIGIN
    shown = Shown("1", False, True, (ShownModem("slot-01", "left"),))
    assert document(TOPICS, shown)["components"]["modem_slot-01_signal"]["name"] == "left signal"
