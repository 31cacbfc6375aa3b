"""GPU claims among many processes that start, die and start again at once, on a list of GPUs that are only names."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from contract.errors import BadSettings
from worker.engine.device import Claim, Gpu, claim, claim_gpu, cpu_threads, hand_over

GPUS = [Gpu(f"GPU-{number}", "fake") for number in range(4)]
spawn = multiprocessing.get_context("spawn")


def hold(folder: Path, pipe: Connection) -> None:
    """A worker that takes a device, says which, and keeps it until it is killed."""
    claimed = claim(folder, "auto", lambda: GPUS)
    pipe.send(claimed.name)
    signal.pause()


class Fleet:
    """Worker processes and the devices that they said they had taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[multiprocessing.process.BaseProcess] = []
        self.devices: list[str] = []

    def start(self, number: int) -> None:
        pipes = []
        for _ in range(number):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=hold, args=(self._folder, theirs), daemon=True)
            process.start()
            self.processes.append(process)
            pipes.append(ours)
        self.devices += [pipe.recv() for pipe in pipes]

    def kill(self, index: int) -> None:
        self.processes[index].kill()
        self.processes[index].join()
        del self.processes[index], self.devices[index]

    def gpus(self) -> list[str]:
        return sorted(device for device in self.devices if not device.startswith("cpu"))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def names(gpus: list[Gpu]) -> list[str]:
    return [f"{gpu.name} {gpu.uuid}" for gpu in gpus]


def take(folder: Path, gpus: list[Gpu], wanted: str = "auto") -> Claim:
    return claim(folder, wanted, lambda: gpus)  # type: ignore[arg-type]


def test_workers_take_one_gpu_each_and_the_rest_the_cpu(tmp_path: Path) -> None:
    claims = [take(tmp_path, GPUS[:2]) for _ in range(4)]
    assert [each.name for each in claims] == [*names(GPUS[:2]), "cpu", "cpu"]


def test_a_gpu_is_free_again_when_its_claim_ends(tmp_path: Path) -> None:
    first = take(tmp_path, GPUS[:1])
    assert claim_gpu(tmp_path, GPUS[:1]) is None
    first.lock.close()
    assert take(tmp_path, GPUS[:1]).gpu == GPUS[0]


def test_a_demanded_gpu_that_is_taken_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    held = take(tmp_path, GPUS[:1])
    with pytest.raises(BadSettings, match="RETORT_DEVICE"):
        take(tmp_path, GPUS[:1], "gpu")
    held.lock.close()


def test_the_cpu_is_taken_when_it_is_demanded(tmp_path: Path) -> None:
    assert take(tmp_path, GPUS, "cpu").gpu is None


@pytest.mark.parametrize(("workers", "cores", "threads"), [(1, 8, 8), (2, 8, 4), (3, 8, 2), (4, 2, 1)])
def test_cpu_workers_share_the_cores(tmp_path: Path, workers: int, cores: int, threads: int) -> None:
    claims = [take(tmp_path, []) for _ in range(workers)]
    assert cpu_threads(tmp_path, cores) == threads
    assert len(claims) == workers


def test_workers_that_start_and_die_at_once_never_share_a_gpu(fleet: Fleet, tmp_path: Path) -> None:
    rng = random.Random(7)
    fleet.start(6)
    for _ in range(6):
        assert fleet.gpus() == names(GPUS), "each GPU is claimed, by one worker"
        for _ in range(2):
            fleet.kill(rng.randrange(len(fleet.processes)))
        fleet.start(2)
        # As in service: a worker on the CPU that can claim a free GPU is started again, and finds it.
        while free := claim_gpu(tmp_path, GPUS):
            fleet.kill(fleet.devices.index("cpu"))
            free.lock.close()
            fleet.start(1)


SUCCESSOR = """
import sys
from pathlib import Path
from worker.engine.device import Gpu, claim, claim_gpu
gpus = [Gpu("GPU-0", "fake"), Gpu("GPU-1", "fake")]
mine = claim(Path(sys.argv[1]), "auto", lambda: gpus)
print(mine.name, claim_gpu(Path(sys.argv[1]), [mine.gpu]), flush=True)
"""


def become_successor(folder: Path, pipe: Connection) -> None:
    """A CPU worker that claims a GPU while it runs, and starts again."""
    claimed = claim_gpu(folder, GPUS[:2])
    assert claimed is not None
    hand_over(claimed)
    os.dup2(pipe.fileno(), 1)
    os.execv(sys.executable, [sys.executable, "-c", SUCCESSOR, str(folder)])  # noqa: S606


def test_of_all_who_see_a_free_gpu_one_claims_it_and_finds_it_after_its_restart(tmp_path: Path) -> None:
    first = take(tmp_path, GPUS[:2])
    assert first.gpu == GPUS[0]
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=become_successor, args=(tmp_path, theirs))
    process.start()
    theirs.close()
    first.lock.close()  # GPU-0 is free too by the time that the successor looks, and is left to others
    process.join()
    said = os.read(ours.fileno(), 1000).decode()
    assert said in {f"{gpu.name} {gpu.uuid} None\n" for gpu in GPUS[:2]}
