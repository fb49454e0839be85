"""Enrolment: tokens for boxes, certificates for tokens and for earlier certificates, and boxes that are shut out.

What is given out is in the database before anybody has it: the same token with the same key gets the same answer again,
so that no crash between the two strands a box.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope, login_limits
from modembank.accounts.networks import origin_of
from modembank.bus import Bus
from modembank.clock import Clock, rfc3339, to_ms
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest, ModembankError, NotFound
from modembank.fleet.token import SECRET_OCTETS, HubToken
from modembank.store import Store
from modembank_fleet.authority import (
    Authority,
    BadRequestForCertificate,
    is_proof,
    key_digest,
    pem_of,
    read_request,
    serial_of,
    write_public,
)
from modembank_fleet.wire import Signer, is_name
from modembank_fleet.wire.enrolment import Enrolled, EnrolRequest, RenewRequest, TrustedKey
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_commands as commands
from modembank_hub import rows_of_enrolment as rows
from modembank_hub.config import EnrolmentConfig
from modembank_hub.events import BoxesChanged, CommandsChanged, EnrolmentChanged
from modembank_hub.rows_of_enrolment import CertificateRow, ShutOut, TokenRow

MOST_HOURS = 720
MOST_GOOD = 20
"""Certificates of a box that are good at once: one that asks for more asks in a loop."""
OVERLAP = 1 / 3
"""Of a certificate's life: so long before its end another one is due, and both are good."""
KEPT_ON_LIST_S = 7 * 86_400
"""A list names a certificate for so long after its end: a broker's clock may be behind."""
DATED_BEFORE_S = 86_400
"""A list is dated so long ago, for the same reason."""
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_log = structlog.get_logger()


class EnrolmentRefused(Forbidden):
    """A box does not get what it asks for; ``code`` is for the box."""

    template = "{why}"


