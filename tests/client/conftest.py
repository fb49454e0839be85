"""A served box and either client, for every test here."""

from fakes.client_kinds import client, kind, served

__all__ = ["client", "kind", "served"]
