"""The latest log lines: bounded in number and size, by level, and never what lets somebody in."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from modembank.config import LogConfig
from modembank.system import KEPT, RecentLogs
from modembank.system.recent_logs import LONGEST, LONGEST_TRACE, MOST_FIELDS
from modembankd.logs import configure_logs


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def remembered(level: str = "info") -> RecentLogs:
    recent = RecentLogs()
    configure_logs(LogConfig(level=level, format="json"), recent)
    return recent


def test_newest_first_and_a_flood_pushes_no_error_out():
    recent, log = remembered(), structlog.get_logger()
    log.error("first")
    log.warning("second")
    for number in range(KEPT + 5):
        log.info("flood", number=number)
    assert [line.event for line in recent.lines("error")] == ["first"]
    assert [line.event for line in recent.lines("warning")] == ["second", "first"]
    lines = recent.lines()
    assert len(lines) == KEPT
    assert lines[0].fields == (("number", str(KEPT + 4)),)


def test_what_is_written_and_what_is_remembered_have_levels_of_their_own(capsys):
    recent, log = remembered("error"), structlog.get_logger()
    log.debug("nowhere")
    log.info("remembered")
    log.error("both", modem="slot-03")
    (written,) = capsys.readouterr().err.splitlines()
    assert json.loads(written)["event"] == "both"
    assert [(line.event, line.level) for line in recent.lines()] == [("both", "error"), ("remembered", "info")]
    assert recent.lines()[0].at.endswith("Z")


def test_debug_is_written_and_not_remembered(capsys):
    recent = remembered("debug")
    structlog.get_logger().debug("small")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert recent.lines() == []


def test_a_line_is_bounded():
    recent = remembered()
    structlog.get_logger().info("x" * 10_000, **{f"f{number}": "y" * 10_000 for number in range(100)})
    (line,) = recent.lines()
    assert len(line.event) == LONGEST + 1
    assert len(line.fields) == MOST_FIELDS
    assert {len(value) for _, value in line.fields} == {LONGEST + 1}


def test_an_exception_is_kept_by_its_end_and_still_written(capsys):
    recent = remembered()
    try:
        raise ValueError("a" * 10_000 + "the end")
    except ValueError:
        structlog.get_logger().exception("it_failed")
    (line,) = recent.lines("error")
    assert line.exception.endswith("the end")
    assert len(line.exception) == LONGEST_TRACE
    assert "Traceback" in json.loads(capsys.readouterr().err)["exception"]


def test_what_libraries_say_is_remembered_from_warnings_on():
    recent = remembered("error")
    logging.getLogger("uvicorn.error").warning("bad %s", "thing")
    logging.getLogger("uvicorn.error").info("chatty")
    (line,) = recent.lines()
    assert (line.event, dict(line.fields)["text"]) == ("library_log", "bad thing")


def test_the_code_that_makes_the_first_admin_is_for_the_log_alone(capsys):
    recent = remembered()
    structlog.get_logger().warning("setup_code", code="ABCD-EFGH", page="/ui/setup")
    assert "ABCD-EFGH" in capsys.readouterr().err
    assert "ABCD-EFGH" not in repr(recent.lines())
