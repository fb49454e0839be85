"""What is wrong with a description of a provider, field by field, as far as can be known without asking it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from modembank.errors import FieldProblem
from modembank.outgoing import why_refused
from modembank.outgoing.posting import OURS
from modembank.outgoing.requesting import why_no_header
from modembank.providers.adapters import http_paths
from modembank.providers.adapters.http_paths import PathWrong
from modembank.providers.adapters.http_settings import Settings
from modembank.providers.adapters.http_templates import (
    NAMES,
    Template,
    TemplateWrong,
    line_and_column,
    parse,
    parse_json,
)
from modembank.providers.model import Channel

IN_ADDRESSES = ("to", "to_digits", "key", "valid_for_s")
"""What may be in the address itself: the rest can be longer than an address."""
IN_HEADERS = ("to", "to_digits", "key", "valid_for_s", "callback_url")
"""A header has no line ends, which a text may have."""
_HOST = re.compile(r"https?://[^/?{}]+[/?]")
_PATHS = (
    *("success_path", "answer_id", "answer_code", "answer_text", "answer_retry_after", "receipt_list", "receipt_id"),
    *("receipt_status", "receipt_detail", "receipt_time", "arrival_list", "arrival_id", "arrival_from", "arrival_to"),
    *("arrival_text", "arrival_time"),
)
_STATUS = re.compile(r"http_[2-5][0-9]{2}")


def problems(settings: Settings) -> Iterator[FieldProblem]:
    """Yield what is wrong, in the order of the fields."""
    found: list[Template] = []
    yield from _request(settings, found)
    yield from _whole(settings, frozenset().union(*(one.names for one in found)))
    yield from _auth(settings)
    yield from _answer(settings)
    yield from _callback(settings)
    yield from _inbound(settings)


def _request(settings: Settings, found: list[Template]) -> Iterator[FieldProblem]:
    def tried(pointer: str, text: str, read: Callable[[], Template], *, lines: bool = False) -> Iterator[FieldProblem]:
        try:
            found.append(read())
        except TemplateWrong as error:
            where = line_and_column(text, error.place) if lines else f"character {error.place + 1}"
            yield FieldProblem(pointer, f"{where}: {error.why}")

    yield from _address(settings, tried)
    for name, value in settings.query.items():
        yield from tried(_below("query", name), value, lambda value=value: parse(value))  # type: ignore[misc]
    for name, value in settings.headers.items():
        if why := why_no_header(name, value) or _why_not_ours(name):
            yield FieldProblem(_below("headers", name), why)
        read: Callable[[], Template] = lambda value=value: parse(value, IN_HEADERS)  # type: ignore[misc] # noqa: E731
        yield from tried(_below("headers", name), value, read)
    if settings.body:
        yield from tried("/body", settings.body, lambda: parse_json(settings.body), lines=True)
    for name, value in settings.form.items():
        yield from tried(_below("form", name), value, lambda value=value: parse(value))  # type: ignore[misc]


def _address(
    settings: Settings, tried: Callable[[str, str, Callable[[], Template]], Iterator[FieldProblem]]
) -> Iterator[FieldProblem]:
    wrong = list(tried("/url", settings.url, lambda: parse(settings.url, IN_ADDRESSES)))
    yield from wrong
    if wrong:
        return
    if "{" in settings.url and not _HOST.match(settings.url):
        yield FieldProblem("/url", "nothing is filled in before the path: write the host out")
    elif why := why_refused(parse(settings.url).fill(lambda _: "1"), allow_private=True):
        yield FieldProblem("/url", why)


def _whole(settings: Settings, names: frozenset[str]) -> Iterator[FieldProblem]:
    where = "/query" if settings.method == "GET" else "/form" if settings.form else "/body"
    if settings.method == "GET" and (settings.body or settings.form):
        yield FieldProblem("/body" if settings.body else "/form", "a GET has none: put the fields into query")
    if settings.body and settings.form:
        yield FieldProblem("/form", "there is a JSON document in body already: only one of them is sent")
    if "text" not in names:
        yield FieldProblem(where, "holds no {text}: every message would be sent without it")
    if not names & {"to", "to_digits"}:
        yield FieldProblem(where, "holds neither {to} nor {to_digits}: the provider would not know the recipient")
    if "to_digits" in names and settings.channel is Channel.EMAIL:
        yield FieldProblem(where, "holds {to_digits}, and addresses of e-mail are no numbers: write {to}")
    if "callback_url" in names and not settings.callback_url:
        yield FieldProblem("/callback_url", "must be given, since the request holds {callback_url}")
    if settings.idempotent and not settings.idempotency_header and "key" not in names:
        why = "needs {key} in the request, or idempotency_header: else the provider knows no repetition"
        yield FieldProblem("/idempotent", why)


def _auth(settings: Settings) -> Iterator[FieldProblem]:
    taken = {name.lower() for name in settings.headers}
    if settings.auth == "none":
        if settings.auth_secret:
            yield FieldProblem("/auth_secret", "is not used with auth = none: say how (basic, bearer or header)")
    elif not settings.auth_secret:
        yield FieldProblem("/auth_secret", f"must name a secret, with auth = {settings.auth}")
    if settings.auth == "basic" and (not settings.auth_user or ":" in settings.auth_user):
        yield FieldProblem("/auth_user", "must be a name without a colon, with auth = basic")
    if settings.auth == "header" and (why := _why_not_ours(settings.auth_header)):
        yield FieldProblem("/auth_header", why)
    ours = {"basic": "authorization", "bearer": "authorization", "header": settings.auth_header.lower()}
    if (name := ours.get(settings.auth, "")) and name in taken:
        yield FieldProblem(_below("headers", name), f"is written by auth = {settings.auth}: leave one of them out")
    if settings.idempotency_header and (why := _why_not_ours(settings.idempotency_header)):
        yield FieldProblem("/idempotency_header", why)


def _answer(settings: Settings) -> Iterator[FieldProblem]:
    for name in _PATHS:
        if path := getattr(settings, name):
            try:
                http_paths.parse(path)
            except PathWrong as error:
                yield FieldProblem(f"/{name}", f"{error}; a path is like messages.0.id")
    if settings.success_path and not settings.success_values:
        yield FieldProblem("/success_values", "must say what is at success_path when a message was taken")
    for name in ("success_values", "failure_values"):
        if getattr(settings, name) and not settings.success_path:
            yield FieldProblem("/success_path", f"must say where {name} are")
    if both := set(settings.success_values) & set(settings.failure_values):
        yield FieldProblem("/failure_values", f"{min(both)!a} cannot mean taken and not taken")
    if not settings.answer_code and (codes := [one for one in settings.errors if not _STATUS.fullmatch(one)]):
        yield FieldProblem("/answer_code", f"must say where codes such as {codes[0]!a} are; a status is http_400")


def _callback(settings: Settings) -> Iterator[FieldProblem]:
    how = settings.callback_auth
    if settings.callback_url and (why := why_refused(settings.callback_url, allow_private=True)):
        yield FieldProblem("/callback_url", why)
    if how == "none":
        if settings.takes_receipts or settings.takes_arrivals:
            way_out = "say how they prove where they come from (query, header, basic or hmac)"
            yield FieldProblem("/callback_auth", f"calls cannot be taken from anybody: {way_out}")
        return
    if not settings.callback_secret:
        yield FieldProblem("/callback_secret", f"must name a secret, with callback_auth = {how}")
    if how == "basic" and not settings.callback_user:
        yield FieldProblem("/callback_user", "must be a name, with callback_auth = basic")
    if how == "query" and not settings.callback_field:
        yield FieldProblem("/callback_field", "must name the field of the address that holds the secret")
    if how in {"header", "hmac"} and (why := why_no_header(settings.callback_field, "")):
        yield FieldProblem("/callback_field", why)
    if how == "hmac" and settings.callback_format == "query":
        why = "signs the body, and calls that are only an address have none: use query, header or basic"
        yield FieldProblem("/callback_auth", why)
    if settings.callback_signed == "url_and_form":
        if how == "hmac" and not settings.callback_url:
            yield FieldProblem("/callback_url", "must be the address that the provider signs")
        if settings.callback_format != "form":
            yield FieldProblem("/callback_format", "must be form, with callback_signed = url_and_form")


def _inbound(settings: Settings) -> Iterator[FieldProblem]:
    yield from _together(settings, "receipt_id", ("receipt_status",), ("receipt_list", "receipt_detail"))
    if settings.takes_receipts and not settings.statuses:
        yield FieldProblem("/statuses", "must say which words mean delivered and failed")
    yield from _together(settings, "arrival_id", ("arrival_from", "arrival_text"), ("arrival_list", "arrival_to"))
    if settings.callback_format != "json":
        for name in ("receipt_list", "arrival_list"):
            if getattr(settings, name):
                yield FieldProblem(f"/{name}", "needs callback_format = json: forms and queries hold no lists")


def _together(settings: Settings, first: str, needed: tuple[str, ...], more: tuple[str, ...]) -> Iterator[FieldProblem]:
    if getattr(settings, first):
        for name in needed:
            if not getattr(settings, name):
                yield FieldProblem(f"/{name}", f"must be given together with {first}")
    elif given := [name for name in (*needed, *more) if getattr(settings, name)]:
        yield FieldProblem(f"/{first}", f"must be given together with {given[0]}")


def _why_not_ours(name: str) -> str | None:
    """Return why a request cannot have a header of a name by settings."""
    if name.lower() in OURS:
        return f"{name} follows from the request itself: leave it out"
    return why_no_header(name, "")


def _below(field: str, name: str) -> str:
    """Return the pointer of an entry of a table (RFC 6901)."""
    return f"/{field}/{name.replace('~', '~0').replace('/', '~1')}"


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return the names of all secrets that settings name, in order."""
    templates = [settings.url, *settings.query.values(), *settings.headers.values(), *settings.form.values()]
    names = [name for text in templates for name in parse(text).names]
    if settings.body:
        names += parse_json(settings.body).names
    filled = [name.removeprefix("secret:") for name in sorted(set(names) - set(NAMES))]
    return tuple(dict.fromkeys(one for one in (settings.auth_secret, *filled, settings.callback_secret) if one))


def entries(table: Mapping[str, str]) -> tuple[tuple[str, Template], ...]:
    """Return a table's names with their templates."""
    return tuple((name, parse(text)) for name, text in table.items())
