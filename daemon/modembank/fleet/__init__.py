"""The box in a fleet: what of it is durable, and how the link to the hub stands. The link itself is a face."""

from modembank.fleet.enrolment_folder import Asked, Membership, Pair
from modembank.fleet.model import EnrolmentState, FleetView, HubState, Life, LinkState
from modembank.fleet.service import Fleet

__all__ = ["Asked", "EnrolmentState", "Fleet", "FleetView", "HubState", "Life", "LinkState", "Membership", "Pair"]
