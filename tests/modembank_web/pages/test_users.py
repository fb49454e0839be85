"""Users, keys, webhooks and the audit log as pages."""

from __future__ import annotations

import pytest

from fakes.browsers import PASSWORD
from fakes.readers import reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope


async def test_a_user_is_added_changed_and_put_out(box: Box) -> None:
    async with reader(box, name="olga") as olga:
        wrong = await olga.sends("/ui/users", 422, name="no good", role="sender", password="short")
        assert wrong.one(id="name-error").text
        assert wrong.one("input", name="name")["value"] == "no good"
        await olga.sends("/ui/users", 204, name="office", role="sender", password=PASSWORD)
        assert olga.last is not None
        assert olga.last.headers["hx-redirect"] == "/ui/users/office"
        taken = await olga.sends("/ui/users", 422, name="office", role="sender")
        assert "already a user" in taken.one(id="name-error").text

        async with reader(box, Role.SENDER, name="office") as office:
            assert "Users" not in (await office.opens("/ui/account")).one("nav").text
            await office.opens("/ui/users", 403)
            shown = await olga.opens("/ui/users/office")
            assert len(list(shown.one(id="sessions").all("tr"))) == 2
            assert "put out" in (await olga.sends("/ui/users/office", active="false")).text
            await office.opens("/ui/account", 303)
        assert "Put them out" in (await olga.sends("/ui/users/office", active="true")).text
        assert "8 to 128" in (await olga.sends("/ui/users/office", 422, password="no")).one(id="password-error").text
        await olga.sends("/ui/users/office", role="admin", password=PASSWORD + "2")
        assert (await box.accounts.user(LOCAL_ADMIN, "office")).role is Role.ADMIN
        await olga.opens("/ui/users/nobody", 404)


async def test_a_list_goes_on_behind_users_that_are_there(box: Box) -> None:
    async with reader(box) as admin:
        assert not list((await admin.asks("/ui/users?cursor=admin")).all("td"))
        await admin.asks("/ui/users?cursor=nobody", 422)


async def test_the_last_admin_stays(box: Box) -> None:
    async with reader(box) as admin:
        assert "last active admin" in (await admin.sends("/ui/users/admin", 409, active="false")).text


async def test_quotas_are_set_and_taken_away(box: Box) -> None:
    async with reader(box) as admin:
        saved = await admin.sends("/ui/users/admin/quota", per_day="100", per_month="")
        assert saved.one("div", role="meter")["aria-valuemax"] == "100"
        for bad in ("-1", "many", "1e3", "9" * 11):
            shown = await admin.sends("/ui/users/admin/quota", 422, per_day=bad, per_month="5")
            assert shown.one(id="per_day-error").text
            assert shown.one("input", name="per_day")["value"] == bad
        assert (await box.accounts.quotas.list(LOCAL_ADMIN))[0].usage.quota_per_day == 100
        assert "no limit" in (await admin.sends("/ui/users/admin/quota", per_day="", per_month="")).text


async def test_an_admin_ends_anybodys_session(box: Box) -> None:
    async with reader(box) as admin, reader(box, Role.SENDER, name="office") as office:
        session = (await box.accounts.sessions.authenticate(office.token)).session
        left = await admin.sends(f"/ui/users/office/sessions/{session}/end")
        assert "Nobody is logged in" in left.text
        await office.opens("/ui/account", 303)


async def test_a_key_is_made_shown_once_and_revoked(box: Box) -> None:
    async with reader(box) as admin:
        nothing = await admin.sends("/ui/keys", 422, user="admin", label="<b>x</b>")
        assert "choose what it may do" in nothing.text
        wrong = await admin.sends("/ui/keys", 422, scopes="modems", networks="nonsense", expires="tomorrow")
        assert wrong.one(id="expires-error").text
        assert (await admin.sends("/ui/keys", 422, scopes="modems", networks="nonsense")).one(id="networks-error").text
        made = await admin.sends(
            "/ui/keys",
            user="admin",
            label="<b>x</b>",
            scopes=["modems", "messages:read"],
            networks="192.0.2.0/24",
            expires="2099-01-31",
        )
        text = made.one(id="made-key").text
        actor = await box.accounts.authenticate(text, "192.0.2.9")
        assert actor.scopes == {Scope.MODEMS, Scope.MESSAGES_READ}
        page = await admin.opens("/ui/keys")
        assert text not in admin.last.text  # type: ignore[union-attr]
        assert "<b>x</b>" in page.one(id="keys").text
        [key] = await box.accounts.keys(LOCAL_ADMIN)
        assert "revoked" in (await admin.sends(f"/ui/keys/{key.public_id}/revoke")).text
        await admin.asks("/ui/keys?cursor=nothing", 422)
        assert not list((await admin.opens("/ui/keys?user=nobody")).all("table"))


