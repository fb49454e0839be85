"""How long the emulated world takes: distributions for each kind of wait."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Protocol


class Distribution(Protocol):
    """Draws one waiting time in seconds."""

    def draw(self, random: Random, /) -> float:
        """Return a waiting time, 0 or more, in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same wait."""

    seconds: float = 0.0

    def draw(self, _random: Random, /) -> float:
        """Return `seconds`."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Log-normal wait with the given median and sigma of the logarithm, cut at `ceiling` seconds."""

    median: float
    sigma: float = 0.5
    ceiling: float = 120.0

    def draw(self, random: Random, /) -> float:
        """Return one draw."""
        return min(self.ceiling, random.lognormvariate(math.log(self.median), self.sigma))


ZERO = Fixed(0.0)


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Waits of one bank: prompt after CMGS, network answer, delivery, report after delivery, USSD, boot, SMS ready."""

    prompt: Distribution = ZERO
    submit: Distribution = ZERO
    delivery: Distribution = ZERO
    report: Distribution = ZERO
    ussd: Distribution = ZERO
    boot: Distribution = field(default_factory=lambda: Fixed(0.05))
    sms_ready: Distribution = ZERO
    registration: Distribution = ZERO

    @classmethod
    def parse(cls, text: str) -> LatencyModel:
        """Read `zero`, `lte`, `gsm`, `fixed:SECONDS` or `lognormal:MEDIAN[:SIGMA]`; ValueError otherwise."""
        name, *values = text.split(":")
        if name in PRESETS and not values:
            return PRESETS[name]
        with suppress(ValueError):  # not a number
            numbers = [float(value) for value in values]
            if name == "fixed" and len(numbers) == 1:
                return cls(submit=Fixed(numbers[0]))
            if name == "lognormal" and len(numbers) in {1, 2}:
                return cls(submit=LogNormal(*numbers))
        msg = f"latency {text!r}: use zero, lte, gsm, fixed:SECONDS or lognormal:MEDIAN[:SIGMA]"
        raise ValueError(msg)


# Medians seen in the field: prompt 53 ms and answer 0.44 s on LTE (EC21), 2-4 s a part on GSM.
PRESETS = {
    "zero": LatencyModel(),
    "lte": LatencyModel(
        prompt=Fixed(0.05),
        submit=LogNormal(0.6, 0.5),
        delivery=LogNormal(1.5, 0.6),
        report=LogNormal(0.8, 0.5),
        ussd=LogNormal(1.0, 0.4),
        boot=Fixed(8.0),
        sms_ready=Fixed(3.0),
        registration=LogNormal(4.0, 0.5),
    ),
    "gsm": LatencyModel(
        prompt=Fixed(0.1),
        submit=LogNormal(3.0, 0.4),
        delivery=LogNormal(5.0, 0.7),
        report=LogNormal(2.0, 0.6),
        ussd=LogNormal(3.0, 0.5),
        boot=Fixed(15.0),
        sms_ready=Fixed(6.0),
        registration=LogNormal(8.0, 0.6),
    ),
}
