"""What boxes are to have: written, given over a group's, compared with what they say; and roll-outs."""

import json
import random

import pytest

from fakes.hubs import hub_in, signing_in
from fakes.voices import NOW, SaidBox, hears
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import to_ms
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank_fleet import wire
from modembank_fleet.wire import hash_of
from modembank_hub import rows_of_config as rows
from modembank_hub.rows_of_config import GroupRow, merged

LIMITED = {"sims": {"*": {"limits": {"per_day": 50}}}}


@pytest.fixture
async def hub(tmp_path, stored):
    async with hub_in(tmp_path, signing_in(tmp_path), store=stored) as made:
        yield made


async def stands(hub, box="b1"):
    return (await hub.app.configs.get(LOCAL_ADMIN, "leeds", box))[0]


async def says(hub, box, ver=None, st="applied", **more):
    """A box reports; its newest version, unless another is named."""
    now = await stands(hub, box.box)
    given = {"hash_": now.hash or "", "eff": now.ver or 0} | more
    await hears(hub.store, box.reported(now.ver if ver is None else ver, st, **given))


async def set_own(hub, document, box="b1", **more):
    return await hub.app.configs.set_own(LOCAL_ADMIN, "leeds", box, document, **more)


# -- one box


async def test_a_document_is_versioned_with_who_and_when(hub):
    await hub.hears_of(SaidBox())
    first = await set_own(hub, LIMITED)
    assert (first.ver, first.hash, first.actor, first.state) == (1, hash_of(LIMITED), "local", "waiting")
    assert (await set_own(hub, LIMITED)).ver == 1  # nothing new
    assert (await set_own(hub, {"profile": "lean"}, looked_at=1)).ver == 2
    with pytest.raises(Conflict, match="version 2, no more at 1"):
        await set_own(hub, {}, looked_at=1)
    page = await hub.app.configs.versions(LOCAL_ADMIN, "leeds", "b1")
    assert [(one.ver, json.loads(one.doc), one.actor) for one in page.items] == [
        (2, {"profile": "lean"}, "local"), (1, LIMITED, "local"),
    ]  # fmt: skip
    assert (await hub.app.configs.versions(LOCAL_ADMIN, "leeds", "b1", limit=1)).cursor == "2"
    kept = await hub.app.audit.list(LOCAL_ADMIN)
    assert [entry.action for entry in kept.items] == ["config.set"] * 3


async def test_what_is_wrong_is_said_before_anything_is_kept(hub):
    await hub.hears_of(SaidBox())
    with pytest.raises(InvalidRequest) as refused:
        await set_own(hub, {"pin": 1, "sims": {"*": {"limits": {"per_day": "many"}}}})
    assert [one.pointer for one in refused.value.problems] == ["/doc/pin", "/doc/sims/*/limits/per_day"]
    with pytest.raises(InvalidRequest):
        await set_own(hub, {"sims": {"*": {"label": "x" * 65}}})
    with pytest.raises(NotFound):
        await set_own(hub, {}, box="b9")
    assert (await stands(hub)).state == "none"


async def test_without_a_key_nothing_can_be_set(tmp_path):
    async with hub_in(tmp_path) as hub:
        await hub.hears_of(SaidBox())
        with pytest.raises(Conflict, match="no key"):
            await set_own(hub, LIMITED)


async def test_what_a_box_says_counts_in_its_order(hub):
    box = SaidBox()
    await hub.hears_of(box)
    await set_own(hub, LIMITED)
    late = box.reported(1, "pending", hash_of(LIMITED))
    await says(hub, box, st="applied")
    await hears(hub.store, late)  # another worker had it
    now = await stands(hub)
    assert (now.state, now.publish_at, now.ended) == ("applied", None, "applied")
    error = {"path": "profile", "code": "site_owned", "detail": "no"}
    await set_own(hub, {"profile": "lean"})
    await says(hub, box, st="rejected", eff=1, errs=[error], local=["sims.x.label"])
    now = await stands(hub)
    assert (now.state, json.loads(now.errors), json.loads(now.local)) == ("rejected", [error], ["sims.x.label"])
    assert [row.name for row in (await hub.app.configs.listed(LOCAL_ADMIN, behind=True)).items] == ["leeds/b1"]
    await set_own(hub, LIMITED)
    await says(hub, box)
    assert (await hub.app.configs.listed(LOCAL_ADMIN, behind=True)).items == []


