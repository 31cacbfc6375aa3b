"""Which device this process works on: a GPU of its own, or a share of the CPU.

A GPU is claimed by an exclusive `flock` on a file named by its UUID, in a folder that all workers of the host share.
The kernel drops the lock when the process ends, however it ends: nothing has to clean up after a dead worker. CPU
workers take a slot the same way, so that each knows how many share the cores.

This module must be used before TensorFlow is imported: it decides what TensorFlow sees.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Literal

import pynvml

from contract.errors import BadSettings

HANDED_OVER = "_RETORT_CLAIM"
"""The variable by which a process tells the program that it becomes of its lock's file descriptor and its GPU."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as NVML lists it."""

    uuid: str
    name: str


@dataclass(frozen=True)
class Claim:
    """A device that is this process's until it ends."""

    name: str
    """For people: in logs, metrics and the heartbeat."""
    gpu: Gpu | None
    lock: IO[str]
    """Open for as long as the claim is held."""


def list_gpus() -> list[Gpu]:
    """The GPUs of this host that the container may see, in NVML's order; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [Gpu(pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def claim(
    folder: Path, wanted: Literal["auto", "cpu", "gpu"], list_gpus: Callable[[], Sequence[Gpu]] = list_gpus
) -> Claim:
    """The first free GPU, else a slot on the CPU. Raises BadSettings when a GPU is demanded and none is free."""
    folder.mkdir(parents=True, exist_ok=True)
    gpus = [] if wanted == "cpu" else list_gpus()
    if claimed := _handed_over(gpus) or claim_gpu(folder, gpus):
        return claimed
    if wanted == "gpu":
        raise BadSettings(f"RETORT_DEVICE: gpu is demanded, and none of this host's {len(gpus)} GPUs is free")
    return Claim("cpu", None, next(filter(None, map(_try_lock, _cpu_slots(folder)))))


def claim_gpu(folder: Path, gpus: Sequence[Gpu]) -> Claim | None:
    """The first free GPU; None when every one is taken."""
    for gpu in gpus:
        if lock := _try_lock(folder / f"{gpu.uuid}.lock"):
            return Claim(f"{gpu.name} {gpu.uuid}", gpu, lock)
    return None


def hand_over(claimed: Claim) -> None:
    """Leave the claim to the program that this process becomes next by `os.exec*`."""
    os.set_inheritable(claimed.lock.fileno(), True)
    os.environ[HANDED_OVER] = f"{claimed.lock.fileno()} {claimed.gpu.uuid if claimed.gpu else ''}"


def _handed_over(gpus: Sequence[Gpu]) -> Claim | None:
    """The claim of the program that this process was before."""
    number, _, uuid = os.environ.pop(HANDED_OVER, "").partition(" ")
    for gpu in gpus:
        if gpu.uuid == uuid:
            os.set_inheritable(int(number), False)
            return Claim(f"{gpu.name} {gpu.uuid}", gpu, os.fdopen(int(number), "a+", encoding="utf-8"))
    return None


def show_to_tensorflow(claimed: Claim) -> None:
    """Hide every other GPU from the TensorFlow that this process is about to import."""
    os.environ["CUDA_VISIBLE_DEVICES"] = claimed.gpu.uuid if claimed.gpu else "-1"


def cpu_threads(folder: Path, cores: int) -> int:
    """This worker's share of the cores, at least one: they are divided by the CPU workers that live on the host."""
    workers = sum(map(_is_locked, folder.glob("cpu-*.lock")))
    return max(1, cores // max(1, workers))


def _cpu_slots(folder: Path) -> Iterable[Path]:
    return (folder / f"cpu-{slot}.lock" for slot in count())


def _try_lock(path: Path) -> IO[str] | None:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _is_locked(path: Path) -> bool:
    """Without ever holding the lock exclusively, so that a look never gets in a claim's way for longer than itself."""
    if not path.exists():
        return False
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
