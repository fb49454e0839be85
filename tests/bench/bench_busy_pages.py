"""How long a page takes on a box after years that is at work: every GET page, over HTTP, from a real daemon.

Run: ``python tests/bench/bench_busy_pages.py [--rows 10000000] [--keep FOLDER] [--modems 32] [--rounds 40]``. Builds a
box with ten million messages and a mailing of a million more that is on its way (``box_at_work``; ``--keep`` builds it
once and uses it again), and starts ``modembank run`` on emulated modems that take two seconds for each message. While
they send, each page of the table of pages is asked for again and again, one request after the other: with every filter,
the pages behind its first one, and the parts that pages ask for by themselves; as an admin, as a sender,
and as one who has nothing yet.

The figure that counts is the processor time of the whole daemon, all its threads and its sending beside included, from
the request to the last octet of the answer; of downloads, to their first octet. The time of the clock on the loopback
stands beside it, which on a machine that is busy with other things tells of those. Both are set against the lightest
page, ``/ui``, which asks who is there and leads elsewhere. "First" is the clock's time of the first request for a page,
with the database's file taken out of the memory.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode, urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from box_at_work import ADMIN, COMMON_WORD, NEWCOMER, RARE_WORD, SENDER, TALKER, build_at_work, mailing_of, message_of
from processes import BIN, Daemon, cpu_s, daemon, lag_share_within, resident_mb, until_registered
from report import Report, percentile, verdict

from browser.places import place
from modembank.messages import MessageState
from modembank_emulator.client import spawn_bank
from modembank_web.cookies import COOKIE, page_token
from modembank_web.pages import PAGES
from modembankd.data_folder import DATABASE

GOAL_MS = 100.0
SECONDS_PER_CMGS = 2.0
SETTLE_S = 60.0
"""After a start: what waits is judged, what waits for those who are out is ended, and tables are counted anew."""
LIMITS = "[limits]\nmin_interval_s = 0.5\nper_minute = 100\nper_hour = 5000\nper_day = 100000\nper_month = 3000000\n"
"""They hold back nobody here, and cost a forecast what limits cost."""
NOTHING = "/ui"
DRAFT_ROWS = 20_000
MONTHS = 6
"""Between a day in the middle of the years and today."""
DOWNLOADS = {"downloadResults", "downloadRefusedRows", "optOutExport", "draftRefusedRows", "reportFile"}
_NEXT = re.compile(r'hx-get="([^"]*[?&;]cursor=[^"]*)"')
_PAGES = [page for page in PAGES if page.method == "GET" and not page.stream]


@dataclass
class Place:
    """Where a page is, for whom, and how long it took."""

    path: str
    who: str
    by_htmx: bool = False
    whole: bool = True
    first: float = 0.0
    took: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    """Milliseconds of the processor that the daemon used meanwhile."""

    @property
    def name(self) -> str:
        """What its row is called: a cursor says nothing but that there was one."""
        path = re.sub(r"cursor=[^&]+", "cursor=…", self.path)
        return f"{self.who} {path[:76]}{' (htmx)' if self.by_htmx else ''}"


class Browser:
    """One person's connection to the daemon; nothing but the request and reading the answer is in its times."""

    def __init__(self, url: str, token: str) -> None:
        """Use a session."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Cookie": f"{COOKIE}={token}"}

    def ask(self, where: Place) -> tuple[float, int, str]:
        """Return the milliseconds, the status and the text of a page; of a download only how it begins."""
        headers = self._headers | ({"HX-Request": "true"} if where.by_htmx else {})
        began = time.perf_counter()
        self._connection.request("GET", where.path, headers=headers)
        answer = self._connection.getresponse()
        octets = answer.read() if where.whole else answer.read(1)
        took = (time.perf_counter() - began) * 1000
        if not where.whole:
            self._connection.close()
        return took, answer.status, octets.decode() if where.whole else ""


def variants(page: str, mailing: str) -> Iterator[str]:
    """Yield what can be asked of a page besides its first look, as queries."""
    states = [state.word for state in MessageState]
    if page in {"/ui/messages", "/ui/messages/newest"}:
        yield from (urlencode({"status": state}) for state in states)
        yield from (urlencode({"q": words}) for words in (COMMON_WORD, RARE_WORD, "stop today", "nowhere", "zanz*"))
        yield urlencode({"q": COMMON_WORD, "status": "cancelled"})
        for filters in ({"to": TALKER}, {"to": "+447900000007"}, {"reference": "order-4711"}, {"reference": "none"}):
            yield urlencode(filters)
        yield urlencode({"batch": mailing.replace("mlg_", "bat_")})
        yield from (urlencode({"batch": mailing.replace("mlg_", "bat_"), "status": state}) for state in states)
        ago = time.strftime("%Y-%m-%d", time.gmtime(time.time() - MONTHS * 30 * 86_400))
        yield from (
            urlencode({"since": ago}),
            urlencode({"until": ago}),
            urlencode({"since": ago, "status": "unknown"}),
        )
    elif page == f"/ui/mailings/{mailing}":
        yield from (urlencode({"status": state}) for state in states)
        yield "part=newest"
    elif page in {"/ui/report", "/ui/report/file"}:
        first, today = (time.strftime("%Y-%m-%d", time.gmtime(time.time() - back * 86_400)) for back in (91, 0))
        span = {"from": first, "to": today}
        if page.endswith("file"):
            yield from (urlencode(span | {"of": table}) for table in ("days", "senders", "sims"))
        else:
            yield from (urlencode(span | one) for one in ({}, {"user": SENDER}, {"sim": "8944110000000000001"}))
    elif page == "/ui/audit":
        for asked in ({"actor": "user-7"}, {"actor": "nobody"}, {"action": "backup"}, {"action": "never"}):
            yield urlencode(asked)
    elif page in {"/ui/opt-outs", "/ui/opt-outs/now"}:
        yield from (urlencode({"state": state}) for state in ("out", "in"))
        yield urlencode({"number": "+447900000007"})
    elif page in {"/ui/issues", "/ui/issues/now"}:
        yield "state=cleared"
    elif page == "/ui/keys":
        yield urlencode({"user": SENDER})
    elif page in {"/ui/system/log", "/ui/system/log/now"}:
        yield "level=warning"


def places(who: str, things: SimpleNamespace) -> Iterator[Place]:
    """Yield where all pages are."""
    for page in _PAGES:
        path, whole = place(page, things), page.id not in DOWNLOADS
        yield Place(path, who, whole=whole)
        for query in variants(path, things.mailing):
            yield Place(f"{path}?{query}", who, "part=" in query, whole)
        if page.id in {"mailings", "mailing", "mailingRefusedRows"}:
            yield Place(path, who, by_htmx=True)


def first_look(browser: Browser, found: Iterator[Place], data: Path) -> list[Place]:
    """Ask for each page once, and for those behind it; return those that are there for who asks."""
    kept: list[Place] = []
    todo = list(found)
    while todo:
        where = todo.pop(0)
        forget(data)
        where.first, status, text = browser.ask(where)
        if status in {403, 404}:  # it is somebody else's
            continue
        assert status < 400, f"{where.path}: {status}"
        kept.append(where)
        following = _NEXT.search(text)
        if following is not None and "cursor=" not in where.path:
            todo.insert(0, Place(unescape(following[1]), where.who, by_htmx=True))
    return kept


def forget(data: Path) -> None:
    """Have the kernel keep nothing of the database in memory, as if the box had just been switched on."""
    for file in (data / DATABASE, data / f"{DATABASE}-wal"):
        if file.exists():
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def log_in(box: Daemon, name: str) -> str:
    """Give somebody a password and begin a session; return its token."""
    password = secrets.token_urlsafe(18)
    command = [
        str(BIN / "modembank"),
        "user",
        "passwd",
        name,
        "--password-stdin",
        "--config",
        box.folder / "modembank.toml",
    ]
    subprocess.run(command, input=password, text=True, check=True, stdout=subprocess.PIPE)
    answer = httpx.post(
        f"{box.url}/ui/login",
        data={"name": name, "password": password},
        headers={"Origin": box.url, "Sec-Fetch-Site": "same-origin"},
        trust_env=False,
    )
    assert answer.status_code == 303, answer.text
    return answer.cookies[COOKIE]


def upload_draft(box: Daemon, token: str) -> str:
    """Upload a file for a mailing, say what it is for, and have it checked; return the draft's id."""
    headers = {
        "Cookie": f"{COOKIE}={token}",
        "X-Page-Token": page_token(token),
        "Origin": box.url,
        "HX-Request": "true",
    }
    file = b"name,phone\n" + b"".join(b"Person %d,+44790%07d\n" % (at, at) for at in range(DRAFT_ROWS)) + b"Nobody,12\n"
    with httpx.Client(base_url=box.url, headers=headers, timeout=60, trust_env=False) as client:
        answer = client.post("/ui/mailings/new", files={"file": ("people.csv", file)})
        path = answer.headers["hx-redirect"]
        form = {"header": "yes", "delimiter": ",", "charset": "utf-8", "to_column": "2", "template": "Dear {name}"}
        answer = client.post(path, data=form)
        assert answer.headers["hx-redirect"] == f"{path}/check", answer.text
        client.get(f"{path}/check").raise_for_status()
        while client.get(f"{path}/check/progress").headers.get("hx-trigger") != "checked":
            time.sleep(0.2)
    return path.rpartition("/")[2]


