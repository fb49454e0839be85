"""Running the initialisation ladder: who is it, is its SIM ready, and what can it do."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from modembank.at import AtResult, arguments, parse_csca, split_fields
from modembank.modem.capabilities import Capabilities, Feature, Routing, SimSeen
from modembank.modem.dialogue import Dialogue
from modembank.modem.identity import ModemIdentity, identify_modem, read_iccid, read_sim
from modembank.modem.ladder import BASICS, EXTRAS, RADIO, RADIO_ON, REGISTRATIONS, SERVICE, Need, Step
from modembank.modem.memories import USE, choose
from modembank.modem.pin import PinRecord, unlock
from modembank.modem.quirks import Quirks, quirks_for
from modembank.modem.routing import give_back, set_routing, set_service
from modembank.modem.troubles import Hung, Trouble


class Initialized(msgspec.Struct, frozen=True):
    """What a finished initialisation leaves."""

    capabilities: Capabilities
    sim: SimSeen
    quirks: Quirks


class Learnt:
    """What was found out once per firmware and is tried first on the next modem of that kind."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._routings: dict[tuple[str, str], Routing] = {}

    def routing(self, who: ModemIdentity) -> Routing | None:
        """The CNMI setting that such a modem took."""
        return self._routings.get((who.model, who.firmware))

    def took(self, who: ModemIdentity, routing: Routing | None) -> None:
        """Remember what it took."""
        if routing is not None and who.model:
            self._routings[(who.model, who.firmware)] = routing


class SimAccess(msgspec.Struct, frozen=True):
    """How a slot's SIM is opened. A card is named by its ICCID, or by the modem's IMEI where that cannot be read."""

    pin_for: Callable[[str], tuple[str, int]]
    """Return the PIN to try on a card (empty: none is known), and how many tries must be left if it fails."""
    opened: Callable[[str, str], None]
    """Told of a card that a PIN opened."""
    record: PinRecord


async def initialize(dialogue: Dialogue, access: SimAccess, learnt: Learnt) -> Initialized:
    """Climb the ladder. Raises Hung, OutOfService, NoReply (with its trouble), PortLost or Interrupted."""
    await _climb(dialogue, BASICS)
    who = await identify_modem(dialogue)
    quirks = quirks_for(who.manufacturer, who.model)
    if quirks.quiet:
        await _climb(dialogue, (Step(Feature.QUIET, quirks.quiet),))
    await _radio_on(dialogue)
    iccid = await read_iccid(dialogue, quirks)
    card = iccid or who.imei
    pin, keep = access.pin_for(card)
    if await unlock(dialogue, quirks, pin, card, access.record, keep=keep):
        access.opened(card, pin)
    if iccid is None:
        iccid = await read_iccid(dialogue, quirks)
    sim = await read_sim(dialogue, iccid)
    if sim.iccid is None and sim.imsi is None:
        raise Hung(Trouble.NOT_READY, "the SIM tells neither ICCID nor IMSI")
    await _climb(dialogue, SERVICE)
    await dialogue.ask_patiently(USE)  # the first that touches the memories: when it answers, the service is ready
    dialogue.settled = True
    service = await set_service(dialogue, quirks)
    if service:
        await give_back(dialogue)
    memories = await choose(dialogue)
    routing = await set_routing(dialogue, quirks, learnt.routing(who))
    learnt.took(who, routing)
    await _climb(dialogue, EXTRAS)
    if not quirks.keep_link:
        dialogue.note(Feature.KEEP_LINK, has=False, evidence="not used with this make")
    asked = tuple(name for feature, name in REGISTRATIONS.items() if dialogue.findings[feature].has == "yes")
    capabilities = Capabilities(
        who.manufacturer, who.model, who.firmware, who.imei, routing, service, memories.readable, memories.preferred,
        asked or ("+CREG",), dict(dialogue.findings),
    )  # fmt: skip
    return Initialized(capabilities, sim, quirks)


async def _climb(dialogue: Dialogue, steps: tuple[Step, ...]) -> None:
    for step in steps:
        result, evidence = await dialogue.first_ok(step.ways, patiently=step.patient)
        has: bool | None = result is not None
        if step.feature is Feature.SERVICE_CENTRE:
            has, evidence = _centre(result, evidence)
        dialogue.note(step.feature, has=has, evidence=evidence)
        if not has and step.need is Need.MANDATORY:
            raise Hung(Trouble.INIT_REFUSED, evidence)


def _centre(result: AtResult | None, evidence: str) -> tuple[bool | None, str]:
    """Whether a service centre is set; a modem that does not tell may well have one."""
    if result is None:
        return None, evidence
    if any(parse_csca(line) is not None for line in result.lines):
        return True, "AT+CSCA?: a number is set"
    return False, "AT+CSCA?: no number"


async def _radio_on(dialogue: Dialogue) -> None:
    """Switch the radio on if somebody left it off; a modem that does not tell is left alone."""
    result = await dialogue.ask(RADIO)
    fields = split_fields(arguments(result.lines[0])) if result is not None and result.ok and result.lines else []
    if fields and fields[0] in {"0", "4"}:
        result = await dialogue.ask(RADIO_ON)
    dialogue.note(Feature.RADIO_ON, has=None if result is None else result.ok, evidence="AT+CFUN")
