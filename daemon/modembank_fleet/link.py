"""One connection to a broker: MQTT 5 over aiomqtt, without what aiomqtt and paho hide or do too early.

* A PUBACK's reason code is told: a refused publish is an error, not silence.
* A message is acknowledged when its owner says so, after the commit; Receive Maximum bounds how many wait,
  and where a broker goes beyond it (Mosquitto 2.0.11 does, after the first PUBACK) a bound of our own.
* Nothing waits in the library's memory: a publish waits for its PUBACK, and only so many are under way as the broker
  takes.
* Each connection is a client of its own: nothing of the one before is sent again unasked.
* A lost connection is one error, whichever thread or callback noticed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from modembank.errors import ModembankError
from modembank_fleet.wire import MOST_OCTETS

NO_SUBSCRIBERS = 0x10
"""PUBACK: the broker took it, and nobody listens (MQTT 5, 3.4.2.1)."""
CONNECT_S = 30.0
"""A broker after an outage is slow for everybody: who gives up earlier only makes it slower."""
PUBACK_S = 30.0
DISCONNECT_S = 2.0
STABLE_S = 60.0
"""A connection that held for less does not count as one that works."""
MOST_S = 300.0
_MOST_DOUBLINGS = 32
"""More make no difference, and after a thousand failures a float would not hold the number."""
_MOST_UNSENT = 16
"""Messages of QoS 0 on their way to the socket."""
_MOST_WAITING = 1000
"""Messages that came and wait for their owner. What is beyond is dropped without a PUBACK, so that it comes again."""

_QUIET = logging.getLogger("modembank.mqtt")
"""What the libraries would log is told as errors."""
_QUIET.setLevel(logging.CRITICAL + 1)


class LinkError(ModembankError):
    """The connection could not be made, or is gone."""

    key = "link_lost"
    template = "{why}"


class LinkRefused(ModembankError):
    """The broker said no."""

    key = "link_refused"
    template = "the broker refused {what}: {reason} (0x{code:02x})"

    def __init__(self, what: str, code: int, reason: str) -> None:
        """Name what was refused, and the broker's reason code (MQTT 5, 2.4)."""
        super().__init__(what=what, code=code, reason=reason)
        self.code = code


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files; an empty ``ca`` means the system's."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """Read them; raises LinkError."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.hostname_checks_common_name = False
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError, ValueError) as error:
            named = ", ".join(Path(name).name for name in (self.ca, self.certificate, self.key) if name)
            raise LinkError(why=f"certificates cannot be used ({named}): {error}") from error
        return context


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, for a broker that asks for them."""

    username: str
    password: str = field(repr=False)


class Broker(msgspec.Struct, frozen=True):
    """Where, and how to connect."""

    host: str
    port: int
    client_id: str
    tls: TlsFiles | None = None
    """None: without TLS, for loopback and tests."""
    login: Login | None = None
    session_expiry_s: int = 0
    """The broker keeps the session for so long; a will that is delayed needs it."""
    receive_maximum: int = 20
    keepalive_s: int = 30
    connect_s: float = CONNECT_S


class Will(msgspec.Struct, frozen=True):
    """What the broker says when the connection breaks."""

    topic: str
    payload: bytes
    delay_s: int = 30


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that came."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    number: int
    """The packet's; the same again only while it was not acknowledged."""
    again: bool
    """It was sent before, and may have come (DUP)."""
    user: Mapping[str, str]
    """User properties; of those that come twice, the first."""
    expiry_s: int | None
    """What is left of its time; the broker counts it down."""
    response_topic: str
    correlation: bytes
    _ack: Callable[[], None] = field(repr=False, compare=False)

    def ack(self) -> None:
        """Tell the broker that it may forget it; call this after the commit. Without a connection it does nothing."""
        self._ack()


