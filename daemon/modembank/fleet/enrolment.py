"""The box's enrolment at a hub: a token that is presented, what the hub answered, and a certificate that is renewed.

Every step is durable before the next begins. What is asked of the hub, and with which cryptography, is a face's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank.fleet.enrolment_folder import Asked, EnrolmentFolder, Membership, Pair, Record
from modembank.fleet.model import EnrolmentState
from modembank.fleet.token import HubToken, is_hub_address, read_token
from modembank.store import Store

_log = structlog.get_logger()


class Enrolment:
    """What counts of it, and what changes that."""

    def __init__(self, config: Config, store: Store, clock: Clock, begun: Callable[[], None]) -> None:
        """Read what there is; ``begun`` is called when there is a link to be, or none any more."""
        self._config = config
        self._store = store
        self._clock = clock
        self._begun = begun
        self._folder = EnrolmentFolder(Path(config.box.data_dir))
        self._record = self._folder.load()
        self._one_at_a_time = asyncio.Lock()
        self.renewal_why = ""
        """Why the certificate could not be renewed."""
        self.asking_why = ""
        """Why the hub has not answered yet."""
        self.changed = asyncio.Event()
        """Another token, another enrolment or none: for whoever acts on it."""

    @property
    def membership(self) -> Membership | None:
        """What a hub answered that enrolled the box; None where the configuration file names the hub."""
        return None if self._config.mqtt.url else self._record.membership

    @property
    def asked(self) -> Asked | None:
        """A token that waits for the hub's answer, or was refused."""
        return None if self._config.mqtt.url else self._record.asked

    @property
    def state(self) -> EnrolmentState:
        """How the box stands to the hub of its latest token."""
        if self.asked is not None:
            return EnrolmentState.REFUSED if self.asked.refused else EnrolmentState.ASKING
        return EnrolmentState.NONE if self.membership is None else EnrolmentState.ENROLLED

    @property
    def hub(self) -> str:
        """Where it was enrolled, or asks to be; empty: nowhere."""
        if self.asked is not None:
            return self.asked.address
        return "" if self.membership is None else self.membership.address

    @property
    def why(self) -> str:
        """What keeps the box from being enrolled or its certificate from being renewed, in words; empty: nothing."""
        if self.asked is not None:
            return self.asked.why if self.asked.refused else self.asking_why
        return self.renewal_why

    @property
    def name(self) -> str:
        """What the box calls itself where a token leaves that open."""
        return self._config.box.id

    async def ask(self, actor: Actor, token: str, address: str = "") -> None:
        """Take a hub's token: the box presents it until the hub has answered. What it had of a hub stays until then.

        ``address`` goes before the token's. Raises InvalidRequest, Conflict, Forbidden.
        """
        actor.require(Scope.ADMIN)
        if self._config.mqtt.url:
            raise Conflict(why="the configuration file names a hub: take [mqtt] url out of it, and start again")
        read = read_token(token)
        if address and not is_hub_address(address):
            raise InvalidRequest(FieldProblem("/address", "must be such as https://hub.example.org:8443"))
        await self._take(read, address, None)
        now = to_ms(self._clock.now())
        where = address or read.address
        await self._store.write(lambda conn: audit.record(conn, actor, "fleet.enrol", where, now))

    async def ask_at_first(self, token: str, address: str = "") -> bool:
        """Take the token of the first start, once; it is there at every start. Return whether it is taken now."""
        seen = hashlib.sha256(token.encode()).hexdigest()
        if self._config.mqtt.url or self._record.seen == seen:
            return False
        try:
            read = read_token(token)
        except InvalidRequest as error:
            await self._refuse_unread(seen, address, error.problems[0].detail)
        else:
            await self._take(read, address if is_hub_address(address) else "", seen)
        return True

    async def forget(self, actor: Actor) -> None:
        """Leave the hub, or take a token back: keys and certificates are deleted. Raises Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        if self.state is EnrolmentState.NONE:
            raise Conflict(why="this box is not enrolled at a hub, and asks none")
        was = self.hub
        await self._change(lambda now: Record(seen=now.seen))
        self.asking_why = self.renewal_why = ""
        now = to_ms(self._clock.now())
        await self._store.write(lambda conn: audit.record(conn, actor, "fleet.leave", was, now))
        self._begun()
        self.changed.set()

    async def note_refused(self, asked: Asked, code: str, why: str) -> None:
        """The hub does not take a token: that is the end of it, and shown."""
        gone = msgspec.structs.replace(asked, refused=code, why=why[:500], secret="")
        if await self._change(lambda now: msgspec.structs.replace(now, asked=gone) if now.asked == asked else None):
            _log.warning("hub_token_refused", code=code, why=why[:500])

    async def join(self, asked: Asked, membership: Membership) -> bool:
        """Let what a hub answered count, if its token is still the one; return whether it does."""
        new = {"asked": None, "membership": membership}
        if not await self._change(lambda now: msgspec.structs.replace(now, **new) if now.asked == asked else None):
            return False
        self.asking_why = self.renewal_why = ""
        _log.info("hub_enrolled", hub=membership.address, site=membership.site, box=membership.box)
        self._begun()
        self.changed.set()
        return True

    async def change_membership(self, change: Callable[[Membership], Membership | None]) -> bool:
        """Let a step of a renewal count; ``change`` is given what counts now, and returns None where it is too late.

        Return whether it counts. A session may prove a pair while another one comes: one step after another.
        """

        def step(now: Record) -> Record | None:
            made = None if now.membership is None else change(now.membership)
            return None if made is None else msgspec.structs.replace(now, membership=made)

        return await self._change(step)

    async def prove(self, number: int) -> None:
        """A session stands with a pair: it counts from now on, and the one before is deleted."""

        def step(now: Membership) -> Membership | None:
            if now.coming is None or now.coming.number != number:
                return None
            return msgspec.structs.replace(now, pair=now.coming, coming=None)

        if self.membership is not None and self.membership.coming is not None and await self.change_membership(step):
            _log.info("hub_certificate_renewed", serial=self.membership.pair.serial)

    def new_number(self) -> int:
        """Return a number that no pair has or is to have."""
        return max(self._folder.next_number(), *(number + 1 for number in self._record.numbers))

    async def write_part(self, number: int, part: str, content: bytes) -> None:
        """Write a pair's ``key``, ``crt`` or ``ca``, durable on return; raises OSError."""
        await asyncio.to_thread(self._folder.write, number, part, content)

    async def read_part(self, number: int, part: str) -> bytes:
        """Return it; raises OSError."""
        return await asyncio.to_thread(self._folder.path(number, part).read_bytes)

    def files(self, pair: Pair) -> tuple[str, str, str]:
        """Return where a pair's broker's authority, certificate and key are."""
        return tuple(str(self._folder.path(pair.number, part)) for part in ("ca", "crt", "key"))  # type: ignore[return-value]

    async def _take(self, read: HubToken, address: str, seen: str | None) -> None:
        asked = Asked(
            address=address or read.address,
            fingerprint=read.fingerprint.hex(),
            secret=read.secret.hex(),
            number=self.new_number(),
        )
        await self._change(
            lambda now: msgspec.structs.replace(now, asked=asked, seen=now.seen if seen is None else seen)
        )
        self.asking_why = ""
        self.changed.set()

    async def _refuse_unread(self, seen: str, address: str, why: str) -> None:
        asked = Asked(address[:300], "", "", 0, "bad_token", f"the token {why}")
        await self._change(lambda now: msgspec.structs.replace(now, asked=asked, seen=seen))
        _log.warning("hub_token_refused", code="bad_token", why=why)

    async def _change(self, change: Callable[[Record], Record | None]) -> bool:
        """Let another record count, durable on return, one change after another; None changes nothing."""
        async with self._one_at_a_time:
            record = change(self._record)
            if record is None:
                return False
            await asyncio.to_thread(self._folder.keep, record)
            self._record = record
            return True
