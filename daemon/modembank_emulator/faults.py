"""Faults on demand: armed for the Nth occurrence of a command, or standing until cleared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """What goes wrong with one command."""

    HANG = "hang"  # no answer to this nor to anything after
    HANG_URCS_FLOW = "hang_urcs_flow"  # the same, but unsolicited codes keep coming
    ECHO_ONLY = "echo_only"  # echoes, never answers
    DROP_FINAL = "drop_final"  # does it, says nothing, takes the next command
    LATE_FINAL = "late_final"  # does it, answers after `seconds`, busy until then
    ANSWER_WITH_NEXT = "answer_with_next"  # its answer comes when the next command has arrived
    CMS_ERROR = "cms_error"  # +CMS ERROR: `code`; with `sent` the message left nevertheless
    CME_ERROR = "cme_error"
    PLAIN_ERROR = "plain_error"
    NO_PROMPT = "no_prompt"  # waits for the PDU without showing the prompt
    PROMPT_TWICE = "prompt_twice"
    RESET = "reset"  # boots again
    UNPLUG = "unplug"  # gone until `replug`


class Stage(StrEnum):
    """How far a CMGS gets before a HANG, ECHO_ONLY, RESET or UNPLUG strikes."""

    COMMAND = "command"  # before the prompt
    PROMPT = "prompt"  # the prompt was shown; strikes with the first byte of the PDU
    CTRL_Z = "ctrl_z"  # the whole PDU was taken, nothing was sent
    SENT = "sent"  # the network has the message, the final result never comes


class Mute(StrEnum):
    """What a hung modem still does."""

    NOT = "not"
    ALL = "all"
    COMMANDS = "commands"  # unsolicited codes flow
    ECHO = "echo"  # echoes, unsolicited codes flow


class Ending(StrEnum):
    """What ends a hang, besides `heal` and being plugged in again."""

    BOOT = "boot"  # whatever makes it boot
    RESTART = "restart"  # the same, and it still obeys AT+CFUN=1,1
    POWER = "power"  # it hangs again after every boot


MUTED_BY = {FaultKind.HANG: Mute.ALL, FaultKind.HANG_URCS_FLOW: Mute.COMMANDS, FaultKind.ECHO_ONLY: Mute.ECHO}


@dataclass(frozen=True, slots=True)
class Fault:
    """One armed fault: strikes the `nth` next `command` (an AT name such as "+CMGS"; "" for any), `times` times.

    `chance` lets each of them pass unharmed but for that share.
    """

    kind: FaultKind
    command: str = "+CMGS"
    nth: int = 1
    times: int | None = 1  # None: standing
    stage: Stage = Stage.CTRL_Z
    code: int = 500
    sent: bool = False
    seconds: float = 1.0
    reenumerate: bool = False
    chance: float = 1.0
    lasts_s: float | None = None  # a hang ends by itself after this long


@dataclass(slots=True)
class _Armed:
    fault: Fault
    wait: int
    left: int | None


@dataclass(slots=True)
class Noise:
    """Bytes that come in between: at one place of the stream, or with a chance at each byte boundary."""

    make: Callable[[], bytes]
    position: int | None = None
    chance: float = 0.0


class Faults:
    """The faults of one modem."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._armed: list[_Armed] = []
        self._noises: list[Noise] = []
        self.mute = Mute.NOT
        self.ends_with = Ending.BOOT

    def arm(
        self,
        kind: FaultKind | str,
        *,
        command: str = "+CMGS",
        nth: int = 1,
        times: int | None = 1,
        stage: Stage | str = Stage.CTRL_Z,
        code: int = 500,
        sent: bool = False,
        seconds: float = 1.0,
        reenumerate: bool = False,
        chance: float = 1.0,
        lasts_s: float | None = None,
    ) -> Fault:
        """Arm a fault, see `Fault` for the fields; ValueError for an unknown kind or stage."""
        fault = Fault(
            FaultKind(kind), command, nth, times, Stage(stage), code, sent, seconds, reenumerate, chance, lasts_s
        )
        self._armed.append(_Armed(fault, fault.nth - 1, fault.times))
        return fault

    def take(self, command: str) -> Fault | None:
        """The fault that strikes this command, if any; counts the command for the others."""
        if not self._armed:
            return None
        struck = None
        for armed in list(self._armed):
            if armed.fault.command not in {"", command}:
                continue
            if armed.wait > 0:
                armed.wait -= 1
            elif struck is None and (armed.fault.chance >= 1.0 or self._random.random() < armed.fault.chance):
                struck = armed.fault
                if armed.left is not None:
                    armed.left -= 1
                    if armed.left <= 0:
                        self._armed.remove(armed)
        return struck

    def noise_at(self, position: int, payload: bytes) -> None:
        """Insert `payload` once, after `position` more bytes of output."""
        self._noises.append(Noise(lambda: payload, position=position))

    def noise(self, chance: float, *payloads: bytes) -> None:
        """Insert one of `payloads` (without any: 1 to 8 random bytes) at each byte boundary with this chance."""
        self._noises.append(Noise(lambda: self._pick(payloads), chance=chance))

    def hang(self, *, urcs: bool = False) -> None:
        """Answer nothing from now on."""
        self.mute = Mute.COMMANDS if urcs else Mute.ALL

    def echo_only(self) -> None:
        """Echo, but answer nothing from now on."""
        self.mute = Mute.ECHO

    def clear(self) -> None:
        """Be well again."""
        self._armed.clear()
        self._noises.clear()
        self.unmute()

    def unmute(self) -> None:
        """End a hang."""
        self.mute = Mute.NOT
        self.ends_with = Ending.BOOT

    @property
    def noisy(self) -> bool:
        """Whether output passes through `spoil`."""
        return bool(self._noises)

    def spoil(self, octets: bytes) -> bytes:
        """Output with the noise in it."""
        for noise in list(self._noises):
            if noise.position is None:
                octets = self._sprinkle(octets, noise)
            elif noise.position <= len(octets):
                octets = octets[: noise.position] + noise.make() + octets[noise.position :]
                self._noises.remove(noise)
            else:
                noise.position -= len(octets)
        return octets

    def _sprinkle(self, octets: bytes, noise: Noise) -> bytes:
        spoiled = bytearray()
        for octet in octets:
            if self._random.random() < noise.chance:
                spoiled += noise.make()
            spoiled.append(octet)
        return bytes(spoiled)

    def _pick(self, payloads: tuple[bytes, ...]) -> bytes:
        return self._random.choice(payloads) if payloads else self._random.randbytes(self._random.randint(1, 8))


# Ready payloads.
NULS = bytes(64)
FLOOD = b"x" * 65536  # 64 KiB without a line end
URC_NOISE = (b"\r\n^RSSI:17\r\n", b"\r\nRING\r\n", b"\r\nOVER-VOLTAGE WARNNING\r\n", b'\r\n+CTZV: "+04"\r\n')
