"""How inbound messages and reports are announced: the CNMI ladder, every rung verified by reading it back."""

from __future__ import annotations

from modembank.at import (
    AtCommand,
    IndicationRanges,
    capability,
    command,
    parse_cnmi,
    parse_cnmi_ranges,
    parse_csms,
    query,
)
from modembank.modem.capabilities import Feature, Routing
from modembank.modem.dialogue import Dialogue, said
from modembank.modem.quirks import Acknowledge, Quirks

RANGES = capability("+CNMI")
READ_BACK = query("+CNMI")
_SERVICE_READ = query("+CSMS")
_GIVE_BACK = command("+CNMA", 2, timeout_s=5.0)


async def set_service(dialogue: Dialogue, quirks: Quirks) -> int:
    """Ask for service 1 (phase 2+) where the modem can acknowledge; return the service in force."""
    wanted = 0 if quirks.acknowledge is Acknowledge.NEVER else 1
    setting = command("+CSMS", wanted, prefix=("+CSMS:",), timeout_s=10.0)
    result = await dialogue.ask_patiently(setting)
    service = wanted if result is not None and result.ok else 0
    evidence = said(setting, result)
    if service:
        read = await dialogue.ask(_SERVICE_READ)
        report = parse_csms(read.lines[0]) if read is not None and read.ok and read.lines else None
        # Huawei and Novatel leave the service out of the answer; then the OK counts.
        if report is not None and report.service is not None:
            service = min(report.service, 1)
            evidence = said(_SERVICE_READ, read)
    dialogue.note(Feature.PHASE_2_PLUS, has=bool(service), evidence=evidence)
    return service


async def give_back(dialogue: Dialogue) -> None:
    """Refuse what was handed to an earlier run of ours that ended before it acknowledged, if there is anything.

    The network sends it again (3GPP TS 27.005 4.5: n=2 answers it with RP-ERROR). Without an answer the modem waits,
    then stops routing altogether (3.4.4), and the reports after this one would be lost with it.
    """
    await dialogue.ask(_GIVE_BACK)


async def set_routing(dialogue: Dialogue, quirks: Quirks, learnt: Routing | None) -> Routing | None:
    """Climb the ladder until a setting is taken and read back; ``learnt`` (from the same firmware) is tried first."""
    offered = await dialogue.ask_patiently(RANGES)
    ranges = None
    if offered is not None and offered.ok:
        ranges = next((found for line in offered.lines if (found := parse_cnmi_ranges(line))), None)
    for routing in candidates(quirks.routings, ranges, learnt):
        if await _take(dialogue, routing):
            _note(dialogue, routing)
            return routing
    evidence = said(RANGES, offered) if ranges is None else f"{said(RANGES, offered)}, yet every setting is refused"
    for feature in (Feature.ROUTING, Feature.DIRECT_REPORTS, Feature.STORED_REPORTS):
        dialogue.note(feature, has=False, evidence=evidence)
    dialogue.note(Feature.STORED_MESSAGES, has=None, evidence=evidence)  # most store what they cannot announce
    return None


def candidates(
    ladder: tuple[Routing, ...], ranges: IndicationRanges | None, learnt: Routing | None = None
) -> list[Routing]:
    """Return the settings in the order of trying: the learnt one, what the modem claims to take, then the rest.

    The rest too, because CNMI=? lies in both directions.
    """
    claimed = [routing for routing in ladder if ranges is None or _within(routing, ranges)]
    ordered = ([learnt] if learnt is not None else []) + claimed + list(ladder)
    return list(dict.fromkeys(ordered))


def _within(routing: Routing, ranges: IndicationRanges) -> bool:
    allowed = (ranges.mode, ranges.mt, ranges.bm, ranges.ds, ranges.bfr)
    # bfr is left out: it only says what happens to codes buffered during a data call.
    return all(not group or value in group for value, group in zip(routing.arguments[:4], allowed[:4], strict=True))


def setting(routing: Routing) -> AtCommand:
    """The command that sets it."""
    return command("+CNMI", *routing.arguments)


async def _take(dialogue: Dialogue, routing: Routing) -> bool:
    for bfr in (routing.bfr, 1 - routing.bfr):  # MC75i and kin take only bfr 1
        order = setting(Routing(routing.mode, routing.mt, routing.bm, routing.ds, bfr))
        result = await dialogue.ask_patiently(order)
        if result is not None and result.ok:
            read = await dialogue.ask(READ_BACK)
            if read is None or not read.ok or not read.lines:
                return True
            return parse_cnmi(read.lines[0])[:4] == routing.arguments[:4]
    return False


def _note(dialogue: Dialogue, routing: Routing) -> None:
    evidence = "AT+CNMI=" + ",".join(str(value) for value in routing.arguments)
    dialogue.note(Feature.ROUTING, has=routing.mt in {1, 2}, evidence=evidence)
    dialogue.note(Feature.STORED_MESSAGES, has=routing.mt == 1, evidence=evidence)
    dialogue.note(Feature.DIRECT_REPORTS, has=routing.ds == 1, evidence=evidence)
    if routing.ds != 1:
        dialogue.note(Feature.STORED_REPORTS, has=routing.ds == 2, evidence=evidence)
