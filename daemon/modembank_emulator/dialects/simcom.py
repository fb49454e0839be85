"""SIMCom A76xx and SIM7x00: CR CR LF line ends, no CNMA, SMS DONE, +SMS FULL, index from 0."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities

SIMCOM = Capabilities(
    name="simcom",
    manufacturer="SIMCOM INCORPORATED",
    model="A7670E-FASE",
    firmware="A011B07A7670M7_F",
    eol="\r\r\n",
    prompt="\r\n> ",
    boot_urcs=("*ATREADY: 1", "+CPIN: READY"),
    ready_urcs=("SMS DONE", "PB DONE"),
    reset_reenumerates=True,
    urcs_wait_for_final=True,
    iccid_commands=frozenset({"+ICCID", "+CICCID"}),
    pin_counter="+SPIC",
    csms_levels=(0, 1),
    cnma=False,
    index_base=0,
    me_size=50,
    cnmi_modes=frozenset({0, 1, 2}),
    full_urc="+SMS FULL",
    cmgr_empty_code=321,
    chatter=("+CSQ: 21,99", "+CNSMOD: 8", "*PSNWID: 001,01,00"),
    extras=frozenset({"+CRESET", "+CNSMOD", "+CPSI"}),
)
