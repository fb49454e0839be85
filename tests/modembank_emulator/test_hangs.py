"""Hangs that end by themselves, by a restart that is still obeyed, or only without power."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modembank_emulator import Bank, EmulatedModem, Ending, Mute

MakeBank = Callable[..., Awaitable[Bank]]
Attach = Callable[..., Awaitable[Any]]


async def rebooted(modem: EmulatedModem) -> None:
    while modem.running:
        await asyncio.sleep(0.01)
    await modem.wait_running()


@pytest.mark.parametrize("mute", [Mute.ALL, Mute.COMMANDS, Mute.ECHO])
async def test_a_hang_ends_after_its_time(make_bank: MakeBank, attach: Attach, mute: Mute) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.hang(mute, lasts_s=20)
    port.send("AT\r")
    await port.swallowed()
    bank.advance(19)
    assert modem.faults.mute is mute
    bank.advance(2)
    assert await port.command("AT+CSQ") is not None
    assert modem.faults.mute is Mute.NOT


async def test_a_hang_inside_a_command_ends_after_its_time(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    port = await attach(modem)
    modem.faults.arm("hang", command="+CSQ", lasts_s=20)
    port.send("AT+CSQ\r")
    await port.swallowed()
    assert modem.faults.mute is Mute.ALL
    bank.advance(21)
    assert (await port.command("AT+CREG?")).endswith("OK")


async def test_a_deaf_modem_may_still_obey_a_restart(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    deaf, obedient = bank.modems
    for modem, ending in ((deaf, Ending.BOOT), (obedient, Ending.RESTART)):
        port = await attach(modem)
        modem.hang(ends_with=ending)
        for octets in (b"\x1b\r", b"AT+CFUN", b"=1,1\r"):
            port.send(octets)
        await port.swallowed()
    await rebooted(obedient)
    assert obedient.faults.mute is Mute.NOT
    assert deaf.faults.mute is Mute.ALL


async def test_a_hang_that_only_power_ends_comes_back_after_every_boot(make_bank: MakeBank, attach: Attach) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    modem.hang(ends_with=Ending.POWER)
    modem.reset(reenumerate=False)
    await modem.wait_running()
    assert modem.faults.mute is Mute.ALL
    modem.replug()
    await modem.wait_running()
    assert modem.faults.mute is Mute.NOT
    assert (await (await attach(modem)).command("AT+CREG?")).endswith("OK")
    modem.reset(reenumerate=False)
    await modem.wait_running()
    assert modem.faults.mute is Mute.NOT  # the power cycle ended it for good


async def test_healing_ends_every_hang(make_bank: MakeBank) -> None:
    modem = (await make_bank()).modems[0]
    modem.hang(ends_with=Ending.POWER)
    modem.heal()
    assert (modem.faults.mute, modem.faults.ends_with) == (Mute.NOT, Ending.BOOT)
