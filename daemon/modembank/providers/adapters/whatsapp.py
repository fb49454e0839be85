"""WhatsApp, by the message endpoint and the webhook of Meta's Cloud API.

Messages: https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
It knows no idempotency keys: what is ambiguous is UNKNOWN and not repeated.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modembank.errors import FieldProblem, InvalidRequest
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.outgoing import Ended, Request, Requester, why_refused
from modembank.providers.adapters import http_outcomes, http_proofs, whatsapp_calls
from modembank.providers.adapters.http_outcomes import REFERENCE_LIMIT, REFUSALS, Said
from modembank.providers.adapters.http_paths import word
from modembank.providers.adapters.http_settings import SecretName
from modembank.providers.adapters.whatsapp_tables import ERRORS, PERMISSIONS, WINDOW_CLOSED, WRONG_OBJECT
from modembank.providers.model import (
    BadCall,
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

NAME = "whatsapp"
WINDOW_S = 24 * 3_600
"""After a recipient wrote, any text may be sent to it; later templates alone."""
MOST_WRITERS = 10_000
"""Recipients of whom it is remembered when they wrote last."""
_CHALLENGE = re.compile(r"[ -~]{1,200}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One phone number of an account at WhatsApp's Cloud API."""

    phone_number_id: Annotated[
        str, Meta(pattern=r"^[0-9]{5,30}\Z", description="The id of the phone number, from the app's dashboard")
    ]
    token_secret: Annotated[SecretName, Meta(min_length=1, description="The secret with the access token")]
    app_secret: Annotated[
        SecretName, Meta(description="The name of the secret that holds the app secret, which signs the webhook")
    ] = ""
    verify_secret: Annotated[
        SecretName, Meta(description="The secret that is also typed as verify token into the app's dashboard")
    ] = ""
    template: Annotated[
        str,
        Meta(
            pattern=r"^([a-z0-9_]{1,512})?\Z",
            description="A template whose body is one parameter, in which the text is sent",
        ),
    ] = ""
    template_language: Annotated[
        str, Meta(pattern=r"^[a-z]{2,3}(_[A-Za-z]{2,4})?\Z", description="Its language, such as en_US")
    ] = "en_US"
    template_use: Annotated[
        Literal["outside_window", "always"],
        Meta(description="When it is used: unless the recipient is known to have written within 24 hours, or always"),
    ] = "outside_window"
    base_url: Annotated[str, Meta(max_length=200, description="The address of the API with its version")] = (
        "https://graph.facebook.com/v23.0"
    )
    connect_timeout_s: Annotated[float, Meta(ge=0.1, le=60, description="Seconds until the connection stands")] = 10.0
    timeout_s: Annotated[float, Meta(ge=0.1, le=120, description="Seconds from the request to the answer's end")] = 30.0
    window: Annotated[int, Meta(ge=1, le=64, description="How many messages are handed over at once")] = 8


def channel(settings: Settings) -> Channel:
    """Return WhatsApp, whatever the settings."""
    del settings
    return Channel.WHATSAPP


def check(settings: Settings) -> None:
    """Raise InvalidRequest for what types cannot say."""
    problems = []
    if why := why_refused(settings.base_url, allow_private=True):
        problems.append(FieldProblem("/base_url", why))
    elif "?" in settings.base_url:
        problems.append(
            FieldProblem("/base_url", "must end with the version, such as https://graph.facebook.com/v23.0")
        )
    if settings.template_use == "always" and not settings.template:
        problems.append(FieldProblem("/template", "must be named, since it is always used"))
    if settings.verify_secret and not settings.app_secret:
        way_out = "name the secret that holds the app secret, or leave verify_secret out"
        problems.append(FieldProblem("/app_secret", f"is what the webhook's calls prove: {way_out}"))
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])


def make(settings: Settings, means: Means) -> WhatsAppProvider:
    """Return a provider with these settings."""
    return WhatsAppProvider(settings, means)


