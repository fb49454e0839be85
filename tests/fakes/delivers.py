"""DELIVER PDUs written octet by octet (3GPP TS 23.040 9.2.2.1), also such as no decent centre would send."""

SMSC = "07915155990900F0"
SENDER = "0B915155214365F7"
"""+15551234567"""
MOMENT = "62111230542100"


def packed(text, fill=0):
    """Septets of ASCII that the default alphabet shares, behind so many fill bits."""
    bits = sum(ord(letter) << 7 * place for place, letter in enumerate(text)) << fill
    return bits.to_bytes((7 * len(text) + fill + 7) // 8, "little").hex().upper()


def deliver(data, length, *, dcs=0, pid=0, sender=SENDER, header=False, moment=MOMENT):
    """A whole PDU; ``length`` is TP-UDL, ``data`` hex."""
    first = 0x44 if header else 0x04
    return f"{SMSC}{first:02X}{sender}{pid:02X}{dcs:02X}{moment}{length:02X}{data}".upper()


def text(words, **more):
    """A text in the default alphabet."""
    return deliver(packed(words), len(words), **more)


def binary(octets, header=b"", **more):
    """8-bit data, with a header's elements."""
    if header:
        octets = bytes([len(header)]) + header + octets
    return deliver(octets.hex(), len(octets), dcs=more.pop("dcs", 4), header=bool(header), **more)


def wide(words, **more):
    """A text in UCS-2."""
    octets = words.encode("utf-16-be", "surrogatepass")
    return deliver(octets.hex(), len(octets), dcs=8, **more)


def part(words, reference, total, number, **more):
    """A part of a long UCS-2 text with an 8-bit reference."""
    octets = bytes([5, 0, 3, reference, total, number]) + words.encode("utf-16-be", "surrogatepass")
    return deliver(octets.hex(), len(octets), dcs=8, header=True, **more)


def named(name, kind="D0"):
    """An alphanumeric sender; its length counts semi-octets (9.1.2.5)."""
    return f"{-(-7 * len(name) // 4):02X}{kind}{packed(name)}"
