"""What can go wrong with backups and restores, each with what to do about it."""

from __future__ import annotations

from modembank.errors import ModembankError
from modembank.store import SchemaTooNew


class BackupFailed(ModembankError):
    """No backup was made; the database is as it was, and so is an older backup under that name."""

    key = "backup_failed"
    template = "no backup was made at {path}: {detail}"


class BackupStopped(BackupFailed):
    """Whoever asked for the backup wants it no more."""

    key = "backup_stopped"
    template = "no backup was made at {path}: it was stopped"


class BackupExists(ModembankError):
    """The file is there, and nobody said that it may be replaced."""

    key = "backup_exists"
    template = "{path} exists: choose another name, or replace it with --force"


class NotABackup(ModembankError):
    """The file is nothing that a box could be restored from."""

    key = "not_a_backup"
    template = "{path} is no backup of a box: {detail}"


class BackupDamaged(ModembankError):
    """The file was a backup once, but is not whole."""

    key = "backup_damaged"
    template = "{path} is damaged: {detail}; take an older backup"


class BackupTooNew(SchemaTooNew):
    """A newer release made the file; this one cannot know what is in it."""

    key = "backup_too_new"
    template = "{path} has schema {found} and was made by release {release}; this release knows schemas up to {known}: install {release} or a newer release first"  # noqa: E501 - one sentence


class DaemonRunning(ModembankError):
    """A database in use cannot be put in another's place."""

    key = "daemon_running"
    template = "the daemon runs as process {pid} and uses {path}: stop it first"


class RestoreRefused(ModembankError):
    """Nothing was restored and nothing was changed."""

    key = "restore_refused"
    template = "nothing was restored: {detail}"
