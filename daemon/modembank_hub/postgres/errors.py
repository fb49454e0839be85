"""What can go wrong with the database server, each with the way out; a password is in none of it."""

from __future__ import annotations

import sqlite3

from modembank.store import StoreError


class NoDriver(StoreError):
    """The library is not installed."""

    key = "no_driver"
    template = (
        "[store] url is PostgreSQL's, and the library for it cannot be loaded ({detail}): install modembank[postgres]"
    )


class ServerAway(StoreError):
    """The server does not answer, or lets nobody in just now."""

    key = "server_away"
    template = "the database server {server} cannot be reached: {detail}"


class LoginRefused(StoreError):
    """The server answers, and does not let the hub in."""

    key = "login_refused"
    template = "the database server {server} lets the hub not in: {detail}; {way_out}"


class NoPassword(StoreError):
    """The file with the password cannot be used; what is in it is never said."""

    key = "no_password"
    template = "[store] password_file: {path} {problem}"


class NotOurs(StoreError):
    """The database holds tables of something else, or a part of ours."""

    key = "foreign_database"
    template = (
        "the database {server} holds tables, and not those of a hub: make an empty one for it (createdb), or name"
        " the right one in [store] url"
    )


class Lost(sqlite3.OperationalError):
    """The connection is gone: what was not committed is not stored."""

    sqlite_errorcode = sqlite3.SQLITE_IOERR  # as which modembank.store judges it
    sqlite_errorname = "no connection"


class Collided(sqlite3.OperationalError):
    """Two transactions stood in each other's way, and the server undid this one: run it again."""

    sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
    sqlite_errorname = "collision"


class Full(sqlite3.OperationalError):
    """The server's disk has no room."""

    sqlite_errorcode = sqlite3.SQLITE_FULL
    sqlite_errorname = "disk full"
