"""The console's page: 80 by 24 plain letters, of which the last lines are what needs attention."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from modembank_box.console.facts import Facts

WIDTH, HEIGHT = 80, 24
_INDENT = 16
_MOST_ADDRESSES = 3

DATA: dict[str, str] = {
    "clean": "",
    "repaired": "The data partition was damaged and has been repaired: {detail}.",
    "set_aside": "The data partition was damaged beyond repair ({detail}). It was set aside as {aside}; the box started"
    " with an empty one.",
    "made_new": "The data partition could not be used ({detail}). The box started with an empty one.",
    "in_memory": "Nothing is kept over the next power cut: {detail}.",
}
"""States of the data partition and what is said of them; image/initrd/data.sh says in which one it is."""
_BEFORE = "At an earlier start ({at}): "
_UPDATES = {
    "checking": "An update is checked.",
    "installing": "Version {version} is installed: {percent} %.",
    "installed": "Version {version} is installed; it counts from the next start.",
    "trial": "Version {version} is on trial.",
    "refused": "The update was refused: {reason}",
    "failed": "The update failed: {reason}",
    "rolled_back": "Version {version} was not well, and the version before runs again: {reason}",
}


def page(facts: Facts) -> list[str]:
    """Return the lines, of at most ``WIDTH`` letters each, and less than ``HEIGHT`` of them."""
    lines = [*_head(facts), *_state(facts)]
    room = HEIGHT - 1 - len(lines) - 1
    warnings = [line for each in attention(facts) for line in _item(each)]
    if len(warnings) > room:
        warnings = [*warnings[: room - 1], "  ... and more: see the page Box"]
    return [_plain(line)[:WIDTH] for line in [*lines, *([""] if warnings else []), *warnings]]


def drawn(facts: Facts) -> str:
    """Return what a terminal is to be sent: the page on an empty screen."""
    return "\x1b[?25l\x1b[H\x1b[2J" + "\n".join([*page(facts), ""])


def _head(facts: Facts) -> Iterator[str]:
    version, slot = facts.release.get("version", ""), str(facts.release.get("slot", "")).upper()
    left = f" Modembank {version}{f' (system {slot})' if slot else ''}"
    yield f"{left}{facts.name:>{max(WIDTH - 1 - len(left), 1)}}"
    yield "-" * WIDTH
    shown = [f"https://{_in_url(each)}" for each in facts.addresses[:_MOST_ADDRESSES]]
    yield from _labelled("Pages", [f"https://{facts.name}.local", *shown])
    if not facts.addresses:
        yield from _labelled("", ["no address yet: is the network plugged in?"])
    fingerprint = str(facts.certificate.get("fingerprint", ""))
    if fingerprint:
        pairs = fingerprint.split(":")
        halves = [":".join(pairs[:16]), ":".join(pairs[16:])]
        yield from _labelled("Certificate", ["SHA-256, to be compared with what the browser shows:", *halves])


def _state(facts: Facts) -> Iterator[str]:
    if facts.setup_code:
        yield ""
        yield from _labelled("Set-up code", [facts.setup_code])
        yield from _labelled("", ["Open one of the pages and make the first admin with this code."])
    yield ""
    service = {"active": facts.status or "running", "failed": "The service failed: see the system's log"}
    yield from _labelled("Modems", [service.get(facts.service, "The service is starting")])
    yield from _labelled("Login", ["There is none here, and no password. Enter draws this page anew."])


def attention(facts: Facts) -> Iterator[str]:
    """Yield a sentence for everything that somebody should know or do."""
    data = facts.data
    state = str(data.get("state", "clean"))
    if data.get("reset"):
        yield "The box was reset to how it left the factory."
    if told := DATA.get(state, "The data partition: {state}."):
        yield told.format(state=state, detail=data.get("detail", ""), aside=data.get("aside", ""))
    before = data.get("last_trouble")
    if state == "clean" and isinstance(before, dict) and DATA.get(str(before.get("state"))):
        told = DATA[str(before["state"])]
        aside = data.get("aside") or "a partition of its own"
        yield _BEFORE.format(at=before.get("at", "")) + told.format(detail=before.get("detail", ""), aside=aside)
    yield from (f"{each}." for each in _listed(data.get("problems")))
    mistakes = [each for each in _listed(facts.personal.get("mistakes")) if isinstance(each, dict)]
    for each in mistakes:
        where = f" line {each['line']}" if each.get("line") else ""
        reason = f"{each.get('field', '')} {each.get('reason', '')}".strip()
        yield f"{facts.personal.get('file') or 'box.toml'}{where}: {reason}. {each.get('way_out', '')}".rstrip()
    if told := _UPDATES.get(str(facts.update.get("state")), ""):
        known = {name: facts.update.get(name, "") for name in ("version", "percent", "reason")}
        yield told.format(**known)
    if problem := facts.certificate.get("problem"):
        yield f"The certificate: {problem}"
    if not facts.clock_is_set:
        yield "The time is not known: no time server could be reached. Times may be wrong until one is."


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _labelled(label: str, values: list[str]) -> Iterator[str]:
    for number, value in enumerate(values):
        name = f" {label if number == 0 else ''}"
        yield f"{name:<{_INDENT}}{value}"[:WIDTH]


def _item(sentence: str) -> list[str]:
    return textwrap.wrap(_plain(sentence), WIDTH - 1, initial_indent=" ! ", subsequent_indent="   ", max_lines=3)


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _plain(line: str) -> str:
    """Letters that any terminal has, and nothing that moves its cursor: some of it others wrote."""
    return "".join(each if " " <= each <= "~" else "?" for each in line)
