"""The durable side: one SQLite file, one writer with group commit, read-only readers, migrations."""

from modembank.store.errors import (
    ForeignDatabase,
    MigrationFailed,
    SchemaTooNew,
    SchemaTooOld,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreFull,
)
from modembank.store.health import StoreHealth, StoreState
from modembank.store.schema import Schema
from modembank.store.store import Store
from modembank.store.work import Urgency

__all__ = [
    "ForeignDatabase",
    "MigrationFailed",
    "Schema",
    "SchemaTooNew",
    "SchemaTooOld",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreHealth",
    "StoreState",
    "Urgency",
]
