"""Whether Redis takes writes: tried once a second, so that who asks, however often, makes it write nothing."""

from __future__ import annotations

import logging

from contract.errors import StoreUnavailable
from contract.job_store import JobStore
from contract.loop import Loop

log = logging.getLogger(__name__)

EVERY_S = 1.0


class StoreWatch:
    """Tries every second whether Redis takes writes, and keeps what it said."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self.complaint: str | None = None
        """Why Redis takes no writes, in its words; None when it takes them."""
        self.refresh()
        self.loop = Loop("store-watch", self.refresh, pause_s=EVERY_S)
        self.loop.start()

    def refresh(self) -> None:
        """Try a write now."""
        before, self.complaint = self.complaint, self._try()
        if self.complaint and not before:
            log.warning("Redis takes no writes", extra={"error": self.complaint})

    def close(self) -> None:
        self.loop.stop()

    def _try(self) -> str | None:
        try:
            self._jobs.check_writes()
        except StoreUnavailable as error:
            return str(error)
        return None
