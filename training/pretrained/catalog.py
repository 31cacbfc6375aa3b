"""What can be downloaded: Google's checkpoints of BERT and ALBERT, and the Stack Overflow questions."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from training.errors import BadDownload
from training.pretrained.archive import unpack
from training.pretrained.http_download import fetch

GOOGLE = "https://storage.googleapis.com"
BERTS = {
    "uncased_L-12_H-768_A-12": "2018_10_18",
    "uncased_L-24_H-1024_A-16": "2018_10_18",
    "cased_L-12_H-768_A-12": "2018_10_18",
    "cased_L-24_H-1024_A-16": "2018_10_18",
    "multi_cased_L-12_H-768_A-12": "2018_11_23",
    "multilingual_L-12_H-768_A-12": "2018_11_03",
    "chinese_L-12_H-768_A-12": "2018_11_03",
    "wwm_uncased_L-24_H-1024_A-16": "2019_05_30",
    "wwm_cased_L-24_H-1024_A-16": "2019_05_30",
}
ALBERTS = tuple(f"albert_{size}_{kind}" for kind in ("v2", "zh") for size in ("base", "large", "xlarge", "xxlarge"))
GOOGLE_MODELS = {
    **{name: f"bert_models/{day}/{name}.zip" for name, day in BERTS.items()},
    **{name: f"albert_models/{name}.tar.gz" for name in ALBERTS},
}
"""Google's models that bert-for-tf2 lists, and where their archives lie."""
DEFAULT_MODEL = "multi_cased_L-12_H-768_A-12"
"""BERT-Base, Multilingual Cased."""

PINNED = {
    "uncased_L-12_H-768_A-12": {
        "bert_config.json": "7b4e5f53efbd058c67cda0aacfafb340113ea1b5797d9ce6ee411704ba21fcbc",
        "bert_model.ckpt.data-00000-of-00001": "58580dc5e0bf0ae0d2efd51d0e8272b2f808857f0a43a88aaf7549da6d7a8a84",
        "bert_model.ckpt.index": "04c1323086e2f1c5b7c0759d8d3e484afbb0ab45f51793daab9f647113a0117b",
        "bert_model.ckpt.meta": "dd5682170a10c3ea0280c2e9b9a45fee894eb62da649bbdea37b38b0ded5f60e",
    },
    "multi_cased_L-12_H-768_A-12": {
        "bert_config.json": "e76c3964bc14a8bb37a5530cdc802699d2f4a6fddfab0611e153aa2528f234f0",
        "bert_model.ckpt.data-00000-of-00001": "55b8a2df41f69c60c5180e50a7c31b7cdf6238909390c4ddf05fbc0d37aa1ac5",
        "bert_model.ckpt.index": "7d8509c2a62b4e300feb55f8e5f1eef41638f4998dd4d887736f42d4f6a34b37",
        "bert_model.ckpt.meta": "95e5f1997e8831f1c31e5cf530f1a2e99f121e9cd20887f2dce6fe9e3343e3fa",
    },
}
"""sha256 of the unpacked files, as far as they are published."""

QUESTIONS = "https://storage.googleapis.com/tensorflow-workshop-examples/stack-overflow-data.csv"
"""40,000 Stack Overflow questions with one of 20 tags each, columns `post,tags` (content CC BY-SA 3.0)."""


def download_base(name: str, folder: Path, console: Console, host: str = GOOGLE) -> Path:
    """Google's checkpoint `name` as a folder in `folder`; downloads only what is not there. Raises BadDownload."""
    if name not in GOOGLE_MODELS:
        raise BadDownload(f"{name}: not one of {', '.join(GOOGLE_MODELS)}")
    target = folder / name
    if target.is_dir():
        return target
    place = GOOGLE_MODELS[name]
    archive = folder / place.rpartition("/")[2]
    fetch(f"{host}/{place}", archive, console)
    try:
        unpack(archive, target, PINNED.get(name, {}))
    except BadDownload:
        archive.unlink()
        raise
    archive.unlink()
    return target


def download_questions(folder: Path, console: Console, url: str = QUESTIONS) -> Path:
    """The Stack Overflow questions as a CSV in `folder`; downloaded only when not there. Raises BadDownload."""
    target = folder / "stack-overflow-data.csv"
    fetch(url, target, console)
    return target
