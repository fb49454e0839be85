"""Make the certificate of the pages, or renew it where it has to be."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from modembank_box.certificates import Certificates, Identity
from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.served import Served

FIRST_WAITS_S = 20.0
STEP_S = 0.5
LAN = "10"
"""The group of the cards that the firewall lets in (50-modembank-lan.network)."""
_ORDERS = {"reload": "try-reload-or-restart", "restart": "try-restart"}


def run(places: Places, arguments: Sequence[str]) -> int:
    """Renew what has to be, and tell a daemon that runs already."""
    if arguments:
        message = "it takes no arguments"
        raise BoxError(message)
    served = Served(places)
    is_first = not (served.kept[0].exists() or served.own[0].exists())
    identity = Identity(socket.gethostname(), _addresses(first=is_first))
    to_do = Certificates(places).renew(identity, datetime.now(UTC))
    if to_do:
        subprocess.run(["systemctl", "--no-block", _ORDERS[to_do], "modembankd.service"], check=False)
    return 0


def _addresses(
    *, first: bool, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> tuple[str, ...]:
    """Return the addresses to be in it.

    The ``first`` one waits a bit for the network, or it would be another as soon as there is an address, which whoever
    has set the box up by then would have to accept anew.
    """
    end = monotonic() + FIRST_WAITS_S
    while not (found := lan_addresses()) and first and monotonic() < end:
        sleep(STEP_S)
    return found


def lan_addresses() -> tuple[str, ...]:
    """Return the addresses for which a certificate is worth having: those that stay, on the local network's cards.

    Those of IPv6 that a provider gives change, with some every night: only unique local ones count.
    """
    try:
        said = subprocess.run(
            ["ip", "-json", "address", "show", "group", LAN, "scope", "global"],
            capture_output=True,
            check=True,
            timeout=20,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    entries = [entry for card in json.loads(said or b"[]") for entry in card.get("addr_info", ())]
    found = [
        ipaddress.ip_address(entry["local"]) for entry in entries if "local" in entry and not entry.get("temporary")
    ]
    local = ipaddress.ip_network("fc00::/7")
    return tuple(sorted(str(one) for one in found if one.version == 4 or one in local))
