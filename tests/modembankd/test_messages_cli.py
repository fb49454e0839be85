"""Messages by the command line, beside a running daemon: as people read it, and as programs do."""

import asyncio
import json
import re
import time
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from fakes.boxes import box_on
from fakes.daemons import MODEMBANK, DaemonProcess
from modembank.errors import ModembankError
from modembank_web.api.v1.examples import BY_PROVIDER, MESSAGE
from modembankd.mailings_cli import mailing
from modembankd.messages_cli import events, inbox, messages, preview, send
from modembankd.optout_cli import optout
from modembankd.showing import on_one_line, shown_message, table

TO, OTHER = "+15551230001", "+15551230002"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with DaemonProcess(tmp_path_factory.mktemp("box")) as process:
        process.up()
        yield process


COMMANDS = {command.name: command for command in (events, inbox, mailing, messages, optout, preview, send)}


@dataclass
class Ran:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(daemon, name, *arguments, given=""):
    """A command in this process, since starting one takes longer than all that it does."""
    result = CliRunner().invoke(COMMANDS[name], [*arguments, "--config", str(daemon.config)], input=given)
    refused = isinstance(result.exception, ModembankError)
    assert result.exception is None or refused or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, f"{result.stderr}{result.exception if refused else ''}")


def told(ran, status=0):
    """What a command wrote, once it is sure that it ended so."""
    assert ran.returncode == status, ran.stderr
    return ran.stdout


def until_told(daemon, words, *arguments):
    """What a command writes once these words are in it."""
    shown = ""
    for _ in range(200):
        if words in (shown := told(run(daemon, *arguments))):
            break
        time.sleep(0.05)
    return shown


def test_one_message_is_its_id_alone_and_can_be_shown_and_cancelled(daemon):
    options = ("--priority", "9", "--reference", "cli-1", "--send-at", "2099-01-01T00:00:00Z")
    error = run(daemon, "send", TO, "hello", *options)
    assert error.returncode == 1
    assert "/send_at: is more than a year ahead" in error.stderr
    identifier = told(run(daemon, "send", TO, "hello", *options[:4])).strip()
    assert re.fullmatch(r"msg_\w{13}", identifier)
    # The first answer to why it waits is that this is still being found out.
    shown = until_told(daemon, "waiting for: no modem", "messages", "show", identifier)
    assert "status:      queued\nwaiting for: no modem" in shown
    assert f"to:          {TO}\n" in shown
    assert "reference:   cli-1\n" in shown
    assert "priority:    9\n" in shown
    assert json.loads(told(run(daemon, "messages", "show", identifier, "--json")))["id"] == identifier
    assert told(run(daemon, "messages", "cancel", identifier)) == f"{identifier} is cancelled\n"
    assert "there is no message" in run(daemon, "messages", "cancel", "msg_0").stderr


def test_several_numbers_and_a_text_from_standard_input(daemon):
    lines = told(run(daemon, "send", TO, OTHER, "-", given="first line\nsecond line\n")).splitlines()
    assert [line.split()[1] for line in lines] == [TO, OTHER]
    found = json.loads(told(run(daemon, "messages", "show", lines[0].split()[0], "--json")))
    assert found["text"] == "first line\nsecond line"
    partly = run(daemon, "send", TO, "nobody", "x", "--partial")
    assert [line.split()[:2] for line in told(partly, 1).splitlines()][1] == ["refused", "nobody"]
    receipt = json.loads(told(run(daemon, "send", TO, OTHER, "x", "--json")))
    assert len(receipt["messages"]) == 2


def test_lists_are_tables_of_single_lines(daemon):
    assert told(run(daemon, "inbox")) == "nothing came in\n"
    assert told(run(daemon, "messages", "list", "--reference", "none")) == "no messages\n"
    told(run(daemon, "send", OTHER, "two\nlines and tab\t.", "--reference", "table"))
    lines = told(run(daemon, "messages", "list", "--reference", "table")).splitlines()
    assert re.sub(r" +", " ", lines[0]) == "ID CREATED STATUS TO TEXT"
    assert lines[1].endswith(f"queued  {OTHER}  two lines and tab .")
    assert lines[0].index("STATUS") == lines[1].index("queued")
    for _ in range(3):
        run(daemon, "send", OTHER, "x", "--reference", "many")
    assert len(told(run(daemon, "messages", "list", "--reference", "many", "--limit", "2")).splitlines()) == 3
    assert len(json.loads(told(run(daemon, "messages", "list", "--status", "queued", "--json")))) >= 4
    assert "/status" in run(daemon, "messages", "list", "--status", "lost").stderr


