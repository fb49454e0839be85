"""What each command does: one function each, over the services that other faces call."""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from modembank.accounts import Actor, Role, Scope
from modembank.app import App
from modembank.bank import CannotReset, ResetLevel
from modembank.errors import ModembankError
from modembank.fleet.rows import Journalled
from modembank.sim import LimitName, RateLimits, Sim, SimChange
from modembank_fleet.agent.owning import beyond
from modembank_fleet.agent.updating import ROLLBACK, UPDATE, Job, Updating
from modembank_fleet.wire.commands import (
    CollectLogs,
    OneJob,
    OneSim,
    PauseSim,
    Profile,
    ResetModem,
    Rotate,
    RunUssd,
    SimLimits,
)

RESETS_AN_HOUR = 3
"""Of one modem."""
CHUNK_LINES = 50
_DIGITS = re.compile(r"\d{5,}")


class VerbRefused(ModembankError):
    """The box does not do this; the code is for machines."""

    key = "command_refused"
    template = "{code}"

    def __init__(self, code: str, why: str = "") -> None:
        """Say why in one word, and perhaps in a sentence."""
        super().__init__(code=code)
        self.code = code
        self.why = why


Renew: TypeAlias = Callable[[str], Awaitable[dict[str, Any]]]


async def not_enrolled(_: str) -> dict[str, Any]:
    """Renew nothing: whoever configured the box by hand does that; raises VerbRefused."""
    raise VerbRefused(code="not_enrolled")


class Surroundings(msgspec.Struct):
    """What commands work on."""

    app: App
    rebirth: Callable[[], None]
    set_profile: Callable[[str], None]
    up_s: Callable[[], float]
    send_log: Callable[[str, int, list[str], bool], Awaitable[None]]
    reload: Callable[[], Awaitable[dict[str, Any]]]
    """Tries the hub's configuration again."""
    config_version: Callable[[], int]
    """Which version of it is in force; 0: none."""
    renew: Renew
    """Gets the box another certificate."""
    updating: Updating
    resets: dict[str, deque[float]] = msgspec.field(default_factory=lambda: defaultdict(deque))


def hub_actor(issuer: str) -> Actor:
    """Return who does what somebody at the hub ordered."""
    return Actor(0, f"hub: {issuer}"[:64], Role.ADMIN, frozenset(Scope), "hub")


class Order(msgspec.Struct, frozen=True):
    """A command that is carried out now."""

    taken: Journalled
    actor: Actor
    args: Any
    deadline: float
    """Monotonic seconds."""

    @property
    def id(self) -> str:
        """The command's id."""
        return self.taken.id


Execute: TypeAlias = Callable[[Surroundings, Order], Awaitable[dict[str, Any] | None]]
"""What it returns is told as done; None: it goes on by itself, and ends the command."""


async def ping(around: Surroundings, order: Order) -> dict[str, Any]:  # noqa: ARG001 - what all verbs take
    """Say that the box hears."""
    return {"up": around.up_s()}


async def rebirth(around: Surroundings, order: Order) -> dict[str, Any]:  # noqa: ARG001
    """Say again what the box is."""
    around.rebirth()
    return {}


async def diagnose(around: Surroundings, order: Order) -> dict[str, Any]:  # noqa: ARG001
    """Tell how the box stands: open issues by kind, modems by state, the store."""
    app = around.app
    states: dict[str, int] = {}
    for modem in app.bank.modems():
        states[modem.state.value] = states.get(modem.state.value, 0) + 1
    issues = [{"kind": issue.kind, "severity": issue.severity.value} for issue in app.health.open()]
    health = app.store.health
    return {
        "issues": issues[:100],
        "modems": states,
        "store": {"state": health.state.value, "free": health.free_octets, "queue": health.queue_depth},
        "messages": await app.messages.counts(),
    }


async def profile(around: Surroundings, order: Order) -> dict[str, Any]:
    """Tell telemetry more or less often."""
    args: Profile = order.args
    around.set_profile(args.profile)
    return {"profile": args.profile}


async def pause_sim(around: Surroundings, order: Order) -> dict[str, Any]:
    """Stop sending through a SIM."""
    args: PauseSim = order.args
    await around.app.sims.change(_sim(around, args).id, SimChange(pause=args.reason or "paused by the hub"))
    return {}


async def resume_sim(around: Surroundings, order: Order) -> dict[str, Any]:
    """Let a SIM send again."""
    args: OneSim = order.args
    await around.app.sims.change(_sim(around, args).id, SimChange(resume=True))
    return {}


async def limit_sim(around: Surroundings, order: Order) -> dict[str, Any]:
    """Set limits of a SIM, none beyond what the site's configuration allows."""
    args: SimLimits = order.args
    sim = _sim(around, args)
    wanted = {name.value: value for name in LimitName if (value := getattr(args, name.value)) is not None}
    if not wanted:
        raise VerbRefused(code="bad_args")
    entry = around.app.sims.configured(sim.iccid)
    caps = RateLimits.of(around.app.config.limits, entry.limits if entry else None)
    for name, value in wanted.items():
        if beyond(caps, LimitName(name), value):
            raise VerbRefused(code="beyond_local_cap")
    changed = await around.app.sims.change(sim.id, SimChange(limits=wanted))
    return {name.value: changed.limits.cap(name) for name in LimitName}


