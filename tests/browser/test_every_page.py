"""Every page, for whoever may see it, on a phone and a desk, light and dark."""

from __future__ import annotations

import httpx
import pytest

from browser.looking import look_at
from browser.places import GET_PAGES, OWNED, PERSONAL, nouns, place, unnamed
from fakes.lived_in import OTHER, REPLY, TEMPLATE, TEXT
from modembank.accounts.model import ROLE_SCOPES, Role

SENDERS = ROLE_SCOPES[Role.SENDER]
FOR_ADMINS = nouns([page for page in GET_PAGES if not page.path.startswith(PERSONAL)])
FOR_SENDERS = nouns([page for page in GET_PAGES if not page.open and (not page.needs or SENDERS & set(page.needs))])


def test_every_parameter_of_a_page_has_something_to_name():
    assert not unnamed()


@pytest.mark.parametrize("noun", FOR_ADMINS)
async def test_it_is_right_in_every_width_and_colour(page_as_admin, things, noun):
    found = [await look_at(page_as_admin, place(page, things)) for page in FOR_ADMINS[noun]]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.parametrize("noun", FOR_SENDERS)
async def test_it_is_right_for_a_sender_too(page_as_sender, things, noun):
    found = [await look_at(page_as_sender, place(page, things), thorough=False) for page in FOR_SENDERS[noun]]
    assert not any(found), "\n".join(filter(None, found))


async def test_it_is_right_for_who_is_not_logged_in(page_as_stranger):
    assert not await look_at(page_as_stranger, "/ui/login")


@pytest.mark.parametrize(
    "asked", [page for page in GET_PAGES if "{" in page.path and not page.open], ids=lambda page: page.path
)
async def test_s10_what_is_anothers_is_shown_to_nobody_else(box, things, asked):
    """Every page of a thing of Ann's, asked for by Olga."""
    async with httpx.AsyncClient(base_url=box.daemon.url, trust_env=False) as client:
        client.headers["Cookie"] = f"__Host-mb={await OTHER.token(box)}"
        answer = await client.get(place(asked, things))
    assert answer.status_code in {200, 403, 404}
    assert answer.status_code == 404 or asked.path.split("{")[0] not in OWNED
    for words in (TEXT, REPLY, TEMPLATE):
        assert words not in answer.text
