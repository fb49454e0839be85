"""All checks, one file each."""

from modembank.health.checks import (
    backup_failing,
    clock_not_set,
    conservation,
    disk_nearly_full,
    held_messages,
    issue_check_failed,
    limits_nearly_spent,
    modem_hung,
    modem_missing,
    modem_storage,
    no_network,
    port_refused,
    port_shared,
    port_taken,
    sim_locked,
    sim_missing,
    sim_without_credit,
    store_failed,
    stuck_messages,
    unknown_messages,
    usb_budget,
    webhook_failing,
)
from modembank.health.parts import Check

CHECKS: tuple[Check, ...] = (
    conservation.CHECK,
    store_failed.CHECK,
    disk_nearly_full.CHECK,
    stuck_messages.CHECK,
    held_messages.CHECK,
    unknown_messages.CHECK,
    modem_hung.CHECK,
    modem_missing.CHECK,
    no_network.CHECK,
    modem_storage.CHECK,
    port_taken.CHECK,
    port_shared.CHECK,
    port_refused.CHECK,
    usb_budget.CHECK,
    sim_locked.CHECK,
    sim_missing.CHECK,
    sim_without_credit.CHECK,
    limits_nearly_spent.CHECK,
    clock_not_set.CHECK,
    backup_failing.CHECK,
    webhook_failing.CHECK,
    issue_check_failed.CHECK,
)

__all__ = ["CHECKS"]
