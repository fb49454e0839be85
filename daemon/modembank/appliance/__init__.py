"""The appliance image that the box may have been started from: what its root side says, and what it is asked for."""

from modembank.appliance.bundle import MAX_OCTETS, BundleTooLarge, BundleUpload
from modembank.appliance.service import Appliance
from modembank.appliance.state import RUN
from modembank.appliance.views import BoxView, box_view

__all__ = ["MAX_OCTETS", "RUN", "Appliance", "BoxView", "BundleTooLarge", "BundleUpload", "box_view"]
