"""What ``modembank doctor`` finds out: configuration, data folder, every port and what its modem lacks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from modembank.bank import Bank, BankOptions, Line, ModemView
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import Config
from modembank.discovery import Discovery, Sighting, Standing, UsbWatch
from modembank.modem import FailedReason, RawInbound
from modembank.sim import Sims
from modembank.store import Store, StoreError
from modembankd.data_folder import DATABASE
from modembankd.local import NoDaemon, call_daemon
from modembankd.options import run_async
from modembankd.pin_doctor import pin_notes
from modembankd.power_doctor import power_outlooks, power_summary

LOOK_S = 45.0
"""How long ports and modems may take to show what they are."""
_FREE_OCTETS = 256 * 1024 * 1024
_BUSY_STATES = frozenset({"detected", "opening", "initializing", "searching", "recovering"})


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    good: bool
    what: str
    text: str
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """Return it as one line for a terminal."""
        return f"[{'  ok  ' if self.good else ' LOOK '}] {self.what}: {self.text}"


class SlotReport(msgspec.Struct, frozen=True):
    """What doctor needs of a slot: the API's modem, or as much of it."""

    slot: str
    port: str
    state: str
    detail: str
    manufacturer: str | None
    model: str | None
    operator: str | None
    signal_dbm: int | None
    lacks: Mapping[str, str]
    last_error: str | None


class UsbReport(msgspec.Struct, frozen=True):
    """What doctor needs of a device on the USB, as the API tells it."""

    place: str
    id: str
    text: str
    standing: Standing
    why: str


def examine(config: Config, config_path: Path) -> list[Finding]:
    """Look at everything; with a daemon running, its view of the modems is taken, since it holds their ports."""
    data_dir = Path(config.box.data_dir)
    findings = [Finding(True, "configuration", f"{config_path} is fine"), _look_at_data(data_dir)]
    try:
        reply = call_daemon(data_dir, "GET", "/api/v1/modems")
        findings.append(Finding(True, "daemon", "is running"))
        reports = [msgspec.convert(item, SlotReport) for item in reply.body["items"]]
        findings += _open_issues(data_dir)
        usb = msgspec.convert(call_daemon(data_dir, "GET", "/api/v1/usb").body["items"], list[UsbReport])
    except NoDaemon:
        findings.append(Finding(True, "daemon", "is not running; looking at the ports myself"))
        findings += _known_pins(config)
        reports, usb = run_async(_look_at_ports(config))
    if not reports:
        findings.append(_nothing_served(config))
    paths = {report.slot: report.port for report in reports}
    good, text, notes = power_summary(config.bank, run_async(power_outlooks(config.bank, paths)))
    slots = [judge(report) for report in reports]
    return [*findings, *slots, *_on_the_usb(usb), Finding(good, "port power", text, notes)]


def _known_pins(config: Config) -> list[Finding]:
    notes = pin_notes(config)
    text = "none is tried here, so a SIM that wants one shows as locked; the daemon tries those it has"
    return [Finding(True, "PINs", text, notes)] if notes else []


def _nothing_served(config: Config) -> Finding:
    if config.bank.discovery == "usb":
        return Finding(False, "modems", "there is no modem on the USB: plug one in")
    text = 'no port is configured: add [[bank.port]] with a path, or set discovery = "usb" in [bank]'
    return Finding(False, "modems", text)


def _open_issues(data_dir: Path) -> list[Finding]:
    """What the running daemon says needs a person, and which remedies it offers."""
    items = call_daemon(data_dir, "GET", "/api/v1/issues?limit=500").body["items"]
    if not items:
        return [Finding(True, "issues", "none is open")]
    return [
        Finding(
            item["severity"] == "info",
            f"issue {item['kind']}",
            item["summary"],
            tuple(f"remedy {remedy['name']}: {remedy['does']}" for remedy in item["remedies"]),
        )
        for item in items
    ]


def _on_the_usb(devices: Sequence[UsbReport]) -> list[Finding]:
    """What else is there and has no slot; it is wrong only where it may be a modem all the same."""
    others = [device for device in devices if device.standing is not Standing.SERVED]
    if not others:
        return []
    notes = tuple(f"{one.place}, {one.text or 'nameless'} ({one.id}): {one.why}" for one in others)
    good = not any(one.standing in {Standing.REFUSED, Standing.WAITING} for one in others)
    return [Finding(good, "USB", f"{len(others)} without a slot", notes)]


