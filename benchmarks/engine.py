"""The engine alone, offline: texts in, probabilities out, no HTTP, Redis or Celery.

`python -m benchmarks.engine ARTIFACT PRECISION [RUNTIME]` is an arm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmarks.arm import serve
from worker.engine.packing import BatchPlan

if TYPE_CHECKING:
    from worker.engine.precision import Choice
    from worker.engine.runtimes import RuntimeChoice

WINDOW = 512
"""Texts that each plan chooses from, as in the worker's batcher."""


def batches(
    lengths: Sequence[int], plan: Callable[[Sequence[int]], BatchPlan]
) -> Iterator[tuple[list[int], BatchPlan]]:
    """The batches of texts of these lengths: indices of the texts that each was planned for, and the plan."""
    waiting = list(range(len(lengths)))
    while waiting:
        offered = waiting[:WINDOW]
        planned = plan([lengths[text] for text in offered])
        yield offered, planned
        taken = set(planned.texts)
        waiting = [text for index, text in enumerate(offered) if index not in taken] + waiting[WINDOW:]


def main() -> None:
    from worker.engine.model import load

    runtime = cast("RuntimeChoice", sys.argv[3] if len(sys.argv) > 3 else "auto")
    model = load(Path(sys.argv[1]), cast("Choice", sys.argv[2]), runtime=runtime)

    def work(texts: list[str]) -> None:
        ids = [encoded.ids for encoded in model.tokenizer.encode(texts)]
        for offered, planned in batches([len(text) for text in ids], model.plan):
            model.run([ids[text] for text in offered], planned)

    serve(work, about=model.runtime)


if __name__ == "__main__":
    main()
