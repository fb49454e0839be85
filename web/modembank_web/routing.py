"""From operations to Litestar's route handlers: authenticate, run, answer, log."""

import functools
import ipaddress
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Litestar, Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Method, Receive, Scope, Send
from litestar.utils.signature import ParsedSignature

from modembank.accounts import Actor
from modembank.accounts import Scope as KeyScope
from modembank.errors import Forbidden, ModembankError
from modembank_web.answer import Answer
from modembank_web.cookies import holder_of_session, session_token
from modembank_web.credentials import presented_key, refuse_key_in_query
from modembank_web.operation import Access, Call, Operation
from modembank_web.problems import Failure, log_internal, new_tracking_id, plain_answer, problem_answer, sort_failure

if TYPE_CHECKING:
    from modembank.app import App

_CALL = "modembank_call"
_EVERYONE = "modembank_everyone"
_ONLY_ONCE = frozenset({b"authorization", b"api-key", b"content-type", b"content-encoding", b"idempotency-key"})
_SUFFIXED = re.compile(r"\{(\w+)\}([^/{}]+)")
Endpoint = Callable[[HTTPScope, Receive], Awaitable[Answer]]
Authenticate = Callable[[Call], Awaitable[Actor]]
Unrouted = Callable[[HTTPScope, Failure, str], Answer | None]
"""Answers a failure under its tracking id where no operation was found; None: as a problem."""


class AccessLog:
    """One event per request: method, path template, status, milliseconds, actor. Never a query, a body or a number.

    What went well is logged at debug: a message accepted has its own durable record, and a line for each of
    thousands in a second would cost more than accepting them. Refusals are at info, faults at error.
    """

    def __init__(self) -> None:
        """Bind the logger once; logging must be configured by now."""
        self._log = structlog.get_logger().bind()
        enabled = getattr(self._log, "is_enabled_for", None)  # only filtering loggers have it
        self._all = enabled is None or bool(enabled(logging.DEBUG))

    def answered(self, call: Call, status: int) -> None:
        """Log an operation's own answer."""
        if self._all:
            self._log.debug("http_request", **_facts(call.scope, call, status))

    def failed(self, scope: HTTPScope, call: Call | None, status: int, code: str, tracking_id: str) -> None:
        """Log a refusal or a fault."""
        level = self._log.error if status >= 500 else self._log.info
        level("http_request", **_facts(scope, call, status), error_code=code, tracking_id=tracking_id)


class BadRequest(ModembankError):
    """The request can be understood in more than one way."""

    key = "bad_request"
    template = "{why}"


