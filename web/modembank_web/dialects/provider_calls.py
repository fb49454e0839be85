"""Where providers call the box: receipts and inbound messages. No key is asked; each adapter proves its own calls."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl

import structlog

from modembank import providers
from modembank.errors import ModembankError
from modembank.providers.model import SecretMissing
from modembank.store import StoreError, StoreFull
from modembank_web.answer import Answer
from modembank_web.operation import Access, Call, Operation, Reply
from modembank_web.reading import read_body

PATH = "/hooks/providers/{name}"
BODY_LIMIT = 1_048_576
"""Octets of one call."""
MOST_FIELDS = 1_000
_log = structlog.get_logger()


class NotKept(ModembankError):
    """A call that is to be repeated: what it brought could not be made durable, or could not be proved for now."""

    key = "unavailable"
    template = "what this call brought could not be kept: repeat it"


async def call_provider(call: Call) -> Answer:
    """Give a call to the provider's adapter; what it brought is durable when it is answered."""
    name, method = call.path("name"), call.scope["method"]
    reads = method != "GET" and call.app.providers.named(name) is not None  # nobody's call is not read
    called = providers.Call(
        method=method,
        query=_query(call),
        headers={key.decode("latin-1"): value.decode("latin-1") for key, value in call.headers.items()},
        body=await read_body(call.receive, call.headers, BODY_LIMIT) if reads else b"",
        client=call.source,
    )
    try:
        reply = await call.app.providers.called(name, called)
    except (providers.NotAuthentic, providers.BadCall) as error:
        _log.warning("provider_call_refused", provider=name[:40], error=error.key, client=call.source)
        raise
    except StoreFull:
        raise
    except (StoreError, SecretMissing) as error:
        _log.error("provider_call_not_kept", provider=name[:40], error=str(error))
        raise NotKept from error
    return Answer(reply.body.encode(), reply.status, reply.media_type.encode("latin-1"))


def _query(call: Call) -> dict[str, str]:
    """Return the query; of fields that come twice the last counts."""
    text = call.scope["query_string"].decode("latin-1")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise providers.BadCall(why=f"the query has more than {MOST_FIELDS} fields") from error


def _operation(method: Literal["GET", "POST"], id_: str, summary: str, description: str) -> Operation:
    beyond = ("unauthorized", "bad_call", "unavailable", "store_full")
    body = ("client_gone", "request_timeout", "payload_too_large") if method == "POST" else ()
    return Operation(
        id=id_,
        method=method,
        path=PATH,
        tag="Providers",
        summary=summary,
        description=description,
        run=call_provider,
        access=Access.OPEN,
        parameters={"name": ("The provider's name", "http-1")},
        replies=(Reply(200, "All that it brought is durable", None, "OK", media="text/plain"),),
        raises=(*beyond, *body),
        head=False,
    )


OPERATIONS = (
    _operation(
        "POST",
        "providerCalls",
        "Take a provider's call",
        "For providers alone: receipts and inbound messages, as the provider's own protocol writes them, up to 1 MiB. "
        "No key is asked: each call must prove that it comes from the provider, as its settings say. What is answered "
        "is the provider's protocol too.",
    ),
    _operation(
        "GET",
        "providerAsks",
        "Answer a provider's question",
        "For providers alone: receipts that come in the address, and the challenge by which some providers make sure "
        "that a callback's address is whose they think.",
    ),
)
