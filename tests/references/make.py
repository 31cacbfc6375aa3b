"""Makes tiny random classifiers and tokenizers with transformers, and writes down what they answer.

Run in an environment of its own, from the repository's root; the results are committed, and no test needs it:

    python -m venv /tmp/references && /tmp/references/bin/pip install torch==2.13.0 transformers==5.24.0 \
        sentencepiece protobuf
    /tmp/references/bin/python -m tests.references.make
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.references.hard_texts import PHRASES, TEXTS

OUT = Path(__file__).parents[1] / "golden" / "references"
MAX_LENGTH = 64
ANSWERED = range(0, len(TEXTS), 11)
"""The hard texts that the models answer; the tokenizers get all of them."""
LABELS = ("refund", "delivery", "praise")
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
ROBERTA = {**SMALL, "type_vocab_size": 1, "max_position_embeddings": 66, "pad_token_id": 1}
ALBERT = {**SMALL, "embedding_size": 8, "max_position_embeddings": 64, "pad_token_id": 0}
MULTI = {"problem_type": "multi_label_classification"}

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("Bert", "wordpiece", {**SMALL, "max_position_embeddings": 64}),
    "bert_relu_one_layer": ("Bert", "wordpiece", {**SMALL, "num_hidden_layers": 1, "hidden_act": "relu"}),
    "bert_gelu_new_many_labels": ("Bert", "wordpiece_cased", {**SMALL, **MULTI, "hidden_act": "gelu_new"}),
    "bert_padded_large_epsilon": ("Bert", "wordpiece", {**SMALL, "layer_norm_eps": 0.1, "padded": 8}),
    "bert_silu_no_token_types": ("Bert", "wordpiece", {**SMALL, "hidden_act": "silu", "type_vocab_size": 1}),
    "bert_sharded": ("Bert", "wordpiece", {**SMALL, "shards": True}),
    "bert_bfloat16": ("Bert", "wordpiece", {**SMALL, "stored_as": "bfloat16"}),
    "bert_float16": ("Bert", "wordpiece", {**SMALL, "stored_as": "float16"}),
    "distilbert": ("DistilBert", "wordpiece", {**DISTIL, "max_position_embeddings": 64}),
    "distilbert_relu_sinusoidal": (
        "DistilBert",
        "wordpiece",
        {**DISTIL, **MULTI, "activation": "relu", "sinusoidal_pos_embds": True, "max_position_embeddings": 64},
    ),
    "roberta": ("Roberta", "byte_pairs", {**ROBERTA, "layer_norm_eps": 1e-5}),
    "roberta_many_labels": ("Roberta", "byte_pairs", {**ROBERTA, **MULTI, "hidden_act": "quick_gelu"}),
    "xlm_roberta": ("XLMRoberta", "xlm_roberta", ROBERTA),
    "camembert": ("Camembert", "camembert", ROBERTA),
    "electra": ("Electra", "wordpiece", {**SMALL, "embedding_size": 16, "max_position_embeddings": 64}),
    "electra_narrow": ("Electra", "wordpiece", {**SMALL, "embedding_size": 8, "max_position_embeddings": 64, **MULTI}),
    "albert": ("Albert", "albert", ALBERT),
    "albert_equal_width": ("Albert", "albert", {**ALBERT, "embedding_size": 16, "hidden_act": "gelu"}),
    "albert_groups": (
        "Albert",
        "albert",
        {**ALBERT, "num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2},
    ),
}
"""Class, tokenizer and configuration of each model. Of `padded`, `shards` and `stored_as` see `write_model`."""


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    for name, make in TOKENIZERS.items():
        write_tokenizer(name, make)
    for number, (name, (kind, tokenizer, config)) in enumerate(MODELS.items()):
        write_model(name, kind, tokenizer, dict(config), seed=number)


def write_tokenizer(name: str, make: Callable[[Path], type[Any]]) -> None:
    """The files of earlier releases in `files/`, the same tokenizer as saved by this one in `saved/`, and its ids."""
    files, saved = OUT / "tokenizers" / name / "files", OUT / "tokenizers" / name / "saved"
    files.mkdir(parents=True)
    kind = make(files)
    tokenizer = kind.from_pretrained(files, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(saved)
    again = transformers.AutoTokenizer.from_pretrained(saved)
    ids = [again(text, truncation=True, max_length=MAX_LENGTH)["input_ids"] for text in TEXTS]
    if ids != [tokenizer(text, truncation=True, max_length=MAX_LENGTH)["input_ids"] for text in TEXTS]:
        raise AssertionError(f"{name}: saved and loaded it reads otherwise")
    (OUT / "tokenizers" / name / "ids.json").write_text(json.dumps(ids, separators=(",", ":")) + "\n")


def write_model(name: str, kind: str, tokenizer_name: str, config: dict[str, Any], seed: int) -> None:
    """A classifier with random weights in a folder as save_pretrained leaves it, but for the tokenizer, which many
    share, and `logits.json`, which names it.

    `padded` adds rows to the embeddings, `shards` stores the weights in several files, `stored_as` in half precision.
    """
    torch.manual_seed(seed)
    padded, shards, stored_as = (config.pop(key, None) for key in ("padded", "shards", "stored_as"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(OUT / "tokenizers" / tokenizer_name / "saved")
    made = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer) + (padded or 0),
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        **config,
    )
    model = getattr(transformers, f"{kind}ForSequenceClassification")(made).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    if stored_as:
        model = model.to(getattr(torch, stored_as))
    folder = OUT / "models" / name
    model.save_pretrained(folder, **({"max_shard_size": "8KB"} if shards else {}))
    with torch.no_grad():
        batches = (tokenizer(TEXTS[n], truncation=True, max_length=MAX_LENGTH, return_tensors="pt") for n in ANSWERED)
        logits = [model.float()(**batch).logits[0].tolist() for batch in batches]
    found = {
        "tokenizer": tokenizer_name,
        "transformers": transformers.__version__,
        "texts": list(ANSWERED),
        "logits": logits,
    }
    (folder / "logits.json").write_text(json.dumps(found) + "\n")


def wordpiece(folder: Path, lowercase: bool = True) -> type[Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials, limit_alphabet=120)
    tokenizer.train_from_iterator(PHRASES, trainer)
    tokenizer.model.save(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}) + "\n")
    kind: type[Any] = transformers.BertTokenizer
    return kind


def byte_pairs(folder: Path) -> type[Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(PHRASES, trainer)
    tokenizer.model.save(str(folder))
    kind: type[Any] = transformers.RobertaTokenizer
    return kind


def unigram(folder: Path, file: str, kind: type[Any], **options: Any) -> type[Any]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_sentences(),
        model_writer=model,
        model_type="unigram",
        vocab_size=420,
        hard_vocab_limit=False,
        character_coverage=0.98,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    (folder / file).write_bytes(model.getvalue())
    return kind


def _sentences() -> Iterator[str]:
    for phrase in PHRASES:
        yield from (phrase, phrase.lower())


ALBERT_PIECES = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": "[CLS],[SEP],[MASK]"}
FAIRSEQ_PIECES = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}
TOKENIZERS: dict[str, Callable[[Path], type[Any]]] = {
    "wordpiece": wordpiece,
    "wordpiece_cased": lambda folder: wordpiece(folder, lowercase=False),
    "byte_pairs": byte_pairs,
    "albert": lambda folder: unigram(folder, "spiece.model", transformers.AlbertTokenizer, **ALBERT_PIECES),
    "xlm_roberta": lambda folder: unigram(
        folder, "sentencepiece.bpe.model", transformers.XLMRobertaTokenizer, **FAIRSEQ_PIECES
    ),
    "camembert": lambda folder: unigram(
        folder, "sentencepiece.bpe.model", transformers.CamembertTokenizer, **FAIRSEQ_PIECES
    ),
}

if __name__ == "__main__":
    main()
