"""The client's shapes against the box's own document: every example is read, and no field is invented."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from modembank.client import mailing_shapes, shapes
from modembank_web.factory import documented
from modembank_web.openapi import document
from modembank_web.readiness import Readiness

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(documented(Readiness())[0])))
SHAPES = {
    "Receipt": shapes.Receipt,
    "Accepted": shapes.Accepted,
    "Note": shapes.Note,
    "MessageView": shapes.Message,
    "AttemptView": shapes.Attempt,
    "ReportView": shapes.Report,
    "InboxView": shapes.Received,
    "Preview": shapes.Preview,
    "Replacement": shapes.Replacement,
    "ModemStatus": shapes.Modem,
    "SimView": shapes.Sim,
    "IssueView": shapes.Issue,
    "ConversationView": shapes.Conversation,
    "OptOutView": shapes.OptOut,
    "WebhookView": shapes.Webhook,
    "TestView": shapes.WebhookTest,
    "UserView": shapes.User,
    "QuotaView": shapes.Quota,
    "ApiKeyView": shapes.Key,
    "AddedApiKey": shapes.NewKey,
    "MailingView": mailing_shapes.Mailing,
    "ImportView": mailing_shapes.MailingImport,
    "CanaryView": mailing_shapes.MailingCanary,
    "RefusedRow": mailing_shapes.RefusedRow,
    "MomentView": mailing_shapes.Moment,
    "LayoutView": mailing_shapes.Layout,
    "SampleRow": mailing_shapes.SampleRow,
    "MailingPreview": mailing_shapes.MailingPreview,
    "Preflight": mailing_shapes.MailingCheck,
    "ForcedBy": mailing_shapes.ForcedBy,
}
ONLY_WHEN_MADE = {"secret"}
"""Of a webhook; the schema of its making has it."""
SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("name", SHAPES)
def test_every_field_is_one_of_the_api(name: str) -> None:
    if name not in SCHEMAS:
        assert name in {"ConversationView", "OptOutView", "WebhookView", "TestView"}
        return
    ours = {field.encode_name for field in msgspec.structs.fields(SHAPES[name])}
    assert ours - ONLY_WHEN_MADE <= set(SCHEMAS[name]["properties"])


def answers() -> list[tuple[str, Any]]:
    """Every example of an answer, by the schema that it is of; of a list, its items."""
    found = []
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    schema = content["schema"].get("$ref", "").rpartition("/")[2]
                    values = [each["value"] for each in content["examples"].values()]
                    item = SCHEMAS.get(schema, {}).get("properties", {}).get("items", {}).get("items", {})
                    if item.get("$ref"):
                        found += [
                            (item["$ref"].rpartition("/")[2], each) for given in values for each in given["items"]
                        ]
                    else:
                        found += [(schema, given) for given in values]
    return [(schema, example) for schema, example in found if schema in SHAPES]


def test_every_example_of_the_document_is_read_with_nothing_lost() -> None:
    found = answers()
    assert {"Receipt", "MessageView", "InboxView", "ModemStatus", "SimView", "IssueView", "Preview"} <= {
        schema for schema, _ in found
    }
    for schema, example in found:
        shape = SHAPES[schema]
        ours = msgspec.json.decode(msgspec.json.encode(msgspec.convert(example, shape)))
        for field in msgspec.structs.fields(shape):
            if field.encode_name in example and not isinstance(example[field.encode_name], list):
                assert ours[field.encode_name] == example[field.encode_name], (schema, field.name)


def test_an_answer_of_a_newer_or_an_older_box_is_read_too() -> None:
    message = msgspec.json.decode(
        b'{"id": "m", "to": "1", "status": "teleported", "from": null, "colour": {"deep": [1]}}', type=shapes.Message
    )
    assert (message.status, message.ended, message.text, message.attempts) == ("teleported", False, None, ())