def litestar_over(app: "App", operations: Iterable[Operation], unrouted: "Unrouted") -> Litestar:
    """Return the web application that answers these operations, and everything else with ``unrouted`` or a problem."""
    log = AccessLog()
    return Litestar(
        route_handlers=handlers_for(app, operations, log),
        exception_handlers={Exception: FailureAnswers(log, unrouted)},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def with_all_as(everyone: Actor, web: Litestar) -> ASGIApp:
    """Return the same application for a socket that only ``everyone`` can open: no key is asked of who calls."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_EVERYONE] = everyone  # type: ignore[literal-required]  # a server may add to a scope what it likes
        await web(scope, receive, send)

    return answer


def handlers_for(app: "App", operations: Iterable[Operation], log: AccessLog) -> list[ControllerRouterHandler]:
    """Return the route handlers of all operations.

    A path without parameters gets one ASGI route for all its methods, a third cheaper per request than Litestar's
    HTTP routes, which is what accepting messages is made of; Litestar's ASGI routes know no parameters.
    """
    handlers: list[ControllerRouterHandler] = []
    plain: dict[str, dict[str, Endpoint]] = {}
    for operation in operations:
        endpoint = _endpoint(app, operation, log)
        if operation.parameters:
            handlers.append(_with_parameters(operation, endpoint))
        else:
            plain.setdefault(operation.path, {}).update(dict.fromkeys(methods_of(operation), endpoint))
    # Litestar goes through all that it has for each HTTP route that it takes: those come first.
    return [*handlers, *(_plain(path, methods) for path, methods in plain.items())]


def _endpoint(app: "App", operation: Operation, log: AccessLog) -> Endpoint:
    run, needs, access = operation.run, operation.needs, operation.access
    authenticate = operation.authenticate or _holder
    admit = functools.partial(_admit, authenticate, needs)

    async def endpoint(scope: HTTPScope, receive: Receive) -> Answer:
        listed = list(scope["headers"])
        everyone: Actor | None = scope.get(_EVERYONE)  # type: ignore[assignment]
        call = Call(app, scope, receive, dict(listed), everyone, operation.failures)
        scope["state"][_CALL] = call
        if len(call.headers) != len(listed):
            _refuse_repeated(listed)
        _refuse_other_spellings(scope)
        if access is not Access.OPEN and everyone is None and (access is Access.KEY or not is_local(call)):
            await admit(call)
            call.admit_again = admit
        answer = await run(call)
        log.answered(call, answer.status)
        del scope["state"][_CALL]  # it refers to the scope: without the cycle nothing is left to the garbage collector
        return answer

    return endpoint


def _refuse_repeated(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise BadRequest for two headers of which only one can be meant: which one counts would depend on who reads."""
    seen = [name for name, _ in headers if name in _ONLY_ONCE]
    for name in seen:
        if seen.count(name) > 1:
            raise BadRequest(why=f"the header {name.decode().title()} is given {seen.count(name)} times")


def _refuse_other_spellings(scope: HTTPScope) -> None:
    """Raise NotFoundException for an address that only looks like one of ours when its slashes are rewritten.

    With an empty or encoded part, ``/messages/{id}/settle`` would become ``/messages/settle``; and who guards some
    addresses before the box would not know all their spellings.
    """
    path = scope.get("raw_path") or b""
    if b"//" in path or (b"%" in path and b"%2f" in path.lower()):
        raise NotFoundException


def _plain(path: str, methods: Mapping[str, Endpoint]) -> ASGIRouteHandler:
    allowed = ", ".join(sorted([*methods, "OPTIONS"]))

    async def serve_path(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == ScopeType.HTTP
        endpoint = methods.get(scope["method"])
        if endpoint is not None:
            answer = await endpoint(scope, receive)
        elif scope["method"] == "OPTIONS":
            answer = Answer(b"", 204, extra=((b"allow", allowed.encode()),))
        else:
            raise MethodNotAllowedException(headers={"allow": allowed})
        await answer(scope, receive, send)

    return _PathHandler(path, name=f"path:{path}", copy_scope=False)(serve_path)


def _with_parameters(operation: Operation, endpoint: Endpoint) -> HTTPRouteHandler:
    path, suffixes = route_of(operation.path)

    async def serve_operation(request: Request[Any, Any, Any]) -> ASGIApp:
        if suffixes:
            given = request.scope["path_params"]  # Litestar keeps it for the next request: it must stay as it is
            if not all(given[name].endswith(suffix) for name, suffix in suffixes.items()):
                raise NotFoundException
            request.scope["path_params"] = {
                name: value.removesuffix(suffixes.get(name, "")) for name, value in given.items()
            }
        return await endpoint(request.scope, request.receive)

    # Litestar guesses 204 for DELETE and then refuses a body; the answer brings its own status.
    handler = _OperationHandler(path, http_method=methods_of(operation), name=operation.id, status_code=200)
    return handler(serve_operation)


class _PathHandler(ASGIRouteHandler):
    """All have the signature of ``serve_path``; read anew for each it would be a third of create_app()'s work."""

    @property
    def parsed_fn_signature(self) -> ParsedSignature:
        """What Litestar knows of the function."""
        return _path_signature()


class _OperationHandler(HTTPRouteHandler):
    """All have the signature of ``serve_operation``, also read once."""

    @property
    def parsed_fn_signature(self) -> ParsedSignature:
        """What Litestar knows of the function."""
        return _operation_signature()


@functools.cache
def _path_signature() -> ParsedSignature:
    async def like_all(scope: Scope, receive: Receive, send: Send) -> None: ...

    return ParsedSignature.from_fn(like_all, {})


@functools.cache
def _operation_signature() -> ParsedSignature:
    async def like_all(request: Request[Any, Any, Any]) -> ASGIApp: ...  # type: ignore[empty-body]

    return ParsedSignature.from_fn(like_all, {})


def methods_of(operation: Operation) -> list[Method]:
    """Return what an operation answers: what is open also to HEAD, as what watches over a box often asks.

    The server sends no body then.
    """
    heads = operation.head and operation.method == "GET" and operation.access is not Access.KEY
    return [operation.method, "HEAD"] if heads else [operation.method]


def route_of(path: str) -> tuple[str, dict[str, str]]:
    """Return an operation's path as Litestar reads it, and what follows parameters within their part of the path.

    A parameter is a whole part there: of ``/{sid}.json`` it is given ``{sid}`` with ``.json``, which is taken off.
    """
    suffixes = dict(_SUFFIXED.findall(path))
    return _SUFFIXED.sub(r"{\1}", path).replace("}", ":str}"), suffixes


class FailureAnswers:
    """The one place where what was raised becomes a problem; Litestar calls it for every exception."""

    def __init__(self, log: AccessLog, unrouted: Unrouted | None = None) -> None:
        """Tell the access log of each; ``unrouted`` answers in its own way where no operation was found, or not."""
        self._log = log
        self._unrouted = unrouted

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """Return the problem for an exception, and log it under its tracking id."""
        scope = request.scope
        failure, tracking_id = sort_failure(error), new_tracking_id()
        call: Call | None = scope.get("state", {}).pop(_CALL, None)
        try:
            answer = self._answer(scope, call, failure, tracking_id)
        except Exception as second:  # noqa: BLE001  # whatever breaks while an error is told, somebody hears of it
            log_internal(second, tracking_id, method=scope["method"], path=scope.get("path_template"))
            answer = plain_answer(failure, tracking_id)
        if failure.kind.key == "internal_error":
            log_internal(error, tracking_id, method=scope["method"], path=scope.get("path_template"))
        self._log.failed(scope, call, answer.status, failure.kind.code, tracking_id)
        return _Ready(answer)

    def _answer(self, scope: HTTPScope, call: Call | None, failure: Failure, tracking_id: str) -> Answer:
        if call is not None and call.failures is not None:
            return call.failures.answer(failure, tracking_id)
        told = self._unrouted(scope, failure, tracking_id) if call is None and self._unrouted is not None else None
        return told or problem_answer(failure, scope["path"], tracking_id)


class _Ready(Response[bytes]):
    """Lets an Answer pass where Litestar wants a Response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(b"", status_code=answer.status)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self._answer


def is_local(call: Call) -> bool:
    """Whether a program on the box itself asks, and not on behalf of another through a proxy."""
    client = call.scope.get("client")
    if client is None or b"x-forwarded-for" in call.headers or b"forwarded" in call.headers:
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def _admit(authenticate: Authenticate, needs: tuple[KeyScope, ...], call: Call) -> None:
    query = call.scope["query_string"]
    if query:
        refuse_key_in_query(query)
    actor = await authenticate(call)
    call.actor = actor = actor.at(call.source)
    if needs and not actor.is_admin and actor.scopes.isdisjoint(needs):
        words = " or ".join(scope.value for scope in needs)
        raise Forbidden(why=f"this needs a key with the scope {words}")


async def _holder(call: Call) -> Actor:
    """Return who holds the key, or, when there is none, the session's cookie."""
    headers = call.headers
    if b"cookie" in headers and b"authorization" not in headers and b"api-key" not in headers:
        token = session_token(headers)
        if token:
            return await holder_of_session(call, token, local=is_local(call))
    return await call.app.accounts.authenticate(presented_key(headers), call.source)


def _facts(scope: HTTPScope, call: Call | None, status: int) -> dict[str, object]:
    return {
        "method": scope["method"],
        "path": scope.get("path_template"),
        "status": status,
        "ms": None if call is None else round((time.perf_counter() - call.started) * 1000, 2),
        "actor": None if call is None or call.actor is None else call.actor.name,
    }
