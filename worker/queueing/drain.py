"""How a worker gives back what it will not do: all that waits when it was told to end, and what it has no model for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Thread

from contract.chunk_store import ChunkStore, Resend
from contract.errors import StoreUnavailable
from contract.message import Ticket

log = logging.getLogger(__name__)


class Drain:
    """Sends chunks again that this worker holds and has not begun, and those whose message it took too late to lease.

    What can't be sent, because Redis is away, is found by the reconciler of another worker.
    """

    def __init__(
        self,
        *,
        chunks: ChunkStore,
        drop_waiting: Callable[[], Sequence[Ticket]],
        send: Callable[[Sequence[Resend]], None],
    ) -> None:
        """`drop_waiting` forgets the leased chunks that have not begun, and returns their tickets."""
        self.has_begun = False
        self._chunks = chunks
        self._drop_waiting = drop_waiting
        self._send = send
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Give back what waits, on a thread of its own: a signal handler calls this, and must wait for no lock."""
        self._thread = Thread(target=self._give_back_waiting, name="drain")
        self._thread.start()

    def join(self) -> None:
        """Return when what waited is given back."""
        if self._thread:
            self._thread.join()

    def send_unleased(self, tickets: Iterable[Ticket]) -> None:
        """Put tickets into their queue again whose message was taken off it and that this worker does not lease."""
        self._resend(lambda: self._chunks.resend_lost(tickets))

    def give_back(self, tickets: Sequence[Ticket]) -> None:
        """Undo leases of chunks that this worker has not begun, and put their tickets into their queues again."""
        self._resend(lambda: self._chunks.give_back(tickets))

    def _give_back_waiting(self) -> None:
        self.has_begun = True
        dropped = self._drop_waiting()
        log.info("draining: %d chunks are given back", len(dropped))
        self.give_back(dropped)

    def _resend(self, undo: Callable[[], Sequence[Resend]]) -> None:
        try:
            self._send(undo())
        except StoreUnavailable as error:
            log.warning("chunks can't be given back, the reconciler will find them: %s", error)
