"""The box in a fleet: what of it is durable, and how the link to the hub stands. The link itself is a face."""

from modembank.fleet.model import FleetView, HubState, Life, LinkState
from modembank.fleet.service import Fleet

__all__ = ["Fleet", "FleetView", "HubState", "Life", "LinkState"]
