"""Users, roles and API keys: who acts, and what they may do."""

from modembank.accounts.errors import Unauthorized
from modembank.accounts.model import LOCAL_ADMIN, ROLE_SCOPES, Actor, ApiKey, Role, Scope, User
from modembank.accounts.quotas import QuotaExceeded
from modembank.accounts.service import Accounts

__all__ = [
    "LOCAL_ADMIN",
    "ROLE_SCOPES",
    "Accounts",
    "Actor",
    "ApiKey",
    "QuotaExceeded",
    "Role",
    "Scope",
    "Unauthorized",
    "User",
]
