"""The box about itself as pages: facts, settings without secrets, and its log."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import structlog
from msgspec.structs import replace

from fakes.readers import Element, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.backup import ScheduledBackups
from modembank.config import (
    BackupConfig,
    BankConfig,
    Config,
    HomeAssistantConfig,
    LogConfig,
    MqttConfig,
    NotifyConfig,
    PortEntry,
    SimConfig,
)
from modembank.eventlog import Entry, append
from modembank.fleet import Fleet, LinkState, Membership, Pair, shadow
from modembank.fleet.token import HubToken
from modembank.home_assistant import HomeAssistant
from modembank.home_assistant import LinkState as HomeLink
from modembank.system import Process, System
from modembankd.logs import configure_logs

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m\nforged"
PATHS = ("", "/settings", "/log", "/log/now")


def facts(page: Element) -> dict[str, str]:
    terms = [each.text for each in page.all("dt")]
    return dict(zip(terms, [each.text for each in page.all("dd")], strict=True))


async def test_the_box_says_what_it_is(box: Box, tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "numbers.csv").write_bytes(b"x" * 3_000_000)
    async with reader(box) as admin:
        page = await admin.opens("/ui/system")
        shown = facts(page)
        assert shown["Version"].startswith("Modembank ")
        assert "SQLite 3." in shown["Python"]
        assert f"in {tmp_path}" in shown["Data folder"]
        assert float(shown["Data folder"].split()[0]) >= 3
        assert "of" in shown["Free"]
        assert "plausible" in shown["Its clock"]
        assert "not set up" in page.text
        about = await box.system.about(LOCAL_ADMIN)
        assert about.data_octets >= 3_000_000 + about.database_octets
        assert about.database_octets == (tmp_path / "box.db").stat().st_size
        assert 0 < about.free_octets < about.total_octets
        assert about.now - about.started_at == pytest.approx(about.up_s * 1000, abs=2)


async def test_the_link_to_a_hub_is_shown_as_it_stands(box: Box) -> None:
    mqtt = MqttConfig(url="mqtts://hub.example.com", site="kiel", box="b1")
    box.config = msgspec.structs.replace(box.config, mqtt=mqtt)
    box.fleet = Fleet(box.config, box.store, box.clock, box.events)
    async with reader(box) as admin:
        assert "connecting" in (await admin.opens("/ui/system")).text
        box.fleet.note(LinkState.WAITING, f"cannot connect {HOSTILE}", 60.0)
        page = await admin.opens("/ui/system")
        shown = facts(page)
        assert "not connected" in page.text
        assert shown["Broker"].startswith("mqtts://hub.example.com")
        assert shown["Broker"].endswith("as kiel/b1")
        assert "cannot connect" in shown["Trouble"]
        assert "Next try" in shown
        assert shown["Last heard by the hub"] == "never"
        assert not [each for each in page.all("img") if each["src"] == "x"]
        box.fleet.note(LinkState.REFUSED, "no")
        assert "refused" in (await admin.opens("/ui/system")).text
        await box.fleet.begin()
        box.fleet.note(LinkState.ONLINE, "the broker has nobody who listens for this box")
        assert "nobody listens" in (await admin.opens("/ui/system")).text
        box.fleet.note(LinkState.ONLINE)
        page = await admin.opens("/ui/system")
        assert "connected" in page.text
        assert facts(page)["Waiting for it"] == "nothing"
        assert "Configuration" not in facts(page)
        await box.store.write(lambda conn: shadow.keep(conn, shadow.Shadow(ver=42, state="rejected", good_ver=41)))
        assert facts(await admin.opens("/ui/system"))["Configuration"] == "version 41 in force; version 42 rejected"
        box.fleet.refused = 3
        await box.store.write(lambda conn: append(conn, [Entry(1, "modem.gone", None, None)]))
        shown = facts(await admin.opens("/ui/system"))
        assert shown["Commands refused"] == "3 since the start"
        assert shown["Waiting for it"].startswith("1 event, 0 results, since ")


async def test_the_link_to_home_assistant_is_shown_as_it_stands(box: Box) -> None:
    async with reader(box) as admin:
        assert "No broker of this site is set up" in (await admin.opens("/ui/system")).text
        home = HomeAssistantConfig(
            url="mqtts://ha.example.com", notify=(NotifyConfig("on-call", ("+447700900123",), "x"),)
        )
        box.config = msgspec.structs.replace(box.config, home_assistant=home)
        box.home_assistant = service = HomeAssistant(box.config, box.clock)
        shown = facts(await admin.opens("/ui/system"))
        assert shown["Shown there"] == "nothing yet; privacy: meta"
        assert shown["May be told"] == "on-call; 0 notifications since the start"
        service.note(HomeLink.WAITING, f"cannot connect {HOSTILE}", 60.0)
        page = await admin.opens("/ui/system")
        shown = facts(page)
        assert shown["Its broker"].startswith("mqtts://ha.example.com")
        assert shown["Its broker"].endswith(", as modembank")
        assert "cannot connect" in shown["What is wrong"]
        assert "Tried again" in shown
        assert not [each for each in page.all("img") if each["src"] == "x"]
        service.note(HomeLink.REFUSED, "no")
        assert "refused" in (await admin.opens("/ui/system")).text
        service.note(HomeLink.ONLINE)
        service.announced(17)
        service.notified, service.refused, service.last_refusal = 1, 2, "no_such_group"
        page = await admin.opens("/ui/system")
        shown = facts(page)
        assert "connected" in page.text
        assert shown["Shown there"].startswith("17 entities, told ")
        assert shown["May be told"] == "on-call; 1 notification since the start"
        assert shown["Had no effect"] == "2 commands since the start, the last: no_such_group"
        assert shown["SIMs"] == "are not switched there"
        service.note(HomeLink.TAKEN_BACK)
        page = await admin.opens("/ui/system")
        assert "switched off" in page.text
        assert facts(page)["Shown there"] == "nothing any more"


async def test_a_box_without_its_data_folder_still_answers(box: Box, tmp_path: Path) -> None:
    gone = System(msgspec.structs.replace(box.config), tmp_path / "gone" / "box.db", box.clock)
    about = await gone.about(LOCAL_ADMIN)
    assert (about.database_octets, about.log_octets) == (0, 0)


async def test_backups_are_told_with_the_commands_to_restore_the_last_one(box: Box, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    config = BackupConfig(folder=str(tmp_path / "safe"), every_h=6, keep=28)
    async with reader(box) as admin:
        assert "No backups are made by the clock" in (await admin.opens("/ui/system")).text
        box.backups = ScheduledBackups(config, "modembank", tmp_path / "box.db", box.clock, box.metrics)
        assert "none was found yet" in (await admin.opens("/ui/system")).text
        assert await box.backups.run_if_due()
        (made,) = (tmp_path / "safe").glob("*.sqlite3")
        assert box.backups.newest() == made
        page = await admin.opens("/ui/system")
        assert made.name in facts(page)["Last good one"]
        assert any(f"modembank restore {made}" in each.text for each in page.all("pre"))
        failed = replace(box.backups.facts, last_failed_at=box.backups.facts.last_good_at + 1, last_error=HOSTILE)
        box.backups.facts = failed
        page = await admin.opens("/ui/system")
        assert "The last backup failed" in page.text
        assert "<img src=x" in page.text
        assert not [each for each in page.all("img") if each["src"] == "x"]


async def test_a_backup_is_made_now_and_what_came_of_it_is_said(box: Box, tmp_path: Path) -> None:
    safe = tmp_path / "safe"
    async with reader(box) as admin:
        assert "Back up now" not in (await admin.opens("/ui/system")).text
        await admin.sends("/ui/system/backup", 409)
        config = BackupConfig(folder=str(safe))
        box.backups = ScheduledBackups(config, "modembank", tmp_path / "box.db", box.clock, box.metrics)
        assert "Back up now" in (await admin.opens("/ui/system")).text
        failed = await admin.sends("/ui/system/backup")
        assert "The last backup failed" in failed.text
        assert "there is no such folder" in failed.text
        safe.mkdir()
        made = await admin.sends("/ui/system/backup")
        (file,) = safe.glob("*.sqlite3")
        assert f"A backup was made and checked: {file.name}" in made.text
        page = await admin.opens("/ui/system")
        assert "A backup was made" not in page.text
        assert any(file.name in each.text for each in page.one(id="backups").all("li"))
        assert "It does not bring back" in page.text
        assert any(f"modembank restore {file}" in each.text for each in page.all("pre"))
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    assert [(entry.action, entry.subject) for entry in entries if entry.action.startswith("backup")] == [
        ("backup.make", str(safe)),
        ("backup.make", str(safe)),
    ]


async def test_only_admins_make_backups(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        await sender.sends("/ui/system/backup", 403)


async def test_a_clock_that_cannot_be_right_is_said(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reader(box) as admin:
        later = round(box.clock.now() * 1000) + 86_400_000
        await box.store.write(lambda conn: conn.execute("UPDATE sims SET last_seen_at = ?", (later,)).rowcount)
        await box.health.load()
        await box.health.look("clock_not_set")
        page = await admin.opens("/ui/system")
        assert "The clock is not right" in page.text
        assert "not right" in facts(page)["Its clock"]


async def test_settings_are_those_in_force_and_hold_no_secret(box: Box, tmp_path: Path) -> None:
    file = tmp_path / "modembank.toml"
    config = Config(
        bank=BankConfig(port=(PortEntry("/dev/ttyUSB0", "slot-01", pin="4711"),)),
        sim=(SimConfig("894411006825627005", label="<b>clinic</b>", pin="4711"),),
    )
    async with reader(box) as admin:
        assert "No configuration file was read" in (await admin.opens("/ui/system/settings")).text
        box.system = System(config, tmp_path / "box.db", box.clock, Process(file))
        page = await admin.opens("/ui/system/settings")
        assert str(file) in page.text
        assert "4711" not in page.text
        tables = {each.one("caption").text: each for each in page.all("table")}
        assert list(tables)[:4] == ["[box]", "[web]", "[bank]", "[[bank.port]]"]
        port = {row.one("td").text: [cell.text for cell in row.all("td")] for row in tables["[[bank.port]]"].all("tr")
                if list(row.all("td"))}  # fmt: skip
        assert port["path"][1] == '"/dev/ttyUSB0" set'
        assert port["baudrate"][1:] == ["115200", "without meaning on USB"]
        assert port["pin"][1].startswith("set, and not shown")
        assert '"<b>clinic</b>"' in tables["[[sim]]"].text


@pytest.fixture
def logged(box: Box, tmp_path: Path):
    """Logs go where the daemon's go, and are remembered."""
    process = Process()
    configure_logs(LogConfig(level="error"), process.logs)
    box.system = System(box.config, tmp_path / "box.db", box.clock, process)
    yield structlog.get_logger()
    structlog.reset_defaults()


