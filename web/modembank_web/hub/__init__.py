"""The hub's faces: its API and its pages, made of the same parts as the box's; and what boxes ask of it."""

from modembank_web.hub.doorway import create_doorway
from modembank_web.hub.factory import create_hub_web, documented

__all__ = ["create_doorway", "create_hub_web", "documented"]
