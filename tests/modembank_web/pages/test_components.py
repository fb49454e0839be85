"""Every component alone, with the worst that may be handed to it: escaped, whole, and told to who does not see it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

import modembank_web
from fakes.readers import Element, parsed
from modembank_web.pages.rendering import environment

HOSTILE = "<script>mb17</script><mb17> \" onfocus=mb17 ' {{ 7*7 }} & \u202e"
LONG = "W" * 300 + HOSTILE
HUGE = 10**18
VALUES: list[Any] = [HOSTILE, LONG, "", None, 0, HUGE]
VOID = frozenset({"input", "br", "hr", "img", "meta", "link", "col"})
FEW = settings(max_examples=40, deadline=None)
COUNTS = st.integers(0, 10**7)


def macro(file: str, name: str) -> Callable[..., Markup]:
    return getattr(environment().get_template(f"components/{file}.html").module, name)


def around(file: str, name: str, inside: object, *given_: object) -> Markup:
    """Render a component that is put around something."""
    call = environment().from_string(
        f'{{% from "components/{file}.html" import {name} %}}{{% call {name}(*given) %}}{{{{ inside }}}}{{% endcall %}}'
    )
    return Markup(call.render(given=given_, inside=inside))


class Balance(HTMLParser):
    """Sees that every element is closed, in the order that they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute twice: {tag} {attrs}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute twice: {tag} {attrs}"

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def whole(written: Markup) -> Element:
    """Return a component as a tree; fails unless it is one that nothing from outside has broken open."""
    Balance(written)
    root = parsed(written)
    everything = list(root.all())
    assert not [one for one in everything if one.name in {"script", "mb17", "style"}]
    assert not [name for one in everything for name in one.attributes if name.startswith("on") or name == "style"]
    ids = Counter(one["id"] for one in everything if "id" in one.attributes)
    assert not [id_ for id_, times in ids.items() if times > 1]
    for one in everything:
        for relation in ("aria-describedby", "aria-labelledby", "for"):
            assert set((one.attributes.get(relation) or "").split()) <= set(ids), (relation, written)
        if one.name == "svg":
            assert one.attributes.get("aria-hidden") == "true" or one.attributes.get("aria-label") is not None
        if one.name == "button":
            assert one.attributes.get("type") in {"button", "submit"}
    assert "None" not in written
    return root


PARTS = [("ok", HUGE, HOSTILE), ("bad", 0, HOSTILE)]
SHOWN: dict[str, Callable[[Any], Markup]] = {
    "badge": lambda value: macro("badge", "badge")(value or "", "ok", busy=True),
    "button": lambda value: macro("button", "button")(value or "", icon="send", title=value, disabled=value is None),
    "link": lambda value: macro("button", "link")(value or "", value or "", icon="right", title=value),
    "columns": lambda value: macro("chart", "columns")([0, HUGE], value or "", value or "", value or "", second=[0, 1]),
    "spark": lambda value: macro("chart", "spark")([HUGE, 0], value or ""),
    "dialog": lambda value: around("dialog", "dialog", value or "", "an-id", value or ""),
    "confirm": lambda value: macro("dialog", "confirm")("an-id", value or "", value or "", value or "", title=value),
    "empty": lambda value: around("empty", "empty", value or "", "mailing", value or ""),
    "field": lambda value: macro("field", "field")("a", value or "", value, value or "", value or "", title=value),
    "area": lambda value: macro("field", "area")("a", value or "", value, value or "", value or "", title=value),
    "select": lambda value: macro("field", "select")(
        "a", value or "", [(value or "", value or ""), ("b", "B")], value, value or "", value or "", title=value
    ),
    "check": lambda value: macro("field", "check")("a", value or "", True, value or "", value or "", title=value),
    "radio": lambda value: macro("field", "radio")("a", value or "", value or "", True, value or "", title=value),
    "icon": lambda value: macro("icon", "icon")("ok", value or ""),
    "meter": lambda value: macro("meter", "meter")(value or "", HUGE, 3, value or ""),
    "bar": lambda value: macro("meter", "bar")([("ok", 1, value)], HUGE, value or ""),
    "key": lambda value: macro("meter", "key")([("ok", HUGE, value or ""), ("bad", None, "")]),
    "notice": lambda value: around("notice", "notice", value or "", "bad", value or "", True),
    "signal": lambda value: macro("signal", "signal")(2, value),
    "stat": lambda value: macro("stat", "stat")(value or "", value or "", value or ""),
    "steps": lambda value: macro("steps", "steps")([(value or "", value or ""), ("", "B")], 1),
    "table": lambda value: around(
        "table", "table", Markup("<tr></tr>"), [str(value or ""), (value or "", "number")], value or ""
    ),
    "more": lambda value: macro("table", "more")(value or "", 4),
    "tabs": lambda value: macro("tabs", "tabs")([(value or "", value or ""), ("b", "B")], value, value or ""),
}  # fmt: skip
"""Each component by its name, with one value wherever something from outside may stand."""


