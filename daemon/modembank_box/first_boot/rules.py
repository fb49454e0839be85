"""What may stand in the owner's file: every field once, with its check and meaning; and what must fit together.

A *part* is what counts as a whole: a table, or a field outside of tables. One that has a mistake does not count.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modembank_box.first_boot import values
from modembank_box.first_boot.mistakes import Mistake, Wrong
from modembank_box.first_boot.reading import Read


@dataclass(frozen=True)
class Field:
    """A field by its name (``network.address``), how it is checked, and whether its table needs it."""

    name: str
    check: Callable[[Any], Any]
    needed: bool = False

    @property
    def part(self) -> str:
        """The table it stands in, or itself."""
        return self.name.partition(".")[0]


FIELDS = (
    Field("hostname", values.hostname),
    Field("region", values.country),
    Field("timezone", values.timezone),
    Field("network.dhcp", values.yes_or_no),
    Field("network.address", values.addresses),
    Field("network.gateway", values.machines),
    Field("network.dns", values.machines),
    Field("network.ntp", values.time_servers),
    Field("wifi.ssid", values.ssid, needed=True),
    Field("wifi.passphrase", values.passphrase, needed=True),
    Field("wifi.country", values.country, needed=True),
    Field("ssh.authorized_keys", values.ssh_keys, needed=True),
    Field("hub.token", values.token),
    Field("hub.url", values.https),
    Field("updates.automatic", values.yes_or_no),
    Field("updates.url", values.https),
    Field("updates.window", values.window),
    Field("updates.hosts", values.hosts),
)
PARTS = tuple(dict.fromkeys(field.part for field in FIELDS))
TABLES = tuple(dict.fromkeys(field.part for field in FIELDS if "." in field.name))
_GUESSES = {"password": "passphrase", "psk": "passphrase", "name": "hostname", "country": "region", "ip": "address"}


def judge(read: Read) -> tuple[dict[str, Any], list[Mistake]]:
    """Return the parts that are right, by name, and all mistakes of the file; a table is a dict of its fields."""
    mistakes = list(read.mistakes)
    parts: dict[str, Any] = {}
    for part, value in (read.content or {}).items():
        found: list[Mistake] = []
        if part not in PARTS:
            found.append(_unknown(part, PARTS, read.line(part)))
        elif part in TABLES:
            checked = _table(part, value, read, found)
            if not found:
                parts[part] = checked
        else:
            checked = _value(next(field for field in FIELDS if field.name == part), value, read, found)
            if not found:
                parts[part] = checked
        mistakes += found
    return parts, sorted(mistakes, key=lambda mistake: mistake.line)


def _table(part: str, value: Any, read: Read, found: list[Mistake]) -> dict[str, Any]:
    if not isinstance(value, dict):
        found.append(Mistake(read.line(part), part, "is a table", f"Write [{part}] on a line of its own."))
        return {}
    fields = {field.name.partition(".")[2]: field for field in FIELDS if field.part == part}
    checked = {}
    for key, each in value.items():
        if key in fields:
            checked[key] = _value(fields[key], each, read, found)
        else:
            found.append(
                _unknown(f"{part}.{key}", [field.name for field in fields.values()], read.line(f"{part}.{key}"))
            )
    for key, field in fields.items():
        if field.needed and key not in value:
            found.append(Mistake(read.line(part), field.name, "is missing", f"[{part}] needs it."))
    if not found and part == "network":
        _fits_together(checked, read, found)
    return checked


def _value(field: Field, value: Any, read: Read, found: list[Mistake]) -> Any:
    try:
        return field.check(value)
    except Wrong as wrong:
        found.append(Mistake(read.line(field.name), field.name, wrong.reason, wrong.way_out))
        return None


def _unknown(name: str, known: Sequence[str], line: int) -> Mistake:
    key = name.rpartition(".")[2]
    keys = [each.rpartition(".")[2] for each in known]
    guess = _GUESSES.get(key)
    near = [guess] if guess in keys else difflib.get_close_matches(key, keys, 1, 0.6)
    home = next((field.name.rpartition(".")[0] for field in FIELDS if field.name.rpartition(".")[2] == key), None)
    if near:
        way_out = f"Did you mean {near[0]}?"
    elif home is None:
        way_out = f"There are {', '.join(keys)}."
    else:
        way_out = f"It belongs into [{home}]." if home else "It stands before all tables."
    return Mistake(line, name, "is not known", way_out)


def _fits_together(network: Mapping[str, Any], read: Read, found: list[Mistake]) -> None:
    fixed, dhcp = network.get("address"), network.get("dhcp")
    if fixed and dhcp:
        way_out = "Take dhcp = true away, or the address."
        found.append(Mistake(read.line("network.dhcp"), "network.dhcp", "contradicts the address", way_out))
    if dhcp is False and not fixed:
        way_out = "Add an address, or take dhcp = false away."
        found.append(Mistake(read.line("network.dhcp"), "network.dhcp", "leaves the box without an address", way_out))
    if not fixed and network.get("gateway"):
        way_out = "Add an address, or take the gateway away: DHCP knows it."
        found.append(Mistake(read.line("network.gateway"), "network.gateway", "needs an address", way_out))
    nets = [ipaddress.ip_interface(each).network for each in fixed or []]
    for each in network.get("gateway", []) if fixed else []:
        machine = ipaddress.ip_address(each)
        if not machine.is_link_local and not any(machine in net for net in nets if net.version == machine.version):
            reason = f"holds {each}, which is not in the network of {' or '.join(fixed or [])}"
            found.append(Mistake(read.line("network.gateway"), "network.gateway", reason))
