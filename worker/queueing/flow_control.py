"""Which queues this worker reads at the moment: of each model that is loaded, its two lanes.

Of each queue a worker lets two full batches wait, or more where its device is quick, and leaves the rest in Redis,
where other workers can take it and where the interactive lane overtakes the bulk lane. So each queue has a gate that
closes while enough of it waits, and that is shut while its model is not in memory. kombu asks `LaneOrder` before each
read which lists to read, and in which order (transport option `queue_order_strategy`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import lru_cache
from threading import Lock

from kombu.utils.scheduling import priority_cycle

from contract.message import JobQueue, Lane

READ_S = 0.1
"""A read that waits for one lane ends after so long, so that a lane opened meanwhile is read too."""
BATCHES_AHEAD, MOST_BATCHES_AHEAD = 2, 32
"""Full batches of a queue that wait here: the next is planned from two, and is there when the running one ends. More of
them where the device is quick, but not without end where it takes no time."""
READS_AHEAD = 2
"""Reads that the device stays busy for: the one that waits for another queue, and as long again to bring the work."""
BULK_FIRST_EVERY = 8
"""Of so many reads, one looks at the bulk lanes first, so that they go on under any interactive load."""
BULK_SHARE = 0.75
"""Of the messages that this worker holds at most, as many may be of bulk lanes: a question always finds a place."""


class PauseReason(Enum):
    """Why no queue may be read, whatever is held."""

    UNWELL = auto()
    DRAINING = auto()


def tokens_ahead(batch_tokens: int, seconds_per_token: float) -> int:
    """Tokens of a queue that a worker lets wait for a device of this speed.

    Two full batches, and what the device computes during two reads: a queue that opens while a read waits for another
    is read after that, and the device should not be idle until then. `seconds_per_token` may be infinite or 0.
    """
    quick = READS_AHEAD * READ_S / max(seconds_per_token, 1e-9)
    return int(max(BATCHES_AHEAD * batch_tokens, min(quick, MOST_BATCHES_AHEAD * batch_tokens)))


class FlowControl:
    """How much of each queue waits in this worker, in tokens, and whether more may be read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: Counter[JobQueue] = Counter()
        self._chunks: Counter[Lane] = Counter()
        self._bounds: dict[JobQueue, int] = {}
        self._most_bulk_chunks: float = float("inf")
        self._reasons: frozenset[PauseReason] = frozenset()
        self._on_open: Callable[[], object] = lambda: None

    def set_messages(self, messages: int) -> None:
        """Set how many messages this worker holds at most."""
        self._most_bulk_chunks = max(1, int(BULK_SHARE * messages))

    def open(self, model: str, bounds: Mapping[Lane, int]) -> None:
        """Read the model's queues, each while fewer tokens of it than this wait."""
        self._bounds = self._bounds | {JobQueue(model, lane): tokens for lane, tokens in bounds.items()}
        self._on_open()

    def close(self, model: str) -> None:
        """Read the model's queues no more."""
        self._bounds = {queue: tokens for queue, tokens in self._bounds.items() if queue.model != model}

    def set_on_open(self, on_open: Callable[[], object]) -> None:
        """`on_open` is called, from any thread, whenever a queue may be read again."""
        self._on_open = on_open

    def pause(self, why: PauseReason) -> None:
        """Read nothing any more, whatever is held. Takes no lock: a signal handler may call it."""
        self._reasons = self._reasons | {why}

    def resume(self, why: PauseReason) -> None:
        """Read queues again, if nothing else bars them."""
        if why in self._reasons:
            self._reasons = self._reasons - {why}
            self._on_open()

    def takes_work(self) -> bool:
        """True when a model is loaded and nothing bars all queues."""
        return bool(self._bounds) and not self._reasons

    def is_draining(self) -> bool:
        """True when this worker has been asked to end."""
        return PauseReason.DRAINING in self._reasons

    def is_open(self, queue: JobQueue) -> bool:
        is_crowded = queue.lane is Lane.BULK and self._is_crowded()
        return not self._reasons and not is_crowded and self._held[queue] < self._bounds.get(queue, 0)

    def hold(self, queue: JobQueue, tokens: int) -> None:
        """Count a chunk of the queue that has come, of which so many tokens wait for the device."""
        with self._lock:
            self._held[queue] += tokens
            self._chunks[queue.lane] += 1

    def take(self, queue: JobQueue, tokens: int) -> None:
        """Count tokens of the queue that wait no longer; fewer than none when some wait again."""
        self._release(queue, tokens, 0)

    def settle(self, queue: JobQueue, tokens: int) -> None:
        """Forget a chunk of the queue that is done, of which so many tokens still waited."""
        self._release(queue, tokens, 1)

    def _release(self, queue: JobQueue, tokens: int, chunks: int) -> None:
        with self._lock:
            was_open, was_crowded = self.is_open(queue), self._is_crowded()
            self._held[queue] -= tokens
            self._chunks[queue.lane] -= chunks
            opened = self.is_open(queue) and not was_open
            opened = opened or (was_crowded and not self._is_crowded())
        if opened:
            self._on_open()

    def _is_crowded(self) -> bool:
        """True when as many bulk chunks are here as may be, of whatever model."""
        return self._chunks[Lane.BULK] >= self._most_bulk_chunks


flow = FlowControl()
"""This process's: kombu builds `LaneOrder` by its name and gives it nothing."""


class LaneOrder(priority_cycle):
    """The open queues: interactive lanes first but for every eighth read, and of a lane the one not read for longest.

    So each model of a lane gets its turn, however much waits for another.
    """

    def __init__(self, queues: list[str] | None = None) -> None:
        super().__init__(queues)  # type: ignore[no-untyped-call]
        self._reads = 0
        self._last_read: Counter[str] = Counter()

    def consume(self, n: int) -> list[str]:
        """Names of the queues to read now, the first one that has a message wins."""
        self._reads += 1
        first = Lane.BULK if self._reads % BULK_FIRST_EVERY == 0 else Lane.INTERACTIVE
        names = [name for name in self.items[:n] if flow.is_open(_queue(name))]
        return sorted(names, key=lambda name: (_queue(name).lane is not first, self._last_read[name], name))

    def rotate(self, last_used: str) -> str:
        """Note that a message of this queue was read."""
        self._last_read[last_used] = self._reads
        return last_used


_queue = lru_cache(maxsize=4096)(JobQueue.parse)
