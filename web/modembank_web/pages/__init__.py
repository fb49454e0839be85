"""Pages for people: server-rendered, brought to life by htmx and one stream each, over the services of the API."""

from modembank_web.operation import Operation
from modembank_web.pages import (
    account,
    audit,
    bank,
    box,
    conversations,
    first,
    issues,
    keys,
    live,
    login,
    mailings,
    messages,
    new_mailing,
    optouts,
    providers,
    report,
    routes,
    routing,
    setup,
    showcase,
    sims,
    system,
    twilio,
    users,
    webhooks,
)
from modembank_web.pages.assets import ASSET
from modembank_web.pages.page import operations_of, unrouted

PAGES = (
    *first.PAGES,
    *setup.PAGES,
    *account.PAGES,
    *login.PAGES,
    *live.PAGES,
    *showcase.PAGES,
    *bank.PAGES,
    *sims.PAGES,
    *routes.PAGES,
    *providers.PAGES,
    *routing.PAGES,
    *issues.PAGES,
    *users.PAGES,
    *keys.PAGES,
    *twilio.PAGES,
    *audit.PAGES,
    *webhooks.PAGES,
    *mailings.PAGES,
    *new_mailing.PAGES,
    *messages.PAGES,
    *conversations.PAGES,
    *optouts.PAGES,
    *report.PAGES,
    *system.PAGES,
    *box.PAGES,
)

OPERATIONS: tuple[Operation, ...] = (
    *operations_of(PAGES),
    first.BARE,
    ASSET,
)

__all__ = ["OPERATIONS", "PAGES", "unrouted"]
