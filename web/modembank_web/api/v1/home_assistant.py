"""The link to Home Assistant's broker, if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from modembank.accounts import Scope
from modembank.clock import rfc3339
from modembank.home_assistant import LinkState
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import home_assistant_examples as examples
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/home-assistant"


class HomeAssistantStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the link to the site's broker stands; of a box without one everything but ``state`` is empty."""

    state: LinkState
    since: str | None
    why: str
    """What keeps it from working, in words; empty: nothing."""
    broker: str
    node: str
    next_try_at: str | None
    entities: int
    """What Home Assistant is shown of the box."""
    announced_at: str | None
    """When it was told last what there is."""
    privacy: Literal["counts", "meta", "full"]
    commands: bool
    """Whether SIMs may be paused and resumed from there."""
    groups: Sequence[str]
    """The groups of people who can be told something."""
    notified: int
    """Notifications that became messages, since the daemon started."""
    refused: int
    """Commands that did nothing, since the daemon started."""
    last_refusal: str


async def get_home_assistant(call: Call) -> Answer:
    """Return how the link stands."""
    view = call.app.home_assistant.view(call.caller)
    times = {name: _time(getattr(view, name)) for name in examples.TIMES}
    plain = {name: getattr(view, name) for name in HomeAssistantStatus.__struct_fields__ if name not in times}
    return json_answer(msgspec.convert(plain | times, HomeAssistantStatus))


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


OPERATIONS = (
    Operation(
        id="getHomeAssistant",
        method="GET",
        path=PATH,
        tag="Home Assistant",
        summary="See how the link to Home Assistant's broker stands",
        description="Whether the site's broker takes the box, what is shown there, and what came from there.",
        run=get_home_assistant,
        needs=(Scope.ADMIN,),
        replies=(Reply(200, "The link", HomeAssistantStatus, examples.HOME_ASSISTANT),),
    ),
)
