"""Waits until the service is ready, says what it waits for, and notices when that is in vain."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import httpx
from rich.console import Console

from local import stack
from local.stack import Ports, Process, StackError

TIMEOUT_S = 600
POLL_S = 0.5
# A process that is started this often before the service was ever ready will not come up.
STARTS = 4
LOG_LINES = 25


def reason_not_ready(ports: Ports) -> str | None:
    """What the service says is missing, or None when it is ready."""
    try:
        answer = httpx.get(f"{ports.api_url}/health/ready", timeout=5)
    except httpx.TransportError:
        return "the API is starting"
    if answer.status_code == httpx.codes.OK:
        return None
    reasons: list[str] = answer.json()["reasons"]
    return "; ".join(reasons[1:] or reasons)  # the first sums up, the others say it of each worker


def wait_until_ready(ports: Ports, console: Console) -> None:
    """Return when the service is ready. Raises StackError with the end of the log of what failed."""
    started = time.monotonic()
    pids: dict[str, set[int]] = defaultdict(set)
    said = None
    with console.status("starting") as status:
        while (reason := reason_not_ready(ports)) is not None:
            if reason != said:
                console.print(f"  {time.monotonic() - started:4.0f} s  {reason}", highlight=False, soft_wrap=True)
                status.update(reason)
                said = reason
            for process in stack.processes():
                _check(process, pids[process.name])
            if time.monotonic() - started > TIMEOUT_S:
                raise StackError(f"not ready after {TIMEOUT_S} s: {reason}")
            time.sleep(POLL_S)


def _check(process: Process, pids: set[int]) -> None:
    if process.pid:
        pids.add(process.pid)
    if process.state == "FATAL" or len(pids) >= STARTS:
        raise StackError(f"{process.name} does not start. The end of {process.log}:\n\n{tail(process.log)}")


def tail(log: Path) -> str:
    """The last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else "(it is empty)"
    return "\n".join(text.splitlines()[-LOG_LINES:])
