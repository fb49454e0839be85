"""Boxes enrol at a real hub, connect to a real Mosquitto with what they got, renew it, and are shut out."""

from __future__ import annotations

import asyncio
import functools
import time

import msgspec
import pytest

from fakes.brokers import free_port
from fakes.enrolments import box_in, files_of, fleet_in, so, until
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict
from modembank_fleet import asking
from modembank_fleet.agent import enrolling
from modembank_fleet.asking import HubAway
from modembank_hub.rows_of_boxes import Wanted
from modembankd.handed_over import HubToken

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
soon = functools.partial(until, within_s=90.0)
"""After failures a box waits for longer and longer."""
PAIR = ("ca", "crt", "key")


def files(*numbers):
    """The files of pairs, all for their owner alone."""
    names = [f"{number}.{part}" for number in numbers for part in PAIR] + ["enrolment.json"]
    return dict.fromkeys(sorted(names), 0o600)


def enrolment_of(box):
    return box.box.app.fleet.enrolment


async def view_of(box):
    return await box.box.app.fleet.view(LOCAL_ADMIN)


async def enrolled(fleet, box, name="b1"):
    await enrolment_of(box).ask(LOCAL_ADMIN, await fleet.token("kiel", name))
    await soon(lambda: enrolment_of(box).state == "enrolled")


async def ordered(fleet, box, verb, **args):
    """Give a command and return how it ended."""
    given = await fleet.app.orders.give(LOCAL_ADMIN, "kiel", box, verb, args)

    async def ended():
        return (await fleet.app.orders.get(LOCAL_ADMIN, given.id)).ended_at is not None

    await so(ended)
    return await fleet.app.orders.get(LOCAL_ADMIN, given.id)


async def certificates(fleet, box="b1"):
    """States of a box's certificates, newest first."""
    now = time.time() * 1000
    page = await fleet.app.enrolment.certificates(LOCAL_ADMIN, ("kiel", box))
    return [(one.how, one.state(now)) for one in page.certificates]


async def test_a_token_makes_a_box_one_of_the_fleet_and_it_stays_that_after_a_start(tmp_path):
    async with fleet_in(tmp_path) as fleet:
        async with box_in(tmp_path) as box:
            assert (await view_of(box)).enrolment == "none"
            await enrolment_of(box).ask(LOCAL_ADMIN, await fleet.token())
            await fleet.online("kiel/b1")
            view = await view_of(box)
            assert (view.state, view.site, view.box, view.enrolment) == ("online", "kiel", "b1", "enrolled")
            assert view.broker == f"mqtts://127.0.0.1:{fleet.broker.tls}"
            assert view.enrolment_hub == f"https://127.0.0.1:{fleet.door}"
            assert view.enrolment_why == ""
            days = (view.certificate_ends_at / 1000 - time.time()) / 86_400
            assert 89.9 < days < 90.1
            assert 29 < (view.certificate_ends_at - view.certificate_renews_at) / 86_400_000 < 32
            assert files_of(tmp_path) == files(1)
            assert (await ordered(fleet, "b1", "cfg.reload")).state == "done"  # signed: it has the hub's key
        await fleet.online()
        async with box_in(tmp_path):
            await fleet.online("kiel/b1")
        assert await certificates(fleet) == [("token", "good")]
        (told,) = (await fleet.app.enrolment.tokens(LOCAL_ADMIN)).tokens
        assert (told.name, told.used_by) == ("kiel/*", "kiel/b1")


async def test_the_token_of_the_first_start_is_presented_once(tmp_path):
    async with fleet_in(tmp_path) as fleet:
        given = HubToken(await fleet.token("kiel", "cellar"))
        async with box_in(tmp_path, token=given) as box:
            await fleet.online("kiel/cellar")
            await enrolment_of(box).forget(LOCAL_ADMIN)
            await fleet.online()
        async with box_in(tmp_path, token=given) as box:  # it is there again at each start
            assert (await view_of(box)).enrolment == "none"
            assert files_of(tmp_path) == {"enrolment.json": 0o600}
        again = HubToken(await fleet.token("kiel", "cellar"))
        async with box_in(tmp_path, token=again):
            await fleet.online("kiel/cellar")


async def test_a_token_of_the_first_start_that_is_none_is_shown(tmp_path):
    async with box_in(tmp_path, token=HubToken("mbh1_half-a-token-0000")) as box:
        view = await view_of(box)
        assert (view.enrolment, view.state) == ("refused", "not_set_up")
        assert "is not whole" in view.enrolment_why


