"""From a template and what it shows to an answer. Everything is escaped; nothing from outside is ever a template."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from modembank.clock import to_ms
from modembank_web.answer import HTML, Answer, Header
from modembank_web.cookies import page_token, session_token
from modembank_web.pages import formats
from modembank_web.pages.assets import ASSETS
from modembank_web.pages.navigation import menu

if TYPE_CHECKING:
    from modembank_web.operation import Call
    from modembank_web.problems import Failure

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
ALONE: tuple[Header, ...] = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""No other site's page holds a handle to one of these, or shows what is in it."""


@cache
def environment() -> Environment:
    """Return the templates, compiled once each."""
    made = Environment(
        loader=PackageLoader("modembank_web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update(formats.FILTERS)
    made.globals.update(asset=ASSETS.path, version=metadata.version("modembank"))
    return made


def render(call: Call, template: str, *, status: int = 200, extra: tuple[Header, ...] = (), **shown: Any) -> Answer:
    """Answer a page, or a part of one, made of ``templates/{template}`` and what it shows.

    Every template also knows ``me`` (the Actor, or None), ``menu``, ``here`` (the path), ``box``, ``page_token``,
    ``pulse`` for its stream, and ``at_hub``: whether it is the hub's and not a box's.
    """
    here = call.scope["path"]
    text = (
        environment()
        .get_template(template)
        .render(
            me=call.actor,
            menu=menu(call.actor, here, call.groups, image=call.groups is None and call.app.appliance.present),
            here=here,
            box=call.app.name,
            page_token=page_token(session_token(call.headers)),
            pulse=call.pulse,
            at_hub=call.groups is not None,
            now=formats.Moment(to_ms(call.app.clock.now())),
            **shown,
        )
    )
    return Answer(text.encode("utf-8", "replace"), status, HTML, (*ALONE, *extra), policy=POLICY)


def refusal(call: Call, failure: Failure, tracking_id: str) -> Answer:
    """Answer a whole page that says what was refused, and what to do."""
    return render(
        call,
        "problem.html",
        status=failure.kind.status,
        extra=failure.headers,
        failure=failure,
        tracking_id=tracking_id,
    )


def notice(call: Call, failure: Failure, tracking_id: str) -> Answer:
    """Answer a notice on the page that asked, which stays as it is."""
    extra = ((b"hx-retarget", b"#notices"), (b"hx-reswap", b"beforeend"), *failure.headers)
    return render(
        call, "notice.html", status=failure.kind.status, extra=extra, failure=failure, tracking_id=tracking_id
    )
