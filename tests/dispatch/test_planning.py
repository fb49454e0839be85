"""Which stages a message has: as it names them, as a rule says, else by cost."""

from dataclasses import dataclass, field

import msgspec
import pytest

from fakes.senders import Directory, NamedSim
from modembank.dispatch.planning import Planner
from modembank.dispatch.queues import Entry
from modembank.messages.model import MessageFlags, OnUnknown, QueuedMessage, Route, Stage
from modembank.messages.routes import SimNames
from modembank.providers import BANK, Channel, Rule, Sharing

OPEN, MAIL = Route(1), Route(2, channel="email")
NOW = 1_800_000_000_000  # 08:00 in UTC


class Row(msgspec.Struct):
    id: int
    sharing: Sharing


@dataclass
class Known:
    name: str
    row: Row
    channel: Channel = Channel.SMS


@dataclass
class Shelf:
    known: list[Known] = field(default_factory=list)
    rules: tuple[Rule, ...] = ()
    version: int = 0

    def add(self, name, cost=1.0, *, channel=Channel.SMS, automatic=True):
        self.known.append(Known(name, Row(len(self.known) + 1, Sharing(cost, automatic)), channel))
        self.version += 1

    def put(self, *rules):
        self.rules, self.version = rules, self.version + 1

    def named(self, name):
        return next((each for each in self.known if each.name == name), None)

    def of(self, channel):
        return [each for each in self.known if each.channel is channel]

    def user_name(self, user_id):
        return {1: "anne", 2: "bert"}.get(user_id, "")


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def plan(shelf):
    from datetime import UTC

    sims = Directory((NamedSim(7, "8944000000000000007", "shop", "slot-7"), NamedSim(8, "8944000000000000008", "shop")))
    return Planner(shelf, SimNames(sims), UTC)


def message(recipient="+447911000001", *, user=1, rank=4):
    return Entry(
        QueuedMessage(1, user, recipient, "hi", 1, MessageFlags.NONE, 1, rank, NOW + 9, None, OnUnknown.HOLD, 0, None)
    )


def test_the_bank_alone_needs_no_plan(plan, shelf):
    assert plan.stages(message(), OPEN, NOW) is None
    assert not plan.is_staged(OPEN)
    shelf.add("mailer", channel=Channel.EMAIL)
    assert plan.stages(message(), OPEN, NOW) is None


def test_by_cost_with_equals_together(plan, shelf):
    shelf.add("dear", 3)
    shelf.add("free", 0)
    shelf.add("one", 1)
    shelf.add("other", 1)
    shelf.add("hidden", 0, automatic=False)
    assert plan.stages(message(), OPEN, NOW) == (
        Stage(bank=True, providers=(2,)),
        Stage(providers=(3, 4)),
        Stage(providers=(1,)),
    )
    assert plan.is_staged(OPEN)


def test_a_channel_without_the_bank(plan, shelf):
    assert plan.stages(message("a@b.example"), MAIL, NOW) == ()
    shelf.add("mailer", channel=Channel.EMAIL)
    assert plan.stages(message("a@b.example"), MAIL, NOW) == (Stage(providers=(1,)),)


def test_a_route_that_names_some_is_left_alone(plan, shelf):
    shelf.add("alpha")
    assert plan.stages(message(), Route(3, sims=(7,)), NOW) is None
    assert plan.stages(message(), Route(4, pool="shop"), NOW) is None
    named = (Stage(providers=(1,)), Stage(bank=True))
    assert plan.stages(message(), Route(5, stages=named), NOW) == named
    assert plan.is_staged(Route(5, stages=named))
    assert not plan.is_staged(Route(6, stages=named[:1]))


def test_the_first_rule_that_fits_counts(plan, shelf):
    shelf.add("alpha", automatic=False)
    shelf.add("beta", automatic=False)
    shelf.put(Rule(("alpha", BANK), users=("bert",)), Rule(("beta", "shop", "slot-7"), prefixes=("+44",)))
    assert plan.stages(message(user=2), OPEN, NOW) == (Stage(providers=(1,)), Stage(bank=True))
    assert plan.stages(message(), OPEN, NOW) == (Stage(providers=(2,)), Stage(sims=(7, 8)))
    assert plan.stages(message("+15550100000"), OPEN, NOW) == (Stage(bank=True),)


def test_rules_are_of_one_channel(plan, shelf):
    shelf.add("mailer", channel=Channel.EMAIL)
    shelf.add("post", 2, channel=Channel.EMAIL)
    shelf.put(Rule(("post",), channel=Channel.EMAIL, domains=("clinic.example",)))
    assert plan.stages(message("a@clinic.example"), MAIL, NOW) == (Stage(providers=(2,)),)
    assert plan.stages(message("a@b.example"), MAIL, NOW) == (Stage(providers=(1,)), Stage(providers=(2,)))
    assert plan.stages(message(), OPEN, NOW) == (Stage(bank=True),)


def test_a_rule_by_the_hour_ends_for_messages_that_wait(plan, shelf):
    shelf.add("night", automatic=False)
    shelf.put(Rule(("night",), hours="07:00-08:01"))
    waiting = message()
    assert plan.stages(waiting, OPEN, NOW) == (Stage(providers=(1,)),)
    assert plan.stages(waiting, OPEN, NOW + 59_000) == (Stage(providers=(1,)),)
    assert plan.stages(waiting, OPEN, NOW + 60_000) == (Stage(bank=True),)


def test_a_change_counts_for_messages_that_wait(plan, shelf):
    shelf.add("alpha")
    waiting = message()
    before = plan.stages(waiting, OPEN, NOW)
    shelf.add("beta", 0.5)
    assert plan.stages(waiting, OPEN, NOW) != before
    assert waiting.plan is plan.stages(waiting, OPEN, NOW), "worked out once"


def test_names_that_are_gone_make_no_stage(plan, shelf):
    shelf.add("alpha")
    shelf.put(Rule(("gone", "alpha")), Rule(("gone",)))
    assert plan.stages(message(), OPEN, NOW) == (Stage(providers=(1,)),)


def test_who_can_ever_come(plan, shelf):
    for name, automatic in (("alpha", True), ("quiet", False), ("ruled", False)):
        shelf.add(name, automatic=automatic)
    shelf.put(Rule(("ruled",), prefixes=("+1",)))
    assert [plan.may_ever(OPEN, each) for each in shelf.known] == [True, False, True]
    assert [plan.may_ever(Route(3, sims=(7,)), each) for each in shelf.known] == [False] * 3
    assert [plan.may_ever(Route(5, stages=(Stage(providers=(2,)),)), each) for each in shelf.known] == [
        False,
        True,
        False,
    ]
    assert not plan.may_ever(MAIL, shelf.known[0])
