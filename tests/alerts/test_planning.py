"""Who is told of what, in how many messages, and under which keys."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modembank.alerts import Alert, Notification
from modembank.alerts.planning import plan, recipients_of
from modembank.config import AlertsConfig

ANN, BOB, CAT = "+447900900001", "+447900900002", "+447900900003"
CONFIG = AlertsConfig(on_call=(ANN, BOB))


def alert(number: int = 1, status: str = "firing", to: str = "", **more: Any) -> Alert:
    labels = {"alertname": "HighCPU", "instance": f"host{number}"} | ({"sms_to": to} if to else {})
    fields = {"starts_at": "2026-11-20T14:05:00Z", "fingerprint": f"f{number}", **more}
    return Alert(status, labels, **fields)


def planned(*alerts: Alert, config: AlertsConfig = CONFIG, group: str = "g") -> list[tuple[str, str]]:
    return [(each.to, each.text) for each in plan(Notification(alerts, group), config).messages]


def keys(*alerts: Alert, group: str = "g") -> list[str]:
    return [each.key for each in plan(Notification(alerts, group), CONFIG).messages]


def test_on_call_is_told_unless_the_alert_names_others() -> None:
    assert planned(alert()) == [(ANN, "FIRING HighCPU host1"), (BOB, "FIRING HighCPU host1")]
    assert planned(alert(to=CAT)) == [(CAT, "FIRING HighCPU host1")]


def test_recipients_by_label_or_annotation_each_once() -> None:
    assert recipients_of(alert(to=f" {CAT},,{ANN} ,{CAT}"), ()) == (CAT, ANN)
    assert recipients_of(Alert("firing", {}, {"sms_to": CAT}), (ANN,)) == (CAT,)
    assert recipients_of(Alert("firing", {"sms_to": " , "}), (ANN, ANN)) == (ANN,)


def test_an_alert_for_nobody_is_named_with_the_way_out() -> None:
    found = plan(Notification((alert(to=CAT), alert(2))), AlertsConfig())
    assert [each.to for each in found.messages] == [CAT]
    (refused,) = found.refused
    assert refused.pointer == "/alerts/1"
    assert "nobody is told of HighCPU" in refused.detail
    assert "sms_to" in refused.detail
    assert 'on_call = ["+44…"] under [alerts]' in refused.detail


def test_more_than_so_many_are_one_message_for_each_recipient_and_status() -> None:
    firing = [alert(number) for number in range(6)]
    assert [text[:17] for _, text in planned(*firing)] == ["FIRING 6 alerts: "] * 2
    assert len(planned(*firing[:5])) == 10
    mixed = [*firing, alert(9, "resolved"), alert(7, to=CAT)]
    found = plan(Notification(tuple(mixed)), CONFIG).messages
    assert [(each.to, each.alerts, each.priority) for each in found] == [
        (ANN, 6, 9), (BOB, 6, 9), (ANN, 1, 5), (BOB, 1, 5), (CAT, 1, 9),
    ]  # fmt: skip
    assert [each.pointer for each in found] == ["/alerts/0", "/alerts/0", "/alerts/6", "/alerts/6", "/alerts/7"]
    assert len(planned(*firing, config=AlertsConfig(on_call=(ANN,), summary_above=0))) == 1


def test_resolved_alerts_can_be_left_out() -> None:
    found = plan(Notification((alert(1, "resolved"), alert(2))), AlertsConfig(on_call=(ANN,), resolved=False))
    assert (len(found.messages), found.ignored, found.refused) == (1, 1, ())


def test_the_key_names_the_alert_and_its_recipient_and_not_its_words() -> None:
    first = keys(alert())
    assert len(set(first)) == 2
    assert keys(alert(annotations={"summary": "now 98 %"})) == first
    others = [
        keys(alert(2)),
        keys(alert(status="resolved")),
        keys(alert(starts_at="2026-11-21T00:00:00Z")),
        keys(alert(), group="h"),
    ]
    assert not any(set(first) & set(other) for other in others)
    without = keys(alert(fingerprint="")), keys(alert(2, fingerprint=""))
    assert without[0] != without[1]


def test_a_summary_is_the_same_whatever_the_order_and_another_with_one_more() -> None:
    alerts = [alert(number) for number in range(7)]
    assert keys(*alerts) == keys(*reversed(alerts))
    assert keys(*alerts) != keys(*alerts, alert(8))


NAMES = st.text(max_size=8)
ALERTS = st.builds(
    Alert, st.sampled_from(["firing", "resolved"]) | NAMES, st.dictionaries(NAMES | st.just("sms_to"), NAMES),
    st.dictionaries(NAMES, NAMES), NAMES, NAMES,
)  # fmt: skip


@given(st.lists(ALERTS, max_size=12), NAMES)
def test_whatever_is_posted_each_alert_is_planned_refused_or_left_out(alerts: list[Alert], group: str) -> None:
    found = plan(Notification(tuple(alerts), group), CONFIG)
    assert sum(each.alerts for each in found.messages) == sum(
        len(recipients_of(each, CONFIG.on_call)) for each in alerts
    )
    assert found.refused == ()
    assert found.ignored == 0
    assert all(each.text and len(each.key) <= 255 for each in found.messages)
