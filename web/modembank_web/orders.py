"""Orders to a modem and changes of a SIM, recorded as they are given: what both the API and the pages do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from modembank.errors import NotFound
from modembank.modem import UssdAnswer
from modembank.sim import Sim, SimChange
from modembank_web.operation import Call


class PinRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The PIN of the SIM in a slot."""

    pin: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4,8}$(?!\n)", description="4 to 8 digits")]


_SERVICE = re.compile(r"[*#]{1,3}[0-9]{1,4}[*#]?")


async def ordered(call: Call, action: str, detail: dict[str, object] | None = None) -> str:
    """Record an order to the modem that the path names before it is carried out; return its slot. Raises NotFound."""
    slot = call.app.bank.modem(call.path("slot")).slot
    await call.app.audit.note(call.caller, f"modem.{action}", slot, detail)
    return slot


async def carry_out(call: Call, action: str) -> None:
    """Reset, disable, enable or drain the modem that the path names. Raises NotFound and Conflict."""
    slot, bank = await ordered(call, action), call.app.bank
    if action == "disable":
        await bank.disable(slot)
        return
    {"reset": bank.reset, "enable": bank.enable, "drain": bank.drain}[action](slot)


async def forget(call: Call) -> None:
    """Forget the modem that the path names; what is refused is not recorded. Raises NotFound and Conflict."""
    call.app.bank.check_forgettable(call.app.bank.modem(call.path("slot")).slot)
    await call.app.bank.forget(await ordered(call, "forget"))


async def dial(call: Call, code: str) -> UssdAnswer:
    """Dial a USSD code. Raises NotFound, Conflict and what the network refuses."""
    slot = await ordered(call, "ussd", {"code": masked(code)})
    return await call.app.bank.ussd(slot, code)


async def enter_pin(call: Call, pin: str) -> None:
    """Have a PIN tried on the SIM of the modem that the path names. Raises NotFound, and Conflict if none is wanted."""
    slot = await ordered(call, "pin")
    call.app.bank.enter_pin(slot, pin)


async def change_sim(call: Call, sim: Sim, wanted: SimChange, detail: Mapping[str, object]) -> None:
    """Change a SIM, and record in the same write what was asked for. Raises InvalidRequest."""
    entry = call.app.audit.entry(call.caller, "sim.change", sim.iccid, detail)
    await call.app.sims.change(sim.id, wanted, entry)


def masked(code: str) -> str:
    """Return the service that a code asks for without what follows: a voucher's or a card's number may be there."""
    service = _SERVICE.match(code)
    shown = service[0] if service else ""
    return shown if shown == code else f"{shown}…"


def sim_named(call: Call) -> Sim:
    """Return the SIM that the path names by its ICCID; raises NotFound."""
    iccid = call.path("iccid")
    sim = call.app.sims.by_iccid(iccid)
    if sim is None:
        raise NotFound(what="SIM", which=iccid[:40])
    return sim
