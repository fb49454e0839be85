"""What a sender gets by naming a thing: its own, another's, one that is not there, and what is no name of one.

Another's is answered like one that is not there, to the letter; nothing of it is told, and nothing is changed.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import httpx
import pytest
import pytest_asyncio

from fakes.pages import OTHER, SENDER, at_a_page, people
from fakes.possessions import Possessions, contents, give
from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts.model import ROLE_SCOPES, Role
from modembank_web.pages import PAGES

NAMING = {page.id: page for page in PAGES if "{" in page.path}
FOR_ADMINS = {name for name, page in NAMING.items() if page.needs and not ROLE_SCOPES[Role.SENDER] & set(page.needs)}


@dataclass(frozen=True)
class Asked:
    """What a page's parameter names, the form that is sent along, and what comes for one's own thing."""

    kind: str
    status: int = 200
    form: dict[str, str] = field(default_factory=dict)
    absent: int = 404
    writes: bool = False
    """Whether it may change something even for what is not there: everybody may write to a number."""


TEXT = {"header": "yes", "delimiter": ",", "charset": "utf-8", "to_column": "2", "source": "template", "template": "Hi"}
TABLE = {
    "accountEndSession": Asked("session"),
    "keyRevoke": Asked("key"),
    "message": Asked("message"),
    "messageNow": Asked("message"),
    "messageCancel": Asked("message"),
    "messageSettle": Asked("message", 409, {"as": "failed"}),
    "messageRedact": Asked("message", 409),
    "messageDelete": Asked("message", 409),
    "conversation": Asked("number", absent=200),
    "conversationNow": Asked("number", absent=200),
    "conversationRead": Asked("number", 204, absent=204),
    "conversationReply": Asked("number", 200, {"text": "hello"}, absent=200, writes=True),
    "optOutReview": Asked("review", 200, {"decision": "dismiss"}),
    "webhook": Asked("webhook"),
    "webhookNow": Asked("webhook"),
    "webhookChange": Asked("webhook", 200, {"url": "https://hooks.example/", "events": "message.unknown"}),
    "webhookActive": Asked("webhook", 200, {"active": "false"}),
    "webhookTest": Asked("webhook"),
    "webhookRotate": Asked("webhook"),
    "webhookReplay": Asked("webhook", 200, {"seconds": "3600"}),
    "webhookDelete": Asked("webhook", 204),
    "mailing": Asked("mailing"),
    "mailingStatus": Asked("mailing"),
    "mailingRefusedRows": Asked("mailing"),
    "mailingSettings": Asked("mailing"),
    "downloadResults": Asked("mailing"),
    "downloadRefusedRows": Asked("mailing"),
    "startMailingHere": Asked("mailing"),
    "pauseMailingHere": Asked("mailing", 409),
    "resumeMailingHere": Asked("mailing", 409),
    "proceedMailingHere": Asked("mailing", 409),
    "cancelMailingHere": Asked("mailing"),
    "retryMailingHere": Asked("mailing", 409),
    "mailingColumns": Asked("draft"),
    "noteMailingText": Asked("draft", 204, TEXT),
    "discardDraft": Asked("draft", 204),
    "readAgain": Asked("draft", 200, TEXT),
    "previewText": Asked("draft", 200, TEXT),
    "simplifyText": Asked("draft", 200, TEXT),
    "checkDraft": Asked("draft"),
    "checkProgress": Asked("draft"),
    "shortenMessages": Asked("draft", 204),
    "planDraft": Asked("draft", 200, {"name": "Evening", "when": "now"}),
    "draftRefusedRows": Asked("draft"),
    "sendDraft": Asked("draft", 204, {"name": "Evening", "when": "hold"}),
}
ODD = ("0", "-1", "9" * 40, "x" * 500, "%00", "%2e%2e", "'%20OR%201=1--", "%F0%9F%98%80", "%FF", "{id}", "now")
each = pytest.mark.parametrize("name", TABLE)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Situation:
    """A box on which Ann and Olga have one of everything each, and Ann's browser."""

    box: Box
    anns: Possessions
    olgas: Possessions
    client: httpx.AsyncClient

    async def ask(self, name: str, thing: str, *, htmx: bool = True) -> httpx.Response:
        """Ask for a page of what an address calls a thing."""
        page = NAMING[name]
        form = TABLE[name].form if page.method != "GET" else None
        path = re.sub(r"\{\w+\}", lambda _: thing, page.path)
        return await self.client.request(page.method, path, data=form, headers={"HX-Request": "true"} if htmx else {})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def situation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Situation]:
    box = await make_box(tmp_path_factory.mktemp("owners"))
    await people(box)
    async with at_a_page(box, SENDER) as client:
        yield Situation(box, await give(box, SENDER), await give(box, OTHER), client)
    await box.store.close()


