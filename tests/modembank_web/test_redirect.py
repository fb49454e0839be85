"""Port 80: where browsers are sent, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from modembank.config import WebConfig
from modembank_web import WebServer, redirecting, serve


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    made = await serve(redirecting(443), WebConfig(listen="127.0.0.1:0"))
    yield made
    await made.stop()


@pytest.fixture
async def client(server: WebServer) -> AsyncIterator[httpx.AsyncClient]:
    host, port = server.address
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as made:
        yield made


@pytest.mark.parametrize(
    ("host", "path", "goes_to"),
    [
        ("modembank.local", "/", "https://modembank.local/"),
        ("modembank.local:80", "/ui/messages?q=a%20b&x=%0d%0aSet-Cookie:a", None),
        ("192.0.2.7", "//elsewhere.example/%2e%2e", None),
        ("[fd00::1]:80", "/docs", "https://[fd00::1]/docs"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_s06_a_browser_is_sent_to_the_same_address_on_https(client, method, host, path, goes_to) -> None:
    answer = await client.send(
        client.build_request(method, str(client.base_url).rstrip("/") + path, headers={"host": host})
    )
    assert answer.status_code == 308
    assert answer.headers["location"] == (goes_to or f"https://{host.removesuffix(':80')}{path}")
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
    assert answer.content == b""


async def test_s06_another_port_is_named(client) -> None:
    other = await serve(redirecting(8443), WebConfig(listen="127.0.0.1:0"))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{other.address[1]}") as asking:
        answer = await asking.get("/a", headers={"host": "modembank.local"})
    assert answer.headers["location"] == "https://modembank.local:8443/a"
    await other.stop()


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("DELETE", {}),
        ("OPTIONS", {}),
        ("GET", {"authorization": "Bearer mb_key"}),
        ("GET", {"api-key": "mb_key"}),
        ("GET", {"cookie": "__Host-mb=secret"}),
    ],
)
async def test_s06_what_was_said_in_the_clear_is_refused_and_not_sent_on(client, method, headers) -> None:
    """A program that got a redirect would go on saying its key in the clear, and nobody would notice."""
    answer = await client.request(method, "/api/v1/messages", headers=headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "should be replaced" in answer.json()["detail"]
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["a", "b"],
        ["user@evil.example"],
        ["evil.example/path"],
        ["evil.example?"],
        ["evil.example#"],
        ["evil.example\\@a"],
        ["a b"],
        ["-a"],
        ["[::1"],
        ["[::1]x"],
        ["a:port"],
        ["a" * 300],
        ["\u00fcber.example"],
    ],
)
async def test_s06_a_host_that_is_none_leads_nowhere(server, hosts) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    writer.write(f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"location" not in answer.lower()


async def test_s06_an_address_of_another_in_the_request_line_counts_for_nothing(server) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET http://evil.example/x HTTP/1.1\r\nHost: modembank.local\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b"evil.example" not in answer
    assert b"https://modembank.local/x" in answer
