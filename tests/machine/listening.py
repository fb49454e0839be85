"""Who may listen on a box: the pages, the redirect to them, mDNS, and DHCP's clients; the resolver on the loopback."""

from __future__ import annotations

ALLOWED = {("tcp", 443), ("tcp", 80), ("udp", 5353), ("udp", 68), ("udp", 546)}
ON_THE_LOOPBACK = {("tcp", 53), ("udp", 53)}


def strangers(said: str) -> list[str]:
    """Return the lines of ``ss -Hltnu`` that are not allowed."""
    return [line for line in said.splitlines() if line.strip() and not _allowed(line)]


def _allowed(line: str) -> bool:
    kind, _, _, _, local, *_ = line.split()
    address, _, port = local.rpartition(":")
    where = (kind, int(port))
    loopback = address.partition("%")[0].startswith("127.") or address == "[::1]"
    return where in ALLOWED or (loopback and where in ON_THE_LOOPBACK)
