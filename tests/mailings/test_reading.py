"""The reading process: bounded, ended whatever happens, and its death is a sentence; and memory that stays flat."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from fakes.web_boxes import make_box
from modembank.errors import InvalidRequest
from modembank.mailings import reading
from modembank.mailings.model import Ask, Order
from modembank.mailings.reading import UnreadableFile, look

PEOPLE = "name,phone\n" + "".join(f"N{at},+4479009{at:05d}\n" for at in range(2_000))


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, "utf-8")
    return path


def instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Run other code in the place of the reading process."""
    started = asyncio.create_subprocess_exec

    async def start(*_: str, **options):
        return await started(sys.executable, "-c", code, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "takes too much memory to be read"),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGXCPU)})", "takes too long to be read"),
        ("raise SystemExit(3)", "could not be read: the process that reads it ended early"),
        ("pass", "could not be read"),
        ("import signal; signal.pause()", "takes longer than 0 seconds to be read"),
    ],
)
async def test_s13_a_death_of_the_process_is_a_sentence(
    people: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    instead(monkeypatch, code)
    monkeypatch.setattr(reading, "STALL_S", 0.3 if "pause" in code else 30.0)
    with pytest.raises(InvalidRequest) as raised:
        await look(Order(path=str(people), ask=Ask(template="x")))
    assert raised.value.problems[0].detail == why


async def test_s13_the_process_cannot_take_more_than_its_share(people: Path) -> None:
    code = (
        "from modembank.mailings.reader import confine; import resource; confine()\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_CPU)[1])\n"
        f"try:\n    open({str(people)!r}, 'a').write('x' * 10000)\nexcept OSError as error:\n    print('refused')\n"
        "try:\n    bytes(600 << 20)\nexcept MemoryError:\n    print('bounded')\n"
    )
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.split() == [str(512 << 20), "600", "refused", "bounded"]


async def test_whoever_stops_listening_ends_the_process(people: Path) -> None:
    layout = (await look(Order(path=str(people), ask=Ask(template="x {name}")))).layout
    async with reading.reading(Order(path=str(people), layout=layout)) as next_pass:
        pieces = next_pass()
        first = await anext(pieces)
        await pieces.aclose()
    assert first.rows == first.count == len(first.good_rows()) == 250


async def test_one_process_reads_a_file_twice(people: Path) -> None:
    layout = (await look(Order(path=str(people), ask=Ask(template="x {name}")))).layout
    async with reading.reading(Order(path=str(people), layout=layout, twice=True)) as next_pass:
        first = [row async for piece in next_pass() for row in piece.good_rows()]
        second = [row async for piece in next_pass() for row in piece.good_rows()]
    assert len(first) == 2_000
    assert first == second


async def test_a_file_that_is_gone_is_unreadable(people: Path) -> None:
    layout = (await look(Order(path=str(people), ask=Ask(template="x")))).layout
    people.unlink()
    with pytest.raises(UnreadableFile):
        async with reading.reading(Order(path=str(people), layout=layout)) as next_pass:
            await anext(next_pass())


async def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINE_OCTETS", 1 << 16)  # what is buffered would be all of the smaller file
    box = await make_box(tmp_path)
    most = []
    for count in (2_000, 8_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("phone\n" + "".join(f"+44790{at:07d}\n" for at in range(count)), "utf-8")
        layout = (await look(Order(path=str(path), ask=Ask(template="x")))).layout
        tracemalloc.start()
        found = await box.mailings._importing.check(path, layout)
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.accepted == count
    await box.store.close()
    assert most[1] < 2 * most[0]  # four times the rows; what the first look allocates for good is in both


async def test_a_stop_that_comes_while_the_process_is_ended_does_not_leave_it_behind(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, processes, entered = asyncio.create_subprocess_exec, [], asyncio.Event()

    async def start(*arguments: str, **options):
        processes.append(await started(*arguments, **options))
        return processes[-1]

    async def read() -> None:
        async with reading.reading(Order(path=str(people), ask=Ask(template="x"))):
            entered.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    task = asyncio.create_task(read())
    await entered.wait()
    task.cancel()
    await asyncio.sleep(0)  # the process is being ended now
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes[0].returncode is not None
    assert processes[0].stdout.at_eof()
