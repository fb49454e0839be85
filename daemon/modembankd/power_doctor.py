"""What doctor says about port power: whether a modem that nothing else brings back could be switched off and on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modembank.bank import Outlook, PortPower
from modembank.config import BankConfig
from modembank.port import PROGRAM, SYSFS, Uhubctl, UsbTree


async def power_outlooks(
    bank: BankConfig, paths: Mapping[str, str], sysfs: Path = SYSFS, program: str = PROGRAM
) -> dict[str, Outlook]:
    """Look at the hub of every slot, whose paths these are; nothing is switched."""
    if bank.usb_power == "none":
        return {}
    power = PortPower(paths, UsbTree(sysfs), Uhubctl(program), lambda _: True)
    return {slot: await power.outlook(slot) for slot in paths}


def power_summary(bank: BankConfig, outlooks: Mapping[str, Outlook]) -> tuple[bool, str, tuple[str, ...]]:
    """Return whether that is as configured, a sentence, and a note per slot."""
    if bank.usb_power == "none":
        return True, 'is never cycled (usb_power = "none")', ()
    able = sum(outlook.able for outlook in outlooks.values())
    notes = tuple(
        f"{slot}: {'can be cycled' if outlook.able else 'cannot be cycled'}: {outlook.text}"
        for slot, outlook in outlooks.items()
    )
    good = bank.usb_power == "auto" or able == len(outlooks)
    return good, f"can be cycled for {able} of {len(outlooks)} slots", notes
