"""Enrolment on the hub's pages and in its API, and what boxes find at its doorway."""

from __future__ import annotations

import json

import httpx
import pytest

from fakes.hubs import ENROLS, hub_in, signing_in
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.fleet.token import read_token
from modembank_fleet import credentials
from modembank_web.hub import create_doorway
from modembank_web.hub.doorway import OPERATIONS
from modembank_web.hub.enrolment_api import TOKENS

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def hub(tmp_path):
    async with hub_in(tmp_path, signing_in(tmp_path), ENROLS) as made:
        yield made


def door(hub, source="192.0.2.7"):
    transport = httpx.ASGITransport(create_doorway(hub.app), client=(source, 40000))
    return httpx.AsyncClient(transport=transport, base_url="https://hub.test:8443")


async def enrolled(hub, box="b1", key=None):
    """Enrol a box as it does itself."""
    text = (await hub.app.enrolment.make_token(LOCAL_ADMIN, "leeds", box))[1]
    csr = credentials.request(key or credentials.new_key(), box)
    async with door(hub) as client:
        body = {"token": read_token(text).secret.hex(), "csr": csr, "box": box}
        answer = await client.post("/enrol/v1/certificates", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- the doorway


async def test_the_doorway_shows_the_authority_and_the_list(hub):
    async with door(hub) as client:
        answer = await client.get("/enrol/v1/authority")
        assert (answer.status_code, answer.content) == (200, hub.app.enrolment.authority.pem)
        assert (await client.get("/enrol/v1/crl")).status_code == 404  # none was written yet
        await hub.app.enrolment.write_list()
        assert "BEGIN X509 CRL" in (await client.get("/enrol/v1/crl")).text


@pytest.mark.parametrize(
    "path",
    ["/", "/ui/login", "/ui/setup", "/api/v1/boxes", "/docs", "/openapi.json", "/metrics", "/healthz", "/enrol/v1"],
)
async def test_the_doorway_leads_nowhere_else(hub, path):
    key = await hub.key()
    async with door(hub) as client:
        answer = await client.get(path, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "NOT_FOUND"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_another_method_is_not_answered(hub, operation):
    async with door(hub) as client:
        for method in {"GET", "POST", "PUT", "DELETE"} - {operation.method}:
            assert (await client.request(method, operation.path)).status_code in {404, 405}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"csr": "x"}, {"/token"}),
        ({"token": "0" * 31, "csr": "x"}, {"/token"}),
        ({"token": "G" * 32, "csr": "x"}, {"/token"}),
        ({"token": "0" * 32}, {"/csr"}),
        ({"token": "0" * 32, "csr": ""}, {"/csr"}),
        ({"token": "0" * 32, "csr": "x" * 8193}, {"/csr"}),
        ({"token": "0" * 32, "csr": "hello"}, {"/csr"}),
        ({"token": "0" * 32, "csr": "x", "box": "x" * 65}, {"/box"}),
        ({"token": 7, "csr": "x"}, {"/token"}),
        ([], {""}),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(hub, body, pointers):
    async with door(hub) as client:
        answer = await client.post("/enrol/v1/certificates", json=body)
    assert answer.status_code == 422, answer.text
    assert {one["pointer"] for one in answer.json()["errors"]} == pointers


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"csr": "x", "proof": "x"}, "/certificate"),
        ({"certificate": "x", "proof": "x"}, "/csr"),
        ({"certificate": "x", "csr": "x"}, "/proof"),
        ({"certificate": "x", "csr": "x", "proof": "x" * 201}, "/proof"),
        ({"certificate": "hello", "csr": "x", "proof": "x"}, "/certificate"),
    ],
)
async def test_what_is_wrong_with_a_renewal_is_named(hub, body, pointer):
    async with door(hub) as client:
        answer = await client.post("/enrol/v1/renewals", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 5000])
async def test_what_is_no_json_is_refused(hub, content):
    async with door(hub) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/enrol/v1/certificates", content=content, headers=headers)
        assert answer.status_code == 422
        large = await client.post("/enrol/v1/certificates", content=b" " * 70_000, headers=headers)
        assert large.status_code == 413
        form = await client.post("/enrol/v1/certificates", data={"token": "x"})
        assert form.status_code == 415


async def test_a_refusal_has_its_code_and_its_words(hub):
    async with door(hub) as client:
        body = {"token": "0" * 32, "csr": credentials.request(credentials.new_key(), "b1")}
        answer = await client.post("/enrol/v1/certificates", json=body)
        assert answer.status_code == 403
        said = answer.json()
        assert (said["error_code"], said["details"]["code"]) == ("FORBIDDEN", "token_unknown")
        assert "another hub" in said["detail"]
        for _ in range(19):
            await client.post("/enrol/v1/certificates", json=body)
        answer = await client.post("/enrol/v1/certificates", json=body)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) == answer.json()["details"]["retry_after_s"] > 0
    async with door(hub, "198.51.100.9") as other:
        assert (await other.post("/enrol/v1/certificates", json=body)).status_code == 403


