"""The control socket of a bank in another process: one JSON object a line in, one a line out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from modembank_emulator.at_line import AtError
from modembank_emulator.bank import Bank, describe
from modembank_emulator.faults import FLOOD, NULS, URC_NOISE, Ending, Mute
from modembank_emulator.modem import EmulatedModem

_LINE_LIMIT = 1 << 24
Request = dict[str, Any]
Verb = Callable[[Bank, Request], Any]


class ControlServer:
    """Async context manager that serves `bank` on a unix socket.

    A request is {"op": NAME, ...}; the answer is {"ok": true, "value": ...} or {"ok": false, "error": TEXT}.
    """

    def __init__(self, bank: Bank, path: Path) -> None:
        self._bank = bank
        self._path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LINE_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # ValueError: a line beyond the limit
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            value = VERBS[request.pop("op")](self._bank, request)
            return {"ok": True, "value": await value if isinstance(value, Awaitable) else value}
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, AtError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def _ledger(bank: Bank, request: Request) -> Any:
    """Entries from `since` on of `which`: ledger, outside, inbound or reports."""
    which = request.get("which", "ledger")
    if which not in {"ledger", "outside", "inbound", "reports"}:
        raise ValueError(which)
    return [seen.as_json() for seen in getattr(bank.network, which)[request.get("since", 0) :]]


def _inject(bank: Bank, request: Request) -> Any:
    return bank.network.inject(**request)


def _fault(bank: Bank, request: Request) -> Any:
    """Arm a fault (`kind` and its details), or set a standing one by its name."""
    modem = _modem(bank, request)
    kind = request.pop("kind")
    standing = STANDING.get(kind)
    if standing is None:
        modem.faults.arm(kind, **request)
    else:
        standing(modem, request)
    return None


async def _replug(bank: Bank, request: Request) -> Any:
    """Plug in again; `sim` "new" or the index of a card."""
    modem = _modem(bank, request)
    sim = request.get("sim")
    modem.replug(bank.new_card() if sim == "new" else None if sim is None else bank.cards[sim])
    if request.get("wait", True):
        await modem.wait_running()
    return describe(modem)


def _unplug(bank: Bank, request: Request) -> Any:
    _modem(bank, request).unplug()


def _cell(bank: Bank, request: Request) -> Any:
    bank.network.cell(request["up"], request.get("modems"))


def _plan(bank: Bank, request: Request) -> Any:
    bank.network.plan_reports(request["number"], request["plan"])


def _refuse(bank: Bank, request: Request) -> Any:
    bank.network.refuse(request["number"], request.get("code"))


def _advance(bank: Bank, request: Request) -> Any:
    bank.advance(request["seconds"])


def _clear(bank: Bank, _request: Request) -> Any:
    """Forget the ledgers, so that a long run does not grow."""
    network = bank.network
    for entries in (network.ledger, network.outside, network.inbound, network.reports):
        entries.clear()


VERBS: dict[str, Verb] = {
    "ledger": _ledger,
    "inject": _inject,
    "fault": _fault,
    "unplug": _unplug,
    "replug": _replug,
    "cell": _cell,
    "plan": _plan,
    "refuse": _refuse,
    "advance": _advance,
    "clear": _clear,
    "cmgs_began": lambda bank, _: sorted(at for modem in bank.modems for at in modem.submission.began),
    "stats": lambda bank, _: bank.stats(),
}


def _noise(modem: EmulatedModem, request: Request) -> None:
    """Noise with a chance per byte; `what`: urc, bytes, nuls, flood, or hex."""
    named = {"urc": URC_NOISE, "bytes": (), "nuls": (NULS,), "flood": (FLOOD,)}
    what = request.get("what", "urc")
    modem.faults.noise(float(request["chance"]), *(named[what] if what in named else (bytes.fromhex(what),)))


def _mute(modem: EmulatedModem, request: Request) -> None:
    """Hang; `urcs`: codes still flow, `ends_with`: boot, restart or power, `lasts_s`: for so long."""
    mute = Mute.COMMANDS if request.get("urcs", False) else Mute.ALL
    modem.hang(mute, ends_with=Ending(request.get("ends_with", "boot")), lasts_s=request.get("lasts_s"))


STANDING: dict[str, Callable[[EmulatedModem, Request], None]] = {
    "clear": lambda modem, _: modem.heal(),
    "mute": _mute,
    "noise": _noise,
    "pace": lambda modem, request: modem.terminal.pace(int(request["size"]), float(request["interval"])),
    "stop_reading": lambda modem, _: modem.terminal.pause_reading(),
    "jam": lambda modem, _: modem.terminal.jam(),
    "resume_reading": lambda modem, _: modem.terminal.resume_reading(),
    "reset": lambda modem, request: modem.reset(reenumerate=request.get("reenumerate")),
    "registration": lambda modem, request: modem.radio.set_verdict(request["stat"]),
    "remove_sim": lambda modem, request: modem.remove_sim(int(request.get("code", 10))),
    "pin": lambda modem, request: modem.require_pin(request["pin"]),
    "credit": lambda modem, request: setattr(modem.card(), "credit", request["credit"]),
    "smsc": lambda modem, request: setattr(modem.card(), "smsc", request["smsc"]),
}


def _modem(bank: Bank, request: Request) -> EmulatedModem:
    return bank.modems[request.pop("modem")]
