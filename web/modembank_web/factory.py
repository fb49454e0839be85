"""From the surface to a Litestar application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar

from modembank_web import dialects, docs, pages, status
from modembank_web.api import v1
from modembank_web.operation import Operation
from modembank_web.readiness import Readiness
from modembank_web.routing import litestar_over

if TYPE_CHECKING:
    from modembank.app import App


def create_app(app: App, readiness: Readiness | None = None) -> Litestar:
    """Return the web application over the services; logging must be configured by now.

    ``readiness`` is what ``/readyz`` asks besides the store; without one the box counts as recovered.
    """
    operations, openapi = documented(readiness or Readiness())
    openapi.describe(operations)
    return litestar_over(app, (*operations, *docs.ASSETS, *pages.OPERATIONS), pages.unrouted(app))


def documented(readiness: Readiness) -> tuple[tuple[Operation, ...], docs.OpenApiDocument]:
    """Return every operation that the OpenAPI document shows, and the document, still empty."""
    openapi = docs.OpenApiDocument()
    return (*v1.OPERATIONS, *dialects.OPERATIONS, *status.operations(readiness), *docs.operations(openapi)), openapi
