"""How fast messages are accepted durably, against an empty handler of the same framework and server.

Run it by hand: ``python tests/bench/bench_accepts.py``. It starts one server process for each (uvicorn with uvloop and
httptools). In alternating rounds 64 keep-alive connections of a client process load them with the same requests, to
ever other recipients. The empty one is an ordinary Litestar handler that reads the body and answers 202 with a little
JSON. Prints rates, processor time of servers and client, and the ratio. About 25 seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from processes import end
from report import Report, verdict

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))  # tests/, for fakes

CLIENTS = 64
ROUNDS = 4
SECONDS = 2.5
RECIPIENTS = 5_000
BODY = (
    '{"to":"+4479009%05d","text":"Your parcel arrives today between 10 and 12. Reply STOP to opt out",'
    '"reference":"order-%d"}'
)


async def serve_empty() -> None:
    """Serve ``POST /api/v1/messages`` that only reads the body."""
    from litestar import Litestar, Request, post

    @post("/api/v1/messages", status_code=202)
    async def empty(request: Request[Any, Any, Any]) -> dict[str, str]:
        await request.body()
        return {"id": "msg_0000008000001", "status": "queued"}

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
    from modembankd.garbage import look_rarely, spare_what_stays

    server = await serve(application, WebConfig(listen="127.0.0.1:0"))
    look_rarely()
    spare_what_stays()
    print("ready", server.address[1], key, flush=True)
    await server.wait()


def load(port: int, key: str) -> None:
    """Keep ``CLIENTS`` connections busy; print how many answers a second were 202, and the processor's us for each."""
    requests = itertools.cycle([_request(key, BODY % (n, n)) for n in range(RECIPIENTS)])
    clients: dict[int, socket.socket] = {}
    unfinished: dict[int, bytes] = {}
    poll = select.epoll()
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)
        client.send(next(requests))
    answered, began, processor_s = 0, time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) - began < SECONDS:
        for fd, _ in poll.poll(1):
            client = clients[fd]
            answer = unfinished.pop(fd, b"") + client.recv(65536)
            if _is_whole(answer):
                answered += 1
                client.send(next(requests))
            else:
                unfinished[fd] = answer
    print(answered / (now - began), (time.process_time() - processor_s) / answered * 1e6)


def _request(key: str, body: str) -> bytes:
    lines = (
        "POST /api/v1/messages HTTP/1.1",
        "Host: box",
        "Content-Type: application/json",
        f"Authorization: Bearer {key}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", body)).encode()


def _is_whole(answer: bytes) -> bool:
    """Whether an answer has come completely (head and body may come apart); ends the process if it is not a 202."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not answer.startswith(b"HTTP/1.1 202"):
        sys.exit(f"unexpected answer: {answer[:300]!r}")
    length = answer.index(b"content-length: ") + 16
    return len(answer) >= end + 4 + int(answer[length : answer.index(b"\r", length)])


def start(mode: str) -> tuple[subprocess.Popen[str], int, str]:
    """Start a server process; return it, its port and its key."""
    process = subprocess.Popen([sys.executable, str(HERE), mode], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            _, port, key = line.split()
            return process, int(port), key
    sys.exit(f"{mode} did not start")


def measure(process: subprocess.Popen[str], port: int, key: str) -> tuple[float, float, float]:
    """Return requests per second, and the server's and the client's processor microseconds per request."""
    before = _processor_s(process.pid)
    client = subprocess.run(
        [sys.executable, str(HERE), "load", "--port", str(port), "--key", key],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    rate, client_us = map(float, client.stdout.split())
    return rate, (_processor_s(process.pid) - before) / (rate * SECONDS) * 1e6, client_us


def compare() -> None:
    """Load both in turns and print the comparison."""
    report = Report(f"durable accepts, {CLIENTS} clients")
    servers: dict[str, tuple[subprocess.Popen[str], int, str]] = {}
    rates: dict[str, list[float]] = {"empty handler": [], "durable accept": []}
    costs: dict[str, list[float]] = {"empty handler": [], "durable accept": []}
    try:
        servers |= {"empty handler": start("empty")}
        servers |= {"durable accept": start("box")}
        for turn in range(1, ROUNDS + 1):
            for name, server in servers.items():
                rate, server_us, client_us = measure(*server)
                rates[name].append(rate)
                costs[name].append(server_us)
                cost = f"us of CPU each: server {server_us:.0f}, client {client_us:.0f}"
                report.row(f"round {turn}: {name}, per s", f"{rate:.0f}", cost)
    finally:
        for process, _, _ in servers.values():
            end(process)
    empty, accepts = (statistics.median(found) for found in rates.values())
    ratio = statistics.median(a / e for e, a in zip(*rates.values(), strict=True))
    report.row("median per s: empty handler, durable accept", f"{empty:.0f}, {accepts:.0f}")
    report.row("median ratio", f"{ratio:.0%}", verdict(ratio >= 0.7, ">= 70 %"))
    share = statistics.median(e / a for e, a in zip(*costs.values(), strict=True))
    report.row("median ratio of the servers' processor time", f"{share:.0%}", "what other work beside distorts less")


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
        with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_empty() if given.mode == "empty" else serve_box())


if __name__ == "__main__":
    main()
