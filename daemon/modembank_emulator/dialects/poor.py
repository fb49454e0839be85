"""A poor modem: no CMMS, CSMS level 0 only, no validity periods, no stored messages, no ICCID."""

from __future__ import annotations

from modembank_emulator.capabilities import Capabilities, CregForm

POOR = Capabilities(
    name="poor",
    manufacturer="NoName",
    model="GSM MODEM",
    firmware="V1",
    compound=False,
    escape_answer=None,
    urcs_wait_for_final=True,
    iccid_commands=frozenset(),
    crsm=False,
    pin_counter=None,
    csms_levels=(0,),
    cnma=False,
    cmms=False,
    validity=False,
    cnmi_test="(0-2),(0,2),(0),(0,1),(0)",
    cnmi_mts=frozenset({0, 2}),
    cnmi_dss=frozenset({0, 1}),
    cnmi_error=None,
    text_mode=False,
    write_and_send=False,
    me_size=0,
    sr_size=0,
    memory_lists=(("SM",), ("SM",), ("SM",)),
    cpms_brackets=False,
    cmgl_empty_code=321,
    cmgr_empty_code=321,
    alpha_field=False,
    cmgd_flags=False,
    creg_form=CregForm.BARE,
    eps=False,
    cesq=False,
    cops_test=False,
)
