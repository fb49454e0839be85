"""Schemathesis reads the document that the box serves and asks for all of it, in every role, well and badly.

Bounded and the same at each run; ``make schemathesis`` asks for much more, and differently each time.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank_web import dialects

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it and its parts deprecate among themselves
    import schemathesis
    from schemathesis.core.failures import Failure, FailureGroup
    from schemathesis.specs.openapi import checks

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
"""For each operation and role; 0: the few of the default suite."""
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
LEFT_OUT = {"enableModem", "disableModem"}
"""They start and end workers that would outlive the test."""
OF_OTHER_CREDENTIALS = {operation.id for operation in dialects.OPERATIONS if operation.authenticate is not None}
"""A key of the API gets nobody in there."""
CREDENTIALS = {"authorization", "api-key", "cookie"}
USUALLY = {"no key": 2, "disabled": 2, "one scope": 2, "sender": 2, "admin": 4}
"""Examples of each operation in the default suite: most where most can happen."""


class Caller:
    """A box on a loop of its own, and how somebody comes to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.runner = asyncio.Runner()
        self.box: Box = self.runner.run(make_box(folder))
        self.key = self.runner.run(self._key())
        self.client = self.box.client(self.key)
        stranger = name in {"no key", "disabled"}  # who is refused before the request is read
        self.modes = [schemathesis.GenerationMode.POSITIVE] if stranger else list(schemathesis.GenerationMode)

    async def _key(self) -> str:
        if self.name == "no key":
            return ""
        if self.name == "one scope":
            return await self.box.key(Role.ADMIN, Scope.MESSAGES_READ, name="caller")
        key = await self.box.key(Role.ADMIN if self.name == "admin" else Role.SENDER, name="caller")
        if self.name == "disabled":
            await self.box.accounts.set_user_active(LOCAL_ADMIN, "caller", active=False)
        return key

    def document(self) -> dict[str, Any]:
        """As it is served."""
        document: dict[str, Any] = self.runner.run(self.client.get("/openapi.json")).json()
        return document

    def ask(self, case: Any) -> httpx.Response:
        """Make the request of a case, with this role's key and no other credentials."""
        if case.operation.path == "/api/v1/events":
            case.query = {**(case.query or {}), "for_s": "0"}  # else it goes on
        made = requests.Request(**case.as_transport_kwargs(base_url="http://box.test")).prepare()
        headers = {name: value for name, value in made.headers.items() if name.lower() not in CREDENTIALS}
        assert made.method is not None
        assert made.url is not None
        return self.runner.run(self.client.request(made.method, made.url, content=made.body or b"", headers=headers))

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.run(self.box.store.close())
        self.runner.close()


@pytest.fixture(params=USUALLY, ids=lambda name: name.replace(" ", "-"))
def role(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    found = Caller(tmp_path, request.param)
    yield found
    found.close()


@pytest.mark.timeout(1200)
def test_s26_whatever_is_asked_is_answered_as_documented(role: Caller) -> None:
    schema = schemathesis.openapi.from_dict(role.document())
    wrong = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] not in LEFT_OUT:
            wrong += [found for mode in role.modes if (found := ask_for(role, operation, mode))]
    assert not wrong, "\n\n".join(wrong)


def ask_for(role: Caller, operation: Any, mode: Any) -> str:
    """Ask for one operation, well or badly; return what is wrong with an answer."""

    @settings(
        max_examples=max(1, (EXAMPLES or USUALLY[role.name]) // 2), deadline=None, database=None,
        derandomize=not EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )  # fmt: skip
    @given(case=operation.as_strategy(mode))
    def asked(case: Any) -> None:
        answer = role.ask(case)
        # An event stream has no schema of its own in OpenAPI 3.1: what is made of one event would be held against it.
        streams = answer.headers.get("content-type", "").startswith("text/event-stream")
        case.validate_response(answer, checks=CHECKS[:-1] if streams else CHECKS)
        admitted(role, operation, answer)

    try:
        asked()
    except Unsatisfiable:  # nothing in it can be wrong
        return "" if mode is schemathesis.GenerationMode.NEGATIVE else f"{operation.label}: cannot be asked for"
    except (FailureGroup, Failure, AssertionError) as error:
        causes = error.exceptions if isinstance(error, FailureGroup) else (error,)
        return f"{operation.label}: {'; '.join(map(str, causes))}\n{getattr(error, 'message', '')[:1500]}"
    return ""


def admitted(role: Caller, operation: Any, answer: httpx.Response) -> None:
    """Who may not come in is told so, whatever was asked."""
    assert answer.status_code != 500, answer.text
    if operation.definition.raw["security"] == []:
        return
    if role.name in {"no key", "disabled"}:
        assert answer.status_code in {400, 401}, answer.text
    if role.name == "one scope":
        words = operation.definition.raw["description"]
        if "Needs a key with the scope" in words and "`messages:read`" not in words.rpartition("Needs a key")[2]:
            own = operation.definition.raw["operationId"] in OF_OTHER_CREDENTIALS
            assert answer.status_code in {400, 403, 404} | ({401} if own else set()), answer.text
