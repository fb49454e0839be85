"""The device document of MQTT discovery: what Home Assistant is shown of the box. Pure: no I/O, no clock.

One retained document for the whole box (``homeassistant/device/<node>/config``, Home Assistant 2024.11 and later), as
its MQTT integration's ``DEVICE_DISCOVERY_SCHEMA`` and each platform's ``DISCOVERY_SCHEMA`` have it; ``make
home-assistant`` asks those themselves. A component goes when the document has nothing but its platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from modembank.modem import ModemState
from modembank_home_assistant.topics import Topics, key_of

ORIGIN = "Modembank"
ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
RECEIVED = "received"
"""The one kind of event."""
MOST_KNOWN = 2000
"""Components of an earlier document that are looked at."""
NOTICE = '{"id": "{{ now().timestamp() }}", "message": {{ value | to_json }}}'
"""What Home Assistant makes of a notification: its id stays the same however often a broker brings it."""
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PLATFORM = re.compile(r"[a-z_]{1,32}")
_DIAGNOSTIC = {"entity_category": "diagnostic"}

Component: TypeAlias = dict[str, Any]


class ShownModem(msgspec.Struct, frozen=True):
    """A slot."""

    slot: str
    name: str


class ShownSim(msgspec.Struct, frozen=True):
    """A SIM that may be paused: its row id, and what people call it."""

    id: int
    name: str


class ShownGroup(msgspec.Struct, frozen=True):
    """People who can be told."""

    group: str
    name: str


class Shown(msgspec.Struct, frozen=True):
    """What there is of the box."""

    version: str
    image: bool
    """Whether it was started from an image, which has updates."""
    messages: bool
    """Whether it is told that a message came."""
    modems: tuple[ShownModem, ...] = ()
    sims: tuple[ShownSim, ...] = ()
    groups: tuple[ShownGroup, ...] = ()


def document(topics: Topics, shown: Shown, kept: Mapping[str, Component] | None = None) -> dict[str, Any]:
    """Return the device document; ``kept`` are components that stay as they were said."""
    called = ORIGIN if topics.node.startswith(ORIGIN.lower()) else f"{ORIGIN} {topics.node}"
    return {
        "device": {
            "identifiers": [_identity(topics, "")],
            "name": called,
            "manufacturer": ORIGIN,
            "model": "SMS appliance",
            "sw_version": shown.version,
        },
        "origin": {"name": ORIGIN, "sw_version": shown.version},
        "availability_topic": topics.available,
        "availability_template": "{{ value_json.state }}",
        "components": {**(kept or {}), **dict(_components(topics, shown))},
    }


def without(said: Mapping[str, Any], gone: Mapping[str, Component]) -> dict[str, Any]:
    """Return a document that also takes components away: they come first, with nothing but their platform.

    First, because Home Assistant (2025.4) passes over all that follows a component which it is still setting up.
    """
    marks = {key: {"platform": component["platform"]} for key, component in gone.items()}
    return {**said, "components": {**marks, **said["components"]}}


def components_of(payload: bytes) -> dict[str, Component]:
    """Return the components of a document that the box left at the broker; none of one that is not the box's."""
    try:
        found = msgspec.json.decode(payload)
        if found["origin"]["name"] != ORIGIN:
            return {}
        listed = list(found["components"].items())[:MOST_KNOWN]
        return {key: component for key, component in listed if _is_whole(key, component)}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return {}


def of_a_modem(slot: str) -> str:
    """Return what the keys of a slot's components begin with."""
    return f"modem_{key_of(slot)}_"


def _is_whole(key: Any, component: Any) -> bool:
    """Whether a component is one, and no mark of one that goes."""
    return (
        isinstance(component, dict)
        and len(component) > 1
        and bool(_KEY.fullmatch(key))
        and isinstance(component.get("platform"), str)
        and bool(_PLATFORM.fullmatch(component["platform"]))
    )


def _identity(topics: Topics, key: str) -> str:
    return f"modembank_{topics.node}_{key}".rstrip("_")


