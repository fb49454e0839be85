"""Debian's Prometheus Alertmanager as a process of its own, on loopback."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

WITHIN_S = 40.0
CONFIG = """
route:
  receiver: sms
  group_by: [alertname]
  group_wait: 10ms
  group_interval: 300ms
  repeat_interval: 300ms
receivers:
  - name: sms
    webhook_configs:
      - url: "{url}"
        send_resolved: true
        http_config:
          authorization:
            credentials: "{key}"
"""


@dataclass
class Alertmanager:
    """A running one, and its API."""

    api: httpx.AsyncClient

    async def fire(self, name: str, instance: str, summary: str, *, over: bool = False, **labels: str) -> None:
        """Tell it of an alert, as Prometheus does; again with ``over`` when it is resolved."""
        now = datetime.now(UTC)
        ends = now - timedelta(seconds=1) if over else now + timedelta(hours=1)
        alert = {
            "labels": {"alertname": name, "instance": instance, **labels},
            "annotations": {"summary": summary},
            "startsAt": (now - timedelta(minutes=5)).replace(microsecond=0, second=0, minute=0).isoformat(),
            "endsAt": ends.isoformat(),
        }
        answer = await self.api.post("/api/v2/alerts", json=[alert])
        assert answer.status_code == 200, answer.text

    async def notified(self) -> int:
        """How many notifications it has tried by webhook."""
        return await self._metric("alertmanager_notifications_total")

    async def failed(self) -> int:
        """How many of them failed for good."""
        return await self._metric("alertmanager_notifications_failed_total")

    async def _metric(self, name: str) -> int:
        lines = (await self.api.get("/metrics")).text.splitlines()
        start = f'{name}{{integration="webhook"'
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(start))

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Poll from outside: nothing wakes us across processes."""
        async with asyncio.timeout(WITHIN_S):
            while not await condition():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def alertmanager(folder: Path, url: str, key: str) -> AsyncIterator[Alertmanager]:
    """Run one that posts to a box's hook."""
    program = shutil.which("prometheus-alertmanager")
    assert program is not None, "prometheus-alertmanager is missing: make test-tools"
    folder.mkdir()
    (folder / "config.yml").write_text(CONFIG.format(url=url, key=key))
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{place.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={folder / 'config.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=20) as api:
            running = Alertmanager(api)

            async def ready() -> bool:
                assert process.returncode is None, (folder / "log").read_text()
                try:
                    return (await api.get("/-/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await running.until(ready)
            yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
