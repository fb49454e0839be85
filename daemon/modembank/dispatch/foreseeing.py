"""What would become of a message that names nobody, for admins who try their rules."""

from __future__ import annotations

import msgspec

from modembank.bank import Bank
from modembank.dispatch.planning import Planner
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages.model import Stage
from modembank.messages.numbers import BadNumber, normalise_recipient
from modembank.messages.routes import SimNames
from modembank.modem import AdminState, ModemState
from modembank.providers import BANK, Channel, Providers, Rule
from modembank.providers.addresses import BadAddress, mail_address
from modembank.sim import Sims

_NO_MODEM = "no SIM can send now"


class ForeseenCarrier(msgspec.Struct, frozen=True):
    """A provider, a SIM, or the bank."""

    name: str
    not_ready: str | None
    """Why it can take nothing now."""


class Foreseen(msgspec.Struct, frozen=True):
    """Who would take a message."""

    to: str
    place: int | None
    rule: Rule | None
    stages: tuple[tuple[ForeseenCarrier, ...], ...]
    """In order; those within one are alike."""


class Foresight:
    """Asks the planner, and says of whom it names whether they can send."""

    def __init__(self, providers: Providers, sims: Sims, bank: Bank, region: str = "") -> None:
        """``region`` is the ISO 3166 country of national numbers."""
        self._planner = Planner(providers, SimNames(sims))
        self._providers = providers
        self._sims = sims
        self._bank = bank
        self._region = region

    def foresee(self, written: str, channel: Channel, user: str, priority: int, now: int) -> Foreseen:
        """Return who would take a message at a time (unix ms); raises InvalidRequest for what is no recipient."""
        try:
            to = mail_address(written) if channel is Channel.EMAIL else normalise_recipient(written, self._region)
        except (BadNumber, BadAddress) as error:
            raise InvalidRequest(FieldProblem("/to", str(error))) from error
        place, stages = self._planner.chosen(to, channel.value, user, priority, now)
        rule = None if place is None else self._providers.rules[place]
        able = self.able_sims()
        return Foreseen(to, place, rule, tuple(tuple(self._named(stage, able)) for stage in stages))

    def able_sims(self) -> frozenset[int]:
        """Return the SIMs (row ids) that sit in a modem that can send, and are not paused."""
        return frozenset(
            view.sim_id
            for view in self._bank.modems()
            if view.sim_id is not None
            and view.state is ModemState.REGISTERED
            and view.admin is AdminState.ENABLED
            and not self._sims.get(view.sim_id).paused
        )

    def _named(self, stage: Stage, able: frozenset[int]) -> list[ForeseenCarrier]:
        known = {each.row.id: each for each in self._providers.all()}
        found = [ForeseenCarrier(BANK, None if able else _NO_MODEM)] if stage.bank else []
        named = () if stage.bank else stage.sims
        found += [ForeseenCarrier(self._sims.get(sim).name, None if sim in able else _NO_MODEM) for sim in named]
        found += [ForeseenCarrier(known[one].name, known[one].not_ready()) for one in stage.providers if one in known]
        return found