async def test_a_box_waits_for_a_hub_that_is_away_and_a_restart_takes_it_up_again(tmp_path):
    async with fleet_in(tmp_path) as fleet:
        text = await fleet.token()
        await fleet.close()
        async with box_in(tmp_path) as box:
            await enrolment_of(box).ask(LOCAL_ADMIN, text)
            await soon(lambda: "cannot be reached" in enrolment_of(box).why)
            assert (await view_of(box)).enrolment == "asking"
        await fleet.open()
        async with box_in(tmp_path):
            await fleet.online("kiel/b1")


async def test_a_refused_token_ends_it_visibly(tmp_path):
    async with fleet_in(tmp_path) as fleet:
        text = await fleet.token()
        async with box_in(tmp_path) as first, box_in(tmp_path, "b2") as second:
            await enrolment_of(first).ask(LOCAL_ADMIN, text)
            await soon(lambda: enrolment_of(first).state == "enrolled")
            await enrolment_of(second).ask(LOCAL_ADMIN, text)
            await soon(lambda: enrolment_of(second).state == "refused")
            view = await view_of(second)
            assert "was used" in view.enrolment_why
            assert "by kiel/b1" in view.enrolment_why
            assert view.state == "not_set_up"
            assert enrolment_of(second).asked.secret == ""
        async with box_in(tmp_path, "b2") as second:  # a start does not ask again
            assert enrolment_of(second).asked.refused == "token_used"
            await enrolment_of(second).ask(LOCAL_ADMIN, await fleet.token())
            await fleet.online("kiel/b2")
        refused = await fleet.app.store.fetch_all("SELECT subject FROM audit WHERE action = 'enrolment.refuse'")
        assert refused == [("token_used",)]


async def test_a_lost_answer_is_given_again(tmp_path, monkeypatch):
    async with fleet_in(tmp_path) as fleet:
        enrol, lost = asking.enrol, []

        async def loses(address, trusted, wanted):
            answer = await enrol(address, trusted, wanted)
            if len(lost) < 2:
                lost.append(answer)
                raise HubAway(why="the answer was lost")
            return answer

        monkeypatch.setattr(enrolling.asking, "enrol", loses)
        async with box_in(tmp_path) as box:
            await enrolment_of(box).ask(LOCAL_ADMIN, await fleet.token())
            await fleet.online("kiel/b1")
        assert len(lost) == 2
        assert lost[0] == lost[1]
        assert await certificates(fleet) == [("token", "good")]


async def test_a_box_whose_file_names_a_hub_takes_no_token(tmp_path):
    from modembank.config import MqttConfig

    async with fleet_in(tmp_path) as fleet:
        text = await fleet.token()
        mqtt = MqttConfig(url="mqtts://127.0.0.1:1", site="kiel")
        async with box_in(tmp_path, mqtt=mqtt, token=HubToken(text)) as box:
            assert (await view_of(box)).enrolment == "none"
            with pytest.raises(Conflict, match=r"take \[mqtt\] url out"):
                await enrolment_of(box).ask(LOCAL_ADMIN, text)


async def test_the_site_s_own_settings_stay(tmp_path):
    from modembank.config import MqttConfig

    async with fleet_in(tmp_path) as fleet, box_in(tmp_path, mqtt=MqttConfig(profile="lean", commands=())) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        assert (await view_of(box)).profile == "lean"
        with pytest.raises(Conflict, match="does not carry out"):
            await fleet.app.orders.give(LOCAL_ADMIN, "kiel", "b1", "cred.rotate", {})


# -- renewal


