"""The processes a benchmark runs, as a user would run them, and what the kernel says they cost."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

BIN = Path(sys.executable).parent
HERE = Path(__file__).resolve().parent
signal.signal(signal.SIGTERM, signal.default_int_handler)  # unwinds, so that what was started is ended


def cpu_s(pid: int) -> float:
    """Return user plus system seconds of a process and all its threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # a process's CPU clock, as clock_getcpuclockid(3) makes its id


def resident_mb(pid: int) -> float:
    """Return the resident set in MB (10^6 octets)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def written_bytes(pid: int) -> int:
    """Return how many octets the process caused to be written to storage."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def build_slowsync(folder: Path) -> Path:
    """Compile the shim that makes every fsync slow."""
    target = folder / "slowsync.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", target, HERE / "slowsync.c", "-ldl"], check=True)
    return target


def end(process: subprocess.Popen[str], within_s: float = 15.0) -> None:
    """End a process that we started: politely, then not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Daemon:
    """``modembank run`` with a configuration of its own, and an API key."""

    folder: Path
    process: subprocess.Popen[str]
    url: str
    key: str

    @property
    def pid(self) -> int:
        """Return the daemon's process id."""
        return self.process.pid

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client that is allowed everything."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60, trust_env=False
        )


def _run(command: list[object]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


NO_LIMITS = "\n[limits]\nmin_interval_s = 0\nper_minute = 0\nper_hour = 0\nper_day = 0\nper_month = 0\n"


@contextlib.contextmanager
def daemon(folder: Path, ports: list[str], *, extra: str = NO_LIMITS, preload: Path | None = None, sync_ms: int = 0):
    """Run a daemon on those ports; yields when it is ready, ends it after."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "modembank.toml"
    listed = "".join(f'[[bank.port]]\npath = "{port}"\n' for port in ports)
    config.write_text(
        f'[box]\ndata_dir = "{folder / "data"}"\n[web]\nlisten = "127.0.0.1:0"\n[log]\nlevel = "warning"\n'
        f"{listed}{extra}"
    )
    modembank = [str(BIN / "modembank")]
    key = folder / "key"
    if not key.exists():  # a folder that is used again has its user
        _run([*modembank, "user", "add", "bench", "--role", "admin", "--config", config])
        key.write_text(_run([*modembank, "apikey", "add", "--user", "bench", "--config", config]))
    env = dict(os.environ)
    if preload:
        env |= {"LD_PRELOAD": str(preload), "SLOWSYNC_MS": str(sync_ms)}
    log = (folder / "daemon.log").open("w")
    process = subprocess.Popen([*modembank, "run", "--config", config], env=env, stderr=log, text=True)
    try:
        yield Daemon(folder, process, wait_for_address(folder / "data", process), key.read_text().strip())
    finally:
        end(process)
        log.close()


def wait_for_address(data: Path, process: subprocess.Popen[str], within_s: float = 30.0) -> str:
    """Return the URL that the daemon wrote beside its data, once it answers."""
    deadline = time.monotonic() + within_s
    file = data / "address"
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():
            url = file.read_text().strip()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                    return url
        time.sleep(0.05)
    problem = f"the daemon did not start (exit status {process.poll()}); see {data.parent / 'daemon.log'}"
    raise TimeoutError(problem)


async def until_registered(client: httpx.AsyncClient, count: int, within_s: float = 60.0) -> None:
    """Wait until so many modems are registered."""
    async with asyncio.timeout(within_s):
        while True:
            items = (await client.get("/api/v1/modems")).json()["items"]
            if sum(item["state"] == "registered" for item in items) >= count:
                return
            await asyncio.sleep(0.1)


async def until_settled(client: httpx.AsyncClient, count: int, within_s: float = 60.0) -> None:
    """Wait until so many messages are delivered, failed or otherwise at their end; asking costs the daemon CPU."""
    ended = {"delivered", "undelivered", "failed", "expired", "cancelled", "unknown"}
    async with asyncio.timeout(within_s):
        while True:
            samples = _samples((await client.get("/metrics")).text, "modembank_messages{")
            if sum(value for name, value in samples if any(f'"{state}"' in name for state in ended)) >= count:
                return
            await asyncio.sleep(0.1)


def lag_share_within(metrics: str, limit: str, since: str = "") -> float:
    """Return the share of the loop's beats that were late by at most ``limit`` seconds (a bucket's bound).

    Only those count that came after earlier metrics, when there are any.
    """
    names = f'modembank_loop_lag_seconds_bucket{{le="{limit}"}}', "modembank_loop_lag_seconds_count"
    within, count = (_samples(metrics, name)[0][1] - sum(n for _, n in _samples(since, name)) for name in names)
    return within / count


def _samples(metrics: str, prefix: str) -> list[tuple[str, float]]:
    lines = [line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith(prefix)]
    return [(name, float(value)) for name, value in lines]
