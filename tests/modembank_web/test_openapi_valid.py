"""The document is valid OpenAPI 3.1, and each of its examples is valid by the schema beside it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs

from modembank_web.factory import documented
from modembank_web.openapi import document
from modembank_web.readiness import Readiness

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it and its parts deprecate among themselves
    from schemathesis.specs.openapi.definitions import OPENAPI_31

KNOWN = Path(__file__).resolve().parents[1] / "vectors" / "operation_ids.txt"
DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(documented(Readiness())[0])))


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        name = node["$ref"].removeprefix("#/").split("/")
        node = DOCUMENT
        for part in name:
            node = node[part]
    return node


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def wrong(value: Any, schema: dict[str, Any]) -> str | None:
    """Why a value is not valid by a schema of the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    error = next(jsonschema_rs.Draft202012Validator(whole).iter_errors(value), None)
    return None if error is None else f"{error.message} at {error.instance_path}"


def examples(content: dict[str, Any]) -> list[Any]:
    return [example["value"] for example in content.get("examples", {}).values()] or [content["example"]]


def test_the_document_is_valid_openapi() -> None:
    validator = jsonschema_rs.Draft202012Validator(OPENAPI_31)
    assert [f"{error.message} at {error.instance_path}" for error in validator.iter_errors(DOCUMENT)] == []


def test_every_schema_is_a_valid_schema() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": DOCUMENT["jsonSchemaDialect"], **schema})
        assert schema.get("description") or schema.get("enum"), name


def test_every_body_has_examples_that_are_valid() -> None:
    found = []
    for name, operation in operations():
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            assert examples(content), name
            if media == "application/json":
                found += [(name, why) for each in examples(content) if (why := wrong(each, content["schema"]))]
    assert found == []


def test_every_answer_has_an_example_that_is_valid() -> None:
    found = []
    for name, operation in operations():
        for status, response in operation["responses"].items():
            whole = resolved(response)
            assert whole["description"], (name, status)
            assert bool(whole.get("content")) == (status != "204"), (name, status)
            for content in whole.get("content", {}).values():
                found += [(name, status, why) for each in examples(content) if (why := wrong(each, content["schema"]))]
    assert found == []


def test_every_parameter_has_an_example_that_is_valid() -> None:
    found = []
    for name, operation in operations():
        for parameter in operation.get("parameters", []):
            if why := wrong(parameter["example"], parameter["schema"]):
                found.append((name, parameter["name"], why))
    assert found == []


def test_operations_keep_their_names() -> None:
    """Code that was generated from the document calls operations by these names: add to them, and never change one."""
    names = {operation["operationId"] for _, operation in operations()}
    assert names >= set(KNOWN.read_text("utf-8").split())
