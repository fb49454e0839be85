"""The document says all, and says what the box does: walked against the routes, the shapes, and real answers."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from litestar.handlers import ASGIRouteHandler

from fakes.kinds import SETTINGS, Brought
from fakes.web_boxes import ICCID, Box
from modembank_web.dialects.alert_examples import ALERTMANAGER, GRAFANA
from modembank_web.docs import ASSETS
from modembank_web.factory import documented
from modembank_web.openapi import document
from modembank_web.operation import Access, Operation
from modembank_web.problems import BY_KEY
from modembank_web.readiness import Readiness

HOOK = "whk_0000000000001"
OPERATIONS = documented(Readiness())[0]
DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(OPERATIONS)))
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def entry(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def test_every_route_is_documented_and_nothing_else(box: Box) -> None:
    routes = set()
    for route in box.web.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            if isinstance(handler, ASGIRouteHandler):
                routes.add((None, route.path))
            elif handler is not None:
                routes |= {(method, route.path) for method in handler.http_methods if method != "OPTIONS"}
    assets = {(None, asset.path) for asset in ASSETS}
    for_people = {(method, path) for method, path in routes if path == "/" or f"{path}/".startswith("/ui/")}
    expected = {
        (operation.method, re.sub(r"\{(\w+)\}(?:\.json)?", r"{\1:str}", operation.path))
        if operation.parameters
        else (None, operation.path)
        for operation in OPERATIONS
    }
    assert routes - assets - for_people == expected


def test_the_frame() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "apiKey", "basic", "session"}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == {operation.tag for operation in OPERATIONS}
    names = [operation.id for operation in OPERATIONS]
    assert len(set(names)) == len(names)


@EACH
def test_every_operation_tells_everything(operation: Operation) -> None:
    found = entry(operation)
    assert found["operationId"] == operation.id
    assert found["tags"] == [operation.tag]
    assert 3 < len(found["summary"]) < 60
    assert found["description"].endswith(".")
    statuses = set(found["responses"])
    needed = {"400", "500"}
    if operation.access is not Access.OPEN:
        needed |= {"401", "403", "503"}
    if operation.body is not None:
        needed |= {"413", "415", "422", "408", "507"}
    if operation.query is not None:
        needed |= {"422"}
    if "{" in operation.path:
        needed |= {"404"}
    if operation.failures is not None:  # a dialect may have other statuses for the same
        needed -= {"422"}
        assert "422" not in statuses
    assert needed <= statuses
    assert any(status.startswith("2") for status in statuses)
    assert re.findall(r"\{(\w+)\}", operation.path) == list(operation.parameters)
    for parameter in found.get("parameters", []):
        assert parameter["description"]
        assert "example" in parameter
        assert parameter["schema"]


@EACH
def test_every_error_is_a_problem_with_examples(operation: Operation) -> None:
    own = {str(reply.status) for reply in operation.replies}
    for status, response in entry(operation)["responses"].items():
        if status in own:
            continue
        whole, dialect = resolve(response), operation.failures
        content = whole["content"]["application/problem+json" if dialect is None else dialect.media]
        shape = "Problem" if dialect is None else dialect.shape.__name__
        assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}
        assert content["examples"]
        for key, example in content["examples"].items():
            own_status = BY_KEY[key].status if dialect is None else dialect.status(BY_KEY[key])
            assert example["value"]["status"] == int(status) == own_status
            assert set(example["value"]) == set(resolve(content["schema"])["properties"])
        if status == "401":
            assert "Www-Authenticate" in whole["headers"]


@EACH
def test_every_example_is_read_back_through_its_shape(operation: Operation) -> None:
    if operation.body is not None:
        assert operation.body.examples
        for value in operation.body.examples.values():
            msgspec.convert(value, operation.body.shape, strict=False)
    for reply in operation.replies:
        assert reply.example is not None
        if reply.shape is not None:
            read = msgspec.convert(reply.example, reply.shape, strict=False)
            assert json.loads(msgspec.json.encode(read)) == reply.example


def test_requests_refuse_unknown_fields_in_the_document_too() -> None:
    for operation in OPERATIONS:
        if operation.body is not None:
            schema = resolve(entry(operation)["requestBody"]["content"][operation.body.media]["schema"])
            # What monitoring systems post grows with their versions.
            assert (schema.get("additionalProperties") is False) == (operation.tag != "Alerts")
            for name, field in schema["properties"].items():
                assert field.get("description"), (schema["title"], name)


def test_no_reference_leads_nowhere() -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))
    assert references
    for reference in references:
        assert resolve({"$ref": reference})
    used = {reference.rpartition("/")[2] for reference in references}
    assert set(DOCUMENT["components"]["responses"]) <= used


def matches(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a JSON value fits a schema, as far as our schemas go."""
    schema = resolve(schema)
    if "anyOf" in schema:
        return any(matches(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    if "type" not in schema:
        return True
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        return set(schema.get("required", [])) <= set(value) and all(
            matches(inner, properties[name]) if name in properties else more is True or (more and matches(inner, more))
            for name, inner in value.items()
        )
    if isinstance(value, list) and "items" in schema:
        return all(matches(inner, schema["items"]) for inner in value)
    return True


async def test_real_answers_fit_their_schemas(box: Box, brought: Brought) -> None:
    message = {"to": "+447900900123", "text": "x"}
    sms = {"senderPhone": "+447900900001", "receiverPhone": "+447900900123", "messageText": "x", "timestamp": 1}
    sms["uuid"] = "1"
    box.image.start()
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    await box.sims.pause(sim.id, "refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and contract")
    await box.health.look("sim_without_credit")
    async with box.client(await box.key()) as client:
        issue = (await client.get("/api/v1/issues")).json()["items"][0]["id"]
        sent = (await client.post("/api/v1/messages", json=message)).json()["id"]
        form = {"files": {"file": ("x.csv", "phone\n+447900900123\n")}, "data": {"template": "x", "hold": "true"}}
        mailing = (await client.post("/api/v1/mailings", **form)).json()["id"]
        for method, path, body in [
            ("POST", "/api/v1/messages", message),
            ("POST", "/api/v1/messages", {**message, "dry_run": True}),
            ("POST", "/api/v1/messages", {"to": 5}),
            ("POST", "/api/v1/messages/preview", {"text": "x – y"}),
            ("GET", "/api/v1/messages", None),
            ("GET", "/api/v1/messages?limit=0", None),
            ("GET", f"/api/v1/messages/{sent}", None),
            ("GET", "/api/v1/messages/nothing", None),
            ("POST", f"/api/v1/messages/{sent}/cancel", None),
            ("POST", f"/api/v1/messages/{sent}/settle", {"as": "failed"}),
            ("POST", "/api/v1/messages/settle", {"as": "failed", "older_than_s": 60}),
            ("POST", f"/api/v1/messages/{sent}/redact", None),
            ("DELETE", f"/api/v1/messages/{sent}", None),
            ("DELETE", f"/api/v1/messages/{sent}", None),
            ("POST", "/api/v1/inbox/inb_0000000000001/redact", None),
            ("DELETE", "/api/v1/inbox/inb_0000000000001", None),
            ("GET", "/api/v1/outage", None),
            ("POST", "/api/v1/outage/decide", {"decision": "send"}),
            ("POST", "/api/v1/outage/decide", {"decision": "wait"}),
            ("GET", "/api/v1/mailings", None),
            ("GET", "/api/v1/mailings/nothing", None),
            ("GET", f"/api/v1/mailings/{mailing}", None),
            ("GET", f"/api/v1/mailings/{mailing}/rows", None),
            ("GET", f"/api/v1/mailings/{mailing}/history", None),
            ("POST", f"/api/v1/mailings/{mailing}/continue", None),
            ("POST", f"/api/v1/mailings/{mailing}/start", None),
            ("POST", f"/api/v1/mailings/{mailing}/retry-failed", None),
            ("POST", f"/api/v1/mailings/{mailing}/cancel", None),
            ("POST", f"/api/v1/mailings/{mailing}/resume", None),
            ("GET", "/api/v1/inbox", None),
            ("POST", "/api/v1/opt-outs", {"number": "+447900900125"}),
            ("POST", "/api/v1/opt-outs", {"number": "nobody"}),
            ("GET", "/api/v1/opt-outs", None),
            ("DELETE", "/api/v1/opt-outs/+447900900125?reason=test", None),
            ("DELETE", "/api/v1/opt-outs/+447900900125", None),
            ("GET", "/api/v1/opt-outs/reviews", None),
            ("POST", "/api/v1/opt-outs/import", {"items": [{"number": "+447900900126"}]}),
            ("POST", "/api/v1/opt-outs/reviews/inb_1/decide", {"decision": "dismiss"}),
            ("POST", "/api/receive-sms", {**sms, "senderPhone": "+447900900123", "uuid": "2"}),
            ("GET", "/api/v1/conversations", None),
            ("GET", "/api/v1/conversations?limit=x", None),
            ("GET", "/api/v1/conversations/+447900900123", None),
            ("POST", "/api/v1/conversations/+447900900123/messages", {"text": "x"}),
            ("POST", "/api/v1/conversations/+447900900123/read", {}),
            ("POST", "/api/v1/conversations/+447900900999/read", {}),
            ("POST", "/sending", {"number": "+447900900123", "text": "x"}),
            ("POST", "/sending", {"number": "none", "text": "x"}),
            ("POST", "/mailing", {"numbers": ["+447900900123", "none"], "text": "x"}),
            ("GET", f"/tasks/{sent}", None),
            ("GET", "/tasks/none", None),
            ("POST", "/sendMessage", {"type": "sms", "recipient": "+447900900123", "content": "x"}),
            ("POST", "/sendMessage", {"type": "email", "recipient": "a@example.com", "content": "x"}),
            ("GET", "/sendMessage", None),
            ("GET", f"/sendMessage/{sent}", None),
            ("POST", "/api/send-sms", sms),
            ("GET", "/api/get-conversation/+447900900123", None),
            ("POST", "/hooks/alertmanager", ALERTMANAGER),
            ("POST", "/hooks/grafana", GRAFANA),
            ("POST", "/hooks/grafana", {"alerts": [{"status": 5}]}),
            ("POST", "/api/v1/providers", {"name": "alpha", "kind": "trial", "settings": SETTINGS}),
            ("POST", "/api/v1/providers", {"name": "alpha", "kind": "trial", "settings": SETTINGS}),
            ("POST", "/api/v1/providers", {"name": "beta", "kind": "trial", "settings": {}}),
            ("GET", "/api/v1/providers", None),
            ("GET", "/api/v1/providers/alpha", None),
            ("PATCH", "/api/v1/providers/alpha", {"sharing": {"cost": 2}}),
            ("POST", "/api/v1/providers/alpha/test", {"to": "+447900900123"}),
            ("PUT", "/api/v1/routing-rules", {"rules": [{"providers": ["alpha", "bank"], "prefixes": ["+44"]}]}),
            ("PUT", "/api/v1/routing-rules", {"rules": [{"providers": ["nobody"]}]}),
            ("GET", "/api/v1/routing-rules", None),
            ("POST", "/api/v1/routing-rules/preview", {"to": "+447900900123"}),
            ("POST", "/api/v1/routing-rules/preview", {"to": "nobody"}),
            ("DELETE", "/api/v1/providers/alpha", None),
            ("POST", "/api/v1/providers/alpha/disable", {"why": "too dear"}),
            ("POST", "/api/v1/providers/alpha/test", {"to": "+447900900123"}),
            ("POST", "/api/v1/providers/alpha/enable", None),
            ("GET", "/api/v1/provider-kinds", None),
            ("GET", "/api/v1/modems", None),
            ("GET", "/api/v1/modems/slot-03", None),
            ("POST", "/api/v1/modems/slot-03/drain", None),
            ("GET", "/api/v1/sims", None),
            ("GET", f"/api/v1/sims/{ICCID}", None),
            ("PATCH", f"/api/v1/sims/{ICCID}", {"label": "x"}),
            ("PATCH", f"/api/v1/sims/{ICCID}", {"labels": "x"}),
            ("GET", "/api/v1/box", None),
            ("POST", "/api/v1/box/restart", None),
            ("POST", "/api/v1/box/restart", None),
            ("POST", "/api/v1/box/factory-reset", {"box": "other"}),
            ("GET", "/api/v1/issues", None),
            ("GET", "/api/v1/issues?state=closed", None),
            ("GET", f"/api/v1/issues/{issue}", None),
            ("POST", f"/api/v1/issues/{issue}/remedies/recount", None),
            ("POST", f"/api/v1/issues/{issue}/remedies/resume_sim", None),
            ("POST", f"/api/v1/issues/{issue}/remedies/resume_sim", None),
            ("GET", "/api/v1/conservation", None),
            ("POST", "/api/v1/webhooks", {"url": "https://example.com/", "events": ["*"]}),
            ("POST", "/api/v1/webhooks", {"url": "http://127.0.0.1/", "events": ["*"]}),
            ("GET", "/api/v1/webhooks", None),
            ("GET", f"/api/v1/webhooks/{HOOK}", None),
            ("PATCH", f"/api/v1/webhooks/{HOOK}", {"label": "x"}),
            ("POST", f"/api/v1/webhooks/{HOOK}/rotate", {}),
            ("POST", f"/api/v1/webhooks/{HOOK}/replay", {"since": "2026-11-20T14:00:00Z"}),
            ("POST", f"/api/v1/webhooks/{HOOK}/replay", {}),
            ("GET", "/api/v1/webhooks/nothing", None),
            ("GET", "/api/v1/events?types=nothing", None),
            ("GET", "/healthz", None),
            ("GET", "/readyz", None),
            ("GET", "/openapi.json", None),
        ]:
            answer = await client.request(method, path, json=body)
            template = next(
                template
                for template in sorted(DOCUMENT["paths"], key=lambda one: one.count("{"))
                if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.partition("?")[0])
                and method.lower() in DOCUMENT["paths"][template]
            )
            response = resolve(DOCUMENT["paths"][template][method.lower()]["responses"][str(answer.status_code)])
            content = response["content"][answer.headers["content-type"]]
            assert matches(answer.json(), content["schema"]), (method, path, answer.text)


async def test_the_document_is_served_to_anybody_and_is_this_one(box: Box) -> None:
    async with box.client() as client:
        answer = await client.get("/openapi.json")
    assert answer.json() == DOCUMENT
    assert answer.headers["cache-control"] == "no-cache"
