"""The health report's numbers and what a reader sees of them."""

import json
from datetime import date

from conftest_of_reports import AT, DECEMBER, Books
from hypothesis import given
from hypothesis import strategies as st

from loyalty.reports import health, stored
