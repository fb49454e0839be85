"""The character tables of 3GPP TS 23.038, as pure data."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from modembank.tpdu.tables import default, european, indic_locking, indic_single, urdu


class Language(IntEnum):
    """National language identifier (3GPP TS 23.038 clause 6.2.1.2.4). DEFAULT stands for no shift element."""

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


LOCKING_TABLES: Final[Mapping[Language, str]] = {
    Language.DEFAULT: default.DEFAULT_LOCKING,
    Language.TURKISH: european.TURKISH_LOCKING,
    Language.PORTUGUESE: european.PORTUGUESE_LOCKING,
    Language.BENGALI: indic_locking.BENGALI_LOCKING,
    Language.GUJARATI: indic_locking.GUJARATI_LOCKING,
    Language.HINDI: indic_locking.HINDI_LOCKING,
    Language.KANNADA: indic_locking.KANNADA_LOCKING,
    Language.MALAYALAM: indic_locking.MALAYALAM_LOCKING,
    Language.ORIYA: indic_locking.ORIYA_LOCKING,
    Language.PUNJABI: indic_locking.PUNJABI_LOCKING,
    Language.TAMIL: indic_locking.TAMIL_LOCKING,
    Language.TELUGU: indic_locking.TELUGU_LOCKING,
    Language.URDU: urdu.URDU_LOCKING,
}

SINGLE_TABLES: Final[Mapping[Language, Mapping[int, str]]] = {
    Language.DEFAULT: default.DEFAULT_SINGLE,
    Language.TURKISH: european.TURKISH_SINGLE,
    Language.SPANISH: european.SPANISH_SINGLE,
    Language.PORTUGUESE: european.PORTUGUESE_SINGLE,
    Language.BENGALI: indic_single.BENGALI_SINGLE,
    Language.GUJARATI: indic_single.GUJARATI_SINGLE,
    Language.HINDI: indic_single.HINDI_SINGLE,
    Language.KANNADA: indic_single.KANNADA_SINGLE,
    Language.MALAYALAM: indic_single.MALAYALAM_SINGLE,
    Language.ORIYA: indic_single.ORIYA_SINGLE,
    Language.PUNJABI: indic_single.PUNJABI_SINGLE,
    Language.TAMIL: indic_single.TAMIL_SINGLE,
    Language.TELUGU: indic_single.TELUGU_SINGLE,
    Language.URDU: urdu.URDU_SINGLE,
}

__all__ = ["LOCKING_TABLES", "SINGLE_TABLES", "Language"]
