"""Connections for protocols other than HTTP: to the address that was checked, or a reason."""

import asyncio
import ipaddress

import pytest

from modembank.outgoing import AddressRefused, EndpointFailed, Why, dial, dialing


async def listening():
    def serve(_reader, writer):
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


def leads_to(*addresses):
    async def resolve(host, port):
        return tuple(ipaddress.ip_address(address) for address in addresses)

    return resolve


async def heard(made):
    made_heard = await asyncio.get_running_loop().sock_recv(made, 5)
    made.close()
    return made_heard


async def test_a_host_by_name_or_address_is_connected_to():
    server, port = await listening()
    for host in ("127.0.0.1", "localhost"):
        assert await heard(await dial(host, port, allow_private=True)) == b"hello"
    server.close()


async def test_the_next_address_is_tried_where_nothing_listens(monkeypatch):
    server, port = await listening()
    monkeypatch.setattr(dialing, "refusal", lambda address, allow_private: None)
    made = await dial("mail.test", port, allow_private=True, resolve=leads_to("127.0.0.2", "127.0.0.1"))
    assert made.getpeername()[0] == "127.0.0.1"
    assert await heard(made) == b"hello"
    server.close()
    await server.wait_closed()
    with pytest.raises(EndpointFailed) as caught:
        await dial("mail.test", port, allow_private=True, resolve=leads_to("127.0.0.1"))
    assert (caught.value.why, caught.value.reason) == (Why.REFUSED, f"nothing listens at mail.test:{port}")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "fd00::1", "::ffff:127.0.0.1"])
async def test_the_lan_and_the_box_are_for_those_who_were_allowed(host):
    with pytest.raises(AddressRefused, match="which only an admin can allow"):
        await dial(host, 25, allow_private=False)
    with pytest.raises(AddressRefused, match=r"mail\.test leads to"):
        await dial("mail.test", 25, allow_private=False, resolve=leads_to("192.0.43.8", host))


async def test_what_is_never_used_stays_so():
    with pytest.raises(AddressRefused, match="cloud"):
        await dial("169.254.169.254", 25, allow_private=True)


async def test_a_name_that_is_none_is_told():
    with pytest.raises(EndpointFailed) as caught:
        await dial("nobody.invalid", 25, allow_private=True)
    assert caught.value.why is Why.NAME


async def test_who_is_cancelled_leaves_nothing_open(monkeypatch):
    """The socket is closed: pytest would tell of one that is left over."""

    async def never(self, sock, address):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(type(asyncio.get_running_loop()), "sock_connect", never)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await dial("127.0.0.1", 25, allow_private=True)
