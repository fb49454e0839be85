"""A hub that people have worked with: a whole one, without a broker, with something for every page to show."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from fakes.alert_hubs import box_subject, end_alert, open_alert
from fakes.browsers import PASSWORD
from fakes.guards import make_cheap
from fakes.hubs import Hub, signing_in
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.clock import SystemClock, to_ms
from modembank.config import WebConfig
from modembank.store import Store
from modembank_fleet.wire import Event, hash_of
from modembank_hub import rows_of_pool, rows_of_quarantine
from modembank_hub.alerting import rows_of_channels as channels
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.alerting.places import THE_HUB
from modembank_hub.alerting.rules import Rule, Severity
from modembank_hub.alerting.telling import gather
from modembank_hub.config import HubConfig, IdentityConfig, MailConfig, MqttConfig
from modembankd.hub import HubDaemon

ADMIN = "ada"
SITES = ("leeds", "oslo", "turin")
LONG_LABEL = "Cellar of the old post office, behind the second door on the left, above the boiler " * 2
"""Of leeds/b1."""
NOTE = "Somebody from the electricians goes there at four; the key is with the caretaker (ring twice)."


@dataclass(frozen=True)
class HubThings:
    """What is there, by what an address calls it."""

    site: str = "leeds"
    box: str = "b1"
    name: str = ADMIN
    group: str = "cellars"
    rollout: str = "1"
    command: str = ""
    message: str = ""
    alert: str = ""
    channel: str = ""
    key: str = ""

    def place(self, path: str) -> str:
        """Return a page's path with its parameters filled."""
        path = path.replace("/commands/{id}", f"/commands/{self.command}").replace("/keys/{id}", f"/keys/{self.key}")
        for parameter in ("site", "box", "name", "group", "rollout", "message", "alert", "channel"):
            path = path.replace(f"{{{parameter}}}", getattr(self, parameter))
        assert "{" not in path, f"nobody said what {path} is to name"
        return path


@contextlib.asynccontextmanager
async def running_hub(folder: Path) -> AsyncIterator[HubDaemon]:
    """Run a whole hub that finds no broker."""
    mail = MailConfig(host="127.0.0.1", port=1, security="none", sender="hub@example.com")
    config = HubConfig(
        hub=IdentityConfig(data_dir=str(folder / "hub")),
        mqtt=MqttConfig(port=1),
        signing=signing_in(folder),
        mail=mail,
        web=WebConfig(listen="127.0.0.1:0"),
    )
    daemon = HubDaemon(config)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


async def token_of(daemon: HubDaemon) -> str:
    """Log in anew; return the session's token."""
    begun = daemon.app.accounts.sessions.begin(ADMIN, PASSWORD, source="127.0.0.1", agent="tests")
    return (await begun)[1]


async def live_in(daemon: HubDaemon) -> HubThings:
    """Make them: boxes that are there and gone, what they told, and what people did."""
    app, now = daemon.app, to_ms(SystemClock().now())
    make_cheap(app.accounts)
    await app.accounts.add_user(LOCAL_ADMIN, ADMIN, Role.ADMIN, PASSWORD)
    key, _ = await app.accounts.add_key(LOCAL_ADMIN, ADMIN, label="prometheus")
    boxes = [SaidBox(site=site, box=f"b{n}", ep=f"{site}{n:03d}") for site in SITES for n in range(1, 5)]
    await Hub(app).hears_of(*boxes, events=25)
    first, second = boxes[0], boxes[1]
    await hears(app.store, first.birth(now, label=LONG_LABEL), now=now)
    await hears(app.store, second.avail("offline", "will"), now=now)
    await _tell_of_a_gap(app.store, first, now)
    command = await app.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {}, 3600)
    await hears(app.store, first.result(command.id, "done"), now=now)
    await _configure(daemon, first, now)
    message = await _fill_the_pool(app.store, now)
    for number in range(3):
        await app.store.write(
            lambda conn, n=number: rows_of_quarantine.add(
                conn, now, f"modembank/v1/leeds/b{n}/up/ev", "malformed", "JSON is malformed: byte 0", b"\x00\xffx" * 60
            )
        )
    alert = await _raise_alerts(daemon, now)
    channel = await _tell_somebody(daemon, now)
    return HubThings(
        command=command.id, message=message, alert=str(alert), channel=str(channel), key=key.public_id
    )  # fmt: skip


