"""Huawei E-series stick: ^ noise, CNMI mode 1 only, index from 0, encoded USSD, SMMEMFULL."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities, CregForm, UssdForm

HUAWEI = Capabilities(
    name="huawei",
    manufacturer="huawei",
    model="E173",
    firmware="11.126.85.00.209",
    boot_urcs=("^BOOT:20000,0,0,0,72", "^SIMST:1", "^SRVST:2"),
    ready_urcs=("^STIN: 0,0,0",),
    reset_reenumerates=True,
    compound=False,
    iccid_commands=frozenset({"^ICCID"}),
    pin_counter="^CPIN",
    index_base=0,
    me_size=23,
    memory_lists=(("SM", "ME"), ("SM", "ME"), ("SM", "ME")),
    csms_read_with_service=False,
    cnmi_test="(0-2),(0-3),(0,2),(0-2),(0,1)",
    cnmi_modes=frozenset({0, 1}),
    cnmi_error=None,
    full_urc='^SMMEMFULL: "SM"',
    creg_form=CregForm.QUOTED,
    eps=False,
    cesq=False,
    ussd_form=UssdForm.PACKED,
    ussd_packed_request=True,
    chatter=("^RSSI:17", "^MODE:5,4", "^BOOT:20000,0,0,0,72", "^DSFLOWRPT:0000000C,00000000,00000000,0,0,0,0"),
    chatter_chance=0.05,
    extras=frozenset({"^CURC", "^SYSINFO", "^RESET", "^GETPORTMODE", "^HCSQ", "^PORTSEL"}),
)
