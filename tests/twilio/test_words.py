"""Every state has its word there; what failed has a code."""

import pytest

from modembank.messages import MessageState
from modembank.twilio.words import STATE_OF_EVENT, STATUS, error_of

THEIRS = {"queued", "sending", "sent", "delivered", "undelivered", "failed", "scheduled", "canceled"}


def test_every_state_has_a_word():
    assert set(STATUS) == set(MessageState)
    assert set(STATUS.values()) == THEIRS
    assert STATE_OF_EVENT["message.delivered"] is MessageState.DELIVERED


def test_unknown_is_neither_failed_nor_delivered():
    assert STATUS[MessageState.UNKNOWN] == "sent"
    assert error_of(MessageState.UNKNOWN, "interrupted: the box stopped") == (None, None)


@pytest.mark.parametrize(
    ("state", "cause", "code"),
    [
        (MessageState.FAILED, "cms_1: +CMS ERROR 1: unassigned number", 30005),
        (MessageState.FAILED, "cms_27: +CMS ERROR 27: destination out of service", 30003),
        (MessageState.FAILED, "cms_21: +CMS ERROR 21: short message transfer rejected", 30008),
        (MessageState.FAILED, None, 30008),
        (MessageState.UNDELIVERED, "report_46: validity period expired", 30003),
        (MessageState.UNDELIVERED, "report_43: not obtainable", 30005),
        (MessageState.UNDELIVERED, "report_49: segment 1 of 2: does not exist", 30008),
        (MessageState.EXPIRED, "expired: its validity ended", 30036),
        (MessageState.CANCELLED, "cancelled: by shop", None),
        (MessageState.DELIVERED, None, None),
        (MessageState.QUEUED, "cms_1: tried once", None),
    ],
)
def test_what_failed_says_why(state, cause, code):
    found, meaning = error_of(state, cause)
    assert found == code
    assert (meaning is None) == (code is None)
    if code and cause:
        assert meaning.endswith(f"({cause})")
