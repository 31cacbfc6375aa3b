"""`python -m benchmarks.operations ARTIFACT PRECISION`: where a batch's time goes, by TensorFlow operation.

Prints a table: each kind's share of the time of saturated batches of mixed lengths, out of TensorFlow's own profiler.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

from benchmarks import texts
from benchmarks.engine import batches
from worker.engine.model import load
from worker.engine.tensorflow_env import tf

COUNT = 1024
FUNCTION = "__inference_"
"""How TensorFlow names a whole function: what it runs is counted by itself."""
LEAST_SHARE = 0.005
"""Kinds below it are summed up."""


def seconds_by_kind(folder: Path) -> Counter[str]:
    """Time of each kind of operation in a profile that TensorFlow wrote there."""
    space = XSpace()
    (file,) = folder.rglob("*.xplane.pb")
    space.ParseFromString(file.read_bytes())
    found: Counter[str] = Counter()
    for plane in space.planes:
        if plane.name == "/host:CPU":
            for line in plane.lines:
                for event in line.events:
                    name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                    # C++'s a::b is TensorFlow's own machinery.
                    if name and not name.endswith(":") and FUNCTION not in kind:
                        found[kind] += event.duration_ps / 1e12
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.add_argument("artifact", type=Path, help="the folder of a version")
    parser.add_argument("precision", help="bfloat16, float16, float32 or auto")
    asked = parser.parse_args()
    model = load(asked.artifact, asked.precision)
    ids = [encoded.ids for encoded in model.tokenizer.encode(texts.mixed(COUNT))]

    def run() -> float:
        started = time.perf_counter()
        for offered, planned in batches([len(text) for text in ids], model.plan):
            model.run([ids[text] for text in offered], planned)
        return time.perf_counter() - started

    run()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        wall_s = run()
        tf.profiler.experimental.stop()
        found = seconds_by_kind(Path(folder))
    print("| operation | share of the time |\n| --- | ---: |")
    shown = {kind: each / wall_s for kind, each in found.most_common() if each / wall_s >= LEAST_SHARE}
    for kind, share in shown.items():
        print(f"| {kind} | {share:.1%} |")
    print(f"| other operations | {found.total() / wall_s - sum(shown.values()):.1%} |")
    print(f"| between operations, and planning | {1 - found.total() / wall_s:.1%} |")


if __name__ == "__main__":
    main()
