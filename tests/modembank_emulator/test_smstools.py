"""Debian's smsd (smstools) sends and receives through the emulated bank."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

MakeBank = Callable[..., Awaitable[Any]]
pytestmark = pytest.mark.peer

CONFIG = """devices = GSM1
outgoing = {0}/outgoing
checked = {0}/checked
incoming = {0}/incoming
failed = {0}/failed
sent = {0}/sent
logfile = {0}/log
infofile = {0}/working
pidfile = {0}/pid
loglevel = 7
delaytime = 1
receive_before_send = no

[GSM1]
device = {1}
incoming = yes
report = yes
baudrate = 115200
"""


async def test_smsd_sends_and_receives(make_bank: MakeBank, tmp_path: Path) -> None:
    program = shutil.which("smsd", path="/usr/sbin:/usr/bin")
    assert program is not None, "smsd is missing: apt-get install smstools"
    bank = await make_bank(dialect="generic")
    modem = bank.modems[0]
    for name in ("outgoing", "checked", "incoming", "failed", "sent"):
        (tmp_path / name).mkdir()
    (tmp_path / "smsd.conf").write_text(CONFIG.format(tmp_path, modem.path))
    (tmp_path / "outgoing" / "one").write_text("To: 491701234567\n\nFrom smsd\n")
    bank.network.inject(modem.sim.msisdn, "to smsd", "+15551112222")
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(tmp_path / "smsd.conf"), "-t", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(90):
            while not (bank.network.ledger and modem.sim.store.slots == {}):
                await asyncio.sleep(0.1)
    finally:
        process.terminate()
        await process.communicate()
    assert [(seen.destination, seen.text) for seen in bank.network.ledger] == [("+491701234567", "From smsd")]
    (received,) = [path.read_text() for path in (tmp_path / "incoming").iterdir()]
    assert "From: 15551112222" in received
    assert "to smsd" in received
