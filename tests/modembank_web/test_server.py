"""The embedded server over real sockets: start, stop, hostile bytes, TLS, sockets passed in."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from litestar import Litestar, get

from fakes.web_boxes import Box
from modembank.config import WebConfig
from modembank_web import CannotListen, WebServer, protocol, serve
from modembank_web import server as embedded
from modembank_web.problems import Problem
from modembank_web.protocol import HEAD_LIMIT

ANY = WebConfig(listen="127.0.0.1:0")


def url(server: WebServer, scheme: str = "http") -> str:
    host, port = server.address
    return f"{scheme}://{host}:{port}"


async def raw(server: WebServer, octets: bytes) -> bytes:
    """Send octets and return everything that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(octets)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_no_answer_waits_for_an_acknowledgement(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    taken = protocol.Protocol.connection_made

    def look(self: protocol.Protocol, transport: asyncio.Transport) -> None:
        seen.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        taken(self, transport)

    monkeypatch.setattr(protocol.Protocol, "connection_made", look)
    passed = socket.create_server(("127.0.0.1", 0))
    for server in (await serve(box.web, ANY), await serve(box.web, ANY, sockets=[passed])):
        async with httpx.AsyncClient(base_url=url(server)) as client:
            assert (await client.get("/healthz")).status_code == 200
        assert await server.stop()
    assert len(seen) == 2
    assert all(seen)


async def test_the_date_header_goes_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    days = itertools.count()
    monkeypatch.setattr(uvicorn.server, "formatdate", lambda *_, **__: f"day {next(days)}")
    monkeypatch.setattr(embedded, "DATE_S", 0.01)
    server = await serve(box.web, ANY)
    async with httpx.AsyncClient(base_url=url(server)) as client, asyncio.timeout(10):
        first = (await client.get("/healthz")).headers["date"]
        while (await client.get("/healthz")).headers["date"] == first:
            pass
    assert await server.stop()


async def test_it_serves_the_box_and_leaves_signals_alone(box: Box) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = await serve(box.web, ANY)
    assert server.address[1] > 0
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    key = await box.key()
    async with httpx.AsyncClient(base_url=url(server), headers={"API-Key": key}) as client:
        answers = await asyncio.gather(
            *(client.post("/api/v1/messages", json={"to": "+447900900123", "text": str(n)}) for n in range(100))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 100
        assert "server" not in answers[0].headers
        assert (await client.get("/metrics")).status_code == 200
    assert await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*server.address)


async def test_an_address_in_use_is_told_and_nothing_is_left(box: Box) -> None:
    first = await serve(box.web, ANY)
    taken = WebConfig(listen=f"127.0.0.1:{first.address[1]}")
    with pytest.raises(CannotListen, match="another program listens there: end it, or choose another address"):
        await serve(box.web, taken)
    with pytest.raises(CannotListen, match="no address of this machine"):
        await serve(box.web, WebConfig(listen="192.0.2.1:0"))
    for listen in ("no.such.host.invalid:0", "127.0.0.1:99999"):
        with pytest.raises(CannotListen, match="cannot listen on"):
            await serve(box.web, WebConfig(listen=listen))
    assert await first.stop()


async def test_stopping_is_bounded_even_with_a_request_that_never_ends() -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    @get("/slow")
    async def slow() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = await serve(Litestar([slow], openapi_config=None), ANY)
    request = asyncio.create_task(raw(server, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    await entered.wait()
    async with asyncio.timeout(8):
        await server.stop(within_s=3)
        await ended.wait()
    await request


async def test_idle_connections_do_not_hold_it_up(box: Box) -> None:
    server = await serve(box.web, ANY)
    async with httpx.AsyncClient(base_url=url(server)) as client:
        await client.get("/healthz")
        assert await server.stop()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", b"200"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"400"),
        (b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET /%ff%00%c0%af HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /healthz HTTP/1.1\r\nHost: bad host\r\nConnection: close\r\n\r\n", b"400"),
        (b"BREW /api/v1/messages HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    ],
)
async def test_hostile_http(box: Box, octets: bytes, status: bytes) -> None:
    server = await serve(box.web, ANY)
    answer = await raw(server, octets)
    assert answer.split(b" ")[1] == status, answer
    assert b"Traceback" not in answer
    async with httpx.AsyncClient(base_url=url(server)) as client:
        assert (await client.get("/healthz")).status_code == 200
    await server.stop()


async def test_what_is_no_http_is_refused_as_everything_else_is(box: Box) -> None:
    server = await serve(box.web, ANY)
    head, _, body = (await raw(server, b"nonsense\r\n\r\n")).partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\nconnection: close" in head
    problem = msgspec.json.decode(body, type=Problem)
    assert (problem.status, problem.error_code) == (400, "BAD_REQUEST")
    await server.stop()


@pytest.mark.parametrize("flood", [b"X-Flood: 0123456789\r\n", b"x"], ids=["headers", "one header"])
async def test_a_head_without_end_is_refused_and_costs_no_memory(box: Box, flood: bytes) -> None:
    server = await serve(box.web, ANY)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
    sent = 0
    while sent < 64 * HEAD_LIMIT and not reader.at_eof():
        try:
            writer.write(flood * (4096 // len(flood)))
            await writer.drain()
        except ConnectionError:
            break
        sent += 4096
        await asyncio.sleep(0)
    assert sent < 64 * HEAD_LIMIT, "nobody stopped us"
    writer.transport.abort()
    async with httpx.AsyncClient(base_url=url(server)) as client:
        assert (await client.get("/healthz")).status_code == 200
    await server.stop()


async def test_a_long_head_within_the_limit_is_read_and_one_beyond_it_is_told_so(box: Box) -> None:
    server = await serve(box.web, ANY)
    async with httpx.AsyncClient(base_url=url(server)) as client:
        for _ in range(3):  # the limit is each request's own
            long = {f"X-{place}": "y" * 1000 for place in range(40)}
            assert (await client.get("/healthz", headers=long)).status_code == 200
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
    for _ in range(HEAD_LIMIT // 4096 + 1):  # each read before the next is sent
        await asyncio.sleep(0.005)
        writer.write(b"y" * 4096)
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"HEAD_TOO_LARGE"' in answer
    writer.transport.abort()
    await server.stop()


@pytest.mark.parametrize(
    "begun", [b"", b"\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost:"], ids=["nothing", "blanks", "half a head"]
)
async def test_who_only_holds_a_connection_is_sent_away(
    box: Box, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_WAIT_S", 0.1)
    server = await serve(box.web, ANY)
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(whole)
    assert b" 200 " in await reader.readline()
    await asyncio.sleep(0.3)  # between two requests only the idle time of kept connections counts
    writer.write(whole)
    answer = await raw(server, begun)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.count(b"\r\nconnection: close\r\n") == 1
    await asyncio.wait_for(reader.readuntil(b" 200 "), 10)
    writer.close()
    await server.stop()


@pytest.mark.parametrize(
    "rubbish", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]
)
async def test_an_accepted_message_is_answered_before_what_follows_is_refused(box: Box, rubbish: bytes) -> None:
    """Who hears a refusal for a message that was accepted sends it again."""
    key, body = await box.key(), b'{"to": "+447900900123", "text": "once"}'
    head = f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAPI-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    server = await serve(box.web, ANY)
    answer = await raw(server, head.encode() + body + rubbish)
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    listed = await raw(server, f"GET /api/v1/messages HTTP/1.0\r\nAPI-Key: {key}\r\n\r\n".encode())
    assert listed.count(b'"text":"once"') == 1
    await server.stop()


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(box: Box) -> None:
    key = await box.key()
    head = f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAPI-Key: {key}\r\nContent-Length: 99999999\r\n\r\n"
    server = await serve(box.web, ANY)
    answer = await raw(server, head.encode())
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"PAYLOAD_TOO_LARGE" in answer
    await server.stop()


async def test_who_comes_when_all_places_are_taken_is_told_so_as_of_everything_else(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 1)
    server = await serve(box.web, ANY)
    async with httpx.AsyncClient(base_url=url(server)) as first, httpx.AsyncClient(base_url=url(server)) as second:
        assert (await first.get("/healthz")).status_code == 200
        answer = await second.get("/healthz")
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert (answer.status_code, problem.error_code) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("5", "close")
        assert (await first.get("/healthz")).status_code == 200
    await server.stop()


async def test_head_is_answered_without_a_body_where_anybody_may_look(box: Box) -> None:
    server = await serve(box.web, ANY)
    async with httpx.AsyncClient(base_url=url(server)) as client:
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            seen, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == seen.headers["content-length"]
        refused = await client.head("/api/v1/messages")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS, POST")
    await server.stop()


async def test_a_client_that_leaves_in_the_middle_hurts_nobody(box: Box) -> None:
    key = await box.key()
    head = f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAPI-Key: {key}\r\nContent-Length: 100\r\n\r\n"
    server = await serve(box.web, ANY)
    for _ in range(5):
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(head.encode() + b'{"to"')
        await writer.drain()
        writer.transport.abort()
    async with httpx.AsyncClient(base_url=url(server)) as client:
        assert (await client.get("/readyz")).status_code == 200
    assert await server.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", *algorithm, "-keyout", key, "-out", cert, "-days", "2", *subject]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


async def test_tls_when_configured_and_a_clear_word_when_its_files_are_wrong(box: Box, tmp_path: Path) -> None:
    cert, key = await asyncio.to_thread(certificate, tmp_path)
    config = WebConfig(listen="127.0.0.1:0", tls_cert=str(cert), tls_key=str(key))
    server = await serve(box.web, config)
    trust = ssl.create_default_context(cafile=str(cert))
    async with httpx.AsyncClient(base_url=url(server, "https"), verify=trust) as client:
        assert (await client.get("/healthz")).status_code == 200
    await server.stop()
    for wrong in (str(tmp_path / "absent.pem"), str(key)):
        with pytest.raises(CannotListen, match="TLS"):
            await serve(box.web, WebConfig(listen="127.0.0.1:0", tls_cert=wrong, tls_key=str(key)))


async def test_a_listening_socket_passed_in_is_used(box: Box) -> None:
    passed = socket.create_server(("127.0.0.1", 0))
    address = passed.getsockname()
    server = await serve(box.web, WebConfig(listen="127.0.0.1:1"), sockets=[passed])
    assert server.address == address
    async with httpx.AsyncClient(base_url=url(server)) as client:
        assert (await client.get("/healthz")).status_code == 200
    await server.stop()


async def test_a_unix_socket_is_served_plainly_even_when_tls_is_configured(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    listening.setblocking(False)
    config = WebConfig(tls_cert="/absent", tls_key="/absent")
    server = await serve(box.web, config, sockets=[listening])
    assert server.address == (str(path), 0)
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://box") as client:
        assert (await client.get("/healthz")).status_code == 200
        local: Any = await client.get("/metrics")
        assert local.status_code == 401  # a peer without an address is nobody known
    await server.stop()
