"""The bank at a glance, and each modem: how it is, why, and what may be done to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.bank import ModemView
from modembank.clock import to_ms
from modembank.discovery import Standing
from modembank.errors import ModembankError
from modembank.messages import MessageState
from modembank.modem import AdminState, ModemState
from modembank.sim import LimitName, Sim
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call, Run
from modembank_web.orders import PinRequest, carry_out, dial, enter_pin, forget
from modembank_web.pages.page import Page, goes_to
from modembank_web.pages.rendering import render
from modembank_web.pages.words import sim_words

if TYPE_CHECKING:
    from modembank.app import App

PATH = "/ui/bank"
_NEEDS = (Scope.MODEMS,)
METERS = (
    (LimitName.PER_MINUTE, "This minute"),
    (LimitName.PER_HOUR, "This hour"),
    (LimitName.PER_DAY, "Today"),
    (LimitName.PER_MONTH, "This month"),
)
_TONES = {
    ModemState.REGISTERED: "ok",
    ModemState.LOCKED: "bad",
    ModemState.FAILED: "bad",
    ModemState.GONE: "bad",
    ModemState.DETECTED: "",
}
_STANDING_TONES = {Standing.REFUSED: "bad", Standing.WAITING: "warn", Standing.ASKED: "warn"}
_BARS_DBM = (-105, -95, -85, -75)
SHOWN_LINES = 200
WAITING = (MessageState.ACCEPTED, MessageState.QUEUED, MessageState.SENDING)
"""What is to be sent as soon as a SIM may."""


class Meter(msgspec.Struct, frozen=True):
    """One limit of a SIM and how much of it is used."""

    label: str
    used: int
    cap: int | None


class Slot(msgspec.Struct, frozen=True):
    """A modem as it is shown."""

    view: ModemView
    sim: Sim | None
    tone: str
    word: str
    why: str
    bars: int
    meters: Sequence[Meter]
    minutes: Sequence[int]


class Ussd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code to dial."""

    code: Annotated[str, msgspec.Meta(max_length=400)] = ""


class _Code(msgspec.Struct, frozen=True):
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9*#+]{1,182}$(?!\n)")]


class PinForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PIN, as it was typed."""

    pin: Annotated[str, msgspec.Meta(max_length=40)] = ""


_USSD, _PIN = FormBody(Ussd), FormBody(PinForm)


async def dashboard(call: Call) -> Answer:
    """Show the whole bank."""
    others = [seen for seen in await call.app.discovery.sightings() if seen.standing is not Standing.SERVED]
    return render(call, "bank/page.html", others=others, tones=_STANDING_TONES, **await _now(call))


async def now(call: Call) -> Answer:
    """Answer what changes on it."""
    return render(call, "bank/_now.html", **await _now(call))


async def modem(call: Call) -> Answer:
    """Show one modem."""
    return render(call, "bank/modem.html", ussd=None, **_modem(call))


async def modem_now(call: Call) -> Answer:
    """Answer what changes on its page."""
    return render(call, "bank/_modem.html", **_modem(call))


async def transcript(call: Call) -> Answer:
    """Answer the last lines between the box and the modem."""
    lines = call.app.bank.transcript(call.path("slot"), SHOWN_LINES)
    return render(call, "bank/_transcript.html", slot=call.path("slot"), lines=lines)


async def ussd(call: Call) -> Answer:
    """Dial a code; the network's answer, or why there is none, stands under the form."""
    code = (await call.form(_USSD)).code.replace(" ", "")
    answer, wrong, refused = None, "", ""
    try:
        msgspec.convert({"code": code}, _Code)
        answer = await dial(call, code)
    except msgspec.ValidationError:
        wrong = "is made of digits, * and #, such as *100#"
    except ModembankError as error:
        refused = str(error)
    shown: dict[str, Any] = {
        "slot": call.path("slot"),
        "code": code,
        "wrong": wrong,
        "refused": refused,
        "ussd": answer,
    }
    return render(call, "bank/_ussd.html", status=422 if wrong else 200, **shown)


async def pin(call: Call) -> Answer:
    """Have a PIN tried; the modem's page shows what comes of it. What was typed is never shown again."""
    typed, slot = (await call.form(_PIN)).pin.strip(), call.path("slot")
    try:
        checked = msgspec.convert({"pin": typed}, PinRequest)
    except msgspec.ValidationError:
        return render(call, "bank/_pin.html", status=422, slot=slot, wrong="is made of 4 to 8 digits")
    await enter_pin(call, checked.pin)
    return goes_to(call, f"{PATH}/slots/{slot}")


async def forget_modem(call: Call) -> Answer:
    """Give up a slot whose modem is gone for good, and go back to the others."""
    await forget(call)
    return goes_to(call, PATH)


