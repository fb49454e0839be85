"""Message memories: CPMS, CMGL, CMGR, CMGD, CMGW (3GPP TS 27.005 3.2 to 3.5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modembank_emulator import pdu as tpdu
from modembank_emulator.at_line import AtError, CmsError, Op, integers, split_args
from modembank_emulator.card import MessageStore, StoredMessage
from modembank_emulator.commands.registry import Lines, command
from modembank_emulator.dialogue_entry import Entry
from modembank_emulator.text_view import header_of

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

UNREAD, READ, UNSENT, SENT, ALL = range(5)
STATUS_NAMES = ("REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL")
_BAD_INDEX = 321


@command("+CPMS")
def preferred_memories(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Which memories to read, write and receive in."""
    lists = modem.caps.memory_lists
    if op is Op.TEST:
        groups = [",".join(f'"{name}"' for name in names) for names in lists]
        bracketed = [f"({group})" if modem.caps.cpms_brackets else group for group in groups]
        return ["+CPMS: " + ",".join(bracketed)]
    if op is Op.READ:
        used = [f'"{name}",{_fill(modem, name)}' for name in modem.settings.memories]
        return ["+CPMS: " + ",".join(used)]
    names = split_args(args)
    if op is not Op.SET or not 1 <= len(names) <= 3:
        raise CmsError(302)
    for name, allowed in zip(names, lists, strict=False):
        if name not in allowed:
            raise CmsError(302)
    chosen = [*names, *modem.settings.memories[len(names) :]]
    fills = [_fill(modem, name) for name in chosen]
    modem.settings.memories = chosen
    return ["+CPMS: " + ",".join(fills)]


@command("+CMGL")
def list_messages(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """List the read memory; unread messages become read."""
    text_mode = modem.settings.cmgf == 1
    if op is Op.TEST:
        names = ",".join(f'"{name}"' for name in STATUS_NAMES)
        return [f"+CMGL: ({names})" if text_mode else "+CMGL: (0-4)"]
    if not text_mode and not modem.caps.cmgl_pdu:
        raise CmsError(303)
    wanted = _wanted_status(args, text_mode=text_mode)
    store = modem.store(modem.settings.memories[0])
    lines: Lines = []
    for place, message in sorted(store.slots.items()):
        if wanted in {ALL, message.status}:
            index = place + modem.caps.index_base
            if text_mode:
                head, body = header_of(message)
                lines += [f'+CMGL: {index},"{STATUS_NAMES[message.status]}",{head}', body]
            else:
                alpha = "," if modem.caps.alpha_field else ""
                lines += [f"+CMGL: {index},{message.status},{alpha}{message.length}", message.pdu_hex]
            message.status = READ if message.status == UNREAD else message.status
    if not lines and modem.caps.cmgl_empty_code is not None:
        raise CmsError(modem.caps.cmgl_empty_code)
    return lines


@command("+CMGR")
def read_message(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Read one slot; it becomes read."""
    if op is Op.TEST:
        return []
    store, place = _place(modem, args, memory=0)
    message = store.slots.get(place)
    if message is None:
        if modem.caps.cmgr_empty_code is not None:
            raise CmsError(modem.caps.cmgr_empty_code)
        return []
    status = message.status
    message.status = READ if status == UNREAD else status
    if modem.settings.cmgf == 1:
        head, body = header_of(message)
        return [f'+CMGR: "{STATUS_NAMES[status]}",{head}', body]
    alpha = "," if modem.caps.alpha_field else ""
    return [f"+CMGR: {status},{alpha}{message.length}", message.pdu_hex]


@command("+CMGD")
def delete_message(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Delete a slot, or with a flag: 1 read, 2 and sent, 3 and unsent, 4 all."""
    base = modem.caps.index_base
    if op is Op.TEST:
        slots = sorted(modem.store(modem.settings.memories[0]).slots)
        return [f"+CMGD: ({','.join(str(slot + base) for slot in slots)}),(0-4)"]
    numbers = integers(args)
    flag = numbers[1] if len(numbers) > 1 else 0
    if flag:
        if not modem.caps.cmgd_flags or flag > 4:
            raise AtError
        store = modem.store(modem.settings.memories[0])
        doomed = {1: {READ}, 2: {READ, SENT}, 3: {READ, SENT, UNSENT}}.get(flag, {UNREAD, READ, SENT, UNSENT})
        for place in [place for place, message in store.slots.items() if message.status in doomed]:
            del store.slots[place]
    else:
        store, place = _place(modem, args, memory=0)
        store.slots.pop(place, None)
    modem.reception.make_room()
    return []


@command("+CMGW")
def write_message(modem: EmulatedModem, op: Op, args: str) -> Lines | None:
    """Write a PDU to memory; answers its index."""
    if not modem.caps.write_and_send or modem.settings.cmgf == 1:
        raise CmsError(303)
    if op is Op.TEST:
        return []
    numbers = integers(args)
    if not numbers:
        raise CmsError(304)
    modem.store(modem.settings.memories[1])
    status = numbers[1] if len(numbers) > 1 else UNSENT
    accept = partial(_written, modem, numbers[0], status)
    modem.dialogue.ask(Entry(accept, modem.dialogue.complete))
    return None


@command("+CMSS")
def send_from_memory(modem: EmulatedModem, op: Op, args: str) -> Lines | None:
    """Send a stored PDU."""
    if not modem.caps.write_and_send:
        raise CmsError(303)
    if op is Op.TEST:
        return []
    store, place = _place(modem, args, memory=1)
    message = store.slots.get(place)
    if message is None:
        raise CmsError(_BAD_INDEX)
    modem.submission.send_stored(bytes.fromhex(message.pdu_hex))
    return None


def _written(modem: EmulatedModem, length: int, status: int, text: str) -> None:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        modem.dialogue.complete(CmsError(304))
        return
    store = modem.store(modem.settings.memories[1])
    if tpdu.tpdu_length(octets) != length:
        modem.dialogue.complete(CmsError(304))
        return
    place = store.put(StoredMessage(status, octets.hex().upper(), length))
    if place is None:
        modem.dialogue.complete(CmsError(322))
        return
    modem.dialogue.info(f"+CMGW: {place + modem.caps.index_base}")
    modem.dialogue.complete()


def _place(modem: EmulatedModem, args: str, *, memory: int) -> tuple[MessageStore, int]:
    numbers = integers(",".join(split_args(args)[:1]))
    store = modem.store(modem.settings.memories[memory])
    place = numbers[0] - modem.caps.index_base if numbers else -1
    if not 0 <= place < store.capacity:
        raise CmsError(_BAD_INDEX)
    return store, place


def _fill(modem: EmulatedModem, name: str) -> str:
    store = modem.store(name)
    return f"{len(store.slots)},{store.capacity}"


def _wanted_status(args: str, *, text_mode: bool) -> int:
    wanted = (split_args(args) or ["REC UNREAD" if text_mode else "0"])[0]
    if text_mode:
        if wanted not in STATUS_NAMES:
            raise CmsError(305)
        return STATUS_NAMES.index(wanted)
    if wanted not in {"0", "1", "2", "3", "4"}:
        raise CmsError(304)
    return int(wanted)
