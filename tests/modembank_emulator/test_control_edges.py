"""The control socket under bad manners, several clients, and its verbs one by one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modembank_emulator import Bank, BankConfig, ControlClient, ControlError, ControlServer
from modembank_emulator import pdu as tpdu
from modembank_emulator.control import STANDING, VERBS


class Served:
    def __init__(self, bank: Bank, path: Path) -> None:
        self.bank = bank
        self.path = path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    path = tmp_path / "control.sock"
    async with Bank(BankConfig(modems=3, dialect="generic")) as bank, ControlServer(bank, path):
        yield Served(bank, path)


def pdu_to(number: str, text: str = "hello", *, report: bool = True) -> tpdu.Submit:
    octets = tpdu.encode_submit(number, tpdu.encode_user_data(text), first_octet=0x21 if report else 0x01)
    return tpdu.decode_submit(octets)


def submit(bank: Bank, index: int, number: str, text: str = "hello") -> int:
    """A SUBMIT straight into the network, as the modem would hand it over."""
    message = pdu_to(number, text)
    octets = tpdu.encode_submit(number, message.data, first_octet=0x21)
    return bank.network.submit(bank.cards[index], message, octets.hex().upper()).mr


async def test_every_verb_answers_and_its_effect_is_seen(served: Served) -> None:
    bank = served.bank
    used = set()

    async with ControlClient(served.path) as client:

        async def ask(op: str, **details: Any) -> Any:
            used.add(op)
            return await client.request(op, **details)

        assert await ask("ledger") == await ask("ledger", which="reports") == []
        (pdu,) = await ask("inject", to=bank.cards[0].msisdn, text="hello", flash=True)
        assert tpdu.decode_user_data(bytes.fromhex(pdu)).dcs == 0x10
        assert len(await ask("ledger", which="inbound")) == 1
        assert await ask("fault", modem=0, kind="hang") is None
        assert await ask("plan", number="+4912345", plan="never") is None
        assert await ask("refuse", number="+4999", code=30) is None
        assert await ask("cell", up=False, modems=[2]) is None
        assert bank.modems[2].radio.stat == 2
        assert await ask("cell", up=True) is None
        assert await ask("unplug", modem=1) is None
        assert bank.modems[1].pts is None
        assert (await ask("replug", modem=1, sim="new"))["index"] == 1
        submit(bank, 0, "+4912345")
        assert await ask("advance", seconds=3600) is None
        assert await ask("ledger", which="reports") == []
        assert len(await ask("ledger", since=0)) == 1
        assert await ask("cmgs_began") == []
        assert (await ask("stats"))["submits"] == 1
        assert await ask("clear") is None
        assert (await ask("stats"))["submits"] == 0
    assert used == set(VERBS)


@pytest.mark.parametrize("kind", ["credit", "smsc", "pin"])
async def test_a_fault_of_a_card_that_is_not_there_is_refused(served: Served, kind: str) -> None:
    assert kind in STANDING
    async with ControlClient(served.path) as client:
        await client.fault(0, "remove_sim")
        with pytest.raises(ControlError):
            await client.fault(0, kind, credit=False, smsc="", pin="1")
        assert (await client.stats())["modems"][0]["iccid"] is None  # the connection lives


@pytest.mark.parametrize("line", [b"{", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"op": []}', b'{"op": "fly"}'])
async def test_a_line_that_is_no_request_is_refused_and_the_connection_lives(served: Served, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(served.path)
    writer.write(line + b'\n{"op": "stats"}\n')
    assert json.loads(await reader.readline())["ok"] is False
    assert json.loads(await reader.readline())["ok"] is True
    writer.close()


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("noise", {"chance": "often"}),
        ("noise", {"chance": 0.5, "what": "xyz"}),
        ("noise", {}),
        ("pace", {"size": "one", "interval": 0.1}),
        ("pace", {"size": 1}),
        ("registration", {"stat": 77}),
        ("remove_sim", {"code": "gone"}),
        ("cms_error", {"nth": "second"}),
    ],
)
async def test_a_fault_with_wrong_details_is_refused_and_does_nothing(
    served: Served, kind: str, details: dict[str, Any]
) -> None:
    async with ControlClient(served.path) as client:
        with pytest.raises(ControlError):
            await client.fault(0, kind, **details)
    modem = served.bank.modems[0]
    assert not modem.faults.noisy
    assert modem.faults.take("+CMGS") is None
    assert modem.sim is not None
    modem.urc("RING")  # output still works
    assert modem.terminal.sent > 0


async def test_a_reset_does_not_plug_a_modem_in(served: Served) -> None:
    async with ControlClient(served.path) as client:
        await client.unplug(0)
        await client.fault(0, "reset")
        await client.advance(10)
        modem = served.bank.modems[0]
        assert (modem.pts, modem.running, modem.path.exists()) == (None, False, False)
        assert (await client.replug(0))["pts"] is not None


async def test_two_clients_see_one_bank_and_neither_waits_for_the_other(served: Served) -> None:
    async with ControlClient(served.path) as first, ControlClient(served.path) as second:
        await first.unplug(0)
        boot = asyncio.create_task(first.replug(0))  # takes the time of a boot
        assert (await second.stats())["modems"][0]["pts"] is None
        assert (await boot)["pts"] is not None
        counts = await asyncio.gather(
            *(client.inject(f"+1555000000{n}", "x") for n in (1, 2, 3) for client in (first, second))
        )
        assert [len(pdus) for pdus in counts] == [1] * 6
        assert await first.ledger("inbound") == await second.ledger("inbound")


async def test_a_client_that_leaves_in_mid_request_harms_nobody(served: Served) -> None:
    for line in (b'{"op": "stats"', b'{"op": "stats"}\n', b""):
        _, writer = await asyncio.open_unix_connection(served.path)
        writer.write(line)
        writer.close()
        await writer.wait_closed()
    async with ControlClient(served.path) as client:
        assert len((await client.stats())["modems"]) == 3


async def test_a_line_beyond_all_bounds_ends_that_client_alone(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(served.path)
    filler = b"x" * (1 << 20)
    try:
        for _ in range(20):
            writer.write(filler)
            await writer.drain()
        assert await reader.read() == b""
    except ConnectionError:
        pass
    writer.close()
    async with ControlClient(served.path) as client:
        assert (await client.stats())["submits"] == 0


async def test_requests_are_answered_in_their_order(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(served.path)
    requests: list[Any] = [{"op": "stats"}, {"op": "what"}, 7, None, {"op": []}, {"no": "op"}, {"op": "cmgs_began"}]
    writer.writelines(json.dumps(request).encode() + b"\n" for request in requests)
    answers = [json.loads(await reader.readline()) for _ in requests]
    assert [answer["ok"] for answer in answers] == [True, False, False, False, False, False, True]
    assert all(answer["error"] for answer in answers if not answer["ok"])
    writer.close()
    await writer.wait_closed()


async def test_the_client_notices_that_the_bank_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with Bank(BankConfig(modems=1)) as bank:
        server = ControlServer(bank, path)
        await server.__aenter__()
        async with ControlClient(path) as client:
            await client.stats()
            await server.__aexit__(None, None, None)
            with pytest.raises(ConnectionError):
                await client.stats()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--modems", "0"], b"modems"),
        (["--modems", "-2"], b"modems"),
        (["--modems", "many"], b"modems"),
        (["--sim-slots", "0"], b"sim-slots"),
        (["--dialect", "nokia"], b"dialect"),
        (["--latency", "fixed:soon"], b"latency"),
        (["--latency", "lognormal"], b"latency"),
        (["--colour"], b"colour"),
    ],
)
async def test_arguments_that_make_no_sense(arguments: list[str], said: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modembank_emulator", *arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert said in errors.splitlines()[-1]
    assert b"Traceback" not in errors
