"""A modem that follows 3GPP TS 27.005 and 27.007 without surprises."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities

GENERIC = Capabilities()
