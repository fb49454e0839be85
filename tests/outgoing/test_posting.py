"""S11: one request to somebody's address, with real sockets: where it goes, what it takes, and what can go wrong."""

import asyncio
import ipaddress
import ssl
import subprocess
import sys
import zlib

import pytest

from fakes.endpoints import certificate, endpoint, ok
from modembank.outgoing import ANSWER_LIMIT, AddressRefused, EndpointFailed, Poster, Why, post
from modembank.outgoing.resolving import MOST_LOOKUPS, Resolver, look_up


class Names:
    """A name server of our own: each look-up of a name takes the next of its answers."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(rounds) for name, rounds in answers.items()}
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        rounds = self.answers[host]
        found = rounds.pop(0) if len(rounds) > 1 else rounds[0]
        return tuple(ipaddress.ip_address(text) for text in found)


async def test_a_post_arrives_as_it_was_given():
    async with endpoint(ok(b"thanks", b"X-Kind: a", b"x-kind: b")) as there:
        reply = await post(
            there.url("/hook?x=1"), b'{"a":1}', {"Content-Type": "application/json", "Host": "evil"}, allow_private=True
        )
    assert (reply.status, reply.body, reply.headers["x-kind"], reply.cut) == (200, b"thanks", "b", False)
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook?x=1 HTTP/1.1"
    assert body == b'{"a":1}'
    assert sorted(line.lower() for line in lines[1:]) == [
        b"accept-encoding: identity",
        b"connection: close",
        b"content-length: 7",
        b"content-type: application/json",
        b"host: 127.0.0.1:%d" % there.port,
        b"user-agent: modembank",
    ]


async def test_s11_a_name_is_looked_up_once_and_the_connection_goes_where_the_check_looked():
    names = Names(hook_example=[["127.0.0.1"], ["169.254.169.254"]])
    async with endpoint(ok()) as there:
        reply = await Poster(names).post(there.url(host="hook.example"), b"", {}, allow_private=True)
    assert reply.status == 200
    assert names.asked == ["hook.example"]
    assert b"host: hook.example:%d" % there.port in there.requests[0].lower()


async def test_s11_a_name_that_moves_to_the_inside_is_refused_when_it_does():
    names = Names(hook_example=[["8.8.8.8"], ["127.0.0.1"]])
    poster = Poster(names)
    async with endpoint(ok()) as there:
        with pytest.raises(EndpointFailed):  # the public address does not answer here
            await poster.post(there.url(host="hook.example"), b"", {}, allow_private=False, timeout_s=0.05)
        with pytest.raises(AddressRefused, match=r"hook\.example leads to 127\.0\.0\.1"):
            await poster.post(there.url(host="hook.example"), b"", {}, allow_private=False)
    assert there.connections == 0


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.168.8.1", "64:ff9b::7f00:1"])
async def test_s11_one_private_address_among_public_ones_is_enough_to_refuse(inside):
    names = Names(hook_example=[["8.8.8.8", inside], ["8.8.8.8", inside]])
    with pytest.raises(AddressRefused):
        await Poster(names).post("http://hook.example/", b"", {}, allow_private=False)


async def test_s11_the_metadata_service_is_refused_even_behind_a_name_and_for_admins():
    names = Names(hook_example=[["169.254.169.254"]])
    with pytest.raises(AddressRefused, match="metadata"):
        await Poster(names).post("http://hook.example/", b"", {}, allow_private=True)


async def test_s11_a_redirect_is_an_answer_and_not_followed():
    async with endpoint(ok()) as inner:
        where = b"Location: http://127.0.0.1:%d/" % inner.port
        async with endpoint(ok(b"", where, status=b"307 Temporary Redirect")) as outer:
            reply = await post(outer.url(), b"x", {}, allow_private=True)
    assert (reply.status, inner.connections, outer.connections) == (307, 0, 1)


async def test_s11_an_endless_answer_is_cut():
    async def pour(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(10_000):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with endpoint(pour) as there:
        reply = await post(there.url(), b"", {}, allow_private=True)
    assert (reply.status, len(reply.body), reply.cut) == (200, ANSWER_LIMIT, True)


async def test_s11_a_compressed_bomb_is_never_unpacked():
    bomb = zlib.compress(b"\0" * 20_000_000, 9)
    async with endpoint(ok(bomb, b"Content-Encoding: deflate")) as there:
        reply = await post(there.url(), b"", {}, allow_private=True)
    assert reply.body == bomb[:ANSWER_LIMIT]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_s11_an_answer_that_trickles_is_given_up_at_the_deadline(head):
    async def trickle(reader, writer):
        writer.write(head)
        for _ in range(1_000):
            writer.write(b"x: y\r\n"[:1] if not head else b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with endpoint(trickle) as there:
        with pytest.raises(EndpointFailed) as failed:
            await post(there.url(), b"", {}, allow_private=True, timeout_s=0.2)
    assert failed.value.why is Why.TIMEOUT
    assert "within 0.2 seconds" in failed.value.reason


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", Why.CLOSED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", Why.CLOSED),
        (b"220 mail.example ESMTP\r\n\r\n", Why.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, Why.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", Why.PROTOCOL),
    ],
)
async def test_an_answer_that_is_none_is_explained(answer, why):
    async with endpoint(answer) as there:
        with pytest.raises(EndpointFailed) as failed:
            await post(there.url(), b"", {}, allow_private=True)
    assert failed.value.why is why
    assert f"127.0.0.1:{there.port}" in failed.value.reason


async def test_an_endpoint_that_is_down_is_explained():
    async with endpoint(ok()) as there:
        pass
    with pytest.raises(EndpointFailed, match="nothing listens at 127") as failed:
        await post(there.url(), b"", {}, allow_private=True)
    assert failed.value.why is Why.REFUSED


async def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer():
    names = Names(hook_example=[["::1", "127.0.0.2", "127.0.0.1"]])
    async with endpoint(ok()) as there:
        assert (await Poster(names).post(there.url(host="hook.example"), b"", {}, allow_private=True)).status == 200


async def test_s11_encryption_is_verified_against_the_name(tmp_path):
    cert, key = certificate(tmp_path, "hook.example")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    names = Names(hook_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    trusting = Poster(names, lambda: ssl.create_default_context(cafile=str(cert)))
    async with endpoint(ok(b"sealed"), serving) as there:
        reply = await trusting.post(there.url(host="hook.example", scheme="https"), b"", {}, allow_private=True)
        assert reply.body == b"sealed"
        with pytest.raises(EndpointFailed, match=r"certificate of other\.example") as failed:
            await trusting.post(there.url(host="other.example", scheme="https"), b"", {}, allow_private=True)
        assert failed.value.why is Why.TLS
        with pytest.raises(EndpointFailed, match="not trusted"):
            await Poster(names).post(there.url(host="hook.example", scheme="https"), b"", {}, allow_private=True)


async def test_s11_no_plain_text_where_encryption_was_asked_for():
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(EndpointFailed, match="no encryption with") as failed:
            await post(f"https://127.0.0.1:{port}/", b"", {}, allow_private=True)
    assert failed.value.why is Why.TLS


async def test_a_handshake_that_is_given_up_leaves_no_socket_open():
    silent = asyncio.Event()

    async def wait(reader, writer):
        await reader.read()
        writer.close()
        silent.set()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(EndpointFailed, match="within"):
            await post(f"https://127.0.0.1:{port}/", b"", {}, allow_private=True, timeout_s=0.05)
        await asyncio.wait_for(silent.wait(), 5)


async def test_s11_the_environment_names_no_proxy(monkeypatch):
    async with endpoint(ok()) as proxy, endpoint(ok(b"direct")) as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await post(there.url(), b"", {}, allow_private=True)).body == b"direct"
    assert proxy.connections == 0


async def test_s11_a_refused_address_meets_no_socket():
    async with endpoint(ok()) as there:
        for host in ("127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "user@127.0.0.1"):
            with pytest.raises(AddressRefused):
                await post(there.url(host=host), b"", {}, allow_private=False)
    assert there.connections == 0


async def test_the_systems_names_are_looked_up_beside_the_loop():
    assert ipaddress.ip_address("127.0.0.1") in await Resolver()("localhost", 80)
    with pytest.raises(EndpointFailed) as failed:
        await Resolver()("no.such.name.invalid", 80)
    assert failed.value.why is Why.NAME


async def test_a_name_server_that_never_answers_holds_up_only_so_many(monkeypatch):
    import threading

    answer = threading.Event()
    monkeypatch.setattr(
        "modembank.outgoing.resolving.look_up", lambda host, port: answer.wait(10) and look_up(host, port)
    )
    resolver = Resolver()
    waiting = [asyncio.create_task(resolver("localhost", 80)) for _ in range(MOST_LOOKUPS)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    with pytest.raises(EndpointFailed, match="too many"):
        await resolver("localhost", 80)
    answer.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(one, tuple) for one in found[1:])
    assert await resolver("localhost", 80)


def test_a_box_that_sends_nothing_loads_no_client():
    code = (
        "import sys, modembank.outgoing; sys.exit(any(m in sys.modules for m in ('httpx', 'httpcore', 'h11', 'anyio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
