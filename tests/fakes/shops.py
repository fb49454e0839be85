"""A shop with an account of the Twilio dialect on a real store, and its endpoint."""

from dataclasses import dataclass
from typing import Any

from fakes.twilio_clients import Desk
from fakes.web_boxes import Box
from modembank.accounts import Actor
from modembank.eventlog import Entry, append
from modembank.ids import public_id, row_id
from modembank.messages import SubmitRequest
from modembank.twilio import MessagesFilter, NewMessage, TwilioAccountPatch
from modembank.twilio.sids import Kind, message_sid

SENDER = "+447900900123"


@dataclass
class Shop:
    """A box, its people, the shop's account, and its endpoint."""

    box: Box
    desk: Desk
    admin: Actor
    made: Any

    @property
    def twilio(self):
        return self.box.twilio

    @property
    def sid(self) -> str:
        return self.made.sid

    async def account(self):
        return await self.twilio.account_of(await self.actor(), self.sid)

    async def actor(self, source: str = "192.0.2.7") -> Actor:
        return await self.twilio.authenticate(self.sid, self.made.auth_token, source)

    async def view(self):
        return await self.twilio.get(self.admin, self.sid)

    async def patch(self, **changes) -> None:
        self.made = await self.twilio.change(self.admin, self.sid, TwilioAccountPatch(**changes))
        self.desk.token = self.made.auth_token

    async def send(self, to: str = SENDER, body: str = "x", **more):
        return await self.twilio.talk.send(await self.actor(), await self.account(), NewMessage(to, body, **more))

    async def submit(self, to: str = SENDER, text: str = "native") -> int:
        """Accept a message through the box's own API; return its row id."""
        receipt = await self.box.messages.submit(await self.actor(), SubmitRequest(to=to, text=text))
        return row_id("msg", receipt.messages[0].id)

    async def happen(self, *rows: int, kind: str = "message.delivered", user: int | None = None) -> None:
        """Let events of messages be logged."""
        whose = (await self.account()).user_id if user is None else user
        entries = [Entry(round(self.box.clock.now() * 1000), kind, whose, row) for row in rows]
        await self.box.store.write(lambda conn: append(conn, entries))
        self.box.events.wake()

    async def come(self, text: str, sender: str = SENDER) -> str:
        """Let an inbound message of the shop be there and its event be logged; return its sid."""
        row, user = self.box.store.ids.take(), (await self.account()).user_id
        sim = self.box.sims.all()[0].id
        columns = "id, sim_id, sender, kind, text, parts, received_at, user_id"
        await self.box.store.write(
            lambda conn: conn.execute(
                f"INSERT INTO inbox ({columns}) VALUES (?, ?, ?, 'text', ?, 1, 1000, ?)", (row, sim, sender, text, user)
            )
        )
        await self.happen(row, kind="message.received")
        return message_sid(self.sid, Kind.INBOUND, row)

    async def listed(self, limit: int = 50, token: str | None = None, **which):
        """Return a page of the shop's messages."""
        talk, wanted = self.twilio.talk, MessagesFilter(**which)
        return await talk.list(await self.actor(), await self.account(), wanted, token=token, limit=limit)

    async def outbox(self) -> list[tuple[str, str]]:
        """Return recipients and texts of all messages, oldest first."""
        return await self.box.store.fetch_all("SELECT recipient, text FROM messages ORDER BY id")

    async def waiting(self) -> list[int]:
        rows = await self.box.store.fetch_all("SELECT event_id FROM twilio_retries ORDER BY 1")
        return [row[0] for row in rows]

    async def restart(self) -> None:
        """Stop telling and begin again, as another run of the daemon does."""
        await self.twilio.stop()
        await self.twilio.start()


def row_of(sid: str) -> int:
    """Return the row of a message's sid."""
    return int(sid[18:], 16)


def public(sid: str) -> str:
    """Return the box's own id of a message."""
    return public_id("msg", row_of(sid))
