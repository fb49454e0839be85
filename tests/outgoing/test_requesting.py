"""Requests of any method: whether any of it can have left, and when the gate is asked."""

import asyncio
import ipaddress
import ssl

import pytest

from fakes.endpoints import certificate
from fakes.http_provider import (
    Gate,
    a_port_where_nothing_listens,
    drips,
    hangs_up,
    pours,
    provider,
    raw,
    resets,
    says,
    silent,
)
from modembank.outgoing import ANSWER_LIMIT, Ended, EndpointFailed, Request, Requester, Why
from modembank.outgoing.requesting import why_no_header


def leading_to(*addresses):
    async def resolve(host, port):
        return tuple(ipaddress.ip_address(one) for one in addresses)

    return resolve


async def ask(url, gate=None, requester=None, allow_private=True, connect_s=5.0, answer_s=5.0, **more) -> Ended:
    request = Request(**{"method": "POST", "url": url, "body": b"{}", **more})
    return await (requester or Requester()).request(
        request, gate or Gate(), allow_private=allow_private, connect_s=connect_s, answer_s=answer_s
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_a_request_is_made_as_it_is_given(method):
    body = None if method == "GET" else b"{}"
    gate = Gate()
    async with provider(says({"id": 1}, "201 Created", b"X-Kind: a")) as there:
        ended = await ask(there.url("/a?b=1"), gate, method=method, body=body, query="c=%20", headers={"X-Own": "é"})
    got = there.requests[0]
    assert (got.method, got.target, got.body) == (method, "/a?b=1&c=%20", body or b"")
    assert ("content-length" in got.headers) == (method != "GET")
    assert got.headers["host"] == f"127.0.0.1:{there.port}"
    assert (ended.began, ended.reply.status, ended.reply.body, ended.reply.headers["x-kind"]) == (
        True, 201, b'{"id": 1}', "a",
    )  # fmt: skip
    assert (ended.reply.cut, ended.reason, ended.why, gate.asked) == (False, "", None, 1)


async def test_a_query_is_added_to_an_address_without_one():
    async with provider(says()) as there:
        await ask(there.url("/a"), query="c=1")
    assert there.requests[0].target == "/a?c=1"


async def test_the_gate_is_asked_when_the_connection_stands_and_before_anything_is_written():
    seen = []

    async def look():
        seen.append((there.connections, len(there.requests)))

    async with provider(says()) as there:

        async def wait():
            async with asyncio.timeout(5):
                while not there.connections:
                    await asyncio.sleep(0)
            await look()

        gate = Gate(before=wait)
        await ask(there.url(), gate)
    assert seen == [(1, 0)]
    assert gate.asked == 1


async def test_a_gate_that_stays_shut_lets_nothing_out():
    gate = Gate(opens=False)
    async with provider(says()) as there:
        ended = await ask(there.url(), gate)
    assert (ended.began, ended.withdrawn, ended.reply) == (False, True, None)
    assert there.requests == []


async def test_a_slow_gate_is_not_cut_short():
    gate = Gate(before=lambda: asyncio.sleep(0.2))
    async with provider(says()) as there:
        ended = await ask(there.url(), gate, connect_s=0.1, answer_s=5)
    assert ended.reply.status == 200


async def test_a_gate_that_fails_is_told_to_the_caller_and_nothing_is_sent():
    async def fail():
        raise RuntimeError("the disk is full")

    async with provider(says()) as there:
        with pytest.raises(RuntimeError, match="the disk is full"):
            await ask(there.url(), Gate(before=fail))
    assert there.requests == []


async def test_nothing_left_when_nothing_listens():
    gate = Gate()
    ended = await ask(f"http://127.0.0.1:{a_port_where_nothing_listens()}/", gate)
    assert (ended.began, ended.why, ended.reply, gate.asked) == (False, Why.REFUSED, None, 0)


async def test_nothing_left_when_the_name_leads_nowhere():
    async def resolve(host, port):
        raise EndpointFailed(Why.NAME, f"there is no host named {host}")

    gate = Gate()
    ended = await ask("http://provider.example/", gate, Requester(resolve))
    assert (ended.began, ended.why, ended.reason) == (False, Why.NAME, "there is no host named provider.example")
    assert gate.asked == 0


async def test_nothing_left_when_the_look_up_takes_too_long():
    async def resolve(host, port):
        await asyncio.Event().wait()

    ended = await ask("http://provider.example/", requester=Requester(resolve), connect_s=0.05)
    assert (ended.began, ended.why, ended.reason) == (False, Why.TIMEOUT, "no connection within 0.05 seconds")


@pytest.mark.parametrize("inside", ["127.0.0.1", "192.168.8.1", "169.254.169.254"])
async def test_s11_nothing_left_for_a_name_that_leads_inside(inside):
    gate = Gate()
    requester = Requester(leading_to("8.8.8.8", inside))
    ended = await ask("http://provider.example/", gate, requester, allow_private=False)
    assert (ended.began, ended.why, gate.asked) == (False, None, 0)
    assert f"provider.example leads to {inside}" in ended.reason


async def test_nothing_left_where_the_certificate_is_not_trusted(tmp_path):
    cert, key = certificate(tmp_path, "provider.example")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    here = leading_to("127.0.0.1")
    gate = Gate()
    async with provider(says(), tls=serving) as there:
        url = f"https://provider.example:{there.port}/"
        ended = await ask(url, gate, Requester(here))
        assert (ended.began, ended.why, gate.asked) == (False, Why.TLS, 0)
        trusting = Requester(here, lambda: ssl.create_default_context(cafile=str(cert)))
        ended = await ask(url, gate, trusting)
        assert (ended.began, ended.reply.status, gate.asked) == (True, 200, 1)
    assert len(there.requests) == 1


async def test_nothing_left_when_the_handshake_never_ends():
    silent_end = asyncio.Event()

    async def wait(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        silent_end.set()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ended = await ask(f"https://127.0.0.1:{port}/", connect_s=0.1)
        await asyncio.wait_for(silent_end.wait(), 5)
    assert (ended.began, ended.why) == (False, Why.TIMEOUT)


@pytest.mark.parametrize("act", [hangs_up(), resets(), raw(b"220 mail.example ESMTP\r\n\r\n")])
async def test_everything_may_have_arrived_when_no_answer_comes(act):
    async with provider(act) as there:
        ended = await ask(there.url())
    assert (ended.began, ended.reply) == (True, None)
    assert ended.why in {Why.CLOSED, Why.PROTOCOL}
    assert ended.reason
    assert len(there.requests) == 1


async def test_a_silent_provider_is_given_up_after_its_time():
    async with provider(silent()) as there:
        ended = await ask(there.url(), answer_s=0.1)
    assert (ended.began, ended.why, ended.reply) == (True, Why.TIMEOUT, None)
    assert "within 0.1 seconds" in ended.reason


async def test_what_came_of_an_answer_is_kept_when_it_ends_too_early():
    async with provider(raw(b'HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{"id": "ab')) as there:
        ended = await ask(there.url())
    assert (ended.reply.status, ended.reply.body, ended.reply.cut, ended.why) == (202, b'{"id": "ab', True, Why.CLOSED)


async def test_an_answer_that_trickles_is_kept_as_far_as_it_came():
    async with provider(drips(b"HTTP/1.1 200 OK\r\n\r\n{")) as there:
        ended = await ask(there.url(), answer_s=0.2)
    assert (ended.reply.status, ended.reply.cut, ended.why) == (200, True, Why.TIMEOUT)
    assert ended.reply.body.startswith(b"{ ")


async def test_an_answer_without_end_is_cut():
    async with provider(pours()) as there:
        ended = await ask(there.url())
    assert (len(ended.reply.body), ended.reply.cut, ended.why) == (ANSWER_LIMIT, True, None)
    assert ended.reason == "the answer is longer than 64 KiB"


async def test_s11_a_redirect_is_an_answer_and_not_followed():
    async with provider(says()) as inner:
        where = f"Location: {inner.url()}".encode()
        async with provider(says(None, "307 Temporary Redirect", where)) as outer:
            ended = await ask(outer.url())
    assert (ended.reply.status, inner.connections) == (307, 0)


async def test_headers_that_would_break_the_request_are_refused():
    async with provider(says()) as there:
        for headers in ({"X-A": "a\r\nX-B: b"}, {"X A": "a"}, {"X-A": "€"}):
            ended = await ask(there.url(), headers=headers)
            assert not ended.began
            assert "header" in ended.reason
    assert there.connections == 0
    assert why_no_header("X-A", "\ttext é") is None
    assert why_no_header("", "") is not None


async def test_a_cancelled_request_leaves_no_connection_open():
    gone = asyncio.Event()

    async def act(talk):
        await talk.reader.read()
        gone.set()

    async with provider(act) as there:
        task = asyncio.create_task(ask(there.url(), answer_s=30))
        async with asyncio.timeout(5):
            while not there.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone.wait()
