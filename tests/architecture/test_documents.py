"""The documents say what is so: paths exist, links lead somewhere, the diagram is the table, targets are there."""

import re
from pathlib import Path

import pytest

from modembank.config import AlertsConfig, BackupConfig, BankConfig, Config, LimitsConfig, SimConfig, load_config
from modembank.decency import LoopsConfig, OptOutConfig, QuietHoursConfig, RecipientsConfig
from modembank.discovery import Standing
from modembank.failpoints import Failpoint
from modembank.modem.states import ModemState, mermaid
from modembankd.selftest_cli import selftest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_walk_through_the_code_names_files_that_exist():
    text = (ROOT / "docs" / "follow-a-message.md").read_text("utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.(?:py|sql))?)`", text))
    assert len(named) > 30
    for name in named:
        places = [ROOT / name, ROOT / "daemon" / "modembank" / name]
        assert any(place.exists() for place in places), name


def test_the_diagram_is_the_table():
    text = (ROOT / "docs" / "modem-states.md").read_text("utf-8")
    assert mermaid() in text
    for state in ModemState:
        assert f"| {state.value} |" in text


def test_the_readme_names_targets_that_exist_and_a_configuration_that_loads(tmp_path):
    readme = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"make ([a-z-]+)", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    example = re.search(r"```toml\n(.*?)```", readme, re.DOTALL)[1]
    path = tmp_path / "modembank.toml"
    path.write_text(re.sub("^   ", "", example, flags=re.MULTILINE))
    config = load_config(path)
    assert isinstance(config, Config)
    assert len(config.bank.port) == 2
    assert config.sim[0].limits.per_day == 200


def test_the_reference_of_the_configuration_names_every_key():
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    rules = (OptOutConfig, QuietHoursConfig, RecipientsConfig, LoopsConfig)
    for shape in (Config, AlertsConfig, BankConfig, BackupConfig, LimitsConfig, SimConfig, *rules):
        for key in shape.__struct_encode_fields__:
            assert f"`{key}`" in text or f"[{key}]" in text or f"[[{key}]]" in text or f".{key}]]" in text, key


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in readme, page.name


def test_the_promise_names_every_failpoint_and_every_option_of_its_proof():
    text = (ROOT / "docs" / "promise.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [point.value for point in Failpoint]
    for option in selftest.params:
        assert "--help" in option.opts or option.opts[0] in text, option.name


def test_every_standing_of_a_device_is_explained():
    text = (ROOT / "docs" / "discovery.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)[1:] == [standing.value for standing in Standing]


def test_the_changelog_knows_this_version():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text("utf-8")
