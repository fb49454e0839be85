"""A box that people have worked with: one of everything that a page can show, made through its own doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from fakes.boxes import TestBox
from fakes.browsers import OWN_PAGE, PASSWORD
from fakes.guards import make_cheap
from modembank.accounts import LOCAL_ADMIN, Role
from modembank_web.cookies import page_token
from modembank_web.pages import PAGES

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
        draft=await _draft(box),
        key=next(one["id"] for one in keys if one["label"] == "clinic"),
    )


async def _draft(box: TestBox) -> str:
    """Upload a file as somebody does who is not done yet; empty where no page takes files."""
    if not any((page.method, page.path) == ("POST", "/ui/mailings/new") for page in PAGES):
        return ""
    token = await SENDER.token(box)
    own = {"Cookie": f"__Host-mb={token}", "X-Page-Token": page_token(token), "HX-Request": "true"}
    async with httpx.AsyncClient(base_url=box.daemon.url, headers=OWN_PAGE | own, trust_env=False) as client:
        client.headers["Origin"] = box.daemon.url
        answer = await client.post("/ui/mailings/new", files={"file": ("people.csv", FILE.encode())})
    assert "hx-redirect" in answer.headers, answer.text
    return answer.headers["hx-redirect"].split("/")[4]


async def _post(box: TestBox, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    content = msgspec.json.encode(body)
    answer = await box.client.post(
        f"/api/v1/{path}", content=content, headers={"Content-Type": "application/json", **(headers or {})}
    )
    assert answer.status_code < 300, answer.text
    return answer.json()
