"""The event bus."""

from structlog.testing import capture_logs

from modembank.bus import Bus
from modembank.events import Event, MessageReceived, SimChanged


def test_subscribers_get_their_kind_and_all_get_everything():
    bus, sims, everything = Bus(), [], []
    bus.subscribe(SimChanged, sims.append)
    bus.subscribe(Event, everything.append)
    first, second = SimChanged(at=1, sim=7), MessageReceived(at=2, message=1, sim=7, sender="+1")
    bus.publish(first)
    bus.publish(second)
    assert sims == [first]
    assert everything == [first, second]


def test_unsubscribing_ends_it_even_while_an_event_is_delivered():
    bus, seen = Bus(), []
    ends = []

    def once(event):
        seen.append(event)
        ends[0]()

    ends.append(bus.subscribe(SimChanged, once))
    bus.subscribe(SimChanged, seen.append)
    bus.publish(SimChanged(at=1, sim=1))
    bus.publish(SimChanged(at=2, sim=1))
    assert [event.at for event in seen] == [1, 1, 2]


def test_a_failing_subscriber_neither_hurts_the_others_nor_the_publisher():
    bus, seen = Bus(), []

    def fails(_event):
        raise ValueError

    bus.subscribe(SimChanged, fails)
    bus.subscribe(SimChanged, seen.append)
    with capture_logs() as logs:
        bus.publish(SimChanged(at=1, sim=1))
    assert len(seen) == 1
    assert logs[0]["event"] == "event_subscriber_failed"
