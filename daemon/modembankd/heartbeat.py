"""Whether the daemon is alive in earnest: the event loop's lag and the writer's progress feed systemd's watchdog."""

from __future__ import annotations

import asyncio

import structlog

from modembank.metrics import Metrics
from modembank.store import Store
from modembankd.notify import notify, watchdog_interval_s

BEAT_S = 0.1
COMPLAIN_S = 10.0
MOST_LAG_S = 5.0
MOST_OVERDUE_S = 60.0
"""A write that waits longer than this means that the writer hangs; a slow card takes a second at worst."""
_log = structlog.get_logger()


async def beat(store: Store, metrics: Metrics) -> None:
    """Measure the loop's lag at every beat, and feed the watchdog while loop and writer are well."""
    loop = asyncio.get_running_loop()
    interval_s = watchdog_interval_s()
    next_feed = next_complaint = loop.time()
    while True:
        due = loop.time() + BEAT_S
        await asyncio.sleep(BEAT_S)
        lag_s = loop.time() - due
        metrics.loop_lag_s.observe(max(0.0, lag_s))
        why = trouble(lag_s, store.overdue_s)
        if why is not None:
            if loop.time() >= next_complaint:
                next_complaint = loop.time() + COMPLAIN_S
                _log.error("heartbeat_missed", why=why)
        elif interval_s is not None and loop.time() >= next_feed:
            next_feed = loop.time() + interval_s
            notify("WATCHDOG=1")


def trouble(lag_s: float, overdue_s: float) -> str | None:
    """Return what is wrong, or None: ``lag_s`` of the loop, ``overdue_s`` of the oldest write beyond its due time."""
    if lag_s > MOST_LAG_S:
        return f"the event loop was late by {lag_s:.1f} s"
    if overdue_s > MOST_OVERDUE_S:
        return f"a write has waited {overdue_s:.0f} s beyond its time"
    return None
