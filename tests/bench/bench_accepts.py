"""How fast messages are accepted durably, against an empty handler of the same framework and server.

Run it by hand: ``python tests/bench/bench_accepts.py``. It starts one server process for each (uvicorn with uvloop and
httptools), lets 64 keep-alive connections of a client process load them in turns, and prints rates, processor time and
the ratio. About 20 seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))  # tests/, for fakes

CLIENTS = 64
ROUNDS = 3
SECONDS = 2.5
BODY = (
    b'{"to":"+447900900123","text":"Your parcel arrives today between 10 and 12. Reply STOP to opt out",'
    b'"reference":"order-4711"}'
)


async def serve_empty() -> None:
    """Serve ``POST /api/v1/messages`` that does nothing."""
    from litestar import Litestar, post

    @post("/api/v1/messages", status_code=202)
    async def empty() -> None:
        return None

    await _serve(Litestar([empty], openapi_config=None, logging_config=None), "none")


async def serve_box() -> None:
    """Serve the real application over a new database."""
    from fakes.web_boxes import make_box
    from modembank.accounts import Role

    with tempfile.TemporaryDirectory() as folder:
        box = await make_box(Path(folder))
        await _serve(box.web, await box.key(Role.SENDER))


async def _serve(application: object, key: str) -> None:
    from modembank.config import WebConfig
    from modembank_web import serve

    server = await serve(application, WebConfig(listen="127.0.0.1:0"))
    print("ready", server.address[1], key, flush=True)
    await server.wait()


def load(port: int, key: str) -> None:
    """Keep ``CLIENTS`` connections busy and print how many requests were answered with 202 per second."""
    lines = (
        "POST /api/v1/messages HTTP/1.1",
        "Host: box",
        "Content-Type: application/json",
        f"Authorization: Bearer {key}",
        f"Content-Length: {len(BODY)}",
    )
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY
    selector = selectors.DefaultSelector()
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(client, selectors.EVENT_READ, bytearray())
        client.send(request)
    answered, began = 0, time.perf_counter()
    while (now := time.perf_counter()) - began < SECONDS:
        for ready, _ in selector.select(1):
            client = ready.fileobj
            assert isinstance(client, socket.socket)
            buffer: bytearray = ready.data
            buffer += client.recv(65536)
            if _is_whole(buffer):
                buffer.clear()
                answered += 1
                client.send(request)
    print(answered / (now - began))


def _is_whole(buffer: bytearray) -> bool:
    """Whether an answer has come completely (head and body may come apart); ends the process if it is not a 202."""
    head, end, body = buffer.partition(b"\r\n\r\n")
    if not end:
        return False
    if not head.startswith(b"HTTP/1.1 202"):
        sys.exit(f"unexpected answer: {bytes(buffer[:300])!r}")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
    return len(body) >= int(length)


def start(mode: str) -> tuple[subprocess.Popen[str], int, str]:
    """Start a server process; return it, its port and its key."""
    process = subprocess.Popen([sys.executable, str(HERE), mode], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            _, port, key = line.split()
            return process, int(port), key
    sys.exit(f"{mode} did not start")


def measure(process: subprocess.Popen[str], port: int, key: str) -> tuple[float, float]:
    """Return requests per second and the server's processor microseconds per request."""
    before = _processor_s(process.pid)
    client = subprocess.run(
        [sys.executable, str(HERE), "load", "--port", str(port), "--key", key],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    rate = float(client.stdout)
    return rate, (_processor_s(process.pid) - before) / (rate * SECONDS) * 1e6


def compare() -> None:
    """Load both in turns and print the comparison."""
    servers = {"empty handler": start("empty"), "durable accept": start("box")}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    try:
        for turn in range(ROUNDS):
            for name, server in servers.items():
                rate, processor_us = measure(*server)
                rates[name].append(rate)
                print(
                    f"round {turn + 1}  {name:15} {rate:8.0f} /s  {processor_us:6.1f} us of processor each", flush=True
                )
    finally:
        for process, _, _ in servers.values():
            process.terminate()
            process.wait(10)
    empty, accepts = (statistics.median(found) for found in rates.values())
    print(
        f"{CLIENTS} clients: {accepts:.0f} durable accepts/s, {accepts / empty:.0%} of an empty handler ({empty:.0f}/s)"
    )


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the part of this file that the arguments name."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mode", nargs="?", default="compare", choices=["compare", "empty", "box", "load"])
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--key", default="")
    given = arguments.parse_args()
    if given.mode == "compare":
        compare()
    elif given.mode == "load":
        load(given.port, given.key)
    else:
        import structlog
        import uvloop

        quiet = structlog.make_filtering_bound_logger(20)
        structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_empty() if given.mode == "empty" else serve_box())


if __name__ == "__main__":
    main()
