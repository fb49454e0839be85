"""Reading octets within bounds, and writing them."""

from modembank.tpdu.errors import MalformedTpdu, UnencodableTpdu


class Cursor:
    """Reads octets in order; reading past the end raises MalformedTpdu naming the field and the octet."""

    __slots__ = ("_octets", "position")

    def __init__(self, octets: bytes, position: int = 0) -> None:
        self._octets = octets
        self.position = position

    @property
    def remaining(self) -> int:
        return len(self._octets) - self.position

    def octet(self, field: str) -> int:
        return self.take(1, field)[0]

    def take(self, count: int, field: str) -> bytes:
        if count > self.remaining:
            msg = f"{field} runs past the end"
            raise MalformedTpdu(msg, self.position)
        start = self.position
        self.position += count
        return self._octets[start : self.position]

    def rest(self) -> bytes:
        return self.take(self.remaining, "rest")


def octets(*values: int) -> bytes:
    """Join single octets. Raises UnencodableTpdu for a value outside 0-255."""
    try:
        return bytes(values)
    except ValueError:
        msg = "a field of one octet holds 0-255"
        raise UnencodableTpdu(msg) from None
