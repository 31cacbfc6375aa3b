"""A wall clock that is wrong by CLOCK_AHEAD_S seconds, for Python with this folder on its PYTHONPATH."""

from __future__ import annotations

import os
import time

_ahead_s = float(os.environ["CLOCK_AHEAD_S"])
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _ahead_s
time.time_ns = lambda: _time_ns() + int(_ahead_s * 1e9)
