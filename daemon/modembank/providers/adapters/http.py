"""Any provider with an HTTP API that settings describe: the request, its answer, and its calls."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from modembank.errors import InvalidRequest
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.outgoing import Request, Requester, why_refused
from modembank.providers.adapters import http_callbacks, http_checks, http_outcomes, http_proofs
from modembank.providers.adapters.http_settings import Settings
from modembank.providers.adapters.http_templates import SECRET, Template, json_written, parse, parse_json
from modembank.providers.model import (
    Call,
    Channel,
    Gate,
    Means,
    NotAuthentic,
    Outbound,
    Receipt,
    Reply,
    Result,
    SecretMissing,
)

NAME = "http"
MOST_TRIES = 8
"""Of one message in one call of ``send``, where repetitions are safe."""
FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 15.0
"""Between two of them, unless the provider asks for longer."""
__all__ = ["NAME", "Settings", "channel", "check", "make"]


def channel(settings: Settings) -> Channel:
    """Return what it carries."""
    return settings.channel


def check(settings: Settings) -> None:
    """Raise InvalidRequest for templates, paths and fields that do not go together."""
    if problems := list(http_checks.problems(settings)):
        raise InvalidRequest(problems[0], *problems[1:])


def make(settings: Settings, means: Means) -> HttpProvider:
    """Return a provider with these settings."""
    return HttpProvider(settings, means)


class HttpProvider:
    """One provider; it holds no connection between messages."""

    def __init__(
        self, settings: Settings, means: Means, requester: Requester | None = None, pause_s: float = FIRST_PAUSE_S
    ) -> None:
        """Read the templates once; ``pause_s`` is the first pause before a repetition."""
        self._settings, self._means = settings, means
        self._requester = requester or Requester()
        self._pause_s = pause_s
        self._url = parse(settings.url)
        self._query = http_checks.entries(settings.query)
        self._headers = http_checks.entries(settings.headers)
        self._form = http_checks.entries(settings.form)
        self._body = parse_json(settings.body) if settings.body else Template()
        self._secrets = http_checks.secrets_of(settings)

    @property
    def window(self) -> int:
        """How many messages may be under way at once."""
        return self._settings.window

    def not_ready(self) -> str | None:
        """Return why nothing can be handed over: a secret is missing, or the address is not allowed."""
        try:
            for name in self._secrets:
                self._means.secret(name)
        except SecretMissing as error:
            return str(error)
        return why_refused(self._url.fill(lambda _: "1"), allow_private=self._means.allow_private)

    async def run(self) -> None:
        """Return: there is no session to hold."""

    async def send(self, message: Outbound, gate: Gate) -> Result:
        """Hand a message over. What is ambiguous is repeated under the same key, if the provider knows such keys."""
        try:
            request, hidden = self._request(message)
        except SecretMissing as error:
            return http_outcomes.not_sent("secret_missing", str(error))
        until = self._means.clock.monotonic() + min(self._settings.repeat_for_s, message.valid_for_s)
        result = await self._try(request, hidden, gate, self._settings.timeout_s)
        if result.outcome is AttemptOutcome.UNKNOWN and self._settings.repeats:
            result = await self._repeated(request, hidden, result, until)
        if result.outcome is AttemptOutcome.UNKNOWN:  # nobody asks again by what it asked for
            return msgspec.structs.replace(result, retry_after_s=None)
        return result

    async def called(self, call: Call) -> Reply:
        """Take receipts and inbound messages; raises NotAuthentic, BadCall."""
        settings = self._settings
        try:
            secret = self._means.secret(settings.callback_secret) if settings.callback_secret else ""
        except SecretMissing as error:
            raise NotAuthentic(why=str(error)) from None
        http_proofs.prove(settings, call, secret)
        for one in http_callbacks.read(settings, call):
            if isinstance(one, Receipt):
                await self._means.sink.receipt(one)
            else:
                await self._means.sink.arrival(one)
        return Reply(200, settings.callback_answer, settings.callback_answer_type)

    async def _try(self, request: Request, hidden: tuple[str, ...], gate: Gate, answer_s: float) -> Result:
        ended = await self._requester.request(
            request,
            gate,
            allow_private=self._means.allow_private,
            connect_s=self._settings.connect_timeout_s,
            answer_s=answer_s,
        )
        return http_outcomes.judge(self._settings, ended, hidden, self._means.clock.now())

    async def _repeated(self, request: Request, hidden: tuple[str, ...], first: Result, until: float) -> Result:
        """Ask again until somebody says that it was taken.

        After one try that may have been taken, a refusal settles nothing: the limit or the credit may have been used
        up by the message itself, and a provider may refuse what it has already. Only that it was taken is final.
        """
        tries, pause, last = 1, self._pause_s, first
        while tries < MOST_TRIES:
            left_s = until - self._means.clock.monotonic()
            wait_s = max(pause, last.retry_after_s or 0.0)
            if wait_s >= left_s:
                break
            await asyncio.sleep(wait_s)
            pause = min(pause * 2, MOST_PAUSE_S)
            tries += 1
            answer_s = min(self._settings.timeout_s, max(left_s - wait_s, 0.1))
            last = await self._try(request, hidden, _open, answer_s)
            if last.outcome is AttemptOutcome.ACCEPTED:
                return msgspec.structs.replace(last, evidence={**last.evidence, "tries": tries})
            if last.cause is not None and last.cause.klass in {CauseClass.RECIPIENT, CauseClass.SIM}:
                break
        more: dict[str, Any] = {"tries": tries}
        if tries > 1 and last.cause is not None:
            more["last"] = f"{last.outcome.name}: {last.cause.text}"[:300]
        return msgspec.structs.replace(first, evidence={**first.evidence, **more})

    def _request(self, message: Outbound) -> tuple[Request, tuple[str, ...]]:
        """Return the request for a message, and what must not be seen of it. Raises SecretMissing."""
        settings = self._settings
        hidden = [message.text, message.subject or ""]

        def value(name: str) -> str:
            if not name.startswith(SECRET):
                return _value(settings, message, name)
            hidden.append(found := self._means.secret(name.removeprefix(SECRET)))
            return found

        headers = {name.lower(): template.fill(value) for name, template in self._headers}
        headers |= self._proof(hidden.append)
        if settings.idempotency_header:
            headers[settings.idempotency_header.lower()] = message.key
        body = None if settings.method == "GET" else b""
        if settings.body:
            body = self._body.fill(value, json_written).encode()
            headers.setdefault("content-type", "application/json")
        elif settings.form:
            body = urlencode([(name, template.fill(value)) for name, template in self._form]).encode()
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
        query = urlencode([(name, template.fill(value)) for name, template in self._query])
        url = self._url.fill(value, lambda text: quote(text, safe=""))
        return Request(settings.method, url, headers, body, query), tuple(one for one in hidden if one)

    def _proof(self, hide: Callable[[str], None]) -> dict[str, str]:
        settings = self._settings
        if settings.auth == "none":
            return {}
        secret = self._means.secret(settings.auth_secret)
        hide(secret)
        if settings.auth == "basic":
            given = base64.b64encode(f"{settings.auth_user}:{secret}".encode()).decode()
            hide(given)
            return {"authorization": f"Basic {given}"}
        return {"authorization": f"Bearer {secret}"} if settings.auth == "bearer" else {settings.auth_header: secret}


def _value(settings: Settings, message: Outbound, name: str) -> str:
    values = {
        "to": message.recipient,
        "to_digits": message.recipient.removeprefix("+"),
        "text": message.text,
        "subject": message.subject or "",
        "key": message.key,
        "valid_for_s": str(message.valid_for_s),
        "callback_url": settings.callback_url,
    }
    return values[name]


async def _open() -> bool:
    """Let a repetition pass: the intent is durable since the first try."""
    return True
