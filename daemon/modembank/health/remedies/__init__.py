"""All remedies, one file each."""

from collections.abc import Mapping

from modembank.health.parts import Remedy
from modembank.health.remedies import (
    disable_provider,
    expire_held,
    recount,
    release_loop,
    reset_modem,
    resume_sim,
    retry_mail,
    retry_modem,
    retry_twilio,
    retry_webhook,
    send_held,
    sweep_storage,
)

REMEDIES: Mapping[str, Remedy] = {
    remedy.name: remedy
    for remedy in (
        reset_modem.REMEDY,
        retry_modem.REMEDY,
        retry_webhook.REMEDY,
        retry_twilio.REMEDY,
        retry_mail.REMEDY,
        resume_sim.REMEDY,
        sweep_storage.REMEDY,
        send_held.REMEDY,
        expire_held.REMEDY,
        recount.REMEDY,
        release_loop.REMEDY,
        disable_provider.REMEDY,
    )
}

__all__ = ["REMEDIES"]
