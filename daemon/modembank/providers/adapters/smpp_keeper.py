"""Keeping a session with an SMSC: connecting, binding, and coming back when it ends; how soon, depends on why."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import ipaddress
import itertools
import random
import ssl
from typing import Final

import msgspec
import structlog

from modembank.outgoing.addresses import Address, refusal
from modembank.outgoing.errors import EndpointFailed
from modembank.outgoing.posting import system_trust
from modembank.outgoing.resolving import Resolver
from modembank.providers.adapters import smpp_pdu
from modembank.providers.adapters.smpp_link import Deliver, Link, NoAnswer, NotWritten
from modembank.providers.adapters.smpp_pdu import Command
from modembank.providers.adapters.smpp_settings import PASSWORD_LIMIT, Settings
from modembank.providers.adapters.smpp_status_table import CREDENTIALS, RALYBND, RESTING, ROK, cause_of
from modembank.providers.model import Means, SecretMissing

_log = structlog.get_logger()

SETTLED_S: Final = 60.0
"""A session that lived so long ends a row of failures."""
SECRET_LOOK_S: Final = 5.0
"""How often a secret that was refused, or is missing, is looked at for a new one."""
MOST_ADDRESSES: Final = 4
_sessions = itertools.count(1)


class Pause(msgspec.Struct, frozen=True):
    """Seconds until the next try: doubling from the first, with jitter."""

    first_s: float
    most_s: float


class Obstacle(enum.StrEnum):
    """What came in the way of a session, or ended it."""

    UNREACHABLE = "unreachable"
    LOST = "lost"
    UNBOUND = "unbound"
    """It said goodbye: it is going down, or wants to be left alone."""
    REFUSED = "refused"
    BOUND = "bound"
    """A session of ours that died is still there for a while."""
    THROTTLED = "throttled"
    TLS = "tls"
    FORBIDDEN = "forbidden"
    SECRET = "secret"  # noqa: S105 - not one
    CREDENTIALS = "credentials"
    """SMSCs lock accounts that try too often."""


PAUSES: Final = {
    Obstacle.UNREACHABLE: Pause(1.0, 60.0),
    Obstacle.LOST: Pause(1.0, 60.0),
    Obstacle.UNBOUND: Pause(5.0, 60.0),
    Obstacle.REFUSED: Pause(5.0, 300.0),
    Obstacle.BOUND: Pause(15.0, 120.0),
    Obstacle.THROTTLED: Pause(30.0, 300.0),
    Obstacle.TLS: Pause(30.0, 600.0),
    Obstacle.FORBIDDEN: Pause(30.0, 600.0),
    Obstacle.SECRET: Pause(60.0, 900.0),
    Obstacle.CREDENTIALS: Pause(60.0, 900.0),
}


class Trouble(Exception):
    """Why there is no session."""

    def __init__(self, obstacle: Obstacle, text: str) -> None:
        super().__init__(text)
        self.obstacle = obstacle


class Keeper:
    """One session, or the reason why there is none."""

    def __init__(self, settings: Settings, means: Means, command: Command, deliver: Deliver) -> None:
        """Keep a session that is bound by ``command``."""
        self._settings, self._means, self._command, self._deliver = settings, means, command, deliver
        self._resolve = Resolver()
        self._log = _log.bind(smsc=settings.authority, bind=command.name.lower())
        self.link: Link | None = None
        """While it is bound."""
        self.why = f"not connected to {settings.authority} yet"
        """Why it is not."""

    async def run(self) -> None:
        """Keep the session until cancelled, and take leave then."""
        failures = 0
        while True:
            began = self._means.clock.monotonic()
            password = ""
            try:
                password = self._password()
                trouble = await self._session(password)
            except Trouble as error:
                trouble = error
            if (
                trouble.obstacle in {Obstacle.LOST, Obstacle.UNBOUND}
                and self._means.clock.monotonic() - began >= SETTLED_S
            ):
                failures = 0
            wait_s = _pause(trouble.obstacle, failures)
            self.why = f"{trouble}; next try within {max(1, round(wait_s))} s"
            level = self._log.warning if failures == 0 else self._log.debug
            level("smpp_session_ended", cause=trouble.obstacle.value, why=str(trouble), next_s=round(wait_s, 1))
            failures += 1
            await self._wait(wait_s, trouble.obstacle, password)

    def _password(self) -> str:
        try:
            password = self._means.secret(self._settings.password_secret)
        except SecretMissing as error:
            raise Trouble(Obstacle.SECRET, str(error)) from None
        if len(password) > PASSWORD_LIMIT or not password.isascii() or (password and not password.isprintable()):
            why = (
                f"the secret {self._settings.password_secret} is no password: at most {PASSWORD_LIMIT} printable ASCII"
            )
            raise Trouble(Obstacle.SECRET, why)
        return password

    async def _session(self, password: str) -> Trouble:
        """Have one session from the first packet to its end, and return that. Raises Trouble."""
        settings = self._settings
        link = Link(await self._connect(), next(_sessions), self._deliver, settings.response_timeout_s)
        serving = asyncio.create_task(link.serve(settings.enquire_link_s), name="smpp.session")
        try:
            await self._bind(link, password)
            self.link = link
            self._log.info("smpp_bound")
            await asyncio.wait({serving})
        except asyncio.CancelledError:
            self.link = None
            await link.unbind()
            raise
        finally:
            self.link = None
            link.end("the session was ended")
            await asyncio.wait({serving})
        why = link.ended or ""
        return Trouble(Obstacle.UNBOUND if link.unbound else Obstacle.LOST, why)

    async def _bind(self, link: Link, password: str) -> None:
        settings = self._settings
        bounds = smpp_pdu.Address(settings.address_ton, settings.address_npi, settings.address_range)
        body = smpp_pdu.Bind(settings.system_id, password, settings.system_type, bounds).encode()
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                answer = await link.request(self._command, body)
        except TimeoutError:
            raise Trouble(Obstacle.REFUSED, f"no answer to the bind within {settings.connect_timeout_s:g} s") from None
        except (NotWritten, NoAnswer) as error:
            raise Trouble(Obstacle.REFUSED, f"no answer to the bind: {error}") from None
        if answer.status != ROK:
            raise Trouble(_refusal(answer.status), f"the SMSC refuses the bind: {cause_of(answer.status).text}")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that takes it. Raises Trouble."""
        settings, trouble = self._settings, Trouble(Obstacle.UNREACHABLE, f"{self._settings.host} has no address")
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                addresses = await self._addresses()
        except TimeoutError:
            raise Trouble(Obstacle.UNREACHABLE, f"{settings.host} was not looked up in time") from None
        trust = self._trust()
        for one in addresses[:MOST_ADDRESSES]:
            try:
                async with asyncio.timeout(settings.connect_timeout_s):
                    return await asyncio.open_connection(
                        str(one),
                        settings.port,
                        ssl=trust,
                        server_hostname=(settings.tls_name or settings.host) if trust else None,
                    )
            except (OSError, TimeoutError) as error:
                trouble = _explained(error, settings.authority)
        raise trouble

    async def _addresses(self) -> tuple[Address, ...]:
        settings = self._settings
        with contextlib.suppress(ValueError):
            literal = ipaddress.ip_address(settings.host)
            return self._allowed((literal,))
        try:
            return self._allowed(await self._resolve(settings.host, settings.port))
        except EndpointFailed as error:
            raise Trouble(Obstacle.UNREACHABLE, error.reason) from None

    def _allowed(self, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        for one in addresses:
            if why := refusal(one, allow_private=self._means.allow_private):
                raise Trouble(Obstacle.FORBIDDEN, f"{self._settings.host} leads to {one}: {why}")
        return addresses

    def _trust(self) -> ssl.SSLContext | None:
        settings = self._settings
        if not settings.tls:
            return None
        if not settings.tls_ca_secret:
            return system_trust()
        try:
            return ssl.create_default_context(cadata=self._means.secret(settings.tls_ca_secret))
        except SecretMissing as error:
            raise Trouble(Obstacle.SECRET, str(error)) from None
        except (ssl.SSLError, ValueError):
            raise Trouble(Obstacle.SECRET, f"the secret {settings.tls_ca_secret} holds no PEM certificates") from None

    async def _wait(self, seconds: float, obstacle: Obstacle, password: str) -> None:
        """Wait; not for long when the secret that was to blame has changed."""
        if obstacle not in {Obstacle.CREDENTIALS, Obstacle.SECRET}:
            await asyncio.sleep(seconds)
            return
        while seconds > 0:
            await asyncio.sleep(min(seconds, SECRET_LOOK_S))
            seconds -= SECRET_LOOK_S
            with contextlib.suppress(Trouble):
                if self._password() != password:
                    return


def _pause(obstacle: Obstacle, failures: int) -> float:
    """Return how long to wait after so many failures before; many boxes must not come back at the same second."""
    pause = PAUSES[obstacle]
    return min(pause.most_s, pause.first_s * 2.0 ** min(failures, 20)) * random.uniform(0.75, 1.25)


def _refusal(status: int) -> Obstacle:
    if status in CREDENTIALS:
        return Obstacle.CREDENTIALS
    if status == RALYBND:
        return Obstacle.BOUND
    return Obstacle.THROTTLED if status in RESTING else Obstacle.REFUSED


def _explained(error: Exception, where: str) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(Obstacle.TLS, f"the certificate of {where} is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Trouble(Obstacle.TLS, f"no encryption with {where}: {error.reason or error}")
    if isinstance(error, ConnectionRefusedError):
        return Trouble(Obstacle.UNREACHABLE, f"nothing listens at {where}")
    if isinstance(error, TimeoutError):
        return Trouble(Obstacle.UNREACHABLE, f"{where} did not take the connection in time")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Trouble(Obstacle.UNREACHABLE, f"no connection to {where}: {reason}")
