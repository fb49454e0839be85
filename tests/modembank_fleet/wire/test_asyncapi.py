"""The AsyncAPI document: what the types say, with references that lead somewhere and every channel."""

import json
from pathlib import Path

from modembank_fleet.wire import CHANNELS, VERBS, document

FILE = Path(__file__).resolve().parents[3] / "docs" / "fleet-asyncapi.json"


def test_the_document_in_the_tree_is_what_the_types_say():
    assert json.loads(FILE.read_text("utf-8")) == json.loads(json.dumps(document())), (
        "write it again: python -m modembank_fleet.wire > docs/fleet-asyncapi.json"
    )


def test_every_reference_leads_somewhere():
    made = document()

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                at = made
                for part in value["$ref"].removeprefix("#/").split("/"):
                    at = at[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(made)


def test_every_channel_and_verb_is_in_it():
    made = document()
    assert {told["address"] for told in made["channels"].values()} == {channel.address for channel in CHANNELS}
    assert len(made["channels"]) == len(CHANNELS)
    assert {verb.args.__name__ for verb in VERBS} <= set(made["components"]["schemas"])
    assert made["operations"]["cmdPing"]["reply"]["channel"]["$ref"] == "#/channels/res"
    assert made["operations"]["ev"]["action"] == "send"


def test_no_command_is_retained():
    assert not [c.parts for c in CHANNELS if c.parts.startswith(("cmd/", "msg/")) and (c.retain or c.qos != 1)
                and c.direction == "down"]  # fmt: skip
