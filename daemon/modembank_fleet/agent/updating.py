"""Software updates that the hub orders: fetched, handed to root's side of the image, followed over the restart.

Which phase a command is in stands in its journal before anything is done in it; what root's side makes of it stands in
that one's record, under the command's id. So a daemon that was killed at any moment, or comes up in the other slot,
goes on from there, and each command has one end.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NoReturn

import msgspec
import structlog
from msgspec.structs import replace

from modembank.accounts import Actor
from modembank.app import App
from modembank.appliance import FetchFailed, NoRoom, State, Update, Wanted, window_of
from modembank.clock import to_ms
from modembank.errors import Conflict
from modembank.fleet import rows
from modembank.fleet.rows import Journalled
from modembank_fleet.wire import UpdateArguments

UPDATE, ROLLBACK = "sw.update", "sw.rollback"
DOWNLOADING, VERIFYING, INSTALLING = "downloading", "verifying", "installing"
WAITING, REBOOTING, TRIAL = "waiting_window", "rebooting", "trial"
_PHASES = {"checking": VERIFYING, "installing": INSTALLING, "trial": TRIAL}
_TOLD_EVERY = 25
"""Percent of a phase between two words to the hub: each is a commit."""
_log = structlog.get_logger()


class Pace(msgspec.Struct, frozen=True):
    """How often it is looked, and how long is waited; seconds."""

    look_s: float = 2.0
    lost_s: float = 60.0
    """An order that neither waits nor is told of by root's side is lost after so long."""
    again_s: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 600.0, 1800.0, 1800.0)
    """Between two tries to fetch what may come later."""
    restart_s: float = 300.0
    """Between two times that a restart is asked for."""
    draw: Callable[[float, float], float] = random.uniform
    """At which moment of a spread it is this box's turn."""


class Job(msgspec.Struct):
    """A command that goes on by itself."""

    taken: Journalled
    actor: Actor
    args: Any
    deadline: float
    """Monotonic seconds after which nothing may be begun to be installed any more."""
    phase: str = ""
    percent: int | None = None
    restart_from: float | None = None
    """Monotonic seconds from which on it may restart, of many boxes that may; None: not drawn yet."""
    over: asyncio.Event = msgspec.field(default_factory=asyncio.Event)


class _Over(Exception):
    """How it ends."""

    def __init__(self, state: str, code: str = "", **data: Any) -> None:
        """State and code of the result, and what is told with it."""
        super().__init__(code)
        self.state, self.code, self.data = state, code, data


