"""Figures by day for people: what was accepted of whom, what each SIM sent, and what came to a bad end."""

from modembank.figures.files import Subject, write_csv
from modembank.figures.report import MOST_DAYS, Line, Report
from modembank.figures.service import Figures

__all__ = ["MOST_DAYS", "Figures", "Line", "Report", "Subject", "write_csv"]