async def reload_config(around: Surroundings, order: Order) -> dict[str, Any]:  # noqa: ARG001
    """Lay the hub's configuration over again; the newest once more, where it was rejected or rolled back."""
    return await around.reload()


async def reset_modem(around: Surroundings, order: Order) -> dict[str, Any]:
    """Restart a modem, or reset it from outside where the box and its hubs can."""
    args: ResetModem = order.args
    slot = around.app.bank.modem(args.slot).slot
    done, now = around.resets[slot], time.monotonic()
    while done and now - done[0] >= 3600:
        done.popleft()
    if len(done) >= RESETS_AN_HOUR:
        raise VerbRefused(code="too_often")
    if args.mode == "soft":
        around.app.bank.reset(slot)
    else:
        try:
            await around.app.bank.reset_hard(slot, ResetLevel(args.mode))
        except CannotReset as error:
            raise VerbRefused(code="mode_not_available", why=error.why) from error
    done.append(now)
    return {}


async def run_ussd(around: Surroundings, order: Order) -> dict[str, Any]:
    """Dial a code that the site allows."""
    args: RunUssd = order.args
    if args.code not in around.app.config.mqtt.ussd_codes:
        raise VerbRefused(code="code_not_allowed")
    answer = await around.app.bank.ussd(around.app.bank.modem(args.slot).slot, args.code)
    told: dict[str, Any] = msgspec.to_builtins({"text": answer.text, "state": answer.state})
    return told


async def collect_logs(around: Surroundings, order: Order) -> dict[str, Any]:
    """Send the latest lines of the log, without numbers, in pieces."""
    args: CollectLogs = order.args
    if args.unit != "modembank":
        raise VerbRefused(code="unit_not_available")
    lines, room = [], args.max_kb * 1024
    for line in around.app.system.log(order.actor):  # the newest first
        said = " ".join([line.level, line.event, *(f"{name}={value}" for name, value in line.fields)])
        text = f"{line.at} {_DIGITS.sub('#', said)}"
        room -= len(text.encode()) + 1
        if room < 0 or _seconds(line.at) < args.since:
            break
        lines.append(text)
    lines.reverse()
    pieces = [lines[at : at + CHUNK_LINES] for at in range(0, len(lines), CHUNK_LINES)] or [[]]
    for number, piece in enumerate(pieces):
        await around.send_log(order.id, number, piece, number == len(pieces) - 1)
    return {"lines": len(lines), "pieces": len(pieces)}


async def rotate(around: Surroundings, order: Order) -> dict[str, Any]:
    """Get another certificate for another key, where a hub enrolled the box; the link tries it at once."""
    args: Rotate = order.args
    return await around.renew(args.serial)


async def restart_box(around: Surroundings, order: Order) -> dict[str, Any]:
    """Have the whole computer restart, where the box is an image; the answer may come once it is back."""
    if not around.app.appliance.present:
        raise VerbRefused(code="not_an_image")
    await around.app.appliance.restart(order.actor)
    return {}


async def go_to_another_version(around: Surroundings, order: Order) -> None:
    """Begin an update, or the way back to the other slot."""
    if not around.updating.begin(Job(order.taken, order.actor, order.args, order.deadline)):
        raise VerbRefused(code="update_under_way")


async def cancel_update(around: Surroundings, order: Order) -> dict[str, Any]:
    """End an update that is not being installed yet."""
    args: OneJob = order.args
    if code := await around.updating.cancel(args.job):
        raise VerbRefused(code=code)
    return {}


VERBS: dict[str, Execute] = {
    "ping": ping,
    "rebirth": rebirth,
    "diag.run": diagnose,
    "tele.profile": profile,
    "sim.pause": pause_sim,
    "sim.resume": resume_sim,
    "sim.limits": limit_sim,
    "cfg.reload": reload_config,
    "modem.reset": reset_modem,
    "ussd.run": run_ussd,
    "cred.rotate": rotate,
    "logs.collect": collect_logs,
    "box.reboot": restart_box,
    UPDATE: go_to_another_version,
    ROLLBACK: go_to_another_version,
    "sw.cancel": cancel_update,
}
"""What this release carries out."""
LONG = frozenset({UPDATE, ROLLBACK})
"""What goes on beside other commands, and over restarts."""
ON_IMAGES = frozenset({UPDATE, ROLLBACK, "sw.cancel"})
"""What only a box can do that was started from the appliance image."""
LENDING = frozenset({"msg.submit", "msg.recall"})
"""Carried out in the write that journals it, where the site has the pool on."""
ALWAYS = frozenset({"ping", "rebirth", "tele.profile"})
"""What no gate of the site closes: it changes nothing."""


def _sim(around: Surroundings, args: OneSim) -> Sim:
    sim = around.app.sims.by_iccid(args.iccid)
    if sim is None:
        raise VerbRefused(code="sim_not_found")
    return sim


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
