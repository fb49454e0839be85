"""Septets packed into octets (3GPP TS 23.038 clause 6.1.2.1)."""


def pack_septets(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack septets, low bits first, behind `fill_bits` (0-6) zero bits that align them after a user data header."""
    value = 0
    for septet in reversed(septets):
        value = value << 7 | (septet & 0x7F)
    return (value << fill_bits).to_bytes((7 * len(septets) + fill_bits + 7) // 8, "little")


def unpack_septets(octets: bytes, count: int | None = None, fill_bits: int = 0) -> bytes:
    """Unpack `count` septets (all that fit when None), skipping `fill_bits`; fewer when the octets run out."""
    fitting = max(0, 8 * len(octets) - fill_bits) // 7
    wanted = fitting if count is None else max(0, min(count, fitting))
    value = int.from_bytes(octets, "little") >> fill_bits
    return bytes(value >> shift & 0x7F for shift in range(0, 7 * wanted, 7))


def fill_bits_after(header_octets: int) -> int:
    """Return the number of zero bits that bring a header of so many octets up to a septet boundary."""
    return -8 * header_octets % 7
