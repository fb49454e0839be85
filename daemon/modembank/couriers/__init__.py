"""What the couriers of webhooks and of the Twilio dialect have in common: who carries events to people's endpoints."""

from modembank.couriers.crew import Courier, Crew
from modembank.couriers.lanes import in_lanes
from modembank.couriers.means import Means
from modembank.couriers.retrying import Retry

__all__ = ["Courier", "Crew", "Means", "Retry", "in_lanes"]