class WhatsAppProvider:
    """One phone number; it holds no connection between messages."""

    def __init__(self, settings: Settings, means: Means, requester: Requester | None = None) -> None:
        """Know of nobody yet who wrote."""
        self._settings, self._means = settings, means
        self._requester = requester or Requester()
        self._url = f"{settings.base_url.rstrip('/')}/{settings.phone_number_id}/messages"
        self._wrote: OrderedDict[str, float] = OrderedDict()

    @property
    def window(self) -> int:
        """How many messages may be under way at once."""
        return self._settings.window

    def not_ready(self) -> str | None:
        """Return why nothing can be handed over: a secret is missing, or the address is not allowed."""
        try:
            for name in (self._settings.token_secret, self._settings.app_secret, self._settings.verify_secret):
                if name:
                    self._means.secret(name)
        except SecretMissing as error:
            return str(error)
        return why_refused(self._url, allow_private=self._means.allow_private)

    async def run(self) -> None:
        """Return: there is no session to hold."""

    async def send(self, message: Outbound, gate: Gate) -> Result:
        """Hand a message over: as it is, or in the template where only that may be taken."""
        try:
            token = self._means.secret(self._settings.token_secret)
        except SecretMissing as error:
            return http_outcomes.not_sent("secret_missing", str(error))
        in_template = bool(self._settings.template) and not self._may_be_free(message.recipient)
        result = await self._try(message, token, gate, in_template=in_template)
        if not in_template and self._settings.template and _is_window_closed(result):
            self._wrote.pop(message.recipient, None)  # it was refused for certain: the template is no repetition
            return await self._try(message, token, _open, in_template=True)
        return result

    async def called(self, call: Call) -> Reply:
        """Confirm the webhook's address, or take statuses and messages; raises NotAuthentic, BadCall."""
        if call.method == "GET":
            return self._confirmed(call)
        given = call.headers.get("x-hub-signature-256", "")
        if not http_proofs.fits(given, call.body, self._secret(self._settings.app_secret), prefix="sha256="):
            raise NotAuthentic(why="the signature in X-Hub-Signature-256 is missing or does not fit the app secret")
        for one in whatsapp_calls.read(call.body, self._settings.phone_number_id):
            if isinstance(one, Receipt):
                await self._means.sink.receipt(one)
            else:
                self._note(one.sender, one.sent_at_ms)
                await self._means.sink.arrival(one)
        return Reply()

    def _confirmed(self, call: Call) -> Reply:
        token = self._secret(self._settings.verify_secret)
        if not http_proofs.same(call.query.get("hub.verify_token", ""), token):
            raise NotAuthentic(why="hub.verify_token is missing or is not the secret that verify_secret names")
        challenge = call.query.get("hub.challenge", "")
        if call.query.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(challenge):
            raise BadCall(why="hub.mode must be subscribe, and hub.challenge 1 to 200 characters")
        return Reply(body=challenge)

    def _secret(self, name: str) -> str:
        if not name:
            raise NotAuthentic(why="no call of this provider is taken: app_secret and verify_secret are not set")
        try:
            return self._means.secret(name)
        except SecretMissing as error:
            raise NotAuthentic(why=str(error)) from None

    def _note(self, sender: str, sent_at_ms: int | None) -> None:
        """Remember when somebody wrote; what the provider tells late opens the window no longer."""
        now = self._means.clock.now()
        at = min(now if sent_at_ms is None else sent_at_ms / 1000, now)
        self._wrote[sender] = max(at, self._wrote.pop(sender, 0.0))
        while len(self._wrote) > MOST_WRITERS:
            self._wrote.popitem(last=False)

    def _may_be_free(self, recipient: str) -> bool:
        """Whether any text may be sent to somebody, as far as is known since the start."""
        if self._settings.template_use == "always":
            return False
        return self._means.clock.now() - self._wrote.get(recipient, 0.0) < WINDOW_S

    async def _try(self, message: Outbound, token: str, gate: Gate, *, in_template: bool) -> Result:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        document = self._templated(message) if in_template else _free(message)
        request = Request("POST", self._url, headers, json.dumps(document).encode())
        ended = await self._requester.request(
            request,
            gate,
            allow_private=self._means.allow_private,
            connect_s=self._settings.connect_timeout_s,
            answer_s=self._settings.timeout_s,
        )
        result = judge(ended, (message.text, token), self._means.clock.now())
        return msgspec.structs.replace(result, evidence={**result.evidence, "template": in_template})

    def _templated(self, message: Outbound) -> dict[str, Any]:
        # A parameter has no line ends, tabs, or more than four spaces in a row: the API refuses it.
        parameters = [{"type": "text", "text": " ".join(message.text.split())}]
        template = {
            "name": self._settings.template,
            "language": {"code": self._settings.template_language},
            "components": [{"type": "body", "parameters": parameters}],
        }
        return _addressed(message) | {"type": "template", "template": template}


def judge(ended: Ended, hidden: tuple[str, ...], now: float) -> Result:
    """Return what became of a message: by the id of the answer, the code of its error, or else its status."""
    answer = http_outcomes.said(ended, hidden, now)
    if isinstance(answer, Result):
        return answer
    status, document = answer.reply.status, answer.document
    if 200 <= status < 300:
        reference = word(document, "messages.0.id")
        if reference and len(reference) <= REFERENCE_LIMIT:
            return http_outcomes.accepted({"status": status, "ms": answer.reply.ms}, reference)
        what = f"is not whole: {ended.reason}" if answer.reply.cut else "has no messages.0.id"
        code = "answer_cut" if answer.reply.cut else "answer_nonsense"
        return answer.ambiguous(code, f"the status says taken, but the answer {what}")
    return _by_code(answer) or _by_status(answer)


def _by_code(answer: Said) -> Result | None:
    code = word(answer.document, "error.code") or ""
    if not code.isdigit():
        return None
    klass, meaning = ERRORS.get(int(code[:9]), (None, ""))
    if int(code[:9]) in PERMISSIONS:
        klass, meaning = CauseClass.SIM, "the access token lacks a permission"
    if code == "100" and word(answer.document, "error.error_subcode") == str(WRONG_OBJECT):
        klass, meaning = CauseClass.SIM, "there is no such phone number id, or the access token is not for it"
    if klass is None:
        return None
    details = word(answer.document, "error.error_data.details") or word(answer.document, "error.message") or ""
    words = f"{code}: {meaning}{f' ({details})' if details else ''}"
    if klass is CauseClass.AMBIGUOUS:
        return answer.ambiguous(f"code_{code}", words)
    return answer.refused(klass, f"code_{code}", words)


def _by_status(answer: Said) -> Result:
    status = answer.reply.status
    klass, meaning = REFUSALS.get(status, (None, "it refuses the request"))
    if status in REFUSALS or (400 <= status < 500 and status not in http_outcomes.AMBIGUOUS):
        return answer.refused(klass or CauseClass.RECIPIENT, f"http_{status}", f"{status}: {meaning}")
    return answer.ambiguous(f"http_{status}", f"{status}: it may have been taken")


def _is_window_closed(result: Result) -> bool:
    cause = result.cause
    return result.outcome is AttemptOutcome.REJECTED and cause is not None and cause.code == f"code_{WINDOW_CLOSED}"


def _addressed(message: Outbound) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "recipient_type": "individual", "to": message.recipient}


def _free(message: Outbound) -> dict[str, Any]:
    return _addressed(message) | {"type": "text", "text": {"preview_url": False, "body": message.text}}


async def _open() -> bool:
    """Let the template pass: the intent is durable since the first try."""
    return True
