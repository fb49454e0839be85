"""The channel against a scripted peer on a real pty: line ends, echo, silence, late answers, cancellation."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fakes.modem_hosts import QUICK
from modembank.at import AtCommand, Markers, Urc, command, query
from modembank.modem import AtChannel, NoReply, PortLost, Timings, Transcript, Trouble
from modembank.port import PortConfig, open_port

Answer = Callable[[bytes], bytes | None]


class Peer:
    """Answers each line (ended by CR, ESC or Ctrl-Z) with what a function says; None is silence."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._line = b""
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def say(self, data: bytes) -> None:
        os.write(self._master, data)

    def close(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def _read(self) -> None:
        for octet in os.read(self._master, 4096):
            self._line += bytes([octet])
            if octet in b"\r\x1b\x1a":
                line, self._line = self._line, b""
                self.heard.append(line)
                said = self.answer(line)
                if said is not None:
                    self.say(said)


def obliging(line: bytes) -> bytes | None:
    """Answer as the plainest modem does."""
    if line == b"\x1b":
        return None
    if line.endswith(b"?\r"):
        return line[2:-2] + b": 1\r\nOK\r\n"
    return b"\r\nOK\r\n"


@asynccontextmanager
async def talking(answer: Answer) -> AsyncIterator[tuple[AtChannel, Peer, list[Urc]]]:
    peer, urcs = Peer(answer), []
    try:
        async with channel_to(peer, Markers(), urcs) as channel:
            yield channel, peer, urcs
    finally:
        peer.close()


@asynccontextmanager
async def channel_to(
    peer: Peer, markers: Markers, urcs: list[Urc], timings: Timings = QUICK
) -> AsyncIterator[AtChannel]:
    channel = AtChannel(timings, Transcript(lambda: 0), urcs.append, {}, markers)
    await channel.open(open_port, PortConfig(peer.path))
    try:
        yield channel
    finally:
        await channel.close()


@pytest.mark.parametrize("eol", [b"\r\n", b"\r", b"\n", b"\r\r\n"])
async def test_every_line_end(eol: bytes) -> None:
    def answer(line: bytes) -> bytes:
        return eol + b"+CSQ: 17,99" + eol + eol + b"OK" + eol

    async with talking(answer) as (channel, _, _):
        result = await channel.execute(AtCommand("AT+CSQ", prefix=("+CSQ:",)))
        assert (result.ok, result.lines) == (True, ("+CSQ: 17,99",))


async def test_echo_is_not_an_answer() -> None:
    async with talking(lambda line: line + (obliging(line) or b"")) as (channel, _, _):
        assert (await channel.execute(query("+CMGF"))).lines == ("+CMGF: 1",)


async def test_unsolicited_codes_inside_an_answer_go_their_own_way() -> None:
    def answer(line: bytes) -> bytes:
        return b'\r\n+CSQ: 17,99\r\n\r\n+CMTI: "SM",3\r\n\r\nRING\r\n\r\nOK\r\n'

    async with talking(answer) as (channel, _, urcs):
        result = await channel.execute(AtCommand("AT+CSQ", prefix=("+CSQ:",)))
        assert result.lines == ("+CSQ: 17,99",)
        assert [urc.name for urc in urcs] == ["+CMTI", "RING"]


async def test_what_was_asked_before_the_port_was_opened_again_proves_nothing() -> None:
    """A modem that wakes answers all that it was asked, in order: each command would get the answer before its own."""
    owed: deque[bytes] = deque()
    patient = QUICK.scaled(probe_s=2.0, probes=1, command_s=5.0)
    questions, wakes_at = 0, patient.probes + 1

    def remember(line: bytes) -> None:
        nonlocal questions
        questions += line.endswith(b"?\r")
        if (said := obliging(line)) is not None:
            owed.append(said)

    async def answer_slowly() -> None:
        while True:
            if owed and questions >= wakes_at:
                peer.say(owed.popleft())
            await asyncio.sleep(0.002)

    peer, markers = Peer(remember), Markers()
    answering = asyncio.create_task(answer_slowly())
    try:
        async with channel_to(peer, markers, [], patient) as channel:
            with pytest.raises(NoReply):
                await channel.resynchronise("AT")
        async with channel_to(peer, markers, [], patient) as channel:
            await channel.resynchronise("AT")
            for name in ("+CSQ", "+CGSN", "+CPMS"):
                assert (await channel.execute(query(name))).lines == (f"{name}: 1",)
    finally:
        answering.cancel()
        peer.close()


async def test_one_command_at_a_time() -> None:
    async with talking(obliging) as (channel, peer, _):
        names = [f"+C{letter}" for letter in "ABCDEFGH"]
        results = await asyncio.gather(*(channel.execute(query(name)) for name in names))
        assert [result.lines[0] for result in results] == [f"{name}: 1" for name in names]
        assert peer.heard == [f"AT{name}?\r".encode() for name in names]


async def test_silence_is_told_apart_from_a_slow_command() -> None:
    def answer(line: bytes) -> bytes | None:
        return None if line.startswith(b"AT+COPS") else obliging(line)

    async with talking(answer) as (channel, _, _):
        with pytest.raises(NoReply) as slow:
            await channel.execute(query("+COPS"))
        assert slow.value.trouble is None
        assert (await channel.execute(query("+CMGF"))).ok


async def test_nothing_at_all_is_silent() -> None:
    async with talking(lambda _line: None) as (channel, _, _):
        with pytest.raises(NoReply) as dead:
            await channel.execute(query("+CMGF"))
        assert dead.value.trouble is Trouble.SILENT


async def test_an_echo_alone_is_no_modem() -> None:
    async with talking(lambda line: line + b"\n") as (channel, _, _):
        with pytest.raises(NoReply) as mirror:
            await channel.execute(query("+CMGF"))
        assert mirror.value.trouble is Trouble.ECHO_ONLY


async def test_answers_to_the_wrong_command_are_confusion() -> None:
    async with talking(lambda _line: b"\r\nERROR\r\n") as (channel, _, _):
        with pytest.raises(NoReply) as confused:
            await channel.resynchronise("AT")
        assert confused.value.trouble is Trouble.CONFUSED


async def test_a_late_answer_is_never_the_next_commands() -> None:
    late: list[bytes] = []

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"AT+CSCA"):
            late.append(b'\r\n+CSCA: "+4917"\r\n\r\nOK\r\n')
            return None
        if late and line == b"AT\r":
            return late.pop() + b"\r\nOK\r\n"
        return obliging(line)

    async with talking(answer) as (channel, _, _):
        with pytest.raises(NoReply):
            await channel.execute(query("+CSCA"))
        assert (await channel.execute(query("+CMGF"))).lines == ("+CMGF: 1",)


