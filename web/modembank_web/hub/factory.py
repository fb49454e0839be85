"""From the hub's surface to a Litestar application."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from litestar import Litestar

from modembank_hub.app import HubApp
from modembank_web import docs
from modembank_web.api.v1 import account, api_keys, audit, users
from modembank_web.hub import (
    alert_api,
    api,
    channel_api,
    config_api,
    enrolment_api,
    pages,
    pool_api,
    software_api,
    status,
)
from modembank_web.hub.wording import ABOUT
from modembank_web.operation import Operation
from modembank_web.pages import unrouted
from modembank_web.routing import litestar_over

if TYPE_CHECKING:
    from modembank.app import App

_SHARED = tuple(
    operation
    for operation in (*account.OPERATIONS, *users.OPERATIONS, *api_keys.OPERATIONS, *audit.OPERATIONS)
    if not operation.path.startswith(users.QUOTAS)  # nothing is sent here that could be counted
)


def create_hub_web(hub: HubApp) -> Litestar:
    """Return the web application over the hub's services; logging must be configured by now."""
    operations, openapi = documented()
    openapi.describe(operations)
    app = cast("App", hub)  # handlers use what both surfaces have
    return litestar_over(app, (*operations, *docs.ASSETS, *pages.OPERATIONS), unrouted(app))


def documented() -> tuple[tuple[Operation, ...], docs.OpenApiDocument]:
    """Return every operation that the hub's OpenAPI document shows, and the document, still empty."""
    openapi = docs.OpenApiDocument(ABOUT)
    ours = (
        *api.OPERATIONS, *config_api.OPERATIONS, *software_api.OPERATIONS, *enrolment_api.OPERATIONS,
        *pool_api.OPERATIONS, *alert_api.OPERATIONS, *channel_api.OPERATIONS,
    )  # fmt: skip
    return (*ours, *_SHARED, *status.OPERATIONS, *docs.operations(openapi)), openapi
