"""Inbound messages as mails: which of them are told to whom, and how that goes."""

from modembank.mail.model import ForwardView
from modembank.mail.service import Mail

__all__ = ["ForwardView", "Mail"]
