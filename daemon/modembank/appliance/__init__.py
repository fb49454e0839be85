"""The appliance image that the box may have been started from: what its root side says, and what it is asked for."""

from modembank.appliance.bundle import MAX_OCTETS, BundleTooLarge, BundleUpload
from modembank.appliance.service import MOST_DAYS, Appliance, offline_view
from modembank.appliance.state import INSTALLED, ROLLED_BACK, RUN
from modembank.appliance.views import BoxView, box_view

__all__ = [
    "INSTALLED",
    "MAX_OCTETS",
    "MOST_DAYS",
    "ROLLED_BACK",
    "RUN",
    "Appliance",
    "BoxView",
    "BundleTooLarge",
    "BundleUpload",
    "box_view",
    "offline_view",
]
