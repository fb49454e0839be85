"""A box behind its real server for fuzzing: on loopback with keys, and on the local socket without."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog

from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.config import WebConfig
from modembank.messages import SubmitRequest
from modembank_web import WebServer, serve, with_all_as
from modembankd.local import SOCKET_NAME, listen_locally

T = TypeVar("T")
WITHIN_S = 20.0
NO_FAULTS = {"USSD_FAILED", "NO_PROVIDER_AVAILABLE"}
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n"


class Faults(logging.Handler):
    """What the server logged as its own fault, from either logger."""

    def __init__(self, events: list[MutableMapping[str, Any]]) -> None:
        super().__init__(logging.ERROR)
        self._events = events
        self._records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def taken(self) -> list[str]:
        """What came since the last time."""
        # A USSD code that no modem can carry is answered 502, and a channel without a provider 503: a gateway's word,
        # not a fault of the box.
        bad = [event for event in self._events if event["log_level"] in {"error", "critical"}]
        ours = [repr(event) for event in bad if event.get("error_code") not in NO_FAULTS]
        found = ours + [f"{record.getMessage()} {record.exc_info}" for record in self._records]
        self._events.clear()
        self._records.clear()
        return found


@dataclass
class Session:
    """Both servers, a key of each kind, and what the box says of itself."""

    runner: asyncio.Runner
    folder: Path
    box: Box
    servers: list[WebServer]
    faults: Faults
    keys: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=lambda: {"slot": "slot-03", "iccid": ICCID})
    """Parts of paths that exist."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the servers' loop."""
        return self.runner.run(work)

    async def connect(self, *, locally: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the local socket, or over loopback."""
        if locally:
            return await asyncio.open_unix_connection(self.folder / SOCKET_NAME)
        return await asyncio.open_connection(*self.servers[0].address)

    async def alive(self) -> None:
        """Whatever came before, the next client is answered, and nothing was the box's own fault."""
        reader, writer = await self.connect(locally=False)
        writer.write(HEALTH)
        answer = await asyncio.wait_for(reader.read(), WITHIN_S)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        faults = self.faults.taken()
        assert not faults, faults


async def _begun(session: Session) -> None:
    box = session.box
    session.servers.append(await serve(box.web, WebConfig(listen="127.0.0.1:0")))
    local = with_all_as(LOCAL_ADMIN, box.web)
    session.servers.append(await serve(local, WebConfig(), sockets=[listen_locally(session.folder)]))
    session.keys = {
        "admin": await box.key(Role.ADMIN),
        "sender": await box.key(Role.SENDER),
        "reader": await box.key(Role.SENDER, Scope.MESSAGES_READ, name="reader"),
        "writer": await box.key(Role.SENDER, Scope.MESSAGES_SEND, name="writer"),
        "forged": "mb_0000000000000000_forged",
        "nobody": "",
    }
    receipt = await box.messages.submit(LOCAL_ADMIN, SubmitRequest(to="+447900900123", text="hello"))
    session.real["id"] = receipt.messages[0].id
    reader, writer = await session.connect(locally=False)
    writer.write(HEALTH.replace(b"/healthz", b"/openapi.json"))
    answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    writer.close()
    session.document = json.loads(answer.partition(b"\r\n\r\n")[2])


async def _ended(session: Session) -> None:
    for server in session.servers:
        assert await server.stop()
    await session.box.bank.stop()
    await session.box.store.close()


@contextmanager
def web_session() -> Iterator[Session]:
    """A session in a throw-away folder; what the servers log is kept from the terminal and looked at."""
    listener = logging.getLogger("uvicorn.error")
    with (
        tempfile.TemporaryDirectory() as folder,
        structlog.testing.capture_logs() as events,
        asyncio.Runner() as runner,
    ):
        faults = Faults(events)
        listener.addHandler(faults)
        session = Session(runner, Path(folder), runner.run(make_box(Path(folder))), [], faults)
        try:
            runner.run(_begun(session))
            yield session
        finally:
            runner.run(_ended(session))
            listener.removeHandler(faults)


def against(play: Callable[[Session, bytes], Coroutine[Any, Any, None]]) -> Any:
    """Make a target's ``open`` of what is played against a session."""

    @contextmanager
    def opened() -> Iterator[Callable[[bytes], None]]:
        with web_session() as session:
            yield lambda octets: session.run(play(session, octets))

    return opened
