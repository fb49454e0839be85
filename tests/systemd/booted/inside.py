"""What is looked at inside the booted machine, with nothing but Python's own library: each finding is a line."""

import json
import os
import pwd
import re
import signal
import subprocess
import threading
import time
import traceback
import urllib.request
from pathlib import Path

FOUND: list[tuple[str, bool, str]] = []
BACKUPS = Path("/var/backups/modembank")


def check(what: str, good: object, detail: object = "") -> None:
    FOUND.append((what, bool(good), str(detail)))


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


def modembank(*command: str) -> str:
    return run("runuser", "-u", "modembank", "--", "modembank", *command)


def shown(name: str, unit: str = "modembankd") -> str:
    return run("systemctl", "show", unit, "--value", "-p", name).strip()


def until(condition, within_s: float = 60) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def get(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as answer:
        return answer.status


def starts() -> None:
    check(
        "the service becomes ready",
        until(lambda: shown("ActiveState") == "active"),
        run("systemctl", "status", "modembankd"),
    )
    check(
        "it says how the bank is", until(lambda: shown("StatusText") == "No modems are configured"), shown("StatusText")
    )
    check("it answers", get(8080) == 200)
    check("with a PIN as a credential, in a configuration for root and it alone", shown("NRestarts") == "0")
    folders = {
        path: (Path(path).owner(), Path(path).stat().st_mode & 0o777)
        for path in ("/etc/modembank", "/var/lib/modembank")
    }
    wanted = {"/etc/modembank": ("root", 0o750), "/var/lib/modembank": ("modembank", 0o700)}
    check("its folders are closed to others", folders == wanted, folders)


def is_confined() -> None:
    pid = shown("MainPID")
    status = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
    check("it is nobody else", status["Uid"].split() == [str(pwd.getpwnam("modembank").pw_uid)] * 4, status["Uid"])
    check(
        "it has no capability",
        {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16},
        status,
    )
    check("its system calls are filtered", (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), status)
    mounts = dict(re.findall(r"^\S+ (\S+) \S+ (r[ow]),", Path(f"/proc/{pid}/mounts").read_text(), re.MULTILINE))
    check("nothing of the machine can be written", mounts["/"] == "ro" and mounts["/var/lib/modembank"] == "rw", mounts)
    check("but the switches of hubs", (mounts["/sys/devices"], mounts["/proc/sys"]) == ("rw", "ro"), mounts)
    there = Path(f"/proc/{pid}/root")
    check("homes are not to be seen", not [*(there / "home").iterdir(), *(there / "root").iterdir()])


def works() -> None:
    check("a message is taken", modembank("send", "+447700900123", "hello").startswith("msg_"))
    rows = Path("/tmp/rows.csv")
    rows.write_text("number,text\n+447700900124,one\n+447700900125,two\n")
    rows.chmod(0o644)
    said = modembank("mailing", "send", str(rows), "--text-column", "text", "--json")
    check("a file of recipients is read, in a child with bounds", '"id"' in said, said)


def is_backed_up() -> None:
    run("systemctl", "start", "modembank-backup.service")
    check(
        "a backup is made",
        shown("Result", "modembank-backup") == "success",
        run("journalctl", "-u", "modembank-backup"),
    )
    (made,) = BACKUPS.iterdir()
    check("for the daemon's user alone", (made.owner(), made.stat().st_mode & 0o777) == ("modembank", 0o600))
    check("and whole", "is whole" in modembank("backup", "--check", str(made)))


def comes_back() -> None:
    hung = shown("MainPID")
    if hung == "0":
        check("one that runs can hang", good=False)
        return
    os.kill(int(hung), signal.SIGSTOP)
    back = until(lambda: shown("MainPID") not in {hung, "0"} and shown("ActiveState") == "active")
    log = run("journalctl", "-u", "modembankd", "-o", "cat", "--no-pager")
    check(
        "one that hangs is ended and starts again",
        back and shown("NRestarts") == "1",
        run("systemctl", "status", "modembankd"),
    )
    check("it was the watchdog", "Failed with result 'watchdog'" in log, log[-2000:])
    check("which tells where it hung", "Fatal Python error: Aborted" in log, log[-2000:])


def keeps_its_port() -> None:
    run("systemctl", "stop", "modembankd")
    run("systemctl", "enable", "--now", "modembankd.socket")
    run("systemctl", "start", "modembankd")
    check("port 443 is the daemon's", get(443) == 200)
    restarting = threading.Thread(target=run, args=("systemctl", "restart", "modembankd"))
    restarting.start()
    answers = []
    while restarting.is_alive():
        try:
            answers.append(get(443))
        except OSError as error:
            answers.append(error)
        time.sleep(0.05)
    restarting.join()
    refused = [answer for answer in answers if "refused" in str(answer)]
    check("over a restart nobody is refused", answers and not refused, answers)
    began = time.monotonic()
    run("systemctl", "stop", "modembankd.socket", "modembankd.service")
    check("it stops in time and by itself", shown("Result") == "success" and time.monotonic() - began < 12)


for step in (starts, is_confined, works, is_backed_up, comes_back, keeps_its_port):
    try:
        step()
    except Exception:  # noqa: BLE001 - whatever it is, is what was found
        check(step.__name__, good=False, detail=traceback.format_exc())
Path("/result.json").write_text(json.dumps(FOUND))
