"""Short message service: mode, service centre, routing, sending, acknowledging (3GPP TS 27.005 3.2 to 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator.at_line import AtError, CmeError, CmsError, Op, integers, split_args
from modembank_emulator.commands.registry import Lines, command
from modembank_emulator.dialogue_entry import Entry

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem


@command("+CMGF")
def message_format(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """PDU (0) or text (1) mode."""
    if op is Op.TEST:
        return ["+CMGF: (0,1)" if modem.caps.text_mode else "+CMGF: (0)"]
    if op is Op.READ:
        return [f"+CMGF: {modem.settings.cmgf}"]
    mode = (integers(args) or [0])[0]
    if mode not in ({0, 1} if modem.caps.text_mode else {0}):
        raise CmsError(303)
    modem.settings.cmgf = mode
    return []


@command("+CSMS")
def service(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Service level: 1 asks for acknowledgements."""
    levels = modem.caps.csms_levels
    if op is Op.TEST:
        return [f"+CSMS: ({','.join(map(str, levels))})"]
    if op is Op.READ:
        service_field = f"{modem.settings.csms}," if modem.caps.csms_read_with_service else ""
        return [f"+CSMS: {service_field}1,1,1"]
    level = (integers(args) or [0])[0]
    if level not in levels:
        raise CmsError(302)
    modem.settings.csms = level
    return ["+CSMS: 1,1,1"]


@command("+CSCA")
def service_centre(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Number of the service centre, kept on the card."""
    if op is Op.TEST:
        return []
    card = modem.check_sim_for_messages()
    if op is Op.READ:
        return [f'+CSCA: "{card.smsc}",{145 if card.smsc.startswith("+") else 129}']
    fields = split_args(args)
    if not fields or not fields[0].removeprefix("+").isdigit():
        raise CmsError(304)
    international = len(fields) > 1 and fields[1] == "145"
    card.smsc = "+" + fields[0].removeprefix("+") if international else fields[0]
    return []


@command("+CNMI")
def routing(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Where new messages and reports go; models announce more than they take."""
    caps = modem.caps
    if op is Op.TEST:
        return [f"+CNMI: {caps.cnmi_test}"]
    if op is Op.READ:
        return ["+CNMI: " + ",".join(map(str, modem.settings.cnmi))]
    wanted = integers(args)
    if not 0 < len(wanted) <= 5:
        raise _routing_error(modem)
    mode, mt, bm, ds, bfr = [*wanted, *modem.settings.cnmi[len(wanted) :]]
    if mode not in caps.cnmi_modes or mt not in caps.cnmi_mts or ds not in caps.cnmi_dss:
        raise _routing_error(modem)
    if bm not in {0, 1, 2, 3} or bfr not in {0, 1}:
        raise _routing_error(modem)
    modem.settings.cnmi = (mode, mt, bm, ds, bfr)
    if mode:
        modem.reception.unbuffer()
    return []


@command("+CMMS")
def more_messages(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Keep the relay link open between messages."""
    if not modem.caps.cmms:
        raise AtError
    if op is Op.TEST:
        return ["+CMMS: (0-2)"]
    if op is Op.READ:
        return [f"+CMMS: {modem.settings.cmms}"]
    level = (integers(args) or [0])[0]
    if level not in {0, 1, 2}:
        raise CmeError(50)
    modem.settings.cmms = level
    return []


@command("+CSMP")
def text_parameters(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """First octet, validity, PID and DCS of texts sent in text mode."""
    if op is Op.TEST:
        return []
    if op is Op.READ:
        return ["+CSMP: " + ",".join(map(str, modem.settings.csmp))]
    wanted = integers(args)
    first, validity, pid, dcs = [*wanted, *modem.settings.csmp[len(wanted) :]][:4]
    modem.settings.csmp = (first, validity, pid, dcs)
    return []


@command("+CSDH")
def text_headers(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """More fields in text mode: taken, not shown."""
    if op is Op.READ:
        return [f"+CSDH: {modem.settings.csdh}"]
    if op is Op.SET:
        modem.settings.csdh = (integers(args) or [0])[0]
    return []


@command("+CGSMS")
def bearer(_modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Bearer for sending (3GPP TS 27.007 10.1.21)."""
    if op is Op.TEST:
        return ["+CGSMS: (0-3)"]
    return ["+CGSMS: 3"] if op is Op.READ else []


@command("+CMGS")
def send(modem: EmulatedModem, op: Op, args: str) -> Lines | None:
    """Send: prompt, data, Ctrl-Z."""
    if op is Op.TEST:
        return []
    if op is not Op.SET:
        raise CmsError(302)
    if modem.settings.cmgf == 1:
        fields = split_args(args)
        if not fields or not fields[0]:
            raise CmsError(305)
        modem.submission.begin_text(fields[0])
        return None
    numbers = integers(args)
    if not numbers or not 7 <= numbers[0] <= 176:
        raise CmsError(304)
    modem.submission.begin(numbers[0])
    return None


@command("+CNMA")
def acknowledge(modem: EmulatedModem, op: Op, args: str) -> Lines | None:
    """Acknowledge +CMT or +CDS: bare, =0, =1, =2, or with an acknowledgement PDU."""
    if not modem.caps.cnma:
        raise AtError
    if op is Op.TEST:
        return ["+CNMA: (0-2)"]
    if modem.settings.csms == 0:
        raise CmsError(340)
    numbers = integers(args)
    positive = not numbers or numbers[0] in {0, 1}
    if len(numbers) > 1 and numbers[1] > 0:
        modem.dialogue.ask(Entry(lambda _: _acknowledged(modem, positive=positive), modem.dialogue.complete))
        return None
    modem.reception.acknowledge(positive=positive)
    return []


def _acknowledged(modem: EmulatedModem, *, positive: bool) -> None:
    try:
        modem.reception.acknowledge(positive=positive)
    except AtError as error:
        modem.dialogue.complete(error)
    else:
        modem.dialogue.complete()


def _routing_error(modem: EmulatedModem) -> AtError:
    return AtError() if modem.caps.cnmi_error is None else CmsError(modem.caps.cnmi_error)