async def things_in(client: httpx.AsyncClient, rows: int, draft: str) -> SimpleNamespace:
    """Return what addresses name."""
    modem = (await client.get("/api/v1/modems")).json()["items"][0]
    hooks = (await client.get("/api/v1/webhooks")).json()["items"]
    return SimpleNamespace(
        mailing=mailing_of(rows), message=message_of(rows), number=TALKER, slot=modem["slot"], iccid=modem["sim"],
        user=SENDER, webhook=next(hook["id"] for hook in hooks if hook["user"] == SENDER), draft=draft,
    )  # fmt: skip


async def left(client: httpx.AsyncClient, mailing: str) -> int:
    """Return how many messages of a mailing have left."""
    counts = (await client.get(f"/api/v1/mailings/{mailing}")).json()["messages"]
    return sum(n for word, n in counts.items() if word not in {"accepted", "scheduled", "queued", "sending"})


def measure(pid: int, browsers: dict[str, Browser], asked: list[Place], rounds: int) -> None:
    """Ask for all in turn, so that what the machine does meanwhile meets them alike."""
    for _ in range(rounds):
        for where in asked:
            before = cpu_s(pid)
            where.took.append(browsers[where.who].ask(where)[0])
            where.spent.append((cpu_s(pid) - before) * 1000)


