"""Several writers of one bucket: none undoes what another did, whoever comes first, dies, or hears no answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from contract.artifact import MANIFEST, WEIGHTS, verify
from contract.errors import BadArtifact
from contract.settings import SharedSettings
from harness.tiny_artifact import write_tiny_artifact
from storage.bucket import Bucket, Tag
from tests.store_rig import add_version, bucket_of
from training.artifact import versions_in_bucket
from training.artifact.opened import open_store
from training.artifact.store import Store

Write = Callable[[Bucket, str, bytes, Tag | None], bool]


@pytest.fixture
def store(bucket_settings: SharedSettings) -> Store:
    return open_store(bucket_settings, "tiny")


@pytest.fixture
def other(bucket_settings: SharedSettings, tmp_path: Path) -> Store:
    """The same model, as another machine has it."""
    elsewhere = bucket_settings.model_copy(update={"models_cache_dir": tmp_path / "another machine"})
    return open_store(elsewhere, "tiny")


@pytest.fixture
def versions(store: Store, tmp_path: Path) -> list[str]:
    return [add_version(store, tmp_path, number) for number in range(1, 5)]


def before_the_next_write(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have another writer act when this one has decided what to write, and has not written it yet."""
    write: Write = Bucket.write

    def overtaken(*given: object) -> bool:
        monkeypatch.setattr(Bucket, "write", write)
        act()
        return write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "write", overtaken)


def current(store: Store) -> str | None:
    return store.versions.served().version


def test_what_two_writers_make_current_at_once_comes_one_after_the_other(
    store: Store, other: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = versions
    before_the_next_write(monkeypatch, lambda: other.activate(first))

    store.activate(second)

    assert current(other) == second
    assert other.rollback() == first


def test_what_another_writer_prunes_meanwhile_is_not_made_current(
    store: Store, other: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_next_write(monkeypatch, lambda: other.prune(keep=2))

    with pytest.raises(BadArtifact):
        store.activate(versions[0])

    assert current(store) == versions[-1]


def test_what_another_writer_makes_current_meanwhile_is_not_pruned(
    store: Store, other: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_next_write(monkeypatch, lambda: other.activate(versions[0]))

    assert store.prune(keep=2) == [versions[1]]

    assert current(other) == versions[0]
    other.versions.whole(versions[0])


def test_a_write_whose_answer_is_lost_counts_once(
    store: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Write = Bucket.write

    def unheard(*given: object) -> bool:
        """Written; the library hears nothing, repeats the request, and is told that another writer was first."""
        monkeypatch.setattr(Bucket, "write", write)
        write(*given)  # type: ignore[arg-type]
        return write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "write", unheard)

    assert store.rollback() == versions[2]
    assert current(store) == versions[2]


def test_a_version_whose_manifest_s_answer_is_lost_is_added(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Write = Bucket.write

    def unheard(*given: object) -> bool:
        write(*given)  # type: ignore[arg-type]
        return write(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "write", unheard)
        version = add_version(store, tmp_path, 1, current=False)

    assert store.versions.names() == [version]


def test_a_version_is_added_by_the_writer_whose_manifest_comes_first(
    store: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = "20260101t000001-abcdef"
    before_the_next_write(monkeypatch, lambda: other.add(write_tiny_artifact(tmp_path / "a", version=version, seed=1)))

    with pytest.raises(BadArtifact, match="exists already"):
        store.add(write_tiny_artifact(tmp_path / "b", version=version, seed=2))
    store.activate(version)
    assert verify(store.folder / version).provenance.seed == 1


def test_a_version_that_two_writers_mixed_is_neither_s(
    store: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = "20260101t000001-abcdef"
    strange = write_tiny_artifact(tmp_path / "b", version=version, seed=2)
    before_the_next_write(monkeypatch, lambda: bucket_of(other).upload(strange / WEIGHTS, f"tiny/{version}/{WEIGHTS}"))

    with pytest.raises(BadArtifact, match="another writer"):
        store.add(write_tiny_artifact(tmp_path / "a", version=version, seed=1))
    with pytest.raises(BadArtifact, match="sha256"):
        store.activate(version)


def test_a_pruner_that_dies_leaves_no_half_version_and_the_next_change_ends_its_work(
    store: Store, other: Store, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Bucket.delete

    def die(bucket: Bucket, names: list[str]) -> None:
        delete(bucket, names)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            store.prune(keep=1)

    for version in versions[:-1]:
        with pytest.raises(BadArtifact):
            other.activate(version)
    other.activate(versions[-1])
    assert {name.split("/")[1] for name in bucket_of(store).list()} == {"CURRENT", versions[-1]}
    assert store.versions.served().deleting == ()


def test_what_a_dead_writer_left_is_swept_when_it_is_old_and_what_is_being_written_is_not(
    store: Store, versions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = write_tiny_artifact(tmp_path / "half", current=False)
    for path in half.iterdir():
        if path.name != MANIFEST:
            bucket_of(store).upload(path, f"tiny/{half.name}/{path.name}")

    store.prune(keep=len(versions))
    assert any(half.name in name for name in bucket_of(store).list())

    monkeypatch.setattr(versions_in_bucket, "ABANDONED", timedelta(seconds=-60))
    store.prune(keep=len(versions))
    assert not any(half.name in name for name in bucket_of(store).list())
    assert store.versions.names() == versions
