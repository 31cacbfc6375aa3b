"""A message handler with an inference of its own and a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

import numpy as np

from contract.chunk_store import Skipped
from contract.errors import NoModel, StoreUnavailable
from contract.job_record import Commit, Lease
from contract.message import Lane, Ticket
from contract.prediction import Options
from contract.windows import Windows
from encoders.tokenization import EncodedText
from tests.stand_ins import EchoModel, as_any, ids_of
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.committer import Committer
from worker.pipeline.handler import MessageHandler
from worker.pipeline.inference import Inference
from worker.queueing.flow_control import FlowControl

PATIENCE_S = 10.0
MAX_TOKENS = 20
UNKNOWN = 99
"""What the stand-in's tokenizer does not know."""


class Numbers:
    """A tokenizer of texts that are numbers: "3 4" is the tokens 3 and 4, and nothing is left of a zero-width space."""

    def encode(self, texts: Sequence[str], truncate: str, windows: Windows | None, most: int) -> list[EncodedText]:
        """With windows, texts of more tokens are read in pieces of so many, up to `most` of them."""
        made = []
        for text in texts:
            ids = ids_of(*(int(word) for word in text.split() if word != "\u200b"))
            fits = len(ids) <= MAX_TOKENS
            read = ids if fits else ids[: 0 if truncate == "error" else MAX_TOKENS]
            if windows and not fits:
                pieces = [ids_of(*ids[start : start + MAX_TOKENS]) for start in range(0, len(ids), MAX_TOKENS)][:most]
                made.append(EncodedText(ids=pieces[0], length=len(ids), more=tuple(pieces[1:]), covered=len(ids)))
                continue
            unknown = float(np.mean(ids[1:-1] == UNKNOWN)) if len(ids) > 2 else 0.0
            made.append(EncodedText(ids=read, length=len(ids), empty=len(ids) == 2, unknown_share=unknown))
        return made


class Store:
    """Leases the chunks that it was given, each once, and keeps their results."""

    def __init__(self) -> None:
        self.chunks: dict[Ticket, Sequence[str]] = {}
        self.options = Options(scores=True)
        self.results: dict[Ticket, str] = {}
        self.leased: list[Ticket] = []
        self.away = 0

    def lease(self, tickets: Sequence[Ticket]) -> list[Lease | Skipped]:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("Redis: away")
        return [self._lease(ticket) for ticket in tickets]

    def _lease(self, ticket: Ticket) -> Lease | Skipped:
        if ticket not in self.chunks:
            return Skipped(ticket, "gone")
        self.leased.append(ticket)
        texts = tuple(self.chunks[ticket])
        return Lease(
            ticket=ticket,
            attempt=1,
            model="m",
            lane=Lane.INTERACTIVE,
            options=self.options,
            deadline_at_ms=60_000,
            created_ms=0,
            leased_ms=0,
            texts=texts,
        )

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        self.results.update({commit.ticket: commit.result for commit in commits})
        return [True] * len(commits)


class Rig:
    def __init__(self) -> None:
        self.store, self.flow, model = Store(), FlowControl(), as_any(EchoModel())
        self.sent_back: list[Ticket] = []
        self.given_back: list[Ticket] = []
        self.loaded: Any = model
        model.tokenizer, model.manifest.max_length = Numbers(), MAX_TOKENS
        self.flow.open("m", {Lane.INTERACTIVE: 1000, Lane.BULK: 1000})
        self.committer = Committer(as_any(self.store), lambda *_: None)
        cache = AnswerCache(2**20)
        self.inference = Inference(
            batcher=Batcher(2.0),
            start_suspect=lambda _: True,
            on_complete=self.committer.add,
            is_out_of_memory=lambda _: False,
            on_taken=self.flow.take,
            on_paid=lambda _model, _seconds: None,
            cache=cache,
        )
        self.handler = MessageHandler(
            chunks=as_any(self.store),
            models=self,
            inference=self.inference,
            committer=self.committer,
            flow=self.flow,
            cache=cache,
            send_back=self.sent_back.extend,
            give_back=self.given_back.extend,
            max_windows=10,
        )

    def model(self, name: str) -> Any:
        if self.loaded is None:
            raise NoModel(name)
        return self.loaded

    def held_tokens(self) -> int:
        return sum(self.flow._held.values())


@contextmanager
def running(rig: Rig, *, device: bool = True) -> Iterator[Rig]:
    """The committer's thread runs, and that of the `device` unless told otherwise."""
    rig.committer.start()
    if device:
        rig.inference.start()
    yield rig
    if device:
        rig.inference.stop()
    rig.committer.stop()


def in_thread(work: Callable[[], None]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread
