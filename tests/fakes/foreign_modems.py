"""A small AT modem written from 3GPP TS 27.005, 27.007 and ITU-T V.250 alone: nothing of the emulator, nothing of ours.

It owns a pseudo-terminal and one SIM. What it says to single commands can be replaced, so that it also plays what was
recorded from real makes.
"""

import asyncio
import os
import pty
import tty
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

SMSC = "07915155990900F0"
_NUMERIC = {"OK": "0", "ERROR": "4"}


@dataclass(frozen=True)
class Manners:
    """How one modem differs. ``answers``: command line to its lines, the final result last.

    A list of answers is given one after the other, the last one for ever; an empty answer is silence.
    """

    eol: str = "\r\n"
    echo: bool = True
    numeric: bool = False
    """Result codes are numbers until ATV1."""
    stubborn: bool = False
    """Takes neither ATE0 nor ATV1."""
    lacks: frozenset[str] = frozenset()
    """Commands answered ERROR."""
    answers: Mapping[str, tuple[str, ...] | list[tuple[str, ...]]] = field(default_factory=dict)
    memory: str = "SM"
    imei: str = "356938035643809"
    iccid: str = "8944500001020304056"
    imsi: str = "234150999999999"


class ForeignModem:
    """Open it with ``foreign``; ``path`` is its terminal."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._slave = slave
        self.path = Path(os.ttyname(slave))
        self.echo, self.verbose = manners.echo, not manners.numeric
        self.csms, self.cnmi = 0, (0, 0, 0, 0, 0)
        self.slots: dict[int, str] = {}
        self.sent: list[str] = []
        self.heard: list[str] = []
        self.acknowledged = 0
        self._line = bytearray()
        self._entering = False
        self._reference = 0

    def open(self) -> None:
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def deliver(self, pdu: str) -> None:
        """A message comes from the network."""
        if self.cnmi[1] == 2:
            self._print(f"+CMT: ,{len(pdu) // 2 - 8}", pdu)
            return
        place = next(number for number in range(1, 100) if number not in self.slots)
        self.slots[place] = pdu
        if self.cnmi[1] == 1:
            self._print(f'+CMTI: "{self.manners.memory}",{place}')

    def report(self, pdu: str) -> None:
        """A delivery report comes from the network."""
        if self.cnmi[3] == 1:
            self._print(f"+CDS: {len(pdu) // 2 - 8}", pdu)

    def say(self, *lines: str) -> None:
        """Print unsolicited lines."""
        self._print(*lines)

    # -- the line

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:
            return
        for octet in data:
            self._octet(octet)

    def _octet(self, octet: int) -> None:
        if self.echo and octet not in {0x1A, 0x1B}:
            os.write(self._master, bytes([octet]))
        if self._entering:
            self._enter(octet)
        elif octet == 0x0D:
            line, self._line = self._line.decode("ascii", "replace").strip(), bytearray()
            if line:
                self._command(line)
        elif octet not in {0x0A, 0x1A, 0x1B}:
            self._line.append(octet)

    def _enter(self, octet: int) -> None:
        if octet == 0x1B:
            self._entering, self._line = False, bytearray()
            self._result("OK")
        elif octet == 0x1A:
            pdu, self._line, self._entering = self._line.decode("ascii").strip(), bytearray(), False
            self.sent.append(pdu)
            self._reference = (self._reference + 1) % 256
            self._answer(f"+CMGS: {self._reference}", "OK")
        else:
            self._line.append(octet)

    def _command(self, line: str) -> None:
        self.heard.append(line)
        name = line[2:].partition("=")[0].rstrip("?")
        if line in self.manners.answers:
            self._answer(*self._recorded(self.manners.answers[line], self.heard.count(line)))
        elif name in self.manners.lacks or not line.startswith("AT"):
            self._result("ERROR")
        elif line.startswith("AT+CMGS="):
            self._entering = True
            self._write(f"{self.manners.eol}> ")
        else:
            self._answer(*self._obey(line, name))

    def _recorded(self, answer: tuple[str, ...] | list[tuple[str, ...]], times: int) -> tuple[str, ...]:
        return answer if isinstance(answer, tuple) else answer[min(times, len(answer)) - 1]

    def _obey(self, line: str, name: str) -> tuple[str, ...]:
        asks, _, given = line.endswith("?"), *line.partition("=")[1:]
        if line in {"ATE0", "ATV1"}:
            return self._form(line)
        if name == "+CNMI" and not asks:
            self.cnmi = tuple(int(value) for value in given.split(","))
            return ("OK",)
        if name == "+CSMS" and not asks:
            self.csms = int(given)
            return ("+CSMS: 1,1,1", "OK")
        if name == "+CNMA":
            if given == "2":
                return ("+CMS ERROR: 340",)  # nothing waits for an answer
            self.acknowledged += 1
            return ("OK",)
        if name in {"+CMGR", "+CMGD", "+CMGL"}:
            return self._memory(name, given)
        if line in {"AT", "AT+CMEE=1", "AT+CMGF=0", "AT+CREG=2", "AT+CMMS=2", "AT+CHUP", "ATH"} or name == "+CPMS":
            return self._fill(asks=line.endswith("?"), test=line.endswith("=?")) if name == "+CPMS" else ("OK",)
        return self._tell(line)

    def _form(self, line: str) -> tuple[str, ...]:
        if self.manners.stubborn:
            return ("ERROR",)
        self.echo = self.echo and line != "ATE0"
        self.verbose = self.verbose or line == "ATV1"
        return ("OK",)

    def _memory(self, name: str, given: str) -> tuple[str, ...]:
        if name == "+CMGL":
            entries = [(f"+CMGL: {n},0,,{len(pdu) // 2 - 8}", pdu) for n, pdu in sorted(self.slots.items())]
            return (*(line for entry in entries for line in entry), "OK")
        place = int(given.partition(",")[0])
        pdu = self.slots.get(place)
        if name == "+CMGD":
            self.slots.pop(place, None)
            return ("OK",)
        return ("OK",) if pdu is None else (f"+CMGR: 0,,{len(pdu) // 2 - 8}", pdu, "OK")

    def _fill(self, *, asks: bool, test: bool) -> tuple[str, ...]:
        name, used = self.manners.memory, len(self.slots)
        if test:
            return (f'+CPMS: ("{name}"),("{name}"),("{name}")', "OK")
        each = f'"{name}",{used},30' if asks else f"{used},30"
        return ("+CPMS: " + ",".join([each] * 3), "OK")

    def _tell(self, line: str) -> tuple[str, ...]:
        manners = self.manners
        told = {
            "AT+CGMI": "Foreign",
            "AT+CGMM": "F-1",
            "AT+CGMR": "1.0",
            "AT+CGSN": manners.imei,
            "AT+CIMI": manners.imsi,
            "AT+CCID": f"+CCID: {manners.iccid}",
            "AT+CPIN?": "+CPIN: READY",
            "AT+CFUN?": "+CFUN: 1",
            "AT+CSCA?": '+CSCA: "+15559990000",145',
            "AT+CREG?": "+CREG: 2,1",
            "AT+CSQ": "+CSQ: 20,99",
            "AT+COPS?": '+COPS: 0,0,"Foreign Net"',
            "AT+CMEE?": "+CMEE: 1",
            "AT+CMGF?": "+CMGF: 0",
            "AT+CSCS?": '+CSCS: "GSM"',
            "AT+CSMS?": f"+CSMS: {self.csms},1,1,1",
            "AT+IPR?": "+IPR: 0",
            "AT+CNMI?": "+CNMI: " + ",".join(map(str, self.cnmi)),
            "AT+CNMI=?": "+CNMI: (0-2),(0-2),(0,2),(0,1),(0)",
            "AT+CMMS=?": "+CMMS: (0-2)",
        }
        return (told[line], "OK") if line in told else ("ERROR",)

    # -- what it says

    def _answer(self, *lines: str) -> None:
        eol = self.manners.eol
        if not lines:
            return
        for line in lines[:-1]:
            self._write(f"{line}{eol}" if not self.verbose else f"{eol}{line}{eol}")
        self._result(lines[-1])

    def _result(self, final: str) -> None:
        eol = self.manners.eol
        self._write(f"{eol}{final}{eol}" if self.verbose else f"{_NUMERIC.get(final, final)}\r")

    def _print(self, *lines: str) -> None:
        eol = self.manners.eol
        self._write("".join(f"{eol}{line}" for line in lines) + eol)

    def _write(self, text: str) -> None:
        os.write(self._master, text.encode("latin-1"))


@asynccontextmanager
async def foreign(manners: Manners = Manners()):
    """A modem that listens."""
    modem = ForeignModem(manners)
    modem.open()
    try:
        yield modem
    finally:
        modem.close()


def read_submit(pdu: str) -> tuple[str, str]:
    """Recipient and text of a SUBMIT in the default alphabet without a header (3GPP TS 23.040 9.2.2.2)."""
    octets = bytes.fromhex(pdu)
    octets = octets[1 + octets[0] :]
    first, digits = octets[0], octets[2]
    end = 4 + (digits + 1) // 2
    swapped = "".join(f"{octet & 15:X}{octet >> 4:X}" for octet in octets[4:end])[:digits]
    plus = "+" if octets[3] & 0x70 == 0x10 else ""
    end += 2 + {0: 0, 0x10: 1, 0x08: 7, 0x18: 7}[first & 0x18]
    bits = int.from_bytes(octets[end + 1 :], "little")
    return plus + swapped, "".join(chr(bits >> 7 * place & 127) for place in range(octets[end]))


def status_report(reference: int, number: str) -> str:
    """A report that all is well (3GPP TS 23.040 9.2.2.3)."""
    digits = number.removeprefix("+")
    padded = digits + "F" * (len(digits) % 2)
    swapped = "".join(padded[place + 1] + padded[place] for place in range(0, len(padded), 2))
    moment = "62112130542100"
    return f"{SMSC}06{reference:02X}{len(digits):02X}91{swapped}{moment}{moment}00"
