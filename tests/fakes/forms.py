"""Forms as clients write them, from the examples of operations."""

from __future__ import annotations

import json
from typing import Any

from modembank_web.operation import Operation

MULTIPART, BOUNDARY = "multipart/form-data", "a-boundary"


def multipart(fields: dict[str, Any]) -> bytes:
    """Write a form; what is no text is written as JSON has it."""
    parts = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        file = '; filename="x.csv"' if name == "file" else ""
        shown = json.dumps(name)[1:-1].replace('"', "'")
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{shown}"{file}\r\n\r\n{text}\r\n')
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode("utf-8", "surrogatepass")


def media_of(operation: Operation) -> str:
    """Return the content type that an operation's body is declared with."""
    media = "application/json" if operation.body is None else operation.body.media
    return f"{media}; boundary={BOUNDARY}" if media == MULTIPART else media
