"""Vendors' quirks: one small file each, stating only the difference; chosen by what AT+CGMI and AT+CGMM say."""

from __future__ import annotations

from modembank.modem.quirks.cinterion import CINTERION
from modembank.modem.quirks.difference import Acknowledge, Quirks
from modembank.modem.quirks.huawei import HUAWEI
from modembank.modem.quirks.quectel import QUECTEL
from modembank.modem.quirks.sierra import SIERRA
from modembank.modem.quirks.simcom import SIMCOM
from modembank.modem.quirks.telit import TELIT
from modembank.modem.quirks.zte import ZTE

GENERIC = Quirks()
VENDORS: tuple[Quirks, ...] = (HUAWEI, QUECTEL, SIMCOM, ZTE, TELIT, SIERRA, CINTERION)


def quirks_for(manufacturer: str, model: str) -> Quirks:
    """Return the first vendor whose patterns match; GENERIC for the rest."""
    for quirks in VENDORS:
        by_maker = quirks.manufacturer is not None and quirks.manufacturer.search(manufacturer)
        by_model = quirks.model is not None and quirks.model.search(model)
        if by_maker or by_model:
            return quirks
    return GENERIC


__all__ = ["GENERIC", "VENDORS", "Acknowledge", "Quirks", "quirks_for"]