async def _tell_of_a_gap(store: Store, box: SaidBox, now: int) -> None:
    seq = box.next_ev + 4
    topic, batch = box.events(1, now, first=seq)
    batch.ev[0] = Event(seq=seq, type="gap", data={"stream": "ev", "from": seq - 4, "to": seq - 1, "why": "full"})
    await hears(store, (topic, batch), now=now)


async def _configure(daemon: HubDaemon, box: SaidBox, now: int) -> None:
    app, document = daemon.app, {"profile": "lean"}
    await app.configs.set_group(LOCAL_ADMIN, "cellars", "leeds/*", {"profile": "standard"})
    await app.rollouts.begin(LOCAL_ADMIN, "cellars")
    given = await app.configs.set_own(LOCAL_ADMIN, "leeds", "b1", document)
    error = {"path": "profile", "code": "site_owned", "detail": "the site keeps profile to itself"}
    said = hash_of(document), given.ver or 1
    await hears(app.store, box.reported(said[1], "rejected", said[0], now, errs=[error]), now=now)


async def _fill_the_pool(store: Store, now: int) -> str:
    for number in range(60):
        new = rows_of_pool.NewMessage(
            f"m-{number:06d}", 1, ADMIN, f"+4479009{number:05d}", "Your parcel arrives today", f"order-{number}",
            "alo" if number % 3 else "amo", now + 3_600_000, now,
        )  # fmt: skip
        await store.write(lambda conn, new=new: rows_of_pool.add(conn, new))
    return "m-000000"


async def _raise_alerts(daemon: HubDaemon, now: int) -> int:
    app, store = daemon.app, daemon.app.store
    gone = await open_alert(store, "box.offline", await box_subject(store, "leeds/b2"), {"why": "will"}, at=now)
    queue = await open_alert(store, "box.queue", await box_subject(store, "leeds/b1"), {"waiting": 12_345}, at=now)
    await app.alerts.acknowledge(LOCAL_ADMIN, queue, NOTE)
    config = {"state": "rejected", "version": 2}
    await open_alert(store, "box.config", await box_subject(store, "leeds/b1"), config, at=now)
    down = {"stand": 0, "of": 3, "why": "cannot connect to 127.0.0.1:1: Connection refused"}
    await open_alert(store, "hub.broker", THE_HUB, down, at=now)
    for number in range(1, 5):
        over = await open_alert(store, "box.modems", await box_subject(store, f"oslo/b{number}"), {"modems": 4}, at=now)
        await end_alert(store, over, now)
    until = now + 4 * 3_600_000
    await app.alerts.silence(LOCAL_ADMIN, "site:turin", until=until, reason="The mast is changed by the operator.")
    await app.alerts.silence(LOCAL_ADMIN, "box:leeds/b2", until=until, begin=now + 3_600_000, kind="box.offline")
    await app.alerts.set_rule(LOCAL_ADMIN, Rule("box.queue", "site:leeds", True, Severity.CRITICAL, 60, 60, 10_000))
    return gone


async def _tell_somebody(daemon: HubDaemon, now: int) -> int:
    app = daemon.app
    url = "https://pager.example.com/services/0123456789abcdef0123456789abcdef/hooks/of-the-whole-fleet"
    channel = await app.channels.create(LOCAL_ADMIN, NewChannel("On call", url=url))
    await app.tellers.halt(channel.id)  # nothing leaves this machine
    why = "pager.example.com cannot be resolved: Name or service not known"

    def fail(conn):
        letter = gather(conn, channel.id, now)
        channels.note_refused(conn, letter, why, now + 10**9, now)

    await app.store.write(fail)
    mail = await app.channels.create(LOCAL_ADMIN, NewChannel("Duty officers", recipients=("duty@example.com",)))
    await app.tellers.halt(mail.id)
    return channel.id
