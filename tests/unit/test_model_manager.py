"""Which version is served, with real artifacts of which only the files are checked."""

from __future__ import annotations

import errno
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.artifact import MANIFEST, WEIGHTS, Manifest, verify
from contract.errors import BadArtifact, NoModel
from contract.fleet import WorkerState
from contract.model_store import CURRENT, ModelStore
from contract.selection import Selection
from harness.artifact import point_current_to
from harness.tiny_artifact import write_tiny_artifact
from tests.stand_ins import as_any
from worker.pipeline.model_follower import RETRY_S, ModelFollower
from worker.pipeline.model_manager import STAY_S, ModelManager

V1, V2, V3 = "20260101t000000-000001", "20260102t000000-000002", "20260103t000000-000003"


class Loaded:
    def __init__(self, manifest: Manifest) -> None:
        self.version = manifest.version
        self.precision = "float32"


class Rig:
    """A manager whose clock and looks are the test's."""

    def __init__(self, models: Path, selection: str = "tiny", most_bytes: int = 0) -> None:
        self.models = models
        self.now = 0.0
        self.loads: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.wanted: set[str] = set()
        self.fault: Exception | None = None
        self.faulty = "tiny"
        """The model that can't be loaded while there is a fault."""
        self.manager = ModelManager(
            store=ModelStore(models),
            selection=Selection.parse(selection),
            load=as_any(self._load),
            on_loaded=lambda name, _: self.opened.append(name),
            on_unloaded=self.closed.append,
            is_wanted=lambda name: name in self.wanted,
            reload_s=1.0,
            device="cpu",
            most_bytes=most_bytes,
            clock=lambda: self.now,
        )

    def _load(self, folder: Path) -> Loaded:
        self.loads.append(folder.name)
        if self.fault and folder.parent.name == self.faulty:
            raise self.fault
        return Loaded(verify(folder))

    def publish(self, version: str, seed: int = 0, name: str = "tiny") -> Path:
        return write_tiny_artifact(self.models, name, version=version, seed=seed)

    @property
    def follower(self) -> ModelFollower:
        return self.manager.followers[0]

    def served(self) -> str | None:
        self.manager.poll()
        return self.follower.loaded.version if self.follower.loaded else None

    def loaded(self) -> list[str]:
        """The models that are in memory after a look."""
        self.manager.poll()
        return [each.name for each in self.manager.followers if each.loaded]

    def states(self) -> dict[str, WorkerState]:
        return {each.name: each.state for each in self.manager.followers}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def corrupt(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\xff\xff\xff\xff")


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


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Rig]:
    return lambda selection, most_bytes=0: Rig(tmp_path, selection, most_bytes)


def test_each_of_a_list_is_loaded_the_first_one_first(make: Callable[..., Rig]) -> None:
    rig = make("tiny,other")
    rig.publish(V1, name="another")
    rig.publish(V1, name="other")
    assert rig.loaded() == ["other"]
    rig.publish(V2)
    assert rig.loaded() == ["tiny", "other"]
    assert (rig.manager.model("tiny").version, rig.manager.model("other").version) == (V2, V1)
    with pytest.raises(NoModel, match="another"):
        rig.manager.model("another")


def test_a_model_that_is_broken_does_the_others_no_harm(make: Callable[..., Rig]) -> None:
    rig = make("tiny,other")
    corrupt(rig.publish(V1))
    rig.publish(V1, name="other")
    assert rig.loaded() == ["other"]
    assert rig.states() == {"tiny": WorkerState.WAITING_FOR_MODEL, "other": WorkerState.READY}
    assert V1 in rig.follower.refused
    rig.publish(V2, name="other")
    rig.loaded()
    assert rig.manager.model("other").version == V2