class Updating:
    """Carries out one update, or one way back, at a time."""

    def __init__(self, app: App, told: Callable[[], None], changed: Callable[[], None], pace: Pace) -> None:
        """``told`` is called when there is a result for the hub, ``changed`` when a phase is another."""
        self._app = app
        self._told = told
        self._changed = changed
        self._pace = pace
        self._job: Job | None = None
        self._due = asyncio.Event()
        self._fetching: asyncio.Task[None] | None = None
        self._unwanted = False
        self._restart_at = 0.0

    @property
    def job(self) -> Job | None:
        """What is under way."""
        return self._job

    def begin(self, job: Job) -> bool:
        """Take one that has begun, or goes on after a start of the daemon; False while another is under way."""
        if self._job is not None:
            return False
        job.phase = str(json.loads(job.taken.data).get("ph", ""))
        self._job, self._unwanted, self._restart_at = job, False, 0.0
        self._due.set()
        return True

    async def cancel(self, name: str) -> str:
        """End an update that is still being fetched; return why that cannot be, or nothing once it has ended."""
        job = self._job
        if job is None or job.taken.verb != UPDATE or job.args.job != name:
            return "no_such_job"
        if job.phase not in {"", DOWNLOADING}:
            return "too_late"
        self._unwanted = True
        if self._fetching is not None:
            self._fetching.cancel()
        await job.over.wait()
        return "" if self._unwanted else "too_late"

    async def run(self) -> None:
        """Carry out what was taken, for ever."""
        if self._job is None:
            self._app.appliance.fetched.forget()  # of one that ended without us
        while True:
            await self._due.wait()
            job = self._job
            if job is not None:
                await self._end(job, await self._outcome(job))
            self._due.clear()

    # -- one command

    async def _outcome(self, job: Job) -> _Over:
        try:
            if job.taken.verb == ROLLBACK:
                if not job.phase:
                    appliance = self._app.appliance
                    await self._order(job, lambda: appliance.roll_back(job.actor, job.taken.id))
            elif job.phase in {"", DOWNLOADING} or await self._was_not_ordered(job):
                await self._bring(job)
            await self._follow(job)
        except _Over as over:
            return over
        except Conflict as error:
            _log.warning("update_not_begun", why=str(error))
            return _Over(state="failed", code="conflict")  # the reason names people
        except NoRoom as error:
            return _Over(state="failed", code="no_room", why=str(error))
        except FetchFailed as error:
            return _Over(state="failed", code=error.code, why=error.why)
        except OSError as error:
            return _Over(state="failed", code="disk", why=error.strerror or str(error))

    async def _end(self, job: Job, over: _Over) -> None:
        if over.state != "cancelled":
            self._unwanted = False
        data = {name: value for name, value in over.data.items() if value not in ("", None)}
        ended = replace(job.taken, state=over.state, code=over.code, data=json.dumps(data))
        await self._write(ended)
        _log.info("fleet_command", verb=ended.verb, state=ended.state, code=ended.code)
        self._app.appliance.fetched.forget()
        self._job = None
        job.over.set()
        self._changed()

    async def _bring(self, job: Job) -> None:
        """Fetch what is wanted, and ask root's side to install it."""
        args: UpdateArguments = job.args
        appliance = self._app.appliance
        state, rules = await appliance.state(), await appliance.rules()
        release, update = state.release, state.update
        if release is not None and release.version == args.version and not (update and update.is_under_way):
            raise _Over(state="done", code="already", version=release.version)
        await appliance.check(job.actor)
        url = args.url or (f"{rules.url}/{release.architecture}/latest.raucb" if rules.url and release else "")
        if not url:
            raise _Over(state="failed", code="no_source")
        if not rules.allows(url):
            raise _Over(state="failed", code="host_not_allowed")
        if not job.phase:
            await self._wait(job, self._pace.draw(0.0, args.spread))
        await self._fetch(job, Wanted(url, args.sha256))
        await self._order(job, lambda: appliance.install_fetched(job.actor, job.taken.id, args.version))

    async def _was_not_ordered(self, job: Job) -> bool:
        """Whether the daemon was killed just before it asked for the installation of what it had fetched."""
        appliance = self._app.appliance
        update = (await appliance.state()).update
        known = (update is not None and update.id == job.taken.id) or await appliance.waits(job.taken.id)
        return job.phase == VERIFYING and not known and appliance.fetched.is_there

    async def _fetch(self, job: Job, wanted: Wanted) -> None:
        """Fetch, again and again where that may help. Raises FetchFailed, NoRoom."""
        await self._move(job, DOWNLOADING)
        for wait_s in (*self._pace.again_s, None):
            try:
                await self._try_to_fetch(job, wanted)
            except FetchFailed as error:
                if not error.again or wait_s is None:
                    raise
                _log.warning("update_not_fetched", why=error.why, again_in_s=wait_s)
                await self._wait(job, wait_s)
            else:
                return

    async def _try_to_fetch(self, job: Job, wanted: Wanted) -> None:
        def far(percent: int) -> None:
            job.percent = percent

        fetching = asyncio.create_task(self._app.appliance.fetched.fetch(wanted, far), name="fleet.fetch")
        self._fetching = fetching
        try:
            while not fetching.done():
                self._check(job)
                await asyncio.wait([fetching], timeout=self._pace.look_s)
                await self._move(job, DOWNLOADING, job.percent)
        finally:
            self._fetching = None
            fetching.cancel()
            await asyncio.wait([fetching])
            failed = None if fetching.cancelled() else fetching.exception()
        self._check(job)
        if failed is not None:
            raise failed

    async def _wait(self, job: Job, wait_s: float) -> None:
        ends = self._now() + wait_s
        while self._now() < ends:
            self._check(job)
            await asyncio.sleep(min(self._pace.look_s, wait_s))

    def _check(self, job: Job) -> None:
        """Raise how it ends where it must not go on."""
        if self._unwanted:
            raise _Over(state="cancelled")
        if self._now() >= job.deadline:
            raise _Over(state="expired", code="too_late")

    async def _order(self, job: Job, ask: Callable[[], Awaitable[None]]) -> None:
        self._check(job)
        job.phase = VERIFYING  # from here on it cannot be cancelled
        await self._move(job, VERIFYING, always=True)
        await ask()

    # -- what becomes of it

    async def _follow(self, job: Job) -> NoReturn:
        """Look at what root's side says until there is an end, which is raised."""
        appliance, since = self._app.appliance, None
        while True:
            state = await appliance.state()
            if state.update is not None and state.update.id == job.taken.id:
                since = None
                await self._hear(job, state, state.update)
            elif await appliance.waits(job.taken.id):
                since = None
            else:
                since = self._now() if since is None else since
                if self._now() - since >= self._pace.lost_s:
                    begun = job.phase in {WAITING, REBOOTING, TRIAL}
                    raise _Over(state="failed", code="superseded" if begun else "interrupted")
            await asyncio.sleep(self._pace.look_s)

    async def _hear(self, job: Job, state: State, update: Update) -> None:
        version = state.release.version if state.release else ""
        match update.state:
            case "good":
                raise _Over(state="done", version=version, before=update.from_version)
            case "rolled_back":
                raise _Over(state="failed", code="rolled_back", why=update.reason, version=version)
            case "refused" | "failed":
                raise _Over(state="failed", code=update.code or update.state, why=update.reason, version=version)
            case "installed" if job.taken.verb == ROLLBACK or await self._may_restart(job):
                await (self._restart(job) if self._is_its_turn(job) else self._move(job, WAITING))
            case "installed":
                await self._move(job, WAITING)
            case under_way if under_way in _PHASES:
                await self._move(job, _PHASES[under_way], update.percent)

    async def _may_restart(self, job: Job) -> bool:
        """Whether the box may restart now: in the window, and not while a mailing is sent, unless it is forced."""
        args: UpdateArguments = job.args
        if args.force:
            return True
        window = window_of(args.window) or (await self._app.appliance.rules()).window
        at = datetime.fromtimestamp(self._app.clock.now()).astimezone().time()
        return window.is_open(at) and not await self._app.mailings.sending()

    def _is_its_turn(self, job: Job) -> bool:
        """Whether this box is to restart by now, of those that may since the same moment."""
        spread = 0 if job.taken.verb == ROLLBACK or job.args.force else job.args.spread
        if job.restart_from is None:
            job.restart_from = self._now() + self._pace.draw(0.0, spread)
        return self._now() >= job.restart_from

    async def _restart(self, job: Job) -> None:
        """Ask for the restart, and once more where nothing came of that."""
        await self._move(job, REBOOTING)
        if job.taken.verb == ROLLBACK or self._now() < self._restart_at:
            return  # who rolls back restarts by himself
        try:
            await self._app.appliance.restart(job.actor)
        except Conflict as error:
            _log.info("update_waits", why=str(error))
        else:
            self._restart_at = self._now() + self._pace.restart_s

    # -- the journal

    async def _move(self, job: Job, phase: str, percent: int | None = None, *, always: bool = False) -> None:
        """Journal a phase, or a good part more of one, and tell the hub."""
        known = json.loads(job.taken.data)
        step = None if percent is None else percent // _TOLD_EVERY * _TOLD_EVERY
        job.phase, job.percent = phase, percent
        if not always and (known.get("ph"), known.get("pct")) == (phase, step):
            return
        told = {"ph": phase} if step is None else {"ph": phase, "pct": step}
        job.taken = replace(job.taken, state="running", data=json.dumps(told))
        await self._write(job.taken)
        self._changed()

    async def _write(self, taken: Journalled) -> None:
        now = to_ms(self._app.clock.now())
        await self._app.store.write(lambda conn: rows.move(conn, taken, now))
        self._told()

    def _now(self) -> float:
        return self._app.clock.monotonic()