@pytest.mark.parametrize("value", VALUES, ids=["hostile", "long", "empty", "none", "zero", "huge"])
@pytest.mark.parametrize("name", SHOWN)
def test_a_component_stays_whole(name: str, value: object) -> None:
    written = SHOWN[name](value)
    whole(written)
    assert "<mb17>" not in written
    if value == HOSTILE and name != "bar":
        assert "&lt;script&gt;mb17" in written


@pytest.mark.parametrize("name", SHOWN)
@settings(max_examples=10, deadline=None)
@given(value=st.text(st.characters() | st.sampled_from("<>\"'&`=/\x00\n"), max_size=30))
def test_a_component_stays_whole_with_any_text(name: str, value: str) -> None:
    assume("None" not in value)  # which is how a value shows that is not there
    plain, fed = whole(SHOWN[name]("x")), whole(SHOWN[name](value or "x"))
    assert [one.name for one in plain.all()] == [one.name for one in fed.all()]


def test_every_component_is_one_of_these() -> None:
    folder = Path(modembank_web.__file__).parent / "templates/components"
    found = {
        name
        for file in folder.glob("*.html")
        for name in re.findall(r"\{% macro ([a-z]\w*)\(", file.read_text("utf-8"))
    }
    assert found == set(SHOWN)


@pytest.mark.parametrize("name", ["field", "area", "select"])
@pytest.mark.parametrize(("hint", "error"), [("", ""), ("h", ""), ("", "e"), ("h", "e")])
def test_what_is_said_of_a_field_is_read_with_it(name: str, hint: str, error: str) -> None:
    given_: tuple[Any, ...] = ([("a", "A")],) if name == "select" else ()
    root = whole(macro("field", name)("sim", "SIM", *given_, hint=hint, error=error))
    control = root.one({"field": "input", "area": "textarea", "select": "select"}[name])
    assert root.one("label")["for"] == control["id"] == "sim"
    described = control.attributes.get("aria-describedby") or ""
    assert [root.one("span", id=each).text for each in described.split()] == [word for word in (hint, error) if word]
    assert control.attributes.get("aria-invalid") == ("true" if error else None)


def test_a_field_under_another_id_is_labelled_by_it() -> None:
    root = whole(macro("field", "field")("name", "Name", error="e", id="new-name"))
    control = root.one("input")
    assert (control["id"], control["name"], root.one("label")["for"]) == ("new-name", "name", "new-name")
    assert control["aria-describedby"].split() == ["new-name-error"]


def test_what_was_typed_stands_in_the_field_but_for_passwords() -> None:
    assert whole(macro("field", "field")("a", "A", 0)).one("input")["value"] == "0"
    assert "value" not in whole(macro("field", "field")("a", "A", None)).one("input").attributes
    assert "value" not in whole(macro("field", "field")("a", "A", "secret", type="password")).one("input").attributes
    text = "\n  first line kept"
    inside = macro("field", "area")("a", "A", text).partition('name="a">')[2].partition("</textarea>")[0]
    assert inside == "\n" + text  # a browser drops the first line feed
    assert whole(macro("field", "area")("a", "A", None)).one("textarea").text == ""
    chosen = whole(macro("field", "select")("a", "A", [("", "any"), ("b", "B")], "b")).all("option")
    assert [one["value"] for one in chosen if "selected" in one.attributes] == ["b"]


@FEW
@given(used=COUNTS, limit=st.none() | COUNTS)
def test_a_meter_tells_what_it_shows(used: int, limit: int | None) -> None:
    root = whole(macro("meter", "meter")("Today", used, limit))
    meter, fill = next(root.all("div")), root.one("rect", class_="fill")
    assert 0 <= float(fill["width"]) <= 100
    if not limit:
        assert "role" not in meter.attributes
        assert "no limit" in meter.text
        assert float(fill["width"]) == 0
        return
    assert (meter["role"], meter["aria-label"]) == ("meter", "Today")
    low, now, high = (int(meter[f"aria-value{name}"]) for name in ("min", "now", "max"))
    assert low == 0 <= now <= high == limit
    assert meter["aria-valuetext"] == f"{used} of {limit}"
    tone = "bad" if used >= limit else "warn" if used * 10 >= limit * 8 else ""
    assert meter["class"].split() == ["meter", *tone.split()]


