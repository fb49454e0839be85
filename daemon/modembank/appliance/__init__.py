"""The appliance image that the box may have been started from: what its root side says, and what it is asked for."""

from modembank.appliance.bundle import MAX_OCTETS, BundleTooLarge, BundleUpload, NoRoom
from modembank.appliance.fetching import BundleFetch, FetchFailed, Wanted
from modembank.appliance.rules import UpdateRules, Window, window_of
from modembank.appliance.service import MOST_DAYS, Appliance, offline_view
from modembank.appliance.state import INSTALLED, ROLLED_BACK, RUN, State, Update
from modembank.appliance.views import BoxView, box_view

__all__ = [
    "INSTALLED",
    "MAX_OCTETS",
    "MOST_DAYS",
    "ROLLED_BACK",
    "RUN",
    "Appliance",
    "BoxView",
    "BundleFetch",
    "BundleTooLarge",
    "BundleUpload",
    "FetchFailed",
    "NoRoom",
    "State",
    "Update",
    "UpdateRules",
    "Wanted",
    "Window",
    "box_view",
    "offline_view",
    "window_of",
]