async def test_never_ctrl_z_to_wake_a_modem() -> None:
    async with talking(lambda _line: None) as (channel, peer, _):
        with pytest.raises(NoReply):
            await channel.execute(query("+CMGF"))
        assert b"\x1a" not in b"".join(peer.heard)
        assert b"\x1b" in peer.heard


async def test_a_stray_prompt_is_left_with_escape() -> None:
    async with talking(obliging) as (channel, peer, _):
        peer.say(b"\r\n> ")
        async with asyncio.timeout(5):
            while b"\x1b" not in peer.heard:
                await asyncio.sleep(0.005)
        assert (await channel.execute(query("+CMGF"))).ok


async def test_a_cancelled_command_does_not_spoil_the_next() -> None:
    def answer(line: bytes) -> bytes | None:
        return None if line.startswith(b"AT+COPS") else obliging(line)

    async with talking(answer) as (channel, _, _):
        task = asyncio.create_task(channel.execute(query("+COPS")))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert channel.desynchronised
        assert (await channel.execute(query("+CMGF"))).lines == ("+CMGF: 1",)
        assert not channel.desynchronised


async def test_a_lost_port_ends_what_is_awaited() -> None:
    async with talking(lambda _line: None) as (channel, peer, _):
        task = asyncio.create_task(channel.execute(query("+CMGF")))
        await asyncio.sleep(0.02)
        peer.close()
        with pytest.raises(PortLost):
            await task
        with pytest.raises(PortLost):
            await channel.execute(command("+CSQ"))
        assert channel.lost.done()
