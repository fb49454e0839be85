"""Tokens and certificates at the hub: each used once, the same answer for the same key, and all the bad inputs."""

from __future__ import annotations

import hashlib
import stat

import msgspec
import pytest
from cryptography import x509

from fakes.hubs import ENROLS, SIGNER, hub_in, signing_in
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.clock import SystemClock
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.fleet.token import read_token
from modembank_fleet import credentials
from modembank_fleet.authority import new_authority, pem_of, read_request
from modembank_fleet.wire.enrolment import EnrolRequest, RenewRequest
from modembank_hub import rows_of_commands, rows_of_config
from modembank_hub import rows_of_enrolment as rows
from modembank_hub.enrolment import MOST_GOOD, EnrolmentRefused, TooManyTries

SOURCE = "192.0.2.7"
HOUR_MS = 3_600_000


class Turned(SystemClock):
    """A clock that a test sets ahead."""

    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s


@pytest.fixture
async def hub(tmp_path, stored):
    async with hub_in(tmp_path, signing_in(tmp_path), ENROLS, store=stored) as made:
        made.app.enrolment._clock = made.clock = Turned()
        made.given = made.app.enrolment
        yield made


async def token(hub, site="kiel", box="b1", hours=None):
    return read_token((await hub.given.make_token(LOCAL_ADMIN, site, box, hours))[1])


def wanted(made, key, box="b1"):
    return EnrolRequest(token=made.secret.hex(), csr=credentials.request(key, box), box=box)


async def refused(asking):
    with pytest.raises(EnrolmentRefused) as caught:
        await asking
    return caught.value.fields["code"], str(caught.value)


def renewal(certificate, old, new, **changes):
    csr = credentials.request(new, "b1")
    said = RenewRequest(certificate=certificate, csr=csr, proof=credentials.proof(old, csr))
    return msgspec.structs.replace(said, **changes)


# -- tokens


async def test_a_token_carries_where_whom_to_believe_and_a_secret_that_is_not_kept(hub, tmp_path):
    row, text = await hub.given.make_token(LOCAL_ADMIN, "kiel", "b1")
    made = read_token(text)
    assert made.address == "https://hub.test:8443"
    assert made.fingerprint == credentials.fingerprint((tmp_path / "ca/ca.crt").read_bytes())
    assert len(made.secret) == 16
    assert row.ends_at - row.made_at == 24 * HOUR_MS
    stored = await hub.store.fetch_one("SELECT digest FROM enrolment_tokens")
    assert stored == (hashlib.sha256(made.secret).digest(),)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("*.sqlite3*"))
    assert made.secret not in kept
    assert made.secret.hex().encode() not in kept
    assert text.encode() not in kept