async def test_a_hub_that_enrols_nobody_has_an_empty_doorway(tmp_path):
    async with hub_in(tmp_path) as hub, door(hub) as client:
        assert (await client.get("/enrol/v1/authority")).status_code == 404
        body = {"token": "0" * 32, "csr": credentials.request(credentials.new_key(), "b1")}
        answer = await client.post("/enrol/v1/certificates", json=body)
        assert answer.status_code == 409


# -- the API


async def test_a_token_is_made_shown_once_used_and_listed(hub):
    async with hub.client(await hub.key()) as client:
        answer = await client.post(TOKENS, json={"site": "leeds", "box": "b1", "hours": 2})
        assert answer.status_code == 201
        made = answer.json()
        assert read_token(made["token"]).address == "https://hub.test:8443"
        assert (made["box"], made["state"], made["used_at"]) == ("leeds/b1", "open", None)
        listed = (await client.get(TOKENS)).json()["items"]
        assert listed == [{name: value for name, value in made.items() if name != "token"}]
        gone = await client.delete(f"{TOKENS}/{made['id']}")
        assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
        assert (await client.delete(f"{TOKENS}/{made['id']}")).status_code == 409
        assert (await client.delete(f"{TOKENS}/99")).status_code == 404
        assert (await client.delete(f"{TOKENS}/x")).status_code in {404, 422}
        await client.post(TOKENS, json={"site": "leeds"})
        page = (await client.get(TOKENS, params={"limit": 1})).json()
        assert page["items"][0]["box"] == "leeds/*"
        assert len((await client.get(page["next"])).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/site"),
        ({"site": "Leeds"}, "/site"),
        ({"site": "leeds", "box": "b/1"}, "/box"),
        ({"site": "leeds", "hours": 0}, "/hours"),
        ({"site": "leeds", "hours": "long"}, "/hours"),
        ({"site": "leeds", "days": 1}, "/days"),
    ],
)
async def test_what_is_wrong_with_a_token_to_be_is_named(hub, body, pointer):
    async with hub.client(await hub.key()) as client:
        answer = await client.post(TOKENS, json=body)
    assert answer.status_code == 422
    assert pointer in {one["pointer"] for one in answer.json()["errors"]} | {""} or "days" in answer.text


async def test_certificates_are_listed_and_a_box_is_shut_out(hub):
    box = SaidBox()
    await enrolled(hub)
    await enrolled(hub, "b2")
    await hub.hears_of(box)
    async with hub.client(await hub.key()) as client:
        listed = (await client.get("/api/v1/certificates")).json()["items"]
        assert [(one["box"], one["state"], one["how"]) for one in listed] == [
            ("leeds/b2", "good", "token"), ("leeds/b1", "good", "token"),
        ]  # fmt: skip
        mine = (await client.get("/api/v1/certificates", params={"box": "leeds/b1"})).json()["items"]
        assert [one["box"] for one in mine] == ["leeds/b1"]
        assert (await client.get("/api/v1/certificates", params={"box": "nobody"})).json()["items"] == []
        assert not (await client.get("/api/v1/boxes/leeds/b1")).json()["shut_out"]
        answer = await client.post("/api/v1/boxes/leeds/b1/revoke", json={"reason": "stolen"})
        assert answer.json() == {"box": "leeds/b1", "certificates": 1, "problem": ""}
        assert (await client.get("/api/v1/boxes/leeds/b1")).json()["shut_out"]
        (one,) = (await client.get("/api/v1/certificates", params={"box": "leeds/b1"})).json()["items"]
        assert (one["state"], one["revoked_by"], one["reason"]) == ("revoked", "admin", "stolen")
        assert (await client.post("/api/v1/boxes/leeds/b9/revoke", json={})).status_code == 404
        about = (await client.get("/api/v1/enrolment")).json()
        assert about["address"] == "https://hub.test:8443"
        assert about["authority"] == hub.app.enrolment.authority.pem.decode()
        assert about["fingerprint"] == credentials.fingerprint(about["authority"].encode()).hex()


async def test_who_reads_sees_certificates_and_no_tokens(hub):
    await enrolled(hub)
    async with hub.client(await hub.key(Role.ADMIN, Scope.MODEMS)) as reader:
        assert len((await reader.get("/api/v1/certificates")).json()["items"]) == 1
        assert (await reader.get("/api/v1/enrolment")).status_code == 200
        assert (await reader.get(TOKENS)).status_code == 403
        assert (await reader.post(TOKENS, json={"site": "leeds"})).status_code == 403
        assert (await reader.post("/api/v1/boxes/leeds/b1/revoke", json={})).status_code == 403


