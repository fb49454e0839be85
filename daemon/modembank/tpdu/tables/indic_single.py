"""National language single-shift tables for nine Indic scripts.

Source: 3GPP TS 23.038 annex A.2.4 (Bengali) to A.2.12 (Telugu). Telugu alone has no euro sign at 0x65.
"""

from typing import Final

from modembank.tpdu.tables.runs import runs

# Positions that all of A.2.4 to A.2.13 share.
INDIC_COMMON: Final = runs(
    (0x00, "@£$¥¿\"¤%&'\f*+"),
    (0x0E, "-/"),
    (0x10, "<=>¡^¡_#*"),
    (0x28, "{}"),
    (0x2F, "\\"),
    (0x3C, "[~]"),
    (0x40, "|ABCDEFGHIJKLMNO"),
    (0x50, "PQRSTUVWXYZ"),
)

BENGALI_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u09e6\u09e7"),
    (0x1C, "\u09e8\u09e9\u09ea\u09eb"),
    (0x20, "\u09ec\u09ed\u09ee\u09ef\u09df\u09e0\u09e1\u09e2"),
    (0x2A, "\u09e3\u09f2\u09f3\u09f4\u09f5"),
    (0x30, "\u09f6\u09f7\u09f8\u09f9\u09fa"),
    (0x65, "\u20ac"),
)

GUJARATI_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0ae6\u0ae7\u0ae8\u0ae9"),
    (0x20, "\u0aea\u0aeb\u0aec\u0aed\u0aee\u0aef"),
    (0x65, "\u20ac"),
)

HINDI_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0966\u0967\u0968\u0969"),
    (0x20, "\u096a\u096b\u096c\u096d\u096e\u096f\u0951\u0952"),
    (0x2A, "\u0953\u0954\u0958\u0959\u095a"),
    (0x30, "\u095b\u095c\u095d\u095e\u095f\u0960\u0961\u0962\u0963\u0970\u0971"),
    (0x65, "\u20ac"),
)

KANNADA_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0ce6\u0ce7\u0ce8\u0ce9"),
    (0x20, "\u0cea\u0ceb\u0cec\u0ced\u0cee\u0cef\u0cde\u0cf1"),
    (0x2A, "\u0cf2"),
    (0x65, "\u20ac"),
)

MALAYALAM_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0d66\u0d67\u0d68\u0d69"),
    (0x20, "\u0d6a\u0d6b\u0d6c\u0d6d\u0d6e\u0d6f\u0d70\u0d71"),
    (0x2A, "\u0d72\u0d73\u0d74\u0d75\u0d7a"),
    (0x30, "\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f"),
    (0x65, "\u20ac"),
)

ORIYA_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0b66\u0b67\u0b68\u0b69"),
    (0x20, "\u0b6a\u0b6b\u0b6c\u0b6d\u0b6e\u0b6f\u0b5c\u0b5d"),
    (0x2A, "\u0b5f\u0b70\u0b71"),
    (0x65, "\u20ac"),
)

PUNJABI_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0a66\u0a67\u0a68\u0a69"),
    (0x20, "\u0a6a\u0a6b\u0a6c\u0a6d\u0a6e\u0a6f\u0a59\u0a5a"),
    (0x2A, "\u0a5b\u0a5c\u0a5e\u0a75"),
    (0x65, "\u20ac"),
)

TAMIL_SINGLE: Final = INDIC_COMMON | runs(
    (0x19, "\u0964\u0965"),
    (0x1C, "\u0be6\u0be7\u0be8\u0be9"),
    (0x20, "\u0bea\u0beb\u0bec\u0bed\u0bee\u0bef\u0bf3\u0bf4"),
    (0x2A, "\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa"),
    (0x65, "\u20ac"),
)

TELUGU_SINGLE: Final = INDIC_COMMON | runs(
    (0x1C, "\u0c66\u0c67\u0c68\u0c69"),
    (0x20, "\u0c6a\u0c6b\u0c6c\u0c6d\u0c6e\u0c6f\u0c58\u0c59"),
    (0x2A, "\u0c78\u0c79\u0c7a\u0c7b\u0c7c"),
    (0x30, "\u0c7d\u0c7e\u0c7f"),
)
