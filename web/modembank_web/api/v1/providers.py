"""Providers: whoever takes messages beside the bank of modems."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from modembank.accounts import Scope
from modembank.messages import SubmitRequest
from modembank.providers import Change, Draft, KindView, ProviderView, Sharing, kind_views
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import provider_examples as examples
from modembank_web.api.v1.messages import PATH as MESSAGES
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

PATH = "/api/v1/providers"
TEST_TEXT = "This is a test."
_NAME = {"name": ("The provider's name", "smpp-1")}
_NEEDS = (Scope.ADMIN,)


class NewProvider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider to be made."""

    name: Annotated[str, msgspec.Meta(max_length=32)]
    kind: Annotated[str, msgspec.Meta(max_length=32)]
    settings: dict[str, Any]
    sharing: Sharing = msgspec.field(default_factory=Sharing)


class ProviderPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a provider; what is left out stays."""

    settings: dict[str, Any] | None = None
    sharing: Sharing | None = None


class DisableRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a provider is given nothing more."""

    why: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ProviderTestRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that goes through one provider alone."""

    to: str
    text: str = TEST_TEXT


class ProviderTest(msgspec.Struct, frozen=True):
    """The message that was accepted; it is followed like any other."""

    id: str
    to: str
    status: str


class ProvidersPage(msgspec.Struct, frozen=True):
    """All providers, in the order in which they were made."""

    items: Sequence[ProviderView]
    next: None = None


class KindsPage(msgspec.Struct, frozen=True):
    """All kinds of providers."""

    items: Sequence[KindView]
    next: None = None


_NEW, _PATCH = JsonBody(NewProvider), JsonBody(ProviderPatch)
_DISABLE, _TEST = JsonBody(DisableRequest), JsonBody(ProviderTestRequest)


async def list_providers(call: Call) -> Answer:
    """Return all providers."""
    return json_answer(ProvidersPage(call.app.providers.shown(call.caller)))


async def create_provider(call: Call) -> Answer:
    """Make a provider."""
    new = await call.json(_NEW)
    made = await call.app.providers.add(call.caller, Draft(new.name, new.kind, new.settings, new.sharing))
    location = (b"location", f"{PATH}/{made.name}".encode())
    return json_answer(call.app.providers.show(call.caller, made.name), 201, (location,))


async def get_provider(call: Call) -> Answer:
    """Return one provider."""
    return json_answer(call.app.providers.show(call.caller, call.path("name")))


async def patch_provider(call: Call) -> Answer:
    """Change a provider."""
    wanted = await call.json(_PATCH)
    await call.app.providers.change(call.caller, call.path("name"), Change(wanted.settings, wanted.sharing))
    return await get_provider(call)


async def delete_provider(call: Call) -> Answer:
    """Remove a provider."""
    await call.app.providers.remove(call.caller, call.path("name"))
    return Answer(b"", 204)


async def enable_provider(call: Call) -> Answer:
    """Let a provider be used again."""
    await call.app.providers.enable(call.caller, call.path("name"))
    return await get_provider(call)


async def disable_provider(call: Call) -> Answer:
    """Give a provider nothing more."""
    asked = await call.json(_DISABLE)
    await call.app.providers.disable(call.caller, call.path("name"), asked.why)
    return await get_provider(call)


async def test_provider(call: Call) -> Answer:
    """Submit a message that this provider alone may take."""
    asked = await call.json(_TEST)
    tested = await submit_test(call, call.path("name"), asked.to, asked.text)
    return json_answer(tested, 202, ((b"location", f"{MESSAGES}/{tested.id}".encode()),))


async def submit_test(call: Call, name: str, to: str, text: str) -> ProviderTest:
    """Accept a message for one provider alone, and record who asked.

    Raises Forbidden, NotFound, and what ``Messages.submit`` raises.
    """
    provider = call.app.providers.find(call.caller, name)
    request = SubmitRequest(to=to, text=text, channel=provider.channel.value, providers=(provider.name,))
    receipt = await call.app.messages.submit(call.caller, request)
    (accepted,) = receipt.messages
    await call.app.audit.note(call.caller, "provider.test", provider.name, {"message": accepted.id})
    return ProviderTest(accepted.id, accepted.to, accepted.status)


async def list_kinds(call: Call) -> Answer:  # noqa: ARG001 - what all operations take
    """Return the kinds of providers with what their settings are."""
    return json_answer(KindsPage(await asyncio.to_thread(kind_views)))


def _operation(  # noqa: PLR0917 - in the order in which they are read
    id_: str, method: Any, path: str, summary: str, description: str, run: Any, reply: Reply, **more: Any
) -> Operation:
    return Operation(
        id=id_,
        method=method,
        path=path,
        tag="Providers",
        summary=summary,
        description=description,
        run=run,
        needs=_NEEDS,
        replies=(reply,),
        **more,
    )


_ONE: Mapping[str, Any] = {"parameters": _NAME}
_SHOWN = Reply(200, "The provider", ProviderView, examples.PROVIDER)
OPERATIONS = (
    _operation(
        "listProviders",
        "GET",
        PATH,
        "List the providers",
        "With how each does: whether it is ready, and its latest hundred tries. The bank of modems is none of them: "
        "see the modems and SIMs.",
        list_providers,
        Reply(200, "The providers", ProvidersPage, {"items": [examples.PROVIDER], "next": None}),
    ),
    _operation(
        "createProvider",
        "POST",
        PATH,
        "Make a provider",
        "Its settings are those of its kind (`GET /api/v1/provider-kinds`). What is secret is only named there: the "
        "secret itself is a file on the box, or a credential of systemd.",
        create_provider,
        Reply(201, "The provider", ProviderView, examples.PROVIDER, headers={"Location": "Where it is"}),
        body=Body(NewProvider, examples.NEW),
        raises=("conflict",),
    ),
    _operation(
        "getProvider",
        "GET",
        f"{PATH}/{{name}}",
        "Look up one provider",
        "With how it does.",
        get_provider,
        _SHOWN,
        **_ONE,
    ),
    _operation(
        "changeProvider",
        "PATCH",
        f"{PATH}/{{name}}",
        "Change a provider",
        "`settings` and `sharing` are each put in the place of what was, as a whole. Sessions are made anew; what is "
        "under way there may become `unknown`.",
        patch_provider,
        _SHOWN,
        body=Body(ProviderPatch, examples.PATCH),
        **_ONE,
    ),
    _operation(
        "deleteProvider",
        "DELETE",
        f"{PATH}/{{name}}",
        "Remove a provider",
        "Its messages go on naming it. While a routing rule names it, it is refused with 409.",
        delete_provider,
        Reply(204, "It is gone", None, ""),
        raises=("conflict",),
        **_ONE,
    ),
    _operation(
        "enableProvider",
        "POST",
        f"{PATH}/{{name}}/enable",
        "Let a provider be used again",
        "Messages that name it, or that rules and costs bring to it, go there again.",
        enable_provider,
        _SHOWN,
        **_ONE,
    ),
    _operation(
        "disableProvider",
        "POST",
        f"{PATH}/{{name}}/disable",
        "Give a provider nothing more",
        "What it has goes on, and its receipts are taken. Messages that name it alone wait; new ones are refused.",
        disable_provider,
        _SHOWN,
        body=Body(DisableRequest, {"why": {"why": "the account is over its budget"}}),
        **_ONE,
    ),
    _operation(
        "testProvider",
        "POST",
        f"{PATH}/{{name}}/test",
        "Send a test through one provider",
        "A real message that only this provider may take: it is accepted durably and can be followed like any other.",
        test_provider,
        Reply(202, "Accepted and durable", ProviderTest, examples.TEST, headers={"Location": "The message"}),
        body=Body(ProviderTestRequest, {"to a number": {"to": "+447900900123", "text": TEST_TEXT}}),
        raises=("opted_out", "provider_disabled", "too_many_requests"),
        **_ONE,
    ),
    _operation(
        "listProviderKinds",
        "GET",
        "/api/v1/provider-kinds",
        "List the kinds of providers",
        "Each with the JSON Schema of its settings, for forms and for those who make providers by programs.",
        list_kinds,
        Reply(200, "The kinds", KindsPage, {"items": [examples.KIND], "next": None}),
    ),
)
