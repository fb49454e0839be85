"""What runs in Home Assistant's own environment: its schemas judge documents, and its core lives with a broker.

``inside.py keys`` tells which keys its schemas know, ``inside.py judge`` reads documents and tells what is wrong with
each, ``inside.py live FOLDER PORT`` starts Home Assistant without its pages, and does what lines of JSON ask.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import voluptuous
from homeassistant import auth, bootstrap, core, loader
from homeassistant.components.mqtt.schemas import (
    DEVICE_DISCOVERY_SCHEMA,
    MQTT_ENTITY_DEVICE_INFO_SCHEMA,
    MQTT_ORIGIN_INFO_SCHEMA,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntries, ConfigEntry
from homeassistant.const import __version__
from homeassistant.helpers import entity_registry, frame
from homeassistant.setup import async_setup_component

PLATFORMS = ("binary_sensor", "event", "notify", "sensor", "switch", "update")
logging.basicConfig(level=logging.ERROR)


def keys_of(schema: Any) -> dict[str, list[str]]:
    """Return the keys that a schema knows, and those that it wants."""
    if isinstance(schema, voluptuous.All):
        found = [keys_of(part) for part in schema.validators if hasattr(part, "schema") or hasattr(part, "validators")]
        return max(found, key=lambda keys: len(keys["known"]))
    names = [key for key in schema.schema if isinstance(key, voluptuous.Marker)]
    required = sorted(str(key.schema) for key in names if isinstance(key, voluptuous.Required))
    return {"known": sorted({str(key.schema) for key in names}), "required": required}


def keys() -> dict[str, Any]:
    """Return what the schemas of this version know."""
    return {
        "source": f"homeassistant {__version__} (PyPI), homeassistant/components/mqtt: schemas.py and the platforms",
        "document": keys_of(DEVICE_DISCOVERY_SCHEMA),
        "device": keys_of(MQTT_ENTITY_DEVICE_INFO_SCHEMA),
        "origin": keys_of(MQTT_ORIGIN_INFO_SCHEMA),
        "platforms": {platform: keys_of(_schema(platform)) for platform in PLATFORMS},
    }


def judge(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with a document: what its schemas refuse, and what they would silently drop."""
    problems = []
    try:
        DEVICE_DISCOVERY_SCHEMA(json.loads(json.dumps(document)))
    except voluptuous.Invalid as error:
        problems.append(f"document: {error}")
    for name, component in document["components"].items():
        given = {key: value for key, value in component.items() if key != "platform"}
        if not given:  # it goes
            continue
        try:
            taken = _schema(component["platform"])(dict(given))
        except voluptuous.Invalid as error:
            problems.append(f"{name}: {error}")
        else:
            problems += [f"{name}: {key} would be dropped" for key in given if key not in taken]
    return problems


async def judge_all(documents: list[dict[str, Any]]) -> list[list[str]]:
    """Judge documents beside a core, whose templates they are checked with."""
    with tempfile.TemporaryDirectory() as folder:
        frame.async_setup(core.HomeAssistant(folder))
        return [judge(document) for document in documents]


def _schema(platform: str) -> Any:
    return importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA


class Live:
    """Home Assistant's core with its MQTT integration, in this process."""

    def __init__(self, hass: core.HomeAssistant) -> None:
        """Use a core that runs."""
        self.hass = hass
        self.events: list[dict[str, Any]] = []
        hass.bus.async_listen("state_changed", self._changed)

    @core.callback
    def _changed(self, event: core.Event) -> None:
        state = event.data["new_state"]
        if state is not None and state.domain == "event" and state.attributes.get("event_type"):
            self.events.append(dict(state.attributes))

    def states(self) -> dict[str, str]:
        """Return every entity's state."""
        return {state.entity_id: state.state for state in self.hass.states.async_all()}

    def registered(self) -> list[str]:
        """Return the entities that are known, with the unique id of each."""
        found = entity_registry.async_get(self.hass).entities.values()
        return sorted(f"{entry.entity_id} {entry.unique_id}" for entry in found)

    def attributes(self, entity: str) -> dict[str, Any]:
        """Return what else is shown of an entity."""
        state = self.hass.states.get(entity)
        return {} if state is None else json.loads(json.dumps(dict(state.attributes), default=str))

    async def call(self, domain: str, action: str, data: dict[str, Any]) -> None:
        """Have an action done."""
        await self.hass.services.async_call(domain, action, data, blocking=True)


def entry_for(port: int) -> ConfigEntry:
    """Return what the set-up of its MQTT integration would make."""
    return ConfigEntry(
        domain="mqtt", title="broker", data={"broker": "127.0.0.1", "port": port}, options={}, version=1,
        minor_version=2, source=SOURCE_USER, unique_id=None, discovery_keys=MappingProxyType({}),
        subentries_data=None,
    )  # fmt: skip


async def live(folder: str, port: int) -> None:
    """Start, do what is asked line by line, and stop at the end of the input."""
    Path(folder, "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    await async_setup_component(hass, "homeassistant", {})
    await hass.async_start()
    running = Live(hass)
    if hass.config_entries.async_entries("mqtt"):  # it was started in this folder before
        await async_setup_component(hass, "mqtt", {})
    else:
        await hass.config_entries.async_add(entry_for(port))
    print(json.dumps({"ready": __version__}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["do"] == "call":
            await running.call(asked["domain"], asked["action"], asked["data"])
            answer: Any = None
        elif asked["do"] == "attributes":
            answer = running.attributes(asked["entity"])
        else:
            found = getattr(running, asked["do"])
            answer = found() if callable(found) else found
        print(json.dumps(answer, default=str), flush=True)
    await hass.async_stop()


if __name__ == "__main__":
    if sys.argv[1] == "keys":
        print(json.dumps(keys(), indent=1))
    elif sys.argv[1] == "judge":
        print(json.dumps(asyncio.run(judge_all(json.load(sys.stdin)))))
    else:
        asyncio.run(live(sys.argv[2], int(sys.argv[3])))