def test_a_preview_says_what_makes_it_longer(daemon):
    assert told(run(daemon, "preview", "hello")) == "gsm7, 1 segment, 155 left\n"
    assert told(run(daemon, "preview", "– " * 40)).splitlines() == [
        "ucs2, 2 segments, 54 left", "UCS-2 because of: –", f"with replacements 1: {'- ' * 40}".rstrip(" ") + " ",
    ]  # fmt: skip
    assert json.loads(told(run(daemon, "preview", "x", "--json")))["segments"] == 1
    assert "is empty" in run(daemon, "preview", "").stderr


def test_events_are_shown_from_where_one_asks(daemon):
    told(run(daemon, "optout", "add", "+15551230009"))
    lines = told(run(daemon, "events", "--after", "evt_0000000000000", "--for", "0")).splitlines()
    assert any(re.search(r"Z  evt_\w{13}  optout.added  number=\+15551230009$", line) for line in lines), lines
    event = told(run(daemon, "events", "--after", "evt_0000000000000", "--for", "0", "--types", "optout.*", "--json"))
    assert json.loads(event.splitlines()[0])["type"] == "optout.added"
    error = run(daemon, "events", "--types", "nonsense")
    assert error.returncode == 1
    assert "/types" in error.stderr


def test_without_a_daemon_each_says_so(tmp_path):
    away = DaemonProcess(tmp_path)
    for command in (("messages", "list"), ("inbox",), ("preview", "x"), ("events",), ("send", TO, "x")):
        ran = run(away, *command)
        assert ran.returncode == 1
        assert "no daemon answers" in ran.stderr


def test_wrong_usage_is_told_with_the_usage(daemon):
    for command in (("send", TO), ("send", TO, "x", "--priority", "10"), ("messages", "list", "--limit", "0")):
        ran = run(daemon, *command)
        assert ran.returncode == 2
        assert ran.stderr.startswith("Usage: ")


