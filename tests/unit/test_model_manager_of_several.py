"""Which of several models are in memory, with real artifacts of which only the files are checked."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import NoModel
from contract.fleet import WorkerState
from contract.model_store import ModelStore
from harness.tiny_artifact import write_tiny_artifact
from tests.model_manager_rig import V1, V2, Rig, corrupt
from worker.pipeline.model_manager import STAY_S


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


def test_what_a_model_took_is_given_back_once_the_last_that_used_it_is_done(make: Callable[..., Rig]) -> None:
    rig = make("tiny")
    rig.publish(V1)
    rig.loaded()
    in_a_batch = [rig.manager.model("tiny")]
    rig.publish(V2)
    for _ in range(3):
        assert rig.served() == V2
    assert rig.releases == 0

    in_a_batch.clear()
    for _ in range(3):
        rig.manager.poll()
    assert rig.releases == 1


def test_what_an_unloaded_model_took_is_given_back(make: Callable[..., Rig], tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "tiny", V1)
    rig = make("tiny,a,b", int(2.5 * ModelStore(tmp_path).weights_bytes("tiny", V1)))
    rig.publish(V1, name="a")
    rig.publish(V1, name="b")
    rig.loaded()
    rig.wanted, rig.now = {"b"}, rig.now + STAY_S

    assert rig.loaded() == ["tiny", "b"]
    rig.manager.poll()

    assert rig.releases == 1
