"""A chunk's way through this worker, wired together: from its lease to its commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from contract.chunk_store import ChunkStore
from contract.errors import StoreUnavailable
from contract.message import Ticket
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.committer import Committer
from worker.pipeline.handler import MessageHandler, ModelHolder
from worker.pipeline.inference import Inference
from worker.pipeline.throughput import Throughput
from worker.pipeline.tracing import Record
from worker.pipeline.work import ChunkWork
from worker.queueing.flow_control import FlowControl

log = logging.getLogger(__name__)


class Pipeline:
    """Handler, inference and committer of one device, for all models of this worker."""

    def __init__(
        self,
        *,
        chunks: ChunkStore,
        models: ModelHolder,
        flow: FlowControl,
        send_back: Callable[[Sequence[Ticket]], None],
        give_back: Callable[[Sequence[Ticket]], None],
        record: Record,
        is_out_of_memory: Callable[[Exception], bool],
        max_age_s: float,
        cache_bytes: int,
        max_windows: int,
    ) -> None:
        """`send_back`, `give_back`, `max_windows` and `record` are the handler's."""
        self._chunks = chunks
        cache = AnswerCache(cache_bytes)
        self.throughput = Throughput()
        self.committer = Committer(chunks, self.throughput.add)
        self.inference = Inference(
            batcher=Batcher(max_age_s),
            start_suspect=self._start_suspect,
            on_complete=self.committer.add,
            is_out_of_memory=is_out_of_memory,
            on_taken=flow.take,
            on_paid=self.throughput.pay,
            cache=cache,
        )
        self.handler = MessageHandler(
            chunks=chunks,
            models=models,
            inference=self.inference,
            committer=self.committer,
            flow=flow,
            cache=cache,
            send_back=send_back,
            give_back=give_back,
            max_windows=max_windows,
            record=record,
        )

    def start(self) -> None:
        self.inference.start()
        self.committer.start()

    def stop(self) -> bool:
        """Let the running batch be the last and commit what was answered; True when the threads ended in time."""
        stopped = self.inference.stop()
        return self.committer.stop() and stopped

    def drop_unstarted(self) -> list[Ticket]:
        """Forget the chunks that were not on the device yet, and return their tickets."""
        return [work.lease.ticket for work in self.handler.drop(lambda work: not work.started)]

    def cancel(self, job_id: str) -> None:
        """Forget what waits of the job: nobody wants it any more."""
        self.handler.drop(lambda work: work.lease.ticket.job_id == job_id)

    def _start_suspect(self, work: ChunkWork) -> bool:
        try:
            return self._chunks.start(work.lease.ticket)
        except StoreUnavailable as error:
            log.warning("%s runs alone without a note of it: %s", work.lease.ticket, error)
            return True
