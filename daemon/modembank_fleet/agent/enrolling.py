"""Enrolling the box at its hub, and renewing what it has: one step at a time, each durable before the next.

A key is on the disk before its request leaves the box, and the hub answers the same key alike however often it asks:
whatever a crash or a lost answer interrupts is done again from there. A new pair counts when a session stands with it,
and the one before is deleted then.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog

from modembank.clock import Clock
from modembank.config import HubKeyConfig
from modembank.fleet import Asked, Fleet, Membership, Pair
from modembank_fleet import asking
from modembank_fleet.agent.verbs import VerbRefused
from modembank_fleet.asking import HubAway, HubRefuses
from modembank_fleet.credentials import BadCertificate, check, new_key, proof, request
from modembank_fleet.link import Backoff
from modembank_fleet.wire.enrolment import Enrolled, EnrolRequest, RenewRequest

FIRST_WITHIN_S = 5.0
"""Boxes that start together do not come at once."""
LOOK_S = 3600.0
"""So often it is looked whether a certificate has to be renewed, or a new one be tried once more."""
_log = structlog.get_logger()


class Enrolling:
    """Does what is due."""

    def __init__(
        self, fleet: Fleet, clock: Clock, changed: Callable[[], None], *, backoff: Backoff | None = None
    ) -> None:
        """``changed`` is called when the link should try another certificate."""
        self._fleet = fleet
        self._of = fleet.enrolment
        self._clock = clock
        self._changed = changed
        self._backoff = backoff or Backoff(FIRST_WITHIN_S)
        self._one_at_a_time = asyncio.Lock()
        self._asked: Asked | None = None
        self._try_again_at = 0.0

    async def step(self) -> float | None:
        """Do what is due now; return the seconds until it is worth looking again (None: until something changes)."""
        asked = self._of.asked
        if asked is not None and not asked.refused:
            if asked != self._asked:  # at a moment of its own
                self._asked = asked
                return self._backoff.next_s()
            return await self._enrol(asked)
        member = self._of.membership
        if member is None:
            return None
        if member.key or self._clock.now() >= (member.coming or member.pair).renew_at:
            return await self._renewed()
        if member.coming is not None and self._clock.monotonic() >= self._try_again_at:
            self._try_certificate()
        return random.uniform(0.5, 1.0) * LOOK_S

    async def renew_now(self, serial: str = "") -> dict[str, Any]:
        """Carry out ``cred.rotate``: get another certificate now, unless another than ``serial`` counts already.

        Raises VerbRefused.
        """
        member = self._of.membership
        if member is None:
            raise VerbRefused(code="not_enrolled")
        newest = member.coming or member.pair
        if serial and newest.serial != serial.lower():
            return {"serial": newest.serial, "ends_at": round(newest.not_after)}
        try:
            made = await self._renew()
        except HubAway as error:
            self._of.renewal_why = str(error)
            raise VerbRefused(code="hub_away") from error
        except HubRefuses as error:
            self._of.renewal_why = str(error)
            raise VerbRefused(code=error.code) from error
        return {"serial": made.serial, "ends_at": round(made.not_after)}

    # -- the first certificate

    async def _enrol(self, asked: Asked) -> float | None:
        try:
            with _files():
                member = await self._member(asked)
        except HubRefuses as error:
            await self._of.note_refused(asked, error.code, str(error))
            return 0.0
        except HubAway as error:
            if self._of.asking_why != str(error):
                _log.warning("hub_enrolment_waits", why=str(error))
            self._of.asking_why = str(error)
            return max(self._backoff.next_s(), error.after_s)
        await self._of.join(asked, member)
        self._backoff.held(float("inf"))
        return 0.0

    async def _member(self, asked: Asked) -> Membership:
        """Ask the hub, and return what it answers with its files in place; raises HubAway, HubRefuses."""
        key = await self._key(asked.number)
        trusted = await asking.authority(asked.address, bytes.fromhex(asked.fingerprint))
        wanted = EnrolRequest(token=asked.secret, csr=request(key, self._of.name), box=self._of.name)
        said = await asking.enrol(asked.address, trusted, wanted)
        return _membership(asked.address, trusted, said, await self._pair(asked.number, key, said, trusted))

    # -- the next ones

    async def _renewed(self) -> float:
        try:
            await self._renew()
        except HubAway as error:
            return self._put_off(str(error), error.after_s)
        except HubRefuses as error:
            return self._put_off(str(error), LOOK_S)
        return LOOK_S

    def _put_off(self, why: str, after_s: float) -> float:
        if self._of.renewal_why != why:
            _log.warning("hub_certificate_not_renewed", why=why)
        self._of.renewal_why = why
        return max(random.uniform(0.1, 1.0) * LOOK_S, after_s)

    async def _renew(self) -> Pair:
        """Get another certificate for another key, and let the link try it; raises HubAway, HubRefuses."""
        async with self._one_at_a_time:
            with _files():
                made = await self._another_pair()
        self._of.renewal_why = ""
        _log.info("hub_certificate_issued", serial=made.serial)
        self._try_certificate()
        self._of.changed.set()
        return made

    async def _another_pair(self) -> Pair:
        member = self._of.membership
        if member is None:
            raise HubRefuses(code="not_enrolled", why="the box has left its hub")
        if not member.key:
            number = self._of.new_number()
            await self._of.change_membership(lambda now: None if now.key else msgspec.structs.replace(now, key=number))
            member = self._of.membership
            if member is None or not member.key:
                raise HubAway(why="the enrolment is another by now")
        key = await self._key(member.key)
        csr = request(key, f"{member.site}/{member.box}")
        ended = self._clock.now() >= member.pair.not_after
        former = member.coming if ended and member.coming is not None else member.pair
        had = await self._of.read_part(former.number, "crt")
        signed = proof(await self._of.read_part(former.number, "key"), csr)
        wanted = RenewRequest(certificate=had.decode("ascii"), csr=csr, proof=signed)
        said = await asking.renew(member.address, member.authority, wanted)
        if (said.site, said.box) != (member.site, member.box):
            raise HubAway(why="the hub answers for another box")
        made = await self._pair(member.key, key, said, member.authority)
        new = _membership(member.address, member.authority, said, member.pair)
        asked_for = member.key

        def step(now: Membership) -> Membership | None:
            """What is there by now stays where a session has proved another pair meanwhile."""
            same = now.key == asked_for
            return msgspec.structs.replace(new, pair=now.pair, coming=made) if same else None

        if not await self._of.change_membership(step):
            raise HubAway(why="the enrolment is another by now")
        return made

    def _try_certificate(self) -> None:
        self._try_again_at = self._clock.monotonic() + LOOK_S / 2
        self._changed()

    async def _key(self, number: int) -> bytes:
        """Return a pair's key; it is made when it is not there, and durable before anybody hears of it."""
        try:
            return await self._of.read_part(number, "key")
        except FileNotFoundError:
            key = new_key()
            await self._of.write_part(number, "key", key)
            return key

    async def _pair(self, number: int, key: bytes, said: Enrolled, trusted: str) -> Pair:
        """Put down what goes with a key; raises HubAway where that is no answer to it."""
        try:
            facts = check(said.certificate, key, trusted)
        except BadCertificate as error:
            raise HubAway(why=str(error)) from error
        if facts.common_name != f"{said.site}/{said.box}":
            raise HubAway(why="the hub's certificate is for another name than its answer")
        await self._of.write_part(number, "crt", said.certificate.encode())
        await self._of.write_part(number, "ca", said.broker_ca.encode())
        return Pair(number, facts.serial, facts.not_before, facts.not_after, facts.not_after - said.renew_before_s)


@contextlib.contextmanager
def _files() -> Iterator[None]:
    """Let what the disk does not take or give be tried again, and shown: raises HubAway."""
    try:
        yield
    except OSError as error:
        raise HubAway(why=f"the box's own files cannot be used: {error.strerror or error}") from error


def _membership(address: str, trusted: str, said: Enrolled, pair: Pair) -> Membership:
    return Membership(
        address=address,
        authority=trusted,
        site=said.site,
        box=said.box,
        brokers=tuple(said.brokers),
        hub_keys=tuple(HubKeyConfig(key.kid, key.public) for key in said.hub_keys),
        pair=pair,
    )
