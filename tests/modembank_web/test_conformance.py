"""Whatever is sent to whichever operation, the answer is one that the document names, in the shape it gives."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.forms import MULTIPART, media_of, multipart
from fakes.kinds import Brought
from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.providers import Draft
from modembank.twilio.sids import Kind, message_sid
from modembank_web import dialects
from modembank_web.api import v1
from modembank_web.dialects.twilio_examples import ACCOUNT
from modembank_web.forms import FORM
from modembank_web.operation import Operation
from modembank_web.problems import Problem

SENT = "+447900900123"
EXAMPLES = settings.default.max_examples // 5 if settings.default else 20
"""Of each operation; ``make soak`` tries thirty times as many."""
OPERATIONS = [
    operation
    for operation in (*v1.OPERATIONS, *dialects.OPERATIONS)
    if operation.id not in {"enableModem", "disableModem", "followEvents"}
]
"""Enabling would start a worker that outlives the example; following has no end, and tests of its own."""

NEEDS_MORE = {
    "ussdModem",
    "enterPin",
    "settleMessage",
    "beginSession",
    "decideOptOutReview",
    "updateBox",
    "postponeBox",
    "resetBox",
    "testProvider",
}
"""What it does takes a network, a locked SIM, a message of unknown end, https, an opt-out, an image, an account."""

REAL = {"id": "msg_0000000000001", "slot": "slot-03", "iccid": ICCID, "name": "recount", "user": "ann", "number": SENT}
REAL |= {"phone_number": SENT, "task_id": "msg_0000000000001"}
REAL |= {"AccountSid": ACCOUNT, "sid": ACCOUNT, "Sid": message_sid(ACCOUNT, Kind.OUTBOUND, 1)}
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def real(operation: Operation) -> dict[str, str]:
    """Parameters that lead to something that is there."""
    own = {"Webhooks": {"id": "whk_0000000000001"}, "Providers": {"name": "smpp-1"}}
    return REAL | own.get(operation.tag, {})


LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-5, 12)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([SENT, "*100#", "auto", "hold", "08:00-20:00", "2030-01-01T00:00:00Z", ICCID, "slot-03", "\x00"])
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def form(given: dict[str, Any]) -> bytes:
    return urlencode(given, doseq=True, errors="replace").encode()


ENCODE = {MULTIPART: multipart, FORM: form}


def login_of(operation: Operation) -> httpx.BasicAuth | None:
    """Return what an operation of a dialect with credentials of its own is called with; None: the key."""
    return None if operation.authenticate is None else httpx.BasicAuth(ACCOUNT, TOKEN)


def bodies(operation: Operation) -> st.SearchStrategy[bytes]:
    """Bodies near what the operation takes: examples with fields changed, added and taken away; and noise."""
    if operation.body is None:
        return st.sampled_from([b"", b"{}", b"\xff", b'{"unwanted": 1}'])
    encode = ENCODE.get(operation.body.media, lambda given: json.dumps(given).encode())
    names = [field.encode_name for field in msgspec.structs.fields(operation.body.shape)]
    base = st.sampled_from(list(operation.body.examples.values()))
    changes = st.dictionaries(st.sampled_from(names) | st.text(max_size=6), VALUE, max_size=3)
    missing = st.sets(st.sampled_from(names), max_size=2)

    def mixed(start: dict[str, Any], changed: dict[str, Any], without: set[str]) -> bytes:
        given_object = {name: value for name, value in {**start, **changed}.items() if name not in without}
        return encode(given_object)

    return (
        st.builds(mixed, base, changes, missing)
        | VALUE.map(lambda value: json.dumps(value).encode())
        | st.binary(max_size=40)
    )


def addresses(operation: Operation) -> st.SearchStrategy[str]:
    """The path with real and unreal parameters, with and without a query."""
    words = st.text(min_size=1, max_size=20).filter(
        lambda text: "/" not in text and text.strip(".")
    )  # stays on this path
    part = words | st.sampled_from(["%", "msg_", "inb_zzzzzzzzzzzzz", "imsi:1", "\x00", "é"])
    names = list(operation.parameters)
    filled = st.fixed_dictionaries({name: st.just(real(operation)[name]) | part for name in names})
    queries = st.just("")
    if operation.query is not None:
        known = [field.encode_name for field in msgspec.structs.fields(operation.query)]
        pair = st.tuples(
            st.sampled_from(known) | st.text(max_size=5), st.text(max_size=10) | st.sampled_from(["1", SENT, "sent"])
        )
        queries |= st.lists(pair, max_size=3).map(lambda pairs: "&".join(f"{quote(a)}={quote(b)}" for a, b in pairs))

    def address(values: dict[str, str], query: str) -> str:
        path = re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), operation.path)
        return f"{path}?{query}" if query else path

    return st.builds(address, filled, queries)


def judge(operation: Operation, answer: httpx.Response) -> None:
    """Fail unless the answer is one of the operation's own or one of its problems, whole and bounded."""
    own = {reply.status: reply for reply in operation.replies}
    assert answer.status_code != 500, answer.text
    assert len(answer.content) < 300_000
    if answer.status_code >= 400 and operation.failures is not None:
        assert answer.headers["content-type"] == operation.failures.media
        failure = msgspec.json.decode(answer.content, type=operation.failures.shape)
        assert failure.status == answer.status_code
        assert failure.code >= 20001
    elif answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert problem.status == answer.status_code
        assert problem.tracking_id.startswith("trk_")
        assert all(error.pointer == "" or error.pointer[0] == "/" for error in problem.errors)
        assert "Traceback" not in answer.text
    elif answer.status_code in own:
        reply = own[answer.status_code]
        if reply.status == 204:  # has no content, and so no type of it
            assert "content-type" not in answer.headers
            assert answer.content == b""
        elif reply.shape is None:
            assert answer.headers["content-type"] == reply.media
        else:
            msgspec.json.decode(answer.content, type=reply.shape)


