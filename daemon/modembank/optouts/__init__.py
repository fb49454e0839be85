"""Opt-outs: numbers that want no messages of this box."""

from modembank.optouts.hearing import Inbound, hear
from modembank.optouts.keywords import Heard, Keywords, Meaning
from modembank.optouts.model import Change, Source
from modembank.optouts.reading import open_reviews
from modembank.optouts.rows import among, is_out
from modembank.optouts.service import OptOuts
from modembank.optouts.views import ImportDone, ImportRow, OptOutView, ReviewView

__all__ = [
    "Change",
    "Heard",
    "ImportDone",
    "ImportRow",
    "Inbound",
    "Keywords",
    "Meaning",
    "OptOutView",
    "OptOuts",
    "ReviewView",
    "Source",
    "among",
    "hear",
    "is_out",
    "open_reviews",
]
