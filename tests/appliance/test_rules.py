"""What the owner lets others do with updates: who may be asked, and in which hours the box may restart."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from modembank.appliance import UpdateRules, Window, window_of
from modembank.appliance.rules import read_rules


def rules(folder: Path, text: str) -> UpdateRules:
    path = folder / "updates.toml"
    path.write_text(text)
    return read_rules(path)


def test_without_a_word_nobody_may_name_anything(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "nothing") == UpdateRules()
    assert not UpdateRules().allows("https://updates.example.com/x")


@pytest.mark.parametrize(
    "text",
    ["", "[", "hosts = 7", "url = 5", 'url = "http://updates.example.com"', 'hosts = "updates.example.com"', "\0"],
)
def test_what_cannot_be_meant_allows_nothing(tmp_path: Path, text: str) -> None:
    found = rules(tmp_path, text)
    assert not found.allows("https://updates.example.com/x")
    assert (found.url, found.window) == ("", Window())


def test_the_hosts_and_the_boxs_own_source(tmp_path: Path) -> None:
    found = rules(tmp_path, 'url = "https://own.example.com/base/"\nhosts = ["Updates.example.com"]\n')
    assert found.url == "https://own.example.com/base"
    for fine in ("https://own.example.com/x", "https://updates.EXAMPLE.com:8443/x?y=1"):
        assert found.allows(fine)
    for bad in (
        "http://own.example.com/x",
        "https://example.com/x",
        "https://own.example.com.evil.org/x",
        "https://evil.org/own.example.com",
        "https://own.example.com@evil.org/x",
        "https://a:b@own.example.com/x",
        "https://[own.example.com/x",
        "https:///x",
        "",
    ):
        assert not found.allows(bad), bad


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("02:00-05:00", ["02:00", "04:59"], ["01:59", "05:00"]), ("22:30-04:00", ["22:30", "00:00"], ["04:00", "12:00"])],
)
def test_a_window_may_go_over_midnight(text: str, inside: list[str], outside: list[str]) -> None:
    window = window_of(text)
    assert window is not None
    assert all(window.is_open(time.fromisoformat(at)) for at in inside)
    assert not any(window.is_open(time.fromisoformat(at)) for at in outside)


@pytest.mark.parametrize("text", ["", "02:00", "2:00-5:00", "24:00-05:00", "05:00-05:00", "02:00-05:00 "])
def test_what_is_no_window(text: str) -> None:
    assert window_of(text) is None
