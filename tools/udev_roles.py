"""Writes udev/90-modembank-roles.rules from the table of USB ids: run it after a change of the table.

A test says when the two do not agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "daemon" / "modembank" / "port" / "usb_at_ports.tsv"
RULES = ROOT / "udev" / "90-modembank-roles.rules"
WORDS = {"AT_PPP": "ppp", "QCDM": "diagnostics", "GPS": "gps", "AUDIO": "audio", "IGNORE": "other"}

HEAD = """\
# What each port of a modem is for, as MODEMBANK_ROLE: at, second, ppp, diagnostics, gps, audio, other.
# Made by tools/udev_roles.py from daemon/modembank/port/usb_at_ports.tsv: change that, not this.

ACTION=="remove", GOTO="modembank_roles_end"
SUBSYSTEM!="tty", GOTO="modembank_roles_end"
SUBSYSTEMS=="usb", ATTRS{bInterfaceNumber}=="?*", ENV{.MODEMBANK_IF}="$attr{bInterfaceNumber}"
SUBSYSTEMS=="usb", ATTRS{bInterfaceNumber}=="?*", \\
  ENV{.MODEMBANK_KIND}="$attr{bInterfaceClass}/$attr{bInterfaceSubClass}/$attr{bInterfaceProtocol}"
SUBSYSTEMS=="usb", ATTRS{idVendor}=="?*", ENV{.MODEMBANK_ID}="$attr{idVendor}:$attr{idProduct}"

# Huawei's interfaces say themselves what they are (as in ModemManager's 77-mm-huawei-net-port-types.rules).
ENV{.MODEMBANK_ID}=="12d1:*", ENV{.MODEMBANK_KIND}=="ff/0[12]/02", ENV{MODEMBANK_ROLE}="at"
ENV{.MODEMBANK_ID}=="12d1:*", ENV{.MODEMBANK_KIND}=="ff/0[12]/01", ENV{MODEMBANK_ROLE}="ppp"
"""
TAIL = """
LABEL="modembank_roles_end"
"""


def rules(table: str) -> str:
    """Return the rules for a table."""
    lines, named = [HEAD], ""
    for row in table.splitlines():
        if not row.startswith("#"):
            vendor, product, first, second, others, maker = row.split("\t")
            if maker != named:
                lines.append(f"# {maker}")
            named = maker
            lines += [
                f'ENV{{.MODEMBANK_ID}}=="{vendor}:{product}", ENV{{.MODEMBANK_IF}}=="{number}", '
                f'ENV{{MODEMBANK_ROLE}}="{role}"'
                for number, role in sorted(roles(first, second, others).items())
            ]
    return "\n".join(lines) + "\n" + TAIL


def roles(first: str, second: str, others: str) -> dict[str, str]:
    """Return what the interfaces of one row are for, by their two digits; what is named first wins."""
    found = dict(_named(others))
    found |= dict.fromkeys(_numbers(second), "second")
    return found | dict.fromkeys(_numbers(first), "at")


def _numbers(field: str) -> list[str]:
    return [] if field == "-" else field.split("/")


def _named(others: str) -> Iterator[tuple[str, str]]:
    for entry in others.split(","):
        number, _, word = entry.partition(":")
        if word:
            yield number, WORDS[word]


if __name__ == "__main__":
    RULES.write_text(rules(TABLE.read_text("utf-8")), "utf-8")
