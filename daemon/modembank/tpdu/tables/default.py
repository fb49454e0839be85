"""GSM 7-bit default alphabet and its extension table.

Source: 3GPP TS 23.038 clauses 6.2.1 and 6.2.1.1. A locking table is a string of 128 characters indexed by septet; a
single-shift table maps the septet after the escape (0x1B) to a character. U+FFFD marks a position without a character.
"""

from typing import Final

from modembank.tpdu.tables.runs import runs

DEFAULT_LOCKING: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"  # 0x00
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"  # 0x10
    " !\"#¤%&'()*+,-./"  # 0x20
    "0123456789:;<=>?"  # 0x30
    "¡ABCDEFGHIJKLMNO"  # 0x40
    "PQRSTUVWXYZÄÖÑÜ§"  # 0x50
    "¿abcdefghijklmno"  # 0x60
    "pqrstuvwxyzäöñüà"  # 0x70
)

# 0x0A is the page break of NOTE 3; 0x1B (a further escape) is reserved and shown as a space, see `decode_septets`.
DEFAULT_SINGLE: Final = runs(
    (0x0A, "\f"),
    (0x14, "^"),
    (0x28, "{}"),
    (0x2F, "\\"),
    (0x3C, "[~]"),
    (0x40, "|"),
    (0x65, "€"),
)