async def test_the_log_is_shown_newest_first_and_can_be_narrowed(box: Box, logged) -> None:
    async with reader(box) as admin:
        logged.info("daemon_started", url="http://127.0.0.1:8080")
        logged.debug("too_small")
        logged.warning("modem_slow", modem="slot-03")
        logged.error("backup_failed", error="no room")
        page = await admin.opens("/ui/system/log")
        heads = [each.text.rpartition("UTC ")[2] for each in page.all("div", class_="log-head")]
        assert heads[:3] == ["error backup_failed", "warning modem_slow", "daemon_started"]
        assert "too_small" not in page.text
        worse = await admin.asks("/ui/system/log/now?level=warning")
        assert len(list(worse.all("li"))) == 2
        assert "modem slot-03" in worse.text
        assert len(list((await admin.asks("/ui/system/log/now?level=error")).all("li"))) == 1
        await admin.asks("/ui/system/log/now?level=everything", 422)


async def test_hostile_text_in_the_log_is_text(box: Box, logged) -> None:
    async with reader(box) as admin:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logged.exception(HOSTILE, **{"text": HOSTILE, "name<b>": 1})
        page = await admin.opens("/ui/system/log?level=error")
        assert not [each for each in page.all("img") if each["src"] == "x"]
        assert admin.last is not None
        for mark in ("\u202e", "\x1b"):
            assert mark not in admin.last.text
        assert "\u27e8202E\u27e9" in page.text
        (line,) = page.one("ol").all("li")
        assert "ValueError" in line.one("pre").text
        assert "name<b> 1" in line.text


