"""Knocks at a box behind the firewall from its network and from a modem's, and through it; prints what came in."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from laid_out import FAR, lay_out, run

TCP = (22, 80, 443, 8080)
UDP = (53, 68, 123, 546, 5353, 5355)
BOX = {"lan0": ("10.9.0.1", "fd09::1"), "modem0": ("10.8.0.1", "fd08::1")}
THERE = {"lan0": ("10.9.0.2", "fd09::2"), "modem0": ("10.8.0.2", "fd08::2")}
WAIT_S = 1.0


def main(files: Path) -> dict[str, object]:
    lay_out(files)
    for card, far in FAR.items():
        run("ip", "link", "set", card, "up")
        for version, (own, other) in enumerate(zip(BOX[card], THERE[card], strict=True)):
            size, nodad = ("24", ()) if version == 0 else ("64", ("nodad",))
            run("ip", "address", "add", f"{own}/{size}", "dev", card, *nodad)
            run("ip", "-n", far, "address", "add", f"{other}/{size}", "dev", "eth0", *nodad)
            run("ip", "-n", far, *(("-6",) if version else ()), "route", "add", "default", "via", own)
    run("ip", "link", "set", "lan0", "group", "10")
    run("ip", "-n", "lan", "address", "add", "10.9.0.3/24", "dev", "eth0")
    run("nft", "-f", files / "etc/nftables.conf")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")  # as if somebody had
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    listeners = listening()
    found: dict[str, object] = {}
    for card, far in FAR.items():
        found[far] = knocked(far, card)
        found[f"{far} datagrams"] = heard(listeners)
    order = re.search(r"^ExecStartPre=\+(.*)$", ssh_drop_in(files), re.MULTILINE)
    run(*order[1].split())
    found["with ssh"] = knocked("lan", "lan0")["tcp4"]
    run(*re.search(r"^ExecStopPost=-\+(.*)$", ssh_drop_in(files), re.MULTILINE)[1].split())
    found["after ssh"] = knocked("lan", "lan0")["tcp4"]
    found["through"] = knocked("modem", "lan0", through=True)["tcp4"]
    found["out by the modem"] = goes_out("10.8.0.2")
    found["out by the network"] = goes_out("10.9.0.2")
    far_process = subprocess.run(
        ["ip", "netns", "exec", "lan", "python3", __file__, "crowd"], capture_output=True, text=True, check=True
    )
    found |= json.loads(far_process.stdout)
    return found


def ssh_drop_in(files: Path) -> str:
    return (files / "etc/systemd/system/ssh.service.d/50-modembank.conf").read_text()


def listening() -> list[socket.socket]:
    sockets = []
    for port in TCP:
        one = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        sockets.append(one)
    for port in UDP:
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind(("::", port))
        if port == 5353:
            for card in FAR:
                index = socket.if_nametoindex(card)
                ip4 = struct.pack("4s4si", socket.inet_aton("224.0.0.251"), b"\0" * 4, index)
                one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, ip4)
                ip6 = socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", index)
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, ip6)
        sockets.append(one)
    return sockets


def heard(sockets: list[socket.socket]) -> list[str]:
    """What was said in the datagrams that came in."""
    said = []
    while ready := select.select([one for one in sockets if one.type == socket.SOCK_DGRAM], [], [], 0.2)[0]:
        said += [one.recv(100).decode() for one in ready]
    return sorted(said)


def knocked(far: str, card: str, *, through: bool = False) -> dict[str, list[int]]:
    arguments = [*(THERE if through else BOX)[card], "through" if through else "knock"]
    if through:
        server = subprocess.Popen(
            ["ip", "netns", "exec", FAR[card], "python3", "-c",
             "import socket,time; s=socket.create_server(('', 443)); print(flush=True); time.sleep(30)"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        server.stdout.readline()
    said = run("python3", __file__, *arguments, inside=far)
    if through:
        server.kill()
        server.wait()
    return json.loads(said)


def goes_out(address: str) -> bool:
    """Whether a datagram leaves: the firewall tells who sends one that it may not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.sendto(b"out", (address, 9))
        except PermissionError:
            return False
    return True


def knock(ip4: str, ip6: str, how: str) -> dict[str, object]:
    """At the far end: which ports answer, and a datagram to each port."""
    found: dict[str, object] = {"tcp4": answering(ip4, TCP), "tcp6": answering(ip6, TCP)}
    if how == "through":
        return found
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        for port in UDP:
            four.sendto(f"4 {port}".encode(), (ip4, port))
            six.sendto(f"6 {port}".encode(), (ip6, port))
        four.sendto(b"4 multicast", ("224.0.0.251", 5353))
        index = socket.if_nametoindex("eth0")
        six.sendto(b"6 multicast", ("ff02::fb", 5353, 0, index))
        link_local = re.search(r"inet6 (fe80\S+)/64", run("ip", "address", "show", "dev", "eth0"))[1]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as near:
        near.bind((link_local, 547, 0, index))
        near.sendto(b"6 multicast from the link", ("ff02::fb", 5353, 0, index))
        near.sendto(b"6 a lease from the link", ("ff02::1", 546, 0, index))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lease:
        lease.bind(("", 67))
        lease.sendto(b"4 a lease", (ip4, 68))
    found["ping4"] = pinged(ip4, socket.AF_INET)
    found["ping6"] = pinged(ip6, socket.AF_INET6)
    return found


def answering(address: str, ports: tuple[int, ...]) -> list[int]:
    tries = {}
    for port in ports:
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        one.setblocking(False)
        one.connect_ex((address, port))
        tries[one] = port
    end, answered = time.monotonic() + WAIT_S, []
    while (left := end - time.monotonic()) > 0 and tries:
        for one in select.select([], list(tries), [], left)[1]:
            port = tries.pop(one)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                answered.append(port)
            one.close()
    return sorted(answered)


def pinged(address: str, family: socket.AddressFamily) -> bool:
    four = family == socket.AF_INET
    protocol = socket.IPPROTO_ICMP if four else socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as one:
        packet = struct.pack("!BBHHH", 8 if four else 128, 0, 0, 7, 1)
        total = sum(struct.unpack("!4H", packet)) if four else 0  # of version 6 the kernel adds it
        one.sendto(packet[:2] + struct.pack("!H", ~total & 0xFFFF) + packet[4:], (address, 0))
        end = time.monotonic() + WAIT_S
        while select.select([one], [], [], max(0, end - time.monotonic()))[0]:
            answer = one.recv(200)
            if answer[20 if four else 0] == (0 if four else 129):
                return True
    return False


def crowd() -> dict[str, object]:
    """Three hundred connections from one address, and one from another."""
    held = []
    for _ in range(300):
        one = socket.socket()
        one.bind(("10.9.0.2", 0))
        one.setblocking(False)
        one.connect_ex(("10.9.0.1", 443))
        held.append(one)
    time.sleep(WAIT_S)
    connected = [
        one for one in select.select([], held, [], 0)[1] if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    ]
    other = socket.create_connection(("10.9.0.1", 443), timeout=5, source_address=("10.9.0.3", 0))
    other.close()
    return {"of a crowd": len(connected), "another": True}


if __name__ == "__main__":
    if sys.argv[1] == "crowd":
        said = crowd()
    elif len(sys.argv) == 4:
        said = knock(*sys.argv[1:])
    else:
        said = main(Path(sys.argv[1]))
    sys.stdout.write(json.dumps(said))
