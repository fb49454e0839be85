"""Power cuts under a working box: what was promised is there. ``make powercuts`` does many more."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from powercut.cuts import choose, images, places, run
from powercut.disk import Cut, Fate, Folders, lay_out
from powercut.recording import DATABASE
from powercut.verdict import Verdict
from powercut.workload import Plan, load, record

pytestmark = pytest.mark.native

MEMORY = Path("/dev/shm")
SMALL = Plan(lives=3, requests=8, inbound=6, first_release=True)


@pytest.fixture(scope="module")
def in_memory():
    """A folder in memory where there is one: thousands of files that nobody keeps."""
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def recording(in_memory):
    folder = in_memory / "recording"
    folder.mkdir()
    return record(folder, 33, SMALL)


def test_story_33_no_power_cut_takes_back_what_was_promised(recording, in_memory, tmp_path):
    result = run(recording, choose(recording, 120, 33), 33, in_memory / "images")
    if result.violations:  # run.py --replay makes these cuts again
        for name in ("trace", "witnesses.json"):
            shutil.copy(in_memory / "recording" / name, tmp_path)
        shutil.copytree(in_memory / "images", tmp_path / "images")
    assert result.violations == [], f"kept in {tmp_path}"
    assert result.cuts == 120
    assert {"commit", "checkpoint", "first start", "upgrade", "log starts over", "restart", "stop"} <= set(
        result.places
    )


def test_much_happened_in_the_recording(recording):
    """Else the cuts would prove little."""
    seen = recording.witnesses
    assert all(one.answered_at is not None for one in seen.asked if one.key is not None)
    assert len([one for one in seen.asked if one.answered_at is not None]) >= 20
    assert {"queued", "sent", "delivered", "cancelled"} <= {one.status for one in seen.shown}
    assert len({one.to for one in seen.submitted}) >= 20
    assert any(one.segment > 1 for one in seen.submitted)
    assert [one.report is None for one in seen.taken].count(True) >= 10
    assert [one.report is None for one in seen.taken].count(False) >= 10
    assert seen.pin_refused_at is not None
    assert [stage.name for stage in seen.stages].count("restart") == SMALL.lives - 1
    assert "killed" in [stage.name for stage in seen.stages]


def test_a_cut_is_repeated_exactly_from_what_was_kept(recording, in_memory):
    again = load(in_memory / "recording")
    cuts = [Cut.of(5, at) for at in sorted(range(20, len(recording.trace), 300))]
    assert [image for _, image in images(again, cuts)] == [image for _, image in images(recording, cuts)]
    assert places(again) == places(recording)


def test_a_disk_that_lies_about_syncs_is_caught(recording, in_memory):
    """The harness can fail: nothing that is promised on such a disk can be kept."""
    result = run(recording, choose(recording, 30, 34), 34, in_memory / "lies", lies=True)
    assert len(result.violations) >= 10
    cut, _ = result.violations[0]
    left = in_memory / "lies" / f"seed-34-at-{cut.at}"
    (_, image), *_ = images(recording, [cut], lies=True)
    assert {name for name, content in image.items() if content is not None} == {
        str(file.relative_to(left)) for file in left.rglob("*") if file.is_file()
    }


@pytest.mark.parametrize(
    ("breaks", "found"),
    [
        ("intents", "the network saw segment"),
        ("inbound", "was deleted in the modem"),
        ("sync", "are gone"),
    ],
)
def test_a_daemon_that_breaks_a_promise_is_caught(in_memory, breaks, found):
    folder = in_memory / breaks
    folder.mkdir()
    recording = record(folder, 35, Plan(lives=1, requests=6, inbound=6, breaks=breaks))
    result = run(recording, choose(recording, 60, 35), 35, folder / "images")
    problems = [problem for _, some in result.violations for problem in some]
    assert any(found in problem for problem in problems), problems


TAMPERED = {
    "DELETE FROM messages WHERE id = (SELECT max(id) FROM messages)": "the counters are not what the table holds",
    "UPDATE messages SET text = 'another' WHERE state = 80": "that nobody asked for",
    "UPDATE messages SET recipient = '+440000000000' WHERE id = (SELECT max(id) FROM messages)": "1 are gone",
    "UPDATE messages SET state = 50 WHERE state = 80": "was delivered and is sent",
    "UPDATE messages SET state = 74 WHERE state = 80": "is failed, and the network has it",
    "UPDATE messages SET state = 80 WHERE state = 76": "the network saw 0 of 1 segments",
    "UPDATE state_counts SET n = n + 1 WHERE state = 0": "messages were ever accepted",
    "DELETE FROM attempts WHERE segment = 1": "of which 0 are known",
    "UPDATE attempts SET report_status = NULL": "the delivery report for reference",
    "UPDATE messages SET state = 30, ready = 1; DELETE FROM attempts": "would be sent twice",
    "DELETE FROM sim_usage": "segments counted by SIM",
    "DELETE FROM idempotency_keys": "a request that was answered before was accepted again",
    "DELETE FROM inbox": "is not in the inbox",
    "INSERT INTO inbox (id, sim_id, sender, kind, text, octets, parts, missing, sent_at, received_at)"
    " SELECT id + 100000, sim_id, sender, kind, text, octets, parts, missing, sent_at, received_at"
    " FROM inbox": "is shown 2 times",
    "UPDATE inbox SET text = 'never sent'": "and was never sent",
    "DELETE FROM inbound_pdus": "is not in the ledger",
    "PRAGMA foreign_keys = OFF; INSERT INTO inbound_parts VALUES (99, 1, '', 1)": "rows without parents",
    "INSERT INTO messages SELECT id + 100000, batch_id, user_id, recipient, text, encoding, segments, flags, route_id,"
    " rank, state, ready, not_before, expires_at, window, on_unknown, reference, created_at, tries, sim_id, cause,"
    " sent_at, settled_at, subject FROM messages": "has two messages",
    "DROP INDEX messages_ready; PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'text  ', 'x')"
    " WHERE name = 'inbox'; PRAGMA writable_schema = RESET": "the box",
}


@pytest.mark.parametrize("tampering", TAMPERED)
async def test_the_verdict_finds_what_was_tampered_with(recording, tmp_path, tampering):
    at = len(recording.trace)
    (_, image), *_ = images(recording, [Cut(0, at, Fate.EVERYTHING, Folders.STRICT)])
    lay_out(image, tmp_path / "box")
    with closing(sqlite3.connect(tmp_path / "box" / "data" / DATABASE, isolation_level=None)) as connection:
        connection.executescript(tampering)
    problems = await Verdict(recording.witnesses).of(tmp_path / "box", Cut.of(0, at))
    assert any(TAMPERED[tampering] in problem for problem in problems), problems


async def test_the_verdict_finds_a_damaged_file_and_a_forgotten_pin(recording, tmp_path):
    at = len(recording.trace)
    (_, image), *_ = images(recording, [Cut(0, at, Fate.EVERYTHING, Folders.STRICT)])
    verdict = Verdict(recording.witnesses)
    lay_out(image, tmp_path / "sound")
    assert await verdict.of(tmp_path / "sound", Cut.of(0, at)) == []
    (tmp_path / "sound" / "data" / "failed-pins.json").unlink()
    assert await verdict.of(tmp_path / "sound", Cut.of(0, at)) == ["a PIN that was refused is not known any more"]
    (backup,) = (tmp_path / "sound" / "data").glob("*.bak")
    backup.write_bytes(backup.read_bytes()[:5000])
    assert "is not whole" in str(await verdict.of(tmp_path / "sound", Cut.of(0, at)))
    backup.unlink()
    assert "the upgrade left no backup" in await verdict.of(tmp_path / "sound", Cut.of(0, at))
    lay_out(image, tmp_path / "damaged")
    file = tmp_path / "damaged" / "data" / DATABASE
    octets = file.read_bytes()
    file.write_bytes(octets[:8192] + bytes(4096) + octets[12288:])
    (tmp_path / "damaged" / "data" / f"{DATABASE}-wal").unlink(missing_ok=True)
    assert await verdict.of(tmp_path / "damaged", Cut.of(0, at))
    shutil.rmtree(tmp_path / "damaged")
    assert "is gone" in str(await verdict.of(tmp_path / "damaged", Cut.of(0, at)))
