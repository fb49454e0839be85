"""Keys: where they may be used from, and that nobody makes one that is more than its own."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.guards import HandClock, guarded
from modembank.accounts import LOCAL_ADMIN, ROLE_SCOPES, Accounts, Actor, Role, Scope, Unauthorized
from modembank.accounts.networks import all_within, lies_in, plain_address, read_networks
from modembank.accounts.service import CACHE_S
from modembank.errors import Forbidden, InvalidRequest


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def accounts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Accounts]:
    async with guarded(tmp_path / "box.db", clock) as accounts:
        yield accounts


async def holder(accounts: Accounts, *scopes: Scope, source: str = "192.0.2.7", **bounds: object) -> Actor:
    """Ann, with a key that an admin made for her."""
    _, text = await accounts.add_key(LOCAL_ADMIN, "ann", scopes=scopes or None, **bounds)  # type: ignore[arg-type]
    return await accounts.authenticate(text, source)


@pytest.mark.parametrize("source", ["192.0.2.1", "192.0.2.255", "::ffff:192.0.2.9", "2001:db8::5"])
async def test_s10_a_key_works_from_its_networks_cold_and_warm(accounts: Accounts, source: str) -> None:
    networks = ["192.0.2.0/24", "2001:db8::/64"]
    key, text = await accounts.add_key(LOCAL_ADMIN, "ann", networks=networks)
    assert key.networks == tuple(networks)
    for _ in range(3):
        assert (await accounts.authenticate(text, source)).name == "ann"


@pytest.mark.parametrize("source", ["192.0.3.1", "::ffff:192.0.3.9", "2001:db8:1::5", "", "local", "::1", "127.0.0.1"])
async def test_s10_and_from_nowhere_else_without_a_word_of_where(
    accounts: Accounts, clock: HandClock, source: str
) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "ann", networks=["192.0.2.0/24", "2001:db8::/64"])
    for warm in (False, True, True):
        with pytest.raises(Unauthorized) as caught:
            await accounts.authenticate(text, source)
        assert "192.0.2" not in str(caught.value)
        assert "2001" not in str(caught.value)
        if not warm:
            await accounts.authenticate(text, "192.0.2.7")
    clock.turn(CACHE_S * 2)
    with pytest.raises(Unauthorized):
        await accounts.authenticate(text, source)


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "192.0.2.1/24", "192.0.2.0/33", "::ffff:192.0.2.0/120", "fe80::1%eth0", "1", "192.0.2.0/24 ", "٣.0.0.1"],
)
def test_s10_what_is_no_network_is_named(wrong: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_networks(["192.0.2.0/24", wrong])
    assert [problem.pointer for problem in caught.value.problems] == ["/networks/1"]


def test_s10_networks_are_bounded_and_kept_once() -> None:
    assert read_networks(["192.0.2.7", "192.0.2.7/32", "2001:DB8::/32"]) == ("192.0.2.7/32", "2001:db8::/32")
    with pytest.raises(InvalidRequest, match="at most 50"):
        read_networks(f"10.0.{n}.0/24" for n in range(51))


@given(st.ip_addresses(), st.integers(0, 128))
def test_s10_an_address_lies_in_each_network_around_it(address: ipaddress.IPv4Address, length: int) -> None:
    plain = plain_address(str(address))
    assert plain is not None
    network = str(ipaddress.ip_network(f"{plain}/{min(length, plain.max_prefixlen)}", strict=False))
    assert lies_in(str(address), [network])
    assert all_within([network], [network])
    assert all_within([str(plain)], [network])


@given(st.text(max_size=20))
def test_s10_any_text_is_an_address_or_lies_nowhere(text: str) -> None:
    if plain_address(text) is None:
        assert not lies_in(text, ["0.0.0.0/0", "::/0"])


def test_s10_networks_of_two_kinds_hold_nothing_of_each_other() -> None:
    assert not all_within(["10.0.0.0/8"], ["::/0"])
    assert not all_within(["2001:db8::/32"], ["0.0.0.0/0"])
    assert not all_within(["10.0.0.0/8"], ["10.0.0.0/9", "10.128.0.0/9"])  # none holds it whole


async def test_s10_a_sender_makes_keys_for_itself_with_what_its_own_has(accounts: Accounts) -> None:
    ann = await holder(accounts, Scope.MESSAGES_SEND, Scope.MESSAGES_READ)
    key, text = await accounts.add_key(ann, "ann", label="till")
    assert key.scopes == {Scope.MESSAGES_SEND, Scope.MESSAGES_READ}
    assert (await accounts.authenticate(text)).scopes == key.scopes
    key, _ = await accounts.add_key(ann, "Ann", scopes=[Scope.MESSAGES_READ])
    assert key.scopes == {Scope.MESSAGES_READ}
    assert len(await accounts.keys(ann)) == 3


@pytest.mark.parametrize("scope", sorted(set(Scope) - {Scope.MESSAGES_READ}))
async def test_s10_no_scope_beyond_ones_own(accounts: Accounts, scope: Scope) -> None:
    ann = await holder(accounts, Scope.MESSAGES_READ)
    with pytest.raises(InvalidRequest) as caught:
        await accounts.add_key(ann, "ann", scopes=[Scope.MESSAGES_READ, scope])
    assert caught.value.problems[0].pointer == "/scopes"


async def test_s10_no_other_user_and_no_admin_by_a_narrow_key(accounts: Accounts) -> None:
    ann = await holder(accounts)
    for name in ("ada", "nobody"):
        with pytest.raises(Forbidden):  # the same for one that is not there
            await accounts.add_key(ann, name)
    _, text = await accounts.add_key(LOCAL_ADMIN, "ada", scopes=[Scope.MODEMS])
    narrow = await accounts.authenticate(text)
    with pytest.raises(Forbidden):
        await accounts.add_key(narrow, "ann")
    with pytest.raises(InvalidRequest):
        await accounts.add_key(narrow, "ada", scopes=[Scope.ADMIN])
    key, _ = await accounts.add_key(narrow, "ada")
    assert key.scopes == {Scope.MODEMS}


async def test_s10_networks_and_end_are_inherited_and_only_narrowed(accounts: Accounts, clock: HandClock) -> None:
    ends = clock.ms + 3_600_000
    ann = await holder(accounts, networks=["192.0.2.0/24"], expires_at=ends)
    key, _ = await accounts.add_key(ann, "ann")
    assert (key.networks, key.expires_at) == (("192.0.2.0/24",), ends)
    key, _ = await accounts.add_key(ann, "ann", networks=["192.0.2.128/25"], expires_at=ends - 1)
    assert (key.networks, key.expires_at) == (("192.0.2.128/25",), ends - 1)
    for wider in ({"networks": ["192.0.0.0/16"]}, {"networks": ["192.0.2.0/25", "::/0"]}, {"expires_at": ends + 1}):
        with pytest.raises(InvalidRequest):
            await accounts.add_key(ann, "ann", **wider)  # type: ignore[arg-type]


async def test_s10_a_key_that_has_ended_or_a_label_of_lines_is_not_made(accounts: Accounts, clock: HandClock) -> None:
    for pointer, wrong in (
        ("/expires_at", {"expires_at": clock.ms}),
        ("/label", {"label": "two\nlines"}),
        ("/label", {"label": "x" * 101}),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await accounts.add_key(LOCAL_ADMIN, "ann", **wrong)  # type: ignore[arg-type]
        assert caught.value.problems[0].pointer == pointer
    assert await accounts.keys(LOCAL_ADMIN) == []


async def test_an_admin_makes_keys_for_anybody_within_the_role(accounts: Accounts) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "ada", networks=["192.0.2.0/24"])
    ada = await accounts.authenticate(text, "192.0.2.1")
    key, _ = await accounts.add_key(ada, "ann")
    assert (key.scopes, key.networks) == (ROLE_SCOPES[Role.SENDER], ())


async def test_quotas_are_set_and_shown_with_what_is_used(accounts: Accounts) -> None:
    changed = await accounts.quotas.change(LOCAL_ADMIN, "ANN", per_day=100)
    assert (changed.user, changed.usage.quota_per_day, changed.usage.quota_per_month) == ("ann", 100, 0)
    changed = await accounts.quotas.change(LOCAL_ADMIN, "ann", per_month=900)
    assert (changed.usage.quota_per_day, changed.usage.quota_per_month) == (100, 900)
    ann = await holder(accounts)
    assert (await accounts.quotas.own(ann)).quota_per_month == 900
    assert [one.user for one in await accounts.quotas.list(LOCAL_ADMIN)] == ["ada", "ann"]
    for attempt in (accounts.quotas.list(ann), accounts.quotas.change(ann, "ann", per_day=0)):
        with pytest.raises(Forbidden):
            await attempt
    for wrong in ({"per_day": -1}, {"per_month": 1 << 60}):
        with pytest.raises(InvalidRequest):
            await accounts.quotas.change(LOCAL_ADMIN, "ann", **wrong)
