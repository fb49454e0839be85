"""What faces see of a slot: a snapshot, complete and immutable."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modembank.bank.pins import WANTS_PIN
from modembank.modem import AdminState, AttemptOutcome, Climb, FailedReason, Has, Modem, ModemState, Storage


class Counters(msgspec.Struct, frozen=True):
    """Since the daemon started."""

    accepted: int
    rejected: int
    unknown: int
    not_sent: int
    received: int
    calls_refused: int
    commands: Mapping[str, int]
    """AT commands by their final result; ``timeout`` for those that had none."""


class ModemView(msgspec.Struct, frozen=True):
    """One slot as it is now. Times are unix milliseconds; empty strings and None mean not known."""

    slot: str
    path: str
    """As configured or found: a tty, an address, or a place on the USB."""
    tty: str
    """What of it is open now."""
    state: ModemState
    admin: AdminState
    failed: FailedReason | None
    reason: str
    """Why the state is what it is (a StateChangeReason's value)."""
    detail: str
    since: int
    imei: str
    manufacturer: str
    model: str
    firmware: str
    vendor: str
    """The name of the quirks in force."""
    sim_id: int | None
    able_to_send: bool
    operator: str
    registration: str
    signal_dbm: int | None
    capabilities: tuple[str, ...]
    lacks: Mapping[str, str]
    """Feature to sentence."""
    storage: tuple[Storage, ...]
    counters: Counters
    recovery: tuple[Climb, ...]
    """The latest rungs that were climbed, oldest first."""
    last_error: str | None

    @property
    def wants_pin(self) -> bool:
        """Whether a PIN would bring it into service."""
        return self.admin is not AdminState.DISABLED and self.failed in WANTS_PIN


class SlotFacts(msgspec.Struct, frozen=True):
    """What the slot itself knows, beside its modem."""

    slot: str
    path: str
    admin: AdminState
    since: int
    sim_id: int | None
    line_is_up: bool


def view_of(facts: SlotFacts, modem: Modem) -> ModemView:
    """Put a snapshot together."""
    known, serving, last = modem.known, modem.serving, modem.machine.last
    capabilities = known.capabilities if known is not None else None
    radio = serving.watch.radio if serving is not None else None
    able = [feature for feature, found in capabilities.findings.items() if found.has is Has.YES] if capabilities else []
    return ModemView(
        slot=facts.slot,
        path=facts.path,
        tty=modem.tty,
        state=modem.state,
        admin=facts.admin,
        failed=last.failed,
        reason=last.reason.value,
        detail=last.detail,
        since=facts.since,
        imei=capabilities.imei if capabilities else "",
        manufacturer=capabilities.manufacturer if capabilities else "",
        model=capabilities.model if capabilities else "",
        firmware=capabilities.firmware if capabilities else "",
        vendor=known.quirks.name if known is not None else "",
        sim_id=facts.sim_id,
        able_to_send=facts.line_is_up,
        operator=(radio.operator or "") if radio is not None else "",
        registration=radio.describe() if radio is not None else "",
        signal_dbm=radio.signal_dbm if radio is not None else None,
        capabilities=tuple(feature.value for feature in able),
        lacks={feature.value: text for feature, text in capabilities.sentences().items()} if capabilities else {},
        storage=storage_of(modem),
        counters=counters_of(modem),
        recovery=tuple(modem.recovery.climbs),
        last_error=(serving.last_cause if serving is not None else None) or modem.last_error,
    )


def storage_of(modem: Modem) -> tuple[Storage, ...]:
    """Fill of each memory when last looked at, the later look winning."""
    serving = modem.serving
    if serving is None:
        return ()
    fills = {**serving.receiving.reader.storage, **serving.watch.storage}
    return tuple(fills[name] for name in sorted(fills))


def counters_of(modem: Modem) -> Counters:
    """The modem's counters, those of the present stretch of service included."""
    totals, serving = modem.totals, modem.serving
    return Counters(
        accepted=totals.get(AttemptOutcome.ACCEPTED, 0),
        rejected=totals.get(AttemptOutcome.REJECTED, 0),
        unknown=totals.get(AttemptOutcome.UNKNOWN, 0),
        not_sent=totals.get(AttemptOutcome.NOT_SENT, 0),
        received=modem.received + (serving.receiving.received if serving is not None else 0),
        calls_refused=modem.calls_refused + (serving.watch.calls_refused if serving is not None else 0),
        commands=dict(modem.results),
    )
