"""Dialects: what existing clients of other services say, answered by the same services; one module each."""

from modembank_web.dialects import (
    alertmanager,
    grafana,
    mailing_gateway,
    messaging_service,
    provider_calls,
    sms_service,
    twilio,
)
from modembank_web.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *mailing_gateway.OPERATIONS,
    *messaging_service.OPERATIONS,
    *sms_service.OPERATIONS,
    *alertmanager.OPERATIONS,
    *grafana.OPERATIONS,
    *twilio.OPERATIONS,
    *provider_calls.OPERATIONS,
)

__all__ = ["OPERATIONS"]