async def test_nothing_logged_yet(box: Box, logged) -> None:
    async with reader(box) as admin:
        assert "Nothing of that kind was logged" in (await admin.opens("/ui/system/log?level=error")).text


async def test_only_admins_see_the_system(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        for path in PATHS:
            await sender.opens(f"/ui/system{path}", 403)
    async with reader(box) as admin:
        for path in PATHS:
            await admin.opens(f"/ui/system{path}")


TOKEN = HubToken("https://hub.example.org:8443", bytes(32), bytes(16)).written


async def test_a_token_of_a_hub_is_pasted_and_what_becomes_of_it_is_shown(box: Box) -> None:
    of = box.fleet.enrolment
    async with reader(box) as admin:
        page = await admin.opens("/ui/system")
        assert "Enrol at a hub" in page.text
        assert "Leave the hub" not in page.text
        told = await admin.sends("/ui/system/hub", 422, token="hello")
        assert "is no token of a hub" in told.text
        told = await admin.sends("/ui/system/hub", token=f" {TOKEN}\n")
        assert "The box asks to be enrolled" in told.text
        assert TOKEN not in told.text
        of.asking_why = f"cannot be reached {HOSTILE}"
        page = await admin.opens("/ui/system/hub")
        assert "Not yet: cannot be reached" in page.text
        assert not [each for each in page.all("img") if each["src"] == "x"]
        assert of.asked is not None
        await of.note_refused(of.asked, "token_used", f"the token was used {HOSTILE}")
        page = await admin.opens("/ui/system/hub")
        assert "The hub does not take the token" in page.text
        assert "It is not asked again" in page.text
        assert not [each for each in page.all("img") if each["src"] == "x"]
        await admin.sends("/ui/system/hub", token=TOKEN)
        assert of.asked is not None
        pair = Pair(1, "ab", 1_795_000_000.0, 1_803_000_000.0, 1_800_000_000.0)
        member = Membership("https://hub.example.org:8443", "PEM", "kiel", "b1", ("mqtts://hub",), (), pair)
        assert await of.join(of.asked, member)
        of.renewal_why = "the hub is away"
        page = await admin.opens("/ui/system")
        assert "https://hub.example.org:8443" in page.text
        assert "could not be renewed yet" in page.text
        assert "Leave the hub" in page.text
        told = await admin.sends("/ui/system/hub/leave")
        assert "stands alone" in told.text


async def test_a_box_whose_file_names_a_hub_asks_for_no_token(box: Box) -> None:
    mqtt = MqttConfig(url="mqtts://hub.example.com", site="kiel", box="b1")
    box.config = msgspec.structs.replace(box.config, mqtt=mqtt)
    box.fleet = Fleet(box.config, box.store, box.clock, box.events)
    async with reader(box) as admin:
        assert "Enrol at" not in (await admin.opens("/ui/system")).text
        await admin.sends("/ui/system/hub", 409, token=TOKEN)
