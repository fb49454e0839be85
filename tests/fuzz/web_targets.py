"""The API under any octets at all, and under requests that its own document describes, bent."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from fakes.forms import BOUNDARY, MULTIPART, multipart
from fakes.web_boxes import ICCID
from fuzz.dice import Dice, script
from fuzz.web_session import WITHIN_S, Session, against

PROBLEM = "application/problem+json"
TWILIO = b"/2010-04-01/"
"""What addresses of that dialect begin with, which has failures of its own."""
_HEAD = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
MOST_AN_ANSWER = 400_000
FORM = "application/x-www-form-urlencoded"
ENDLESS = {"followEvents"}
"""Its answer goes on for ever."""
KEY = b"{KEY}"
"""Stands in a seed for a valid key, which is another one in every session."""


def _judge_answers(sent: bytes, came: bytes) -> None:
    """Every answer is whole and no fault; every refusal is a problem, or the dialect's own where that was spoken to;
    and there are no more answers than requests.
    """
    if not came:
        return
    heads = list(_HEAD.finditer(came))
    assert heads, came[:200]
    assert heads[0].start() == 0, came[:200]
    assert len(heads) <= sent.count(b"HTTP/") + 1, "more answers than requests"
    for place, head in enumerate(heads):
        status = int(head[1])
        assert status < 500 or (status == 502 and b"USSD_FAILED" in came), came[head.start() :][:600]
        body = came[head.end() : heads[place + 1].start() if place + 1 < len(heads) else len(came)]
        assert len(body) <= MOST_AN_ANSWER
        headers = _headers(head[2])
        if status >= 400 and headers.get("content-type") == "application/json" and TWILIO in unquote_to_bytes(sent):
            if body:
                _judge_twilio_error(status, json.loads(body))
        elif status >= 400:
            assert headers.get("content-type") == PROBLEM, came[head.start() :][:600]
            if body:
                _judge_problem(status, json.loads(body))


def _headers(raw: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in raw.decode("latin-1").split("\r\n") if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _judge_problem(status: int, problem: Mapping[str, Any]) -> None:
    assert problem["status"] == status
    assert problem["tracking_id"].startswith("trk_")
    assert problem["title"]
    assert problem["error_code"] != "INTERNAL_ERROR"
    assert "Traceback" not in json.dumps(problem)


def _judge_twilio_error(status: int, error: Mapping[str, Any]) -> None:
    assert error["status"] == status
    assert error["code"] >= 20_000
    assert error["message"]
    assert error["more_info"].startswith("/")
    assert "Traceback" not in json.dumps(error)


async def _said(session: Session, octets: bytes, *, locally: bool) -> bytes:
    """Send all, in two pieces, let the server do what it can with it, end our side, and return what came."""
    reader, writer = await session.connect(locally=locally)
    half = len(octets) // 2
    try:
        writer.write(octets[:half])
        await session.alive()
        writer.write(octets[half:])
        await session.alive()
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), WITHIN_S)
    except OSError:  # the server hung up on us: its right
        return b""
    finally:
        writer.close()


async def _any_octets(session: Session, octets: bytes) -> None:
    dice = Dice(octets)
    locally = dice.octet() % 4 == 1
    request = dice.rest().replace(KEY, session.keys["admin"].encode())
    _judge_answers(request, await _said(session, request, locally=locally))
    await session.alive()


http = against(_any_octets)


def http_seeds() -> list[bytes]:
    """Requests of every kind, pipelined, in pieces, too long, and of the shapes that smuggle one inside another."""
    head = b"POST /api/v1/messages HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer {KEY}\r\n"
    send = head + b"Content-Type: application/json\r\n"
    body = b'{"to": "+447900900123", "text": "hello"}'
    whole = send + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    inner = b"GET /healthz HTTP/1.1\r\nHost: box\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:7], body[7:])) + b"0\r\n\r\n"
    requests = [
        whole,
        whole * 3,
        inner * 5,
        send + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        send + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunks + inner,
        send + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        send + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + body,
        send + b"Transfer-Encoding: xchunked\r\n\r\n" + chunks,
        send + b"Transfer-Encoding : chunked\r\n\r\n" + chunks,
        send + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        send + b"Content-Length: 99999999999999999999999\r\n\r\n",
        send + b"Content-Length: 20000000\r\n\r\n" + body,
        send + b"Content-Length: -1\r\n\r\n",
        send + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        send + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
        head + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        head.replace(b"/api/v1/messages", TWILIO + b"Accounts/AC0/Messages.json") + b"Content-Length: 0\r\n\r\n",
        b"GET /2010-04-01/Accounts/AC0/Messages.json HTTP/1.1\r\nHost: box\r\nAuthorization: Basic e30=\r\n\r\n"
        + inner,
        b"GET /api/v1/messages?limit=1&cursor=%00 HTTP/1.1\r\nHost: box\r\nAPI-Key: {KEY}\r\n\r\n",
        b"GET /api/v1/messages?api_key={KEY} HTTP/1.1\r\nHost: box\r\n\r\n",
        b"GET /api/v1/inbox/%2e%2e/%2e%2e HTTP/1.1\r\nHost: box\r\n\r\n",
        b"GET //healthz HTTP/1.0\r\n\r\n",
        b"GET http://other/healthz HTTP/1.1\r\nHost: box\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: box\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: box\r\n\r\n",
        b"HEAD /docs HTTP/1.1\r\nHost: box\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: box\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: box\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + inner,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: box\n\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"Authorization: Basic e30=\r\n",
        inner[:-2] + b"X: a\r\n b\r\n\r\n",
        inner[:-2] + b"X\0: a\r\n\r\n",
    ]
    return [bytes([place % 4]) + request for place, request in enumerate(requests)]


# -- requests that the OpenAPI document describes

STRINGS = (
    "", "+447900900123", "07900900123", "12345", "auto", "hold", "08:00-20:00", "2030-01-01T00:00:00Z", "slot-03",
    ICCID, "*100#", "*100#\n", "\u0000", "\ud83d\ude00", "\u202e", "a" * 300, "-1", "1e999", "null", "imsi:1",
    "msg_0000000000001", "bat_0000000000001",
)  # fmt: skip
INTEGERS = (0, 1, -1, 9, 10, 255, 256, 60, 86_400, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40)
NUMBERS = (0.0, -0.0, 0.5, 1e308, -1e-308, 86_400.0, 1e19)
WRONG: tuple[Any, ...] = (None, True, [], {}, [[]], {"a": {"b": []}}, "x", 1, 1.5, [None] * 20)


class Bent:
    """Draws values for a schema of the document: mostly of its shape, sometimes at an edge of it or beyond."""

    def __init__(self, document: Mapping[str, Any], dice: Dice) -> None:
        self._schemas = document["components"]["schemas"]
        self._dice = dice

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """A value; one in sixteen is of some other kind."""
        dice = self._dice
        if dice.octet() % 16 == 15 or depth > 6:
            return dice.pick(WRONG)
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            return self.value(dice.pick(schema["anyOf"]), depth + 1)
        if "enum" in schema:
            return dice.pick(schema["enum"])
        kind = schema.get("type", "object")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(dice.number(4))]
        return self._plain(kind, schema)

    def _plain(self, kind: str, schema: Mapping[str, Any]) -> Any:
        dice = self._dice
        if kind == "string":
            return dice.text(40) if dice.flag() else dice.pick(STRINGS)
        if kind == "boolean":
            return dice.flag()
        if kind == "null":
            return None
        edges = [schema[edge] + step for edge in ("minimum", "maximum") if edge in schema for step in (-1, 0, 1)]
        return dice.pick([*edges, *(INTEGERS if kind == "integer" else NUMBERS)])

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        dice, required = self._dice, schema.get("required", ())
        made = {}
        for name, inner in schema.get("properties", {}).items():
            if (name in required and dice.octet() != 255) or dice.octet() % 4 == 1:
                made[name] = self.value(inner, depth + 1)
        if dice.octet() == 254:
            made[dice.text(8)] = dice.pick(WRONG)
        return made


def _request(session: Session, dice: Dice) -> tuple[Mapping[str, Any], bytes]:
    """An operation of the document, and a request for it."""
    paths = session.document["paths"]
    operations = [
        (path, method)
        for path, methods in paths.items()
        for method in methods
        if methods[method]["operationId"] not in ENDLESS
    ]
    path, method = dice.pick(operations)
    operation = paths[path][method]
    key = session.keys[dice.pick(list(session.keys))]
    bent = Bent(session.document, dice)
    query, headers = [], [b"Host: box"]
    if key:
        headers.append(b"Authorization: Bearer " + key.encode())
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            part = session.real.get(parameter["name"], str(parameter["example"])) if dice.octet() % 4 else _inside(dice)
            path = path.replace(f"{{{parameter['name']}}}", quote(part, safe="", errors="replace"))
        elif dice.flag():
            value = str(parameter["example"] if dice.flag() else bent.value(parameter["schema"]))
            if parameter["in"] == "query":
                query.append(f"{quote(parameter['name'])}={quote(value, errors='replace')}")
            else:
                headers.append(f"{parameter['name']}: {quote(value, errors='replace')}".encode())
    body = b""
    if "requestBody" in operation:
        media, content = dice.pick(list(operation["requestBody"]["content"].items()))
        body = _body(bent, media, content, dice)
        headers.append(f"Content-Type: {media}{f'; boundary={BOUNDARY}' if media == MULTIPART else ''}".encode())
    headers.append(b"Content-Length: %d" % len(body))
    address = path + ("?" + "&".join(query) if query else "")
    return operation, b"\r\n".join([f"{method.upper()} {address} HTTP/1.1".encode(), *headers, b"", body])


def _inside(dice: Dice) -> str:
    """A part of a path that stays one part."""
    part = dice.text(20).replace("/", "") or dice.pick(["%", "msg_", "imsi:1", "inb_zzzzzzzzzzzzz"])
    return part if part.strip(".") else "x"


def _body(bent: Bent, media: str, content: Mapping[str, Any], dice: Dice) -> bytes:
    """Made from the schema; or an example of the document with a field or two bent; now and then not well-formed."""
    how = dice.octet()
    made = bent.value(content["schema"])
    if how % 4 and isinstance(made, dict):
        changes = dict(list(made.items())[: how % 3])
        made = {**dice.pick(list(content["examples"].values()))["value"], **changes}
    if media == MULTIPART and isinstance(made, dict):
        written = multipart(made)
    elif media == FORM and isinstance(made, dict):
        written = urlencode(made, errors="replace").encode()
    elif media.startswith("text/"):
        written = str(made).encode("utf-8", "replace")
    else:
        written = json.dumps(made, ensure_ascii=bool(how & 4)).encode("utf-8", "surrogatepass")
    if how % 16 == 12:
        return written[: len(written) // 2] + dice.take(8) + written[len(written) // 2 :]
    return written


async def _answered(session: Session, request: bytes, *, locally: bool) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await session.connect(locally=locally)
    async with asyncio.timeout(WITHIN_S):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        headers = _headers(head.partition(b"\r\n")[2])
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = await _chunks(reader)
    writer.close()
    return int(head.split(b" ", 2)[1]), headers, body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a body whose length is not said before (RFC 9112 clause 7.1)."""
    found = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found += (await reader.readexactly(size + 2))[:-2]
        assert len(found) <= MOST_AN_ANSWER
    return found