class Backoff:
    """How long to wait before the next connection: spread over a window at first, then full jitter up to five minutes.

    It starts over only after a connection that held for a minute.
    """

    def __init__(self, window_s: float = 120.0, draw: Callable[[float, float], float] = random.uniform) -> None:
        """``window_s`` is the hub's wish: over how many seconds all boxes spread their first try."""
        self.window_s = window_s
        self._draw = draw
        self._failed = 0

    def next_s(self) -> float:
        """Return the seconds until the next try."""
        self._failed += 1
        doubled = self.window_s * 2 ** min(self._failed - 1, _MOST_DOUBLINGS)
        return self._draw(0.0, min(doubled, max(MOST_S, self.window_s)))

    def held(self, seconds: float) -> None:
        """A connection ended after so many seconds."""
        if seconds >= STABLE_S:
            self._failed = 0


class _Client(aiomqtt.Client):
    """aiomqtt's client with its callbacks told in full."""

    def __init__(self, broker: Broker, tls: ssl.SSLContext | None, will: Will | None, *, clean_start: bool) -> None:
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.ReceiveMaximum = broker.receive_maximum
        connect.MaximumPacketSize = MOST_OCTETS + 4096
        connect.SessionExpiryInterval = broker.session_expiry_s
        super().__init__(
            broker.host,
            broker.port,
            identifier=broker.client_id,
            username=broker.login.username if broker.login else None,
            password=broker.login.password if broker.login else None,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=_will(will),
            clean_start=clean_start,
            keepalive=broker.keepalive_s,
            tls_context=tls,
            properties=connect,
            timeout=broker.connect_s,
            logger=_QUIET,
        )
        self._client.connect_timeout = broker.connect_s
        if tls is not None:
            self._client._ssl_wrap_socket = _handshake(tls, broker)  # type: ignore[assignment]
        self._client.manual_ack_set(True)
        self.published: dict[int, asyncio.Future[ReasonCode]] = {}
        self.early: list[paho.MQTTMessage] = []
        """What a kept session delivers right behind the CONNACK, before anybody has taken over."""
        self.arrived: Callable[[paho.MQTTMessage], None] = self.early.append
        self.session_present = False
        self.takes = 65_535
        """How many publishes the broker takes before it has acknowledged one (Receive Maximum)."""
        self.why = ""

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.session_present = bool(flags.session_present)
        self.takes = getattr(properties, "ReceiveMaximum", None) or self.takes
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.why = str(reason_code)
        if not self._connected.done():  # the broker hung up in the middle: aiomqtt would wait for its timeout
            self._connected.set_exception(aiomqtt.MqttError(f"the broker hung up: {reason_code}"))
            self._connected.exception()  # nobody may be there to hear of it: the try was given up for another reason
            return
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self.arrived(message)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        waiting = self.published.pop(mid, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason_code)

    # A socket may be gone by the time its loop hears of it, and its number may be somebody else's by then. paho calls
    # these from the thread that connects, too.

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        def readable() -> None:
            with contextlib.suppress(OSError, ValueError):  # paho has told _on_disconnect by then
                client.loop_read()
                while client.socket() is not None and hasattr(sock, "pending") and sock.pending() > 0:
                    client.loop_read()

        def begin() -> None:
            if sock.fileno() >= 0:
                self._loop.add_reader(sock.fileno(), readable)
                self._misc_task = self._loop.create_task(self._misc_loop(), name="link.keepalive")

        self._loop.call_soon_threadsafe(begin)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        def writable() -> None:
            with contextlib.suppress(OSError, ValueError):
                client.loop_write()

        def begin() -> None:
            if sock.fileno() >= 0 and client.want_write():
                with contextlib.suppress(RuntimeError):  # uvloop has noticed before paho that the broker is gone
                    self._loop.add_writer(sock.fileno(), writable)

        self._loop.call_soon_threadsafe(begin)

    def _on_socket_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        number = sock.fileno()
        if asyncio._get_running_loop() is self._loop:
            self._loop.remove_writer(number)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        if asyncio._get_running_loop() is self._loop:
            super()._on_socket_close(client, userdata, sock)

    def close(self) -> None:
        """Let go of the socket, whatever state it is in."""
        self._client._sock_close()
        if self._misc_task is not None:
            self._misc_task.cancel()
        for waiting in self.published.values():
            waiting.cancel()


