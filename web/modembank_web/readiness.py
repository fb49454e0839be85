"""What the box still has to do before it should be given work."""

from __future__ import annotations


class Readiness:
    """Named things to finish before ``/readyz`` says yes; the process adds and finishes them."""

    def __init__(self, **pending: str) -> None:
        """Start with these: name to a sentence for people, such as ``recovery="the queue is being recovered"``."""
        self._pending = dict(pending)

    def wait_for(self, name: str, why: str) -> None:
        """Say no until ``finished(name)``; also used when the box begins to stop."""
        self._pending[name] = why

    def finished(self, name: str) -> None:
        """Tell that it is done; twice does no harm."""
        self._pending.pop(name, None)

    def reasons(self) -> list[str]:
        """Return why the box is not ready, empty when it is."""
        return list(self._pending.values())
