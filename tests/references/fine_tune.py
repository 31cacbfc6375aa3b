"""Fine-tunes the bundled MiniLM on the example questions by transformers and PyTorch alone: a model that is not ours.

Run in an environment of its own (that of `make.py` will do), from the repository's root:

    /tmp/references/bin/python -m tests.references.fine_tune MINILM_FOLDER examples/questions.csv /tmp/fine_tuned
    python -m benchmarks.elsewhere /tmp/fine_tuned

The folder is as save_pretrained leaves it, with what transformers answers to each question beside it, `answers.json`.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

EPOCHS, BATCH, RATE, MAX_LENGTH = 1, 32, 4e-4, 128


def main(minilm: Path, table: Path, out: Path) -> None:
    torch.manual_seed(1)
    with table.open(encoding="utf-8", newline="") as file:
        rows = [(row["post"], row["tags"]) for row in csv.DictReader(file)]
    texts, labels = [text for text, _ in rows], sorted({label for _, label in rows})
    numbers = torch.tensor([labels.index(label) for _, label in rows])
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        minilm,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="single_label_classification",
    )
    train(model, lambda part: encoded(tokenizer, [texts[row] for row in part]), numbers)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    scores = answers(model.eval(), tokenizer, texts)
    found = {"transformers": transformers.__version__, "texts": texts, "labels": labels, "scores": scores}
    (out / "answers.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


def encoded(tokenizer: Any, texts: list[str]) -> Any:
    return tokenizer(texts, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt")


def train(model: Any, inputs: Any, labels: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for epoch in range(EPOCHS):
        parts = torch.randperm(len(labels)).split(BATCH)
        for part in parts:
            loss = model.train()(**inputs(part), labels=labels[part]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print(f"epoch {epoch + 1}: last loss {loss.item():.3f}", flush=True)


def answers(model: Any, tokenizer: Any, texts: list[str]) -> list[list[float]]:
    """The softmax over the labels, in float32."""
    with torch.no_grad():
        batches = (encoded(tokenizer, texts[start : start + BATCH]) for start in range(0, len(texts), BATCH))
        return [row for batch in batches for row in model(**batch).logits.softmax(-1).tolist()]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