def absent(thing: str) -> str:
    """Return what looks like a thing's name and is none."""
    return thing[:-6] + "111111"


def neutral(text: str, thing: str) -> str:
    """Return a text without the name that was asked for, the tracking id, and when it was made."""
    text = re.sub(r"trk_\w+|pulse=\"?\d+", "MOMENT", html.unescape(text))
    for spelled in (thing, quote(thing, safe=""), unquote(thing)):
        text = text.replace(spelled, "THING")
    return text


def told(answer: httpx.Response, thing: str) -> tuple[int, str, list[tuple[str, str]]]:
    """Return what an answer says, but for the name that was asked for."""
    headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
    return answer.status_code, neutral(answer.text, thing), headers


def check_untold(answer: httpx.Response, possessions: Possessions, thing: str = "-") -> None:
    text = neutral(answer.text + repr(answer.headers), thing)
    for word in possessions.words:
        assert word not in text, word


async def test_every_page_that_names_a_thing_is_in_the_table() -> None:
    assert set(TABLE) == set(NAMING) - FOR_ADMINS


@each
async def test_another_ones_is_like_one_that_is_not_there(situation: Situation, name: str) -> None:
    asked = TABLE[name]
    theirs = situation.olgas.ids[asked.kind]
    before = await contents(situation.box)
    for htmx in (True, False):
        answer = await situation.ask(name, theirs, htmx=htmx)
        missing = await situation.ask(name, absent(theirs), htmx=htmx)
        assert missing.status_code == asked.absent, missing.text
        assert told(answer, theirs) == told(missing, absent(theirs))
        check_untold(answer, situation.olgas, theirs)
    if not asked.writes:
        assert await contents(situation.box) == before


@pytest.mark.parametrize("name", [name for name, asked in TABLE.items() if asked.kind != "number"])
async def test_another_spelling_opens_nothing(situation: Situation, name: str) -> None:
    asked = TABLE[name]
    theirs, mine = situation.olgas.ids[asked.kind], situation.anns.ids[asked.kind]
    before = await contents(situation.box)
    spelled = [f"%{ord(theirs[0]):x}{theirs[1:]}", f"{theirs}%2fx", f"{theirs}%3Fx=1"]
    for thing in (theirs, mine):
        prefix, _, rest = thing.rpartition("_")
        spelled += [thing.swapcase(), f"{prefix}_0{rest}", f"{prefix}_{rest[:-1]}", f"{thing};x", f"{thing}.json"]
        spelled += [f"{thing}%20", f"%20{thing}", f"{thing}%00"]
    for thing in spelled:
        answer = await situation.ask(name, thing)
        assert answer.status_code == 404, (thing, answer.text)
    assert await contents(situation.box) == before


@each
async def test_what_is_no_name_of_such_a_thing_is_refused(situation: Situation, name: str) -> None:
    asked = TABLE[name]
    before = await contents(situation.box)
    strange = [thing for kind, thing in situation.olgas.ids.items() if kind != asked.kind]
    for thing in (*strange, *ODD):
        answer = await situation.ask(name, thing)
        assert answer.status_code in ({404, 422} if asked.absent == 404 else {200, 204, 404, 422}), (thing, answer.text)
        check_untold(answer, situation.olgas, thing)
    if not asked.writes:
        assert await contents(situation.box) == before


@each
async def test_ones_own_is_given(situation: Situation, name: str) -> None:
    asked = TABLE[name]
    own = await give(situation.box, SENDER, asked.kind)
    answer = await situation.ask(name, own.ids[asked.kind])
    assert answer.status_code == asked.status, answer.text
    check_untold(answer, situation.olgas)


@pytest.mark.parametrize("name", sorted(FOR_ADMINS))
async def test_s10_who_may_not_ask_does_not_learn_what_is_there(situation: Situation, name: str) -> None:
    there = {"slot": "slot-03", "iccid": ICCID, "name": OTHER, "id": situation.olgas.ids["session"]}
    page = NAMING[name]
    before = await contents(situation.box)
    answers = []
    for things in (there, {key: absent(thing) for key, thing in there.items()}):
        path = page.path
        for key, thing in things.items():
            path = path.replace(f"{{{key}}}", thing)
        answer = await situation.client.request(page.method, path)
        assert answer.status_code == 403
        answers.append(answer.text)
        for thing in things.values():
            answers[-1] = neutral(answers[-1], thing)
    assert answers[0] == answers[1]
    assert await contents(situation.box) == before