async def test_no_answer_of_the_api_has_a_token_twice(hub):
    async with hub.client(await hub.key()) as client:
        text = (await client.post(TOKENS, json={"site": "leeds"})).json()["token"]
        for path in (TOKENS, "/api/v1/audit", "/api/v1/enrolment", "/api/v1/certificates"):
            assert text not in (await client.get(path)).text
            assert read_token(text).secret.hex() not in (await client.get(path)).text


# -- the pages


async def test_the_page_makes_a_token_and_shows_it_once(hub):
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/enrolment")).text
        assert "No tokens yet" in page
        assert hub.app.enrolment.authority.fingerprint.hex(":") in page
        assert 'value="24"' in page
        made = await client.post("/ui/enrolment/tokens", data={"site": "leeds", "box": "b1", "hours": "1,5"})
        assert made.status_code == 200
        assert "mbh1_" in made.text
        page = (await client.get("/ui/enrolment")).text
        assert "leeds/b1" in page
        assert "mbh1_" not in page
        assert "Withdraw" in page
        row = (await client.post("/ui/enrolment/tokens/1/withdraw")).text
        assert "withdrawn" in row
        assert "Withdraw<" not in row


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"site": "", "box": "", "hours": ""}, "must be 1 to 32 lower-case letters"),
        ({"site": "leeds", "box": HOSTILE, "hours": ""}, "must be 1 to 32 lower-case letters"),
        ({"site": "leeds", "box": "", "hours": "soon"}, "must be a number of hours"),
        ({"site": "leeds", "box": "", "hours": "-1"}, "must be more than 0"),
    ],
)
async def test_what_is_wrong_is_shown_with_the_form(hub, form, words):
    async with hub.at_a_page() as client:
        answer = await client.post("/ui/enrolment/tokens", data=form)
        assert answer.status_code == 422
        assert words in answer.text
        assert HOSTILE not in answer.text


async def test_the_page_of_a_box_shows_its_certificates_and_shuts_it_out(hub):
    await enrolled(hub)
    await hub.hears_of(SaidBox(), SaidBox(box="b7"))
    async with hub.at_a_page() as client:
        assert "/ui/boxes/leeds/b1/certificates" in (await client.get("/ui/boxes/leeds/b1")).text
        part = (await client.get("/ui/boxes/leeds/b1/certificates")).text
        assert "good" in part
        assert "Shut it out" in part
        assert "brings one of its own" in (await client.get("/ui/boxes/leeds/b7/certificates")).text
        bad = await client.post("/ui/boxes/leeds/b1/revoke", data={"reason": "x" * 201})
        assert (bad.status_code, "at most 200 letters" in bad.text) == (422, True)
        done = await client.post("/ui/boxes/leeds/b1/revoke", data={"reason": HOSTILE})
        assert (done.status_code, done.headers["hx-redirect"]) == (204, "/ui/boxes/leeds/b1")
        part = (await client.get("/ui/boxes/leeds/b1/certificates")).text
        assert "This box is shut out" in part
        assert HOSTILE not in part
        assert "&lt;script&gt;" in part
        assert "shut out" in (await client.get("/ui/boxes/leeds/b1/now")).text
        assert "shut out" in (await client.get("/ui/fleet")).text
        page = (await client.get("/ui/enrolment/now")).text
        assert "revoked" in page
        assert HOSTILE not in page


async def test_a_list_that_cannot_be_written_is_shown(hub):
    hub.app.enrolment.crl_why = "/etc/crl.pem cannot be written: Permission denied"
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/enrolment")).text
        assert "could not be written" in page
        assert "Permission denied" in page


async def test_a_hub_that_enrols_nobody_says_so(tmp_path):
    async with hub_in(tmp_path) as hub, hub.at_a_page() as client:
        page = (await client.get("/ui/enrolment")).text
        assert "This hub enrols no boxes" in page
        assert "Make a token" not in page
        answer = await client.post("/ui/enrolment/tokens", data={"site": "leeds", "box": "", "hours": ""})
        assert (answer.status_code, "no [enrolment] address" in answer.text) == (422, True)


async def test_long_lists_go_on(hub):
    for number in range(55):
        await hub.app.enrolment.make_token(LOCAL_ADMIN, "leeds", f"b{number}")
    for number in range(52):
        await enrolled(hub, f"c{number}")
    async with hub.at_a_page() as client:
        page = (await client.get("/ui/enrolment")).text
        assert page.count("Show more") == 2
        # 107 tokens: those of the boxes that enrolled are there too
        more = (await client.get("/ui/enrolment/tokens", params={"cursor": "8"})).text
        assert "leeds/b0" in more
        assert "Show more" not in more
        more = (await client.get("/ui/enrolment/certificates", params={"cursor": "3"})).text
        assert "leeds/c0" in more
        assert json.dumps(more).count("<tr") == 2