async def test_what_a_box_does_not_have_is_due_at_its_birth_and_by_the_clock(hub):
    box = SaidBox()
    await hub.hears_of(box)
    await set_own(hub, LIMITED)
    await says(hub, box)
    await hears(hub.store, box.birth())
    assert (await stands(hub)).publish_at is None  # it has it
    await says(hub, box, ver=0, hash_="")  # it was reset
    assert (await stands(hub)).publish_at == NOW
    await hub.store.write(lambda conn: rows.note_published(conn, 1, 1, NOW, sent=True))
    assert (await stands(hub)).publish_at == NOW + rows.AGAIN_MS
    await hears(hub.store, box.birth(), now=NOW + 5)
    assert (await stands(hub)).publish_at == NOW + 5
    await hub.store.write(lambda conn: conn.execute("UPDATE config_boxes SET publish_at = NULL").rowcount)
    await hub.app.configs.compare()
    assert (await stands(hub)).publish_at is not None


async def test_no_box_can_leave_no_room_for_a_later_one(hub):
    box = SaidBox()
    await hub.hears_of(box)
    await set_own(hub, LIMITED)
    await hears(hub.store, box.reported(2**60, "applied", "another"))  # kept apart: it is none
    assert (await stands(hub)).ver == 1
    await hears(hub.store, box.reported(2**50, "applied", "another"))
    assert (await stands(hub)).ver == 2**50 + 1
    wire.decode(wire.CfgDesired, wire.desired(LIMITED, ver=2**50 + 1, ep="k3f9", by="x", at=0.0))


@pytest.mark.parametrize("ver", [1, 7])
async def test_a_box_that_has_a_later_one_is_given_ours_above_it(hub, ver):
    """Of a hub before, or of this one before it was restored from a backup."""
    box = SaidBox()
    await hub.hears_of(box)
    await set_own(hub, LIMITED)
    await says(hub, box, ver=ver, hash_="another")
    now = await stands(hub)
    assert (now.ver, now.hash, now.actor, now.state) == (ver + 1, hash_of(LIMITED), "hub", "waiting")
    await says(hub, box)
    assert (await stands(hub)).state == "applied"


async def test_the_first_version_goes_above_what_a_box_has(hub):
    box = SaidBox()
    await hub.hears_of(box)
    await hears(hub.store, box.reported(41, "applied", "another"))
    assert (await stands(hub)).state == "none"
    assert (await set_own(hub, LIMITED)).ver == 42


def test_a_boxs_own_document_lies_over_its_groups():
    group = {"profile": "lean", "quiet_hours": {"from": "21:00", "to": "08:00"}, **LIMITED}
    own = {"quiet_hours": {"from": "22:00", "to": "07:00", "exempt_priority": 8}, "sims": {"*": {"label": "x"}}}
    assert merged(group, own) == {
        "profile": "lean",
        "quiet_hours": own["quiet_hours"],
        "sims": {"*": {"label": "x", "limits": {"per_day": 50}}},
    }
    assert merged(group, {}) == group
    assert merged({}, own) == own


# -- groups


@pytest.mark.parametrize(
    ("pattern", "name", "label", "has"),
    [
        ("leeds/*", "leeds/b1", "", True),
        ("leeds/*", "turin/b1", "", False),
        ("*/b1", "turin/b1", "", True),
        ("*/b[12]", "turin/b3", "", False),
        ("label:*cellar*", "turin/b3", "Cellar of Turin", True),
        ("label:*cellar*", "turin/b3", "", False),
    ],
)
def test_a_pattern_says_who_belongs_to_a_group(pattern, name, label, has):
    assert GroupRow(1, "g", pattern, 0, 1, "{}", "", 0).has(name, label) is has