def tell(report: Report, asked: list[Place]) -> bool:
    """Print each page, the dearest first; return whether all reach the goal."""
    base = min(statistics.median(where.spent) for where in asked if where.path == NOTHING)
    p95 = {id(where): percentile(where.spent, 0.95) for where in asked}
    for where in sorted(asked, key=lambda where: -p95[id(where)]):
        high = p95[id(where)]
        figures = f"{statistics.median(where.spent):.1f} {high:.1f} | {_time_of(where)} | {where.first:.0f}"
        report.row(where.name, figures, f"{high / base:.1f} x nothing; {verdict(high < GOAL_MS, f'< {GOAL_MS:g} ms')}")
    worst = max(p95.values())
    report.row(f"the worst p95 of {len(asked)} pages", f"{worst:.1f}", verdict(worst < GOAL_MS, f"< {GOAL_MS:g} ms"))
    late = sum(percentile(where.took, 0.95) >= GOAL_MS for where in asked)
    report.row(f"pages whose p95 of time is {GOAL_MS:g} ms or more", str(late))
    report.row("of all requests for pages, p95 of time", f"{percentile(_all(asked), 0.95):.1f}")
    report.row("the slowest first look", f"{max(where.first for where in asked):.0f}")
    return worst < GOAL_MS


def _time_of(where: Place) -> str:
    return f"{statistics.median(where.took):.1f} {percentile(where.took, 0.95):.1f}"


def _all(asked: list[Place]) -> list[float]:
    return [ms for where in asked for ms in where.took]


async def look_around(box: Daemon, client: httpx.AsyncClient, given: argparse.Namespace) -> bool:
    """Log in, ask for everything, and say what the daemon did meanwhile."""
    report = Report(
        f"pages beside a mailing, {given.rows:,} messages, {given.rounds} times each: ms of CPU (median, p95),"
        " of time (median, p95), and first"
    )
    tokens = {name: log_in(box, name) for name in (ADMIN, SENDER, NEWCOMER)}
    browsers = {name: Browser(box.url, token) for name, token in tokens.items()}
    data, asked = box.folder / "data", list[Place]()
    for name, token in tokens.items():
        things = await things_in(client, given.rows, upload_draft(box, token))
        asked += await asyncio.to_thread(first_look, browsers[name], places(name, things), data)
    before, gone, cpu = (await client.get("/metrics")).text, await left(client, things.mailing), cpu_s(box.pid)
    began = time.monotonic()
    await asyncio.to_thread(measure, box.pid, browsers, asked, given.rounds)
    seconds = time.monotonic() - began
    reached = tell(report, asked)
    sent = await left(client, things.mailing) - gone
    share = lag_share_within((await client.get("/metrics")).text, "0.02", since=before)
    report.row("messages of the mailing that left meanwhile, a second", f"{sent / seconds:.1f}")
    report.row("beats with a loop lag <= 20 ms meanwhile", f"{share:.4f}", verdict(share >= 0.99, "p99 < 20 ms"))
    report.row("CPU of a core", f"{(cpu_s(box.pid) - cpu) / seconds:.0%}")
    report.row("resident MB", f"{resident_mb(box.pid):.0f}")
    return reached and share >= 0.99


async def main() -> int:
    """Build, start and measure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="build the box there, or use it again")
    arguments.add_argument("--modems", type=int, default=32)
    arguments.add_argument("--rounds", type=int, default=40)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = given.keep or Path(name) / "box"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        if not (folder / "data" / DATABASE).exists():
            build_at_work(folder / "data" / DATABASE, given.rows)
        forget(folder / "data")
        options = ("--modems", str(given.modems), "--latency", f"fixed:{SECONDS_PER_CMGS}", "--dialect", "generic")
        async with spawn_bank(Path(name) / "tty", *options) as bank:
            with daemon(folder, [str(path) for path in bank.paths], extra=LIMITS) as box:
                async with box.client() as client:
                    await until_registered(client, given.modems)
                    await asyncio.sleep(SETTLE_S)
                    return 0 if await look_around(box, client, given) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