async def _cli(data_dir, *arguments):
    config = data_dir.parent / "cli.toml"
    config.write_text(f'[box]\ndata_dir = "{data_dir}"\n')
    process = await asyncio.create_subprocess_exec(
        MODEMBANK, *arguments, "--config", config, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


async def test_waiting_ends_with_the_message_well_or_not(tmp_path):
    async with box_on(tmp_path) as box:
        data, other = tmp_path / "data", box.bank.cards[1].msisdn
        status, out, error = await _cli(data, "send", other, "one \x1b[31mred", "--wait")
        assert (status, out) == (1, "")
        assert "has the control character U+001B" in error
        status, out, error = await _cli(data, "send", other, "hello", "--sim", "slot-01", "--wait")
        assert (status, error) == (0, "")
        assert re.fullmatch(rf"msg_\w{{13}}  \{other}  delivered\n", out)
        await box.until(box.inbox)
        status, out, _ = await _cli(data, "inbox")
        assert out.splitlines()[1].endswith(f"{box.bank.cards[0].msisdn}  hello")
        await box.patch_sim(0, paused=True)
        await box.patch_sim(1, paused=True)
        status, out, _ = await _cli(data, "send", other, "late", "--sim", "slot-01", "--wait", "--timeout", "0")
        assert status == 1
        assert re.search(r"  queued  .+ is paused", out), out


@pytest.mark.parametrize("nasty", ["a\nb", "a\x1b[2Jb", "a\u202eb", "a\x07b", "a\u2028b", "a\x9bb"])
def test_nothing_that_a_terminal_obeys_is_printed(nasty):
    assert all(char.isprintable() for char in on_one_line(nasty))
    lines = list(table(["to", "text"], [[nasty, nasty]]))
    assert len(lines) == 2
    assert "".join(lines).isprintable()
    message = MESSAGE | {"text": nasty, "reference": nasty, "cause": nasty}
    assert all(line.isprintable() for line in shown_message(message))


def test_a_message_in_lines():
    lines = list(shown_message(MESSAGE))
    assert lines[0] == "id:          msg_0000008000001"
    assert "report:      delivered (1 of 1 segments)" in lines
    assert lines[-1] == "attempt:     segment 1, attempt 1 on slot-03: it arrived: a delivery report says so"


def test_a_message_through_a_provider_in_lines():
    lines = list(shown_message(BY_PROVIDER))
    for line in ("channel:     email", "subject:     Your appointment", "provider:    mail-1"):
        assert line in lines
    assert lines[-1] == "attempt:     all at once, attempt 1 on mail-1: it arrived: the provider's receipt says so"


def test_channel_and_providers_are_passed_on(daemon):
    ran = run(daemon, "send", "ann@clinic.example", "x", "--channel", "email", "--subject", "You")
    assert ran.returncode == 1
    assert "no provider of the channel email" in ran.stderr
    ran = run(daemon, "send", TO, "x", "--provider", "bank", "--provider", "nobody")
    assert ran.returncode == 1
    assert "no provider, SIM or pool named 'nobody'" in ran.stderr
    sent = told(run(daemon, "send", TO, "x", "--provider", "bank")).strip()
    assert json.loads(told(run(daemon, "messages", "show", sent, "--json")))["channel"] == "sms"


def test_on_a_terminal_the_last_column_is_cut(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    lines = list(table(["id", "text"], [["msg_1", "x" * 100], ["msg_2", "short"]]))
    assert [len(line) for line in lines[1:2]] == [40]
    assert lines[1].endswith("x…")
    assert lines[2] == "msg_2  short"


def test_a_mailing_is_checked_sent_shown_changed_and_its_results_are_written(daemon, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text(f"name,phone\nAnn,{TO}\nBob’s,{OTHER}\nCid,12\nAnn,{TO}\n", "utf-8")
    options = ("--template", "Hi {name}", "--to-column", "phone")
    checked = told(run(daemon, "mailing", "send", str(file), *options, "--dry-run"))
    assert "4 rows: 2 good, 1 refused (0 opted out), 1 repeated\n2 segments; 1 messages in UCS-2\n" in checked
    assert '--replace makes 1 of them 7-bit and saves 0 segments\n  ’ in 1 messages, could be "\'"\n' in checked
    assert "line 4: 12 " in checked
    assert (
        "/template: {nobody} is no column" in run(daemon, "mailing", "send", str(file), "--template", "{nobody}").stderr
    )
    abroad = tmp_path / "abroad.csv"
    abroad.write_text("phone\n030 901820\n", "utf-8")
    for region, number in (("DE", "1 good, 0 refused"), ("US", "0 good, 1 refused")):
        found = told(run(daemon, "mailing", "send", str(abroad), "--template", "Hi", "--region", region, "--dry-run"))
        assert f"1 rows: {number}" in found
    assert told(run(daemon, "mailing", "list")) == "no mailings\n"
    made = told(run(daemon, "mailing", "send", str(file), *options, "--canary", "50%", "--name", "Reminders")).strip()
    assert re.fullmatch(r"mlg_\w{13}", made)
    status = ""
    while status != "canary":
        status = json.loads(told(run(daemon, "mailing", "show", made, "--json")))["status"]
    shown = told(run(daemon, "mailing", "show", made))
    assert "status:       canary\n" in shown
    assert "canary:       1 messages, sending\n" in shown
    assert "messages:     2 queued\n" in shown
    assert told(run(daemon, "mailing", "list")).splitlines()[1].split()[-5:] == ["canary", "0", "of", "2", "Reminders"]
    assert told(run(daemon, "mailing", "pause", made)) == f"{made} is paused\n"
    assert told(run(daemon, "mailing", "resume", made)) == f"{made} is canary\n"
    assert told(run(daemon, "mailing", "continue", made)) == f"{made} is sending\n"
    assert "only one that is held" in run(daemon, "mailing", "start", made).stderr
    assert "what failed is sent again once it is finished" in run(daemon, "mailing", "retry", made).stderr
    assert told(run(daemon, "mailing", "cancel", made)) == f"{made} is cancelled\n"
    results = told(run(daemon, "mailing", "results", made)).splitlines()
    assert [line.split(",")[1] for line in results] == ["to", TO, OTHER]
    assert f"'{TO}" in told(run(daemon, "mailing", "results", made, "--spreadsheet"))
    refused = told(run(daemon, "mailing", "results", made, "--refused")).splitlines()
    assert [line.split(",")[0] for line in refused] == ["line", "4", "5"]
    assert "there is no mailing" in run(daemon, "mailing", "results", "mlg_0").stderr
