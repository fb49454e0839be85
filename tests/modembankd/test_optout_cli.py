"""``modembank optout``, in this process, where starting one for each command would take most of the time."""

import pytest
import structlog
from click.testing import CliRunner

from modembankd.cli import _Group
from modembankd.optout_cli import optout as optout_group

NUMBER = "+447900900123"


@pytest.fixture
def optout(tmp_path):
    config = tmp_path / "modembank.toml"
    config.write_text(f'[box]\ndata_dir = "{tmp_path / "data"}"\nregion = "GB"\n')

    def run(*arguments, status=0, given=None):
        command = ["optout", *map(str, arguments), "--config", str(config)]
        with structlog.testing.capture_logs():
            done = CliRunner().invoke(_Group(commands={"optout": optout_group}), command, input=given)
        assert done.exit_code == status, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.stdout + done.stderr

    return run


def test_a_number_goes_out_and_comes_in_again(optout):
    assert optout("add", "07900 900123", "--note", "by letter").startswith(f"{NUMBER} out since ")
    assert "api by local (by letter)" in optout("list")
    assert "--reason" in optout("remove", NUMBER, status=2)
    assert optout("remove", NUMBER, "--reason", "asked").startswith(f"{NUMBER} in since ")
    assert optout("list") == ""
    assert NUMBER in optout("list", "--state", "all")
    assert "there is no opt-out of" in optout("remove", NUMBER, "--reason", "asked", status=1)
    assert "/number: " in optout("add", "nobody", status=1)


def test_files_both_ways(optout, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"number\n{NUMBER}\nnobody\n")
    assert "lines 3: has letters" in optout("import", wrong, status=1)
    assert optout("list") == ""
    assert optout("import", "-", given=f"number,note\n{NUMBER},x\n".encode()) == "added 1, out already 0, skipped 0\n"
    assert f"{NUMBER},out," in optout("export")
    sheet = tmp_path / "sheet.csv"
    optout("export", sheet, "--spreadsheet")
    assert f"'{NUMBER},out," in sheet.read_text("utf-8-sig")
    assert optout("import", sheet) == "added 0, out already 1, skipped 0\n"
