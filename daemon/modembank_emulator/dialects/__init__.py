"""Dialects: one file each, stating only the difference from the generic modem."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities
from modembank_emulator.dialects.generic import GENERIC
from modembank_emulator.dialects.huawei import HUAWEI
from modembank_emulator.dialects.poor import POOR
from modembank_emulator.dialects.quectel import QUECTEL
from modembank_emulator.dialects.simcom import SIMCOM

DIALECTS: dict[str, Capabilities] = {model.name: model for model in (QUECTEL, HUAWEI, SIMCOM, GENERIC, POOR)}
MIXED: tuple[str, ...] = ("quectel", "huawei", "simcom", "generic")


def dialect_for(name: str, index: int) -> Capabilities:
    """The traits of modem `index` in a bank of this dialect; `mixed` deals the four in turn; KeyError if unknown."""
    return DIALECTS[MIXED[index % len(MIXED)] if name == "mixed" else name]


__all__ = ["DIALECTS", "GENERIC", "HUAWEI", "MIXED", "POOR", "QUECTEL", "SIMCOM", "dialect_for"]
