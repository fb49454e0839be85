"""Checks of single values of the owner's file: each returns the value as it is used, or says what is wrong."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import re
import struct
import zoneinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modembank_box.first_boot.mistakes import Wrong

NOT_COUNTRIES = {"UK": "GB", "EN": "GB"}
KEY_KINDS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"),
    *("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"),
)


def text(value: Any) -> str:
    """Any text of one line."""
    if not isinstance(value, str):
        reason = "must be text"
        raise Wrong(reason, "Put it in quotes.")
    if not value.isprintable():
        reason = "has a character that cannot be printed"
        raise Wrong(reason)
    return value


def yes_or_no(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        reason = "must be true or false"
        raise Wrong(reason, "Without quotes.")
    return value


def hostname(value: Any) -> str:
    """The name of the box: 1 to 63 lower-case letters, digits and hyphens."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text(value)) or value == "localhost":
        reason = "must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"
        likely = re.sub(r"[^a-z0-9]+", "-", value.lower().partition(".")[0])[:63].strip("-")
        raise Wrong(reason, f'Such as "{likely or "modembank"}"; .local is added by itself.')
    return str(value)


def country(value: Any) -> str:
    """A country by its two capitals."""
    if not re.fullmatch(r"[A-Z]{2}", text(value)) or value in NOT_COUNTRIES:
        reason = "must be a country in two capitals"
        likely = value.upper()[:2]
        raise Wrong(reason, f'Such as "{NOT_COUNTRIES.get(likely, "GB")}".')
    return str(value)


def timezone(value: Any) -> str:
    """A time zone by the name that the machine has of it."""
    name = text(value)
    plain = re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name)
    if not plain or not any((Path(each) / name).is_file() for each in zoneinfo.TZPATH):
        reason = "is no time zone"
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), 1, 0.5)
        raise Wrong(reason, f'Such as "{near[0] if near else "Europe/London"}".')
    return name


def addresses(value: Any) -> list[str]:
    """One address with its network's length, or a list of them."""
    return [_interface(each) for each in _one_or_more(value)]


def _interface(value: Any) -> str:
    given = text(value)
    way_out = 'Such as "192.168.1.20/24": after the slash 24 stands for 255.255.255.0.'
    if "/" not in given:
        reason = "lacks the length of its network"
        raise Wrong(reason, way_out)
    try:
        found = ipaddress.ip_interface(given)
    except ValueError as error:
        reason = f"holds {given}, which is no address"
        raise Wrong(reason, way_out) from error
    net = found.network
    if found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local:
        reason = f"holds {given}, which no machine in a network can have"
        raise Wrong(reason, way_out)
    if found.version == 4 and net.prefixlen < 31 and found.ip in {net.network_address, net.broadcast_address}:
        reason = f"holds {given}, which stands for the network as a whole"
        raise Wrong(reason, way_out)
    return str(found)


def address(value: Any) -> str:
    """One address of another machine."""
    try:
        found = ipaddress.ip_address(text(value))
    except ValueError as error:
        reason = f"holds {value}, which is no address"
        raise Wrong(reason, 'Such as "192.168.1.1", with no slash.') from error
    if found.is_unspecified or found.is_multicast:
        reason = f"holds {value}, which is no machine's address"
        raise Wrong(reason)
    return str(found)


def machines(value: Any) -> list[str]:
    """One address or a list of them."""
    return [address(each) for each in _one_or_more(value)]


def time_servers(value: Any) -> list[str]:
    """Names or addresses of servers of the time."""
    return _all_like(
        r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}", value, "neither a name nor an address", 'Such as "pool.ntp.org".'
    )


def hosts(value: Any) -> list[str]:
    """Names of servers."""
    way_out = 'Such as "updates.example.org", without https:// and without a path.'
    return _all_like(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", value, "no name of a server", way_out)


def ssid(value: Any) -> str:
    """The name of a wireless network."""
    if not 1 <= len(text(value).encode()) <= 32:
        reason = "must have 1 to 32 letters"
        raise Wrong(reason)
    return str(value)


def passphrase(value: Any) -> str:
    """The passphrase of a wireless network, or its key in 64 digits."""
    given = text(value)
    if re.fullmatch(r"[0-9A-Fa-f]{64}", given):
        return given
    if not 8 <= len(given) <= 63 or not given.isascii():
        reason = "must have 8 to 63 letters, digits and signs, without accents"
        raise Wrong(reason, "It is what other devices are asked for when they join the network.")
    return given


def ssh_keys(value: Any) -> list[str]:
    """Public keys, as in an authorized_keys."""
    return [_ssh_key(each) for each in _one_or_more(value)]


def _ssh_key(value: Any) -> str:
    given = text(value).strip()
    way_out = "Take the one line of a file such as id_ed25519.pub."
    if "PRIVATE" in given:
        reason = "holds a private key, which belongs on no other machine"
        raise Wrong(reason, f"{way_out} Make a new pair of keys: this one was on the boot partition.")
    kind, _, rest = given.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except (ValueError, binascii.Error):
        blob = b""
    length = struct.unpack(">I", blob[:4])[0] if len(blob) > 4 else 0
    if kind not in KEY_KINDS or blob[4 : 4 + length] != kind.encode() or len(blob) < 4 + length + 32:
        reason = f"holds {given[:20]!r}, which is no whole public key"
        raise Wrong(reason, way_out)
    return given


def https(value: Any) -> str:
    """An address of a server that speaks HTTPS, or nothing."""
    given = text(value)
    try:
        parts = urlsplit(given)
        fine = parts.scheme == "https" and parts.hostname and not parts.username and (parts.port or 1)
    except ValueError:
        fine = False
    if given and (not fine or re.search(r"[\s\"\\]", given)):
        reason = "must be an address that begins with https://"
        raise Wrong(reason, 'Such as "https://hub.example.org".')
    return given


def token(value: Any) -> str:
    """A secret that the hub gave."""
    if not re.fullmatch(r"[\x21-\x7e]{16,4096}", text(value)):
        reason = "must have at least 16 letters, digits and signs, without spaces"
        raise Wrong(reason, "Copy it whole from the hub's page.")
    return str(value)


def window(value: Any) -> str:
    """From when to when, within a day."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text(value)) or value[:5] == value[6:]:
        reason = "must be two different times of a day"
        raise Wrong(reason, 'Such as "02:00-05:00".')
    return str(value)


def _all_like(pattern: str, value: Any, otherwise: str, way_out: str) -> list[str]:
    found = [text(each) for each in _one_or_more(value)]
    for each in found:
        if not re.fullmatch(pattern, each):
            reason = f"holds {each}, which is {otherwise}"
            raise Wrong(reason, way_out)
    return found


def _one_or_more(value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if not 1 <= len(found) <= 64:
        reason = "must hold at least one, and 64 at most"
        raise Wrong(reason)
    return found