async def _described(session: Session, octets: bytes) -> None:
    dice = Dice(octets)
    locally = dice.octet() % 4 == 1
    operation, request = _request(session, dice)
    status, headers, body = await _answered(session, request, locally=locally)
    documented = operation["responses"].get(str(status))
    assert documented is not None, (operation["operationId"], status, request[:600], body[:600])
    assert len(body) <= MOST_AN_ANSWER
    if "$ref" in documented:
        documented = session.document["components"]["responses"][documented["$ref"].rpartition("/")[2]]
    if status >= 400 and headers["content-type"] != PROBLEM:  # a dialect's own way to refuse
        assert headers["content-type"] in documented["content"], (status, request)
        _conforms(session.document, documented["content"][headers["content-type"]]["schema"], json.loads(body))
        assert status < 500, (status, body)
    elif status >= 400:
        _judge_problem(status, json.loads(body))
        _conforms(session.document, {"$ref": "#/components/schemas/Problem"}, json.loads(body))
        assert status < 500 or operation["operationId"] in {"ussdModem", "channelSend"}, (status, body)
    else:
        media = headers["content-type"]
        assert media in documented["content"], (media, documented)
        if media == "application/json" and "{" in body.decode():
            _conforms(session.document, documented["content"][media]["schema"], json.loads(body))
    await session.alive()


_KINDS = {"string": str, "boolean": bool, "integer": int, "number": int | float, "array": list, "object": dict}


def _conforms(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> None:
    """Fail unless a value has the shape the document gives it: the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if (kind.get("type") == "null") == (value is None)]
        assert kinds, (schema, value)
        schema = kinds[0]
    if "enum" in schema:
        assert value in schema["enum"], (schema, value)
    kind = schema.get("type")
    if kind in _KINDS:
        assert isinstance(value, _KINDS[kind]), (schema, value)
        assert kind == "boolean" or not isinstance(value, bool), (schema, value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), (schema, value)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                _conforms(document, inner, value[name])
    elif isinstance(value, list):
        for inner in value:
            _conforms(document, schema.get("items", {}), inner)


api = against(_described)


def api_seeds() -> list[bytes]:
    """Decisions that lead to every operation, with every key."""
    plain = [bytes([0, operation, key]) + bytes([1, 2] * 40) for operation in range(40) for key in range(6)]
    return [*plain, script(*plain[:2]), bytes(range(256))]
