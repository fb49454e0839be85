"""Accounts: who makes them, who comes in with them, what is recorded, and what is told to whom."""

import json

import pytest

from modembank.accounts import LOCAL_ADMIN, Role, Scope, Unauthorized
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.twilio import NewTwilioAccount, TwilioAccountPatch


async def audited(shop):
    rows = await shop.box.store.fetch_all("SELECT action, subject, detail FROM audit WHERE action LIKE 'twilio.%'")
    return [(action, subject, json.loads(detail)) for action, subject, detail in rows]


async def test_the_sid_and_the_token_let_its_user_in_with_two_scopes(shop):
    actor = await shop.actor("192.0.2.9")
    assert (actor.name, actor.role, actor.source, actor.is_admin) == ("shop", Role.SENDER, "192.0.2.9", False)
    assert actor.scopes == {Scope.MESSAGES_SEND, Scope.MESSAGES_READ}
    made = await shop.twilio.create(shop.admin, NewTwilioAccount("root"))
    admin = await shop.twilio.authenticate(made.sid, made.auth_token)
    assert not admin.is_admin, "an admin's account is no key to the box"


async def test_an_api_key_of_the_user_is_as_good_as_the_token(shop):
    _, key = await shop.box.accounts.add_key(LOCAL_ADMIN, "shop", scopes=[Scope.MESSAGES_READ])
    actor = await shop.twilio.authenticate(shop.sid, key)
    assert actor.scopes == {Scope.MESSAGES_READ}
    _, foreign = await shop.box.accounts.add_key(LOCAL_ADMIN, "root")
    with pytest.raises(Unauthorized):
        await shop.twilio.authenticate(shop.sid, foreign)


async def test_nobody_else_comes_in(shop):
    other = await shop.twilio.create(shop.admin, NewTwilioAccount("root"))
    for sid, token in (
        (shop.sid, ""),
        (shop.sid, shop.made.auth_token[:-1]),
        (shop.sid, shop.made.auth_token.upper() + "é"),
        (shop.sid, other.auth_token),
        (other.sid, shop.made.auth_token),
        ("AC" + "0" * 32, shop.made.auth_token),
        ("", ""),
        (shop.sid, "mb_00000000_x"),
    ):
        with pytest.raises(Unauthorized):
            await shop.twilio.authenticate(sid, token)
    await shop.box.accounts.set_user_active(LOCAL_ADMIN, "shop", False)
    with pytest.raises(Unauthorized, match="not active"):
        await shop.actor()


async def test_an_account_is_found_by_its_own_user_alone(shop):
    other = await shop.twilio.create(shop.admin, NewTwilioAccount("root"))
    actor = await shop.actor()
    for sid in (other.sid, "AC" + "0" * 32, "nonsense"):
        with pytest.raises(NotFound):
            await shop.twilio.account_of(actor, sid)
    with pytest.raises(NotFound):
        await shop.twilio.account_of(LOCAL_ADMIN, shop.sid)


async def test_only_admins_see_and_change_accounts(shop):
    actor = await shop.actor()
    for call in (
        shop.twilio.list(actor),
        shop.twilio.get(actor, shop.sid),
        shop.twilio.create(actor, NewTwilioAccount("root")),
        shop.twilio.change(actor, shop.sid, TwilioAccountPatch(rotate_token=True)),
        shop.twilio.delete(actor, shop.sid),
    ):
        with pytest.raises(Forbidden):
            await call


async def test_a_user_has_one_account_with_addresses_that_may_be_posted_to(shop):
    with pytest.raises(Conflict, match=shop.sid):
        await shop.twilio.create(shop.admin, NewTwilioAccount("shop"))
    with pytest.raises(NotFound, match="nobody"):
        await shop.twilio.create(shop.admin, NewTwilioAccount("nobody"))
    wrong = NewTwilioAccount("root", sms_url="ftp://x", status_callback="http://127.0.0.1/")
    with pytest.raises(InvalidRequest) as refused:
        await shop.twilio.create(shop.admin, wrong)
    assert [problem.pointer for problem in refused.value.problems] == ["/sms_url", "/status_callback"]
    with pytest.raises(InvalidRequest):  # its addresses lead to this machine
        await shop.twilio.change(shop.admin, shop.sid, TwilioAccountPatch(allow_private=False))
    assert (await shop.view()).allow_private


async def test_changes_are_recorded_without_the_token(shop):
    await shop.patch(sms_url=None, rotate_token=True)
    assert (await shop.view()).sms_url is None
    await shop.patch()
    await shop.twilio.delete(shop.admin, shop.sid)
    assert [(action, subject) for action, subject, _ in await audited(shop)] == [
        ("twilio.create", shop.sid),
        ("twilio.change", shop.sid),
        ("twilio.delete", shop.sid),
    ]
    details = [detail for _, _, detail in await audited(shop)]
    assert details[1] == {"changed": ["auth_token", "sms_url"]}
    assert shop.made.auth_token not in json.dumps(details)
    assert await shop.twilio.list(shop.admin) == []
    for call in (shop.twilio.get(shop.admin, shop.sid), shop.twilio.delete(shop.admin, shop.sid)):
        with pytest.raises(NotFound):
            await call
    assert shop.twilio._crew.names() == (), "its courier has ended"


async def test_lists_and_logs_show_no_token(shop):
    listed = await shop.twilio.list(shop.admin)
    assert [one.sid for one in listed] == [shop.sid]
    assert not hasattr(listed[0], "auth_token")
    assert shop.made.auth_token not in repr(await shop.account())
