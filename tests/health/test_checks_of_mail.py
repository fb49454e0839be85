"""The check and the remedy of mail: servers that do not take what is forwarded, and the box's own."""

import pytest

from fakes.healths import ADMIN, Ward
from modembank.errors import Conflict
from modembank.health.checks import mail_failing
from modembank.mail import ForwardView

DAY_MS = 86_400_000
NAME = "desk:desk@example.com"


def shown(**more):
    usual = {
        "name": NAME, "forward": "desk", "to": "desk@example.com", "server": "mail.example.com", "failing_since": None,
        "next_try_at": None, "last_error": "554 no", "delivered": 0, "given_up": 0, "given_up_at": None, "aside": 0,
    }  # fmt: skip
    return ForwardView(**usual | more)


async def test_a_server_that_takes_nothing_for_a_while_is_an_issue(ward: Ward, monkeypatch) -> None:
    check, now = mail_failing.CHECK, ward.clock.now_ms
    views = [shown(failing_since=now - 899_000)]
    monkeypatch.setattr(ward.mail, "all", lambda: views)
    assert await ward.look(check) == []
    views[:] = [shown(failing_since=now - 900_000)]
    (found,) = await ward.look(check)
    assert found.subject == NAME
    assert "has told desk@example.com nothing since" in found.summary
    assert found.summary.count("554 no") == 1
    assert found.evidence["server"] == "mail.example.com"
    health = ward.health(check)
    await health.look()
    (issue,) = (await health.list(ADMIN)).items
    with pytest.raises(Conflict, match="there is no forward"):
        await health.remedy(ADMIN, issue.id, "retry_mail")
    monkeypatch.setattr(ward.mail, "retry_now", lambda name: name == NAME)
    did, _ = await health.remedy(ADMIN, issue.id, "retry_mail")
    assert did == f"{NAME} is tried again now"


async def test_what_was_given_up_is_told_for_a_day(ward: Ward, monkeypatch) -> None:
    check, now = mail_failing.CHECK, ward.clock.now_ms
    monkeypatch.setattr(ward.mail, "all", lambda: [shown(given_up=2, given_up_at=now)])
    (found,) = await ward.look(check)
    assert "were given up after days: 554 no" in found.summary
    ward.clock.turn(DAY_MS)
    assert await ward.look(check) == []


async def test_that_the_box_cannot_listen_is_an_issue(ward: Ward) -> None:
    check = mail_failing.CHECK
    ward.mail.server_trouble = "cannot take mail on 0.0.0.0:2525: Address already in use"
    (found,) = await ward.look(check)
    assert found.summary.startswith("The box cannot take mail on 0.0.0.0:2525: Address already in use.")
    health = ward.health(check)
    await health.look()
    (issue,) = (await health.list(ADMIN)).items
    with pytest.raises(Conflict, match="by itself"):
        await health.remedy(ADMIN, issue.id, "retry_mail")
    ward.mail.server_trouble = ""
    assert await ward.look(check) == []