async def test_a_command_renews_and_the_old_key_goes_when_a_session_stands_with_the_new_one(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        before = enrolment_of(box).membership.pair
        told = await ordered(fleet, "b1", "cred.rotate", serial=before.serial)
        assert told.state == "done", told
        await soon(lambda: enrolment_of(box).membership.coming is None)
        after = enrolment_of(box).membership.pair
        assert (before.number, after.number) == (1, 2)
        assert msgspec.json.decode(told.data)["serial"] == after.serial != before.serial
        assert files_of(tmp_path) == files(2)
        await fleet.online("kiel/b1")
        assert await certificates(fleet) == [("renewal", "good"), ("token", "good")]  # the old one overlaps
        again = await ordered(fleet, "b1", "cred.rotate", serial=before.serial)  # that one is replaced already
        assert msgspec.json.decode(again.data)["serial"] == after.serial
        assert enrolment_of(box).membership.pair == after


async def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        member = enrolment_of(box).membership
        due = msgspec.structs.replace(member.pair, renew_at=time.time() - 1)
        assert await enrolment_of(box).change_membership(lambda now: msgspec.structs.replace(now, pair=due))
        enrolment_of(box).changed.set()
        await soon(lambda: enrolment_of(box).membership.pair.number == 2)
        assert files_of(tmp_path) == files(2)


async def test_a_renewal_waits_for_a_hub_that_is_away_and_says_so(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.close()
        with pytest.raises(Exception, match="hub_away"):
            await box._membership._renew("")
        assert "cannot be reached" in (await view_of(box)).enrolment_why
        assert enrolment_of(box).membership.key == 2  # made, and not let go
        key = (tmp_path / "b1/hub/2.key").read_bytes()
        await fleet.open()
        enrolment_of(box).changed.set()
        await soon(lambda: enrolment_of(box).membership.pair.number == 2)
        assert (tmp_path / "b1/hub/2.key").read_bytes() == key
        assert (await view_of(box)).enrolment_why == ""


async def test_a_new_certificate_that_the_broker_refuses_does_not_cost_the_link(tmp_path, monkeypatch):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        answer = await fleet.app.store.fetch_one("SELECT count(*) FROM certificates")
        assert answer == (1,)
        good = enrolling.Enrolling._pair

        async def of_nobody(self, number, key, said, trusted):
            made = await good(self, number, key, said, trusted)
            await self._of.write_part(number, "crt", (tmp_path / "b1/hub/1.crt").read_bytes())  # for another key
            return made

        monkeypatch.setattr(enrolling.Enrolling, "_pair", of_nobody)
        await box._membership._renew("")
        await soon(lambda: box.box.app.fleet.why != "" or box.box.app.fleet.state == "waiting")
        await fleet.online("kiel/b1")
        member = enrolment_of(box).membership
        assert (member.pair.number, member.coming.number) == (1, 2)
        assert files_of(tmp_path) == files(1, 2)
        monkeypatch.undo()
        await box._membership._renew("")  # the next one is good
        await soon(lambda: enrolment_of(box).membership.pair.number == 3)
        assert files_of(tmp_path) == files(3)


async def test_a_disk_that_takes_nothing_is_shown_and_costs_nothing(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        of = enrolment_of(box)
        write = of.write_part

        async def full(number, part, content):
            raise OSError(28, "No space left on device")

        of.write_part = full
        await of.ask(LOCAL_ADMIN, await fleet.token("kiel", "b1"))
        await soon(lambda: "No space left" in of.why)
        of.write_part = write
        of.changed.set()
        await fleet.online("kiel/b1")
        of.write_part = full
        told = await ordered(fleet, "b1", "cred.rotate")
        assert (told.state, told.code) == ("failed", "hub_away")
        assert "No space left" in (await view_of(box)).enrolment_why
        of.write_part = write
        assert (await ordered(fleet, "b1", "cred.rotate")).state == "done"
        await soon(lambda: of.membership.coming is None)


@pytest.mark.parametrize("where", ["key", "asked", "crt", "ca", "coming"])
async def test_a_stop_anywhere_in_a_renewal_leaves_a_credential_that_works(tmp_path, monkeypatch, where):
    class Stop(Exception):
        pass

    async with fleet_in(tmp_path) as fleet:
        async with box_in(tmp_path) as box:
            await enrolled(fleet, box)
            await fleet.online("kiel/b1")
            of = enrolment_of(box)
            write, renew, keep = of.write_part, asking.renew, of.change_membership

            async def write_part(number, part, content):
                await write(number, part, content)
                if part == where:
                    raise Stop

            async def asked(*arguments):
                await renew(*arguments)
                raise Stop

            async def kept(change):
                done = await keep(change)
                if of.membership.coming is not None:
                    raise Stop
                return done

            if where == "asked":
                monkeypatch.setattr(enrolling.asking, "renew", asked)
            elif where == "coming":
                of.change_membership = kept
            else:
                of.write_part = write_part
            with pytest.raises(Stop):
                await box._membership._enroller()._renew()
            monkeypatch.undo()
        async with box_in(tmp_path) as box:
            await fleet.online("kiel/b1")
            await soon(lambda: enrolment_of(box).membership.pair.number == 2)
            assert files_of(tmp_path) == files(2)
        assert await certificates(fleet) == [("renewal", "good"), ("token", "good")]


# -- shutting out


async def test_a_box_that_is_shut_out_is_heard_no_more_and_the_broker_refuses_it(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box, box_in(tmp_path, "b2") as other:
        await enrolled(fleet, box)
        await enrolled(fleet, other, "b2")
        await fleet.online("kiel/b1", "kiel/b2")
        waiting = await fleet.app.orders.give(LOCAL_ADMIN, "kiel", "b1", "ping", {})
        assert await fleet.app.enrolment.revoke(LOCAL_ADMIN, "kiel", "b1", "stolen") == 1
        ended = await fleet.app.orders.get(LOCAL_ADMIN, waiting.id)
        assert ended.ended_at is not None
        with pytest.raises(Conflict, match="shut out"):
            await fleet.app.orders.give(LOCAL_ADMIN, "kiel", "b1", "ping", {})
        # The connection stands yet: what comes over it is put aside.
        await fleet.app.fleet.clear_quarantine(LOCAL_ADMIN, 2**40)
        box._membership._agent._rebirth()

        async def aside():
            found = (await fleet.app.fleet.quarantined(LOCAL_ADMIN)).items
            return {(one.code, one.topic) for one in found} >= {("revoked", "modembank/v1/kiel/b1/up/birth")}

        await so(aside)
        row = await fleet.app.fleet.get(LOCAL_ADMIN, "kiel", "b1")
        assert (row.standing, row.why, row.out_at is not None) == ("offline", "revoked", True)
        # The broker reads its list again, and the next connection fails.
        fleet.broker.reload()
        await asyncio.sleep(0.3)
        box._membership._agent._session._client._client._sock_close()  # as a network that drops it
        await soon(lambda: box.box.app.fleet.state != "online")
        await soon(lambda: "hung up" in box.box.app.fleet.why)
        await soon(lambda: "certificate verify failed" in fleet.broker.log)
        page = await fleet.app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))
        assert [row.name for row in page.items] == ["kiel/b2"]
        # It gets no other certificate for the one that was revoked, and is let in with a new token.
        with pytest.raises(Exception, match="certificate_revoked"):
            await box._membership._renew("")
        assert "was revoked" in (await view_of(box)).enrolment_why
        await enrolled(fleet, box)
        await fleet.online("kiel/b1", "kiel/b2")
        assert await certificates(fleet) == [("token", "good"), ("token", "revoked")]
        fleet.broker.kill()
        await soon(lambda: box.box.app.fleet.state != "online")
        await asyncio.to_thread(fleet.broker.start)  # with the list as it is now
        await soon(lambda: box.box.app.fleet.state == "online")


async def test_another_box_under_the_same_name_takes_its_place(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as old:
        await enrolled(fleet, old)
        await fleet.online("kiel/b1")
        (tmp_path / "other").mkdir()
        async with box_in(tmp_path / "other") as new:
            await enrolment_of(new).ask(LOCAL_ADMIN, await fleet.token("kiel", "b1"))
            await soon(lambda: enrolment_of(new).state == "enrolled")
            fleet.broker.reload()
            await soon(lambda: new.box.app.fleet.state == "online")
            await soon(lambda: "hung up" in old.box.app.fleet.why)
            assert "certificate verify failed" in fleet.broker.log
            assert new.box.app.fleet.state == "online"
        assert await certificates(fleet) == [("token", "good"), ("token", "revoked")]


async def test_a_box_that_leaves_has_nothing_left_and_may_come_back_with_a_token(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        await enrolment_of(box).forget(LOCAL_ADMIN)
        await fleet.online()
        assert files_of(tmp_path) == {"enrolment.json": 0o600}
        assert (await view_of(box)).state == "not_set_up"
        with pytest.raises(Conflict, match="asks none"):
            await enrolment_of(box).forget(LOCAL_ADMIN)
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")


async def test_of_several_brokers_the_next_is_tried(tmp_path):
    async with fleet_in(tmp_path) as fleet:
        nobody = f"mqtts://127.0.0.1:{free_port()}"
        config = msgspec.structs.replace(fleet.config.enrolment, brokers=(nobody, *fleet.config.enrolment.brokers))
        fleet.app.enrolment._config = config
        async with box_in(tmp_path) as box:
            await enrolled(fleet, box)
            assert box.box.app.fleet.brokers == config.brokers
            await fleet.online("kiel/b1")


async def test_another_hub_key_counts_after_a_renewal(tmp_path):
    from fakes.hubs import signing_in
    from modembank_fleet.wire import new_signer

    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await enrolled(fleet, box)
        await fleet.online("kiel/b1")
        await fleet.close()
        fleet.config = msgspec.structs.replace(fleet.config, signing=signing_in(tmp_path, new_signer("h3")))
        await fleet.open()
        await fleet.online("kiel/b1")
        assert [key.kid for key in enrolment_of(box).membership.hub_keys] == ["h2"]
        await box._membership._renew("")
        await soon(lambda: [key.kid for key in enrolment_of(box).membership.hub_keys] == ["h3"])
        await soon(lambda: enrolment_of(box).membership.coming is None)
        await fleet.online("kiel/b1")
        assert (await ordered(fleet, "b1", "cfg.reload")).state == "done"
