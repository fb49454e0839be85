"""What somebody has on a box without modems: one of everything that an address can name, in words of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

from fakes.browsers import PASSWORD
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN
from modembank.accounts.model import ROLE_SCOPES, Actor
from modembank.mailings.requests import MailingRequest
from modembank.messages import SubmitRequest
from modembank.optouts.writing import ask
from modembank.webhooks import NewWebhook

OURS = "+447900900001"
UNREACHABLE = "https://127.0.0.1:9/"
"""Where a test event would go: the box refuses to go there, so that nothing leaves the test."""
_numbers = count(1)


@dataclass(frozen=True)
class Possessions:
    """Ids by what they name, and the words that stand in these things."""

    ids: dict[str, str]
    words: tuple[str, ...]


async def actor_of(box: Box, name: str) -> Actor:
    """Return who acts under a name."""
    user = await box.accounts.user(LOCAL_ADMIN, name)
    return Actor(user.id, user.name, user.role, ROLE_SCOPES[user.role])


async def give(box: Box, name: str, *kinds: str) -> Possessions:
    """Let somebody have one of everything, or of these kinds; each time anew."""
    who, at = await actor_of(box, name), next(_numbers)
    new = _New(box, who, f"{name}-{at:04d}", f"+44790091{at:04d}")
    ids = {kind: await _MAKERS[kind](new) for kind in kinds or _MAKERS}
    words = (name, new.number[1:], *(value for kind, value in ids.items() if kind != "number"))
    return Possessions(ids, words)


@dataclass(frozen=True)
class _New:
    """Whose a new thing is, the word that stands in it, and the number it is about."""

    box: Box
    who: Actor
    word: str
    number: str

    @property
    def file(self) -> bytes:
        """A list with one number that can be written to."""
        return f"name,phone\nperson-of-{self.word},{self.number}\nNobody,12\n".encode()


async def _message(new: _New) -> str:
    wanted = SubmitRequest(to=new.number, text=f"text-of-{new.word}", reference=f"reference-of-{new.word}")
    return (await new.box.messages.submit(new.who, wanted)).messages[0].id


async def _number(new: _New) -> str:
    """Write to it, and have it answer."""
    await _message(new)
    said = {"senderPhone": new.number, "receiverPhone": OURS, "messageText": f"reply-to-{new.word}", "uuid": new.word}
    async with new.box.client(await new.box.key(name=new.who.name)) as client:
        answer = await client.post("/api/receive-sms", json=said | {"timestamp": "2026-11-20T14:05:00Z"})
        assert answer.status_code == 200, answer.text
    return new.number


async def _review(new: _New) -> str:
    await _number(new)
    [(inbound,)] = await new.box.store.fetch_all("SELECT id FROM inbox WHERE sender = ?", (new.number,))
    now = round(new.box.clock.now() * 1000)
    await new.box.store.write(lambda conn: ask(conn, inbound, new.number, "stop", now, None))
    return (await new.box.optouts.reviews(new.who)).items[0].id


async def _mailing(new: _New) -> str:
    terms = {"name": f"mailing-of-{new.word}", "template": "Dear {name}", "hold": "true"}
    files = {"file": (f"list-of-{new.word}.csv", new.file)}
    async with new.box.client(await new.box.key(name=new.who.name)) as client:
        made = await client.post("/api/v1/mailings", files=files, data=terms)
        assert made.status_code == 202, made.text
    return made.json()["id"]


async def _draft(new: _New) -> str:
    upload = new.box.mailings.upload(new.who, f"draft-of-{new.word}.csv")
    await upload.write(new.file)
    draft = await new.box.mailings.drafts.keep(new.who, await upload.received())
    await new.box.mailings.drafts.change(new.who, draft.id, MailingRequest(template="Dear {name}"))
    return draft.id


async def _webhook(new: _New) -> str:
    wanted = NewWebhook(url="https://hooks.example/", events=("message.unknown",), label=f"hook-of-{new.word}")
    made = await new.box.webhooks.create(new.who, wanted)
    sql, where = "UPDATE webhooks SET url = ? WHERE label = ?", (f"{UNREACHABLE}{new.word}", wanted.label)
    await new.box.store.write(lambda conn: conn.execute(sql, where).rowcount)
    return made.id


async def _key(new: _New) -> str:
    key, _ = await new.box.accounts.add_key(LOCAL_ADMIN, new.who.name, label=f"key-of-{new.word}")
    return key.public_id


async def _session(new: _New) -> str:
    begun = new.box.accounts.sessions.begin(new.who.name, PASSWORD, source="192.0.2.8", agent=f"agent-of-{new.word}")
    return (await begun)[0].public_id


_MAKERS: dict[str, Callable[[_New], Awaitable[str]]] = {
    "message": _message,
    "number": _number,
    "review": _review,
    "mailing": _mailing,
    "draft": _draft,
    "webhook": _webhook,
    "key": _key,
    "session": _session,
}


async def contents(box: Box) -> dict[str, list[str]]:
    """Return every row of every table, but for when a session was last seen."""
    tables = await box.store.fetch_all(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    found = {}
    for (table,) in tables:
        columns = "public_id" if table == "sessions" else "*"
        found[table] = [repr(row) for row in await box.store.fetch_all(f"SELECT {columns} FROM {table}")]
    return found