async def test_a_group_is_written_and_changed_and_deleted(hub):
    await hub.hears_of(SaidBox(), SaidBox(box="b2", ep="zz01"), SaidBox(site="turin", ep="zz02"))
    configs = hub.app.configs
    made = await configs.set_group(LOCAL_ADMIN, "cellars", "leeds/*", LIMITED)
    assert (await configs.group(LOCAL_ADMIN, "cellars")) == (made, ["leeds/b1", "leeds/b2"])
    same = await configs.set_group(LOCAL_ADMIN, "cellars", "*/b1", LIMITED, looked_at=made.revision)
    assert same.revision == made.revision
    new = await configs.set_group(LOCAL_ADMIN, "cellars", "*/b1", {"profile": "lean"}, looked_at=made.revision)
    assert new.revision > made.revision
    with pytest.raises(Conflict):
        await configs.set_group(LOCAL_ADMIN, "cellars", "*/b1", {}, looked_at=made.revision)
    assert (await stands(hub)).state == "none"  # nothing was rolled out
    await configs.delete_group(LOCAL_ADMIN, "cellars")
    with pytest.raises(NotFound):
        await configs.group(LOCAL_ADMIN, "cellars")
    for name, pattern, document, pointer in (
        ("Cellars", "leeds/*", {}, "/name"),
        ("c", "leeds", {}, "/pattern"),
        ("c", "label: ", {}, "/pattern"),
        ("c", "leeds/*", {"x": 1}, "/doc/x"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await configs.set_group(LOCAL_ADMIN, name, pattern, document)
        assert refused.value.problems[0].pointer == pointer


# -- roll-outs


class Fleet:
    """Boxes of one group that say what they are told to say."""

    def __init__(self, hub, boxes):
        self.hub, self.boxes, self.id = hub, {box.box: box for box in boxes}, 0

    async def begin(self, document=None, **more):
        await self.hub.app.configs.set_group(LOCAL_ADMIN, "all", "leeds/*", document or LIMITED)
        begun = await self.hub.app.rollouts.begin(LOCAL_ADMIN, "all", **more)
        self.id = begun.row.id
        return begun

    async def now(self):
        await self.hub.app.rollouts.advance()
        return await self.hub.app.rollouts.get(LOCAL_ADMIN, self.id)

    async def given(self):
        """Return the boxes that are to have it and have said nothing."""
        return [box.box for box in (await self.now()).boxes if box.ver is not None and not box.outcome]

    async def say(self, names, st):
        for name in names:
            await says(self.hub, self.boxes[name], st=st)
        return await self.now()


@pytest.fixture
async def fleet(hub):
    boxes = [SaidBox(box=f"b{n}", ep=f"ep{n:04d}") for n in range(10)]
    await hub.hears_of(*boxes)
    return Fleet(hub, boxes)


async def test_a_share_goes_first_then_the_rest(fleet):
    begun = await fleet.begin(steps=[10, 50, 100])
    assert (begun.row.state, begun.counts) == ("running", (10, 1, 0, 0, 1))
    assert (await fleet.now()).counts.given == 1  # the rest waits
    assert (await fleet.say(await fleet.given(), "applied")).counts == (10, 5, 1, 0, 4)
    assert (await fleet.say(await fleet.given(), "applied")).counts == (10, 10, 5, 0, 5)
    done = await fleet.say(await fleet.given(), "applied")
    assert (done.row.state, done.counts.applied, done.row.ended_at is not None) == ("done", 10, True)
    assert {(await stands(fleet.hub, name)).group_rev for name in fleet.boxes} == {done.row.revision}


async def test_it_stops_where_too_many_fail_and_gives_it_to_nobody_else(fleet):
    await fleet.begin(steps=[50, 100], limit_percent=40)
    names = await fleet.given()
    assert len(names) == 5
    assert (await fleet.say(names[:1], "rolled_back")).row.state == "running"  # 20 %
    stopped = await fleet.say(names[1:2], "rejected")
    assert (stopped.row.state, stopped.row.why) == ("stopped", "2 of 5 boxes rejected it or rolled it back")
    after = await fleet.say(names[2:], "applied")
    assert (after.row.state, after.counts.given) == ("stopped", 5)
    with pytest.raises(Conflict, match="has boxes of all"):
        await fleet.begin()


async def test_who_lets_it_go_on_knows_of_those_that_failed(fleet):
    await fleet.begin(steps=[50, 100], limit_percent=20)
    names = await fleet.given()
    await fleet.say(names[1:], "applied")
    assert (await fleet.say(names[:1], "rejected")).row.state == "stopped"
    again = await fleet.hub.app.rollouts.go_on(LOCAL_ADMIN, fleet.id)
    assert (again.row.state, again.counts.given) == ("running", 10)
    assert (await fleet.say(await fleet.given(), "applied")).row.state == "done"


async def test_it_is_paused_and_goes_on_and_is_aborted(fleet):
    rollouts = fleet.hub.app.rollouts
    await fleet.begin()
    await rollouts.pause(LOCAL_ADMIN, fleet.id)
    (first,) = await fleet.given()
    assert (await fleet.say([first], "applied")).counts.given == 1
    with pytest.raises(Conflict, match="the roll-out is paused"):
        await rollouts.pause(LOCAL_ADMIN, fleet.id)
    assert (await rollouts.go_on(LOCAL_ADMIN, fleet.id)).counts.given == 10
    ended = await rollouts.abort(LOCAL_ADMIN, fleet.id)
    assert (ended.row.state, ended.counts.given) == ("aborted", 10)
    for order in (rollouts.go_on, rollouts.pause, rollouts.abort):
        with pytest.raises(Conflict):
            await order(LOCAL_ADMIN, fleet.id)
    kept = await fleet.hub.app.audit.list(LOCAL_ADMIN)
    assert [entry.action for entry in kept.items][:4] == [
        "rollout.abort", "rollout.continue", "rollout.pause", "rollout.begin",
    ]  # fmt: skip


async def test_silent_boxes_hold_it_up_only_for_so_long(fleet):
    await fleet.begin(steps=[20, 100], wait_s=600)
    one, other = await fleet.given()
    assert (await fleet.say([one], "applied")).counts.given == 2
    await later(fleet)
    assert (await fleet.now()).counts.given == 10
    await later(fleet)
    stopped = await fleet.now()
    assert (stopped.row.state, stopped.row.why) == ("stopped", "none of the 8 boxes of step 2 has taken it")
    await fleet.hub.app.rollouts.go_on(LOCAL_ADMIN, fleet.id)
    assert (await fleet.say(await fleet.given(), "applied")).row.state == "done"
    assert other


async def later(fleet):
    """Let the step have begun an hour ago."""
    await fleet.hub.store.write(lambda conn: conn.execute("UPDATE rollouts SET step_at = step_at - 3600000").rowcount)


async def test_a_box_with_a_document_of_its_own_keeps_it(fleet):
    await set_own(fleet.hub, {"sims": {"*": {"limits": {"per_day": 7}, "label": "own"}}}, box="b3")
    await fleet.begin({"profile": "lean", **LIMITED}, steps=[100])
    assert json.loads((await stands(fleet.hub, "b3")).doc) == {
        "profile": "lean", "sims": {"*": {"limits": {"per_day": 7}, "label": "own"}},
    }  # fmt: skip
    await set_own(fleet.hub, {}, box="b3")
    assert json.loads((await stands(fleet.hub, "b3")).doc) == {"profile": "lean", **LIMITED}
    row = next(box for box in (await fleet.now()).boxes if box.box == "b3")
    assert row.outcome == "superseded"


async def test_a_box_that_is_new_gets_what_its_group_has(fleet):
    await fleet.begin(steps=[100])
    await fleet.hub.hears_of(SaidBox(box="early", ep="ep9998"))
    await fleet.hub.app.rollouts.welcome()
    assert (await stands(fleet.hub, "early")).state == "none"  # it has not proved itself yet
    await fleet.say(await fleet.given(), "applied")
    await fleet.hub.hears_of(SaidBox(box="late", ep="ep9999"), SaidBox(site="turin", ep="ep9997"))
    await fleet.hub.app.rollouts.welcome()
    now = await stands(fleet.hub, "late")
    assert (json.loads(now.doc), now.actor, now.state) == (LIMITED, "hub", "waiting")
    assert (await fleet.hub.app.configs.get(LOCAL_ADMIN, "turin", "b1"))[0].state == "none"


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"steps": [10]}, "/steps"),
        ({"steps": []}, "/steps"),
        ({"steps": [50, 10, 100]}, "/steps"),
        ({"steps": [0, 100]}, "/steps"),
        ({"limit_percent": 0}, "/limit_percent"),
        ({"wait_s": 1}, "/wait_s"),
    ],
)
async def test_what_no_roll_out_can_be_is_said(fleet, given, pointer):
    with pytest.raises(InvalidRequest) as refused:
        await fleet.begin(**given)
    assert refused.value.problems[0].pointer == pointer


