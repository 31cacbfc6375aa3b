"""Downloading a file: resumed where it broke off, checked, and in place only when it is whole."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from contract import durable
from contract.artifact import sha256
from training.errors import BadDownload

TRIES = 5
PAUSE_S = 1.0
TIMEOUT_S = 30.0


def fetch(url: str, target: Path, console: Console, expected: str | None = None, pause_s: float = PAUSE_S) -> None:
    """Download `url` to `target`, unless it is there; `expected` is the sha256 that it must have. Raises BadDownload.

    What arrived is kept in `<target>.part`; the rest is asked for by range, by the next try or the next call. Whether
    it is still the same file the server tells by the entity tag kept beside it (RFC 9110, If-Range).
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console) as progress,
        httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as http,
    ):
        task = progress.add_task(target.name, total=None)
        for attempt in range(1, TRIES + 1):
            try:
                _receive(http, url, part, progress, task)
                break
            except httpx.HTTPStatusError as error:
                raise BadDownload(f"{url}: {error.response.status_code} {error.response.reason_phrase}") from error
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise BadDownload(f"{url}: {error}; the next try goes on from what arrived") from error
                time.sleep(pause_s * attempt)
    _accept(part, target, expected)


def _receive(http: httpx.Client, url: str, part: Path, progress: Progress, task: TaskID) -> None:
    with http.stream("GET", url, headers=_resume_headers(part)) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it arrived before
        response.raise_for_status()
        continued = response.status_code == httpx.codes.PARTIAL_CONTENT
        done = part.stat().st_size if continued else 0
        left = response.headers.get("content-length")
        progress.update(task, completed=done, total=done + int(left) if left else None)
        _tag(part).write_text(response.headers.get("etag", ""))
        with part.open("ab" if continued else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                progress.advance(task, len(block))


def _resume_headers(part: Path) -> dict[str, str]:
    """Asks for the bytes that are missing, if the file is still the one that `part` began."""
    headers = {"Accept-Encoding": "identity"}
    if part.exists() and _tag(part).exists() and (tag := _tag(part).read_text()):
        headers |= {"Range": f"bytes={part.stat().st_size}-", "If-Range": tag}
    return headers


def _accept(part: Path, target: Path, expected: str | None) -> None:
    found = sha256(part)
    if expected is not None and found != expected:
        part.unlink()
        _tag(part).unlink(missing_ok=True)
        raise BadDownload(f"{target.name}: sha256 is {found}, expected {expected}; it was deleted")
    durable.replace(part, target)
    _tag(part).unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