async def test_a_sender_has_its_own_keys_alone(box: Box) -> None:
    await box.key(Role.ADMIN, Scope.MODEMS, name="olga")
    async with reader(box, Role.SENDER) as sender:
        page = await sender.opens("/ui/keys")
        assert "No keys yet" in page.text
        assert {box["value"] for box in page.all("input", name="scopes")} == {
            "messages:send", "messages:read", "mailings", "opt-outs", "webhooks"
        }  # fmt: skip
        await sender.sends("/ui/keys", 422, user="olga", scopes="messages:send")
        await sender.sends("/ui/keys", 422, scopes="admin")
        made = await sender.sends("/ui/keys", scopes="messages:send")
        assert (await box.accounts.authenticate(made.one(id="made-key").text)).name == "sender"
        [foreign] = [key for key in await box.accounts.keys(LOCAL_ADMIN) if key.user == "olga"]
        await sender.sends(f"/ui/keys/{foreign.public_id}/revoke", 404)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "http://127.0.0.1/x", "https://a b"])
async def test_a_webhook_with_a_bad_address(box: Box, url: str) -> None:
    async with reader(box) as admin:
        shown = await admin.sends("/ui/webhooks", 422, url=url, events="*")
        assert shown.one(id="url-error").text
        assert shown.one("input", name="url")["value"] == url


async def test_a_webhook_is_made_changed_stopped_and_deleted(box: Box) -> None:
    async with reader(box) as admin:
        assert "names no kind of event" in (await admin.sends("/ui/webhooks", 422, url="https://example.org/x")).text
        made = await admin.sends("/ui/webhooks", url="https://example.org/x", label="<i>CRM</i>", events="message.*")
        assert made.one(id="made-secret").text.startswith("whsec_")
        [webhook] = await box.webhooks.list(LOCAL_ADMIN)
        path = f"/ui/webhooks/{webhook.id}"
        page = await admin.opens(path)
        assert page.one("h1").text == "<i>CRM</i>"
        assert "whsec_" not in admin.last.text  # type: ignore[union-attr]
        chosen = [each["value"] for each in page.all("input", name="events") if "checked" in each.attributes]
        assert chosen == ["message.*"]
        assert (
            "Saved"
            in (await admin.sends(path, url="https://example.org/y", events=["message.sent", "issue.raised"])).text
        )
        assert "stopped" in (await admin.sends(f"{path}/active", active="false")).text
        assert "Stop it" in (await admin.sends(f"{path}/active", active="true")).text
        assert (await admin.sends(f"{path}/rotate")).one(id="made-secret").text.startswith("whsec_")
        await admin.sends(f"{path}/replay", 422, seconds="0")
        assert "How it does" in (await admin.sends(f"{path}/replay", seconds="3600")).text
        async with reader(box, Role.SENDER) as sender:
            await sender.opens(path, 404)
            assert "No webhooks yet" in (await sender.opens("/ui/webhooks")).text
        await admin.sends(f"{path}/delete", 204)
        assert await box.webhooks.list(LOCAL_ADMIN) == []


async def test_the_audit_log_is_read_in_pages_and_verified(box: Box) -> None:
    for number in range(60):
        await box.audit.note(LOCAL_ADMIN, "modem.reset", f"<slot-{number}>", {"<k>": "<v>"})
    async with reader(box) as admin:
        page = await admin.opens("/ui/audit?action=modem.reset")
        rows = list(page.one("tbody").all("tr"))
        assert len(rows) == 51
        assert "<slot-59>" in rows[0].text
        rest = await admin.asks(rows[-1].one("button")["hx-get"])
        assert len(list(rest.all("tr"))) == 10
        assert "No such entries" in (await admin.opens("/ui/audit?actor=nobody")).text
        assert "as it was written" in (await admin.sends("/ui/audit/verify")).text
        await box.store.write(lambda conn: conn.execute("UPDATE audit SET subject = 'x' WHERE id = 5").rowcount)
        assert "The log was changed" in (await admin.sends("/ui/audit/verify")).text
    async with reader(box, Role.SENDER) as sender:
        await sender.opens("/ui/audit", 403)
        await sender.sends("/ui/audit/verify", 403)
