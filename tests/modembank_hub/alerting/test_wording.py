"""Alerts in words: each kind says what was measured, and what strangers wrote stays harmless."""

from __future__ import annotations

import json

import pytest

from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.rows import AlertRow
from modembank_hub.alerting.wording import letter_of, particulars_of, subject_line, text_of, title_of

NOW = 1_800_000_000_000
FIGURES = {
    "box.offline": ({"why": "will"}, "its connection broke"),
    "box.stale": ({}, ""),
    "box.issue": ({"issue": "disk_full"}, "disk full"),
    "box.modems": ({"modems": 4}, "4 modems, none of them ready"),
    "box.queue": ({"waiting": 1200}, "1200 messages wait"),
    "box.stuck": ({"waiting": 7}, "7 messages wait"),
    "box.config": ({"state": "rolled_back", "version": 3}, "version 3 was rolled back"),
    "box.gap": ({"stream": "res", "lost": 12, "hours": 0.1}, "12 results are lost"),
    "box.clock": ({"off_s": 61.4}, "off by 61 s"),
    "box.certificate": ({"days": 3}, "it ends in 3 days"),
    "hub.broker": ({"stand": 0, "of": 3, "why": "refused"}, "0 of 3 connections stand: refused"),
    "hub.database": ({"why": "the disk is full"}, "the disk is full"),
    "hub.quarantine": ({"unreadable": 40}, "40 messages in an hour"),
    "hub.channel": ({"channel": "on call", "why": "it answered 500"}, "on call: it answered 500"),
    "hub.certificate": ({"of": "the broker", "days": 3}, "the one for the broker, in 3 days"),
}


def an_alert(number=1, kind="box.offline", subject="leeds/b1", figures=None, *, ended=None, round_=1, severity=""):
    site = "" if subject == "hub" else subject.partition("/")[0]
    box_id = None if subject == "hub" else number
    told = FIGURES.get(kind, ({}, ""))[0] if figures is None else figures
    severity = severity or (KINDS[kind].severity if kind in KINDS else "warning")
    state = "open" if ended is None else "ended"
    return AlertRow(
        number, kind, subject, "", box_id, site, severity, state, json.dumps(told), round_, NOW, NOW, NOW, None, None,
        "", "", 0, ended, "",
    )  # fmt: skip


def test_a_certificate_that_has_ended_says_so():
    assert particulars_of(an_alert(kind="box.certificate", figures={"days": -1})) == "it has ended"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_was_measured(kind):
    row = an_alert(kind=kind, subject="hub" if kind.startswith("hub.") else "leeds/b1")
    assert particulars_of(row) == FIGURES[kind][1]
    who = "The hub " if kind.startswith("hub.") else "leeds/b1 "
    assert title_of(row) == who + KINDS[kind].title


def test_what_another_version_wrote_is_shown_as_far_as_it_can_be():
    assert particulars_of(an_alert(kind="box.queue", figures={})) == ""
    assert title_of(an_alert(kind="box.unheard")) == "leeds/b1 box.unheard"
    assert particulars_of(an_alert(kind="box.unheard")) == ""
    body = letter_of("ltr_1", [an_alert(n, "box.unheard", f"leeds/b{n}") for n in range(9)], [])
    assert "leeds: box.unheard: 9 boxes" in text_of(body, "hub", "")


def test_what_a_stranger_wrote_is_one_line_and_bounded():
    row = an_alert(kind="box.issue", figures={"issue": "x\r\nBcc: eve@example.com\u202e" + "y" * 1000})
    assert "\n" not in particulars_of(row)
    assert "\u202e" not in particulars_of(row)
    assert len(particulars_of(row)) == 400


@pytest.mark.parametrize(
    ("opened", "ended", "line"),
    [
        ([an_alert()], [], "[hub] leeds/b1 is offline"),
        ([], [an_alert(ended=NOW)], "[hub] over: leeds/b1 is offline"),
        ([an_alert(), an_alert(2, subject="leeds/b2")], [], "[hub] alerts: 2 opened (leeds)"),
        ([an_alert(), an_alert(2, subject="oslo/b2")], [], "[hub] alerts: 2 opened"),
        ([an_alert()], [an_alert(2, subject="oslo/b2", ended=NOW)], "[hub] alerts: 1 opened, 1 over (leeds)"),
        ([], [an_alert(ended=NOW), an_alert(2, ended=NOW)], "[hub] alerts: 2 over"),
    ],
)
def test_the_subject_says_what_it_is_about(opened, ended, line):
    assert subject_line(letter_of("ltr_1", opened, ended), "hub") == line


def test_the_worst_come_first_and_what_is_too_many_is_counted():
    opened = [an_alert(n, "box.queue", f"s{n}/b1") for n in range(80)]
    opened += [an_alert(99, "hub.broker", "hub")]
    ended = [an_alert(n, subject=f"t{n}/b1", ended=NOW) for n in range(60)]
    body = letter_of("ltr_1", opened, ended)
    assert (len(body["opened"]), body["opened_count"], body["opened"][0]["kind"]) == (50, 81, "hub.broker")
    text = text_of(body, "hub", "https://hub.example.com/")
    assert text.startswith("Opened:\n  CRITICAL The hub has no broker: 0 of 3")
    assert "\n  and 31 more\n" in text
    assert "\n  and 10 more\n" in text
    assert text.endswith("All alerts: https://hub.example.com/ui/alerts\n")


def test_few_of_a_site_are_named_and_what_comes_again_says_so():
    opened = [an_alert(1, round_=2), an_alert(2, subject="leeds/b2", round_=7)]
    text = text_of(letter_of("ltr_1", opened, [an_alert(3, subject="leeds/b3", ended=NOW + 60_000)]), "hub", "")
    assert "leeds/b1 is offline: its connection broke (again), since 2027-01-15T08:00:00.000Z" in text
    assert "leeds/b2 is offline: its connection broke (for the 7th time), since" in text
    assert "leeds/b3 is offline: its connection broke, 2027-01-15T08:00:00.000Z to 2027-01-15T08:01:00.000Z" in text
    assert text.endswith("All alerts are on the pages of hub.\n")


def test_a_letter_is_plain_json():
    body = letter_of("ltr_1", [an_alert()], [an_alert(2, ended=NOW)])
    assert json.loads(json.dumps(body)) == body
    assert set(body) == {"id", "opened", "opened_count", "ended", "ended_count", "groups"}
