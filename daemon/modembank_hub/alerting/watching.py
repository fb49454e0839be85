"""Looking, every few seconds, at what holds; and writing down which alerts open and end by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.store import Store
from modembank_fleet.authority import ends_at
from modembank_hub.alerting import rows
from modembank_hub.alerting.deciding import Change, End, Open, Standing, decide
from modembank_hub.alerting.facts import HubState, Key, Situation, situation
from modembank_hub.alerting.kinds_table import KINDS, Judged
from modembank_hub.alerting.rows_of_channels import failing
from modembank_hub.alerting.rules import Rulebook
from modembank_hub.alerting.sight import Sight
from modembank_hub.config import HubConfig
from modembank_hub.events import AlertsChanged
from modembank_hub.ingest import Ingest
from modembank_hub.lines import HANDSHAKE_S, Lines

LOOK_S = 10.0
MARGIN_S = 30.0
"""Beyond the window in which boxes speak after the hub is back."""
_DROP = 500
_log = structlog.get_logger()


class Watch:
    """Looks, and decides."""

    def __init__(self, config: HubConfig, store: Store, clock: Clock, bus: Bus, ingest: Ingest, lines: Lines) -> None:
        """Over the hub's store."""
        self._config = config
        self._store = store
        self._clock = clock
        self._bus = bus
        self._ingest = ingest
        self._lines = lines
        self._sight = Sight(clock)
        self.sees = False
        """Whether a box that is not heard is really silent, as of the last look."""

    async def look(self) -> None:
        """Look once; raises StoreError."""
        boxes = (await self._store.fetch_one("SELECT count(*) FROM boxes") or (0,))[0]
        settle_s = max(self._config.hub.window_s, boxes * HANDSHAKE_S) + MARGIN_S
        connected = self._lines.takes_in and self._ingest.stuck_since is None
        self.sees = self._sight.look(connected=connected, settle_s=settle_s)
        now = to_ms(self._clock.now())
        changes = await self._store.read(partial(find, hub=self._hub(), sees=self.sees, now=now))
        if changes:
            await self._store.write(lambda conn: rows.apply(conn, changes, rows.silenced_now(conn, now), now))
            self._tell(changes, now)

    async def forget_old(self) -> None:
        """Delete what ended longer ago than events are kept."""
        older_than = to_ms(self._clock.now()) - self._config.keep.events_days * 86_400_000
        while await self._store.write(lambda conn: rows.drop_old(conn, older_than, _DROP)):
            pass

    def _hub(self) -> HubState:
        return HubState(
            lines=self._lines.up,
            wanted=self._lines.wanted,
            why_down=self._lines.why_down,
            stuck_why=self._ingest.stuck_why if self._ingest.stuck_since is not None else "",
            certificates=_certificates(self._config),
        )

    def _tell(self, changes: Sequence[Change], now: int) -> None:
        opened = [change.held.key for change in changes if isinstance(change, Open)]
        ended = [change.key for change in changes if isinstance(change, End)]
        for key in opened:
            _log.warning("alert_opened", kind=key.kind, subject=key.subject, topic=key.topic)
        for key in ended:
            _log.info("alert_ended", kind=key.kind, subject=key.subject, topic=key.topic)
        if opened or ended:
            self._bus.publish(AlertsChanged(now))


def find(conn: sqlite3.Connection, hub: HubState, now: int, *, sees: bool) -> list[Change]:
    """Return what is to be written down; ``sees``: whether the hub hears its boxes."""
    rulebook = Rulebook(rows.rules(conn), rows.places(conn))
    hub = HubState(hub.lines, hub.wanted, hub.why_down, hub.stuck_why, failing(conn), hub.certificates)
    found = situation(conn, rulebook, hub, now)
    standing = [
        Standing(
            row.id, row.key, row.round, row.severity, row.clear_at,
            rulebook.of(row.kind, row.about).clear_s if row.kind in KINDS else 0,
        )
        for row in rows.standing(conn)
    ]  # fmt: skip
    return decide(rows.pending(conn), standing, found.held, unknown_in(found, sees=sees), now)


def unknown_in(found: Situation, *, sees: bool) -> Callable[[Key], bool]:
    """Return what tells whether a kind of a subject cannot be judged now."""

    def is_unknown(key: Key) -> bool:
        kind = KINDS.get(key.kind)
        if kind is None or kind.judged is Judged.ALWAYS:
            return False
        return not sees or (kind.judged is Judged.ONLINE and found.standings.get(key.subject) != "online")

    return is_unknown


def _certificates(config: HubConfig) -> tuple[tuple[str, float], ...]:
    named = (("the broker", config.mqtt.tls_cert), ("the pages", config.web.tls_cert))
    return tuple((what, until * 1000) for what, path in named if path and (until := _end_of(Path(path))) is not None)


def _end_of(path: Path) -> float | None:
    try:
        return ends_at(path.read_bytes())
    except (OSError, ValueError):
        return None
