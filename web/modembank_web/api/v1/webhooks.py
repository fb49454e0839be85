"""Webhooks: where events are posted to, and how that goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from modembank.accounts import Scope
from modembank.clock import to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.webhooks import KEEP_SECRET_S, NewSecretView, NewWebhook, TestView, WebhookPatch, WebhookView
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import event_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/webhooks"
_ID = {"id": ("The webhook's id", "whk_0000000000001")}


class WebhooksPage(msgspec.Struct, frozen=True):
    """All webhooks that the key may see."""

    items: Sequence[WebhookView]
    next: None = None


class RotateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secret before goes on signing."""

    keep_old_for_s: int = KEEP_SECRET_S


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on to tell again: one of the two."""

    since: datetime | None = None
    after: str | None = None


_NEW = JsonBody(NewWebhook)
_PATCH = JsonBody(WebhookPatch)
_ROTATE = JsonBody(RotateRequest)
_REPLAY = JsonBody(ReplayRequest)


async def list_webhooks(call: Call) -> Answer:
    """Return the caller's webhooks, or all for an admin."""
    return json_answer(WebhooksPage(await call.app.webhooks.list(call.caller)))


async def create_webhook(call: Call) -> Answer:
    """Make a webhook and show its secret."""
    made = await call.app.webhooks.create(call.caller, await call.json(_NEW))
    return json_answer(made, 201, ((b"location", f"{PATH}/{made.id}".encode()),))


async def get_webhook(call: Call) -> Answer:
    """Return one webhook."""
    return json_answer(await call.app.webhooks.get(call.caller, call.path("id")))


async def patch_webhook(call: Call) -> Answer:
    """Change a webhook."""
    return json_answer(await call.app.webhooks.change(call.caller, call.path("id"), await call.json(_PATCH)))


async def delete_webhook(call: Call) -> Answer:
    """Delete a webhook."""
    await call.app.webhooks.delete(call.caller, call.path("id"))
    return Answer(b"", 204)


async def rotate_secret(call: Call) -> Answer:
    """Give a webhook a new secret and show it."""
    asked = await call.json(_ROTATE)
    return json_answer(await call.app.webhooks.rotate(call.caller, call.path("id"), asked.keep_old_for_s))


async def test_webhook(call: Call) -> Answer:
    """Post a test event now."""
    return json_answer(await call.app.webhooks.test(call.caller, call.path("id")))


async def replay_webhook(call: Call) -> Answer:
    """Tell again what was told before."""
    asked = await call.json(_REPLAY)
    since = None if asked.since is None else _moment(asked.since)
    return json_answer(await call.app.webhooks.replay(call.caller, call.path("id"), since=since, after=asked.after))


def _moment(since: datetime) -> int:
    """Return unix milliseconds; raises InvalidRequest for a time without its zone."""
    if since.tzinfo is None:
        raise InvalidRequest(FieldProblem("/since", "must say its time zone, such as 2026-11-20T14:05:00Z"))
    return max(0, to_ms(since.timestamp()))


OPERATIONS = (
    Operation(
        id="listWebhooks",
        method="GET",
        path=PATH,
        tag="Webhooks",
        summary="List the webhooks",
        description="Your own; an admin sees all.",
        run=list_webhooks,
        needs=(Scope.WEBHOOKS,),
        replies=(Reply(200, "The webhooks", WebhooksPage, {"items": [examples.WEBHOOK], "next": None}),),
    ),
    Operation(
        id="createWebhook",
        method="POST",
        path=PATH,
        tag="Webhooks",
        summary="Make a webhook",
        description="Events from now on are posted to the address, signed as in the Standard Webhooks specification"
        " with the `secret` in this answer, which is shown only once. See the page on webhooks in the documentation.",
        run=create_webhook,
        needs=(Scope.WEBHOOKS,),
        body=Body(NewWebhook, examples.NEW_WEBHOOK),
        replies=(
            Reply(
                201,
                "The webhook and its secret",
                NewSecretView,
                examples.WEBHOOK_WITH_SECRET,
                headers={"Location": "Where it is"},
            ),
        ),
        raises=("not_found", "conflict"),
    ),
    Operation(
        id="getWebhook",
        method="GET",
        path=f"{PATH}/{{id}}",
        tag="Webhooks",
        summary="Look up one webhook",
        description="With how it does: what was told, what failed last, and when it is tried again.",
        run=get_webhook,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        replies=(Reply(200, "The webhook", WebhookView, examples.WEBHOOK),),
    ),
    Operation(
        id="patchWebhook",
        method="PATCH",
        path=f"{PATH}/{{id}}",
        tag="Webhooks",
        summary="Change a webhook",
        description="What is left out stays. What waits to be told goes to the new address.",
        run=patch_webhook,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        body=Body(WebhookPatch, examples.WEBHOOK_PATCH),
        replies=(Reply(200, "The webhook as it is now", WebhookView, examples.WEBHOOK),),
    ),
    Operation(
        id="deleteWebhook",
        method="DELETE",
        path=f"{PATH}/{{id}}",
        tag="Webhooks",
        summary="Delete a webhook",
        description="What it has not been told yet, it will not be told.",
        run=delete_webhook,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        replies=(Reply(204, "It is gone", None, "", media="text/plain"),),
    ),
    Operation(
        id="rotateWebhookSecret",
        method="POST",
        path=f"{PATH}/{{id}}/rotate",
        tag="Webhooks",
        summary="Give a webhook a new secret",
        description="While the secret before is kept, posts carry a signature with each of both.",
        run=rotate_secret,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        body=Body(RotateRequest, examples.ROTATE),
        replies=(Reply(200, "The webhook and its new secret", NewSecretView, examples.WEBHOOK_WITH_SECRET),),
    ),
    Operation(
        id="testWebhook",
        method="POST",
        path=f"{PATH}/{{id}}/test",
        tag="Webhooks",
        summary="Try a webhook now",
        description="Posts an event `webhook.test` and waits for the answer, ten seconds at most. It is not repeated.",
        run=test_webhook,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        replies=(Reply(200, "What the endpoint answered", TestView, examples.TEST),),
    ),
    Operation(
        id="replayWebhook",
        method="POST",
        path=f"{PATH}/{{id}}/replay",
        tag="Webhooks",
        summary="Tell a webhook again",
        description="Goes back in the events, which are kept for seven days, and posts them again with the ids that"
        " they had, in order.",
        run=replay_webhook,
        needs=(Scope.WEBHOOKS,),
        parameters=_ID,
        body=Body(ReplayRequest, examples.REPLAY),
        replies=(Reply(200, "The webhook as it is now", WebhookView, examples.WEBHOOK),),
    ),
)
