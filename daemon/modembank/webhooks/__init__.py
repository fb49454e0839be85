"""Webhooks: events posted to the addresses that users named, signed, in order, until they are taken."""

from modembank.webhooks.model import WEBHOOK_ID, Webhook
from modembank.webhooks.requests import NewWebhook, WebhookPatch
from modembank.webhooks.service import KEEP_SECRET_S, Webhooks
from modembank.webhooks.views import NewSecretView, TestView, WebhookView

__all__ = [
    "KEEP_SECRET_S", "WEBHOOK_ID", "NewSecretView", "NewWebhook", "TestView", "Webhook", "WebhookPatch", "WebhookView",
    "Webhooks",
]  # fmt: skip
