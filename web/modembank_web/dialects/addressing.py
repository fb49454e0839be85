"""What the dialects have in common: addresses of messages, and the names of their own fields in what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modembank.errors import FieldProblem, InvalidRequest
from modembank_web.api.v1.messages import PATH
from modembank_web.operation import Call

IDEMPOTENCY = {"Idempotency-Key": ("1 to 255 printable ASCII characters, remembered for 48 hours", "order-4711")}
_HOST = re.compile(rb"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


def message_address(call: Call, message: str) -> str:
    """Return where a message is shown, as seen by whoever asks; without the host when it did not say which."""
    host = call.headers.get(b"host", b"")
    if not _HOST.fullmatch(host):
        return f"{PATH}/{message}"
    return f"{call.scope['scheme']}://{host.decode()}{PATH}/{message}"


@contextmanager
def fields_named(names: Mapping[str, str]) -> Iterator[None]:
    """Name the fields of what is refused as this dialect does: ``names`` is from ours to its."""
    try:
        yield
    except InvalidRequest as error:
        problems = [FieldProblem(_renamed(each.pointer, names), each.detail) for each in error.problems]
        raise type(error)(*problems) from error


def _renamed(pointer: str, names: Mapping[str, str]) -> str:
    _, slash, rest = pointer.partition("/")
    first, more, inner = rest.partition("/")
    return f"/{names.get(first, first)}{more}{inner}" if slash else pointer
