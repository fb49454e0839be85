"""What the documentation says of checks and remedies is what they are."""

import re
from pathlib import Path

import pytest

from modembank.config import HealthConfig
from modembank.events import Event
from modembank.health import checks, remedies
from modembank.health.checks import CHECKS
from modembank.health.remedies import REMEDIES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "health.md").read_text("utf-8")


def files_of(package):
    return {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__"}


def test_every_file_is_in_use_and_named_after_what_it_is():
    assert files_of(checks) == {check.kind for check in CHECKS}
    assert files_of(remedies) == set(REMEDIES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.kind)
def test_each_check_stands_in_the_table_as_it_is(check):
    names = ", ".join(f"`{name}`" for name in check.remedies) or "none"
    assert f"| `{check.kind}` | {check.when} | {check.severity} | {check.todo} | {names} |" in PAGE
    assert set(check.remedies) <= set(REMEDIES)
    assert all(issubclass(event, Event) for event in check.on)
    assert 1 <= check.every_s <= 300


def test_nothing_else_stands_in_the_tables():
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert named == {check.kind for check in CHECKS} | set(REMEDIES)
    for remedy in REMEDIES.values():
        assert f"| `{remedy.name}` | {remedy.does} |" in PAGE


def test_every_remedy_is_offered_by_a_check():
    assert {name for check in CHECKS for name in check.remedies} == set(REMEDIES)


def test_every_key_of_the_configuration_is_documented_and_used():
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in Path(checks.__file__).parent.glob("*.py"))
    for key in HealthConfig.__struct_fields__:
        assert f"| `{key}` | {getattr(HealthConfig(), key)} |" in text
        assert f"health.{key}" in source or f"config.{key}" in source
