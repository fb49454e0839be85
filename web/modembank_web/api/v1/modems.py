"""The modems in their slots: how they are, and what an operator may do to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339
from modembank.modem import AdminState, FailedReason, ModemState, Rung, RungResult, Trouble
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import hardware_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply, Run
from modembank_web.orders import PinRequest, carry_out, dial, enter_pin, forget
from modembank_web.reading import JsonBody

if TYPE_CHECKING:
    from modembank.app import App
    from modembank.bank import ModemView

PATH = "/api/v1/modems"
_SLOT = {"slot": ("The slot's name", "slot-03")}


class Memory(msgspec.Struct, frozen=True):
    """Fill of one of the modem's message memories when last looked at."""

    memory: str
    used: int
    total: int


class RecoveryStep(msgspec.Struct, frozen=True):
    """A rung of the recovery ladder that was climbed, why, and what came of it."""

    at: str
    rung: Rung
    trouble: Trouble
    result: RungResult


class ModemStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A slot: where it is, how its modem is, and who that is; null and empty text mean not known."""

    slot: str
    port: str
    tty: str
    state: ModemState
    admin: AdminState
    failed: FailedReason | None
    reason: str
    detail: str
    since: str
    able_to_send: bool
    sim: str | None
    operator: str
    registration: str
    signal_dbm: int | None
    manufacturer: str
    model: str
    firmware: str
    imei: str
    vendor: str
    capabilities: Sequence[str]
    lacks: dict[str, str]
    storage: Sequence[Memory]
    accepted: int
    rejected: int
    unknown: int
    not_sent: int
    received: int
    recovery: Sequence[RecoveryStep]
    last_error: str | None


class ModemsPage(msgspec.Struct, frozen=True):
    """All slots of the box."""

    items: Sequence[ModemStatus]
    next: None = None


class UssdRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code for the network."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9*#+]{1,182}$(?!\n)")]


class UssdReply(msgspec.Struct, frozen=True):
    """What the network answered."""

    text: str
    state: Literal["done", "asks", "ended", "answered_elsewhere", "not_supported", "network_timeout"]


_USSD, _PIN = JsonBody(UssdRequest), JsonBody(PinRequest)


async def list_modems(call: Call) -> Answer:
    """Return all modems."""
    return json_answer(ModemsPage([_status(call.app, view) for view in call.app.bank.modems()]))


async def get_modem(call: Call) -> Answer:
    """Return one modem."""
    return _answer(call)


async def reset(call: Call) -> Answer:
    """Restart a modem."""
    await carry_out(call, "reset")
    return _answer(call)


async def disable(call: Call) -> Answer:
    """Take a modem out of service."""
    await carry_out(call, "disable")
    return _answer(call)


async def enable(call: Call) -> Answer:
    """Put a modem into service."""
    await carry_out(call, "enable")
    return _answer(call)


async def drain(call: Call) -> Answer:
    """Give a modem no new messages."""
    await carry_out(call, "drain")
    return _answer(call)


async def forget_modem(call: Call) -> Answer:
    """Give up a slot that was found and whose modem is gone."""
    await forget(call)
    return Answer(b"", 204)


async def ussd(call: Call) -> Answer:
    """Dial a code and return the network's answer."""
    call.app.bank.modem(call.path("slot"))
    answer = await dial(call, (await call.json(_USSD)).code)
    return json_answer(msgspec.convert(answer, UssdReply, from_attributes=True))


async def pin(call: Call) -> Answer:
    """Have a PIN tried."""
    call.app.bank.modem(call.path("slot"))
    await enter_pin(call, (await call.json(_PIN)).pin)
    return _answer(call)


def _answer(call: Call) -> Answer:
    return json_answer(_status(call.app, call.app.bank.modem(call.path("slot"))))


