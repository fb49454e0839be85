"""A modem line under a hostile peer: channel and exchange against lies, and a whole modem lied to for a while."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fakes.foreign_modems import ForeignModem, Manners
from fakes.modem_hosts import CALM, Rig, go
from fuzz import seeds
from fuzz.at_targets import PDU
from fuzz.dice import Dice, records, script
from modembank.at import AtCommand, Urc, query
from modembank.modem import AtChannel, Transcript
from modembank.modem.outcome import AttemptOutcome
from modembank.modem.sending import Exchange, SendMemory
from modembank.modem.troubles import ChannelError
from modembank.port import PortConfig, open_port

SWIFT = CALM.scaled(
    prompt_s=0.02, final_s=0.03, escape_s=0.01, command_s=0.02, probe_s=0.02, probes=2, quiet_scale=0.005
)
PATIENT = CALM.scaled(command_s=10.0, probe_s=3.0)
"""For what a decent modem must answer, however busy the machine is."""
SENDING = AtCommand("AT+CMGS=22", prefix=("+CMGS:",), payload=PDU)
ASKED = (query("+CREG"), AtCommand("AT+CGMI", bare=True), SENDING, query("+CPMS"))
WITHIN_S = 60.0


class HostilePeer:
    """Says a record for each line it hears: before, after, or instead of what a decent modem would say."""

    def __init__(self, said: Iterator[Dice]) -> None:
        self._said = said
        self.honest = False
        self.greedy = False
        self.heard: list[bytes] = []
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._line = b""
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _read(self) -> None:
        for octet in os.read(self._master, 4096):
            self._line += bytes([octet])
            if octet in b"\r\x1b\x1a":
                line, self._line = self._line, b""
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        self.heard.append(line)
        decent = _decent(line)
        dice = None if self.honest else next(self._said, None)
        if dice is None:
            self._say(decent)
            return
        how = dice.octet()
        self.greedy, how, noise = how > 127, how % 4, dice.rest()
        self._say((noise + decent, decent + noise, noise, decent[: len(decent) // 2] + noise + decent)[how])

    def _say(self, data: bytes) -> None:
        try:
            os.write(self._master, data)
        except BlockingIOError:  # nobody reads: then nobody is lied to
            return


def _decent(line: bytes) -> bytes:
    if line == b"\x1b":
        return b""
    if line.startswith(b"AT+CMGS="):
        return b"\r\n> "
    if line.endswith(b"\x1a"):
        return b"\r\n+CMGS: 7\r\n\r\nOK\r\n"
    if line.endswith(b"?\r"):
        return b"\r\n" + line[2:-2] + b": 1\r\n\r\nOK\r\n"
    return b"\r\nOK\r\n"


async def _exchange(channel: AtChannel, peer: HostilePeer) -> None:
    """One attempt, as the dispatcher makes it. What it says of Ctrl-Z is what the peer saw of it."""
    exchange = Exchange(channel, SWIFT, SendMemory(keeps_link=True), go, more_follow=peer.greedy)
    result = await exchange.run(PDU, 22)
    given = any(line.endswith(b"\x1a") for line in peer.heard)
    if result.outcome is AttemptOutcome.NOT_SENT:
        assert not given, "it was given to the modem, and would be sent twice"
        assert not exchange.beyond_recall
    else:
        assert exchange.beyond_recall
        await _heard(peer, channel)
    if result.outcome is AttemptOutcome.ACCEPTED:
        assert result.tp_mr is None or 0 <= result.tp_mr <= 255
    else:
        assert result.cause is not None
    assert [line for line in peer.heard if line.endswith(b"\x1a")] in ([], [PDU.encode() + b"\x1a"]), "as it was, once"


async def _heard(peer: HostilePeer, channel: AtChannel) -> None:
    """Written octets arrive, unless the port is gone."""
    async with asyncio.timeout(WITHIN_S):
        while not any(line.endswith(b"\x1a") for line in peer.heard) and not channel.lost.done():
            await asyncio.sleep(0.001)


async def _under_lies(said: Iterator[Dice]) -> None:
    urcs: list[Urc] = []
    channel = AtChannel(SWIFT, Transcript(lambda: 0), urcs.append, {})
    peer = HostilePeer(said)
    try:
        await channel.open(open_port, PortConfig(peer.path))
        for command in ASKED:
            try:
                async with asyncio.timeout(WITHIN_S):
                    await (_exchange(channel, peer) if command is SENDING else channel.execute(command))
            except ChannelError:  # the one way in which a dialogue may fail
                continue
        await channel.close()
        await _honest_again(peer)
    finally:
        await channel.close()
        peer.close()


async def _honest_again(peer: HostilePeer) -> None:
    """The port that was lied on can be opened once more, and a decent modem behind it is understood."""
    peer.honest = True
    channel = AtChannel(PATIENT, Transcript(lambda: 0), lambda urc: None, {})
    await channel.open(open_port, PortConfig(peer.path))
    try:
        async with asyncio.timeout(WITHIN_S):
            for _ in range(5):
                try:
                    await channel.resynchronise("AT")
                    break
                except ChannelError:
                    continue
            answer = await channel.execute(query("+CSCA"))
        assert answer.lines == ("+CSCA: 1",), answer
    finally:
        await channel.close()


@contextmanager
def channel() -> Iterator[Callable[[bytes], None]]:
    """Records are what the peer says to one line after the other."""
    with asyncio.Runner() as runner:
        yield lambda octets: runner.run(_under_lies(records(octets)))


def channel_seeds() -> list[bytes]:
    """Recorded answers at every place in an answer; silence; prompts and finals nobody asked for."""
    recorded = [received for _, received in seeds.turns()]
    found = [script(*(bytes([place % 4]) + said for place, said in enumerate(recorded[start : start + 4])))
             for start in range(0, len(recorded), 4)]  # fmt: skip
    return [*found, script(b"\x02"), script(b"\x02", b"\x02"), b"\x00\r\n> ", script(b"\x01", b"\x01OK\r\n> > "),
            script(b"\x00", b"\x00", b"\x02\r\n>", b"\x02+CMS ERROR: 500\r\n", b"\x01\r\nOK\r\n")]  # fmt: skip


class LyingModem(ForeignModem):
    """A decent modem behind a line that adds, and takes away, as a script says; honest once the script is over."""

    def __init__(self, said: Iterator[Dice]) -> None:
        super().__init__(Manners(echo=False))
        self._said = said

    def _write(self, text: str) -> None:
        dice = next(self._said, None)
        if dice is None:
            super()._write(text)
            return
        how, noise = dice.octet() % 4, dice.rest().decode("latin-1")
        super()._write((noise + text, text + noise, noise, text[: len(text) // 2] + noise + text)[how])

    def _readable(self) -> None:
        try:
            super()._readable()
        except (BlockingIOError, UnicodeDecodeError, ValueError):  # the fake's own limits: a modem that ignores a line
            self._line = bytearray()


async def _lied_to(said: Iterator[Dice]) -> None:
    peer = LyingModem(said)
    peer.open()
    rig = Rig(peer, SWIFT.scaled(command_s=0.05, probe_s=0.05, not_ready_s=0.005, quarantine_s=0.05))  # type: ignore[arg-type]
    await rig.start()
    assert rig.task is not None
    try:
        registered = asyncio.create_task(rig.reach(timeout_s=WITHIN_S))
        await asyncio.wait([registered, rig.task], return_when=asyncio.FIRST_COMPLETED)
        assert not rig.task.done(), rig.task
        await registered
    finally:
        await rig.stop()
        peer.close()


@contextmanager
def modem_line() -> Iterator[Callable[[bytes], None]]:
    """Records are added to what the modem says, in order; its worker must not end, and must come to terms with it."""
    with asyncio.Runner() as runner:
        yield lambda octets: runner.run(_lied_to(records(octets)))


def line_seeds() -> list[bytes]:
    """Lies told during start-up: strange identities, numbers and finals."""
    return [
        b"",
        script(*(bytes([0]) + line + b"\r\n" for line in seeds.lines()[:20])),
        script(*(bytes([2]) + line + b"\r\n\r\nOK\r\n" for line in seeds.lines()[20:40])),
        script(b"\x02\r\nERROR\r\n", b"\x02\r\n+CME ERROR: 13\r\n", b"\x02\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n"),
        script(*(b"\x00^SYSSTART\r\n" for _ in range(3))),
        script(*(b'\x01\r\n+CREG: 99999999999,"FFFFFFFFFFFFFFFF"\r\n' for _ in range(12))),
    ]
