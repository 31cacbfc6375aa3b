"""Unpacking an archive with a model: into its own folder alone, whole or not at all."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

from contract import durable
from contract.artifact import sha256
from training.errors import BadDownload

CONFIGS = "*bert_config.json"


def unpack(archive: Path, target: Path, pinned: dict[str, str]) -> None:
    """Unpack the one folder in `archive` to `target`, at once, if its files are the pinned ones. Raises BadDownload.

    A zip or a tar, as its first bytes say.
    """
    staging = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, staging)
        else:
            _untar(archive, staging)
        configs = sorted(staging.rglob(CONFIGS))
        if len(configs) != 1:
            raise BadDownload(f"{archive}: holds {len(configs)} {CONFIGS}, expected one")
        _check(configs[0].parent, pinned)
        durable.sync_tree(staging)
        configs[0].parent.rename(target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise BadDownload(f"{archive}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unzip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            _refuse_unsafe(member.filename, stat.S_ISLNK(member.external_attr >> 16), archive)
        content.extractall(target)  # noqa: S202 (each member was looked at)


def _untar(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as content:
        for member in content:
            _refuse_unsafe(member.name, not (member.isfile() or member.isdir()), archive)
        content.extractall(target, filter="data")


def _refuse_unsafe(name: str, is_special: bool, archive: Path) -> None:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or is_special:
        raise BadDownload(f"{archive}: {name} would be written outside its folder")


def _check(folder: Path, pinned: dict[str, str]) -> None:
    for file, expected in pinned.items():
        if not (folder / file).is_file():
            raise BadDownload(f"{folder.name}: has no {file}")
        if (found := sha256(folder / file)) != expected:
            raise BadDownload(f"{folder.name}/{file}: sha256 is {found}, expected {expected}")
