"""Whether the box is alive and ready, and its figures for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from prometheus_client import generate_latest

from modembank.accounts import Scope
from modembank.modem import ModemState
from modembank_web.answer import Answer, json_answer
from modembank_web.operation import Access, Call, Operation, Reply
from modembank_web.readiness import Readiness

METRICS_MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ModemCount(msgspec.Struct, frozen=True):
    """How many modems there are, and how many of them can send."""

    total: int
    registered: int


class Ready(msgspec.Struct, frozen=True):
    """Whether the box takes work, and if not, why. Modems are told, not judged: without any the box still queues."""

    ready: bool
    reasons: Sequence[str]
    modems: ModemCount


async def healthz(_: Call) -> Answer:
    """Answer that the event loop turns."""
    return json_answer(Health())


class ReadyCheck:
    """Asks the process's readiness and the store's health."""

    def __init__(self, readiness: Readiness) -> None:
        """Ask this one."""
        self._readiness = readiness

    async def __call__(self, call: Call) -> Answer:
        """Answer 200 or 503 with the reasons."""
        reasons = self._readiness.reasons()
        health = call.app.store.health
        if not health.writable:
            room = f"{health.free_octets >> 20} MiB free, {health.reserve_octets >> 20} MiB are kept in reserve"
            reasons.append(f"the database takes no new work: {health.detail or room}")
        modems = call.app.bank.modems()
        registered = sum(modem.state is ModemState.REGISTERED for modem in modems)
        content = Ready(not reasons, reasons, ModemCount(len(modems), registered))
        return json_answer(content, 503 if reasons else 200, ((b"retry-after", b"5"),) if reasons else ())


async def metrics(call: Call) -> Answer:
    """Return all metrics in Prometheus' text format."""
    await call.app.observe()
    return Answer(generate_latest(call.app.metrics.registry), 200, METRICS_MEDIA.encode())


def operations(readiness: Readiness) -> tuple[Operation, ...]:
    """Return the operations of the box's state."""
    some = {"total": 16, "registered": 15}
    return (
        Operation(
            id="healthz",
            method="GET",
            path="/healthz",
            tag="Status",
            summary="Is the process alive?",
            description="Answers 200 as long as the daemon's event loop turns; says nothing of modems or storage.",
            run=healthz,
            access=Access.OPEN,
            replies=(Reply(200, "Alive", Health, {"status": "alive"}),),
        ),
        Operation(
            id="readyz",
            method="GET",
            path="/readyz",
            tag="Status",
            summary="Does the box take work?",
            description=(
                "200 when the database takes new work and the queue is recovered, else 503 with the reasons. The "
                "number of registered modems is told but does not decide: without a modem the box still accepts "
                "messages durably and sends them when one is back."
            ),
            run=ReadyCheck(readiness),
            access=Access.OPEN,
            replies=(
                Reply(200, "Ready", Ready, {"ready": True, "reasons": [], "modems": some}),
                Reply(
                    503,
                    "Not ready, and why",
                    Ready,
                    {"ready": False, "reasons": ["the queue is being recovered"], "modems": some},
                    headers={"Retry-After": "Seconds"},
                ),
            ),
        ),
        Operation(
            id="metrics",
            method="GET",
            path="/metrics",
            tag="Status",
            summary="Figures for Prometheus",
            description=(
                "Prometheus' text format. Programs on the box itself need no key; requests that come through a "
                "proxy count as from elsewhere."
            ),
            run=metrics,
            access=Access.LOCAL_OR_KEY,
            needs=(Scope.MODEMS, Scope.ADMIN),
            replies=(
                Reply(
                    200,
                    "All metrics",
                    example="modembank_messages_accepted_total 42.0\n",
                    media=METRICS_MEDIA,
                ),
            ),
        ),
    )
