"""The emulated bank's control socket: any line gets one answer, and the bank goes on."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzz.dice import records, script
from modembank_emulator import Bank, BankConfig
from modembank_emulator.control import VERBS, ControlServer

WITHIN_S = 20.0
UNWANTED = {"advance", "replug"}
"""A clock turned by a year, or a wait for a modem that is unplugged, takes long and is no fault."""


async def _lines(path: Path, octets: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        async with asyncio.timeout(WITHIN_S):
            for dice in records(octets):
                line = dice.rest().replace(b"\n", b" ").replace(b"\r", b" ")
                if not line or any(verb.encode() in line for verb in UNWANTED) or b"\\u" in line:
                    continue
                writer.write(line + b"\n")
                answer = json.loads(await reader.readline())
                assert answer["ok"] in {True, False}, answer
                assert answer["ok"] or answer["error"], answer
            writer.write(b'{"op": "stats"}\n')
            assert json.loads(await reader.readline())["ok"] is True
    finally:
        writer.close()


@contextmanager
def emulator_control() -> Iterator[Callable[[bytes], None]]:
    """Each record is a line."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path = Path(folder) / "control.sock"
        bank = Bank(BankConfig(modems=2))
        server = ControlServer(bank, path)
        runner.run(bank.__aenter__())
        runner.run(server.__aenter__())
        try:
            yield lambda octets: runner.run(_lines(path, octets))
        finally:
            runner.run(server.__aexit__(None, None, None))
            runner.run(bank.__aexit__(None, None, None))


def control_seeds() -> list[bytes]:
    """Every verb, right and wrong."""
    requests = [
        *({"op": verb} for verb in VERBS),
        {"op": "inject", "to": 0, "sender": "+447900900001", "text": "hi"},
        {"op": "fault", "modem": 0, "kind": "noise", "chance": 0.1, "what": "nuls"},
        {"op": "fault", "modem": 1, "kind": "clear"},
        {"op": "cell", "up": False},
        {"op": "cell", "up": True, "modems": [0]},
        {"op": "refuse", "number": "+447900900001", "code": 38},
        {"op": "ledger", "since": -1, "which": "reports"},
        {"op": "unplug", "modem": -1},
        {"op": None},
        [],
    ]
    lines = [json.dumps(request).encode() for request in requests]
    return [*lines, script(*lines), b"{", b"\xff", b"null", b"[" * 5000, b'{"op": "stats", "op": 1}']
