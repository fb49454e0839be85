"""What AT commands set in a modem and a reset forgets."""

from __future__ import annotations

from dataclasses import dataclass, field

from modembank_emulator.capabilities import Capabilities


@dataclass(slots=True)
class Settings:
    """Volatile state of the command interface; factory values of 3GPP TS 27.005, 27.007 and ITU-T V.250."""

    echo: bool = True
    verbose: bool = True
    cmee: int = 0
    cmgf: int = 0
    csms: int = 0
    cnmi: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    memories: list[str] = field(default_factory=lambda: ["SM", "SM", "SM"])
    cmms: int = 0
    csmp: tuple[int, int, int, int] = (17, 167, 0, 0)
    csdh: int = 0
    cscs: str = "GSM"
    clip: int = 0
    cssn: tuple[int, int] = (0, 0)
    cusd: int = 0
    cops_format: int = 0
    registration_reports: dict[str, int] = field(default_factory=dict)
    chatter: bool = True

    @classmethod
    def factory(cls, caps: Capabilities) -> Settings:
        """Settings of a modem of this model just after start."""
        return cls(echo=caps.echo_at_start, memories=list(caps.memories_at_start))
