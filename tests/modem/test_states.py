"""The table of a modem's life: every pair walked, and what must hold of it as a whole."""

from __future__ import annotations

import itertools

import pytest

from modembank.modem import (
    TRANSITIONS,
    FailedReason,
    ModemEvent,
    ModemState,
    StateChange,
    StateChangeReason,
    StateMachine,
    mermaid,
)
from modembank.modem.states import REASONS

OPEN = {
    ModemState.OPENING,
    ModemState.INITIALIZING,
    ModemState.LOCKED,
    ModemState.SEARCHING,
    ModemState.REGISTERED,
    ModemState.RECOVERING,
    ModemState.FAILED,
}


def machine_in(state: ModemState) -> tuple[StateMachine, list[StateChange]]:
    changes: list[StateChange] = []
    machine = StateMachine(changes.append)
    machine.state = state
    return machine, changes


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ModemState, ModemEvent)))
def test_every_pair(state: ModemState, event: ModemEvent) -> None:
    machine, changes = machine_in(state)
    listed = TRANSITIONS[state].get(event)
    assert machine.fire(event, "detail", FailedReason.QUARANTINED) is (listed is not None)
    assert machine.state is (listed or state)
    if listed is None:
        assert not changes
    elif listed is not state:
        assert changes[0].old is state
        assert changes[0].new is listed
        assert changes[0].reason is REASONS[event]
        failing = listed in {ModemState.FAILED, ModemState.LOCKED}
        assert changes[0].failed is (FailedReason.QUARANTINED if failing else None)


def test_every_state_has_a_row_and_every_event_a_reason_and_a_use() -> None:
    assert set(TRANSITIONS) == set(ModemState)
    assert set(REASONS) == set(ModemEvent)
    assert {event for row in TRANSITIONS.values() for event in row} == set(ModemEvent)
    assert set(REASONS.values()) == set(StateChangeReason)


def test_every_state_can_be_reached_from_the_first_and_left() -> None:
    reached, edge = {ModemState.DETECTED}, [ModemState.DETECTED]
    while edge:
        for target in TRANSITIONS[edge.pop()].values():
            if target not in reached:
                reached.add(target)
                edge.append(target)
    assert reached == set(ModemState)
    for state, row in TRANSITIONS.items():
        assert set(row.values()) - {state}, state


def test_a_lost_port_and_a_closed_one_are_known_everywhere() -> None:
    for state in OPEN:
        assert TRANSITIONS[state][ModemEvent.LOST] is ModemState.GONE
    for row in TRANSITIONS.values():
        assert row[ModemEvent.CLOSED] is ModemState.DETECTED


def test_only_searching_leads_to_registered() -> None:
    sources = {state for state, row in TRANSITIONS.items() if row.get(ModemEvent.REGISTERED) is ModemState.REGISTERED}
    assert sources == {ModemState.SEARCHING, ModemState.REGISTERED}


def test_a_new_reason_in_the_same_state_is_told_and_an_old_one_is_not() -> None:
    machine, changes = machine_in(ModemState.OPENING)
    machine.fire(ModemEvent.PORT_REFUSED, "held by x", FailedReason.PORT_BUSY)
    machine.fire(ModemEvent.PORT_REFUSED, "held by x", FailedReason.PORT_BUSY)
    machine.fire(ModemEvent.PORT_REFUSED, "no right", FailedReason.PORT_PERMISSION)
    assert [change.failed for change in changes] == [FailedReason.PORT_BUSY, FailedReason.PORT_PERMISSION]


def test_the_diagram_has_every_arrow_of_the_table() -> None:
    diagram = mermaid()
    assert diagram.startswith("stateDiagram-v2\n")
    for state, row in TRANSITIONS.items():
        for event, target in row.items():
            if target is not state:
                line = next(line for line in diagram.splitlines() if line.startswith(f"    {state} --> {target}:"))
                assert event.value in line.partition(":")[2].replace(",", "").split()