def _order(action: str) -> Run:
    async def run(call: Call) -> Answer:
        await carry_out(call, action)
        return await modem_now(call)

    return run


def slot_of(app: App, view: ModemView, now_ms: int) -> Slot:
    """Put together what is shown of a modem."""
    sim = None if view.sim_id is None else app.sims.get(view.sim_id)
    tone, word = _TONES.get(view.state, "warn"), view.state.value
    if view.admin is not AdminState.ENABLED:
        tone, word = "", view.admin.value
    elif sim is not None and sim.paused:
        tone, word = "warn", "SIM paused"
    return Slot(
        view,
        sim,
        tone,
        word,
        _why(view, sim),
        _bars(view.signal_dbm),
        () if sim is None else meters(app, sim, now_ms),
        () if sim is None else app.sims.ledger(sim.id).last_hour(now_ms),
    )


def meters(app: App, sim: Sim, now_ms: int) -> Sequence[Meter]:
    """Return the limits of a SIM in segments, the short windows first; a month only where it is limited."""
    used = app.sims.ledger(sim.id).usage(now_ms)
    caps = {name: int(sim.limits.cap(name)) or None for name, _ in METERS}
    shown = [
        Meter(label, used[name], caps[name]) for name, label in METERS if name is not LimitName.PER_MONTH or caps[name]
    ]
    if sim.limits.recipients_per_month:
        people = used.get(LimitName.RECIPIENTS_PER_MONTH, 0)
        shown.append(Meter("Numbers this month", people, sim.limits.recipients_per_month))
    return shown


async def _now(call: Call) -> dict[str, Any]:
    app, now_ms = call.app, to_ms(call.app.clock.now())
    slots = [slot_of(app, view, now_ms) for view in app.bank.modems()]
    used: Counter[LimitName] = Counter()
    for sim in app.sims.all():
        used.update(app.sims.ledger(sim.id).usage(now_ms))
    counts = await app.messages.counts()
    return {
        "slots": slots,
        "sim_words": sim_words,
        "able": sum(slot.view.able_to_send for slot in slots),
        "used": used,
        "LimitName": LimitName,
        "waiting": sum(counts.get(state.word, 0) for state in WAITING),
        "unknown": counts.get(MessageState.UNKNOWN.word, 0),
        "issues": app.health.open()[:4],
        "more_issues": max(0, len(app.health.open()) - 4),
        "minutes": [sum(parts) for parts in zip(*(slot.minutes for slot in slots if slot.minutes), strict=True)],
    }


def _modem(call: Call) -> dict[str, Any]:
    app, name = call.app, call.path("slot")
    slot = slot_of(app, app.bank.modem(name), to_ms(app.clock.now()))
    issues = [issue for issue in app.health.open() if issue.subject == name]
    can_forget = slot.view.state is ModemState.GONE and app.bank.is_found(name)
    return {"slot": slot, "issues": issues, "can_forget": can_forget}


def _why(view: ModemView, sim: Sim | None) -> str:
    """Say why a modem is what it is, where it is not simply at work."""
    if sim is not None and sim.paused:
        return sim.paused_reason or ""
    if view.admin is AdminState.DISABLED:
        return "taken out of service by hand"
    if view.admin is AdminState.DRAINING:
        return "it still receives, and is given nothing new to send"
    if view.state is ModemState.REGISTERED:
        return ""
    if view.failed is not None:
        return view.failed.value.replace("_", " ") + (f": {view.detail}" if view.detail else "")
    return view.detail or view.reason.replace("_", " ")


def _bars(dbm: int | None) -> int:
    return 0 if dbm is None else sum(dbm > bound for bound in _BARS_DBM)


PAGES = (
    Page("bank", "GET", PATH, dashboard, _NEEDS),
    Page("bankNow", "GET", f"{PATH}/now", now, _NEEDS),
    Page("modem", "GET", f"{PATH}/slots/{{slot}}", modem, _NEEDS),
    Page("modemNow", "GET", f"{PATH}/slots/{{slot}}/now", modem_now, _NEEDS),
    Page("modemTranscript", "GET", f"{PATH}/slots/{{slot}}/transcript", transcript, (Scope.ADMIN,)),
    Page("modemUssd", "POST", f"{PATH}/slots/{{slot}}/ussd", ussd, _NEEDS),
    Page("modemForget", "POST", f"{PATH}/slots/{{slot}}/forget", forget_modem, _NEEDS),
    Page("modemPin", "POST", f"{PATH}/slots/{{slot}}/pin", pin, _NEEDS),
    *(
        Page(f"modem{action.capitalize()}", "POST", f"{PATH}/slots/{{slot}}/{action}", _order(action), _NEEDS)
        for action in ("reset", "disable", "enable", "drain")
    ),
)
