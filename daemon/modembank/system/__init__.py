"""The box about itself, for admins: what it is, what room it has, what it was told, and what it logged."""

from modembank.system.recent_logs import KEPT, LEVELS, Level, LogLine, RecentLogs
from modembank.system.service import About, Process, System
from modembank.system.settings import Section, Setting

__all__ = ["KEPT", "LEVELS", "About", "Level", "LogLine", "Process", "RecentLogs", "Section", "Setting", "System"]
