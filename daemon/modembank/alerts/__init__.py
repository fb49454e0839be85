"""Alerts of monitoring systems become messages: who is told, in which words, and never twice."""

from modembank.alerts.model import Alert, AlertsTaken, Notification, RefusedAlert, TakenAlert
from modembank.alerts.service import Alerts, NobodyToTell

__all__ = ["Alert", "Alerts", "AlertsTaken", "NobodyToTell", "Notification", "RefusedAlert", "TakenAlert"]
