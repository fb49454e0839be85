"""A machine for the trial of a new version: it restarts only in name, and its time passes only where somebody waits."""

from __future__ import annotations

import itertools

from modembank_box.boot_loader import TRYBOOT
from modembank_box.errors import BoxError
from modembank_box.machine import DAEMON


class Stopped(BaseException):
    """The machine restarts: nothing of what runs comes back from that."""


class FakeMachine:
    """A machine whose time passes only where somebody waits."""

    def __init__(self):
        self.now = 0.0
        self.calls = []
        self.trial = None
        self.states = itertools.repeat(("active", "run-1"))

    def restart(self, argument=""):
        self.calls.append(("restart", argument))

    def start(self, unit, *, within_s=0.0):
        self.calls.append(("start", unit))
        if callable(self.trial):
            self.trial()
        elif self.trial is not None:
            raise BoxError(self.trial)

    def stop(self, unit):
        self.calls.append(("stop", unit))

    def health(self, unit):
        assert unit == DAEMON
        return next(self.states)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        if ("restart", "") in self.calls or ("restart", TRYBOOT) in self.calls:
            raise Stopped
        self.now += seconds
