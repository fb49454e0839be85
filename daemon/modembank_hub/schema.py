"""Which database is the hub's."""

from __future__ import annotations

from modembank.store import Schema

DATABASE = "modembank-hub.sqlite3"
"""What the database in the data folder is called."""
HUB = Schema(0x4D424855, "modembank_hub")
"""'MBHU': no box takes such a file for its own."""
