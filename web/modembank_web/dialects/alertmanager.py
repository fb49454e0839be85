"""Prometheus Alertmanager posts its notifications here: the webhook receiver's payload, version 4."""

from __future__ import annotations

from modembank.accounts import Scope
from modembank.alerts import AlertsTaken, Notification
from modembank_web.answer import Answer, json_answer
from modembank_web.dialects import alert_examples as examples
from modembank_web.operation import Body, Call, Operation, Reply
from modembank_web.reading import JsonBody

_NOTIFICATION = JsonBody(Notification)
HOW = (
    "Each alert goes to the numbers in its label or annotation `sms_to` (separated by commas), else to those on call "
    "by the configuration's `[alerts]`. More alerts at once than `summary_above` are one message. The same alerts told "
    "again are the messages that they were: a repeated notification sends nothing twice. Recipients who cannot be told "
    "are named in `refused`; 422 when none can be."
)


async def take_alerts(call: Call) -> Answer:
    """Accept the alerts durably, then answer."""
    return json_answer(await call.app.alerts.take(call.caller, await call.json(_NOTIFICATION)))


OPERATIONS = (
    Operation(
        id="takeAlertmanagerAlerts",
        method="POST",
        path="/hooks/alertmanager",
        tag="Alerts",
        summary="Take alerts of Prometheus Alertmanager",
        description=f"The address for a `webhook_configs` receiver, with the key as its bearer credentials. {HOW}",
        run=take_alerts,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(Notification, {"firing": examples.ALERTMANAGER}),
        replies=(Reply(200, "All of it is durable", AlertsTaken, examples.TAKEN),),
        raises=("too_many_requests",),
    ),
)
