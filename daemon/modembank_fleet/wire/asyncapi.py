"""The AsyncAPI 3.1 document of the protocol, generated from the types and the table of channels."""

from __future__ import annotations

from typing import Any

import msgspec

from modembank_fleet.wire.channels import CHANNELS, Channel
from modembank_fleet.wire.commands import VERBS, Command, Verb
from modembank_fleet.wire.configuration import CfgDocument
from modembank_fleet.wire.shapes import CfgDesired

_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,31}$"}
_REF = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """Return the document as JSON-able objects: a box receives what is ``down``, and sends what is ``up``."""
    shapes = [*[channel.shape for channel in CHANNELS], *[verb.args for verb in VERBS], CfgDocument]
    types = list(dict.fromkeys(shapes))
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Modembank fleet",
            "version": "1.0.0",
            "description": "What a box and a hub say to each other over MQTT 5. The box is the application described.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_id(channel): _channel(channel) for channel in CHANNELS},
        "operations": {_id(channel): _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {_id(channel): _message(channel) for channel in CHANNELS},
            "schemas": {name: _portable(schema) for name, schema in sorted(schemas.items())},
        },
    }


def _portable(schema: Any) -> Any:
    r"""Return a schema with patterns of JSON Schema (ECMA-262): Python's end of a text, ``\Z``, is ``$`` there."""
    if isinstance(schema, list):
        return [_portable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: told.replace(r"\Z", "$") if name == "pattern" and isinstance(told, str) else _portable(told)
        for name, told in schema.items()
    }


def _id(channel: Channel) -> str:
    words = channel.parts.replace("/{id}/{n}", "").replace(".", "/").split("/")
    return "".join([words[0], *(word.capitalize() for word in words[1:])])


def _channel(channel: Channel) -> dict[str, Any]:
    name = _id(channel)
    made: dict[str, Any] = {"address": channel.address, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
    parameters = {word: {"description": f"the {word}"} for word in ("site", "box", "id", "n")}
    used = {word: told for word, told in parameters.items() if f"{{{word}}}" in channel.address}
    return made | ({"parameters": used} if used else {})


def _message(channel: Channel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": (channel.shape.__doc__ or "").partition("\n")[0].split(": ", 1)[-1],
        "payload": {"$ref": f"#/components/schemas/{channel.shape.__name__}"},
    }
    verb = _verb(channel)
    if verb is not None:
        args = {"type": "object", "properties": {"args": {"$ref": f"#/components/schemas/{verb.args.__name__}"}}}
        made["payload"] = {"allOf": [made["payload"], args]}
        made["correlationId"] = {"location": "$message.payload#/id"}
        made["headers"] = _headers(signed=verb.signed)
    if channel.shape is CfgDesired:
        doc = {"type": "object", "properties": {"doc": {"$ref": f"#/components/schemas/{CfgDocument.__name__}"}}}
        made["payload"] = {"allOf": [made["payload"], doc]}
        made["headers"] = _headers(signed=True)
    return made


def _headers(*, signed: bool) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"sv": {"type": "string"}, "kid": {"type": "string"}, "sig": {"type": "string"}},
        "required": ["kid", "sig"] if signed else [],
    }


def _operation(channel: Channel) -> dict[str, Any]:
    name = _id(channel)
    made: dict[str, Any] = {
        "action": "send" if channel.direction == "up" else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retain, "bindingVersion": "0.2.0"}},
    }
    if channel.expiry:
        made["description"] = f"Kept for somebody who is away: {channel.expiry}."
    if channel.shape is Command:
        made["reply"] = {"channel": {"$ref": "#/channels/res"}, "messages": [{"$ref": "#/channels/res/messages/res"}]}
    return made


def _verb(channel: Channel) -> Verb | None:
    return next((verb for verb in VERBS if channel.shape is Command and "/".join(verb.parts) == channel.parts), None)