def test_a_model_that_appears_on_the_volume_is_served_where_all_are(make: Callable[..., Rig]) -> None:
    rig = make("*")
    assert rig.loaded() == []
    rig.publish(V1, name="tickets")
    rig.publish(V1, name="default")
    write_tiny_artifact(rig.models, "unfinished", current=False)
    assert rig.loaded() == ["default", "tickets"]
    rig.publish(V1, name="later")
    assert rig.loaded() == ["default", "tickets", "later"]


def test_a_model_that_goes_from_the_volume_is_served_on_while_it_is_in_memory(make: Callable[..., Rig]) -> None:
    rig = make("*")
    rig.publish(V1, name="tickets")
    rig.loaded()
    shutil.rmtree(rig.models / "tickets")
    assert rig.loaded() == ["tickets"]


def test_beyond_the_bound_a_model_is_loaded_only_when_it_is_wanted(make: Callable[..., Rig], tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "tiny", V1)
    rig = make("tiny,a,b,c", int(3.5 * ModelStore(tmp_path).weights_bytes("tiny", V1)))
    for name in ("a", "b", "c"):
        rig.publish(V1, name=name)
    assert rig.loaded() == ["tiny", "a", "b"]
    assert rig.states()["c"] is WorkerState.UNLOADED
    rig.now += STAY_S
    assert rig.loaded() == ["tiny", "a", "b"]
    assert rig.closed == []


def test_what_was_not_used_for_longest_makes_room_and_comes_back_when_it_is_wanted(
    make: Callable[..., Rig], tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "tiny", V1)
    rig = make("tiny,a,b,c", int(3.5 * ModelStore(tmp_path).weights_bytes("tiny", V1)))
    for name in ("a", "b", "c"):
        rig.publish(V1, name=name)
    rig.loaded()
    rig.now += STAY_S
    rig.manager.model("a")
    rig.wanted = {"c"}
    assert rig.loaded() == ["tiny", "a", "c"]
    assert rig.closed == ["b"]
    with pytest.raises(NoModel):
        rig.manager.model("b")
    rig.wanted = {"b"}
    rig.now += STAY_S
    assert rig.loaded() == ["tiny", "b", "c"]


def test_models_that_take_turns_stay_for_a_while_each(make: Callable[..., Rig], tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "tiny", V1)
    rig = make("tiny,a,b", int(2.5 * ModelStore(tmp_path).weights_bytes("tiny", V1)))
    rig.publish(V1, name="a")
    rig.publish(V1, name="b")
    rig.wanted = {"a", "b"}
    seen = []
    for _ in range(30):
        rig.now += 1.0
        seen.append(rig.loaded()[1])
    changes = sum(one != other for one, other in itertools.pairwise(seen))
    assert {"a", "b"} == set(seen)
    assert changes == (len(seen) - 1) // STAY_S


def test_a_broken_model_makes_no_room_for_itself(make: Callable[..., Rig], tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "tiny", V1)
    rig = make("tiny,a,b", int(2.5 * ModelStore(tmp_path).weights_bytes("tiny", V1)))
    rig.publish(V1, name="a")
    rig.loaded()
    corrupt(rig.publish(V1, name="b"))
    rig.wanted, rig.now = {"b"}, rig.now + STAY_S
    assert rig.loaded() == ["tiny", "a"]
    assert rig.states()["b"] is WorkerState.WAITING_FOR_MODEL
    assert rig.closed == []


def test_one_model_larger_than_the_bound_is_served(make: Callable[..., Rig]) -> None:
    rig = make("missing,a", 1)
    rig.publish(V1, name="a")
    rig.wanted = {"a"}
    for _ in range(5):
        assert rig.loaded() == ["a"]
        rig.now += STAY_S
    assert rig.loads == [V1]


def test_a_new_version_of_one_is_swapped_in_and_the_others_stay(make: Callable[..., Rig]) -> None:
    rig = make("tiny,other")
    rig.publish(V1)
    rig.publish(V1, name="other")
    rig.loaded()
    before = rig.manager.model("other")
    rig.publish(V2)
    rig.loaded()
    assert rig.manager.model("tiny").version == V2
    assert rig.manager.model("other") is before
