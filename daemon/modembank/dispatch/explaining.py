"""Why a message waits, in one sentence for people."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from modembank.dispatch.carriers import Carriers
from modembank.dispatch.decency import LOOP_CAUSE, QUIET_CAUSE
from modembank.dispatch.desk import WINDOW_CAUSE, Desk
from modembank.dispatch.lines import LineState
from modembank.dispatch.queues import RouteQueue
from modembank.dispatch.quiet import local_time
from modembank.errors import NotFound
from modembank.messages.model import MessageState, Route
from modembank.messages.waiting import WaitingMessage

_UNKNOWN = (
    "unknown whether it was sent{cause}: a delivery report settles it, or somebody who knows"
    " (POST /api/v1/messages/{{id}}/settle)"
)


class Explainer:
    """Knows what keeps each message, from what is in memory."""

    def __init__(self, desk: Desk, carriers: Carriers) -> None:
        """Use these."""
        self._desk = desk
        self._carriers = carriers

    def explain(self, message: WaitingMessage) -> str | None:
        """Return one sentence, or None when it waits for nothing any more."""
        if message.state is MessageState.UNKNOWN:
            return _UNKNOWN.format(cause=f" ({message.cause})" if message.cause else "")
        if message.state >= MessageState.SENT:
            return None
        if message.held:
            return f"held until an admin decides (POST /api/v1/outage/decide); {message.cause or 'after an outage'}"
        if message.paused:
            return "its mailing waits: POST /api/v1/mailings/{id}/resume, or start, lets it go on"
        holder = next((line for line in self._desk.lines.values() if message.id in line.in_hand), None)
        if holder is not None:
            return f"being sent through {self._name(holder.sim_id)}"
        if not message.ready:
            return self._timed(message)
        if not self._desk.open:
            return "sending has not started yet, or is being stopped"
        for sim_id, queue in self._desk.bound.items():
            if any(entry.message.id == message.id for entry in queue):
                return self._bound(message, sim_id, queue)
        if message.route_id not in self._desk.routes:  # the first of its route, and only just accepted
            return "the SIMs that may send it are being looked up"
        return self._queued(message, self._desk.routes[message.route_id])

    def _timed(self, message: WaitingMessage) -> str:
        when = "later" if message.not_before is None else f"at {moment(message.not_before, self._desk.now)}"
        if message.state in (MessageState.ACCEPTED, MessageState.SCHEDULED):
            return f"scheduled for {when.removeprefix('at ')}"
        if message.cause and message.cause.startswith(f"{WINDOW_CAUSE}: "):
            return f"outside its window {message.window}, which opens {when}"
        if message.cause and message.cause.startswith(f"{QUIET_CAUSE}: ") and message.not_before is not None:
            return _quiet(message.cause.partition(": ")[2], message.not_before, when)
        if message.cause and message.cause.startswith(f"{LOOP_CAUSE}: "):
            return f"held back, for {message.cause.partition(': ')[2]}; goes on {when} (or when the issue is remedied)"
        return f"will be tried again {when}, after {message.cause or 'a failed try'}"

    def _bound(self, message: WaitingMessage, sim_id: int, queue: RouteQueue) -> str:
        line = self._desk.lines.get(sim_id)
        name = self._name(sim_id)
        sim = self._carriers.get(sim_id)
        if sim.paused:
            return f"a part of it went through {name}, which is paused: {sim.paused_reason}"
        if line is None or not line.is_up:
            return f"a part of it went through {name}, which is in no registered modem: the rest must follow through it"
        return self._of_line(line) or self._place(message, queue)

    def _queued(self, message: WaitingMessage, queue: RouteQueue) -> str:
        lines = [line for line in self._desk.lines.values() if line.is_up and self._desk.leads(queue, line)]
        if not lines:
            return self._nobody(queue.route)
        if not queue.judged((message.rank, message.id)):
            return "whether it grew too old in an outage is being looked at"
        obstacles = [self._of_line(line) for line in lines]
        if all(obstacles):
            first = min(range(len(lines)), key=lambda at: (self._paused(lines[at]), lines[at].closed_until))
            return f"{obstacles[first]}{_others(len(lines) - 1)}"
        if refusing := self._refusing(message, queue, lines):
            return refusing
        return self._place(message, queue)

    def _nobody(self, route: Route) -> str:
        named = self._absent(route)
        if named is not None:
            return named
        paused = sorted(
            (sim for sim in self._carriers.sims.all() if sim.paused and self._desk.serves(route, sim)),
            key=lambda sim: sim.name,
        )
        if paused:  # their lines are down for that
            return f"SIM {paused[0].name} is paused: {paused[0].paused_reason}{_others(len(paused) - 1)}"
        if route.pool is not None:
            return f"no SIM of the pool {route.pool} is in a registered modem"
        if not route.sims:
            return "no modem is registered"
        names = ", ".join(self._name(sim_id) for sim_id in route.sims[:5])
        why = ""
        line = self._desk.lines.get(route.sims[0])
        if len(route.sims) == 1 and line is not None and line.why_down:
            why = f" ({line.why_down})"
        return f"{names} {'is' if len(route.sims) == 1 else 'are'} in no registered modem{why}"

    def _absent(self, route: Route) -> str | None:
        """Return why the providers that a route leads to take nothing; None when it leads to none."""
        lines = [line for line in self._desk.lines.values() if line.sim_id < 0 and self._leads(route, line)]
        told = [f"{self._name(line.sim_id)} takes nothing now: {line.why_down}" for line in lines]
        if not told:
            return None if route.channel == "sms" else f"this box has no provider of {route.channel}"
        return "; ".join(told[:3])

    def _leads(self, route: Route, line: LineState) -> bool:
        return self._desk.serves(route, self._carriers.get(line.sim_id))

    def _of_line(self, line: LineState) -> str | None:
        """Return what keeps a line from sending, or None."""
        sim = self._carriers.get(line.sim_id)
        if sim.paused:
            return f"{self._name(line.sim_id)} is paused: {sim.paused_reason}"
        if line.closed_until <= self._desk.now:
            return None
        if line.denied is not None:
            return line.denied.explain(self._name(line.sim_id))
        until = moment(line.closed_until, self._desk.now)
        who = self._name(line.sim_id) if line.sim_id < 0 else f"the modem of {self._name(line.sim_id)}"
        return f"{who} rests until {until} after a failure"

    def _refusing(self, message: WaitingMessage, queue: RouteQueue, lines: list[LineState]) -> str | None:
        """Return what keeps this message, and not the ones behind it, from every line."""
        entry = next((entry for entry in queue if entry.message.id == message.id), None)
        now = self._desk.now
        if entry is None or any(entry.open_to(line.sim_id, now) for line in lines):
            return None
        soonest = min(lines, key=lambda line: entry.refused_until[line.sim_id])
        denied = self._desk.denied(soonest, entry.message, now)
        if denied is not None:
            return denied.explain(self._name(soonest.sim_id))
        until = moment(entry.refused_until[soonest.sim_id], now)
        return f"{self._name(soonest.sim_id)} could not send it, and will try again at {until}"

    def _place(self, message: WaitingMessage, queue: RouteQueue) -> str:
        key = message.rank, message.id
        before = queue.before(key)
        if before == 0:
            return "it is next"
        known = any(entry.message.id == message.id for entry in queue)
        amount = str(before) if known or not queue.more else f"{before} or more"
        return f"{amount} {'message is' if amount == '1' else 'messages are'} before it"

    def _paused(self, line: LineState) -> bool:
        return self._carriers.get(line.sim_id).paused

    def _name(self, sim_id: int) -> str:
        try:
            return self._carriers.spoken(sim_id)
        except NotFound:
            return f"SIM {sim_id}"


def _quiet(zone: str, until: int, when: str) -> str:
    """Return what to say of quiet hours, with the time at which it goes on, there and here."""
    try:
        there = f" until {local_time(until, ZoneInfo(zone))} in {zone}"
    except (ZoneInfoNotFoundError, ValueError):  # the box's own time
        there = ""
    return f"quiet hours of its recipient{there}: goes on {when}"


def _others(count: int) -> str:
    if not count:
        return ""
    return " (and 1 other SIM waits too)" if count == 1 else f" (and {count} other SIMs wait too)"


def moment(ms: int, now: int) -> str:
    """Return a time as people say it: the time of day today, with the date on other days; local, to the second."""
    when = datetime.fromtimestamp(-(-ms // 1000), UTC).astimezone()
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone().date()
    return f"{when:%H:%M:%S}" if when.date() == today else f"{when:%Y-%m-%d %H:%M:%S}"
