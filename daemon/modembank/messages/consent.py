"""Consent: an opt-out is heard in the transaction that receives it, and answered once by a message of the box."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
import structlog

from modembank.accounts import QuotaExceeded
from modembank.bus import Bus
from modembank.decency import OptOutConfig
from modembank.errors import ModembankError
from modembank.events import OptOutsChanged
from modembank.ids import mask_number
from modembank.messages.accepting import Accepting, Submission, Written
from modembank.messages.admission import Admission
from modembank.messages.model import MessageFlags, Stage
from modembank.messages.requests import SubmitRequest
from modembank.messages.routes import sims_spec, staged_spec
from modembank.optouts import Change, Inbound, Keywords, hear

PRIORITY = 9
THE_BOX = 0
"""The user of what nobody in particular sends."""
_INBOUND = "SELECT sim_id, sender, text, missing, user_id FROM inbox WHERE id = ?"
_NONE_MISSING = "[]"
_log = structlog.get_logger()


class Heard(msgspec.Struct, frozen=True):
    """What changed by an inbound message, and the confirmation that was accepted with it, if one was."""

    change: Change
    submission: Submission | None = None
    written: Written | None = None


class Consent:
    """Hears inbound messages; ``hear`` runs inside their transaction, ``told`` on the event loop after it."""

    def __init__(
        self,
        config: OptOutConfig,
        admission: Admission,
        accepting: Accepting,
        bus: Bus,
        muted: Callable[[str, int], bool] = lambda _number, _now: False,
    ) -> None:
        """``muted`` tells whether a number gets no automatic answers at a time (unix ms); asked on another thread."""
        self._config = config
        self._keywords = Keywords(config)
        self._admission = admission
        self._accepting = accepting
        self._bus = bus
        self._muted = muted

    def hear(self, conn: sqlite3.Connection, inbox_id: int, now: int, payer: int | None = None) -> Heard | None:
        """Do what a message in the inbox asks for; None when nothing changed by it.

        The answer counts against the quota of ``payer``, when there is one: who hands in a STOP as if it had come has
        the box send a message. Beyond the quota nothing is answered.
        """
        if not self._config.enabled:
            return None
        sim_id, sender, text, missing, owner = conn.execute(_INBOUND, (inbox_id,)).fetchone()
        if not text:
            return None
        number = self._admission.sender(sender)
        change = hear(conn, self._keywords, Inbound(inbox_id, number, text, missing == _NONE_MISSING, owner, now))
        if change is None:
            return None
        submission = self._confirmation(change, sim_id, now)
        if submission is None:
            return Heard(change)
        try:
            return Heard(change, submission, self._accepting.accept_within(conn, submission, payer))
        except QuotaExceeded as error:
            _log.warning("opt_out_not_confirmed", number=mask_number(change.number), why=str(error))
            return Heard(change)

    def told(self, heard: Heard) -> None:
        """Tell of what was heard, now that it is durable."""
        change = heard.change
        _log.info("opt_outs_changed", numbers=mask_number(change.number), out=change.out, keyword=change.keyword)
        self._bus.publish(OptOutsChanged(change.at, (change.number,), change.out))
        if heard.submission is not None and heard.written is not None:
            self._accepting.announce(heard.submission, heard.written)

    def _confirmation(self, change: Change, sim_id: int, now: int) -> Submission | None:
        """Return the answer, through the SIM that heard if one did; None when none is configured or it is forbidden."""
        text = self._config.confirmation if change.out else self._config.welcome_back
        if not text or self._muted(change.number, now):
            return None
        request = SubmitRequest(to=change.number, text=text, priority=PRIORITY, delivery_report=False)
        try:
            admitted = self._admission.check(request, now)
        except ModembankError as error:
            _log.warning("opt_out_not_confirmed", number=mask_number(change.number), why=str(error))
            return None
        route = _back_through(sim_id) or admitted.route
        # A welcome goes only to who is in: should STOP overtake it, it is not sent any more.
        flags = admitted.flags | MessageFlags.CONSENT if change.out else admitted.flags
        admitted = msgspec.structs.replace(admitted, flags=flags, route=route)
        return Submission(change.owner or THE_BOX, admitted, None, now)


def _back_through(sim_id: int) -> str:
    """Return the route through the SIM or the provider that heard; empty when none did."""
    if sim_id < 0:
        return staged_spec("sms", [Stage(providers=(-sim_id,))])
    return sims_spec((sim_id,)) if sim_id else ""
