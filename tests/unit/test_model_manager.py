"""Which version is served, with real artifacts of which only the files are checked."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from contract.artifact import MANIFEST, WEIGHTS
from contract.errors import BadArtifact, NoModel
from contract.fleet import WorkerState
from contract.model_store import CURRENT
from harness.artifact import point_current_to
from tests.model_manager_rig import V1, V2, Rig, corrupt
from worker.pipeline.model_follower import RETRY_S


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_worker_waits_for_the_first_model_and_then_serves_it(rig: Rig) -> None:
    assert (rig.served(), rig.follower.state) == (None, WorkerState.WAITING_FOR_MODEL)
    with pytest.raises(NoModel):
        rig.manager.model("tiny")
    rig.publish(V1)
    assert (rig.served(), rig.follower.state) == (V1, WorkerState.READY)
    assert rig.opened == ["tiny"]


def test_a_new_version_replaces_the_old_one_and_a_rollback_brings_it_back(rig: Rig) -> None:
    rig.publish(V1)
    assert rig.served() == V1
    rig.publish(V2, seed=1)
    assert rig.served() == V2
    point_current_to(rig.models, "tiny", V1)
    assert rig.served() == V1
    assert rig.loads == [V1, V2, V1]
    assert rig.opened == ["tiny"] * 3


def test_nothing_is_loaded_again_while_current_stays(rig: Rig) -> None:
    rig.publish(V1)
    for _ in range(5):
        rig.served()
    assert rig.loads == [V1]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (corrupt, "sha256"),
        (lambda folder: (folder / MANIFEST).unlink(), "No such file"),
        (lambda folder: (folder / WEIGHTS).unlink(), "No such file"),
        (lambda folder: (folder / MANIFEST).write_text('{"schema_version": 3}'), "schema 3"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\x00\xff"), "not JSON"),
        (shutil.rmtree, "No such file"),
    ],
    ids=["corrupt", "no-manifest", "half-copied", "wrong-schema", "garbage", "missing"],
)
def test_a_bad_version_is_refused_with_its_reason_and_the_old_one_serves(rig: Rig, spoil, why) -> None:  # type: ignore[no-untyped-def]
    rig.publish(V1)
    rig.served()
    spoil(rig.publish(V2))
    assert rig.served() == V1
    assert why in rig.follower.refused[V2]
    assert rig.follower.state is WorkerState.READY


def test_current_is_refused_until_it_names_another_version(rig: Rig) -> None:
    rig.publish(V1)
    rig.served()
    corrupt(rig.publish(V2))
    rig.served()
    assert rig.follower.refuses_current
    point_current_to(rig.models, "tiny", V1)
    rig.served()
    assert not rig.follower.refuses_current


def test_any_other_failure_to_load_is_a_refusal_too(rig: Rig) -> None:
    rig.publish(V1)
    rig.served()
    rig.fault = MemoryError("no room for a second model")
    rig.publish(V2)
    assert rig.served() == V1
    assert rig.follower.refused == {V2: "MemoryError: no room for a second model"}


def test_a_version_that_says_that_it_is_another_is_refused(rig: Rig) -> None:
    shutil.copytree(rig.publish(V1), rig.models / "tiny" / V2)
    rig.served()
    point_current_to(rig.models, "tiny", V2)
    assert rig.served() == V1
    assert V1 in rig.follower.refused[V2]


def test_a_refused_version_is_tried_again_when_it_is_activated_again(rig: Rig) -> None:
    rig.publish(V1)
    rig.served()
    good = rig.publish(V2)
    kept = (good / WEIGHTS).read_bytes()
    corrupt(good)
    assert rig.served() == V1
    (good / WEIGHTS).write_bytes(kept)
    assert rig.served() == V1
    point_current_to(rig.models, "tiny", V2)
    assert rig.served() == V2
    assert rig.follower.refused == {}


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_version_that_could_not_be_read_is_tried_again_beside_the_one_that_serves(rig: Rig, wrapped: bool) -> None:
    rig.publish(V1)
    rig.served()
    fault = OSError(errno.EIO, "Input/output error")
    rig.fault = BadArtifact("weights.safetensors: Input/output error") if wrapped else fault
    rig.fault.__cause__ = fault if wrapped else None
    rig.publish(V2)
    assert rig.served() == V1
    rig.fault = None
    rig.now += RETRY_S - 1
    assert rig.served() == V1
    rig.now += 1
    assert rig.served() == V2
    assert not rig.follower.refuses_current


def test_while_nothing_is_served_a_refused_version_is_tried_again_by_itself(rig: Rig) -> None:
    folder = rig.publish(V1)
    kept = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(kept[: len(kept) // 2])
    assert rig.served() is None
    assert rig.follower.state is WorkerState.WAITING_FOR_MODEL
    (folder / WEIGHTS).write_bytes(kept)
    rig.now += RETRY_S - 1
    assert rig.served() is None
    rig.now += 1
    assert rig.served() == V1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"../../etc", b"a" * 5000])
def test_a_current_that_names_no_version_changes_nothing(rig: Rig, content: bytes) -> None:
    rig.publish(V1)
    rig.served()
    (rig.models / "tiny" / CURRENT).write_bytes(content)
    assert rig.served() == V1


def test_a_version_that_is_deleted_while_it_is_served_goes_on(rig: Rig) -> None:
    folder = rig.publish(V1)
    rig.served()
    shutil.rmtree(folder)
    assert rig.served() == V1
