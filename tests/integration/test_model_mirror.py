"""Folders that are kept in step with a bucket: what is in them is whole and bounded, and stays when the bucket goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contract.artifact import MANIFEST, TOKENIZER, WEIGHTS, verify
from contract.errors import BadArtifact, BucketUnavailable
from contract.model_store import CURRENT, ModelStore
from contract.settings import SharedSettings
from harness.ports import free_port
from harness.tiny_artifact import write_tiny_artifact
from storage.bucket import Bucket
from storage.cache import CacheTrouble, ModelCache
from storage.mirror import REPORTS, WHOLE, Content, Mirror
from tests.store_rig import Add, add_version, bucket_of, damage
from training.artifact.opened import open_store
from training.artifact.store import Store

Follow = Callable[..., Mirror]


@pytest.fixture
def store(bucket_settings: SharedSettings) -> Store:
    return open_store(bucket_settings, "tiny")


@pytest.fixture
def add(store: Store, tmp_path: Path) -> Add:
    return lambda *given, **more: add_version(store, tmp_path, *given, **more)


@pytest.fixture
def follow(store: Store, tmp_path: Path) -> Follow:
    """Makes a mirror of the bucket, as a process of its own would, in a folder that is the same every time."""

    def follow(content: Content = WHOLE, most_bytes: int = 0) -> Mirror:
        return Mirror(bucket_of(store), ModelCache(tmp_path / "followed", most_bytes), content)

    return follow


def reader(mirror: Mirror) -> ModelStore:
    return ModelStore(mirror.cache.folder)


def test_a_worker_s_folder_has_the_current_version_whole_and_the_one_before(follow: Follow, add: Add) -> None:
    mirror, versions = follow(), []
    for number in range(1, 5):
        versions.append(add(number))
        mirror.sync()

        assert reader(mirror).current("tiny") == versions[-1]
        assert reader(mirror).versions("tiny") == versions[-2:]
        verify(mirror.cache.path("tiny", versions[-1]))


def test_the_api_s_folder_has_every_manifest_and_report_and_no_weights(follow: Follow, add: Add, store: Store) -> None:
    first, second = add(1), add(2, current=False)
    mirror = follow(REPORTS)
    mirror.sync()

    assert (reader(mirror).current("tiny"), reader(mirror).versions("tiny")) == (first, [first, second])
    assert not list(mirror.cache.folder.rglob(WEIGHTS))

    store.activate(second)
    store.prune(keep=1)
    mirror.sync()
    assert (reader(mirror).current("tiny"), reader(mirror).versions("tiny")) == (second, [second])


def test_nothing_is_fetched_twice(follow: Follow, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    add(1)
    follow().sync()

    def refuse(*_: object) -> bool:
        raise AssertionError("it is here already")

    monkeypatch.setattr(Bucket, "download", refuse)
    follow().sync()


def test_activating_a_version_again_is_told_to_the_readers_of_the_folder(
    follow: Follow, add: Add, store: Store
) -> None:
    version, mirror = add(1), follow()
    mirror.sync()
    before = (mirror.cache.folder / "tiny" / CURRENT).stat().st_ino
    mirror.sync()
    assert (mirror.cache.folder / "tiny" / CURRENT).stat().st_ino == before

    store.activate(version)
    mirror.sync()

    assert (mirror.cache.folder / "tiny" / CURRENT).stat().st_ino != before


def test_what_has_another_sha256_never_gets_into_the_folder(follow: Follow, add: Add, store: Store) -> None:
    good, bad = add(1), add(2, current=False)
    mirror = follow()
    mirror.sync()
    served, _ = mirror.served("tiny")
    damage(store, bad)
    put_current(store, served.activated(bad).content())

    for _ in range(2):  # and is not fetched again at once
        with pytest.raises(BadArtifact, match=rf"{bad}/{WEIGHTS}: sha256 is"):
            mirror.sync()

    assert (reader(mirror).current("tiny"), reader(mirror).versions("tiny")) == (good, [good])
    assert not (mirror.cache.path("tiny", bad) / WEIGHTS).exists()


def put_current(store: Store, content: bytes) -> None:
    """Write CURRENT as somebody else would."""
    before = bucket_of(store).read(f"tiny/{CURRENT}")
    assert bucket_of(store).write(f"tiny/{CURRENT}", content, before[1] if before else None)


@pytest.mark.parametrize("broken", [WEIGHTS, MANIFEST])
def test_a_folder_that_a_crash_of_the_machine_damaged_is_mended(follow: Follow, add: Add, broken: str) -> None:
    folder = (mirror := follow()).cache.path("tiny", add(1))
    mirror.sync()
    (folder / broken).write_bytes(b"\0" * 100)

    follow().sync()

    verify(folder)


def test_a_folder_that_was_deleted_comes_back(follow: Follow, add: Add) -> None:
    mirror, version = follow(), add(1)
    mirror.sync()
    shutil.rmtree(mirror.cache.folder)

    mirror.sync()

    assert reader(mirror).current("tiny") == version


def test_a_fetch_that_ends_anywhere_leaves_no_half_version_and_is_gone_on_with(follow: Follow, add: Add) -> None:
    good, mirror = add(1), follow()
    mirror.sync()
    version = add(2)
    for answers in range(20):
        dying = follow()
        dying.on_answer = dies_after(answers)
        try:
            dying.sync()
        except KeyboardInterrupt:
            assert reader(mirror).current("tiny") == good
            assert all(verify(mirror.cache.path("tiny", each)) for each in reader(mirror).versions("tiny"))
        else:
            break

    assert answers > 3
    assert reader(mirror).current("tiny") == version


def dies_after(answers: int) -> Callable[[], None]:
    left = iter(range(answers))

    def die() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return die


def test_a_bucket_that_is_not_there_changes_nothing(follow: Follow, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror, version = follow(), add(1)
    mirror.sync()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    lost = Mirror(Bucket(mirror.bucket.url), mirror.cache, WHOLE)
    with pytest.raises(BucketUnavailable, match="Connection refused"):
        lost.sync()

    assert reader(mirror).current("tiny") == version
    verify(mirror.cache.path("tiny", version))


def test_a_model_that_is_gone_from_the_bucket_is_gone_from_the_folder(follow: Follow, add: Add, store: Store) -> None:
    mirror, version = follow(), add(1)
    mirror.sync()
    bucket_of(store).delete(list(bucket_of(store).list()))

    mirror.sync()

    assert reader(mirror).published() == reader(mirror).names() == []
    assert not mirror.cache.path("tiny", version).exists()


def test_only_wanted_models_are_fetched(follow: Follow, add: Add, store: Store, tmp_path: Path) -> None:
    add(1)
    add_version(replace(store, name="other"), tmp_path / "more", 1)
    mirror = follow()

    mirror.sync(wanted="other".__eq__)

    assert reader(mirror).names() == ["other"]


def test_what_finds_no_room_is_left_out_and_said(follow: Follow, add: Add) -> None:
    first, mirror = add(1), follow()
    mirror.sync()
    size = sum(path.stat().st_size for path in mirror.cache.folder.rglob("*") if path.is_file())
    add(2)

    bounded = follow(most_bytes=int(1.5 * size))
    with pytest.raises(CacheTrouble, match="needs"):
        bounded.sync()
    assert reader(mirror).current("tiny") == first

    follow(most_bytes=int(2.5 * size)).sync()
    third = add(3)
    follow(most_bytes=int(2.5 * size)).sync()  # the one before makes room
    assert reader(mirror).current("tiny") == third


@pytest.mark.parametrize("file", ["../../../escaped", "/tmp/escaped", "../other/x"])  # noqa: S108
def test_a_manifest_that_names_files_elsewhere_is_refused(
    follow: Follow, store: Store, tmp_path: Path, file: str
) -> None:
    made = write_tiny_artifact(tmp_path / "evil", current=False)
    manifest = json.loads((made / MANIFEST).read_text())
    manifest["files"][file] = manifest["files"][TOKENIZER]
    (made / MANIFEST).write_text(json.dumps(manifest))
    for path in made.iterdir():
        bucket_of(store).upload(path, f"tiny/{made.name}/{path.name}")
    put_current(store, f"{made.name}\n".encode())
    mirror = follow()

    with pytest.raises(BadArtifact, match="outside the artifact"):
        mirror.sync()

    assert reader(mirror).names() == []


def test_a_folder_of_models_that_was_copied_to_a_bucket_is_followed_and_written_to(
    follow: Follow, add: Add, tmp_path: Path, store: Store
) -> None:
    made = write_tiny_artifact(tmp_path / "volume")
    for path in (tmp_path / "volume").rglob("*"):
        if path.is_file():
            bucket_of(store).upload(path, str(path.relative_to(tmp_path / "volume")))
    mirror = follow()
    mirror.sync()
    assert reader(mirror).current("tiny") == made.name

    store.activate(add(9, current=False))
    assert store.rollback() == made.name


def test_a_bucket_s_current_is_read_in_a_folder_too(store: Store, add: Add, tmp_path: Path) -> None:
    version = add(1)
    content = bucket_of(store).read(f"tiny/{CURRENT}")
    assert content
    (tmp_path / "copied" / "tiny").mkdir(parents=True)
    (tmp_path / "copied" / "tiny" / CURRENT).write_bytes(content[0])

    assert ModelStore(tmp_path / "copied").current("tiny") == version
