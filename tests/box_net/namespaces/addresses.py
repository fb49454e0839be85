"""networkd itself, on a box with two cards that are both offered addresses and routes; prints what it took."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from laid_out import FAR, lay_out, run

NETWORKD = next(
    path for path in map(Path, ("/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd")) if path.exists()
)
KIND = {"lan0": "lan", "modem0": "modem"}
OFFERS = {"lan": ("10.9.0.1/24", "fd09::"), "modem": ("10.8.0.1/24", "fd08::")}
WITHIN_S = 40
OFFER = """
[Match]
Name=eth0
[Network]
Address={ip4}
Address={prefix}1/64
DHCPServer=yes
IPv6SendRA=yes
[IPv6Prefix]
Prefix={prefix}/64
"""
ROUTER = """
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/network /run/systemd/netif /run/udev/data
echo I:1 > /run/udev/data/n$(cat /sys/class/net/eth0/ifindex)
chown systemd-network:systemd-network /run/systemd/netif
cp $1 /run/systemd/network/10-offer.network
exec $2
"""


def main(files: Path, drop_in: str = "") -> dict[str, object]:
    lay_out(files)
    only_root()
    for card, kind in KIND.items():  # as udev's rule says it; there is no udev here
        there = Path("/run/udev/data", f"n{Path(f'/sys/class/net/{card}/ifindex').read_text().strip()}")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(f"I:1\nE:MODEMBANK_NET={kind}\n")
    shutil.copytree(files / "usr/lib/systemd/network", "/run/systemd/network")
    if drop_in:
        folder = Path("/run/systemd/network/50-modembank-lan.network.d")
        folder.mkdir()
        (folder / "personal.conf").write_text(drop_in)
    Path("/run/systemd/netif").mkdir()
    shutil.chown("/run/systemd/netif", "systemd-network", "systemd-network")
    run("ip", "link", "set", "modem0", "up")  # as if somebody had: then the kernel itself hears what is offered
    running = [router(far) for far in FAR.values()]
    running.append(subprocess.Popen([NETWORKD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    wanted = "10.9.0.77" if drop_in else "10.9.0."
    try:
        until(lambda: wanted in str(addresses("lan0")) and "fd09:" in str(addresses("lan0")))
        time.sleep(2)  # for what should not come
        return {
            "lan": addresses("lan0"),
            "modem": addresses("modem0"),
            "routes": sorted({route["dev"] for route in routes() if route["dst"] == "default"}),
            "group": json.loads(run("ip", "-json", "link", "show", "lan0"))[0]["group"],
            "group of the modem's": json.loads(run("ip", "-json", "link", "show", "modem0"))[0]["group"],
        }
    finally:
        for one in running:
            one.kill()
            one.wait()


def only_root() -> None:
    """Where this is root of its own there is no other user to become: networkd's is root too."""
    if Path("/proc/self/uid_map").read_text().split()[2] != "1":
        return
    for name in ("passwd", "group"):
        lines = [
            line for line in Path("/etc", name).read_text().splitlines() if not line.startswith("systemd-network:")
        ]
        lines.append("systemd-network:x:0:0::/:/bin/false" if name == "passwd" else "systemd-network:x:0:")
        Path("/run", name).write_text("\n".join(lines) + "\n")
        run("mount", "--bind", f"/run/{name}", f"/etc/{name}")


def router(far: str) -> subprocess.Popen[bytes]:
    ip4, prefix = OFFERS[far]
    offer = Path("/run", f"{far}.network")
    offer.write_text(OFFER.format(ip4=ip4, prefix=prefix))
    # Its own /run hides the file: it is read from a descriptor that stays.
    command = ["ip", "netns", "exec", far, "unshare", "--mount", "sh", "-euc", ROUTER, "sh", "/dev/stdin", NETWORKD]
    with offer.open() as content:
        return subprocess.Popen(command, stdin=content, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(condition) -> None:
    end = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(run("ip", "address"))
        time.sleep(0.2)


def addresses(card: str) -> list[str]:
    shown = json.loads(run("ip", "-json", "address", "show", "dev", card, "scope", "global"))
    return sorted(info["local"] for entry in shown for info in entry.get("addr_info", ()) if "local" in info)


def routes() -> list[dict[str, str]]:
    return [
        route for version in ("-4", "-6") for route in json.loads(run("ip", version, "-json", "route", "show") or "[]")
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), *sys.argv[2:])))