def _components(topics: Topics, shown: Shown) -> Iterator[tuple[str, Component]]:
    yield from _of_the_box(topics, shown)
    for modem in shown.modems:
        yield from _of_one_modem(topics, modem)
    for group in shown.groups:
        told = {"command_topic": topics.command("notify", group.group), "command_template": NOTICE}
        yield _component(topics, "notify", f"notify_{group.group}", group.name, told)
    for sim in shown.sims:
        switched = {"command_topic": topics.command("sim", str(sim.id)), "icon": "mdi:sim"}
        state = _value(topics.own("sim", str(sim.id)), _yes_no("sending"))
        yield _component(topics, "switch", f"sim_{sim.id}_sending", f"{sim.name} sending", switched | state)


def _of_the_box(topics: Topics, shown: Shown) -> Iterator[tuple[str, Component]]:
    tele = topics.own("tele")
    counted = {"state_class": "total_increasing", "icon": "mdi:message-text-outline"}
    waiting = {"state_class": "measurement", "icon": "mdi:tray-full"}
    yield _sensor(topics, "queued", "Messages queued", tele, waiting)
    yield _sensor(topics, "sent_today", "Segments sent today", tele, counted)
    yield _sensor(
        topics, "failed_today", "Messages failed today", tele, counted | {"icon": "mdi:message-alert-outline"}
    )
    age = {"device_class": "duration", "unit_of_measurement": "s", "state_class": "measurement"}
    yield _sensor(topics, "oldest_waiting", "Oldest message waiting", tele, age)
    issues = topics.own("issues")
    problem = {"device_class": "problem", "json_attributes_topic": issues}
    yield _component(topics, "binary_sensor", "problem", "Problem", problem | _value(issues, _yes_no("open")))
    if shown.messages:
        event = {"state_topic": topics.event, "event_types": [RECEIVED], "icon": "mdi:message-badge"}
        yield _component(topics, "event", "sms_received", "SMS received", event)
    if shown.image:
        update = {"state_topic": topics.own("update"), "title": ORIGIN, "device_class": "firmware"}
        yield _component(topics, "update", "update", "Software", update)


def _of_one_modem(topics: Topics, modem: ShownModem) -> Iterator[tuple[str, Component]]:
    begin, topic = of_a_modem(modem.slot), topics.own("modem", key_of(modem.slot))
    connected = {"device_class": "connectivity"} | _value(topic, _yes_no("connected"))
    yield _component(topics, "binary_sensor", f"{begin}connected", f"{modem.name} connected", connected)
    strength = {"device_class": "signal_strength", "unit_of_measurement": "dBm", "state_class": "measurement"}
    strength |= _value(topic, "{{ value_json.signal }}") | _DIAGNOSTIC
    yield _component(topics, "sensor", f"{begin}signal", f"{modem.name} signal", strength)
    operator = _value(topic, "{{ value_json.operator }}") | {"icon": "mdi:radio-tower"} | _DIAGNOSTIC
    yield _component(topics, "sensor", f"{begin}operator", f"{modem.name} operator", operator)
    state = {"device_class": "enum", "options": [state.value for state in ModemState]}
    state |= _value(topic, "{{ value_json.state }}") | _DIAGNOSTIC
    yield _component(topics, "sensor", f"{begin}state", f"{modem.name} state", state)


def _sensor(topics: Topics, key: str, name: str, topic: str, more: Component) -> tuple[str, Component]:
    return _component(topics, "sensor", key, name, more | _value(topic, f"{{{{ value_json.{key} }}}}"))


def _component(topics: Topics, platform: str, key: str, name: str, more: Component) -> tuple[str, Component]:
    return key, {"platform": platform, "unique_id": _identity(topics, key), "name": name, "qos": 1, **more}


def _value(topic: str, template: str) -> Component:
    return {"state_topic": topic, "value_template": template}


def _yes_no(field: str) -> str:
    return f"{{{{ '{ON}' if value_json.{field} else '{OFF}' }}}}"