def _status(app: App, view: ModemView) -> ModemStatus:
    counters = view.counters
    return ModemStatus(
        slot=view.slot,
        port=view.path,
        tty=view.tty,
        state=view.state,
        admin=view.admin,
        failed=view.failed,
        reason=view.reason,
        detail=view.detail,
        since=rfc3339(view.since),
        able_to_send=view.able_to_send,
        sim=None if view.sim_id is None else app.sims.get(view.sim_id).iccid,
        operator=view.operator,
        registration=view.registration,
        signal_dbm=view.signal_dbm,
        manufacturer=view.manufacturer,
        model=view.model,
        firmware=view.firmware,
        imei=view.imei,
        vendor=view.vendor,
        capabilities=view.capabilities,
        lacks=dict(view.lacks),
        storage=[Memory(fill.memory, fill.used, fill.total) for fill in view.storage],
        accepted=counters.accepted,
        rejected=counters.rejected,
        unknown=counters.unknown,
        not_sent=counters.not_sent,
        received=counters.received,
        recovery=[RecoveryStep(rfc3339(step.at), step.rung, step.trouble, step.result) for step in view.recovery],
        last_error=view.last_error,
    )


def _command(name: str, run: Run, summary: str, description: str) -> Operation:
    return Operation(
        id=f"{name}Modem",
        method="POST",
        path=f"{PATH}/{{slot}}/{name}",
        tag="Modems",
        summary=summary,
        description=description,
        run=run,
        needs=(Scope.MODEMS,),
        parameters=_SLOT,
        replies=(Reply(200, "The modem as it is now", ModemStatus, examples.MODEM),),
        raises=("conflict",),
    )


OPERATIONS = (
    Operation(
        id="listModems",
        method="GET",
        path=PATH,
        tag="Modems",
        summary="List the modems",
        description="One for each slot, also for slots without a modem now.",
        run=list_modems,
        needs=(Scope.MODEMS,),
        replies=(Reply(200, "All modems", ModemsPage, {"items": [examples.MODEM], "next": None}),),
    ),
    Operation(
        id="getModem",
        method="GET",
        path=f"{PATH}/{{slot}}",
        tag="Modems",
        summary="Look up one modem",
        description="By the name of its slot.",
        run=get_modem,
        needs=(Scope.MODEMS,),
        parameters=_SLOT,
        replies=(Reply(200, "The modem", ModemStatus, examples.MODEM),),
    ),
    _command(
        "reset", reset, "Restart a modem", "Restarts the modem itself; a segment in flight is settled first or unknown."
    ),
    _command(
        "disable", disable, "Take a modem out of service", "Closes its port and leaves it alone until it is enabled."
    ),
    _command("enable", enable, "Put a modem into service", "Ends disable and drain."),
    _command("drain", drain, "Give a modem no new messages", "It still receives; what it is sending is finished."),
    Operation(
        id="forgetModem",
        method="DELETE",
        path=f"{PATH}/{{slot}}",
        tag="Modems",
        summary="Forget a modem that is gone",
        description="For a slot that was found on the USB and whose modem was unplugged for good. Limits and history"
        " belong to the SIM and stay; a modem that comes back gets its slot anew. 409 for a modem that is not gone, and"
        " for a slot that is listed in the configuration.",
        run=forget_modem,
        needs=(Scope.MODEMS,),
        parameters=_SLOT,
        replies=(Reply(204, "It is forgotten", None, "", media="text/plain"),),
        raises=("conflict",),
    ),
    Operation(
        id="enterPin",
        method="POST",
        path=f"{PATH}/{{slot}}/pin",
        tag="Modems",
        summary="Enter the PIN of a SIM",
        description="For a modem that waits for one (`failed` is `pin_missing`, `pin_wrong` or `pin_at_risk`). It is"
        " tried once, unless a failure would leave no try, and kept for the SIM when it opens it. The modem's state"
        " tells what came of it.",
        run=pin,
        needs=(Scope.MODEMS,),
        body=Body(PinRequest, examples.PIN_REQUEST),
        parameters=_SLOT,
        replies=(Reply(200, "The modem as it is now", ModemStatus, examples.MODEM),),
        raises=("conflict",),
    ),
    Operation(
        id="ussdModem",
        method="POST",
        path=f"{PATH}/{{slot}}/ussd",
        tag="Modems",
        summary="Dial a USSD code",
        description="Such as the one that tells the balance; waits for the network's answer.",
        run=ussd,
        needs=(Scope.MODEMS,),
        body=Body(UssdRequest, examples.USSD_REQUEST),
        parameters=_SLOT,
        replies=(Reply(200, "What the network answered", UssdReply, examples.USSD),),
        raises=("conflict", "ussd_failed"),
    ),
)
