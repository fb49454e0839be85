"""The machine's own files that the owner's parts make; what is not asked for is None, and is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOSTNAME = "modembank"
LAN = "etc/systemd/network/50-modembank-lan.network.d/personal.conf"
TIME_SERVERS = "etc/systemd/timesyncd.conf.d/personal.conf"
WIFI = "etc/wpa_supplicant/modembank.conf"
UPDATES = "etc/modembank/updates.toml"
DAEMON = "etc/modembank/modembank.toml"
SSH_KEYS = "run/modembank-box/authorized_keys"


@dataclass(frozen=True)
class File:
    """A file's content and mode; ``daemons`` is to be read by the daemon's group."""

    text: str
    mode: int = 0o644
    daemons: bool = False


def files(parts: Mapping[str, Any]) -> dict[str, File | None]:
    """Return all files that the parts decide about, by path below the root."""
    name = parts.get("hostname", HOSTNAME)
    network = parts.get("network", {})
    return {
        "etc/hostname": File(f"{name}\n"),
        "etc/hosts": File(_hosts(name)),
        LAN: _lan(network),
        TIME_SERVERS: _time_servers(network.get("ntp", [])),
        WIFI: _wifi(parts["wifi"]) if "wifi" in parts else None,
        SSH_KEYS: _ssh_keys(parts["ssh"]) if "ssh" in parts else None,
        UPDATES: File(_toml(parts["updates"])) if "updates" in parts else None,
        DAEMON: File(daemon_configuration(name, parts.get("region", "")), 0o640, daemons=True),
    }


def daemon_configuration(name: str, region: str) -> str:
    """Return the daemon's configuration: whatever else it has is set on its pages, and kept in its database."""
    return f"""\
# Made at every start from box.toml on the boot partition.
[box]
id = {json.dumps(name)}
region = {json.dumps(region)}

[web]
tls_cert = "/run/modembank-box/tls.crt"
tls_key = "/run/credentials/modembankd.service/modembank.tls.key"

[bank]
discovery = "usb"
"""


def _hosts(name: str) -> str:
    return f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}.local {name}\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def _lan(network: Mapping[str, Any]) -> File | None:
    fixed = network.get("address", [])
    lines = [f"DNS={each}" for each in network.get("dns", [])]
    if fixed:
        # IPv6 stays as the router says.
        lines += ["DHCP=no", *(f"Address={each}" for each in fixed)]
        lines += [f"Gateway={each}" for each in network.get("gateway", [])]
    return File("\n".join(["[Network]", *lines, ""])) if lines else None


def _time_servers(servers: Sequence[str]) -> File | None:
    return File(f"[Time]\nNTP={' '.join(servers)}\n") if servers else None


def _wifi(wifi: Mapping[str, str]) -> File:
    # The name in hexadecimal digits needs no quoting; between the quotes of a passphrase everything counts as it is.
    secret = wifi["passphrase"]
    psk = secret if re.fullmatch(r"[0-9A-Fa-f]{64}", secret) else f'"{secret}"'
    lines = [
        f"country={wifi['country']}",
        "network={",
        f"\tssid={wifi['ssid'].encode().hex()}",
        "\tscan_ssid=1",
        "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE",
        "\tieee80211w=1",
        f"\tpsk={psk}",
        "}",
        "",
    ]
    return File("\n".join(lines), 0o600)


def _ssh_keys(ssh: Mapping[str, Sequence[str]]) -> File:
    return File("".join(f"{each}\n" for each in ssh["authorized_keys"]), 0o600)


def _toml(fields: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())
