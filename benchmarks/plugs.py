"""What the ways to other systems cost: `python -m benchmarks.plugs [PART …]` writes benchmarks/plugs.json.

Parts: infer (the Open Inference Protocol beside `POST /predict`, with a model that costs next to nothing, so that what
differs is all there is), compressed (how fast 20,000 texts are accepted, compressed or not, and what bombs cost),
webhooks (whether all arrive whatever dies), webhook_delay (how soon when nothing does), store (whether models in a
bucket stay whole when writers are killed), follow (how soon a worker serves what was published there).
Machines differ and are never idle: ways are compared in one run, turn by turn.
"""

from __future__ import annotations

import gzip
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import zstandard

from benchmarks import stores, texts, webhooks
from benchmarks.record import ROOT, Record, machine
from harness import bombs
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

RECORD = Record(ROOT / "benchmarks" / "plugs.json", ROOT / "docs" / "benchmarks.md")
TEXTS, CONNECTIONS, REQUESTS, TURNS = 16, 4, 60, 12
"""Texts of a request, connections, requests of each of them in a turn, turns of each way."""
BULK_TEXTS, TRIES = 20_000, 3
"""Texts of a big request, and how often a bomb is sent."""


@dataclass(frozen=True, kw_only=True)
class RepeatedRequest:
    """A request that is sent again and again."""

    address: str
    body: bytes
    headers: Mapping[str, str]


def json_way(address: str, document: object) -> RepeatedRequest:
    return RepeatedRequest(
        address=address, body=json.dumps(document).encode(), headers={"Content-Type": "application/json"}
    )


def requests_per_s(port: int, way: RepeatedRequest) -> float:
    """Over all connections, each asking again when it is answered."""

    def ask(_: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            for _ in range(REQUESTS):
                connection.request("POST", way.address, way.body, dict(way.headers))
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    raise RuntimeError(f"{way.address}: {answer.status}")

    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(ask, range(CONNECTIONS)))
    return CONNECTIONS * REQUESTS / (time.perf_counter() - started)


def compared(port: int, ways: Mapping[str, RepeatedRequest]) -> dict[str, float]:
    """The median rate of each way, in requests a second, their turns taken in both orders."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            rates[name].append(requests_per_s(port, ways[name]))
    return {name: statistics.median(found) for name, found in rates.items()}


def measure_infer(service: RunningService) -> dict[str, float]:
    asked = [f"why is my loop number {n} never done with its list of words" for n in range(TEXTS)]
    tensor = {"name": "text", "shape": [TEXTS], "datatype": "BYTES", "data": asked}
    named = {"inputs": [tensor], "outputs": [{"name": "label"}, {"name": "score"}]}
    ways = {
        "predict": json_way("/predict", {"texts": asked}),
        "infer": json_way("/v2/models/tiny/infer", {"inputs": [tensor]}),
        "infer_two_outputs": json_way("/v2/models/tiny/infer", named),
    }
    rates = compared(service.port, ways)
    save("infer", {"infer_over_predict": rates["infer"] / rates["predict"]}, {"requests_per_s": rates})
    return rates


def measure_compressed(service: RunningService) -> dict[str, float]:
    plain = json.dumps({"texts": texts.mixed(BULK_TEXTS)}).encode()
    bodies = {"plain": plain, "gzip": gzip.compress(plain), "zstd": zstandard.ZstdCompressor().compress(plain)}
    taken: dict[str, list[float]] = {name: [] for name in bodies}
    for turn in range(TURNS):
        for name in list(bodies)[:: 1 if turn % 2 else -1]:
            taken[name].append(accepted_s(service, name, bodies[name]))
    accepted = {name: statistics.median(found) for name, found in taken.items()}
    costs = {name: bomb_cost(service, *bomb) for name, bomb in bombs.bombs().items()}
    figures = {
        "gzip_over_plain_accepted_s": accepted["gzip"] / accepted["plain"],
        "zstd_over_plain_accepted_s": accepted["zstd"] / accepted["plain"],
        "bombs": len(costs),
        "bombs_slowest_ms": max(cost["ms"] for cost in costs.values()),
        "bombs_most_mb": max(cost["mb"] for cost in costs.values()),
    }
    sizes = {name: len(body) for name, body in bodies.items()}
    save("compressed", figures, {"bytes": sizes, "accepted_s": accepted, "bombs": costs})
    return figures


def accepted_s(service: RunningService, encoding: str, body: bytes) -> float:
    """Seconds until a job is accepted. It is cancelled, so that the next one finds an empty lane."""
    headers = {"Content-Type": "application/json"} | ({} if encoding == "plain" else {"Content-Encoding": encoding})
    answer, taken = timed_post(f"{service.url}/predict?wait=0", body, headers)
    httpx.delete(f"{service.url}{answer.raise_for_status().headers['Location']}", timeout=60)
    return taken


def timed_post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[httpx.Response, float]:
    """The answer, and the seconds to it without those that it takes to make a client, tens of milliseconds."""
    with httpx.Client(timeout=60) as client:
        started = time.perf_counter()
        answer = client.post(url, content=body, headers=headers)
        return answer, time.perf_counter() - started


def bomb_cost(service: RunningService, encoding: str, body: bytes) -> dict[str, float]:
    """The best of some times until it is refused, in ms, and by how many MB the API grew at most meanwhile."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    taken, grown = [], 0.0
    for _ in range(TRIES):
        before = peak_mb(service, reset=True)
        answer, seconds = timed_post(f"{service.url}/predict", body, headers)
        taken.append(seconds * 1000)
        grown = max(grown, peak_mb(service) - before)
        if not answer.is_client_error:
            raise RuntimeError(f"a bomb was answered by {answer.status_code}")
    return {"ms": min(taken), "mb": grown}


