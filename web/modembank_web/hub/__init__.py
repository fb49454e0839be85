"""The hub's faces: its API and its pages, made of the same parts as the box's."""

from modembank_web.hub.factory import create_hub_web, documented

__all__ = ["create_hub_web", "documented"]
