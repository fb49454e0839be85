"""What an SMSC delivers: receipts and messages, brought to the sink before they are answered."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Final

import structlog

from modembank.clock import to_ms
from modembank.providers.adapters.smpp_link import Answer
from modembank.providers.adapters.smpp_parts import Parts, PartSet, text_of
from modembank.providers.adapters.smpp_pdu import Command, MalformedPdu, Pdu, ShortMessage
from modembank.providers.adapters.smpp_receipts import MESSAGE_TYPE, is_receipt, read_receipt
from modembank.providers.adapters.smpp_repeats import Repeats, Seen, State
from modembank.providers.adapters.smpp_settings import Settings
from modembank.providers.adapters.smpp_status_table import ROK, RX_P_APPN
from modembank.providers.adapters.smpp_text import number_of, user_data
from modembank.providers.model import Arrival, Means
from modembank.tpdu import UserData

_log = structlog.get_logger()

PART_HOLD_S: Final = 1.5
"""How long the answer to a part waits for the others. SMSCs that deliver one message at a time send the next part only
after that answer: then the part is held in memory alone until the message is whole."""
_LOOK_S: Final = 30.0
_FLUSH_S: Final = 1.0


class Inbound:
    """Takes what comes over all sessions of one provider."""

    def __init__(self, settings: Settings, means: Means) -> None:
        """Begin with nothing."""
        self._settings, self._means = settings, means
        self._repeats = Repeats()
        self._parts = Parts()
        self._more = asyncio.Condition()
        """Notified whenever a long message has become durable."""

    async def deliver(self, pdu: Pdu, session: int) -> Answer:
        """Take a deliver_sm or data_sm and return its answer; raises what the sink raises, and it shall come again."""
        try:
            decode = ShortMessage.decode if pdu.command == Command.DELIVER_SM else ShortMessage.decode_data_sm
            message = decode(pdu.body)
        except MalformedPdu as error:
            # Answered as a lasting error, for the same octets would come again for ever.
            _log.warning("smpp_malformed", command=hex(pdu.command), why=error.reason, octets=len(pdu.body))
            return Answer(RX_P_APPN)
        if is_receipt(message):
            await self._receipt(message)
            return Answer(ROK)
        if message.esm_class & MESSAGE_TYPE:  # acknowledgements that a person or an application made (5.2.12)
            _log.info("smpp_acknowledgement_ignored", esm_class=message.esm_class)
            return Answer(ROK)
        return await self._arrival(pdu, message, session)

    async def watch(self) -> None:
        """Bring long messages that never became whole, as far as they came; runs until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._give_up(self._parts.overdue(self._means.clock.monotonic()))

    async def flush(self) -> None:
        """Bring what waits for parts, for the end is near; not that of which the SMSC will send every part again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._give_up([one for one in self._parts.overdue(float("inf")) if one.believed])

    async def _receipt(self, message: ShortMessage) -> None:
        settings = self._settings
        receipt = read_receipt(message, settings.receipt_id, settings.utc_offset_minutes)
        if receipt is None:
            _log.warning("smpp_receipt_of_nothing", octets=len(message.content))
        else:
            await self._means.sink.receipt(receipt)

    async def _arrival(self, pdu: Pdu, message: ShortMessage, session: int) -> Answer:
        clock = self._means.clock
        seen = self._repeats.note(pdu.body, session, pdu.sequence, clock.monotonic(), to_ms(clock.now()))
        if seen.state is not State.TAKEN:
            taken = False
            try:
                await self._take(message, seen)
                taken = True
            finally:
                self._repeats.answered(seen, taken=taken, now=clock.monotonic())
        return Answer(ROK, partial(self._repeats.proved, seen))

    async def _take(self, message: ShortMessage, seen: Seen) -> None:
        part = user_data(message, self._settings.alphabet)
        plain = self._settings.plain_is_international
        sender = number_of(message.source, plain_is_international=plain)
        to = number_of(message.destination, plain_is_international=plain)
        if part.concat is None or part.concat.total == 1:
            await self._bring(seen.key, sender, to, [part])
            return
        found, given_up = self._parts.add(sender, to, part, seen.key, self._means.clock.monotonic())
        await self._give_up(given_up)
        if found.complete:
            await self._bring_set(found)
        else:
            await self._hold(found)

    async def _hold(self, found: PartSet) -> None:
        """Wait a moment for the other parts, so that none is answered before all are durable, if that can be had."""
        try:
            async with asyncio.timeout(PART_HOLD_S), self._more:
                await self._more.wait_for(lambda: found not in self._parts)
        except TimeoutError:
            found.believed = True

    async def _bring_set(self, found: PartSet) -> None:
        sender, to, *_ = found.group
        await self._bring(found.key, sender, to, list(found.parts.values()))
        self._parts.done(found)
        async with self._more:
            self._more.notify_all()

    async def _give_up(self, sets: list[PartSet]) -> None:
        """Bring sets as they are; what the sink does not take waits on."""
        left = list(sets)
        try:
            while left:
                _log.info("smpp_parts_missing", have=len(left[0].parts), of=left[0].group[3])
                await self._bring_set(left[0])
                left.pop(0)
        finally:
            for one in left:
                self._parts.put_back(one)

    async def _bring(self, key: str, sender: str, to: str, parts: list[UserData]) -> None:
        await self._means.sink.arrival(Arrival(key, sender, text_of(parts), to=to))
