"""What a client can do, each as steps: one source for both clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace

from modembank.client import shapes
from modembank.client.errors import ClientError, NotSettled
from modembank.client.exchange import (
    Give,
    Items,
    Request,
    Retry,
    Steps,
    Wait,
    exchange,
    json_request,
    new_idempotency_key,
)
from modembank.client.shapes import Message, Receipt, Said

T = TypeVar("T")
ROOT = "/api/v1"
_FIRST_LOOK_S, _RAREST_LOOK_S = 0.25, 3.0


def path_of(*parts: str) -> str:
    """Return the path of a resource; each part stays one part, whatever is in it."""
    return "/".join([ROOT, *(quote(part, safe="") for part in parts)])


def with_query(path: str, query: Mapping[str, object]) -> str:
    """Return a path with those parameters that are not None."""
    given = {name: plain(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def read(shape: type[T], body: bytes) -> T:
    """Return an answer's body as a shape; raises ClientError when the box's answer is none."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the box's answer cannot be read as {shape.__name__}: {error}; is this the address of a Modembank?"
        raise ClientError(message) from error


def ask(retry: Retry, request: Request, shape: type[T]) -> Steps[T]:
    """Make a request and read its answer."""
    response = yield from exchange(request, retry)
    return read(shape, response.body)


def pages(retry: Retry, path: str, shape: type[T]) -> Items[T]:
    """Give every item of a list; the next page is asked for when the one before was used up."""
    return _pages(retry, path, lambda item: read(shape, item))


def _pages(retry: Retry, path: str, item_of: Callable[[bytes], T]) -> Items[T]:
    address: str | None = path
    while address is not None:
        response = yield from exchange(Request("GET", address), retry)
        page = read(_Page, response.body)
        for item in page.items:
            yield Give(item_of(bytes(item)))
        address = page.next


class _Direction(msgspec.Struct):
    direction: str


class _Page(msgspec.Struct):
    items: tuple[msgspec.Raw, ...]
    next: str | None = None


def send(
    retry: Retry,
    /,
    to: str | Iterable[str],
    text: str,
    *,
    channel: str | None = None,
    subject: str | None = None,
    reference: str | None = None,
    sim: str | None = None,
    pool: str | None = None,
    providers: Sequence[str] | None = None,
    priority: int | None = None,
    valid_for_s: int | None = None,
    send_at: datetime | str | None = None,
    window: str | None = None,
    delivery_report: bool | None = None,
    encoding: str | None = None,
    flash: bool | None = None,
    max_segments: int | None = None,
    on_unknown: str | None = None,
    dry_run: bool | None = None,
    partial: bool | None = None,
    idempotency_key: str | None = None,
) -> Steps[Receipt]:
    """Send a text to one number or many; returns when the box has made it durable.

    It is tried again after timeouts and broken connections, under one idempotency key: never sent twice. Give an
    ``idempotency_key`` of your own to be as safe when your program itself is started again. With ``partial`` good
    recipients are accepted though others are refused, and ``messages`` has the verdict on each. ``channel`` is
    ``sms`` when left out; ``email`` (with a ``subject``) and ``whatsapp`` need a provider of theirs on the box.
    """
    asked = {
        "to": to if isinstance(to, str) else list(to), "text": text, "channel": channel, "subject": subject,
        "reference": reference, "sim": sim, "pool": pool,
        "providers": providers, "priority": priority, "valid_for_s": valid_for_s, "send_at": plain(send_at),
        "window": window, "delivery_report": delivery_report, "encoding": encoding, "flash": flash,
        "max_segments": max_segments, "on_unknown": on_unknown, "dry_run": dry_run, "partial": partial,
    }  # fmt: skip
    content = {name: value for name, value in asked.items() if value is not None}
    key = idempotency_key or new_idempotency_key()
    return (yield from ask(retry, json_request("POST", path_of("messages"), content, key), Receipt))


def get(retry: Retry, /, id: str) -> Steps[Message]:  # noqa: A002 - as the API calls it
    """Look up one message."""
    return (yield from ask(retry, Request("GET", path_of("messages", id)), Message))


def messages(
    retry: Retry,
    /,
    *,
    status: str | None = None,
    to: str | None = None,
    since: datetime | str | None = None,
    batch: str | None = None,
    reference: str | None = None,
    page: int = 100,
) -> Items[Message]:
    """Go through outbound messages, newest first; ``status`` may name several, separated by commas."""
    query = {"status": status, "to": to, "since": since, "batch": batch, "reference": reference, "limit": page}
    return pages(retry, with_query(path_of("messages"), query), Message)


def cancel(retry: Retry, /, id: str) -> Steps[Message]:  # noqa: A002
    """Cancel a message of which nothing was sent yet; Conflict when it is too late."""
    request = Request("POST", path_of("messages", id, "cancel"), twice_is_once=True)
    return (yield from ask(retry, request, Message))


def preview(retry: Retry, /, text: str, *, encoding: str = "auto") -> Steps[shapes.Preview]:
    """See how a text would go out; nothing is stored."""
    request = json_request("POST", path_of("messages", "preview"), {"text": text, "encoding": encoding})
    return (yield from ask(retry, replace(request, twice_is_once=True), shapes.Preview))


