"""Whatever the wire does to a send, the message is accepted once or the caller knows: a real box behind a relay."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest

from fakes.client_kinds import QUICK, Either, Served
from fakes.cut_lines import Fault, cut_line
from modembank.client import InvalidRequest, Unreachable

TO = "+447900900123"
LOST = (Fault.CUT_ANSWER, Fault.HALF_ANSWER, Fault.SILENCE)
NEVER_CAME = (Fault.HANG_UP, Fault.RESET)


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME], ids=lambda fault: fault.name.lower())
async def test_a_send_whose_answer_is_lost_is_tried_again_and_stored_once(
    kind: str, served: Served, fault: Fault
) -> None:
    async with cut_line(served.address, fault, fault) as line:
        client = Either(kind, line.url, served.key, timeout_s=0.3)
        receipt = await client("send", TO, "only once")
        await client.close()
    assert line.connections == 3
    assert line.delivered == (1 if fault in NEVER_CAME else 3)
    assert await served.stored() == 1
    assert (await served.box.client(served.key).get(f"/api/v1/messages/{receipt.id}")).json()["text"] == "only once"


async def test_any_two_faults_in_a_row_never_send_twice(served: Served) -> None:
    pairs = list(itertools.product([*LOST, *NEVER_CAME], repeat=2))
    for pair in pairs:
        async with cut_line(served.address, *pair) as line:
            client = Either("async", line.url, served.key, timeout_s=0.1)
            assert (await client("send", [TO, "+447900900124"], "twice never")).batch
            await client.close()
    assert await served.stored() == 2 * len(pairs)


async def test_when_all_tries_are_lost_the_key_of_the_error_goes_on_where_it_was(kind: str, served: Served) -> None:
    async with cut_line(served.address, *[Fault.CUT_ANSWER] * QUICK.tries) as line:
        client = Either(kind, line.url, served.key)
        with pytest.raises(Unreachable) as lost:
            await client("send", TO, "x")
        assert lost.value.maybe_done
        assert lost.value.idempotency_key is not None
        assert await served.stored() == 1
        receipt = await client("send", TO, "x", idempotency_key=lost.value.idempotency_key)
        assert receipt.status == "queued"
        with pytest.raises(InvalidRequest, match="used before with another body"):
            await client("send", TO, "y", idempotency_key=lost.value.idempotency_key)
        await client.close()
    assert await served.stored() == 1


async def test_a_cancellation_is_tried_again_and_is_one(kind: str, served: Served) -> None:
    async with cut_line(served.address, Fault.NONE) as line:
        client = Either(kind, line.url, served.key, timeout_s=0.3)
        id_ = (await client("send", TO, "x")).id
        line.faults[:] = [Fault.CUT_ANSWER, Fault.SILENCE]
        await client.close()
        client = Either(kind, line.url, served.key, timeout_s=0.3)
        assert (await client("cancel", id_)).status == "cancelled"
        await client.close()
    assert line.delivered == 4


async def test_what_cannot_be_repeated_is_left_to_the_caller(kind: str, served: Served) -> None:
    """A webhook made twice would be two."""
    async with cut_line(served.address, Fault.CUT_ANSWER) as line:
        client = Either(kind, line.url, served.key)
        with pytest.raises(Unreachable) as lost:
            await client("add_webhook", "https://shop.example.com/sms", ["message.*"])
        assert lost.value.maybe_done
        await client.close()
    assert line.connections == 1


async def test_reading_is_tried_again_whatever_happens(kind: str, served: Served) -> None:
    async with cut_line(served.address, *LOST[:2], *NEVER_CAME) as line:
        client = Either(kind, line.url, served.key)
        assert await client.list("messages") == []
        await client.close()
    assert line.connections == 5


async def test_a_box_that_is_not_there_is_told_within_the_tries(kind: str, served: Served) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = Either(kind, f"http://127.0.0.1:{nobody.getsockname()[1]}", served.key)
        with pytest.raises(Unreachable, match="it was not received") as lost:
            await client("send", TO, "x")
        assert not lost.value.maybe_done
        await client.close()


async def test_a_box_that_comes_back_gets_the_message(kind: str, served: Served) -> None:
    """The relay's port refuses at first: as a box that is started again does."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    client = Either(
        kind, f"http://127.0.0.1:{port}", served.key, retry=type(QUICK)(tries=200, first_s=0.02, most_s=0.05)
    )
    sending = asyncio.ensure_future(client("send", TO, "x"))
    done, _ = await asyncio.wait([sending], timeout=0.05)
    assert not done
    async with cut_line(served.address) as line:
        server = await asyncio.start_server(line.serve, "127.0.0.1", port)
        assert (await sending).status == "queued"
        await client.close()
        server.close()
        await server.wait_closed()
    assert await served.stored() == 1
