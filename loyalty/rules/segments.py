"""The names of the segments; loyalty/db/segments.py computes them, docs/segments.md says what they mean."""

from typing import Literal, get_args

Segment = Literal["active", "best", "one_time", "at_risk", "lapsed", "near_threshold"]
SEGMENTS: tuple[Segment, ...] = get_args(Segment)