def wait_until_settled(retry: Retry, /, id: str, timeout_s: float = 120.0) -> Steps[Message]:  # noqa: A002
    """Wait until a message has ended or is unknown, and return it; NotSettled after ``timeout_s``.

    A message that asked for no delivery report ends as ``sent``.
    """
    began, pause_s = time.monotonic(), _FIRST_LOOK_S
    while True:
        message = yield from get(retry, id)
        if message.ended or message.status == "unknown":
            return message
        left_s = began + timeout_s - time.monotonic()
        if left_s <= 0:
            raise NotSettled(message, timeout_s)
        yield Wait(min(pause_s, left_s))
        pause_s = min(_RAREST_LOOK_S, pause_s * 1.5)


def inbox(retry: Retry, /, *, sender: str | None = None, page: int = 100) -> Items[shapes.Received]:
    """Go through what came in, newest first; ``sender`` is a number or a name."""
    return pages(retry, with_query(path_of("inbox"), {"from": sender, "limit": page}), shapes.Received)


def conversations(retry: Retry, /, *, page: int = 100) -> Items[shapes.Conversation]:
    """Go through the numbers from which something came, the newest first."""
    return pages(retry, with_query(path_of("conversations"), {"limit": page}), shapes.Conversation)


def conversation(retry: Retry, /, number: str, *, page: int = 100) -> Items[Said]:
    """Go through what was said with a number, newest first: Message and Received."""
    return _pages(retry, with_query(path_of("conversations", number), {"limit": page}), _said)


def reply(retry: Retry, /, number: str, text: str, *, idempotency_key: str | None = None) -> Steps[Receipt]:
    """Answer a number through the SIM that it wrote to; safe to be tried again, like ``send``."""
    key = idempotency_key or new_idempotency_key()
    request = json_request("POST", path_of("conversations", number, "messages"), {"text": text}, key)
    return (yield from ask(retry, request, Receipt))


def modems(retry: Retry, /) -> Items[shapes.Modem]:
    """Go through the slots and their modems."""
    return pages(retry, path_of("modems"), shapes.Modem)


def sims(retry: Retry, /) -> Items[shapes.Sim]:
    """Go through the SIMs."""
    return pages(retry, path_of("sims"), shapes.Sim)


def issues(retry: Retry, /, *, state: str | None = None, page: int = 100) -> Items[shapes.Issue]:
    """Go through what needs a person."""
    return pages(retry, with_query(path_of("issues"), {"state": state, "limit": page}), shapes.Issue)


def opt_outs(retry: Retry, /, *, state: str | None = None, page: int = 100) -> Items[shapes.OptOut]:
    """Go through the numbers that want no messages, what changed last first."""
    return pages(retry, with_query(path_of("opt-outs"), {"state": state, "limit": page}), shapes.OptOut)


def add_opt_out(retry: Retry, /, number: str, *, note: str = "") -> Steps[shapes.OptOut]:
    """Let a number have no more messages."""
    request = json_request("POST", path_of("opt-outs"), {"number": number, "note": note})
    return (yield from ask(retry, request, shapes.OptOut))


def remove_opt_out(retry: Retry, /, number: str, *, reason: str) -> Steps[shapes.OptOut]:
    """Let a number have messages again."""
    address = with_query(path_of("opt-outs", number), {"reason": reason})
    return (yield from ask(retry, Request("DELETE", address), shapes.OptOut))


def webhooks(retry: Retry, /) -> Items[shapes.Webhook]:
    """Go through the webhooks."""
    return pages(retry, path_of("webhooks"), shapes.Webhook)


def webhook(retry: Retry, /, id: str) -> Steps[shapes.Webhook]:  # noqa: A002
    """Look up one webhook and how it does."""
    return (yield from ask(retry, Request("GET", path_of("webhooks", id)), shapes.Webhook))


def add_webhook(
    retry: Retry, /, url: str, events: Sequence[str], *, label: str = "", allow_private: bool = False
) -> Steps[shapes.Webhook]:
    """Have events posted to an address; the answer has the ``secret`` that signs them, this once.

    ``allow_private`` is for an admin: the address is in the box's own network.
    """
    content: dict[str, Any] = {"url": url, "events": list(events), "label": label}
    if allow_private:
        content["allow_private"] = True
    return (yield from ask(retry, json_request("POST", path_of("webhooks"), content), shapes.Webhook))


def change_webhook(retry: Retry, /, id: str, **changes: Any) -> Steps[shapes.Webhook]:  # noqa: A002
    """Change a webhook: ``url``, ``events``, ``label``, ``active``."""
    return (yield from ask(retry, json_request("PATCH", path_of("webhooks", id), changes), shapes.Webhook))


def delete_webhook(retry: Retry, /, id: str) -> Steps[None]:  # noqa: A002
    """Delete a webhook."""
    yield from exchange(Request("DELETE", path_of("webhooks", id)), retry)


def test_webhook(retry: Retry, /, id: str) -> Steps[shapes.WebhookTest]:  # noqa: A002
    """Post a test event now, and tell what the endpoint answered."""
    return (yield from ask(retry, Request("POST", path_of("webhooks", id, "test")), shapes.WebhookTest))


def _said(item: bytes) -> Said:
    if read(_Direction, item).direction == "inbound":
        return read(shapes.Received, item)
    return read(Message, item)


def plain(value: object) -> object:
    """Write a time as the API reads it; it must know its zone."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        message = "this time has no zone: use datetime.now(UTC), or astimezone()"
        raise ValueError(message)
    return value.isoformat()
