"""Reading the tokenizer of a Hugging Face folder, in each of the forms that its releases have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from contract.artifact import TOKENIZER, VOCABULARY, WordPieceOptions
from contract.errors import BadModel
from encoders.tokenization import read_vocabulary, wordpiece_pipeline
from training.errors import BadBaseModel
from training.pretrained.byte_pairs import MERGES, VOCABULARY_JSON, byte_pair_pipeline
from training.pretrained.configuration import read_json
from training.pretrained.sentencepiece import SENTENCEPIECE_FILES, unigram_pipeline

CONFIG = "tokenizer_config.json"
WORDPIECE_CLASSES = ("Bert", "DistilBert", "Electra")
SPECIAL_TOKENS = ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]")
UNBOUNDED = 10**6
"""What transformers writes as the maximum length of a tokenizer that has none is larger than this."""


@dataclass(frozen=True, kw_only=True)
class StoredTokenizer:
    """A folder's tokenizer."""

    pipeline: str
    """As a `tokenizer.json`."""
    source: Path
    truncation: Literal["right", "left"]
    max_length: int | None
    """Tokens of a text at most, where the tokenizer says so."""


def read_tokenizer_files(folder: Path, family: str, file: str | None = None) -> StoredTokenizer:
    """The tokenizer in `folder`, out of `file` if one is named. Raises BadModel when no form is there, or it is broken.

    `family` is the `model_type`, which decides how a sentencepiece model is read.
    """
    config = read_json(folder / CONFIG) if (folder / CONFIG).exists() else {}
    if "auto_map" in config:
        raise BadBaseModel(f"{folder / CONFIG}: auto_map asks for code of the tokenizer's own, which is never run")
    source, pipeline = _read(folder, config, family, file)
    side, length = config.get("truncation_side", "right"), config.get("model_max_length")
    if side not in ("right", "left"):
        raise BadBaseModel(f"{folder / CONFIG}: truncation_side is {side!r}")
    bounded = isinstance(length, int | float) and 3 <= length < UNBOUNDED
    longest = int(length) if bounded else None  # type: ignore[arg-type]
    return StoredTokenizer(pipeline=pipeline, source=source, truncation=side, max_length=longest)


def _read(folder: Path, config: Mapping[str, Any], family: str, file: str | None) -> tuple[Path, str]:
    path = folder / TOKENIZER
    if path.exists() and file in (None, TOKENIZER):
        return path, _checked(path)
    if (path := folder / VOCABULARY).exists():
        return path, _wordpiece(path, config)
    if (path := folder / VOCABULARY_JSON).exists() and (folder / MERGES).exists():
        return path, byte_pair_pipeline(folder, config)
    for name in SENTENCEPIECE_FILES:
        if (path := folder / name).exists():
            return path, unigram_pipeline(path, family, config)
    forms = f"{TOKENIZER}, {VOCABULARY}, {VOCABULARY_JSON} with {MERGES}, {', '.join(SENTENCEPIECE_FILES)}"
    raise BadBaseModel(f"{folder}: has no tokenizer ({forms})")


def _checked(path: Path) -> str:
    try:
        pipeline = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadModel(f"{path}: {error}") from error
    try:
        Tokenizer.from_str(pipeline)
    except Exception as error:  # the library raises nothing more exact
        raise BadModel(f"{path}: {error}") from error
    return pipeline


def _wordpiece(path: Path, config: Mapping[str, Any]) -> str:
    kind = str(config.get("tokenizer_class") or "BertTokenizer").removesuffix("Fast").removesuffix("Tokenizer")
    if kind not in WORDPIECE_CLASSES:
        raise BadBaseModel(f"{path}: is for a {config['tokenizer_class']}; save it with a {TOKENIZER}")
    ids = read_vocabulary(path)
    tokenizer = Tokenizer.from_str(wordpiece_pipeline(ids, wordpiece_options(ids, config)))
    tokenizer.add_special_tokens([token for token in SPECIAL_TOKENS if token in ids])
    pipeline: str = tokenizer.to_str()
    return pipeline


def wordpiece_options(ids: Mapping[str, int], config: Mapping[str, Any]) -> WordPieceOptions:
    """What a tokenizer's configuration says; a vocabulary that comes with none is cased when a notable share of its
    tokens has a capital letter, for Google's checkpoints say it only in their names."""
    capitals = sum(any("A" <= letter <= "Z" for letter in token) for token in ids if not token.startswith("["))
    lowercase = config.get("do_lower_case", capitals < 0.01 * len(ids))
    accents = config.get("strip_accents")
    return WordPieceOptions(
        lowercase=lowercase,
        strip_accents=lowercase if accents is None else accents,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
    )
