"""Logs: one JSON object a line, journald priorities, hostile text that cannot forge a line."""

import json
import logging

import pytest
import structlog

from modembank.config import LogConfig
from modembankd.logs import configure_logs

HOSTILE = 'one\ntwo\x1b[31m\u202e\u2028<3>{"event": "forged"}'


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys):
    def read():
        return capsys.readouterr().err.splitlines()

    return read


def test_json_is_one_object_a_line_whatever_the_text(lines):
    configure_logs(LogConfig(format="json"))
    structlog.get_logger().info("sms_text_seen", text=HOSTILE)
    (line,) = lines()
    entry = json.loads(line)
    assert (entry["event"], entry["text"], entry["level"]) == ("sms_text_seen", HOSTILE, "info")
    assert line.isascii()
    assert "\x1b" not in line


def test_under_systemd_a_line_starts_with_its_priority(lines, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    configure_logs(LogConfig())
    log = structlog.get_logger()
    log.info("a")
    log.warning("b")
    log.error("c", text=HOSTILE)
    found = lines()
    assert [line[:3] for line in found] == ["<6>", "<4>", "<3>"]
    assert [json.loads(line[3:])["event"] for line in found] == ["a", "b", "c"]


def test_the_level_filters(lines):
    configure_logs(LogConfig(format="json", level="warning"))
    structlog.get_logger().info("quiet")
    assert lines() == []


def test_libraries_log_through_the_same_form(lines):
    configure_logs(LogConfig(format="json"))
    logging.getLogger("uvicorn.error").warning("bad %s", HOSTILE)
    logging.getLogger("uvicorn.error").info("chatty")
    (line,) = lines()
    entry = json.loads(line)
    assert (entry["event"], entry["logger"], entry["text"]) == ("library_log", "uvicorn.error", f"bad {HOSTILE}")


def test_an_exception_is_part_of_its_line(lines):
    configure_logs(LogConfig(format="json"))
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        structlog.get_logger().exception("it_failed")
    (line,) = lines()
    assert "ValueError" in json.loads(line)["exception"]


def test_a_terminal_gets_colours_or_at_least_words(lines):
    configure_logs(LogConfig(format="console"))
    structlog.get_logger().info("hello", slot="left")
    assert "hello" in lines()[0]
