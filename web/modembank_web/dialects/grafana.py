"""Grafana's unified alerting posts its notifications here: a webhook contact point."""

from __future__ import annotations

from modembank.accounts import Scope
from modembank.alerts import AlertsTaken, Notification
from modembank_web.dialects import alert_examples as examples
from modembank_web.dialects.alertmanager import HOW, take_alerts
from modembank_web.operation import Body, Operation, Reply

OPERATIONS = (
    Operation(
        id="takeGrafanaAlerts",
        method="POST",
        path="/hooks/grafana",
        tag="Alerts",
        summary="Take alerts of Grafana",
        description=f"The URL for a webhook contact point, with the key as its authorization credentials. {HOW}",
        run=take_alerts,
        needs=(Scope.MESSAGES_SEND,),
        body=Body(Notification, {"firing": examples.GRAFANA}),
        replies=(Reply(200, "All of it is durable", AlertsTaken, examples.TAKEN),),
        raises=("too_many_requests",),
    ),
)
