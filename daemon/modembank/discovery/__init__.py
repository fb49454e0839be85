"""Finds the modems on the USB, and gives the bank a slot for each while it runs."""

from modembank.discovery.model import Sighting, Standing
from modembank.discovery.service import Discovery, Periods
from modembank.discovery.watching import UsbWatch, Watch

__all__ = ["Discovery", "Periods", "Sighting", "Standing", "UsbWatch", "Watch"]
