"""Users, roles, passwords, sessions, API keys and quotas: who acts, what they may do, and how much."""

from modembank.accounts.allotments import Allotment, Quotas
from modembank.accounts.errors import NotLoggedIn, TooManyLogins, Unauthorized
from modembank.accounts.first_start import FirstStart
from modembank.accounts.model import LOCAL_ADMIN, ROLE_SCOPES, Actor, ApiKey, Role, Scope, Session, User
from modembank.accounts.quotas import QuotaExceeded, Usage
from modembank.accounts.repository import is_active
from modembank.accounts.service import Accounts
from modembank.accounts.sessions import Sessions
from modembank.accounts.users import named as user_named
from modembank.accounts.views import (
    AccountView,
    ApiKeyView,
    QuotaView,
    SessionView,
    UserView,
    account_view,
    key_view,
    quota_view,
    session_view,
    user_view,
)

__all__ = [
    "LOCAL_ADMIN",
    "ROLE_SCOPES",
    "AccountView",
    "Accounts",
    "Actor",
    "Allotment",
    "ApiKey",
    "ApiKeyView",
    "FirstStart",
    "NotLoggedIn",
    "QuotaExceeded",
    "QuotaView",
    "Quotas",
    "Role",
    "Scope",
    "Session",
    "SessionView",
    "Sessions",
    "TooManyLogins",
    "Unauthorized",
    "Usage",
    "User",
    "UserView",
    "account_view",
    "is_active",
    "key_view",
    "quota_view",
    "session_view",
    "user_named",
    "user_view",
]
