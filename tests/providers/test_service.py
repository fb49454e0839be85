"""Providers as admins make, change and remove them."""

import asyncio
import types

import msgspec
import pytest

from fakes.outboxes import TurnableClock
from modembank.accounts.model import LOCAL_ADMIN, Actor, Role
from modembank.bus import Bus
from modembank.config import ProvidersConfig
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest, NotFound
from modembank.events import ProvidersChanged
from modembank.metrics import Metrics
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Call, Change, Channel, Draft, Limits, Providers, Reply, Rule, Sharing, service
from modembank.store import Store

SENDER = Actor(7, "sam", Role.SENDER, frozenset())


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    channel: str = "sms"


class Echo:
    window = 1

    def __init__(self, settings, means):
        self.settings, self.means, self.running = settings, means, 0

    def not_ready(self):
        return None if self.running else "not running"

    async def run(self):
        self.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1

    async def called(self, call):
        return Reply(body=f"{call.method} {self.settings.url}")


def check(settings):
    if not settings.url.startswith("https:"):
        raise InvalidRequest(FieldProblem("/url", "must begin with https:"))


KIND = types.SimpleNamespace(
    NAME="echo", Settings=Settings, channel=lambda settings: Channel(settings.channel), check=check, make=Echo
)


class Sinks:
    def of(self, provider):
        return provider.name


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setattr(service, "kind_of", lambda name: KIND if name == "echo" else _none(name))


def _none(name):
    raise InvalidRequest(FieldProblem("/kind", f"is none of echo: {name}"))


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(tmp_path / "box.db")
    yield opened
    await opened.close()


@pytest.fixture
async def providers(store):
    made = await opened(store)
    yield made
    await made.stop()


async def opened(store):
    bus = Bus()
    made = Providers(store, bus, TurnableClock(), Metrics(), ProvidersConfig(public_url="https://box.example/"))
    made.changes = []
    bus.subscribe(ProvidersChanged, made.changes.append)
    await made.load()
    made.start(Sinks())
    return made


def draft(name="alpha", url="https://one", **more):
    return Draft(name, "echo", {"url": url, **more})


async def test_a_provider_is_made_runs_and_survives(providers, store):
    made = await providers.add(LOCAL_ADMIN, draft())
    await asyncio.sleep(0)
    assert made.not_ready() is None
    assert made.adapter.means.callback_url == "https://box.example/hooks/providers/alpha"
    assert made.adapter.means.sink == "alpha"
    key = providers.key
    again = await opened(store)
    found = again.named("alpha")
    assert (found.id, found.row.settings, found.channel) == (made.id, {"url": "https://one"}, Channel.SMS)
    assert again.key == key
    assert key
    await again.stop()


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (draft(name="Alpha"), "/name"),
        (draft(name="bank"), "/name"),
        (draft(name=""), "/name"),
        (draft(name="a" * 33), "/name"),
        (Draft("alpha", "pigeon", {}), "/kind"),
        (draft(url="http://one"), "/settings/url"),
        (draft(colour="red"), "/settings"),
        (Draft("alpha", "echo", {"url": 7}), "/settings/url"),
    ],
)
async def test_what_is_wrong_is_named(providers, wrong, pointer):
    with pytest.raises(InvalidRequest) as refused:
        await providers.add(LOCAL_ADMIN, wrong)
    assert [each.pointer for each in refused.value.problems] == [pointer]
    assert not providers.all()


async def test_names_are_given_once(providers):
    await providers.add(LOCAL_ADMIN, draft())
    with pytest.raises(Conflict, match="already"):
        await providers.add(LOCAL_ADMIN, draft())


async def test_only_admins(providers):
    with pytest.raises(Forbidden):
        await providers.add(SENDER, draft())
    await providers.add(LOCAL_ADMIN, draft())
    for what in (providers.enable, providers.disable, providers.remove):
        with pytest.raises(Forbidden):
            await what(SENDER, "alpha")
    with pytest.raises(Forbidden):
        await providers.change(SENDER, "alpha", Change())
    with pytest.raises(Forbidden):
        await providers.route(SENDER, [], lambda _: False)


async def test_new_settings_begin_a_new_adapter(providers):
    made = await providers.add(LOCAL_ADMIN, draft())
    await asyncio.sleep(0)
    before = made.adapter
    await providers.change(LOCAL_ADMIN, "alpha", Change({"url": "https://two"}))
    await asyncio.sleep(0)
    assert (before.running, made.adapter.running, made.adapter.settings.url) == (0, 1, "https://two")
    with pytest.raises(InvalidRequest) as refused:
        await providers.change(LOCAL_ADMIN, "alpha", Change({"url": "https://two", "channel": "email"}))
    assert refused.value.problems[0].pointer == "/settings/channel"
    assert made.adapter.running == 1


async def test_sharing_changes_without_ending_a_session(providers):
    made = await providers.add(LOCAL_ADMIN, draft())
    adapter = made.adapter
    await providers.change(LOCAL_ADMIN, "alpha", Change(sharing=Sharing(3, False, Limits(per_hour=5))))
    assert made.adapter is adapter
    assert made.ledger.limits.per_hour == 5


async def test_disabling_says_who_and_why(providers):
    made = await providers.add(LOCAL_ADMIN, draft())
    await asyncio.sleep(0)
    await providers.disable(LOCAL_ADMIN, "alpha")
    assert made.paused_reason == "local disabled it"
    await providers.disable(LOCAL_ADMIN, "alpha", "no contract")
    assert (made.paused, made.not_ready()) == (True, "no contract")
    await providers.enable(LOCAL_ADMIN, "alpha")
    assert made.not_ready() is None


