"""Every deadline and period of a modem in one place, so that tests and slow links can turn them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Timings(msgspec.Struct, frozen=True):
    """Seconds, all of them."""

    prompt_s: float = 10.0
    """From AT+CMGS to the prompt; ModemManager waits as long."""
    final_s: float = 180.0
    """From Ctrl-Z to the final result: manuals say 120 s, a refusal after 135 s was seen (Quectel EG06-E)."""
    gate_s: float = 30.0
    """For the intent to become durable while the modem stands at its prompt."""
    escape_s: float = 1.0
    """For the answer to ESC; some modems give none."""
    command_s: float | None = None
    """Caps every ordinary command's own deadline when set."""
    probe_s: float = 3.0
    """For the marker of a resynchronisation."""
    probes: int = 3
    rechecks: int = 2
    """Markers after a rung of the recovery ladder: fewer, since what is silent then was silent before."""
    late_error_s: float = 20.0
    """A bare ERROR or +CMS ERROR 500 after this long may be a lost acknowledgement rather than a refusal."""

    quiet_scale: float = 1.0
    """Stretches the pauses of a resynchronisation, for links slower than USB."""
    not_ready_s: float = 2.0
    """Between two tries while the SIM still loads."""
    not_ready_tries: int = 10
    """As many as oFono gives CPMS (MAX_CPMS_RETRIES)."""

    beat_s: float = 20.0
    """Between two looks at an idle modem: a hang of one that does nothing is noticed no sooner."""
    search_s: float = 3.0
    """Between two looks at the registration of a modem that has none."""
    verify_s: float = 150.0
    """Between two looks at what a silent restart would reset (CNMI) and at the memories' fill."""
    sweep_s: float = 600.0
    """Between two sweeps of all memories, the safety net behind the unsolicited codes."""
    store_retry_s: float = 2.0
    """Before a PDU that could not be made durable is offered again."""
    ussd_s: float = 30.0

    reopen_s: float = 1.0
    """First wait before a lost or missing port is opened again."""
    reopen_most_s: float = 30.0
    missing_most_s: float = 2.0
    """The same while there is no such node: a modem that is plugged in again serves within ten seconds."""
    restart_s: float = 60.0
    """How long a modem that was seen to go down may take until it answers again; looked for all the while."""
    boot_s: float = 15.0
    """How long a port that has just appeared may be silent, while its modem starts."""
    down_s: float = 4.0
    """How long a modem that was told to restart may still answer before it goes down; nothing is sent meanwhile.
    If its port neither goes nor a boot code comes, and it is silent then, the order did nothing."""
    blind_s: float = 0.5
    """After each order that is written to a modem from which no answer is expected."""
    settled_s: float = 600.0
    """A modem well for this long starts the recovery ladder from its first rung again."""
    quarantine_s: float = 600.0
    """Between two tries of a modem that no rung could bring back."""
    locked_s: float = 60.0
    """Between two looks at a locked or missing SIM."""
    stop_s: float = 3.0
    """How long an exchange in flight may still take when the daemon stops, after the dispatcher's drain: together with
    the other stages of the stop below the ten seconds that it is given."""

    def scaled(self, **changes: float | None) -> Timings:
        """Return the same timings with some of them changed."""
        return replace(self, **changes)  # the field names are checked by replace
