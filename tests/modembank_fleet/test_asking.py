"""What a box makes of whoever answers where its hub should be: servers that are another, broken, slow, or too much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl

import pytest

from fakes.brokers import free_port
from modembank_fleet import asking, credentials
from modembank_fleet.asking import HubAway, HubRefuses
from modembank_fleet.authority import new_authority, new_server_key, pem_of, read_request, write_private
from modembank_fleet.wire.enrolment import EnrolRequest

CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ANSWER = {
    "v": 1,
    "site": "kiel",
    "box": "b1",
    "certificate": CA,
    "renew_before_s": 60.0,
    "authority": CA,
    "broker_ca": CA,
    "brokers": ["mqtts://hub:8883"],
    "hub_keys": [{"kid": "h1", "public": "A" * 43 + "="}],
}
PROBLEM = {"error_code": "FORBIDDEN", "detail": "the token was used", "details": {"code": "token_used", "why": "x"}}


class Server:
    """Answers on TLS whatever it is told to."""

    def __init__(self, folder, authority, names=("127.0.0.1",)):
        self.key = new_server_key()
        self.certificate, self.private = folder / "server.crt", folder / "server.key"
        write_private(self.private, self.key)
        self.certificate.write_bytes(authority.certify_server(self.key, list(names), 1))
        self.status, self.body, self.heard = 200, b"", b""
        self.stalls = False

    async def __aenter__(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.private)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.address = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            self.heard += head + await reader.readexactly(length)
            if self.stalls:
                await asyncio.sleep(60)
            writer.write(b"HTTP/1.1 %d X\r\nconnection: close\r\n\r\n" % self.status)
            for at in range(0, len(self.body), 4096):
                writer.write(self.body[at : at + 4096])
                await writer.drain()
        writer.close()


@pytest.fixture
def authority():
    return new_authority("Test fleet")[0]


@pytest.fixture
async def server(tmp_path, authority):
    async with Server(tmp_path, authority) as running:
        running.body = authority.pem
        yield running


def wanted():
    return EnrolRequest(token="0" * 32, csr=credentials.request(credentials.new_key(), "b1"), box="b1")


async def enrols(server, authority):
    return await asking.enrol(server.address, authority.pem.decode(), wanted())


# -- whom to believe


async def test_the_authority_with_the_fingerprint_is_believed(server, authority):
    assert await asking.authority(server.address, authority.fingerprint) == authority.pem.decode()


async def test_another_authority_is_not_and_hears_no_token(server, authority):
    with pytest.raises(HubAway, match="another authority"):
        await asking.authority(server.address, new_authority("Test fleet")[0].fingerprint)
    assert b"0" * 32 not in server.heard


async def test_who_passes_the_authority_on_but_is_not_of_it_hears_no_token(tmp_path, authority):
    """Everybody can show the certificate of an authority; only who has a certificate of it is the hub."""
    async with Server(tmp_path, new_authority("Test fleet")[0]) as middle:
        middle.body = authority.pem
        trusted = await asking.authority(middle.address, authority.fingerprint)
        heard = middle.heard
        with pytest.raises(HubAway, match=r"cannot be reached.*(CERTIFICATE_VERIFY_FAILED|certificate verify failed)"):
            await asking.enrol(middle.address, trusted, wanted())
        assert middle.heard == heard


async def test_a_box_of_the_fleet_cannot_pose_as_its_hub(tmp_path, authority):
    """Its certificate is of the same authority, but for clients."""
    box, key = Server(tmp_path, authority), credentials.new_key()
    write_private(box.private, key)
    request = read_request(credentials.request(key, "b1"))
    box.certificate.write_text(pem_of(authority.certify_box(request, "127.0.0.1", 1)))
    async with box:
        with pytest.raises(HubAway, match="cannot be reached"):
            await enrols(box, authority)
        assert box.heard == b""


async def test_a_server_of_the_fleet_for_another_name_is_not_the_hub(tmp_path, authority):
    async with Server(tmp_path, authority, ["10.9.9.9"]) as other:
        with pytest.raises(HubAway, match="cannot be reached"):
            await enrols(other, authority)
        assert other.heard == b""


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"nothing", "there is no hub at .* .HTTP 404."),
        (200, b"<html>Please log in</html>", "shows no certificate of an authority"),
        (200, b"\xff\xfe", "shows no certificate of an authority"),
        (200, b"x" * 200_000, "answers without end"),
        (302, b"", "HTTP 302"),
    ],
)
async def test_who_is_no_hub_is_said_so(server, authority, status, body, words):
    server.status, server.body = status, body
    with pytest.raises(HubAway, match=words):
        await asking.authority(server.address, authority.fingerprint)


async def test_nobody_there_is_said_so(authority):
    with pytest.raises(HubAway, match="cannot be reached"):
        await asking.authority(f"https://127.0.0.1:{free_port()}", authority.fingerprint)
    with pytest.raises(HubAway, match="cannot be reached"):
        await asking.authority("https://no-such-host.invalid", authority.fingerprint)


async def test_who_speaks_no_tls_is_no_hub(authority):
    async def plain(reader, writer):
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(HubAway, match="cannot be reached"):
        await asking.authority(address, authority.fingerprint)
    server.close()


async def test_who_says_nothing_is_given_up(server, authority, monkeypatch):
    monkeypatch.setattr(asking, "WITHIN_S", 0.3)
    server.stalls = True
    with pytest.raises(HubAway, match=r"does not answer within|cannot be reached"):
        await asking.authority(server.address, authority.fingerprint)


async def test_no_proxy_of_the_surroundings_is_asked(server, authority, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert await asking.authority(server.address, authority.fingerprint)


# -- what it answers


async def test_an_answer_is_taken(server, authority):
    server.body = json.dumps(ANSWER | {"later": "more"}).encode()
    said = await enrols(server, authority)
    assert (said.site, said.box, said.brokers) == ("kiel", "b1", ["mqtts://hub:8883"])
    assert b"POST /enrol/v1/certificates" in server.heard


@pytest.mark.parametrize(
    "change",
    [
        {"site": "Kiel"},
        {"site": ""},
        {"box": "a/b"},
        {"box": "+"},
        {"brokers": []},
        {"brokers": ["http://hub"]},
        {"brokers": ["mqtts://hub/path"]},
        {"brokers": ["mqtts://h"] * 9},
        {"certificate": ""},
        {"certificate": "x" * 10_000},
        {"hub_keys": [{"kid": "h1", "public": "short"}]},
        {"hub_keys": [{"kid": "h 1", "public": "A" * 43 + "="}]},
        {"renew_before_s": -1},
        {"renew_before_s": "soon"},
        {"authority": None},
    ],
)
async def test_an_answer_that_is_none_is_not_taken(server, authority, change):
    server.body = json.dumps(ANSWER | change).encode()
    with pytest.raises(HubAway, match=r"the answer of .* cannot be used"):
        await enrols(server, authority)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"v":', b"\x00" * 10])
async def test_nonsense_is_not_taken(server, authority, body):
    server.body = body
    with pytest.raises(HubAway, match="cannot be used"):
        await enrols(server, authority)


async def test_a_refusal_is_one(server, authority):
    server.status, server.body = 403, json.dumps(PROBLEM).encode()
    with pytest.raises(HubRefuses, match="the token was used") as caught:
        await enrols(server, authority)
    assert caught.value.code == "token_used"


async def test_what_is_wrong_with_a_request_is_one_too(server, authority):
    errors = [{"pointer": "/csr", "detail": "must have a key on the curve P-256"}]
    body = {"error_code": "INVALID_PAYLOAD", "detail": "x", "errors": errors}
    server.status, server.body = 422, json.dumps(body).encode()
    with pytest.raises(HubRefuses, match="/csr must have a key") as caught:
        await enrols(server, authority)
    assert caught.value.code == "invalid_payload"


@pytest.mark.parametrize(("status", "body"), [(403, b"<html>"), (422, b"{}"), (500, b""), (503, b"{}"), (401, b"{}")])
async def test_what_no_hub_says_is_tried_again(server, authority, status, body):
    """A portal or a proxy may forbid, too: only a hub's own words end it."""
    server.status, server.body = status, body
    with pytest.raises(HubAway, match=f"HTTP {status}"):
        await enrols(server, authority)


@pytest.mark.parametrize(("said", "after"), [(40, 40.0), (-1, 0.0), (10**9, 0.0), ("x", 0.0), (None, 0.0)])
async def test_a_hub_that_wants_to_be_left_alone_is(server, authority, said, after):
    body = {"error_code": "TOO_MANY_REQUESTS", "detail": "too many", "details": {"retry_after_s": said}}
    server.status, server.body = 429, json.dumps(body).encode()
    with pytest.raises(HubAway, match="too many") as caught:
        await enrols(server, authority)
    assert caught.value.after_s == after


async def test_an_authority_that_is_none_is_said_so(server):
    with pytest.raises(HubAway, match=r"authority of .* cannot be used"):
        await asking.enrol(server.address, "hello", wanted())