class Running:
    """A box on a loop of its own, for examples that a synchronous test draws."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.box: Box = self.runner.run(make_box(folder))
        self.key: str = self.runner.run(self.box.key(Role.ADMIN))
        self.runner.run(self.box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER))
        self.runner.run(self.box.twilio_account("admin", ACCOUNT, TOKEN))

    def ask(self, operation: Operation, address: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        login = login_of(operation)

        async def once() -> httpx.Response:
            async with self.box.client(self.key if login is None else "") as client:
                return await client.request(operation.method, address, content=body, headers=headers, auth=login)

        return self.runner.run(once())

    def close(self) -> None:
        self.runner.run(self.box.store.close())
        self.runner.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=st.data())
def test_no_answer_is_undocumented(running: Running, operation: Operation, drawn: st.DataObject) -> None:
    body = drawn.draw(bodies(operation), label="body")
    address = drawn.draw(addresses(operation), label="address")
    headers = {"Content-Type": media_of(operation)}
    if operation.headers and drawn.draw(st.booleans(), label="with a key"):
        headers["Idempotency-Key"] = drawn.draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9))
    judge(operation, running.ask(operation, address, body, headers))


async def test_every_example_of_a_request_does_what_it_says(box: Box) -> None:
    box_key = await box.key()
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER)
    await box.twilio_account("admin", ACCOUNT, TOKEN)
    box.providers.start(Brought())
    mails = {"host": "mail.example.net", "sender": "box@clinic.example"}
    await box.providers.add(LOCAL_ADMIN, Draft("mail-1", "smtp", mails))
    centre = {"host": "smpp.example.net", "system_id": "shop", "password_secret": "smpp-1"}
    await box.providers.add(LOCAL_ADMIN, Draft("smpp-1", "smpp", centre))
    async with box.client(box_key) as client:
        await client.patch(f"/api/v1/sims/{ICCID}", json={"label": "reminders"})
        for operation in (*v1.OPERATIONS, *dialects.OPERATIONS):
            if operation.body is None or operation.id in NEEDS_MORE:
                continue
            # One of the examples makes a new token.
            await box.store.write(lambda conn: conn.execute("UPDATE twilio_accounts SET auth_token = ?", (TOKEN,)))
            if (operation.method, operation.path) == ("POST", "/api/v1/providers"):
                await box.providers.remove(LOCAL_ADMIN, "smpp-1")  # which the example makes
            address = operation.path.format(**real(operation))
            own = {reply.status for reply in operation.replies}
            for name, example in operation.body.examples.items():
                sent = {"json": example}
                if encode := ENCODE.get(operation.body.media):
                    sent = {"content": encode(example), "headers": {"Content-Type": media_of(operation)}}
                if login := login_of(operation):
                    sent["auth"] = login
                answer = await client.request(operation.method, address, **sent)
                if operation.tag == "Opt-outs":  # the examples after this one write to that number
                    await box.store.write(lambda conn: conn.execute("DELETE FROM opt_outs").rowcount)
                # The scheduled one names a day of its own; once that has passed, it is refused for it.
                late = "send_at" in example and [error["pointer"] for error in answer.json().get("errors", [])] == [
                    "/send_at"
                ]
                assert answer.status_code in own or late, (name, answer.text)
    await box.providers.stop()


async def test_a_scheduled_message_waits(box: Box) -> None:
    soon = box.clock.now() + 3600
    example = {"to": SENT, "text": "x", "window": "08:00-20:00"}
    async with box.client(await box.key()) as client:
        refused = await client.post("/api/v1/messages", json={**example, "send_at": soon})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/send_at")
        moment = datetime.fromtimestamp(soon, UTC).isoformat()
        answer = await client.post("/api/v1/messages", json={**example, "send_at": moment})
        assert (answer.status_code, answer.json()["status"]) == (202, "scheduled")
        listed = (await client.get("/api/v1/messages?status=scheduled")).json()["items"]
        assert [item["id"] for item in listed] == [answer.json()["id"]]
        assert (await client.get("/api/v1/messages?status=queued")).json()["items"] == []
        assert (await client.get("/api/v1/messages?status=vanished")).status_code == 422


async def test_filters_of_the_list(box: Box) -> None:
    async with box.client(await box.key()) as client:
        first = (await client.post("/api/v1/messages", json={"to": SENT, "text": "a", "reference": "r1"})).json()
        other = (
            await client.post("/api/v1/messages", json={"to": "+447900900124", "text": "b", "reference": "r2"})
        ).json()

        async def ids(query: str) -> list[str]:
            answer = await client.get(f"/api/v1/messages?{query}")
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert await ids(f"to={quote(SENT)}") == [first["id"]]
        assert await ids("reference=r2") == [other["id"]]
        assert await ids("since=2020-01-01T00:00:00Z") == [other["id"], first["id"]]
        assert await ids("since=2099-01-01T00:00:00Z") == []
        assert await ids("status=queued,sent") == [other["id"], first["id"]]
        assert await ids("q=B") == [other["id"]]
        assert await ids("q=a%20b") == []
        for wrong in ("", "%21", "a*"):
            answer = await client.get(f"/api/v1/messages?q={wrong}")
            assert answer.status_code == 422, wrong
            assert [each["pointer"] for each in answer.json()["errors"]] == ["/q"]
        for wrong in ("cursor=abc", "cursor=%00", "to=nonsense", "batch=msg_1", "status="):
            answer = await client.get(f"/api/v1/messages?{wrong}")
            assert answer.status_code in {200, 404, 422}, (wrong, answer.text)
