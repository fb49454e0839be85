"""Structured logs on standard error: JSON for machines, journald priorities under systemd, colours for people."""

from __future__ import annotations

import logging
import os
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from modembank.config import LogConfig
from modembank.system import RecentLogs

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
# systemd.journal-fields(7), sd-daemon(3): a line that starts with <N> has that syslog priority.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure_logs(config: LogConfig, recent: RecentLogs | None = None) -> None:
    """Set up structlog and route the standard library's loggers (uvicorn, litestar) into it.

    ``recent`` remembers what is worth it, whatever the level of what is written.
    """
    form = _form(config.format)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = _LEVELS[config.level]
    if recent is not None:
        shared += [recent.note, _only_from(level)]
    structlog.configure(
        processors=[*shared, *_renderers(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level if recent is None else min(level, _LEVELS["info"])),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_IntoStructlog()]
    root.setLevel(max(level if recent is None else 0, logging.WARNING))


class _IntoStructlog(logging.Handler):
    """Hands what libraries log to structlog as one event, the text as a field and never as the event's name."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        level = record.levelname.lower()
        method = getattr(log, level if level in _LEVELS else "warning")
        method("library_log", logger=record.name, text=record.getMessage(), exc_info=record.exc_info or None)


def _form(wanted: Literal["auto", "json", "console"]) -> Literal["journal", "json", "console"]:
    if wanted != "auto":
        return wanted
    if os.environ.get("JOURNAL_STREAM"):
        return "journal"
    return "console" if sys.stderr.isatty() else "json"


def _renderers(form: Literal["journal", "json", "console"]) -> list[Processor]:
    if form == "console":
        return [structlog.dev.ConsoleRenderer()]
    steps: list[Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=True),
    ]
    return [*steps, _prefix_priority] if form == "journal" else steps


def _only_from(level: int) -> Processor:
    def drop(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _LEVELS.get(method, level) < level:
            raise structlog.DropEvent
        return event

    return drop


def _prefix_priority(_logger: WrappedLogger, method: str, line: EventDict | str) -> str:
    return f"<{_PRIORITIES.get(method, 6)}>{line}"
