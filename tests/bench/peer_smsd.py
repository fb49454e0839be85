"""SMS Server Tools 3 (Debian's smstools) as a peer: run on the same ports, fed through its own queue of files."""

import contextlib
import subprocess
from pathlib import Path

from processes import end

SPOOLS = ("incoming", "outgoing", "checked", "failed", "sent")


@contextlib.contextmanager
def smsd(folder: Path, ports: list[str]):
    """Run smsd on the ports with its quickest settings; yields the folder its modem handlers take messages from.

    Messages go straight into the checked queue: the half second that its file checker spends on each file is not held
    against it.
    """
    spools = {name: folder / "spool" / name for name in SPOOLS}
    for spool in spools.values():
        spool.mkdir(parents=True)
    names = [f"GSM{number}" for number in range(len(ports))]
    lines = [f"devices = {','.join(names)}", "loglevel = 3", f"logfile = {folder}/log", f"infofile = {folder}/running"]
    lines += [f"pidfile = {folder}/pid", "delaytime = 1", "delaytime_mainprocess = 1", "receive_before_send = no"]
    lines += [f"{name} = {spool}" for name, spool in spools.items()]
    for name, port in zip(names, ports, strict=True):
        lines += [f"[{name}]", f"device = {port}", "incoming = no", "report = no", "baudrate = 115200"]
        lines += ["keep_open = yes", "check_network = 0"]
    config = folder / "smsd.conf"
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        ["smsd", f"-c{config}", "-t"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield spools["checked"]
    finally:
        end(process)


def drop_file(queue: Path, number: int) -> None:
    """Queue one message, whole at once."""
    partial = queue.parent / f"partial-{number}"
    partial.write_text(f"To: 1999{number:07d}\n\nBusy.\n")
    partial.rename(queue / f"message-{number:06d}")
