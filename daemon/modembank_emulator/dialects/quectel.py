"""Quectel EC25: RDY and QIND at start, index from 0, three memories, CDSI that may name the wrong one."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities

QUECTEL = Capabilities(
    name="quectel",
    manufacturer="Quectel",
    model="EC25",
    firmware="EC25EFAR06A06M4G",
    boot_urcs=("RDY", "+CPIN: READY"),
    ready_urcs=("+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"),
    reset_reenumerates=True,
    iccid_commands=frozenset({"+QCCID", "+CCID", "+ICCID"}),
    pin_counter="+QPINC",
    index_base=0,
    me_size=180,
    memory_lists=(("SM", "ME", "MT", "SR"), ("SM", "ME"), ("SM", "ME")),
    memories_at_start=("ME", "ME", "ME"),
    cnmi_test="(0-2),(0-3),(0,2),(0-2),(0,1)",
    cdsi_memory="SM",
    chatter=('+QIND: "csq",20,99', '+QIND: "act","LTE"'),
    extras=frozenset({"+QPOWD", "+QCFG", "+QURCCFG", "+QINISTAT", "+QNWINFO", "+QIND"}),
)

# Many Qualcomm modems list ds 1 in CNMI=? and refuse it (comment in ModemManager's CNMI ladder).
QUECTEL_REFUSES_DS1 = QUECTEL.but(cnmi_dss=frozenset({0, 2}))

# EP06-A and EM06-A know CMGL with text-mode statuses only (Quectel forum 7820).
QUECTEL_EP06 = QUECTEL.but(model="EP06", firmware="EP06ALAR02A02M4G", cmgl_pdu=False)
