"""Long messages of several senders in any order, with repeats and restarts: exactly the original texts."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.inbounds import InboundBox, deliver
from modembank.messages.reassembly import SHOW_AFTER_MS
from modembank.tpdu import Concat

PIECES = st.lists(
    st.text(st.sampled_from("aZ9@é€[{\n 中🎉ß\u200d"), max_size=20),
    min_size=2,
    max_size=4,
)


@dataclass(frozen=True)
class Piece:
    """One part of one message on its way."""

    message: int
    key: tuple
    number: int
    pdu: str
    sim: int


class Reassembly(RuleBasedStateMachine):
    """The network keeps parts and repeats them; two messages under one key never overtake each other part by part."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.originals: list[str] = []
        self.pending: list[Piece] = []
        self.came: list[Piece] = []
        self.standing: list = []

    @initialize()
    def open(self) -> None:
        self.box = self.runner.run(InboundBox(Path(self.folder.name) / "machine.db").open())

    @rule(
        sender=st.sampled_from(["+447911123456", "Example"]),
        sim=st.sampled_from([1, 2]),
        reference=st.sampled_from([0, 255]),
        wide=st.booleans(),
        pieces=PIECES,
    )
    def send(self, sender: str, sim: int, reference: int, wide: bool, pieces: list[str]) -> None:
        serial = len(self.originals)
        pieces = [f"{serial}.{number} {piece}" for number, piece in enumerate(pieces, 1)]
        self.originals.append("".join(pieces))
        at = self.box.clock.now_ms + serial * 1000
        for number, piece in enumerate(pieces, 1):
            concat = Concat(reference, len(pieces), number, wide)
            key = (sim, sender, reference, wide, len(pieces))
            pdu = deliver(piece, sender=sender, concat=concat, at=at)
            self.pending.append(Piece(serial, key, number, pdu, sim))

    @precondition(lambda self: self.pending)
    @rule(pick=st.randoms(use_true_random=False), direct=st.booleans())
    def arrive(self, pick, direct: bool) -> None:
        free = [piece for piece in self.pending if not self._overtakes(piece)]
        piece = pick.choice(free)
        self.pending.remove(piece)
        self.came.append(piece)
        self._store(piece, direct=direct)

    @precondition(lambda self: self.came)
    @rule(pick=st.randoms(use_true_random=False), direct=st.booleans())
    def repeat(self, pick, direct: bool) -> None:
        """The network, or a telephone, sends a part again."""
        self._store(pick.choice(self.came), direct=direct)

    @precondition(lambda self: self.pending)
    @rule(pick=st.randoms(use_true_random=False))
    def arrive_and_stay(self, pick) -> None:
        """The modem does not delete it, and shows it again and again."""
        piece = pick.choice([piece for piece in self.pending if not self._overtakes(piece)])
        self.pending.remove(piece)
        self.came.append(piece)
        raw = self.box.raw(piece.pdu, sim=piece.sim)
        self.standing.append(raw)
        self.runner.run(self.box.receiving.store(raw))

    @rule()
    def read_all_again(self) -> None:
        for raw in self.standing:
            self.runner.run(self.box.receiving.store(raw))

    @rule()
    def restart(self) -> None:
        self.runner.run(self.box.reopen())

    @rule()
    def sweep(self) -> None:
        self.box.clock.turn(2_000)
        assert self.runner.run(self.box.receiving.sweep()) == 0

    @invariant()
    def complete_is_shown(self) -> None:
        if not hasattr(self, "box"):
            return
        open_ones = {piece.message for piece in self.pending}
        complete = [text for serial, text in enumerate(self.originals) if serial not in open_ones]
        assert Counter(self.runner.run(self.box.texts())) == Counter(complete)

    def teardown(self) -> None:
        try:
            if hasattr(self, "box"):
                while self.pending:
                    piece = next(piece for piece in self.pending if not self._overtakes(piece))
                    self.pending.remove(piece)
                    self._store(piece, direct=False)
                self.box.clock.turn(2 * SHOW_AFTER_MS)
                assert self.runner.run(self.box.receiving.sweep()) == 0
                assert Counter(self.runner.run(self.box.texts())) == Counter(self.originals)
                assert len(set(self.box.received())) == len(self.box.received()) == len(self.originals)
                self.runner.run(self.box.close())
        finally:
            self.runner.close()
            self.folder.cleanup()

    def _overtakes(self, piece: Piece) -> bool:
        return any(
            other.key == piece.key and other.number == piece.number and other.message < piece.message
            for other in self.pending
        )

    def _store(self, piece: Piece, *, direct: bool) -> None:
        if direct:
            self.runner.run(self.box.receiving.store(self.box.direct(piece.pdu, sim=piece.sim)))
        else:
            self.runner.run(self.box.receive(piece.pdu, sim=piece.sim))


TestReassembly = Reassembly.TestCase
TestReassembly.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
