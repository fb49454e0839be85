"""Opening the store that the configuration names: a file, or a database at a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modembank.metrics import Metrics
from modembank.store import Store
from modembank_hub.config import HubConfig, StoreConfig
from modembank_hub.postgres.errors import NoDriver
from modembank_hub.schema import DATABASE, HUB
from modembank_hub.sharing import Alone, Sharing

if TYPE_CHECKING:
    from modembank_hub.postgres.driver import Target


async def open_store(config: HubConfig, metrics: Metrics | None = None) -> tuple[Store, Sharing]:
    """Open it, made and migrated as needed; return it with what is between this process and others of the hub.

    Raises NoDriver, and what Store.open and SharedStore.open_at raise.
    """
    wanted = config.store
    if not wanted.url:
        return await Store.open(Path(config.hub.data_dir) / DATABASE, metrics=metrics, schema=HUB), Alone()
    target = target_of(wanted)
    from modembank_hub.postgres.sharing import Together
    from modembank_hub.postgres.store import SharedStore

    return await SharedStore.open_at(target, metrics=metrics), Together(target)


def target_of(wanted: StoreConfig) -> Target:
    """Return the database at a server; raises NoDriver where the library for it is missing."""
    try:
        from modembank_hub.postgres.driver import Target
    except ImportError as error:
        raise NoDriver(detail=str(error)) from error
    return Target(wanted.url, wanted.password_file, wanted.tls_ca)
