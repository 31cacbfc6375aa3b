"""The servers: Retort, LitServe and Infinity over HTTP, one after the other in every life, nothing else running."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import texts
from benchmarks.load import Connection, batches, closed_loop
from encoders.precision import cpu_multiplies_bfloat16
from harness.ports import free_port
from harness.process import ROOT, ServiceProcess
from harness.running_service import RunningService
from harness.until import until

LIVES = 5
READY_S = 180.0
WAYS = {1: (64, 1024), 16: (16, 4096)}
"""By texts a request: connections, and texts of a round."""


@dataclass(frozen=True)
class PeerServed:
    """One server asked in one way; medians over its lives."""

    server: str
    texts_per_request: int
    connections: int
    texts_per_s: float
    retort_over: float


class InfinityConnection(Connection):
    """Infinity's way of asking."""

    path, model = "/classify", "minilm"

    def question(self, texts: Sequence[str]) -> dict[str, Any]:
        return {"model": self.model, "input": list(texts)}


Server = tuple[str, type[Connection]]
"""Its URL, and how to ask it."""
Start = Callable[[], AbstractContextManager[Server]]


def measure(python: Path, folder: Path, models: Path) -> tuple[list[PeerServed], dict[str, str]]:
    """Every server that runs here, and by name why another does not."""
    servers: dict[str, Start] = {
        "Retort": lambda: _retort(models),
        "LitServe": lambda: _process(_litserve(python, folder), Connection),
        "Infinity": lambda: _process(_infinity(python, folder), InfinityConnection),
    }
    some = texts.short(max(count for _, count in WAYS.values()))
    rates: dict[tuple[str, int], list[float]] = {}
    refusals: dict[str, str] = {}
    for _ in range(LIVES):
        for name, start in servers.items():
            if name in refusals:
                continue
            try:
                for size, rate in _life(start, some).items():
                    rates.setdefault((name, size), []).append(rate)
            except DoesNotRun as refusal:
                refusals[name] = str(refusal)
    return list(rows(rates)), refusals


class DoesNotRun(Exception):
    """A server ended, or never answered."""


def _life(start: Start, some: Sequence[str]) -> dict[int, float]:
    """Texts per second by texts a request, after a first round that is not counted."""
    found = {}
    with start() as (url, connect):
        for size, (connections, count) in WAYS.items():
            requests = batches(some[:count], size)
            for counted in (requests[: 4 * connections], requests):
                outcome = closed_loop(url, counted, connections, connect=connect)
                if outcome.count(200) != len(counted):
                    raise DoesNotRun(f"{len(counted) - outcome.count(200)} of {len(counted)} requests failed")
            found[size] = outcome.texts_per_s()
    return found


def rows(rates: Mapping[tuple[str, int], Sequence[float]]) -> Iterator[PeerServed]:
    for (name, size), each in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["Retort", size], each, strict=True)]
        yield PeerServed(name, size, WAYS[size][0], statistics.median(each), statistics.median(ratios))


def figures(found: Sequence[PeerServed]) -> dict[str, float]:
    return {
        f"served_over_{row.server.lower()}_{row.texts_per_request}": row.retort_over
        for row in found
        if row.server != "Retort"
    }


@contextmanager
def _retort(models: Path) -> Iterator[Server]:
    with RunningService(models, "minilm", backlog_s=1e9, answer_cache_mb=0) as service:
        yield service.url, Connection


@contextmanager
def _process(command: Callable[[int], Sequence[str]], connect: type[Connection]) -> Iterator[Server]:
    """Any server, killed with all its children on exit. Raises DoesNotRun with the end of its log."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = ServiceProcess(list(command(port)), Path(folder) / "log", {"HF_HUB_OFFLINE": "1"}, folder=ROOT)
        server.start()
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _answers(url, connect, server), READY_S, what=command(port)[0], pause_s=0.5)
            yield url, connect
        finally:
            server.kill()


def _answers(url: str, connect: type[Connection], server: ServiceProcess) -> bool:
    if server.has_ended():
        raise DoesNotRun(server.log.read_text(encoding="utf-8")[-2000:])
    try:
        with closing(connect(url)) as connection:
            return connection.predict(["is it there"], 0.0).status == 200
    except OSError:
        return False


def _precision() -> str:
    return "bfloat16" if cpu_multiplies_bfloat16() else "float32"


def _litserve(python: Path, folder: Path) -> Callable[[int], Sequence[str]]:
    module = "benchmarks.peers.litserve_server"
    return lambda port: [str(python), "-m", module, str(folder), _precision(), str(port)]


def _infinity(python: Path, folder: Path) -> Callable[[int], Sequence[str]]:
    options = ["--engine", "torch", "--device", "cpu", "--dtype", _precision(), "--no-bettertransformer"]
    return lambda port: [
        *(str(python.with_name("infinity_emb")), "v2", "--model-id", str(folder), *options),
        *("--served-model-name", InfinityConnection.model, "--host", "127.0.0.1", "--port", str(port)),
    ]
