"""One operation of the API, declared once: what runs, who may, what comes in and out, and how it is documented."""

from __future__ import annotations

import enum
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import msgspec
from litestar.types import HTTPScope, Receive

from modembank.accounts import Actor, Scope
from modembank_web.answer import Answer
from modembank_web.forms import FORM_LIMIT, FormBody, check_form_media
from modembank_web.reading import JsonBody, check_json_media, read_body, read_query

if TYPE_CHECKING:
    from modembank.app import App
    from modembank_web.pages.navigation import Group
    from modembank_web.problems import Failure, ProblemKind

T = TypeVar("T")


class Access(enum.Enum):
    """Who may call an operation at all."""

    KEY = "key"
    """Whoever presents a valid API key."""
    OPEN = "open"
    """Anybody who reaches the box."""
    LOCAL_OR_KEY = "local_or_key"
    """Programs on the box itself; from elsewhere with a key."""


class Call(msgspec.Struct):
    """One request in the hands of an operation."""

    app: App
    scope: HTTPScope
    receive: Receive
    headers: Mapping[bytes, bytes]
    actor: Actor | None = None
    failures: Failures | None = None
    admit_again: Callable[[Call], Awaitable[None]] | None = None
    """Raises when the caller may not come in any more, for an answer that goes on; None: nobody was asked."""
    started: float = msgspec.field(default_factory=time.perf_counter)
    pulse: int = 0
    """Of the event log when a page began to read: what its stream compares (``EventLog.pulse``)."""
    groups: Sequence[Group] | None = None
    """Of the menu of a page; None: the box's."""

    @property
    def source(self) -> str:
        """The address that the request comes from; empty when its peer has none (a Unix socket)."""
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def caller(self) -> Actor:
        """The authenticated actor; only operations that need a key may ask."""
        if self.actor is None:
            message = "this operation is open and has no actor"
            raise RuntimeError(message)
        return self.actor

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        value: str = self.scope["path_params"][name]
        return value

    def query(self, shape: type[T]) -> T:
        """Return the query decoded; raises InvalidRequest."""
        return read_query(self.scope["query_string"], shape)

    async def body(self) -> bytes:
        """Return the JSON body as it came; raises what ``read_body`` and ``check_json_media`` raise."""
        check_json_media(self.headers)
        return await read_body(self.receive, self.headers)

    async def json(self, reader: JsonBody[T]) -> T:
        """Return the body decoded; raises InvalidRequest too."""
        return reader.read(await self.body())

    async def form(self, reader: FormBody[T]) -> T:
        """Return a form decoded; raises what ``read_body`` and ``check_form_media`` raise, and InvalidRequest."""
        check_form_media(self.headers)
        return reader.read(await read_body(self.receive, self.headers, FORM_LIMIT))


Run: TypeAlias = Callable[[Call], Awaitable[Answer]]


class Reply(msgspec.Struct, frozen=True):
    """One answer that is no error."""

    status: int
    description: str
    shape: Any = None
    """The msgspec Struct of a JSON body; None for another media type."""
    example: Any = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Name to description."""
    media: str = "application/json"


class Body(msgspec.Struct, frozen=True):
    """What a request's body is: a msgspec Struct, as JSON or as another media type with the same fields."""

    shape: Any
    examples: Mapping[str, Any]
    media: str = "application/json"
    also: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Text in other media types that is taken too: media type to example."""


def _own_status(kind: ProblemKind) -> int:
    return kind.status


class Failures(msgspec.Struct, frozen=True):
    """How a dialect writes what is refused, where its clients expect something else than a problem."""

    answer: Callable[[Failure, str], Answer]
    """From the failure and its tracking id."""
    shape: Any
    example: Callable[[ProblemKind], Any]
    media: str = "application/json"
    status: Callable[[ProblemKind], int] = _own_status
    """With which status it answers a kind of problem."""


class Operation(msgspec.Struct, frozen=True):
    """A method on a path."""

    id: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    tag: str
    summary: str
    description: str
    run: Run
    replies: tuple[Reply, ...]
    access: Access = Access.KEY
    needs: tuple[Scope, ...] = ()
    """One of these scopes is needed."""
    body: Body | None = None
    query: Any = None
    parameters: Mapping[str, tuple[str, Any]] = msgspec.field(default_factory=dict)
    """Of the path: name to description and example."""
    headers: Mapping[str, tuple[str, Any]] = msgspec.field(default_factory=dict)
    """Optional request headers: name to description and example."""
    raises: tuple[str, ...] = ()
    """Keys of problems beyond those that follow from the rest."""
    authenticate: Callable[[Call], Awaitable[Actor]] | None = None
    """Of a dialect with credentials of its own; None: API keys, and sessions."""
    failures: Failures | None = None
    """None: problems (RFC 9457)."""
    head: bool = True
    """Whether HEAD is answered too, where anybody may GET it; the server leaves the body out."""

    @property
    def problems(self) -> tuple[str, ...]:
        """The keys of all problems it can answer."""
        keys = ["bad_request", "internal_error"]
        if self.access is not Access.OPEN:
            keys += ["key_in_address", "unauthorized", "forbidden", "unavailable"]
            if self.authenticate is None:
                keys.append("not_logged_in")
        if self.body is not None:
            keys += ["client_gone", "request_timeout", "payload_too_large", "unsupported_media_type", "invalid_payload"]
        if self.query is not None:
            keys.append("invalid_payload")
        if self.parameters:
            keys.append("not_found")
        if self.method != "GET":
            keys.append("store_full")
        return tuple(dict.fromkeys([*keys, *self.raises]))