@FEW
@given(counts=st.lists(COUNTS, max_size=6), more=st.integers(-(10**6), 10**6))
def test_a_bar_never_leaves_its_box(counts: list[int], more: int) -> None:
    """The whole may have been counted a moment before its parts."""
    total = max(sum(counts) + more, 0)
    root = whole(macro("meter", "bar")([("ok", count, "x") for count in counts], total, "all"))
    assert root.one("svg")["role"] == "img"
    bars = [(float(one["x"]), float(one["width"])) for one in root.all("rect", class_="ok")]
    assert sum(width for _, width in bars) <= 100.01
    at = 0.0
    for x, width in bars:
        assert width >= 0
        assert x == pytest.approx(at, abs=0.01)
        at = x + width
    if total and more == 0 and counts:
        assert at == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("values", [[], [0], [0, 0, 0]])
@pytest.mark.parametrize("name", ["columns", "spark"])
def test_a_chart_of_nothing_is_empty_and_whole(name: str, values: list[int]) -> None:
    root = whole(macro("chart", name)(values, "Segments", **({"second": values} if name == "columns" else {})))
    assert root.one("svg")["role"] == "img"
    assert not list(root.all("rect"))
    assert "nan" not in "".join(one.attributes.get("points") or "" for one in root.all())


@FEW
@given(st.lists(st.integers(0, HUGE), min_size=1, max_size=40))
def test_a_chart_stays_in_its_box(values: list[int]) -> None:
    for bar in whole(macro("chart", "columns")(values, "Segments", second=values)).all("rect"):
        x, y, width, high = (float(bar[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 <= y
        assert x + width <= 600.01
        assert y + high == pytest.approx(119, abs=0.02)
    for point in whole(macro("chart", "spark")(values, "Signal")).one("polyline")["points"].split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 100.01
        assert 0 <= y <= 28


def test_a_dialog_is_named_by_its_title_and_can_be_closed() -> None:
    both = around("dialog", "dialog", "text", "ask", "Sure?"), macro("dialog", "confirm")("ask", "Sure?", "t", "Do")
    for written in both:
        root = whole(written)
        box = root.one("dialog", id="ask")
        assert root.one("h2", id=box["aria-labelledby"]).text == "Sure?"
        assert all(one["data-closes"] == "ask" for one in root.all("button"))
        assert list(root.all("button"))


def test_where_one_is_is_said() -> None:
    root = whole(macro("steps", "steps")([("/a", "A"), ("/b", "B"), ("/c", "C")], 1))
    assert [one.text for one in root.all(aria_current="step")] == ["2 B"]
    assert [one["href"] for one in root.all("a")] == ["/a"]
    root = whole(macro("tabs", "tabs")([("/a", "A"), ("/b", "B")], "/b", "Parts"))
    assert [one["href"] for one in root.all(aria_current="page")] == ["/b"]
    assert root.one("nav")["aria-label"] == "Parts"


def test_heads_of_a_table_are_heads_and_it_has_a_name() -> None:
    root = whole(around("table", "table", Markup("<tr></tr>"), ["Name", ("Count", "number")], "People"))
    assert [(one["scope"], one.text) for one in root.all("th")] == [("col", "Name"), ("col", "Count")]
    assert root.one("caption").text == "People"
    assert whole(macro("table", "more")("/a?b=1&c=2", 4)).one("button")["hx-get"] == "/a?b=1&c=2"


@pytest.mark.parametrize(("tone", "role"), [("bad", "alert"), ("warn", None), ("ok", None), ("info", None)])
def test_only_what_is_bad_interrupts(tone: str, role: str | None) -> None:
    root = whole(around("notice", "notice", "text", tone, "Title", True))
    assert next(root.all("div")).attributes.get("role") == role
    assert root.one("svg", aria_label="Dismiss")["role"] == "img"


@pytest.mark.parametrize(("dbm", "said"), [(None, "Signal not known"), (-61, "Signal 3 of 4"), (0, "Signal 3 of 4")])
def test_a_signal_is_said_too(dbm: int | None, said: str) -> None:
    root = whole(macro("signal", "signal")(3, dbm))
    assert root.one("svg")["aria-label"] == said
    assert len(list(root.all("rect", class_="on"))) == 3


def test_what_is_drawn_over_columns_never_stands_out_of_the_chart() -> None:
    """An hour in which nothing was sent may have failures all the same."""
    for bar in whole(macro("chart", "columns")([0, 2], "Segments", second=[9, 1])).all("rect"):
        assert 0 <= float(bar["y"]) <= 119
        assert float(bar["height"]) <= 116
