"""Backups of the box's database: made beside a running daemon, checked, restored, and made by the clock."""

from modembank.backup.checking import Checked, check_file
from modembank.backup.errors import (
    BackupDamaged,
    BackupExists,
    BackupFailed,
    BackupStopped,
    BackupTooNew,
    DaemonRunning,
    NotABackup,
    RestoreRefused,
)
from modembank.backup.folder import BackupFile, BackupFolder
from modembank.backup.manifest import Manifest
from modembank.backup.restoring import Restored, restore
from modembank.backup.scheduled import BackupFacts, ScheduledBackups
from modembank.backup.taking import BackupJob, take_backup

__all__ = [
    "BackupDamaged",
    "BackupExists",
    "BackupFacts",
    "BackupFailed",
    "BackupFile",
    "BackupFolder",
    "BackupJob",
    "BackupStopped",
    "BackupTooNew",
    "Checked",
    "DaemonRunning",
    "Manifest",
    "NotABackup",
    "RestoreRefused",
    "Restored",
    "ScheduledBackups",
    "check_file",
    "restore",
    "take_backup",
]
