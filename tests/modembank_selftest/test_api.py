"""The self-test's own HTTP client, against a server that breaks off at every octet."""

import asyncio

import pytest

from modembank_selftest.api import Api, Gone

PLAIN = b'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"id": "x"}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/problem+json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'4;x=1\r\n{"id\r\n7\r\n": "x"}\r\n0\r\n\r\n'
)
TEXT = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"


async def served(tmp_path, *answers):
    """An Api on a server that gives these answers, one a connection, and what it was asked."""
    left, asked = list(answers), []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        asked.append(head + await reader.readexactly(length))
        writer.write(left.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    return Api(tmp_path / "s"), asked, server


@pytest.mark.parametrize(
    ("raw", "status", "body"), [(PLAIN, 202, {"id": "x"}), (CHUNKED, 200, {"id": "x"}), (TEXT, 200, "hello")]
)
async def test_an_answer_is_read(tmp_path, raw, status, body):
    api, asked, server = await served(tmp_path, raw)
    async with server:
        answer = await api.post("/x", {"to": "+1"}, key="k-1")
    assert (answer.status, answer.body) == (status, body)
    assert asked[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Idempotency-Key: k-1\r\n" in asked[0]
    assert asked[0].endswith(b'{"to": "+1"}')


@pytest.mark.parametrize("raw", [PLAIN, CHUNKED, TEXT], ids=["plain", "chunked", "text"])
async def test_half_an_answer_is_none(tmp_path, raw):
    halves = [raw[:end] for end in range(len(raw))]
    api, _, server = await served(tmp_path, *halves)
    # Only the very end of a chunked body carries nothing that is needed.
    whole = 0
    async with server:
        for _ in halves:
            try:
                await api.get("/x")
            except Gone:
                continue
            whole += 1
    assert whole == (2 if raw is CHUNKED else 0)


async def test_nobody_listens(tmp_path):
    with pytest.raises(Gone):
        await Api(tmp_path / "s").get("/x")


async def test_pages_are_followed(tmp_path):
    def page(item, following):
        body = f'{{"items": [{item}], "next": {following}}}'.encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    api, asked, server = await served(tmp_path, page(1, '"/x?cursor=2"'), page(2, "null"))
    async with server:
        assert await api.pages("/x") == [1, 2]
    assert asked[1].startswith(b"GET /x?cursor=2 ")
