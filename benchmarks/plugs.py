"""What the ways to other systems cost: `python -m benchmarks.plugs [PART …]` writes benchmarks/plugs.json.

Parts: infer (the Open Inference Protocol beside `POST /predict`, with a model that costs next to nothing, so that what
differs is all there is). Machines differ and are never idle: ways are compared in one run, turn by turn.
"""

from __future__ import annotations

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

from benchmarks.record import ROOT, Record, machine
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

RECORD = Record(ROOT / "benchmarks" / "plugs.json", ROOT / "docs" / "benchmarks.md")
TEXTS, CONNECTIONS, REQUESTS, TURNS = 16, 4, 60, 12
"""Texts of a request, connections, requests of each of them in a turn, turns of each way."""


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
    texts = [f"why is my loop number {n} never done with its list of words" for n in range(TEXTS)]
    tensor = {"name": "text", "shape": [TEXTS], "datatype": "BYTES", "data": texts}
    named = {"inputs": [tensor], "outputs": [{"name": "label"}, {"name": "score"}]}
    ways = {
        "predict": json_way("/predict", {"texts": texts}),
        "infer": json_way("/v2/models/tiny/infer", {"inputs": [tensor]}),
        "infer_two_outputs": json_way("/v2/models/tiny/infer", named),
    }
    rates = compared(service.port, ways)
    save("infer", {"infer_over_predict": rates["infer"] / rates["predict"]}, {"requests_per_s": rates})
    return rates


def save(part: str, figures: dict[str, float], details: Any) -> None:
    results = RECORD.load()
    results["figures"] |= figures
    results["parts"][part] = {"machine": machine(), "details": details}
    RECORD.store(results)


PARTS: dict[str, Callable[[RunningService], dict[str, float]]] = {"infer": measure_infer}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_artifact(Path(folder))
        with RunningService(Path(folder), answer_cache_mb=0) as service:
            for part in sys.argv[1:] or PARTS:
                print(part, PARTS[part](service))
    print(RECORD.load()["figures"])


if __name__ == "__main__":
    main()