async def test_two_tokens_are_never_the_same(hub):
    assert len({(await token(hub)).secret for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("site", "box", "hours", "pointers"),
    [
        ("", "b1", None, ["/site"]),
        ("Kiel", "b1", None, ["/site"]),
        ("kiel", "b/1", None, ["/box"]),
        ("_fleet", "+", None, ["/site", "/box"]),
        ("kiel", "b" * 33, None, ["/box"]),
        ("kiel", "b1", 0, ["/hours"]),
        ("kiel", "b1", 721, ["/hours"]),
        ("kiel", "b1", float("nan"), ["/hours"]),
        ("kiel", "b1", float("inf"), ["/hours"]),
    ],
)
async def test_what_is_wrong_with_a_token_to_be_is_named(hub, site, box, hours, pointers):
    with pytest.raises(InvalidRequest) as caught:
        await hub.given.make_token(LOCAL_ADMIN, site, box, hours)
    assert [problem.pointer for problem in caught.value.problems] == pointers


async def test_tokens_are_for_admins(hub):
    await hub.app.accounts.add_user(LOCAL_ADMIN, "sam", Role.SENDER)
    actor = msgspec.structs.replace(LOCAL_ADMIN, name="sam", role=Role.SENDER, scopes=frozenset({Scope.MODEMS}))
    for call in (
        hub.given.make_token(actor, "kiel", "b1"),
        hub.given.tokens(actor),
        hub.given.withdraw_token(actor, 1),
        hub.given.revoke(actor, "kiel", "b1"),
    ):
        with pytest.raises(Forbidden):
            await call


async def test_a_hub_without_an_address_enrols_nobody(tmp_path):
    async with hub_in(tmp_path) as hub:
        assert hub.app.enrolment.authority is None
        with pytest.raises(Conflict, match=r"\[enrolment\] address"):
            await hub.app.enrolment.make_token(LOCAL_ADMIN, "kiel", "b1")
        assert not (tmp_path / "ca").exists()
        await hub.app.enrolment.write_list()
        assert hub.app.enrolment.crl_why == ""


async def test_a_withdrawn_token_counts_no_more(hub):
    row, text = await hub.given.make_token(LOCAL_ADMIN, "kiel", "b1")
    assert (await hub.given.withdraw_token(LOCAL_ADMIN, row.n)).state(0) == "withdrawn"
    assert (await refused(hub.given.enrol(wanted(read_token(text), credentials.new_key()), SOURCE)))[0] == (
        "token_withdrawn"
    )
    with pytest.raises(Conflict, match="withdrawn already"):
        await hub.given.withdraw_token(LOCAL_ADMIN, row.n)
    with pytest.raises(NotFound):
        await hub.given.withdraw_token(LOCAL_ADMIN, 99)


async def test_lists_go_on_where_they_ended(hub):
    for _ in range(5):
        await token(hub, box="")
    first = await hub.given.tokens(LOCAL_ADMIN, limit=3)
    rest = await hub.given.tokens(LOCAL_ADMIN, cursor=first.cursor, limit=3)
    assert [row.n for row in first.tokens + rest.tokens] == [5, 4, 3, 2, 1]
    assert rest.cursor is None


# -- a certificate for a token


async def test_a_box_gets_everything_that_it_needs(hub):
    key = credentials.new_key()
    said = await hub.given.enrol(wanted(await token(hub), key), SOURCE)
    assert (said.site, said.box, said.brokers) == ("kiel", "b1", ENROLS.brokers)
    assert [(one.kid, one.public) for one in said.hub_keys] == [("h2", SIGNER.public.written)]
    assert said.authority == said.broker_ca == hub.given.authority.pem.decode()
    assert said.renew_before_s == pytest.approx(30 * 86_400)
    assert credentials.check(said.certificate, key, said.authority).common_name == "kiel/b1"
    (entry,) = await hub.store.fetch_all(
        "SELECT actor, user_id, source, subject FROM audit WHERE action = 'enrolment.certificate'"
    )
    assert entry == ("box", 0, SOURCE, "kiel/b1")


async def test_the_broker_may_be_of_another_authority(hub, tmp_path):
    other = new_authority("Public")[0].pem
    (tmp_path / "public.pem").write_bytes(other)
    hub.given._config = msgspec.structs.replace(ENROLS, broker_ca=str(tmp_path / "public.pem"))
    said = await hub.given.enrol(wanted(await token(hub), credentials.new_key()), SOURCE)
    assert said.broker_ca == other.decode()
    assert said.authority != said.broker_ca


async def test_the_same_token_and_key_get_the_same_answer_and_another_key_none(hub):
    made, key = await token(hub, hours=1), credentials.new_key()
    first = await hub.given.enrol(wanted(made, key), SOURCE)
    assert await hub.given.enrol(wanted(made, key), "198.51.100.1") == first
    hub.clock.ahead_s = 2 * 3600  # after its end too: the answer may have been lost
    assert await hub.given.enrol(wanted(made, key), SOURCE) == first
    code, why = await refused(hub.given.enrol(wanted(made, credentials.new_key()), SOURCE))
    assert code == "token_used"
    assert "by kiel/b1" in why
    assert await hub.store.fetch_one("SELECT count(*) FROM certificates") == (1,)
    hub.clock.ahead_s = 91 * 86_400
    assert (await refused(hub.given.enrol(wanted(made, key), SOURCE)))[0] == "token_used"


async def test_the_same_answer_is_not_given_for_what_was_revoked(hub):
    made, key = await token(hub), credentials.new_key()
    await hub.given.enrol(wanted(made, key), SOURCE)
    await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1")
    assert (await refused(hub.given.enrol(wanted(made, key), SOURCE)))[0] == "token_used"


async def test_unknown_and_expired_tokens_are_refused_and_leave_a_trace(hub):
    unknown = EnrolRequest(token="0" * 32, csr=credentials.request(credentials.new_key(), "b1"))
    code, why = await refused(hub.given.enrol(unknown, SOURCE))
    assert code == "token_unknown"
    assert "another hub" in why
    made = await token(hub, hours=0.5)
    hub.clock.ahead_s = 1801
    code, why = await refused(hub.given.enrol(wanted(made, credentials.new_key()), SOURCE))
    assert code == "token_expired"
    assert "ask for a new one" in why
    traces = await hub.store.fetch_all("SELECT subject, source FROM audit WHERE action = 'enrolment.refuse'")
    assert traces == [("token_unknown", SOURCE), ("token_expired", SOURCE)]
    assert await hub.store.fetch_one("SELECT count(*) FROM certificates") == (0,)


@pytest.mark.parametrize(
    "csr", ["hello", "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----"]
)
async def test_what_is_no_request_does_not_use_the_token(hub, csr):
    made = await token(hub)
    with pytest.raises(InvalidRequest) as caught:
        await hub.given.enrol(msgspec.structs.replace(wanted(made, credentials.new_key()), csr=csr), SOURCE)
    assert caught.value.problems[0].pointer == "/csr"
    await hub.given.enrol(wanted(made, credentials.new_key()), SOURCE)


async def test_a_box_names_itself_where_the_token_leaves_that_open(hub):
    said = await hub.given.enrol(wanted(await token(hub, box=""), credentials.new_key(), "Cellar-1"), SOURCE)
    assert (said.site, said.box) == ("kiel", "cellar-1")


@pytest.mark.parametrize("name", ["", "b_1", "b" * 40, "-b", "b/1", "b\u00fc"])
async def test_what_is_no_name_is_refused_and_the_token_stays(hub, name):
    made = await token(hub, box="")
    code, why = await refused(
        hub.given.enrol(msgspec.structs.replace(wanted(made, credentials.new_key()), box=name), SOURCE)
    )
    assert code == "bad_name"
    assert "by name" in why
    assert (await hub.given.enrol(wanted(made, credentials.new_key(), "good"), SOURCE)).box == "good"


async def test_a_name_that_is_there_is_taken_only_by_a_token_for_it(hub):
    await hub.given.enrol(wanted(await token(hub), credentials.new_key()), SOURCE)
    await hears(hub.store, SaidBox("kiel", "spoke").avail())
    await token(hub, box="reserved")
    for name in ("b1", "spoke", "reserved"):
        code, why = await refused(
            hub.given.enrol(wanted(await token(hub, box=""), credentials.new_key(), name), SOURCE)
        )
        assert code == "name_taken"
        assert f"kiel/{name}" in why
    assert (await hub.given.enrol(wanted(await token(hub, "leeds", ""), credentials.new_key()), SOURCE)).site == "leeds"


async def test_a_token_for_a_name_replaces_who_had_it(hub, tmp_path):
    old, new = credentials.new_key(), credentials.new_key()
    first = await hub.given.enrol(wanted(await token(hub), old), SOURCE)
    await hub.given.enrol(wanted(await token(hub), new), SOURCE)
    page = await hub.given.certificates(LOCAL_ADMIN, ("kiel", "b1"))
    assert [(one.state(0), one.why) for one in page.certificates] == [
        ("good", ""), ("revoked", "replaced by another enrolment"),
    ]  # fmt: skip
    listed = x509.load_pem_x509_crl((tmp_path / "ca/crl.pem").read_bytes())
    serial = x509.load_pem_x509_certificate(first.certificate.encode()).serial_number
    assert [one.serial_number for one in listed] == [serial]
    assert (await refused(hub.given.renew(renewal(first.certificate, old, credentials.new_key()), SOURCE)))[0] == (
        "certificate_revoked"
    )


async def test_a_key_has_one_certificate(hub):
    key = credentials.new_key()
    await hub.given.enrol(wanted(await token(hub), key), SOURCE)
    code, why = await refused(hub.given.enrol(wanted(await token(hub, box="b2"), key, "b2"), SOURCE))
    assert code == "key_in_use"
    assert "new key" in why


async def test_one_address_is_put_off_and_another_is_not(hub):
    bad = EnrolRequest(token="0" * 32, csr=credentials.request(credentials.new_key(), "b1"))
    for _ in range(20):
        await refused(hub.given.enrol(bad, SOURCE))
    with pytest.raises(TooManyTries) as caught:
        await hub.given.enrol(bad, SOURCE)
    assert 0 < caught.value.retry_after_s <= 45
    made = await token(hub)
    with pytest.raises(TooManyTries):
        await hub.given.enrol(wanted(made, credentials.new_key()), SOURCE)
    await hub.given.enrol(wanted(made, credentials.new_key()), "198.51.100.1")
    hub.clock.ahead_s = 46
    await hub.given.enrol(wanted(await token(hub, box="b9"), credentials.new_key()), SOURCE)


async def test_what_is_right_counts_for_no_limit(hub):
    for number in range(30):
        await hub.given.enrol(wanted(await token(hub, box=f"b{number}"), credentials.new_key()), SOURCE)


# -- a certificate for the one before


async def enrolled(hub):
    key = credentials.new_key()
    return key, (await hub.given.enrol(wanted(await token(hub), key), SOURCE)).certificate


async def test_a_renewal_is_for_another_key_and_both_are_good(hub):
    key, certificate = await enrolled(hub)
    new = credentials.new_key()
    said = await hub.given.renew(renewal(certificate, key, new), SOURCE)
    facts = credentials.check(said.certificate, new, said.authority)
    assert facts.common_name == "kiel/b1"
    page = await hub.given.certificates(LOCAL_ADMIN, ("kiel", "b1"))
    assert [(one.how, one.state(0)) for one in page.certificates] == [("renewal", "good"), ("token", "good")]
    again = await hub.given.renew(renewal(certificate, key, new), SOURCE)
    assert again.certificate == said.certificate  # the answer was lost
    third = credentials.new_key()
    await hub.given.renew(renewal(said.certificate, new, third), SOURCE)


async def test_who_has_the_certificate_but_not_its_key_gets_nothing(hub):
    _, certificate = await enrolled(hub)
    thief = credentials.new_key()
    code, why = await refused(hub.given.renew(renewal(certificate, thief, thief), SOURCE))
    assert code == "bad_proof"
    assert "not signed by the key" in why
    assert await hub.store.fetch_one("SELECT count(*) FROM certificates") == (1,)


async def test_a_certificate_of_nobody_is_refused(hub):
    key, other = credentials.new_key(), new_authority("Another")[0]
    foreign = pem_of(other.certify_box(read_request(credentials.request(key, "b1")), "kiel/b1", 90))
    code, why = await refused(hub.given.renew(renewal(foreign, key, credentials.new_key()), SOURCE))
    assert code == "certificate_unknown"
    assert "with a token" in why
    with pytest.raises(InvalidRequest) as caught:
        await hub.given.renew(renewal("hello", key, credentials.new_key()), SOURCE)
    assert caught.value.problems[0].pointer == "/certificate"


async def test_one_of_ours_with_another_s_serial_is_judged_by_what_the_hub_kept(hub):
    """Only the serial counts of what is presented: the key is that of the hub's own copy."""
    _, mine = await enrolled(hub)
    assert mine
    thief, other = credentials.new_key(), new_authority("Another")[0]
    serial = x509.load_pem_x509_certificate(mine.encode()).serial_number
    real = x509.random_serial_number
    x509.random_serial_number = lambda: serial
    try:
        forged = pem_of(other.certify_box(read_request(credentials.request(thief, "b1")), "kiel/b1", 90))
    finally:
        x509.random_serial_number = real
    assert (await refused(hub.given.renew(renewal(forged, thief, credentials.new_key()), SOURCE)))[0] == "bad_proof"


async def test_an_ended_certificate_renews_nothing(hub):
    key, certificate = await enrolled(hub)
    hub.clock.ahead_s = 90 * 86_400 + 1
    code, why = await refused(hub.given.renew(renewal(certificate, key, credentials.new_key()), SOURCE))
    assert code == "certificate_expired"
    assert "enrol with a token" in why


async def test_a_key_that_is_another_box_s_is_refused(hub):
    key, certificate = await enrolled(hub)
    other = credentials.new_key()
    await hub.given.enrol(wanted(await token(hub, box="b2"), other), SOURCE)
    assert (await refused(hub.given.renew(renewal(certificate, key, other), SOURCE)))[0] == "key_in_use"
    same = await hub.given.renew(renewal(certificate, key, key), SOURCE)
    assert same.certificate == certificate  # a key has one certificate: nothing was given


async def test_a_box_that_asks_in_a_loop_is_stopped(hub):
    key, certificate = await enrolled(hub)
    for _ in range(MOST_GOOD - 1):
        await hub.given.renew(renewal(certificate, key, credentials.new_key()), SOURCE)
    code, why = await refused(hub.given.renew(renewal(certificate, key, credentials.new_key()), SOURCE))
    assert code == "too_many"
    assert "revoke it" in why


# -- shutting out


async def test_who_is_shut_out_is_on_the_list_and_heard_no_more(hub, tmp_path):
    box = SaidBox("kiel", "b1")
    key, certificate = await enrolled(hub)
    await hub.hears_of(box)
    before = (tmp_path / "ca/crl.pem").exists()
    assert await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1", "stolen") == 1
    assert not before
    path = tmp_path / "ca/crl.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    listed = x509.load_pem_x509_crl(path.read_bytes())
    assert [one.serial_number for one in listed] == [x509.load_pem_x509_certificate(certificate.encode()).serial_number]
    outcome = await hears(hub.store, box.avail(), box.birth(), box.box_tele(), box.events(3))
    assert outcome.quarantined == 4
    assert not outcome.streams
    row = await hub.app.fleet.get(LOCAL_ADMIN, "kiel", "b1")
    assert (row.standing, row.why) == ("offline", "revoked")
    out = await hub.given.shut_out(LOCAL_ADMIN, "kiel", "b1")
    assert (out.actor, out.why) == ("local", "stolen")
    assert (await refused(hub.given.renew(renewal(certificate, key, credentials.new_key()), SOURCE)))[0] == (
        "certificate_revoked"
    )
    entries = await hub.store.fetch_all("SELECT subject, detail FROM audit WHERE action = 'box.revoke'")
    assert entries == [("kiel/b1", '{"certificates":1,"reason":"stolen"}')]
    other = SaidBox("kiel", "b2")
    assert (await hears(hub.store, other.avail(), other.birth())).quarantined == 0


async def test_a_new_token_lets_it_in_again(hub):
    await enrolled(hub)
    box = SaidBox("kiel", "b1")
    await hub.hears_of(box)
    await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1")
    await enrolled(hub)
    assert await hub.given.shut_out(LOCAL_ADMIN, "kiel", "b1") is None
    box.conn += 1
    assert (await hears(hub.store, box.avail(), box.birth())).quarantined == 0
    assert (await hub.app.fleet.get(LOCAL_ADMIN, "kiel", "b1")).standing == "online"


async def test_its_commands_end_and_nothing_more_is_due_for_it(hub):
    box, other = SaidBox("kiel", "b1"), SaidBox("kiel", "b2")
    await hub.hears_of(box, other)
    await hears(hub.store, box.reported(), other.reported())
    given = [await hub.app.orders.give(LOCAL_ADMIN, "kiel", name, "ping", {}) for name in ("b1", "b2")]
    for name in ("b1", "b2"):
        await hub.app.configs.set_own(LOCAL_ADMIN, "kiel", name, {"profile": "lean"})
    await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1")
    states = [(await hub.app.orders.get(LOCAL_ADMIN, one.id)) for one in given]
    assert [(one.state, one.code) for one in states] == [("cancelled", "revoked"), ("waiting", "")]
    far = 2**52
    due = await hub.store.read(lambda conn: rows_of_commands.due(conn, far, 10))
    assert [one.box for one in due] == ["b2"]
    due = await hub.store.read(lambda conn: rows_of_config.due(conn, far, 10))
    assert [one.box for one in due] == ["b2"]
    await hub.app.configs.compare()
    due = await hub.store.read(lambda conn: rows_of_config.due(conn, far, 10))
    assert [one.box for one in due] == ["b2"]
    with pytest.raises(Conflict, match="shut out"):
        await hub.app.orders.give(LOCAL_ADMIN, "kiel", "b1", "ping", {})


async def test_a_box_with_a_certificate_of_its_own_is_shut_out_too(tmp_path):
    async with hub_in(tmp_path) as hub:  # this hub gives none
        box = SaidBox("kiel", "b1")
        await hub.hears_of(box)
        assert await hub.app.enrolment.revoke(LOCAL_ADMIN, "kiel", "b1") == 0
        assert (await hears(hub.store, box.avail())).quarantined == 1


async def test_what_is_wrong_with_a_revocation_is_said(hub):
    with pytest.raises(NotFound):
        await hub.given.revoke(LOCAL_ADMIN, "kiel", "nobody")
    await enrolled(hub)
    for why in ("x" * 201, "two\nlines"):
        with pytest.raises(InvalidRequest) as caught:
            await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1", why)
        assert caught.value.problems[0].pointer == "/reason"
    assert await hub.given.shut_out(LOCAL_ADMIN, "kiel", "b1") is None


async def test_lists_grow_in_number_and_date_even_in_the_same_second(hub, tmp_path):
    seen = []
    for _ in range(4):
        await hub.given.write_list()
        found = x509.load_pem_x509_crl((tmp_path / "ca/crl.pem").read_bytes())
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        seen.append((number, found.last_update_utc))
    assert [number for number, _ in seen] == [1, 2, 3, 4]
    assert len({at for _, at in seen}) == 4
    assert seen == sorted(seen)
    hub.clock.ahead_s = -86_400 * 30  # the clock was set back: of two lists a broker believes the later one
    await hub.given.write_list()
    found = x509.load_pem_x509_crl((tmp_path / "ca/crl.pem").read_bytes())
    assert found.last_update_utc > seen[-1][1]


async def test_what_ended_long_ago_is_off_the_list(hub):
    await enrolled(hub)
    await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1")
    ends = (await hub.given.certificates(LOCAL_ADMIN)).certificates[0].ends_at
    assert len(await hub.store.read(lambda conn: rows.revoked(conn, ends - 1))) == 1
    assert await hub.store.read(lambda conn: rows.revoked(conn, ends)) == []


async def test_a_list_that_cannot_be_written_is_told_and_the_box_is_out_all_the_same(hub, tmp_path):
    await enrolled(hub)
    hub.given.crl = tmp_path / "no" / "such" / "crl.pem"
    await hub.given.revoke(LOCAL_ADMIN, "kiel", "b1")
    assert "cannot be written" in hub.given.crl_why
    assert await hub.given.shut_out(LOCAL_ADMIN, "kiel", "b1") is not None
    (hub.given.crl.parent).mkdir(parents=True)
    await hub.given.write_list()
    assert hub.given.crl_why == ""
