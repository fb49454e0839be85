"""A modem that shares no line of code with the emulator or the daemon sends and receives, whatever its manners."""

from itertools import product
from types import SimpleNamespace

import pytest

from fakes.boxes import running
from fakes.foreign_modems import Manners, foreign, read_submit, status_report
from fakes.stories import CALM, modems, until_inbox

HELLO = "07915155990900F0040B915155214365F700006211213054210005C8329BFD06"
"""A DELIVER of "Hello" from +15551234567, written by hand."""
TO = "+15559876543"
ENDS = {"CRLF": "\r\n", "CR": "\r", "LF": "\n", "CRCRLF": "\r\r\n"}
FORMS = {
    "echo": {},
    "no echo": {"echo": False},
    "numeric": {"numeric": True},
    "numeric and echo for ever": {"numeric": True, "stubborn": True},
}
LACKS = ("+CMMS", "+CSMS", "+CPMS", "+CCID", "+CNUM", "+CEREG", "+CGREG", "+CLIP", "+CUSD", "+CMEE", "+COPS", "+CFUN")


async def serves(tmp_path, manners):
    """Send one, have it reported, receive one; return the slot as the API shows it, and the modem."""
    async with foreign(manners) as modem:
        bank = SimpleNamespace(modems=[modem])
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            sent = await box.send(TO, "out")
            await box.until(lambda: modem.sent)
            assert [read_submit(pdu) for pdu in modem.sent] == [(TO, "out")]
            modem.report(status_report(1, TO))
            await box.until_status(sent["id"], "delivered")
            modem.deliver(HELLO)
            assert await until_inbox(box, 1) == ["Hello"]
            (received,) = await box.inbox()
            assert received["from"] == "+15551234567"
            await box.until(lambda: not modem.slots)
            return (await modems(box))["slot-01"], modem


@pytest.mark.parametrize(("form", "end"), list(product(FORMS, ENDS)))
async def test_every_form_of_dialogue(tmp_path, form, end):
    await serves(tmp_path, Manners(eol=ENDS[end], **FORMS[form]))


@pytest.mark.parametrize("lacking", LACKS)
async def test_one_command_missing(tmp_path, lacking):
    await serves(tmp_path, Manners(lacks=frozenset({lacking})))


async def test_everything_missing_that_may_be_missing(tmp_path):
    shown, modem = await serves(tmp_path, Manners(numeric=True, lacks=frozenset(LACKS)))
    assert modem.acknowledged == 0
    assert {"keep_link", "phase_2_plus", "memory", "iccid", "registration_eps", "ussd"} <= set(shown["lacks"])
    assert shown["sim"] == f"imsi:{modem.manners.imsi}"


async def test_nothing_to_store_messages_in(tmp_path):
    answers = {"AT+CNMI=?": ("+CNMI: (0-2),(0,2),(0),(0,1),(0)", "OK")}
    for mode, ds in product((1, 2, 3), (0, 1, 2)):
        answers[f"AT+CNMI={mode},1,0,{ds},0"] = answers[f"AT+CNMI={mode},1,0,{ds},1"] = ("ERROR",)
    shown, modem = await serves(tmp_path, Manners(answers=answers))
    assert modem.acknowledged == 2
    assert "what comes while nobody listens is lost" in shown["lacks"]["stored_messages"]


async def test_codes_without_meaning_are_no_trouble(tmp_path):
    async with foreign() as modem, running(SimpleNamespace(modems=[modem]), tmp_path / "data", timings=CALM) as box:
        for said in ("", "%XYZ: 1", "RING", "NO CARRIER", "+CRING: VOICE", "+CMTI: garbage", '+CMTI: "SM",'):
            modem.say(said)
            before = len(modem.sent)
            await box.send(TO, f"after {len(said)}")
            await box.until(lambda before=before: len(modem.sent) > before)
        modem.deliver(HELLO)
        assert await until_inbox(box, 1) == ["Hello"]
        assert len(modem.sent) == 7
