"""What holds of the versions of a model, be they in a folder or in a bucket."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from contract.artifact import WEIGHTS, read_manifest, verify
from contract.errors import BadArtifact, NoModel
from harness.tiny_artifact import write_tiny_artifact
from tests.store_rig import Add, add_version, damage
from training.artifact.opened import open_store
from training.artifact.store import Store
from training.errors import WorseModel


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(tmp_path / "models", "tiny")
    return open_store(request.getfixturevalue("bucket_settings"), "tiny")


@pytest.fixture
def add(store: Store, tmp_path: Path) -> Add:
    return partial(add_version, store, tmp_path)


def test_an_added_version_is_whole_but_not_served_until_it_is_activated(store: Store, add: Add) -> None:
    version = add(1, current=False)

    assert store.reader.versions("tiny") == [version]
    with pytest.raises(NoModel):
        store.reader.current("tiny")

    store.activate(version)

    assert store.reader.current("tiny") == version
    assert verify(store.folder / version).version == version


def test_nothing_is_left_of_staging(store: Store, add: Add) -> None:
    add(1)

    with store.staging() as staged:
        (staged / "file").write_text("half")

    assert not list(store.folder.glob(".staging-*"))


def test_an_altered_file_is_not_added(store: Store, tmp_path: Path) -> None:
    made = write_tiny_artifact(tmp_path / "elsewhere")
    (made / WEIGHTS).write_bytes(b"other")

    with pytest.raises(BadArtifact, match="sha256"):
        store.add(made)

    assert store.reader.versions("tiny") == []


def test_another_models_version_is_not_added(store: Store, tmp_path: Path) -> None:
    made = write_tiny_artifact(tmp_path / "elsewhere", name="other")

    with pytest.raises(BadArtifact, match="'other'"):
        store.add(made)


def test_a_version_is_added_once(store: Store, add: Add, tmp_path: Path) -> None:
    version = add(1)
    again = write_tiny_artifact(tmp_path / "again", version=version)

    with pytest.raises(BadArtifact, match="exists already"):
        store.add(again)


def test_what_is_not_there_or_damaged_is_not_activated(store: Store, add: Add) -> None:
    good, damaged = add(1), add(2, current=False)
    damage(store, damaged)

    for version in ("20260101t000009-abcdef", damaged):
        with pytest.raises(BadArtifact):
            store.activate(version)

    assert store.reader.current("tiny") == good


def test_there_is_nothing_to_roll_back_to_before_anything_was_served(store: Store) -> None:
    with pytest.raises(NoModel, match="'tiny' is published"):
        store.rollback()


def test_a_name_that_is_nearly_right_is_told_which_would_be(store: Store, add: Add) -> None:
    add(1)
    store.activate(store.reader.versions("tiny")[0])
    with pytest.raises(NoModel, match=r"'tinny' is published in .*: did you mean 'tiny'\?"):
        store.reader.current("tinny")


def test_rollback_goes_back_through_what_was_served(store: Store, add: Add) -> None:
    first, second, third = add(1), add(2), add(3)

    assert [store.rollback(), store.rollback()] == [second, first]
    with pytest.raises(NoModel, match="before"):
        store.rollback()

    store.activate(third)  # after a rollback, a new step forward: what was undone is forgotten
    assert store.rollback() == first


def test_rollback_skips_versions_that_were_never_served_or_are_gone(store: Store, add: Add) -> None:
    first, _, third = add(1), add(2, current=False), add(3)
    fourth = add(4)
    store.activate(first)
    store.activate(third)
    store.prune(keep=1)

    assert store.reader.versions("tiny") == [third, fourth]
    assert store.rollback() == fourth


def test_activating_what_is_current_changes_nothing(store: Store, add: Add) -> None:
    first, second = add(1), add(2)
    store.activate(second)

    assert store.rollback() == first


def test_prune_keeps_the_newest_and_never_deletes_the_current(store: Store, add: Add) -> None:
    versions = [add(number, current=number == 1) for number in range(1, 6)]

    assert store.prune(keep=2) == versions[1:3]

    assert store.reader.versions("tiny") == [versions[0], *versions[3:]]
    assert not list(store.folder.glob(".trash-*"))
    assert sorted(path.name for path in store.folder.iterdir() if path.is_dir()) == store.reader.versions("tiny")


def test_a_version_worse_than_the_current_by_more_than_the_margin_is_refused(store: Store, add: Add) -> None:
    add(1, accuracy=0.9)
    close, worse = add(2, 0.895, current=False), add(3, 0.88, current=False)

    store.refuse_if_worse(read_manifest(store.folder / close), margin=0.01)
    with pytest.raises(WorseModel, match=r"0\.8800.*0\.9000"):
        store.refuse_if_worse(read_manifest(store.folder / worse), margin=0.01)
    store.refuse_if_worse(read_manifest(store.folder / worse), margin=0.05)


def test_the_first_version_is_never_too_bad(store: Store, add: Add) -> None:
    version = add(1, accuracy=0.1, current=False)

    store.refuse_if_worse(read_manifest(store.folder / version))


def test_versions_with_several_labels_a_text_are_compared_by_micro_f1(store: Store, add: Add) -> None:
    first = read_manifest(store.folder / add(1, accuracy=0.9))
    several = first.model_copy(update={"activation": "sigmoid", "metrics": {"micro_f1": 0.8, "baseline_micro_f1": 0.9}})

    store.refuse_if_worse(several)  # the current one has no such score
    with pytest.raises(WorseModel, match=r"micro F1 0\.8000, but counting words has 0\.9000"):
        store.refuse_if_worse(several.model_copy(update={"metrics": several.metrics | {"baseline_lead": 2.1}}))


@pytest.mark.parametrize(("rival", "named"), [("baseline", "counting words has 0.9"), ("frozen", "--epochs 0")])
def test_a_version_that_loses_to_a_simple_model_by_more_than_chance_is_refused_even_if_it_is_the_first(
    store: Store, add: Add, rival: str, named: str
) -> None:
    manifest = read_manifest(store.folder / add(1, accuracy=0.8, current=False))
    metrics = {"accuracy": 0.8, f"{rival}_accuracy": 0.9}

    store.refuse_if_worse(manifest.model_copy(update={"metrics": metrics | {f"{rival}_lead": 1.9}}))
    with pytest.raises(WorseModel, match=named):
        store.refuse_if_worse(manifest.model_copy(update={"metrics": metrics | {f"{rival}_lead": 2.1}}))