async def test_a_group_without_boxes_is_not_rolled_out(hub):
    await hub.app.configs.set_group(LOCAL_ADMIN, "all", "leeds/*", LIMITED)
    with pytest.raises(Conflict, match="no box belongs to all"):
        await hub.app.rollouts.begin(LOCAL_ADMIN, "all")


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_boxes_say_no_step_is_begun_beyond_the_limit(fleet, seed):
    """A share at or above the limit is never followed by another box; each roll-out comes to an end or stops."""
    dice = random.Random(seed)
    limit = dice.choice([10, 25, 50, 100])
    await fleet.begin(steps=dice.choice([[10, 100], [30, 60, 100], [100]]), limit_percent=limit)
    before = await fleet.now()
    for _ in range(60):
        waiting = await fleet.given()
        if not waiting:
            break
        st = dice.choices(["applied", "rejected", "rolled_back", "pending"], [6, 1, 1, 2])[0]
        now = await fleet.say([dice.choice(waiting)], st)
        if now.counts.given > before.counts.given:
            assert now.counts.failed * 100 < limit * before.counts.given or not now.counts.failed
        if now.row.state == "stopped":
            assert now.counts.failed * 100 >= limit * now.counts.given
            break
        before = now
    last = await fleet.now()
    assert last.row.state in {"done", "stopped"} or await fleet.given()
    assert to_ms(fleet.hub.app.clock.now()) >= last.row.at
