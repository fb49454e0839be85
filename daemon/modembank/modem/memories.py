"""Choosing the memory that messages are received into, and knowing all that can be read (3GPP TS 27.005 3.2.2)."""

from __future__ import annotations

import msgspec

from modembank.at import (
    AtCommand,
    AtResult,
    FinalStatus,
    MemoryChoice,
    Str,
    capability,
    command,
    parse_cpms,
    parse_cpms_choice,
    query,
)
from modembank.modem.capabilities import Feature
from modembank.modem.dialogue import Dialogue, said

EMPTY_CMS = 321
"""Invalid memory index: some modems answer so for an empty memory or slot."""
_NEVER_READ = frozenset({"BM", "TA", "MT"})
"""Broadcasts, terminal adaptor, and the union of SM and ME, which are read by themselves."""
CHOICE = capability("+CPMS", timeout_s=10.0)
USE = query("+CPMS", timeout_s=10.0)
LIST_ALL = AtCommand("AT+CMGL=4", prefix=("+CMGL:",), follows=True, timeout_s=25.0)


class Memories(msgspec.Struct, frozen=True):
    """What was chosen: the memory to receive into (None: cannot be chosen) and all that can be read, that one first."""

    preferred: str | None
    readable: tuple[str, ...]


def select(memory: str, *, all_three: bool = False) -> AtCommand:
    """Read from ``memory``; with ``all_three`` also write to it and receive into it."""
    names = [Str(memory)] * (3 if all_three else 1)
    return command("+CPMS", *names, prefix=("+CPMS:",), timeout_s=10.0)


async def choose(dialogue: Dialogue) -> Memories:
    """Prefer ME when it is larger than SM and can be read; fall back to what works, and note it."""
    offered = await dialogue.ask_patiently(CHOICE)
    choice = _parsed_choice(offered)
    candidates = _candidates(choice)
    sizes, refusal = await _sizes(dialogue, candidates)
    best = sorted(sizes, key=lambda name: (-sizes[name], candidates.index(name)))
    for memory in best:
        refusal = await _receive_into(dialogue, memory)
        if refusal:
            continue
        if await _readable(dialogue):
            dialogue.note(Feature.MEMORY, has=True, evidence=f"{memory} holds {sizes[memory]}")
            return Memories(memory, _readable_names(choice, memory))
        refusal = f"{memory} cannot be read: {dialogue.findings[Feature.LIST_PDUS].evidence}"
    dialogue.note(Feature.MEMORY, has=False, evidence=refusal or said(CHOICE, offered))
    return Memories(None, _readable_names(choice, None))


def _parsed_choice(result: AtResult | None) -> MemoryChoice | None:
    if result is None or not result.ok:
        return None
    return next((choice for line in result.lines if (choice := parse_cpms_choice(line))), None)


def _candidates(choice: MemoryChoice | None) -> tuple[str, ...]:
    if choice is None:
        return ("ME", "SM")
    receive = choice.receive or choice.read
    return tuple(name for name in ("ME", "SM") if name in choice.read and name in receive) or receive[:1]


async def _sizes(dialogue: Dialogue, candidates: tuple[str, ...]) -> tuple[dict[str, int], str]:
    """Return what each memory holds, of those that can be selected, and what the modem said to the last that cannot."""
    sizes, refusal = {}, ""
    for memory in candidates:
        order = select(memory)
        result = await dialogue.ask_patiently(order)
        if result is None or not result.ok:
            refusal = said(order, result)
            continue
        uses = parse_cpms(result.lines[0]) if result.lines else ()
        if uses and uses[0].total > 0:
            sizes[memory] = uses[0].total
    return sizes, refusal


async def _receive_into(dialogue: Dialogue, memory: str) -> str:
    """Set as many of the three memories as the modem takes (some take only one); return its refusal, or nothing."""
    ways = (select(memory, all_three=True), command("+CPMS", Str(memory), Str(memory)), select(memory))
    result, evidence = await dialogue.first_ok(ways, patiently=True)
    return evidence if result is None else ""


async def _readable(dialogue: Dialogue) -> bool:
    """Whether the selected memory can be read at all: by listing, or one by one."""
    listed = await dialogue.ask_patiently(LIST_ALL)
    if listed is not None and (listed.ok or _is_empty(listed)):
        dialogue.note(Feature.LIST_PDUS, has=True, evidence=said(LIST_ALL, listed).partition(":")[0])
        return True
    dialogue.note(Feature.LIST_PDUS, has=False, evidence=said(LIST_ALL, listed))
    for index in (0, 1):
        read = await dialogue.ask(command("+CMGR", index, prefix=("+CMGR:",), follows=True))
        if read is not None and (read.ok or _is_empty(read)):
            return True
    return False


def _is_empty(result: AtResult) -> bool:
    return result.status is FinalStatus.CMS_ERROR and result.code == EMPTY_CMS


def _readable_names(choice: MemoryChoice | None, preferred: str | None) -> tuple[str, ...]:
    offered = choice.read if choice is not None else ("SM",)
    names = [name for name in offered if name not in _NEVER_READ] or list(offered[:1])
    if preferred is not None:
        names = [preferred, *(name for name in names if name != preferred)]
    return tuple(names)
