"""A full disk under Redis' file, and under the models while one is activated."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from contract.errors import StoreUnavailable
from contract.job_record import JobState
from contract.model_store import CURRENT
from contract.settings import SharedSettings
from harness.direct_jobs import DirectJobs
from harness.redis_server import DURABLE, RedisServer
from harness.tiny_artifact import write_tiny_artifact
from tests.small_disk import fill, small_disk
from training.artifact.store import Store

TEXT, MOST = "a" * 2000, 1000
V1, V2 = "20260101t000000-000001", "20260102t000000-000002"


def test_jobs_accepted_on_a_disk_that_fills_up_are_there_when_it_has_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path, "2m") as folder, RedisServer(folder, *DURABLE) as server:
        service = DirectJobs(SharedSettings(redis_url=server.url, model="m"))
        accepted = [service.submit([TEXT], send=False) for _ in range(20)]
        ballast = fill(folder)
        with suppress(StoreUnavailable):
            while len(accepted) < MOST:
                accepted.append(service.submit([TEXT], send=False))
        assert len(accepted) < MOST
        ballast.unlink()
        server.kill()  # with appendfsync always it has ended itself, for it could not say what is on the disk
        server.start()
        assert [service.jobs.status(job_id).state for job_id in accepted] == [JobState.QUEUED] * len(accepted)
        service.submit([TEXT], send=False)
        service.close()


def test_a_version_that_can_not_be_activated_for_want_of_room_leaves_the_old_one_and_nothing_else(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, "4m") as folder:
        for version in (V1, V2):
            write_tiny_artifact(folder, "tiny", version, current=version == V1)
        versions = Store(folder, "tiny")
        versions.activate(V1)
        before = sorted(path.name for path in (folder / "tiny").iterdir())
        ballast = fill(folder)
        with pytest.raises(OSError, match="No space left"):
            versions.activate(V2)
        assert (folder / "tiny" / CURRENT).read_text(encoding="utf-8").strip() == V1
        assert sorted(path.name for path in (folder / "tiny").iterdir()) == before
        ballast.unlink()
        versions.activate(V2)
        assert (folder / "tiny" / CURRENT).read_text(encoding="utf-8").strip() == V2
