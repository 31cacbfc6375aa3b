"""OpenVINO, ONNX Runtime and PyTorch, offline, each as well as it is usually run: sorted by length and padded.

`python -m benchmarks.peers.engines NAME FOLDER PRECISION BUDGET` is an arm, in the environment of `make bench_peers`.
FOLDER holds a Hugging Face classifier with its `tokenizer.json`; a batch has at most BUDGET tokens, padding included.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

from benchmarks.arm import serve

MAX_LENGTH = 256
STEP = 16
"""Rows are padded to a multiple of it: a shape that is seen again is quicker."""
HEADS, HIDDEN = 12, 384

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Run = Callable[[Ids, Ids], Scores]
"""int64[texts, length] token ids, and 1 where there are any → float32[texts, labels] logits"""


class PaddedModel:
    """Any number of texts, longest first, as many at a time as fit into the budget once padded to the first."""

    def __init__(self, folder: Path, run: Run, budget: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_LENGTH)
        self._tokenizer.no_padding()
        self._run, self._budget = run, budget

    def logits(self, texts: Sequence[str]) -> Scores:
        """float32[texts, labels], in the order of the texts."""
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        found = [(some, self._run(*_padded([ids[text] for text in some]))) for some in self._batches(ids)]
        answers = np.empty((len(texts), found[0][1].shape[1]), np.float32)
        for some, logits in found:
            answers[some] = logits
        return answers

    def _batches(self, ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        waiting = sorted(range(len(ids)), key=lambda text: -len(ids[text]))
        while waiting:
            fitting = max(1, self._budget // _rounded(len(ids[waiting[0]])))
            yield waiting[:fitting]
            waiting = waiting[fitting:]


def _rounded(length: int) -> int:
    return -(-length // STEP) * STEP


def _padded(ids: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    rows, mask = (np.zeros((len(ids), _rounded(len(ids[0]))), np.int64) for _ in range(2))
    for row, real, each in zip(rows, mask, ids, strict=True):
        row[: len(each)], real[: len(each)] = each, 1
    return rows, mask


def pytorch(folder: Path, precision: str) -> Run:
    """Its own attention kernel, no compiler."""
    model = _classifier(folder).to(getattr(torch, precision))

    def run(ids: Ids, mask: Ids) -> Scores:
        with torch.inference_mode():
            logits = model(torch.from_numpy(ids), torch.from_numpy(mask)).logits
        found: Scores = logits.float().numpy()
        return found

    return run


def openvino(folder: Path, precision: str) -> Run:
    """Converted from PyTorch, any shape, with the hint for one batch at a time."""
    import openvino as ov

    converted = ov.convert_model(_classifier(folder), example_input=_example())
    hints = {"INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]}
    compiled = ov.Core().compile_model(converted, "CPU", hints | {"PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()

    def run(ids: Ids, mask: Ids) -> Scores:
        found: Scores = request.infer([ids, mask])[0]
        return found

    return run


def onnxruntime(folder: Path, precision: str) -> Run:
    """Exported by PyTorch, fused by ONNX Runtime's own optimizer for BERT, in 8 bits by its dynamic quantization."""
    import onnx
    import onnxruntime as ort
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer

    with tempfile.TemporaryDirectory() as made:
        exported, fused, used = (str(Path(made) / f"{name}.onnx") for name in ("exported", "fused", "int8"))
        names = ["input_ids", "attention_mask"]
        axes = {name: {0: "texts", 1: "length"} for name in names}
        model = _classifier(folder, attention="eager")
        torch.onnx.export(
            model, tuple(_example().values()), exported, input_names=names, dynamic_axes=axes, dynamo=False
        )
        optimizer.optimize_model(exported, "bert", num_heads=HEADS, hidden_size=HIDDEN).save_model_to_file(fused)
        if precision == "int8":
            # The optimizer's fused operations say nothing of their types.
            quantize_dynamic(fused, used, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
        session = ort.InferenceSession(used if precision == "int8" else fused, providers=["CPUExecutionProvider"])

    def run(ids: Ids, mask: Ids) -> Scores:
        found: Scores = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return found

    return run


def _classifier(folder: Path, attention: str = "sdpa") -> Any:
    return BertForSequenceClassification.from_pretrained(folder, attn_implementation=attention).eval()


def _example() -> dict[str, Any]:
    return {"input_ids": torch.ones(2, 32, dtype=torch.int64), "attention_mask": torch.ones(2, 32, dtype=torch.int64)}


ENGINES: Mapping[str, Callable[[Path, str], Run]] = {
    "OpenVINO": openvino,
    "ONNX Runtime": onnxruntime,
    "PyTorch": pytorch,
}


def main() -> None:
    name, folder, precision, budget = sys.argv[1:]
    serve(PaddedModel(Path(folder), ENGINES[name](Path(folder), precision), int(budget)).logits)


if __name__ == "__main__":
    main()