def peak_mb(service: RunningService, *, reset: bool = False) -> float:
    """The most memory that the API's processes have had each since the last reset, as Linux counts it."""
    total = 0.0
    for process in [psutil.Process(service.api.pid), *psutil.Process(service.api.pid).children(recursive=True)]:
        folder = Path(f"/proc/{process.pid}")
        if reset:
            (folder / "clear_refs").write_text("5")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        total += int(status["VmHWM"].split()[0]) / 1024
    return total


def save(part: str, figures: dict[str, float], details: Any) -> None:
    results = RECORD.load()
    results["figures"] |= figures
    results["parts"][part] = {"machine": machine(), "details": details}
    RECORD.store(results)


def measure_webhooks(models: Path) -> dict[str, float]:
    figures, details = webhooks.measure(models)
    save("webhooks", figures, details)
    return figures


def measure_webhook_delay(models: Path) -> dict[str, float]:
    figures, details = webhooks.measure_delay(models)
    save("webhook_delay", figures, details)
    return figures


def measure_store(_: Path) -> dict[str, float]:
    figures, details = stores.measure_kills()
    save("store", figures, details)
    return figures


def measure_follow(_: Path) -> dict[str, float]:
    figures, details = stores.measure_follow()
    save("follow", figures, details)
    return figures


def beside_a_service(measure: Callable[[RunningService], dict[str, float]]) -> Callable[[Path], dict[str, float]]:
    """Measure with a service of the tiny model, which remembers no answers."""

    def measured(models: Path) -> dict[str, float]:
        with RunningService(models, answer_cache_mb=0) as service:
            return measure(service)

    return measured


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "infer": beside_a_service(measure_infer),
    "compressed": beside_a_service(measure_compressed),
    "webhooks": measure_webhooks,
    "webhook_delay": measure_webhook_delay,
    "store": measure_store,
    "follow": measure_follow,
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_artifact(Path(folder))
        for part in sys.argv[1:] or PARTS:
            print(part, PARTS[part](Path(folder)))
    print(RECORD.load()["figures"])


if __name__ == "__main__":
    main()