class Session:
    """A connection that stands; made by ``connect``."""

    def __init__(self, client: _Client) -> None:
        """Take over a client that is connected."""
        self._client = client
        self._paho = client._client
        self._room = asyncio.Semaphore(min(client.takes, 100))
        self._waiting: deque[Incoming] = deque()
        self._news = asyncio.Event()
        self.dropped = 0
        """Messages for which there was no room."""
        client.arrived = self._arrived
        for message in client.early:
            self._arrived(message)
        client._disconnected.add_done_callback(lambda _: self._news.set())

    @property
    def session_present(self) -> bool:
        """Whether the broker remembered the session; when not, it has forgotten subscriptions too."""
        return self._client.session_present

    @property
    def alive(self) -> bool:
        """Whether nobody has noticed yet that it is gone."""
        return not self._client._disconnected.done()

    @property
    def waiting(self) -> int:
        """How many messages have come that nobody has received yet."""
        return len(self._waiting)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: float | None = None,
        user: Mapping[str, str] | None = None,
        response_topic: str = "",
        correlation: bytes = b"",
    ) -> int:
        """Publish, and return the broker's reason code when it has answered (0, or NO_SUBSCRIBERS).

        A message of QoS 0 is dropped (with reason 0) while the connection takes nothing: it does not pile up in memory.
        Raises LinkRefused, LinkError.
        """
        properties = _properties(expiry_s, user or {}, response_topic, correlation)
        if qos == 0:
            if len(self._paho._out_packet) < _MOST_UNSENT:
                self._send(topic, payload, 0, retain, properties)
            return 0
        async with self._room:
            mid = self._send(topic, payload, qos, retain, properties)
            told = self._client.published[mid] = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait(
                    (told, self._client._disconnected), timeout=PUBACK_S, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                self._client.published.pop(mid, None)
        if not told.done() or told.cancelled():
            raise LinkError(
                why=self._lost() if told.cancelled() or not self.alive else "the broker does not acknowledge"
            )
        code = told.result()
        if code.is_failure:
            raise LinkRefused(topic, code.value, str(code))
        return int(code.value)

    async def subscribe(self, *filters: str, qos: int = 1, shared: bool = False) -> None:
        """Subscribe, with the retain flag as it was published; raises LinkRefused, LinkError.

        What is retained comes at once. A shared subscription may not ask to be spared its own messages.
        """
        options = SubscribeOptions(qos=qos, noLocal=not shared, retainAsPublished=True, retainHandling=0)
        try:
            codes = await self._client.subscribe([(name, options) for name in filters])
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise LinkError(why=self._lost(error)) from error
        for name, code in zip(filters, codes, strict=False):
            if isinstance(code, ReasonCode) and code.is_failure:
                raise LinkRefused(name, code.value, str(code))

    async def receive(self) -> Incoming:
        """Return the next message; raises LinkError when the connection is gone (what came before it is told first)."""
        while not self._waiting:
            if not self.alive:
                raise LinkError(why=self._lost())
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    async def lost(self) -> LinkError:
        """Wait until the connection is gone, and return why."""
        await asyncio.wait((self._client._disconnected,))
        return LinkError(why=self._lost())

    def _send(self, topic: str, payload: bytes, qos: int, retain: bool, properties: Properties) -> int:
        if not self.alive:
            raise LinkError(why=self._lost())
        try:
            info = self._paho.publish(topic, payload, qos, retain, properties)
        except (ValueError, OSError) as error:
            raise LinkError(why=f"cannot be sent: {error}") from error
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise LinkError(why=self._lost(info.rc))
        return int(info.mid)

    def _lost(self, error: object = None) -> str:
        return f"connection lost: {self._client.why or error or 'the broker is gone'}"

    def _arrived(self, message: paho.MQTTMessage) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return
        told = message.properties
        user: dict[str, str] = {}
        for name, value in getattr(told, "UserProperty", ()):
            user.setdefault(name, value)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._waiting.append(
            Incoming(
                topic=topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=bool(message.retain),
                number=message.mid,
                again=bool(message.dup),
                user=user,
                expiry_s=getattr(told, "MessageExpiryInterval", None),
                response_topic=getattr(told, "ResponseTopic", ""),
                correlation=getattr(told, "CorrelationData", b""),
                _ack=lambda: self._ack(message.mid, message.qos),
            )
        )
        self._news.set()

    def _ack(self, mid: int, qos: int) -> None:
        if qos and self.alive:
            self._paho.ack(mid, qos)


@contextlib.asynccontextmanager
async def connect(broker: Broker, will: Will | None = None, *, clean_start: bool = True) -> AsyncIterator[Session]:
    """Connect, and disconnect at the end of the block: in order when it ended well, else as a crash would.

    Raises LinkError, LinkRefused.
    """
    tls = None if broker.tls is None else await asyncio.to_thread(broker.tls.context)
    client = _Client(broker, tls, will, clean_start=clean_start)
    entering = asyncio.create_task(client.__aenter__(), name="link.connect")
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda done: _abandoned(done, client))
        raise
    except MqttConnectError as error:
        client.close()
        code = error.rc if isinstance(error.rc, ReasonCode) else None
        raise LinkRefused(
            what="the connection", code=code.value if code else int(str(error.rc)), reason=str(code or error)
        ) from error
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        client.close()
        raise LinkError(why=f"cannot connect to {broker.host}:{broker.port}: {error}") from error
    try:
        yield Session(client)
        if not client._disconnected.done():
            client._client.disconnect()
            await asyncio.wait((client._disconnected,), timeout=DISCONNECT_S)
    finally:
        if client._disconnected.done():
            client._disconnected.exception()
        client.close()


