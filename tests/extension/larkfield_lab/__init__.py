"""Devices of the laboratory are lent: a connector to its calendar, and the workflow that reserves there."""

from larkfield_lab.connector import Lab
from larkfield_lab.workflow import Loan

__all__ = ["Lab", "Loan"]
