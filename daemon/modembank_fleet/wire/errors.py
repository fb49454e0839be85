"""Why something cannot be on the wire."""

from __future__ import annotations

from modembank.errors import ModembankError


class WireError(ModembankError):
    """A topic, a payload or a signature is not as this protocol wants it; ``code`` is for machines."""

    key = "invalid_wire"
    template = "{code}: {detail}"

    def __init__(self, code: str, detail: str) -> None:
        """Name what is wrong by a short code, and say it in words."""
        super().__init__(code=code, detail=detail)
        self.code = code
        self.detail = detail
