"""The AsyncAPI document: what the types say, good by AsyncAPI's own schema, and with every channel.

``make asyncapi`` has AsyncAPI's own parser judge it, which knows more rules than a schema can say.
"""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from fakes.asyncapi_damage import DAMAGE
from modembank_fleet.wire import CHANNELS, VERBS, document

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docs" / "fleet-asyncapi.json"
SCHEMA = ROOT / "tests" / "vectors" / "asyncapi" / "3.1.0.json"


@pytest.fixture(scope="module")
def judge():
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))


def test_it_is_good_by_the_schema_of_its_version(judge):
    made = json.loads(json.dumps(document()))
    assert made["asyncapi"] == SCHEMA.stem
    assert [(list(error.instance_path), error.message[:200]) for error in judge.iter_errors(made)] == []


@pytest.mark.parametrize("damage", [one for one in DAMAGE if one.schema_sees], ids=lambda one: one.name)
def test_the_schema_sees_what_is_wrong(judge, damage):
    made = json.loads(json.dumps(document()))
    damage.do(made)
    assert not judge.is_valid(made)


def test_every_payload_s_schema_is_one_and_every_pattern_is_known_to_others_than_python():
    schemas = document()["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate(schema | {"$schema": "http://json-schema.org/draft-07/schema#"})
        assert "\\\\Z" not in json.dumps(schema), name


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
