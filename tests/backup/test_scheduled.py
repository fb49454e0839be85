"""Backups by the clock: when due, a number of them kept, failures seen and never in the way."""

import asyncio
import math
import threading

import httpx
import pytest

from fakes.boxes import TurnedClock
from fakes.databases import load_newest
from modembank.backup import BackupJob, ScheduledBackups, check_file, folder, scheduled, take_backup
from modembank.config import BackupConfig, BoxConfig, Config, WebConfig
from modembank.errors import Conflict
from modembank.metrics import Metrics
from modembankd.daemon import Daemon, _chores

DAY = 86_400


class Rig:
    """Scheduled backups of a database, with a clock turned by hand."""

    def __init__(self, tmp_path, **config):
        self.folder = tmp_path / "backups"
        self.folder.mkdir(exist_ok=True)
        self.database = tmp_path / "box.db"
        if not self.database.exists():
            load_newest(self.database)
        self.clock = TurnedClock()
        self.metrics = Metrics()
        self.config = BackupConfig(**{"folder": str(self.folder), "keep": 3, **config})
        self.backups = ScheduledBackups(self.config, "clinic", self.database, self.clock, self.metrics)

    async def run(self, after_s=0.0):
        self.clock.ahead_s += after_s
        return await self.backups.run_if_due()

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def sample(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)

    def age(self):
        self.backups.observe()
        return self.sample("modembank_backup_age_seconds")


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


async def test_one_is_made_at_once_when_it_is_asked_for(rig):
    assert await rig.run()
    rig.clock.ahead_s += 60
    assert await rig.backups.run_now()
    assert not await rig.run()  # and the next by the clock counts from it
    files = await rig.backups.files()
    assert [file.path.name for file in files] == rig.names()[::-1]
    assert files[0].at == rig.backups.facts.last_good_at // 1000 * 1000
    assert files[0].octets == files[0].path.stat().st_size
    for _ in range(4):
        rig.clock.ahead_s += 1
        assert await rig.backups.run_now()
    assert len(rig.names()) == 3
    assert rig.sample("modembank_backups_total", result="made") == 6


async def test_one_that_is_asked_for_and_fails_says_why(rig):
    rig.folder.rmdir()
    assert not await rig.backups.run_now()
    assert "there is no such folder" in rig.backups.facts.last_error
    assert rig.backups.facts.failing
    assert await rig.backups.files() == []
    rig.folder.mkdir()
    assert await rig.backups.run_now()  # at once, not after an hour
    assert not rig.backups.facts.failing


async def test_one_is_made_at_a_time(rig, monkeypatch):
    copying, go = threading.Event(), threading.Event()

    def slow(job):
        copying.set()
        go.wait(10)
        return take_backup(job)

    monkeypatch.setattr(folder, "take_backup", slow)
    first = asyncio.create_task(rig.backups.run_now())
    await asyncio.to_thread(copying.wait)
    with pytest.raises(Conflict, match="being made already"):
        await rig.backups.run_now()
    due = asyncio.create_task(rig.run())
    go.set()
    assert (await first, await due) == (True, False)
    assert len(rig.names()) == 1


async def test_without_a_folder_none_can_be_asked_for(tmp_path):
    rig = Rig(tmp_path, folder="")
    with pytest.raises(Conflict, match="no folder"):
        await rig.backups.run_now()
    assert await rig.backups.files() == ()


async def test_without_a_folder_there_are_none(tmp_path):
    rig = Rig(tmp_path, folder="")
    assert not await rig.run(DAY * 400)
    assert rig.backups.facts.folder is None
    assert math.isnan(rig.age())
    assert rig.names() == []


async def test_made_when_due_and_the_oldest_goes(rig):
    assert math.isnan(rig.age())
    assert await rig.run()
    assert not await rig.run(DAY - 60)
    assert await rig.run(60)
    first_two = rig.names()
    assert len(first_two) == 2
    for _ in range(3):
        assert await rig.run(DAY)
    assert len(rig.names()) == 3
    assert not set(first_two) & set(rig.names())
    for path in rig.folder.iterdir():
        assert check_file(path).manifest.box == "clinic"
    assert rig.age() < 60
    rig.clock.ahead_s += 500
    assert rig.age() >= 500
    assert rig.sample("modembank_backups_total", result="made") == 5


async def test_the_next_run_of_the_daemon_goes_on_from_the_folder(rig, tmp_path):
    await rig.run()
    again = Rig(tmp_path)
    assert not await again.run(DAY / 2)
    assert again.backups.facts.last_good_at // 1000 == rig.backups.facts.last_good_at // 1000
    assert await again.run(DAY / 2)


async def test_other_files_are_nobodys_business(rig):
    others = ("modembank-clinic-notes.sqlite3", "modembank-other-20200101T000000Z.sqlite3", "letter.txt")
    for name in others:
        (rig.folder / name).write_text("mine")
    for _ in range(5):
        await rig.run(DAY)
    assert set(others) < set(rig.names())
    assert len(rig.names()) == 3 + len(others)


async def test_a_failure_is_seen_and_tried_again_later(rig):
    rig.folder.rmdir()
    assert not await rig.run()
    facts = rig.backups.facts
    assert facts.failing
    assert "there is no such folder: make it, or mount what belongs there" in facts.last_error
    assert not rig.folder.exists()
    rig.folder.mkdir()
    assert not await rig.run(60)
    assert await rig.run(scheduled.RETRY_MS / 1000)
    assert not rig.backups.facts.failing
    assert rig.sample("modembank_backups_total", result="failed") == 1


async def test_what_was_made_while_the_clock_was_ahead_neither_stops_nor_outlives_the_others(tmp_path):
    rig = Rig(tmp_path, keep=1)
    await rig.run(DAY * 4000)
    wrong = rig.names()
    rig.clock.ahead_s = 0
    assert await rig.run()
    assert len(rig.names()) == 1
    assert rig.names() != wrong
    assert rig.age() < 60


async def test_the_daemons_stop_does_not_wait_for_a_backup(rig, monkeypatch):
    copying = threading.Event()
    gone = []

    def slow(job: BackupJob):
        copying.set()
        while not job.stopped():
            pass
        gone.append(job.target)
        return take_backup(job)

    monkeypatch.setattr(folder, "take_backup", slow)
    running = asyncio.create_task(rig.run())
    await asyncio.to_thread(copying.wait)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(gone) == 1
    assert rig.names() == []


async def test_the_daemon_makes_them_and_shows_their_age(tmp_path):
    (tmp_path / "backups").mkdir()
    config = Config(
        box=BoxConfig(id="clinic", data_dir=str(tmp_path / "data")),
        web=WebConfig(listen="127.0.0.1:0"),
        backup=BackupConfig(folder=str(tmp_path / "backups")),
    )
    daemon = Daemon(config)
    await daemon.start()
    try:
        backups = daemon.box.app.backups
        assert [chore.run for chore in _chores(daemon.box) if chore.name == "backup"] == [backups.run_if_due]
        assert await backups.run_if_due()
        async with httpx.AsyncClient(base_url=daemon.url, trust_env=False) as client:
            metrics = (await client.get("/metrics")).text
    finally:
        await daemon.stop()
    (age,) = (line.split()[1] for line in metrics.splitlines() if line.startswith("modembank_backup_age_seconds"))
    assert 0 <= float(age) < 60
    (path,) = (tmp_path / "backups").iterdir()
    assert check_file(path).manifest.box == "clinic"
