"""The service of the link to Home Assistant: what the link notes, and what faces may see of it."""

from __future__ import annotations

from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.home_assistant.model import HomeAssistantView, LinkState


class HomeAssistant:
    """The box's place in Home Assistant; without a broker it only says so."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Use these."""
        self._config = config.home_assistant
        self._clock = clock
        self.set_up = bool(self._config.url)
        self.node = self._config.node or config.box.id
        self.state = LinkState.CONNECTING if self.set_up else LinkState.NOT_SET_UP
        self.since: int | None = self._now() if self.set_up else None
        self.why = ""
        self.next_try_at: int | None = None
        self.entities = 0
        self.announced_at: int | None = None
        self.notified = 0
        self.refused = 0
        self.last_refusal = ""

    def note(self, state: LinkState, why: str = "", next_try_s: float | None = None) -> None:
        """Note how the link stands."""
        now = self._now()
        if state is not self.state:
            self.state, self.since = state, now
        self.why = why
        self.next_try_at = None if next_try_s is None else now + round(next_try_s * 1000)

    def announced(self, entities: int) -> None:
        """Home Assistant was told what there is."""
        self.entities, self.announced_at = entities, self._now()

    def note_refused(self, code: str) -> None:
        """Note that a command did nothing, and why."""
        self.refused += 1
        self.last_refusal = code

    def view(self, actor: Actor) -> HomeAssistantView:
        """Return how the link stands. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        shown = self.set_up
        return HomeAssistantView(
            state=self.state,
            since=self.since,
            why=self.why,
            broker=self._config.url,
            node=self.node if shown else "",
            next_try_at=self.next_try_at,
            entities=self.entities,
            announced_at=self.announced_at,
            privacy=self._config.privacy,
            commands=self._config.commands,
            groups=tuple(entry.group for entry in self._config.notify) if shown else (),
            notified=self.notified,
            refused=self.refused,
            last_refusal=self.last_refusal,
        )

    def _now(self) -> int:
        return to_ms(self._clock.now())