async def first_error(*loops: Awaitable[None]) -> None:
    """Run loops that never end until one fails; raise what it raised, when all have ended."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _abandoned(entering: asyncio.Task[Any], client: _Client) -> None:
    """The thread that connects cannot be stopped: what it brings is let go when it comes."""
    if not entering.cancelled():
        entering.exception()
    client.close()


def _handshake(tls: ssl.SSLContext, broker: Broker) -> Callable[[socket.socket], ssl.SSLSocket]:
    """Return what paho calls for its handshake: with a timeout of our own, and no socket left behind."""

    def wrap(sock: socket.socket) -> ssl.SSLSocket:
        made = tls.wrap_socket(sock, server_hostname=broker.host, do_handshake_on_connect=False)
        with contextlib.ExitStack() as undo:
            undo.callback(made.close)
            made.settimeout(broker.connect_s)
            made.do_handshake()
            undo.pop_all()
        return made

    return wrap


def _will(will: Will | None) -> aiomqtt.Will | None:
    if will is None:
        return None
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.WillDelayInterval = will.delay_s
    properties.ContentType = "application/json"
    properties.PayloadFormatIndicator = 1
    return aiomqtt.Will(will.topic, will.payload, qos=1, retain=True, properties=properties)


def _properties(expiry_s: float | None, user: Mapping[str, str], response_topic: str, correlation: bytes) -> Properties:
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    made.ContentType = "application/json"
    if "ce" not in user:
        made.PayloadFormatIndicator = 1
    if user:
        made.UserProperty = list(user.items())
    if expiry_s is not None:
        made.MessageExpiryInterval = max(1, round(expiry_s))
    if response_topic:
        made.ResponseTopic = response_topic
    if correlation:
        made.CorrelationData = correlation
    return made
