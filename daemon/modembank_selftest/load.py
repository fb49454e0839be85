"""The load: clients that send, cancel and look, and a network that delivers, while the daemon dies again and again."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random

from modembank_emulator import Bank, ReportPlan, Step
from modembank_selftest.api import Api, Broken, Gone
from modembank_selftest.judging import LATE
from modembank_selftest.witness import Cancelling, Request, Witness

CLIENTS = 4
_AHEAD = 25
"""Messages waiting for each modem at the most: there is always something to send, and the end comes soon."""
_FIRST_NUMBER = 19990000000
_SHORT = "Your appointment is at 10:40."
_UCS2 = "Ваш приём в 10:40 — до встречи"
_LONG = "Please bring your card, the letter of your doctor and all that you take at the moment. " * 4
_RANKS = {"accepted": 10, "scheduled": 20, "queued": 30, "sending": 40, "unknown": 45, "sent": 50, "undelivered": 70}
_RANKS |= {"expired": 72, "failed": 74, "cancelled": 76, "delivered": 80}
LATE_S = 30 * 3600.0
"""Longer than a run: these reports come at its end."""
_LATE_PLAN = ReportPlan((Step(delay=LATE_S),))
_POLICIES = {"hold": 35, "": 25, "resend": 40}
"""Per policy of a message (empty: the box's own), how many of a hundred have it."""
_BUSY = 503
_INBOUND_EVERY_S = 0.12
_PAUSE_S = 0.02


class Load:
    """Runs while a life answers; what it was told is in the witness."""

    def __init__(
        self, api: Api, bank: Bank, witness: Witness, chance: Random, *, inbound_every_s: float = _INBOUND_EVERY_S
    ) -> None:
        """Speak to this daemon, and deliver through this bank."""
        self._inbound_every_s = inbound_every_s
        self._api = api
        self._bank = bank
        self._witness = witness
        self._chance = chance
        self._numbers = count(_FIRST_NUMBER)
        self._keys = count(1)
        self._inbound = count(1)
        self.up = asyncio.Event()
        """Set while the daemon should answer."""
        self.wanted = True
        """Whether new requests are begun."""
        self._open = 0
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client())
            clients.create_task(self._watcher())
            clients.create_task(self._network())

    async def finish(self) -> None:
        """Begin nothing new, and return when all that was begun is answered."""
        self.wanted = False
        await self._all_answered.wait()

    async def _client(self) -> None:
        while True:
            await self.up.wait()
            if not self.wanted or self._waiting() >= _AHEAD * len(self._bank.modems):
                await asyncio.sleep(_PAUSE_S)
                continue
            request = self._draw()
            self._witness.requests.append(request)
            self._begin()
            while not await self._posted(request):
                await self.up.wait()
                await asyncio.sleep(_PAUSE_S)
            self._end()
            if self._chance.random() < 0.05:
                await self._cancel(request)

    def _begin(self) -> None:
        self._open += 1
        self._all_answered.clear()

    def _end(self) -> None:
        self._open -= 1
        if not self._open:
            self._all_answered.set()

    def _waiting(self) -> int:
        return self._witness.accepted - len(self._bank.network.ledger)

    def _draw(self) -> Request:
        chance = self._chance
        many = chance.randint(2, 6) if chance.random() < 0.15 else 1
        numbers = tuple(f"+{next(self._numbers)}" for _ in range(many))
        text = chance.choices((_SHORT, _UCS2, _LONG[: chance.randint(170, 330)]), (70, 15, 15))[0]
        policy = chance.choices([*_POLICIES], [*_POLICIES.values()])[0]
        names = (
            "",
            LATE,
            "never",
            "failed",
            "pending_then_delivered",
            "twice",
            "before_cmgs",
            "glued_after",
        )
        reports = chance.choices(names, (30, 35, 5, 5, 5, 5, 10, 5))[0]
        if reports:
            for number in numbers:
                self._bank.network.plan_reports(number, _LATE_PLAN if reports == LATE else reports)
        return Request(f"selftest-{next(self._keys)}", text, numbers, policy, reports)

    async def _posted(self, request: Request) -> bool:
        """Post it (again); return whether it was answered."""
        body: dict[str, object] = {
            "to": request.numbers[0] if len(request.numbers) == 1 else list(request.numbers),
            "text": request.text,
            "reference": request.key,
        }
        if request.policy:
            body["on_unknown"] = request.policy
        request.tries += 1
        try:
            answer = await self._api.post("/api/v1/messages", body, key=request.key)
        except Gone:
            return False
        if answer.status == 202:
            request.ids = {message["to"]: message["id"] for message in answer.body["messages"]}
            if set(request.ids) != set(request.numbers):
                self._witness.broken.append(
                    f"{request.key}: accepted for {sorted(request.ids)}, asked {request.numbers}"
                )
            return True
        if answer.status != _BUSY:  # that is what a life says that is about to stop
            message = f"the daemon answered {answer.status} to {request.key}: {answer.body}"
            raise Broken(message)
        return False

    async def _cancel(self, request: Request) -> None:
        request.cancelling = Cancelling.IN_DOUBT
        try:
            answer = await self._api.post(f"/api/v1/messages/{request.ids[request.numbers[0]]}/cancel", {})
        except Gone:
            return
        if answer.status == 200:
            request.cancelling = Cancelling.DONE
        elif answer.status == 409:
            request.cancelling = Cancelling.REFUSED
        elif answer.status < 500:
            self._witness.broken.append(f"{request.key}: cancelling was answered {answer.status}: {answer.body}")

    async def _watcher(self) -> None:
        """Look at messages again and again, over all lives: none may disappear, and no state may go back."""
        while True:
            await self.up.wait()
            await asyncio.sleep(_PAUSE_S)
            answered = [request for request in self._witness.requests if request.ids]
            if not answered:
                continue
            request = self._chance.choice(answered)
            number = self._chance.choice(request.numbers)
            try:
                await self._look(request.ids[number])
            except Gone:
                continue

    async def _look(self, message: str) -> None:
        answer = await self._api.get(f"/api/v1/messages/{message}")
        if answer.status == 404:
            self._witness.broken.append(f"{message} was accepted and is not known any more")
        if answer.status != 200:
            return
        status, before = answer.body["status"], self._witness.seen.get(message, "accepted")
        if _RANKS[status] < _RANKS[before]:
            self._witness.broken.append(f"{message} was {before} and is {status}")
        if status in {"accepted", "scheduled", "queued", "sending"} and not answer.body["waiting_for"]:
            self._witness.broken.append(f"{message} is {status} and cannot say why it waits")
        self._witness.seen[message] = status

    async def _network(self) -> None:
        """Deliver inbound messages also while nobody listens."""
        while True:
            await asyncio.sleep(self._inbound_every_s)
            if not self.wanted:
                continue
            number = next(self._inbound)
            long = self._chance.random() < 0.15
            text = f"reply {number}" + (f" {_LONG}" if long else "")
            card = self._chance.choice(self._bank.cards)
            self._bank.network.inject(card.msisdn, text, f"+1777{number:07d}")
            self._witness.injected.append(text)
