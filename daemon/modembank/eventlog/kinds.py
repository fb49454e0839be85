"""Every kind of event that followers may hear of, in one table: what it means, and which scope may hear it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from modembank.errors import FieldProblem


class Kind(msgspec.Struct, frozen=True):
    """One kind; ``scope`` is the value of the scope that a key needs to hear it."""

    name: str
    when: str
    """For the documentation."""
    scope: str
    of_the_box: bool = False
    """Nobody's in particular: whoever has the scope hears it. Others are their user's, and the admins'."""

    @property
    def noun(self) -> str:
        """What it is about."""
        return self.name.partition(".")[0]


_MESSAGE, _MAILING, _OPT_OUT, _BOX = "messages:read", "mailings", "opt-outs", "modems"

KINDS: tuple[Kind, ...] = (
    Kind("message.received", "An inbound message is in the inbox", _MESSAGE),
    Kind("message.sent", "The network took every segment", _MESSAGE),
    Kind("message.delivered", "A delivery report says that it arrived", _MESSAGE),
    Kind("message.undelivered", "A delivery report says that it did not arrive", _MESSAGE),
    Kind("message.expired", "It was not worth sending any more", _MESSAGE),
    Kind("message.failed", "It was refused for good", _MESSAGE),
    Kind("message.cancelled", "Somebody called it back before it was sent", _MESSAGE),
    Kind("message.unknown", "It may or may not have been sent", _MESSAGE),
    Kind("optout.added", "A number wants no messages any more", _OPT_OUT),
    Kind("optout.removed", "A number takes messages again", _OPT_OUT),
    Kind("optout.imported", "A list of numbers that want no messages was taken in", _OPT_OUT),
    Kind("optout.review", "A person should say whether a message meant an opt-out", _OPT_OUT),
    Kind("mailing.imported", "Every row of a mailing's file is a message, or was refused", _MAILING),
    Kind("mailing.started", "A mailing is being sent", _MAILING),
    Kind("mailing.canary_left", "The canary of a mailing has left, and the rest waits", _MAILING),
    Kind("mailing.canary_stopped", "Too much of a mailing's canary failed for the rest to go on by itself", _MAILING),
    Kind("mailing.continued", "The rest of a mailing goes on behind its canary", _MAILING),
    Kind("mailing.paused", "A mailing was paused", _MAILING),
    Kind("mailing.resumed", "A mailing goes on", _MAILING),
    Kind("mailing.cancelled", "A mailing was called back", _MAILING),
    Kind("mailing.failed", "A mailing could not be read", _MAILING),
    Kind("mailing.finished", "Every message of a mailing has ended", _MAILING),
    Kind("modem.registered", "A modem can send and receive", _BOX, True),
    Kind("modem.searching", "A modem has no network", _BOX, True),
    Kind("modem.locked", "A modem's SIM wants a PIN or PUK", _BOX, True),
    Kind("modem.recovering", "A modem does not answer as it should and is being recovered", _BOX, True),
    Kind("modem.failed", "A modem is out of service", _BOX, True),
    Kind("modem.gone", "A modem's port is not there", _BOX, True),
    Kind("sim.changed", "A SIM's limits, label, pause or place changed", _BOX, True),
    Kind("box.restored", "A backup was put in the place of the database; ids go on in a new range", _BOX, True),
    Kind("clock.stepped", "The box's clock was set, or is known to be right from here on", _BOX, True),
    Kind("fleet.refused", "Something that claimed to come from the hub was refused", _BOX, True),
    Kind("home_assistant.refused", "Something that came over Home Assistant's broker had no effect", _BOX, True),
    Kind("config.applied", "A configuration of the hub is in force", _BOX, True),
    Kind("config.rejected", "A configuration of the hub can not be taken", _BOX, True),
    Kind(
        "config.rolled_back", "A configuration of the hub did not prove itself: the one before is in force", _BOX, True
    ),
    Kind("config.proposed", "The site wants a setting of the hub otherwise", _BOX, True),
    Kind("issue.raised", "Something needs a person", _BOX, True),
    Kind("issue.cleared", "It needs nobody any more", _BOX, True),
)
BY_NAME = {kind.name: kind for kind in KINDS}
MOST_PATTERNS = 50


def chosen(patterns: Iterable[str]) -> frozenset[str]:
    """Return the kinds that patterns choose: a kind, ``noun.*``, or ``*``."""
    wanted = frozenset(patterns)
    return frozenset(kind.name for kind in KINDS if wanted & {"*", kind.name, f"{kind.noun}.*"})


def pattern_problems(patterns: Iterable[str], pointer: str) -> list[FieldProblem]:
    """Return what is wrong with patterns."""
    listed = list(patterns)
    if not listed:
        return [FieldProblem(pointer, "names no kind of event; * stands for all")]
    if len(listed) > MOST_PATTERNS:
        return [FieldProblem(pointer, f"names more than {MOST_PATTERNS} kinds")]
    known = {"*", *BY_NAME, *(f"{kind.noun}.*" for kind in KINDS)}
    nouns = ", ".join(dict.fromkeys(f"{kind.noun}.*" for kind in KINDS))
    return [
        FieldProblem(pointer, f"{pattern[:40]!a} is no kind of event; there are {nouns} and single ones")
        for pattern in listed
        if pattern not in known
    ][:10]
