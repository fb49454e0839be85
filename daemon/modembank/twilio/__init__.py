"""The Twilio dialect: clients of that API, pointed at the box, send, look up, and are told what became of messages."""

from modembank.twilio.errors import Code, Refused
from modembank.twilio.model import (
    Account,
    NewTwilioAccount,
    TwilioAccountPatch,
    TwilioAccountView,
    TwilioAccountWithToken,
)
from modembank.twilio.sending import NewMessage
from modembank.twilio.service import Twilio
from modembank.twilio.talking import MessagesFilter, Talk
from modembank.twilio.views import TwilioMessage, TwilioPage, messages_path

__all__ = [
    "Account", "Code", "MessagesFilter", "NewMessage", "NewTwilioAccount", "Refused", "Talk", "Twilio",
    "TwilioAccountPatch", "TwilioAccountView", "TwilioAccountWithToken", "TwilioMessage", "TwilioPage",
    "messages_path",
]  # fmt: skip
