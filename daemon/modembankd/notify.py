"""What systemd is told: ready, status, watchdog, stopping (sd_notify(3)). The only importer of systemd-python."""

from __future__ import annotations

import os
import socket

try:
    from systemd.daemon import notify as _systemd_notify
except ImportError:  # not on the appliance: the protocol is one datagram
    _systemd_notify = None


def notify(state: str) -> bool:
    """Send one state such as ``READY=1``; return whether anybody listens."""
    if _systemd_notify is not None:
        return bool(_systemd_notify(state))
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as peer:
        try:
            peer.sendto(state.encode(), address)
        except OSError:
            return False
    return True


def watchdog_interval_s() -> float | None:
    """Return how often the watchdog wants to be fed (half its limit), or None when nobody asked."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not limit_us.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(limit_us) / 2_000_000
