"""Every error has its line: temporary what is passing, final what is not, and words that name the mistake."""

import pytest

from modembank.accounts import QuotaExceeded, Unauthorized
from modembank.accounts.quotas import Wait
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest
from modembank.messages import IdempotencyMismatch, OptedOut, UnknownProvider
from modembank.messages.numbers import BadNumber
from modembank.store import StoreClosed, StoreError, StoreFull
from modembank_mail.answers import BUSY, FAULT, LOG_IN_FIRST, STOPPING, answer_to, line
from modembank_mail.reading import Unusable


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (StoreFull(detail="d"), "452 4.3.1 no room in the box: nothing was accepted"),
        (StoreClosed(), "451 4.3.2 the box could not store it: nothing was accepted"),
        (StoreError(detail="I/O at /dev/x"), "451 4.3.0 the box could not store it: nothing was accepted"),
        (Unauthorized(why="the API key is not valid"), "535 5.7.8 the API key is not valid"),
        (Forbidden(why="this needs the scope x"), "550 5.7.1 this needs the scope x"),
        (QuotaExceeded("day", 5, 5, 1, Wait(0, 60)), "552 5.2.2 the quota of this user is 5 segments a day"),
        (OptedOut(FieldProblem("/to", "has opted out")), "550 5.7.1 the recipient has opted out"),
        (OptedOut(FieldProblem("/to/1", "has opted out")), "550 5.7.1 the recipient 2 has opted out"),
        (BadNumber(why="has letters"), "553 5.1.3 has letters"),
        (UnknownProvider(FieldProblem("/sim", "is none")), "554 5.3.5 is none"),
        (IdempotencyMismatch(idempotency_key="k"), "554 5.6.0 a mail with this Message-ID came before"),
        (Unusable(why="the mail has no text"), "554 5.6.0 the mail has no text"),
        (InvalidRequest(FieldProblem("/text", "is too long")), "554 5.6.0 the text is too long"),
        (
            InvalidRequest(FieldProblem("/text", "is bad"), FieldProblem("/to", "is worse")),
            "554 5.6.0 the text is bad (and 1 more)",
        ),
        (Conflict(why="else"), "554 5.0.0 else"),
    ],
)
def test_an_error_has_its_line(error, answer):
    assert answer_to(error).startswith(answer)


def test_a_line_is_one_line_of_ascii_and_bounded():
    found = answer_to(Forbidden(why="a\r\n250 OK é" + "x" * 1000))
    assert found.isascii()
    assert not {"\r", "\n"} & set(found)
    assert len(found) <= 400
    for fixed in (BUSY, FAULT, STOPPING, LOG_IN_FIRST, line("250 2.0.0", "ok")):
        assert fixed.isascii()
        assert len(fixed) < 200
