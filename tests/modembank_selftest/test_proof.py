"""The self-test run for real: it passes on this product, and fails on one that breaks its promises."""

import json
import sys
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from modembank_selftest import Broken, Plan, load, proof, prove
from modembank_selftest.plan import Death, End
from modembankd.cli import main

pytestmark = pytest.mark.timeout(240)
START = "import sys\nfrom modembankd.cli import main\n{}\nmain()\n"
ALWAYS_AGAIN = """
from msgspec.structs import replace
from modembank.messages.admission import Admission
from modembank.messages.model import OnUnknown
check = Admission.check
Admission.check = lambda *args: replace(check(*args), on_unknown=OnUnknown.RESEND)
"""
FORGETFUL = """
from modembank.messages import accepting
insert = accepting.insert_rows
accepting.insert_rows = lambda conn, rows: insert(conn, (row for row in rows if row[0] % 7))
"""
TOO_EARLY = """
from modembank.at import command
from modembank.failpoints import Failpoint, reach
from modembank.modem.reading import Reader
keep = Reader._keep
async def early(self, memory, index, pdu):
    await self._ask(command("+CMGD", index, timeout_s=10.0))
    reach(Failpoint.INBOUND_DELETED)
    await keep(self, memory, index, pdu)
Reader._keep = early
"""


@dataclass(frozen=True, slots=True)
class At(Plan):
    """Lives that all end at the same place."""

    place: str = "ctrl_z_written"
    nth: int = 3

    def deaths(self):
        return [Death(End.FAILPOINT, 12.0, self.place, self.nth) for _ in range(self.kills)]


@pytest.fixture(autouse=True)
def quicker(monkeypatch):
    monkeypatch.setattr(proof, "_QUIET_S", 1.5)
    monkeypatch.setattr(proof, "_STUCK_S", 20.0)


@pytest.fixture
def impatient(quicker, monkeypatch):
    """What a broken daemon has lost is waited for without end; the whole run above waits long enough."""
    monkeypatch.setattr(proof, "_STUCK_S", 4.0)


def started_with(tmp_path, sabotage):
    script = tmp_path / "start.py"
    script.write_text(START.format(sabotage))
    return sys.executable, str(script)


async def test_story_01_02_killed_at_any_moment_nothing_is_lost_and_nothing_goes_twice(tmp_path):
    said = []
    verdict = await prove(Plan(kills=6, modems=2, seed=4, keep=tmp_path / "run"), said.append)
    assert verdict.holds, [*verdict.lines()]
    assert sum(verdict.deaths.values()) == 6
    assert len(verdict.deaths) >= 3
    assert verdict.accepted > 20
    assert verdict.submits > 20
    assert verdict.injected == verdict.stored > 10
    assert any("6 of 6 kills" in line for line in said)
    assert (tmp_path / "run" / "data" / "modembank.sqlite3").exists()


async def test_a_daemon_that_sends_again_what_it_should_hold_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "_POLICIES", {"hold": 1})
    verdict = await prove(At(kills=3, modems=2, program=started_with(tmp_path, ALWAYS_AGAIN)), lambda _: None)
    assert verdict.duplicated
    assert verdict.deaths == {"ctrl_z_written": 3}


async def test_a_daemon_that_forgets_is_found_out(tmp_path, impatient):
    plan = Plan(kills=0, modems=1, messages=14, program=started_with(tmp_path, FORGETFUL))
    verdict = await prove(plan, lambda _: None)
    assert verdict.lost
    assert verdict.broken


async def test_a_daemon_that_deletes_before_it_has_stored_is_found_out(tmp_path, impatient):
    plan = At(kills=3, modems=2, place="inbound_deleted", nth=3, program=started_with(tmp_path, TOO_EARLY))
    verdict = await prove(plan, lambda _: None)
    assert verdict.inbound_lost


async def test_a_daemon_that_does_not_start_ends_the_run_with_its_log(tmp_path):
    plan = Plan(kills=0, modems=1, program=started_with(tmp_path, "raise SystemExit('no such luck')"))
    with pytest.raises(Broken, match="no such luck"):
        await prove(plan, lambda _: None)


async def test_a_folder_whose_name_is_too_long_is_refused(tmp_path):
    with pytest.raises(ValueError, match="too long"):
        await prove(Plan(kills=0, keep=tmp_path / ("x" * 120)), lambda _: None)


async def test_a_folder_with_an_earlier_run_is_refused(tmp_path):
    (tmp_path / "run" / "data").mkdir(parents=True)
    with pytest.raises(ValueError, match="earlier run: choose another folder"):
        await prove(Plan(kills=0, modems=1, keep=tmp_path / "run"), lambda _: None)


def test_the_command_prints_the_verdict_and_its_exit_status_is_the_verdict(tmp_path, monkeypatch):
    arguments = ["selftest", "--kills", "1", "--modems", "1", "--messages", "5", "--json"]
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["passed"] is True
    long = CliRunner().invoke(main, ["selftest", "--kills", "0", "--keep", str(tmp_path / ("x" * 120))])
    assert long.exit_code == 1
    assert long.stderr.splitlines()[-1].startswith("modembank: the self-test could not go on: ")
    assert "too long" in long.stderr
