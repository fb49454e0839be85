"""A box that people have worked with: one of everything that a page can show, made through its own doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from fakes import kinds
from fakes.boxes import TestBox
from fakes.browsers import PASSWORD
from fakes.guards import make_cheap
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.accounts.model import ROLE_SCOPES, Actor
from modembank.mailings.requests import MailingRequest
from modembank.messages import SubmitRequest
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Change, Channel, Limits, Rule, Sharing

WRITER = "+447911123456"
"""Who has written to the box, and is written to."""
LONG_NAME = "Reminders for everybody who has not been here since the spring of the year before last " * 2
FILE = "name,phone\n" + "".join(f"Person {n},+4479009{n:05d}\n" for n in range(40)) + "Nobody,12\n"


@dataclass(frozen=True)
class Person:
    """Somebody with a password."""

    name: str
    role: Role

    async def token(self, box: TestBox) -> str:
        """Log in anew; return the session's token."""
        begun = box.app.accounts.sessions.begin(self.name, PASSWORD, source="127.0.0.1", agent="tests")
        return (await begun)[1]


ADMIN, SENDER, OTHER = Person("ada", Role.ADMIN), Person("ann", Role.SENDER), Person("olga", Role.SENDER)
"""What is there is Ann's; Olga has nothing."""
TEXT, REPLY = "Dear Ann, your appointment is at 10:40.", "Thank you, I will be there."
TEMPLATE = "Dear {name}, we are open again."


@dataclass(frozen=True)
class Things:
    """What is there, by what an address calls it."""

    mailing: str
    message: str
    inbound: str
    number: str
    iccid: str
    slot: str
    user: str
    webhook: str
    key: str
    draft: str
    provider: str
    kind: str
    place: str


async def live_in(box: TestBox) -> Things:
    """Make them; three people, a mailing of theirs, messages in both directions, a webhook, an opt-out."""
    make_cheap(box.app.accounts)
    for person in (ADMIN, SENDER, OTHER):
        await box.app.accounts.add_user(LOCAL_ADMIN, person.name, person.role, PASSWORD)
    _, key = await box.app.accounts.add_key(LOCAL_ADMIN, SENDER.name, label="clinic")
    hers = {"Authorization": f"Bearer {key}"}
    sent = await _post(box, "messages", {"to": WRITER, "text": TEXT}, hers)
    mailing = await box.client.post(
        "/api/v1/mailings",
        files={"file": ("people.csv", FILE.encode())},
        data={"name": LONG_NAME[:100], "template": TEMPLATE, "hold": "true"},
        headers=hers,
    )
    assert mailing.status_code == 202, mailing.text
    hook = await _post(box, "webhooks", {"url": "https://hooks.example/told", "events": ["message.unknown"]}, hers)
    await _post(box, "opt-outs", {"number": "+447911000999", "note": "asked by telephone"})
    box.bank.network.inject(box.bank.cards[0].msisdn, REPLY, WRITER)
    await box.until_status(sent["id"], "sent", "delivered")
    (inbound, *_) = await box.until(box.inbox)
    slot = box.app.bank.modems()[0].slot
    keys = (await box.get("api-keys"))["items"]
    return Things(
        mailing=mailing.json()["id"],
        message=sent["id"],
        inbound=inbound["id"],
        number=WRITER,
        iccid=box.bank.cards[0].iccid,
        slot=slot,
        user=SENDER.name,
        webhook=hook["id"],
        key=next(one["id"] for one in keys if one["label"] == "clinic"),
        draft=await _draft(box),
        **await _providers(box),
    )


async def _providers(box: TestBox) -> dict[str, str]:
    """Make a provider of e-mail that was tried, one that is disabled, and rules (``fakes.kinds`` are installed)."""
    app = box.app
    shop = await app.providers.add(LOCAL_ADMIN, kinds.draft("mail-1", channel="email", sender="<i>Shop</i>"))
    sharing = Sharing(0.065, limits=Limits(per_hour=40, per_day=200))
    await app.providers.change(LOCAL_ADMIN, shop.name, Change(sharing=sharing))
    await app.providers.add(LOCAL_ADMIN, kinds.draft("spare", channel="whatsapp"))
    await app.providers.disable(LOCAL_ADMIN, "spare", LONG_NAME[:120])
    app.providers.tried(shop, AttemptOutcome.ACCEPTED, 0.2, None)
    app.providers.tried(shop, AttemptOutcome.UNKNOWN, 30.0, Cause(CauseClass.AMBIGUOUS, "no_answer", LONG_NAME[:120]))
    mail = SubmitRequest(to="reader@clinic.example", text=TEXT, channel="email", subject=LONG_NAME[:150])
    sent = await app.messages.submit(LOCAL_ADMIN, mail)
    await box.until_status(sent.messages[0].id, "sent", "delivered")
    rules = (
        Rule(providers=("spare", "mail-1"), channel=Channel.WHATSAPP, users=(SENDER.name,), priority_from=7),
        Rule(providers=("mail-1",), channel=Channel.EMAIL, domains=("clinic.example",), hours="08:00-20:00"),
    )
    await app.providers.route(LOCAL_ADMIN, rules, lambda _: True)
    return {"provider": shop.name, "kind": "trial", "place": "1"}


async def _draft(box: TestBox) -> str:
    """Upload a file as Ann, and say what it is for."""
    user = await box.app.accounts.user(LOCAL_ADMIN, SENDER.name)
    ann = Actor(user.id, user.name, SENDER.role, ROLE_SCOPES[SENDER.role])
    upload = box.app.mailings.upload(ann, f"{LONG_NAME}.csv")
    await upload.write(FILE.encode())
    draft = await box.app.mailings.drafts.keep(ann, await upload.received())
    await box.app.mailings.drafts.change(ann, draft.id, MailingRequest(template=TEMPLATE))
    return draft.id


async def _post(box: TestBox, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    content = msgspec.json.encode(body)
    answer = await box.client.post(
        f"/api/v1/{path}", content=content, headers={"Content-Type": "application/json", **(headers or {})}
    )
    assert answer.status_code < 300, answer.text
    return answer.json()