def judge(report: SlotReport) -> Finding:
    """Turn a slot's report into a finding."""
    who = " ".join(part for part in (report.manufacturer, report.model) if part)
    what = f"slot {report.slot} ({report.port})"
    lacks = tuple(f"lacks {name}: {sentence}" for name, sentence in report.lacks.items())
    if report.state == "registered":
        signal = "" if report.signal_dbm is None else f", {report.signal_dbm} dBm"
        return Finding(True, what, f"{who} is registered with {report.operator or 'a network'}{signal}", lacks)
    why = report.detail or report.last_error or "no reason is known yet"
    return Finding(False, what, f"{who + ', ' if who else ''}{report.state}: {why}", lacks)


def _look_at_data(data_dir: Path) -> Finding:
    if not data_dir.exists():
        return Finding(True, "data", f"{data_dir} does not exist yet; the daemon creates it")
    free = shutil.disk_usage(data_dir).free
    if free < _FREE_OCTETS:
        return Finding(False, "data", f"{data_dir} has only {free // 2**20} MiB free: make room or move data_dir")
    database = data_dir / DATABASE
    size = f"{database.stat().st_size / 2**20:.1f} MiB used" if database.exists() else "no database yet"
    return Finding(True, "data", f"{data_dir}: {size}, {free // 2**20} MiB free")


async def _look_at_ports(config: Config) -> tuple[list[SlotReport], list[UsbReport]]:
    """Open every port for a while; nothing is sent, no PIN is tried, no message leaves a modem's memory."""
    ports = tuple(msgspec.structs.replace(port, pin="") for port in config.bank.port)
    known = tuple(msgspec.structs.replace(sim, pin="") for sim in config.sim)
    with tempfile.TemporaryDirectory(prefix="modembank-doctor-") as folder:
        store = await Store.open(Path(folder) / DATABASE)
        try:
            bus, clock = Bus(), SystemClock()
            sims = Sims(store, bus, clock, config.limits, known)
            await sims.load()
            bank_config = msgspec.structs.replace(config.bank, port=ports)
            options = BankOptions()
            bank = Bank(bank_config, sims, _Untouched(), _Nobody(), bus=bus, clock=clock, options=options)
            discovery = Discovery(bank_config, bank, options.tree(), options.ports(), UsbWatch())
            await bank.start()
            try:
                await discovery.look()
                reports = await _settled(bank)
                return reports, [_usb_report(seen) for seen in await discovery.sightings()]
            finally:
                await bank.stop()
        finally:
            await store.close()


async def _settled(bank: Bank) -> list[SlotReport]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOOK_S
    while True:
        reports = [_report(view) for view in bank.modems()]
        if loop.time() >= deadline or not any(report.state in _BUSY_STATES for report in reports):
            return reports
        await asyncio.sleep(0.25)


def _report(view: ModemView) -> SlotReport:
    wants_pin = view.failed is FailedReason.PIN_MISSING  # all were taken out before it was looked
    return SlotReport(
        slot=view.slot,
        port=view.path,
        state=view.state.value,
        detail="the SIM wants its PIN, which only the daemon tries" if wants_pin else view.detail,
        manufacturer=view.manufacturer,
        model=view.model,
        operator=view.operator,
        signal_dbm=view.signal_dbm,
        lacks=view.lacks,
        last_error=view.last_error,
    )


def _usb_report(seen: Sighting) -> UsbReport:
    device = seen.device
    return UsbReport(f"usb:{device.name}", f"{device.vendor}:{device.product}", device.text, seen.standing, seen.why)


class _Untouched:
    """Refuses to store, so that modems keep their messages."""

    async def store(self, pdu: RawInbound) -> int:
        raise StoreError(detail=f"doctor leaves the messages in {pdu.slot}")

    async def deleted(self, ledger_id: int) -> None:
        """Never called: nothing was stored."""


class _Nobody:
    """Sends nothing."""

    def line_up(self, line: Line) -> None:
        """Ignore it."""

    def line_down(self, sim_id: int, why: str) -> None:
        """Ignore it."""