async def test_removing(providers, store):
    made = await providers.add(LOCAL_ADMIN, draft())
    await providers.route(LOCAL_ADMIN, [Rule(("alpha", "bank"))], lambda _: False)
    with pytest.raises(Conflict, match="routing rule"):
        await providers.remove(LOCAL_ADMIN, "alpha")
    await providers.route(LOCAL_ADMIN, [], lambda _: False)
    await providers.remove(LOCAL_ADMIN, "alpha")
    with pytest.raises(NotFound):
        providers.find(LOCAL_ADMIN, "alpha")
    fresh = await providers.add(LOCAL_ADMIN, draft())
    assert fresh.id != made.id, "rows of before still mean the one of before"
    assert [providers.name_of(each.id) for each in (made, fresh)] == ["alpha", "alpha"]
    again = await opened(store)
    assert again.name_of(made.id) == "alpha"
    assert again.name_of(-99) == "provider 99"
    await again.stop()


async def test_every_change_is_audited_and_told(providers, store):
    await providers.add(LOCAL_ADMIN, draft())
    await providers.change(LOCAL_ADMIN, "alpha", Change(sharing=Sharing()))
    await providers.disable(LOCAL_ADMIN, "alpha")
    await providers.enable(LOCAL_ADMIN, "alpha")
    await providers.route(LOCAL_ADMIN, [Rule(("bank",))], lambda _: False)
    await providers.remove(LOCAL_ADMIN, "alpha")
    rows = await store.fetch_all("SELECT action, subject FROM audit ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("provider.create", "alpha"),
        ("provider.change", "alpha"),
        ("provider.disable", "alpha"),
        ("provider.enable", "alpha"),
        ("routing.change", "rules"),
        ("provider.remove", "alpha"),
    ]
    assert len(providers.changes) >= 6


async def test_rules_name_who_is_there(providers, store):
    await providers.add(LOCAL_ADMIN, draft())
    with pytest.raises(InvalidRequest) as refused:
        await providers.route(LOCAL_ADMIN, [Rule(("alpha", "shop", "beta"))], lambda name: name == "shop")
    assert [each.pointer for each in refused.value.problems] == ["/0/providers/2"]
    rules = [Rule(("alpha",), prefixes=("+44",), users=("sam",)), Rule(("shop",))]
    await user(store, 7, "sam")
    await providers.route(LOCAL_ADMIN, rules, lambda name: name == "shop")
    again = await opened(store)
    assert again.rules == tuple(rules)
    await again.stop()


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        (Rule(()), "/0/providers"),
        (Rule(("bank",), prefixes=("44",)), "/0/prefixes/0"),
        (Rule(("bank",), hours="8-9"), "/0/hours"),
        (Rule(("bank",), priority_from=6, priority_to=5), "/0/priority_to"),
    ],
)
async def test_a_wrong_rule_is_named_with_its_place(providers, rule, pointer):
    with pytest.raises(InvalidRequest) as refused:
        await providers.route(LOCAL_ADMIN, [rule], lambda _: False)
    assert [each.pointer for each in refused.value.problems] == [pointer]


async def user(store, user_id, name):
    query = "INSERT INTO users (id, name, role, created_at) VALUES (?, ?, 'sender', 1)"
    await store.write(lambda conn: conn.execute(query, (user_id, name)))


async def test_rules_name_users_who_are_there(providers, store):
    await user(store, 7, "sam")
    with pytest.raises(InvalidRequest) as refused:
        await providers.route(LOCAL_ADMIN, [Rule(("bank",), users=("sam", "kim"))], lambda _: False)
    assert [each.pointer for each in refused.value.problems] == ["/0/users/1"]


async def test_a_user_made_later_is_known_before_long(providers, store):
    await user(store, 8, "kim")
    version = providers.version
    assert providers.user_name(8) == ""
    while providers.version == version:
        await asyncio.sleep(0.005)
    assert providers.user_name(8) == "kim"
    assert providers.user_name(99) == ""
    await providers._reading
    assert providers.user_name(99) == ""
    assert providers._reading is None, "one that is not there is not asked for again and again"


async def test_a_message_that_nobody_would_take_says_nothing_of_a_provider(providers):
    made = await providers.add(LOCAL_ADMIN, draft())
    providers.tried(made, AttemptOutcome.REJECTED, 0.1, Cause(CauseClass.RECIPIENT, "absent", "no such number"))
    assert not made.tally.tries
    providers.tried(made, AttemptOutcome.REJECTED, 0.1, Cause(CauseClass.SIM, "credit", "no credit"))
    assert (made.tally.failures, made.tally.last_failure) == (1, "no credit")


async def test_calls_reach_the_adapter(providers):
    await providers.add(LOCAL_ADMIN, draft())
    call = Call("POST", {}, {}, b"", "127.0.0.1")
    assert (await providers.called("alpha", call)).body == "POST https://one"
    with pytest.raises(NotFound):
        await providers.called("nobody", call)


async def test_settings_of_a_kind_that_changed_are_told_not_lost(providers, store, monkeypatch):
    await providers.add(LOCAL_ADMIN, draft())
    monkeypatch.setattr(service, "kind_of", _none)
    again = await opened(store)
    found = again.named("alpha")
    assert "not understood any more" in found.not_ready()
    assert found.row.settings == {"url": "https://one"}
    await again.stop()
