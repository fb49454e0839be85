"""E-mail that becomes messages: a mail server for the LAN, off unless it is set up."""

from modembank_mail.server import CannotTakeMail, MailServer

__all__ = ["CannotTakeMail", "MailServer"]
