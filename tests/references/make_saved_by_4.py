"""Makes folders as transformers 4 saves them, of the models and tokenizers that `make.py` made by transformers 5.

Run in an environment of its own, from the repository's root; the results are committed, and no test needs it:

    python -m venv /tmp/references4 && /tmp/references4/bin/pip install torch==2.13.0 transformers==4.57.6 \
        sentencepiece protobuf
    /tmp/references4/bin/python -m tests.references.make_saved_by_4
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import torch
import transformers

from tests.references.folders import REFERENCES, SAVED_BY_4_FOLDER
from tests.references.hard_texts import TEXTS

MAX_LENGTH = 64
FOLDERS: dict[str, tuple[str, bool, bool]] = {
    "bert": ("Bert", False, False),
    "bert_sharded": ("Bert", False, True),
    "bert_with_both_tokenizers": ("Bert", True, False),
    "distilbert": ("DistilBert", False, False),
    "roberta": ("Roberta", False, False),
    "xlm_roberta": ("XLMRoberta", False, False),
    "camembert": ("Camembert", False, False),
    "electra": ("Electra", False, False),
    "albert": ("Albert", True, False),
}
"""Class, whether the tokenizer is saved by its fast form, which adds `tokenizer.json`, and whether it is in shards.

An ALBERT's sentencepiece model alone is read as transformers 5 reads it, which is how the model was trained: the fast
form of transformers 4 makes another piece of spaces at a text's ends.
"""


def main() -> None:
    shutil.rmtree(SAVED_BY_4_FOLDER, ignore_errors=True)
    for name, (kind, fast, sharded) in FOLDERS.items():
        write(name, kind, fast=fast, sharded=sharded)


def write(name: str, kind: str, *, fast: bool, sharded: bool) -> None:
    source = REFERENCES / "models" / ("bert" if kind == "Bert" else name)
    reference = json.loads((source / "logits.json").read_bytes())
    files = REFERENCES / "tokenizers" / reference["tokenizer"] / "files"
    folder = SAVED_BY_4_FOLDER / name
    model = getattr(transformers, f"{kind}ForSequenceClassification").from_pretrained(source).eval()
    model.save_pretrained(folder, **({"max_shard_size": "8KB"} if sharded else {}))
    tokenizer = getattr(transformers, f"{kind}Tokenizer{'Fast' if fast else ''}")
    tokenizer.from_pretrained(files, model_max_length=MAX_LENGTH).save_pretrained(folder)
    found = {
        "transformers": transformers.__version__,
        "texts": reference["texts"],
        "logits": answers(model, transformers.AutoTokenizer.from_pretrained(folder), reference["texts"]),
    }
    (folder / "logits.json").write_text(json.dumps(found) + "\n")


def answers(model: Any, tokenizer: Any, texts: list[int]) -> list[list[float]]:
    """Logits of the hard texts with these numbers."""
    with torch.no_grad():
        batches = (tokenizer(TEXTS[n], truncation=True, max_length=MAX_LENGTH, return_tensors="pt") for n in texts)
        return [model(**batch).logits[0].tolist() for batch in batches]


if __name__ == "__main__":
    main()
