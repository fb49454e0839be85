"""What `systemctl status` shows."""

from types import SimpleNamespace

from modembank.messages import MessageState
from modembank.modem import ModemState
from modembankd import status
from modembankd.status import StatusLine, status_line


def view(state, able=False):
    return SimpleNamespace(state=state, able_to_send=able)


def test_who_can_send_and_what_the_others_do():
    able = view(ModemState.REGISTERED, able=True)
    assert status_line([]) == "No modems are configured"
    assert status_line([able, able]) == "2 of 2 modems can send"
    others = [view(ModemState.SEARCHING), view(ModemState.GONE), view(ModemState.SEARCHING)]
    assert status_line([able, *others]) == "1 of 4 modems can send (1 gone, 2 searching)"
    assert status_line([able], 1) == "1 of 1 modems can send; 1 message waits"
    assert status_line([], 12) == "No modems are configured; 12 messages wait"


async def test_it_is_told_when_it_changes(monkeypatch):
    told, modems = [], [view(ModemState.SEARCHING)]
    counted = {state.word: 0 for state in MessageState}

    async def counts():
        return counted

    monkeypatch.setattr(status, "notify", told.append)
    line = StatusLine(SimpleNamespace(modems=lambda: modems), SimpleNamespace(counts=counts))
    await line.refresh()
    await line.refresh()
    modems[0] = view(ModemState.REGISTERED, able=True)
    await line.refresh()
    counted |= {"queued": 2, "sending": 1, "delivered": 7}
    await line.refresh()
    assert told == [
        "STATUS=0 of 1 modems can send (1 searching)",
        "STATUS=1 of 1 modems can send",
        "STATUS=1 of 1 modems can send; 3 messages wait",
    ]
