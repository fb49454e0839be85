"""The alerts service: takes a notification durably, and tells each recipient once."""

from __future__ import annotations

import asyncio

import structlog

from modembank.accounts import Actor, Scope
from modembank.alerts.model import AlertsTaken, Notification, RefusedAlert, TakenAlert
from modembank.alerts.planning import Planned, plan
from modembank.config import AlertsConfig
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages import IdempotencyKey, Messages, SubmitRequest

_log = structlog.get_logger()


class NobodyToTell(InvalidRequest):
    """Not one recipient can be told of any of the alerts; each is named with the reason."""


class Alerts:
    """Alerts, on behalf of the user whose key the monitoring system has."""

    def __init__(self, messages: Messages, config: AlertsConfig) -> None:
        """Send through these."""
        self._messages = messages
        self._config = config

    async def take(self, actor: Actor, notification: Notification) -> AlertsTaken:
        """Accept all messages that a notification takes; it can be told again, and they are the same messages.

        A recipient who cannot be told does not keep the others from it: an alarm is no mailing. Raises Forbidden,
        NobodyToTell when none can be, and QuotaExceeded, StoreFull and StoreError, after which the same notification
        told again goes on where it was.
        """
        actor.require(Scope.MESSAGES_SEND)
        planned = plan(notification, self._config)
        results = await asyncio.gather(*(self._accept(actor, message) for message in planned.messages))
        taken = tuple(result for result in results if isinstance(result, TakenAlert))
        refused = (*planned.refused, *(result for result in results if isinstance(result, RefusedAlert)))
        if refused:
            _log.warning("alerts_not_told", user=actor.name, told=len(taken), refused=len(refused))
        if refused and not taken:
            first, *others = (FieldProblem(each.pointer, each.detail) for each in refused)
            raise NobodyToTell(first, *others)
        return AlertsTaken(taken, refused, planned.ignored)

    async def _accept(self, actor: Actor, message: Planned) -> TakenAlert | RefusedAlert:
        request = SubmitRequest(
            to=message.to, text=message.text, priority=message.priority, max_segments=self._config.max_segments
        )
        # The key stands for the alert and not for its words, which may be others when it is told again.
        key = IdempotencyKey.of(message.key, message.key.encode())
        try:
            receipt = await self._messages.submit(actor, request, key)
        except InvalidRequest as error:
            detail = "; ".join(f"{message.to[:40]} {problem.detail}" for problem in error.problems)
            return RefusedAlert(message.pointer, message.to, detail)
        return TakenAlert(receipt.messages[0].id, message.to, message.alerts)
