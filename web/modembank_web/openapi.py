"""The OpenAPI 3.1 document, made from the same declarations that the handlers run from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import msgspec

from modembank_web.cookies import COOKIE
from modembank_web.operation import Access, Failures, Operation, Reply
from modembank_web.problems import BY_KEY, PROBLEMS_PAGE, Problem, ProblemKind
from modembank_web.wording import BOX, About

_NO_CONTENT = 204
_REF = "#/components/schemas/{name}"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {"basic": []}, {"session": []}]


def document(operations: Iterable[Operation], about: About = BOX) -> dict[str, Any]:
    """Return the whole document as JSON-ready objects."""
    listed = list(operations)
    schemas = _schemas(listed, about)
    responses: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, responses, about)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": metadata.version("modembank"),
            "summary": about.summary,
            "description": about.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/", "description": "This box"}],
        "tags": [{"name": name, "description": text} for name, text in about.tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": dict(sorted(responses.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <API key>`"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "API-Key", "description": "`API-Key: <API key>`"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user name, the API key as password"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "From `POST /api/v1/session`; what changes something also needs to be same-origin",
                },
            },
        },
    }


def _schemas(operations: list[Operation], about: About) -> dict[str, Any]:
    shapes: dict[Any, None] = {Problem: None}
    for operation in operations:
        failures = operation.failures and operation.failures.shape
        for shape in (operation.body and operation.body.shape, *(reply.shape for reply in operation.replies), failures):
            if shape is not None:
                shapes[shape] = None
    _, components = msgspec.json.schema_components(list(shapes), ref_template=_REF)
    for name, schema in components.items():
        _describe(schema, about.fields.get(name, {}))
    codes = sorted({kind.code for kind in BY_KEY.values()})
    components["Problem"]["properties"]["error_code"]["enum"] = codes
    return dict(sorted(components.items()))


def _describe(schema: dict[str, Any], fields: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to a schema's properties what the types alone do not say."""
    for name, more in fields.items():
        schema["properties"][name].update(more)
    if schema.get("description"):
        schema["description"] = re.sub(r"``", "`", schema["description"])


def _operation(operation: Operation, responses: dict[str, Any], about: About) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "security": {Access.KEY: _SECURITY, Access.OPEN: [], Access.LOCAL_OR_KEY: [{}, *_SECURITY]}[operation.access],
    }
    if parameters := _parameters(operation, about):
        found["parameters"] = parameters
    if operation.body is not None:
        examples = {name: {"value": value} for name, value in operation.body.examples.items()}
        schema = {"$ref": _REF.format(name=operation.body.shape.__name__)}
        found["requestBody"] = {
            "required": True,
            "content": {
                operation.body.media: {"schema": schema, "examples": examples},
                **{
                    media: {"schema": {"type": "string"}, "example": text}
                    for media, text in operation.body.also.items()
                },
            },
        }
    found["responses"] = {str(reply.status): _reply(reply) for reply in operation.replies}
    failures = operation.failures
    by_status: dict[int, list[ProblemKind]] = {}
    for key in operation.problems:
        status = BY_KEY[key].status if failures is None else failures.status(BY_KEY[key])
        by_status.setdefault(status, []).append(BY_KEY[key])
    for status, kinds in sorted(by_status.items()):
        name = "_or_".join(kind.key for kind in kinds)
        if failures is None:
            responses[name] = _problem_response(kinds)
        else:
            name = f"{failures.shape.__name__}_{name}"
            responses[name] = _failure_response(failures, kinds)
        # A status may be both an answer of its own and a problem (readyz's 503): its own description comes first.
        found["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
    return found


def _description(operation: Operation) -> str:
    if not operation.needs:
        return operation.description
    words = " or ".join(f"`{scope.value}`" for scope in operation.needs)
    return f"{operation.description}\n\nNeeds a key with the scope {words}."


def _parameters(operation: Operation, about: About) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, (description, example) in operation.parameters.items():
        schema = {"type": "string"}
        found.append(
            {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
            | {"example": example}
        )
    for name, (description, example) in operation.headers.items():
        schema = {"type": "string"}
        found.append({"name": name, "in": "header", "description": description, "schema": schema, "example": example})
    if operation.query is not None:
        found += _query_parameters(operation.query, about)
    return found


def _query_parameters(shape: Any, about: About) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([shape], ref_template=_REF)
    found = []
    for name, schema in components[shape.__name__]["properties"].items():
        more = dict(about.fields[shape.__name__][name])
        parameter = {
            "name": name,
            "in": "query",
            "description": more.pop("description"),
            "example": more.pop("example"),
        }
        found.append(parameter | {"schema": _in_query(schema) | more})
    return found


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """Null cannot be said in a query: leaving the parameter out is how it is written."""
    kinds: list[dict[str, Any]] = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if kinds else schema


def _reply(reply: Reply) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if reply.shape is not None:
        content["schema"] = {"$ref": _REF.format(name=reply.shape.__name__)}
    else:
        content["schema"] = {"type": "string"} if reply.media.startswith("text/") else {"type": "object"}
    # Not `example`: the vendored viewer takes the fields of one for several examples, and fails at the first null.
    content["examples"] = {"answer": {"value": reply.example}}
    found: dict[str, Any] = {"description": reply.description}
    if reply.status != _NO_CONTENT:
        found["content"] = {reply.media: content}
    if reply.headers:
        found["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in reply.headers.items()
        }
    return found


def _problem_response(kinds: list[ProblemKind]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Problem")}
    examples = {kind.key: {"summary": kind.title, "value": problem_example(kind)} for kind in kinds}
    found: dict[str, Any] = {
        "description": "; ".join(f"`{kind.code}`: {kind.when}" for kind in kinds),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }
    return found | _headers(kinds)


def _failure_response(failures: Failures, kinds: list[ProblemKind]) -> dict[str, Any]:
    """Return what a dialect answers to kinds of problems that have one status there."""
    examples = {kind.key: {"summary": kind.title, "value": failures.example(kind)} for kind in kinds}
    schema = {"$ref": _REF.format(name=failures.shape.__name__)}
    found: dict[str, Any] = {
        "description": "; ".join(kind.when for kind in kinds),
        "content": {failures.media: {"schema": schema, "examples": examples}},
    }
    return found | _headers(kinds)


def _headers(kinds: list[ProblemKind]) -> dict[str, Any]:
    names = {name.decode() for kind in kinds for name, _ in kind.headers if name != b"connection"}
    return {"headers": {name.title(): {"schema": {"type": "string"}} for name in sorted(names)}} if names else {}


def problem_example(kind: ProblemKind) -> dict[str, Any]:
    """Return how an error of a kind looks."""
    errors = [{"pointer": "/priority", "detail": "must be 0 to 9"}] if kind.key == "invalid_payload" else []
    return {
        "type": f"{PROBLEMS_PAGE}#{kind.key}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.when,
        "instance": "/api/v1/messages",
        "error_code": kind.code,
        "message": kind.when,
        "details": {},
        "tracking_id": "trk_5f0c1d2e3b4a5968",
        "timestamp": "2026-11-20T14:05:00.000Z",
        "errors": errors,
    }
