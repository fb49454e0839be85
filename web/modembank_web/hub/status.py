"""Whether the hub is alive and takes in, and its figures for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Scope
from modembank_web.answer import Answer, json_answer
from modembank_web.hub.surface import hub
from modembank_web.operation import Access, Call, Operation, Reply
from modembank_web.status import METRICS_MEDIA, Health, healthz, metrics


class HubReady(msgspec.Struct, frozen=True):
    """Whether the hub takes in and can send, and if not, why."""

    ready: bool
    reasons: Sequence[str]
    connections: int
    wanted: int


def reasons_of(call: Call) -> list[str]:
    """Return why the hub does not do all of its work now."""
    app = hub(call)
    reasons = []
    if app.ingest.stuck_since is not None:
        reasons.append(f"the database takes nothing: {app.ingest.stuck_why}")
    if app.lines.up < app.lines.wanted:
        reasons.append(f"{app.lines.up} of {app.lines.wanted} connections to the broker stand: {app.lines.why_down}")
    return reasons


async def readyz(call: Call) -> Answer:
    """Answer 200 or 503 with the reasons."""
    reasons, lines = reasons_of(call), hub(call).lines
    content = HubReady(not reasons, reasons, lines.up, lines.wanted)
    return json_answer(content, 503 if reasons else 200, ((b"retry-after", b"5"),) if reasons else ())


_DOWN = "0 of 3 connections to the broker stand: cannot connect to 127.0.0.1:8883: Connection refused"
OPERATIONS = (
    Operation(
        id="healthz",
        method="GET",
        path="/healthz",
        tag="Status",
        summary="Is the process alive?",
        description="Answers 200 as long as the event loop turns.",
        run=healthz,
        access=Access.OPEN,
        replies=(Reply(200, "Alive", Health, {"status": "alive"}),),
    ),
    Operation(
        id="readyz",
        method="GET",
        path="/readyz",
        tag="Status",
        summary="Does the hub take in?",
        description="200 when all connections to the broker stand and the database takes what comes, else 503.",
        run=readyz,
        access=Access.OPEN,
        replies=(
            Reply(200, "Ready", HubReady, {"ready": True, "reasons": [], "connections": 3, "wanted": 3}),
            Reply(
                503,
                "Not ready, and why",
                HubReady,
                {"ready": False, "reasons": [_DOWN], "connections": 0, "wanted": 3},
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
        description="Prometheus' text format. Programs on the same machine need no key.",
        run=metrics,
        access=Access.LOCAL_OR_KEY,
        needs=(Scope.MODEMS, Scope.ADMIN),
        replies=(Reply(200, "All metrics", example="modembank_hub_connections 3.0\n", media=METRICS_MEDIA),),
    ),
)
