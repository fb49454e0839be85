"""What the failure stories share: deadlines short enough for tests, and looks at a box over HTTP."""

from fakes.modem_hosts import QUICK

BRISK = QUICK.scaled(prompt_s=1.0, final_s=1.5, command_s=0.6, probe_s=0.3, reopen_most_s=0.3, restart_s=2.0)
"""Short, yet long enough for a whole box on a busy machine."""
CALM = BRISK.scaled(beat_s=30.0, verify_s=60.0)
"""As BRISK, without a heartbeat in between."""


async def modems(box):
    """All slots as the API shows them, by name."""
    answer = await box.client.get("/api/v1/modems")
    assert answer.status_code == 200, answer.text
    return {modem["slot"]: modem for modem in answer.json()["items"]}


async def until_modem(box, slot, holds):
    """Return the slot once ``holds(modem)``."""

    async def looked():
        modem = (await modems(box))[slot]
        return modem if holds(modem) else None

    return await box.until(looked)


async def until_inbox(box, count):
    """Return the texts of the inbox, oldest first, once there are so many."""

    async def looked():
        items = await box.inbox()
        return items if len(items) >= count else None

    return [item["text"] for item in reversed(await box.until(looked))]


def sent_to(bank):
    """Recipients in the order in which the network took the messages."""
    return [seen.destination for seen in bank.network.ledger if seen.accepted]


async def until_final(box, accepted, *statuses):
    """Return the messages of a batch once each has one of these statuses."""
    return [await box.until_status(message["id"], *statuses) for message in accepted]
