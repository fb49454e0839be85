"""What one model of modem can do, and where it lies: a dialect is a value of this type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any


class UssdForm(Enum):
    """Ways modems print a USSD answer (gammu tests/at-ussd shows real ones)."""

    PLAIN = auto()  # text, quoted, with DCS 15
    PLAIN_WITHOUT_DCS = auto()
    PACKED = auto()  # packed 7-bit hex, quoted, with DCS 15 (E160)
    PACKED_BARE = auto()  # the same, unquoted and without DCS
    UCS2_15 = auto()  # UCS-2 hex, yet DCS 15 (M35)
    UCS2_72 = auto()  # UCS-2 hex with DCS 72 (E3276)


class CregForm(Enum):
    """Ways modems print location area and cell in CREG."""

    QUOTED_ACT = auto()  # 2,1,"04CA","081DE445",7
    QUOTED = auto()
    BARE = auto()  # unquoted hex


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Every trait a driver can meet; `but` makes a variant. Defaults describe a well-behaved generic modem."""

    name: str = "generic"
    manufacturer: str = "Emulated"
    model: str = "EM-1"
    firmware: str = "EM1-1.0.0"

    # Line discipline
    eol: str = "\r\n"
    prompt: str = "\r\n> "
    echo_at_start: bool = True
    compound: bool = True
    urcs_wait_for_final: bool = False
    escape_answer: str | None = "OK"

    # Start-up
    boot_urcs: tuple[str, ...] = ()
    ready_urcs: tuple[str, ...] = ()
    reset_reenumerates: bool = False
    not_ready_code: int = 515

    # Identity and PIN
    iccid_commands: frozenset[str] = frozenset({"+CCID"})
    iccid_quoted: bool = False
    crsm: bool = True
    pin_counter: str | None = "+CPINR"
    extras: frozenset[str] = frozenset()

    # Short messages: service and routing
    csms_levels: tuple[int, ...] = (0, 1)
    csms_read_with_service: bool = True
    cnma: bool = True
    ack_timeout_s: float = 15.0
    cmms: bool = True
    validity: bool = True
    cnmi_test: str = "(0-2),(0-3),(0,2),(0-2),(0,1)"
    cnmi_modes: frozenset[int] = frozenset({0, 1, 2})
    cnmi_mts: frozenset[int] = frozenset({0, 1, 2, 3})
    cnmi_dss: frozenset[int] = frozenset({0, 1, 2})
    cnmi_error: int | None = 303  # None: plain ERROR
    cdsi_memory: str = "SR"  # what +CDSI says; Quectel says "SM" while the report lies in SR
    cmti_memory: str | None = None  # what +CMTI says instead of the true memory
    full_urc: str | None = None
    text_mode: bool = True
    write_and_send: bool = True

    # Short messages: memories
    index_base: int = 1
    me_size: int = 100
    sr_size: int = 50
    memory_lists: tuple[tuple[str, ...], ...] = (("SM", "ME"), ("SM", "ME"), ("SM", "ME"))
    memories_at_start: tuple[str, ...] = ("SM", "SM", "SM")
    cpms_brackets: bool = True
    cmgl_pdu: bool = True
    cmgl_empty_code: int | None = None
    cmgr_empty_code: int | None = None  # None: a bare OK
    alpha_field: bool = True
    cmgd_flags: bool = True

    # Network
    creg_form: CregForm = CregForm.QUOTED_ACT
    eps: bool = True
    cesq: bool = True
    cops_test: bool = True
    ussd_form: UssdForm = UssdForm.PLAIN
    ussd_packed_request: bool = False
    chatter: tuple[str, ...] = ()
    chatter_chance: float = 0.0

    def but(self, **changes: Any) -> Capabilities:
        """The same model with some traits changed."""
        return replace(self, **changes)
