"""All targets by name, for both drivers: pytest (``test_targets.py``) and the coverage-guided one (``drive.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuzz import (
    at_targets,
    inbound_target,
    modem_targets,
    smpp_targets,
    socket_targets,
    tpdu_targets,
    web_targets,
    words_targets,
)

Run = Callable[[bytes], None]
CRASHES = Path(__file__).parent / "crashes"


@dataclass(frozen=True)
class Target:
    """Something that takes octets. ``open`` gives the function, which raises when the octets break a promise."""

    name: str
    open: Callable[[], AbstractContextManager[Run]]
    seeds: Callable[[], list[bytes]]
    longest: int
    """Octets worth trying."""
    examples: int
    """How many inputs the default test suite makes up, beside seeds and crashes."""

    def crashes(self) -> list[Path]:
        """Inputs that once broke a promise; they are tried for ever."""
        return sorted(CRASHES.glob(f"{self.name}-*.bin"))


def _pure(run: Run) -> Callable[[], AbstractContextManager[Run]]:
    @contextmanager
    def opened() -> Iterator[Run]:
        yield run

    return opened


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("at_engine", _pure(at_targets.at_engine), at_targets.engine_seeds, 4096, 150),
        Target("at_parsers", _pure(at_targets.at_parsers), at_targets.parser_seeds, 4096, 150),
        Target("tpdu", _pure(tpdu_targets.tpdu), tpdu_targets.tpdu_seeds, 420, 300),
        Target("joining", _pure(tpdu_targets.joining), tpdu_targets.joining_seeds, 4096, 150),
        Target("text", _pure(tpdu_targets.text), tpdu_targets.text_seeds, 4096, 150),
        Target("channel", modem_targets.channel, modem_targets.channel_seeds, 2048, 15),
        Target("modem_line", modem_targets.modem_line, modem_targets.line_seeds, 4096, 4),
        Target("inbound", inbound_target.inbound, inbound_target.inbound_seeds, 4096, 40),
        Target("configuration", words_targets.configuration, words_targets.configuration_seeds, 4096, 150),
        Target("numbers", _pure(words_targets.numbers), words_targets.number_seeds, 200, 150),
        Target("smpp", _pure(smpp_targets.smpp), smpp_targets.smpp_seeds, 4096, 150),
        Target("http", web_targets.http, web_targets.http_seeds, 4096, 40),
        Target("api", web_targets.api, web_targets.api_seeds, 512, 120),
        Target("emulator_control", socket_targets.emulator_control, socket_targets.control_seeds, 2048, 30),
    )
}
