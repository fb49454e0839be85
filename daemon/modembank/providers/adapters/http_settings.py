"""How a provider with an HTTP API is described: the request, how its answer is read, and how it calls back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from modembank.providers.adapters.http_templates import SECRET_NAME
from modembank.providers.model import Channel, ReceiptStatus

SecretName: TypeAlias = Annotated[
    str,
    Meta(pattern=rf"^({SECRET_NAME})?\Z", description="the name of a secret, never the secret itself; or nothing"),
]
HeaderName: TypeAlias = Annotated[str, Meta(max_length=80)]
Path: TypeAlias = Annotated[str, Meta(max_length=200)]
Word: TypeAlias = Annotated[str, Meta(max_length=200)]
Filled: TypeAlias = Annotated[str, Meta(max_length=4_000)]
Refusal: TypeAlias = Literal["recipient", "account", "later", "busy"]
"""This message, for good; this account, so that another may; later; or the provider rests."""
Status: TypeAlias = Annotated[int, Meta(ge=200, le=599)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One provider with an HTTP API."""

    channel: Annotated[Channel, Meta(description="What it carries: sms, email or whatsapp")] = Channel.SMS
    # The request
    method: Annotated[Literal["POST", "GET", "PUT"], Meta(description="The method of the request")] = "POST"
    url: Annotated[str, Meta(min_length=8, max_length=2_048, description="The address that is asked")]
    query: Annotated[
        Mapping[Word, Filled], Meta(max_length=50, description="Fields that are added to the address, by name")
    ] = {}
    headers: Annotated[Mapping[HeaderName, Filled], Meta(max_length=50, description="Further headers, by name")] = {}
    body: Annotated[
        str, Meta(max_length=20_000, description="A JSON document; its strings may hold {to}, {text} and so on")
    ] = ""
    form: Annotated[
        Mapping[Word, Filled], Meta(max_length=100, description="Instead of a document: fields of a form, by name")
    ] = {}
    auth: Annotated[Literal["none", "basic", "bearer", "header"], Meta(description="How the box proves who it is")] = (
        "none"
    )
    auth_user: Annotated[str, Meta(max_length=200, description="The user's name, with basic")] = ""
    auth_header: Annotated[str, Meta(max_length=80, description="The header's name, with header")] = ""
    auth_secret: Annotated[SecretName, Meta(description="The name of the secret: password, token or key")] = ""
    idempotency_header: Annotated[
        str, Meta(max_length=80, description="The header of the key by which the provider knows a repetition")
    ] = ""
    idempotent: Annotated[
        bool, Meta(description="It knows a repetition by {key} in the request: what is ambiguous is repeated")
    ] = False
    connect_timeout_s: Annotated[float, Meta(ge=0.1, le=60, description="Seconds until the connection stands")] = 10.0
    timeout_s: Annotated[float, Meta(ge=0.1, le=120, description="Seconds from the request to the answer's end")] = 30.0
    repeat_for_s: Annotated[
        float, Meta(ge=0.1, le=300, description="Seconds for a message with all repetitions, where they are safe")
    ] = 90.0
    window: Annotated[int, Meta(ge=1, le=64, description="How many messages are handed over at once")] = 4
    # The answer
    success_statuses: Annotated[
        tuple[Status, ...], Meta(max_length=20, description="Statuses that mean taken; empty: 200 to 299")
    ] = ()
    success_path: Annotated[Path, Meta(description="Where in the answer it says whether the message was taken")] = ""
    success_values: Annotated[tuple[Word, ...], Meta(max_length=50, description="What is there when it was taken")] = ()
    failure_values: Annotated[
        tuple[Word, ...], Meta(max_length=50, description="What is there when it was certainly not taken")
    ] = ()
    answer_id: Annotated[Path, Meta(description="Where the provider's id of the message is")] = ""
    answer_code: Annotated[Path, Meta(description="Where the code of an error is")] = ""
    answer_text: Annotated[Path, Meta(description="Where the words for an error are")] = ""
    answer_retry_after: Annotated[Path, Meta(description="Where the seconds to wait are, beside Retry-After")] = ""
    errors: Annotated[
        Mapping[Word, Refusal],
        Meta(max_length=500, description="Code of an error, or http_ and a status: recipient, account, later or busy"),
    ] = {}
    other_errors: Annotated[
        Refusal, Meta(description="What a refusal means that names nothing in errors, such as a bare 400")
    ] = "recipient"
    server_errors: Annotated[
        Literal["unknown", "not_taken"], Meta(description="Whether a message may have been taken after 500 to 599")
    ] = "unknown"
    # What comes back
    callback_url: Annotated[
        str, Meta(max_length=2_048, description="This provider's address on the box as the provider reaches it")
    ] = ""
    callback_auth: Annotated[
        Literal["none", "query", "header", "basic", "hmac"],
        Meta(description="How its calls prove where they come from; with none, no call is taken"),
    ] = "none"
    callback_secret: Annotated[SecretName, Meta(description="The name of the secret that its calls prove")] = ""
    callback_field: Annotated[
        str, Meta(max_length=80, description="With query, header and hmac: the name of the field or header")
    ] = ""
    callback_user: Annotated[str, Meta(max_length=200, description="With basic: the user's name")] = ""
    callback_digest: Annotated[Literal["sha256", "sha1"], Meta(description="With hmac: the digest")] = "sha256"
    callback_encoding: Annotated[Literal["hex", "base64"], Meta(description="With hmac: how it is written")] = "hex"
    callback_prefix: Annotated[str, Meta(max_length=40, description="With hmac: before it, such as sha256=")] = ""
    callback_signed: Annotated[
        Literal["body", "url_and_form"],
        Meta(description="With hmac: what is signed; url_and_form is Twilio's way, and needs callback_url"),
    ] = "body"
    callback_format: Annotated[Literal["json", "form", "query"], Meta(description="How its calls are written")] = "json"
    callback_answer: Annotated[str, Meta(max_length=2_000, description="What its calls are answered")] = ""
    callback_answer_type: Annotated[
        Literal["text/plain", "application/json", "text/xml"], Meta(description="The media type of that")
    ] = "text/plain"
    receipt_list: Annotated[Path, Meta(description="Where a list of receipts is; . is the document itself")] = ""
    receipt_id: Annotated[Path, Meta(description="Where a receipt has the message's id")] = ""
    receipt_status: Annotated[Path, Meta(description="Where it has the status")] = ""
    receipt_detail: Annotated[Path, Meta(description="Where it has a code or words, for people")] = ""
    receipt_time: Annotated[Path, Meta(description="Where it has the time")] = ""
    statuses: Annotated[
        Mapping[Word, ReceiptStatus],
        Meta(max_length=200, description="Word of a receipt: pending, delivered, failed or expired"),
    ] = {}
    arrival_list: Annotated[Path, Meta(description="Where a list of inbound messages is")] = ""
    arrival_id: Annotated[Path, Meta(description="Where an inbound message has its id")] = ""
    arrival_from: Annotated[Path, Meta(description="Where it has the sender")] = ""
    arrival_to: Annotated[Path, Meta(description="Where it has the number or address it was sent to")] = ""
    arrival_text: Annotated[Path, Meta(description="Where it has the text")] = ""
    arrival_time: Annotated[Path, Meta(description="Where it has the time")] = ""
    number_format: Annotated[
        Literal["plus", "digits"], Meta(description="Whether it writes numbers with + or without, in its calls")
    ] = "plus"

    @property
    def repeats(self) -> bool:
        """Whether the provider knows a repetition, so that one is safe."""
        return self.idempotent or bool(self.idempotency_header)

    @property
    def takes_receipts(self) -> bool:
        """Whether receipts are read."""
        return bool(self.receipt_id)

    @property
    def takes_arrivals(self) -> bool:
        """Whether inbound messages are read."""
        return bool(self.arrival_id)
