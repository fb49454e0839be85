"""A dialogue with a foreign modem, as the initialisation has it, for tests of its single steps."""

import asyncio
from contextlib import asynccontextmanager

from fakes.foreign_modems import Manners, foreign
from fakes.modem_hosts import CALM
from modembank.modem import Transcript
from modembank.modem.capabilities import Capabilities, Routing, SimSeen
from modembank.modem.channel import AtChannel
from modembank.modem.dialogue import Dialogue
from modembank.modem.initialization import Initialized, Learnt, SimAccess, initialize
from modembank.modem.pin import KEEP_TRIES, PinRecord
from modembank.modem.quirks import GENERIC
from modembank.port import PortConfig, open_port

SHORT = CALM.scaled(not_ready_s=0.01, not_ready_tries=3)

USUAL = Routing(2, 1, 0, 1, 0)


class Talk:
    """Both ends, and what came without being asked."""

    def __init__(self, modem, channel, timings):
        self.modem = modem
        self.channel = channel
        self.timings = timings
        self.ready = asyncio.Event()
        self.dialogue = Dialogue(channel, timings, self.ready)

    @property
    def findings(self):
        return self.dialogue.findings

    def heard(self, start):
        """Commands that began so."""
        return [line for line in self.modem.heard if line.startswith(start)]

    async def initialized(self, pin="", record=None):
        access = SimAccess(lambda _card: (pin, KEEP_TRIES), lambda _card, _pin: None, record or PinRecord())
        return await initialize(self.dialogue, access, Learnt())


@asynccontextmanager
async def talking(manners=None, *, timings=SHORT, on_urc=lambda urc: None, settled=True):
    """An open channel to such a modem, whose echo is off."""
    async with foreign(manners or Manners()) as modem:
        channel = AtChannel(timings, Transcript(lambda: 0), on_urc, {})
        await channel.open(open_port, PortConfig(str(modem.path)))
        talk = Talk(modem, channel, timings)
        talk.dialogue.settled = settled
        try:
            yield talk
        finally:
            await channel.close()


def answering(answers, **more):
    """Manners of a modem that gives these answers."""
    return Manners(answers={line: (said,) if isinstance(said, str) else said for line, said in answers.items()}, **more)


def known(*, quirks=GENERIC, imsi="234150999999999", routing=USUAL, registrations=("+CREG",)):
    """What an initialisation left."""
    return Initialized(Capabilities(routing=routing, registrations=registrations), SimSeen(None, imsi), quirks)