class TooManyTries(ModembankError):
    """One address, or all together, ask for certificates too often."""

    key = "too_many_requests"
    template = "too many certificates were asked for: come again in {retry_after_s} s"

    def __init__(self, wait_ms: int) -> None:
        """Say when to come again."""
        self.retry_after_s = -(-wait_ms // 1000)
        super().__init__(retry_after_s=self.retry_after_s)


class _Asker(msgspec.Struct, frozen=True):
    """Who asks for a certificate, for the audit log."""

    source: str
    name: str = "box"
    user_id: int = 0


class _No(msgspec.Struct, frozen=True):
    """A refusal that is written down before it is told."""

    code: str
    why: str


class _Wanted(msgspec.Struct, frozen=True):
    """A certificate that is to be given."""

    site: str
    box: str
    how: str
    token: int | None = None


_Judge: TypeAlias = Callable[[sqlite3.Connection, int, bytes], "_Wanted | CertificateRow | _No"]


class Page(msgspec.Struct, frozen=True):
    """Some of a list, and where it goes on (None: that was the end)."""

    tokens: list[TokenRow] = []
    certificates: list[CertificateRow] = []
    cursor: int | None = None


class Enrolment:
    """Gives and revokes."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bus: Bus,
        config: EnrolmentConfig,
        *,
        authority: Authority | None,
        signer: Signer | None,
        crl: Path,
    ) -> None:
        """Without an ``authority`` no box is enrolled; one can be shut out all the same. ``crl`` is the list's file."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._config = config
        self.authority = authority
        self._signer = signer
        self.crl = crl
        self.crl_why = ""
        """Why the list could not be written; empty: it was."""
        self._list_due = asyncio.Event()

    # -- tokens

    async def make_token(
        self, actor: Actor, site: str, box: str = "", hours: float | None = None
    ) -> tuple[TokenRow, str]:
        """Make a token for one box, or for one that names itself (``box`` empty); the text is not seen again.

        Raises InvalidRequest, Conflict, Forbidden.
        """
        actor.require(Scope.ADMIN)
        good_for = self._config.token_hours if hours is None else hours
        problems = [
            FieldProblem(f"/{field}", "must be 1 to 32 lower-case letters, digits and hyphens")
            for field, name in (("site", site), ("box", box or "any"))
            if not is_name(name)
        ]
        if not 0 < good_for <= MOST_HOURS:
            problems.append(FieldProblem("/hours", f"must be more than 0 and at most {MOST_HOURS}"))
        if problems:
            raise InvalidRequest(problems[0], *problems[1:])
        authority = self._authority()
        secret, now = secrets.token_bytes(SECRET_OCTETS), to_ms(self._clock.now())

        def add(conn: sqlite3.Connection) -> TokenRow:
            ends_at = now + round(good_for * 3_600_000)
            made = rows.add_token(conn, hashlib.sha256(secret).digest(), (site, box), actor.name, (now, ends_at))
            audit.record(conn, actor, "enrolment.token", made.name, now, {"token": made.n, "ends_at": rfc3339(ends_at)})
            return made

        made = await self._store.write(add)
        self._bus.publish(EnrolmentChanged(now))
        return made, HubToken(self._config.address, authority.fingerprint, secret).written

    async def withdraw_token(self, actor: Actor, n: int) -> TokenRow:
        """Let a token count no more; raises NotFound, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = to_ms(self._clock.now())

        def withdraw(conn: sqlite3.Connection) -> TokenRow:
            found = rows.token(conn, n)
            if found is None:
                raise NotFound(what="token", which=n)
            if found.state(now) != "open":
                raise Conflict(why=f"the token is {found.state(now)} already")
            rows.withdraw_token(conn, n, now)
            audit.record(conn, actor, "enrolment.withdraw", found.name, now, {"token": n})
            return found._replace(withdrawn_at=now)

        found = await self._store.write(withdraw)
        self._bus.publish(EnrolmentChanged(now))
        return found

    async def tokens(self, actor: Actor, *, cursor: int | None = None, limit: int = 50) -> Page:
        """Return tokens, the newest first."""
        actor.require(Scope.ADMIN)
        found = await self._store.read(lambda conn: rows.tokens(conn, cursor, limit + 1))
        return Page(tokens=found[:limit], cursor=found[limit - 1].n if len(found) > limit else None)

    # -- certificates

    async def certificates(
        self, actor: Actor, which: tuple[str, str] | None = None, *, cursor: int | None = None, limit: int = 50
    ) -> Page:
        """Return certificates, the newest first: of one box, or of all."""
        actor.require(Scope.MODEMS)
        found = await self._store.read(lambda conn: rows.certificates(conn, which, cursor, limit + 1))
        return Page(certificates=found[:limit], cursor=found[limit - 1].n if len(found) > limit else None)

    async def enrol(self, wanted: EnrolRequest, source: str) -> Enrolled:
        """Give a certificate for a token; raises TooManyTries, InvalidRequest, EnrolmentRefused."""
        digest = hashlib.sha256(bytes.fromhex(wanted.token)).digest()

        def judge(conn: sqlite3.Connection, now: int, key: bytes) -> _Wanted | CertificateRow | _No:
            found = rows.token_of(conn, digest)
            if found is None:
                return _No("token_unknown", "the hub does not know this token: it is of another hub, or was mistyped")
            if found.used_at is not None:
                return _again(conn, found, key, now)
            if found.state(now) == "withdrawn":
                return _No("token_withdrawn", "the token was withdrawn: ask for a new one")
            if found.state(now) == "expired":
                return _No("token_expired", f"the token ended {_time(found.ends_at)}: ask for a new one")
            name = found.box or wanted.box.lower()
            if not _LABEL.fullmatch(name):
                why = f"the box calls itself {name[:64]!a}, which is no name of a box: make a token for one by name"
                return _No("bad_name", why)
            if not found.box and (
                rows.is_known(conn, found.site, name) or rows.open_token_for(conn, found.site, name, now)
            ):
                why = f"there is a {found.site}/{name} already: make a token for just that name, to replace it"
                return _No("name_taken", why)
            return _Wanted(found.site, name, "token", found.n)

        return await self._give(wanted.csr, source, judge)

    async def renew(self, wanted: RenewRequest, source: str) -> Enrolled:
        """Give another certificate to who has one; raises TooManyTries, InvalidRequest, EnrolmentRefused."""
        serial = serial_of(wanted.certificate)
        if serial is None:
            raise InvalidRequest(FieldProblem("/certificate", "is no certificate (PEM)"))

        def judge(conn: sqlite3.Connection, now: int, key: bytes) -> _Wanted | CertificateRow | _No:
            del key
            found = rows.certificate(conn, serial)
            if found is None:
                return _No("certificate_unknown", "the hub has not given this certificate: enrol with a token")
            if not is_proof(found.pem, wanted.csr, wanted.proof):
                return _No("bad_proof", "the request is not signed by the key of the certificate")
            if found.revoked_at is not None or rows.shut_out(conn, found.site, found.box) is not None:
                return _No("certificate_revoked", "the certificate was revoked: enrol with a new token")
            if found.state(now) == "expired":
                return _No("certificate_expired", f"the certificate ended {_time(found.ends_at)}: enrol with a token")
            if rows.good_ones(conn, found.site, found.box, now) >= MOST_GOOD:
                return _No("too_many", f"{found.name} has {MOST_GOOD} good certificates: revoke it and enrol it anew")
            return _Wanted(found.site, found.box, "renewal")

        return await self._give(wanted.csr, source, judge)

    async def _give(self, csr: str, source: str, judge: _Judge) -> Enrolled:
        authority = self._authority()
        try:
            request = read_request(csr)
        except BadRequestForCertificate as error:
            raise InvalidRequest(FieldProblem("/csr", str(error))) from error
        now, key, asker = to_ms(self._clock.now()), key_digest(request), _Asker(source)
        aims = login_limits.Aim(f"enrol:{origin_of(source)}", 20, 45_000), login_limits.Aim("enrol", 240, 500)
        wait = await self._store.write(lambda conn: login_limits.charge(conn, aims, now))
        if wait:
            _log.warning("enrolment_put_off", source=source, wait_ms=wait)
            raise TooManyTries(wait)
        replaced = 0

        def decide(conn: sqlite3.Connection) -> CertificateRow | _No:
            nonlocal replaced
            verdict = judge(conn, now, key)
            if isinstance(verdict, _Wanted):
                verdict = _known_key(conn, verdict, key, now) or verdict
            if isinstance(verdict, _No):
                audit.record(conn, asker, "enrolment.refuse", verdict.code, now)
                return verdict
            login_limits.forgive(conn, aims)
            if isinstance(verdict, CertificateRow):
                return verdict
            made = authority.certify_box(request, f"{verdict.site}/{verdict.box}", self._config.certificate_days)
            new = _row(verdict, made.serial_number, key, pem_of(made), now, to_ms(made.not_valid_after_utc.timestamp()))
            replaced = _put_down(conn, verdict, new, now)
            told = {"serial": new.serial, "how": new.how, "replaced": replaced}
            audit.record(conn, asker, "enrolment.certificate", new.name, now, told)
            return new

        given = await self._store.write(decide)
        if isinstance(given, _No):
            _log.warning("enrolment_refused", code=given.code, source=source)
            raise EnrolmentRefused(why=given.why, code=given.code)
        _log.info("certificate_given", box=given.name, serial=given.serial, how=given.how)
        if replaced:
            await self.write_list()
        self._bus.publish(EnrolmentChanged(now))
        self._bus.publish(BoxesChanged(now))
        return self._answer(authority, given)

    def _answer(self, authority: Authority, given: CertificateRow) -> Enrolled:
        own = authority.pem.decode("ascii")
        keys = [TrustedKey(kid=self._signer.kid, public=self._signer.public.written)] if self._signer else []
        return Enrolled(
            site=given.site,
            box=given.box,
            certificate=given.pem,
            renew_before_s=self._config.certificate_days * OVERLAP * 86_400,
            authority=own,
            broker_ca=Path(self._config.broker_ca).read_text("ascii") if self._config.broker_ca else own,
            brokers=self._config.brokers,
            hub_keys=keys,
        )

    # -- whom the hub hears no more

    async def revoke(self, actor: Actor, site: str, box: str, why: str = "") -> int:
        """Shut a box out and revoke its certificates; return how many. Raises NotFound, InvalidRequest, Forbidden.

        The hub takes nothing from it and tells it nothing from now on; the broker refuses it once it reads the list.
        """
        actor.require(Scope.ADMIN)
        if len(why) > 200 or not why.isprintable():
            raise InvalidRequest(FieldProblem("/reason", "must be a line of at most 200 letters"))
        now = to_ms(self._clock.now())

        def shut(conn: sqlite3.Connection) -> int:
            if not rows.is_known(conn, site, box):
                raise NotFound(what="box", which=f"{site}/{box}"[:80])
            count = rows.revoke(conn, site, box, now, actor.name, why)
            rows.put_out(conn, site, box, ShutOut(now, actor.name, why))
            commands.cancel_all(conn, site, box, now, "revoked")
            boxes.note_out(conn, site, box, now)
            audit.record(conn, actor, "box.revoke", f"{site}/{box}", now, {"certificates": count, "reason": why})
            return count

        count = await self._store.write(shut)
        _log.warning("box_revoked", box=f"{site}/{box}", certificates=count, actor=actor.name)
        await self.write_list()
        for kind in (EnrolmentChanged, BoxesChanged, CommandsChanged):
            self._bus.publish(kind(now))
        return count

    async def shut_out(self, actor: Actor, site: str, box: str) -> ShutOut | None:
        """Return that a box is shut out; None: it is not."""
        actor.require(Scope.MODEMS)
        return await self._store.read(lambda conn: rows.shut_out(conn, site, box))

    async def write_list(self) -> None:
        """Write the list of revoked certificates for the broker; what goes wrong is in ``crl_why``."""
        authority = self.authority
        if authority is None:
            return
        now = self._clock.now()

        def read(conn: sqlite3.Connection) -> bytes:
            number, dated = rows.next_list(conn, int(now) - DATED_BEFORE_S)
            found = rows.revoked(conn, to_ms(now) - KEPT_ON_LIST_S * 1000)
            return authority.crl([(int(serial, 16), at / 1000) for serial, at in found], number, dated)

        content = await self._store.write(read)
        try:
            await asyncio.to_thread(write_public, self.crl, content)
        except OSError as error:
            self.crl_why = f"{self.crl} cannot be written: {error.strerror}"
            _log.error("revocation_list_not_written", why=self.crl_why)
        else:
            self.crl_why = ""

    def list_anew(self) -> None:
        """Another process of the hub may have revoked a certificate."""
        self._list_due.set()

    async def keep_list(self) -> None:
        """Write the list whenever another process may have changed it, for ever; raises StoreError."""
        while True:
            await self._list_due.wait()
            self._list_due.clear()
            await self.write_list()

    def _authority(self) -> Authority:
        if self.authority is None:
            raise Conflict(why="this hub enrols no boxes: its configuration has no [enrolment] address")
        return self.authority


def _again(conn: sqlite3.Connection, token: TokenRow, key: bytes, now: int) -> CertificateRow | _No:
    """Give the same answer again to whom a token was given for."""
    found = rows.certificate_of_key(conn, key)
    if found is not None and found.serial == token.serial and found.state(now) == "good":
        return found
    return _No(
        "token_used",
        f"the token was used {_time(token.used_at or 0)}, by {token.used_by}, with another key: ask for a new one",
    )


def _known_key(conn: sqlite3.Connection, wanted: _Wanted, key: bytes, now: int) -> CertificateRow | _No | None:
    """Return what a key was given already, or why it gets nothing; None: it is a new one."""
    found = rows.certificate_of_key(conn, key)
    if found is None:
        return None
    same = (found.site, found.box) == (wanted.site, wanted.box) and wanted.how == "renewal"
    if same and found.state(now) == "good":
        return found
    return _No("key_in_use", "there is a certificate for this key already: make a new key")


def _row(wanted: _Wanted, serial: int, key: bytes, pem: str, now: int, ends_at: int) -> CertificateRow:
    return CertificateRow(0, f"{serial:x}", wanted.site, wanted.box, key, pem, now, ends_at, wanted.how, None, "", "")


def _put_down(conn: sqlite3.Connection, wanted: _Wanted, new: CertificateRow, now: int) -> int:
    """Store what is given, in the place of all that the name had where it is for a token; return how many."""
    replaced = 0
    if wanted.token is not None:
        replaced = rows.revoke(conn, new.site, new.box, now, "", "replaced by another enrolment")
        rows.let_in(conn, new.site, new.box)
        rows.use_token(conn, wanted.token, new.name, new.serial, now)
    rows.add_certificate(conn, new)
    return replaced


def _time(at: int) -> str:
    return f"on {rfc3339(at)[:16]}Z"
